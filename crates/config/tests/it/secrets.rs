//! A canary in every secret, which nothing ever shows; and that no input whatever makes a load panic.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use proptest::prelude::*;
use tempfile::TempDir;
use trading_config::{Key, Loader, Settings};

use crate::{loader, project};

const CANARY: &str = "canary5f2c0badcafe";

fn secrets() -> Vec<&'static Key> {
    let secrets: Vec<_> = Settings::keys().filter(|key| key.secret).collect();
    assert_eq!(secrets.len(), 7, "{secrets:?}");
    secrets
}

/// A value with a canary that the key's rule allows.
fn canary(key: &Key) -> String {
    if key.path() == "notifications.webhook_url" { format!("https://example.com/{CANARY}") } else { CANARY.to_owned() }
}

/// A project with the secret `key` as `value` in a place, and the loader that reads it.
fn placed(place: usize, key: &Key, value: &str) -> (TempDir, Loader) {
    let (variable, file) = (key.variable().into_owned(), format!("{}_FILE", key.variable()));
    let toml = format!("[{}]\n{} = {value:?}\n", key.section, key.name);
    let folder = match place {
        0 => project(&[("config/development.toml", &toml)]),
        1 => project(&[(".env", &format!("{variable}={value}\n"))]),
        _ => project(&[]),
    };
    let path = folder.path().join("secret");
    fs::write(&path, value).expect("is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("is permitted");
    let loader = match place {
        2 => loader(folder.path(), &[(&variable, value)]),
        3 => loader(folder.path(), &[(&file, "secret")]),
        4 => loader(folder.path(), &[]).set(key.path(), value),
        _ => loader(folder.path(), &[]),
    };
    let loader = if key.path() == "notifications.webhook_url" {
        loader.set("notifications.webhook_secret", "what the address needs")
    } else {
        loader
    };
    (folder, loader)
}

/// Everything that a load, and what came of it, can be made to say.
fn said(loader: Loader) -> String {
    let mut said = format!("{loader:?} {loader:#?}");
    match loader.load() {
        Err(error) => said += &format!("{error} {error:?} {error:#?}"),
        Ok(settings) => {
            said += &format!("{settings:?} {settings:#?} {}", settings.warnings().join(" "));
            said += &format!("{} {}", settings.effective(), settings.effective().to_json());
            for key in Settings::keys() {
                let explanation = settings.explain(&key.path()).expect("is a key");
                said += &format!("{explanation} {explanation:?}");
            }
        }
    }
    said
}

#[test]
fn no_panic_shows_a_canary() {
    for key in secrets() {
        let (_folder, loader) = placed(2, key, &canary(key));
        let settings = loader.load().expect("loads");
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| panic!("{settings:?}"))).expect_err("it panics");
        let text = panicked.downcast_ref::<String>().expect("a text");
        assert!(text.contains(key.name) && !text.contains(CANARY), "{text}");
    }
}

#[test]
fn no_path_shows_a_canary() {
    for key in secrets() {
        for place in 0..5 {
            let (_folder, loader) = placed(place, key, &canary(key));
            let text = said(loader.clone());
            assert!(text.contains("[redacted]") && !text.contains(CANARY), "{} in place {place}: {text}", key.path());
            // The same beside a fault of another setting, and under a layer that has the same secret.
            let text = said(loader.clone().set("logging.level", "loud"));
            assert!(text.contains("loud") && !text.contains(CANARY), "{} in place {place}: {text}", key.path());
            let text = said(loader.set(key.path(), format!("{}-2", canary(key))));
            assert!(text.contains("override") && !text.contains(CANARY), "{} in place {place}: {text}", key.path());
        }
    }
}

#[test]
fn no_faulty_secret_shows_a_canary() {
    for key in secrets() {
        for (value, expected) in [
            (format!("[\"{CANARY}\"]"), "found a list"),
            (format!("{{ a = \"{CANARY}\" }}"), "found a table"),
            (format!("\"{CANARY}"), "not TOML"),
        ] {
            let toml = format!("[{}]\n{} = {value}\n", key.section, key.name);
            let folder = project(&[("config/development.toml", &toml)]);
            let text = said(loader(folder.path(), &[]));
            assert!(text.contains(expected) && !text.contains(CANARY), "{text}");
        }
        let production = [("ENVIRONMENT", "production")];
        let folder = project(&[]);
        let text = said(loader(folder.path(), &production).set(key.path(), format!("your_{CANARY}_here")));
        assert!(text.contains("found a placeholder") && !text.contains(CANARY), "{text}");
    }
}

/// A text with some of its characters gone, doubled or replaced.
fn mangled(text: String) -> impl Strategy<Value = String> {
    let length = text.chars().count();
    let edit =
        (0..length, 0..3_u8, proptest::sample::select(vec!['\n', '"', '\'', '=', '[', ']', '#', ' ', '\\', '\0', 'é']));
    proptest::collection::vec(edit, 0..6).prop_map(move |edits| {
        let mut characters: Vec<char> = text.chars().collect();
        for (at, kind, character) in edits {
            let at = at.min(characters.len().saturating_sub(1));
            // Never the canary's own letters: half a canary could not be recognised.
            let keep = characters.get(at).is_none_or(char::is_ascii_alphanumeric);
            match kind {
                0 => characters.insert(at, character),
                1 if !keep => drop(characters.splice(at..=at, [character])),
                2 if !keep => drop(characters.remove(at)),
                _ => {}
            }
        }
        characters.into_iter().collect()
    })
}

fn toml() -> String {
    format!(
        "[api.alpaca]\nsecret_key = \"{CANARY}\"\nkey = '{CANARY}'\n\n[api.quiver]\nkey = \"\"\"\n{CANARY}\"\"\"\n[notifications]\n\
         smtp_password = \"{CANARY}\" # comment\nsmtp_port = 25\n"
    )
}

fn dotenv() -> String {
    format!(
        "export QUIVER_API_KEY={CANARY}\nALPACA_API_KEY=\"{CANARY}\"\nALPACA_SECRET_KEY='{CANARY}' # comment\n\
         SMTP_PASSWORD=a b {CANARY}\nLOG_LEVEL=INFO\n"
    )
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("is made");
    fs::write(path, text).expect("is written");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn mangled_files_show_no_canary(toml in mangled(toml()), dotenv in mangled(dotenv())) {
        let folder = TempDir::new().expect("a folder");
        write(folder.path(), "config/development.toml", &toml);
        write(folder.path(), ".env", &dotenv);
        let text = said(loader(folder.path(), &[]));
        // A canary that an edit made into a name is none any more: names are shown.
        let names = ["unknown one", "duplicate key"];
        prop_assert!(!text.contains(CANARY) || names.iter().any(|name| text.contains(name)), "{toml}\n{dotenv}\n{text}");
    }

    #[test]
    fn no_text_makes_it_panic(toml in any::<String>(), dotenv in any::<String>(), at in 0..200_usize, value in any::<String>()) {
        let folder = TempDir::new().expect("a folder");
        write(folder.path(), "config/development.toml", &toml);
        write(folder.path(), ".env", &dotenv);
        let keys: Vec<_> = Settings::keys().collect();
        let key = keys[at % keys.len()];
        drop(said(loader(folder.path(), &[])));
        for (name, text) in [(".env", ""), ("config/development.toml", "")] {
            write(folder.path(), name, text);
        }
        let text = said(loader(folder.path(), &[(&key.variable(), &value)]));
        prop_assert!(!key.secret || value.trim().len() < 4 || !text.contains(value.trim()), "{text}");
        drop(said(loader(folder.path(), &[]).set(key.path(), value.clone())));
        drop(said(loader(folder.path(), &[]).set(value.clone(), "1")));
        drop(said(loader(folder.path(), &[(&value, "1")])));
    }
}
