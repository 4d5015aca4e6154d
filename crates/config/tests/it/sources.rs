//! Where settings come from, and which source wins.

use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt as _, path::Path, time::Duration};

use chrono_tz::Tz;
use trading_config::{Environment, Error, ExposeSecret as _, Level, Settings};

use crate::{ONE_AGENT, load, loader, project};

#[test]
fn the_defaults_work_without_any_source() {
    let folder = project(&[]);
    let settings = loader(folder.path(), &[]).load().expect("loads");
    assert_eq!(settings.environment, Environment::Development);
    assert_eq!(settings.database.full_path(), folder.path().join("data/trading_automation.db"));
    assert_eq!(settings.logging.path.full(), folder.path().join("logs"));
    assert_eq!((settings.monitoring.host.to_string(), settings.monitoring.port), ("127.0.0.1".to_owned(), 8080));
    assert_eq!(settings.api.timeout, Duration::from_secs(30));
    assert!(settings.api.alpaca.paper);
    assert!(settings.api.quiver.key.is_none());
    assert_eq!(settings.enabled_agents().count(), 5);
}

#[test]
fn the_earlier_systems_env_file_is_read_whole() {
    let folder = project(&[(".env", include_str!("fixtures/python.env"))]);
    let settings = loader(folder.path(), &[]).load().expect("loads");
    let secret = |key: &Option<trading_config::SecretString>| key.as_ref().map(|key| key.expose_secret().to_owned());
    assert_eq!(secret(&settings.api.quiver.key).as_deref(), Some("00123456789"));
    assert_eq!(secret(&settings.api.alpaca.key).as_deref(), Some("PKTESTTESTTESTTEST00"));
    assert_eq!(secret(&settings.api.alpaca.secret_key).as_deref(), Some("s3cr3t with spaces # and a hash"));
    assert_eq!(settings.logging.level, Level::Warn);
    assert_eq!(settings.dashboard.host.to_string(), "0.0.0.0");
    assert_eq!(settings.trading.minimum_amount.to_string(), "100.00");
    assert_eq!(settings.scheduling.timezone, Tz::US__Eastern);
    assert_eq!(settings.scheduling.daily_execution_time.to_string(), "21:30:00");
    assert_eq!(settings.notifications.smtp_server, None);

    // Every name of the file is the variable of a key, so none was passed over.
    for line in include_str!("fixtures/python.env").lines().filter(|line| !line.starts_with('#')) {
        let name = line.split('=').next().expect("a name");
        assert!(name == "ENVIRONMENT" || Settings::keys().any(|key| key.variable() == name), "{name} is read");
    }
}

#[test]
fn later_sources_win() {
    let folder = project(&[
        ("config/agents.json", ONE_AGENT),
        ("config/development.toml", "[dashboard]\nport = 2\n"),
        (".env", "DASHBOARD_PORT=3\n"),
    ]);
    let port = |loader: trading_config::Loader| loader.load().expect("loads").dashboard.port;
    assert_eq!(port(loader(folder.path(), &[("DASHBOARD_PORT", "4")]).set("dashboard.port", "5")), 5);
    assert_eq!(port(loader(folder.path(), &[("DASHBOARD_PORT", "4")])), 4);
    assert_eq!(port(loader(folder.path(), &[("DASHBOARD_PORT", "")])), 3, "an empty variable is as good as none");
    fs::remove_file(folder.path().join(".env")).expect("removed");
    assert_eq!(port(loader(folder.path(), &[])), 2);
    assert_eq!(port(loader(folder.path(), &[("ENVIRONMENT", "test")])), 5000, "another environment, another file");
}

#[test]
fn keys_without_an_earlier_name_have_one_of_their_section() {
    let settings = load(&[("MONITORING__PORT", "0"), ("API__ALPACA__DATA_URL", "http://127.0.0.1:1/")]).expect("loads");
    assert_eq!(settings.monitoring.port, 0);
    assert_eq!(settings.api.alpaca.data_url.to_string(), "http://127.0.0.1:1/");
}

#[test]
fn the_project_root_is_searched_upward_and_is_no_crates_folder() {
    let folder = project(&[
        ("config/agents.json", ONE_AGENT),
        ("crates/config/Cargo.toml", ""),
        ("crates/app/src/main.rs", ""),
        ("crates/.env", "DASHBOARD_PORT=7"),
    ]);
    let settings = Settings::loader().folder(folder.path().join("crates/app")).environment([("", ""); 0]).load();
    let settings = settings.expect("loads");
    assert_eq!(settings.root, folder.path());
    assert_eq!(settings.dashboard.port, 7, "the nearest .env is found");
    assert_eq!(settings.agents().list().len(), 1);
}

#[test]
fn files_that_are_none_are_refused_by_name() {
    let folder = project(&[(".env/here", "")]);
    let Err(Error::Read { path, source }) = loader(folder.path(), &[]).load() else { panic!("a folder was read") };
    assert_eq!((path, source.to_string()), (folder.path().join(".env"), "not a regular file".to_owned()));

    let folder = project(&[(".env", &"#".repeat(1024 * 1024 + 1))]);
    let Err(Error::Read { source, .. }) = loader(folder.path(), &[]).load() else { panic!("a huge file was read") };
    assert_eq!(source.to_string(), "larger than 1 MiB");

    let folder = project(&[]);
    fs::write(folder.path().join(".env"), b"A=\xff").expect("written");
    assert!(matches!(loader(folder.path(), &[]).load(), Err(Error::Read { .. })));

    let folder = project(&[]);
    std::os::unix::fs::symlink("nowhere", folder.path().join(".env")).expect("a link");
    assert!(matches!(loader(folder.path(), &[]).load(), Err(Error::Read { .. })), "a link to nothing");

    let missing = Path::new("/nonexistent");
    let error = loader(missing, &[]).load().expect_err("no folder, no settings").to_string();
    assert_eq!(error, "the project root /nonexistent is not a folder");
}

#[test]
fn malformed_files_are_refused_with_the_line_and_without_a_secret() {
    // All lines, and what is wrong elsewhere.
    let folder = project(&[(".env", "A=1\nALPACA_SECRET_KEY=\"hunter2\nALPACA_API_KEY hunter2\nLOG_LEVEL=loud")]);
    let error = loader(folder.path(), &[]).load().expect_err("malformed").to_string();
    assert_eq!(
        error,
        "the configuration has 3 faults\n  .env: must be NAME=value; found no `=`, from .env:3; correct that line\n  .env: must end with \
         the quote that it begins with; found no second one, from .env:2; put the closing quote behind the value\n  logging.level: must \
         be one of ERROR, WARNING, INFO, DEBUG, TRACE; found \"loud\", from .env:4 LOG_LEVEL; for example LOG_LEVEL=INFO"
    );

    let folder = project(&[("config/development.toml", "[api.alpaca]\n\nsecret_key = \"hunter2\n")]);
    let error = loader(folder.path(), &[]).load().expect_err("malformed").to_string();
    assert!(error.contains("config/development.toml:3: not TOML: invalid basic string"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn variables_that_are_not_unicode_are_faults_only_where_they_are_ours() {
    let folder = project(&[]);
    let bytes = || OsString::from_vec(vec![0xff]);
    let load = |name: &str| Settings::loader().root(folder.path()).environment([(name, bytes())]).load();
    load("OTHER").expect("a stranger's variable is none of ours");
    for (name, key) in [("LOG_LEVEL", "logging.level"), ("ENVIRONMENT", "environment")] {
        let error = load(name).expect_err("ours").to_string();
        assert!(error.contains(&format!("{key}: must be Unicode text; found bytes that are not UTF-8")), "{error}");
    }
}

#[test]
fn clones_share_one_value() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let settings = load(&[]).expect("loads");
    let clone = settings.clone();
    assert!(std::ptr::eq(&raw const *settings, &raw const *clone));
    shared(&settings);
}

#[test]
fn toml_has_a_mark_numbers_and_times() {
    let toml = "\u{feff}[scheduling]\r\nmarket_hours_start = 09:45:00\r\n[trading]\nminimum_amount = 1_000.50\n[database]\nreaders = 0x10\n\
                busy_timeout = 2.5\n[api]\nquiver.key = 123_456\n";
    let folder = project(&[("config/development.toml", toml)]);
    let settings = loader(folder.path(), &[]).load().expect("loads");
    assert_eq!(settings.scheduling.market_hours_start.to_string(), "09:45:00");
    assert_eq!(settings.trading.minimum_amount.to_string(), "1000.50");
    assert_eq!((settings.database.readers, settings.database.busy_timeout), (16, Duration::from_millis(2_500)));
    assert_eq!(settings.api.quiver.key.as_ref().map(|key| key.expose_secret()), Some("123456"));
    assert_eq!(settings.explain("database.readers").expect("a key").source, "config/development.toml:6");
}

#[test]
fn no_env_file_above_the_root_is_read() {
    let folder = project(&[
        (".env", "DASHBOARD_PORT=1"),
        ("project/config/agents.json", ONE_AGENT),
        ("project/sub/.env", "DASHBOARD_PORT=2"),
    ]);
    let port = |at: &str| {
        let loader = Settings::loader().folder(folder.path().join(at)).environment([("", ""); 0]);
        loader.load().expect("loads").dashboard.port
    };
    fs::create_dir(folder.path().join("project/other")).expect("is made");
    assert_eq!((port("project"), port("project/other"), port("project/sub")), (5000, 5000, 2));
}
