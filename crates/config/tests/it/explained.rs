//! Where settings came from, and all of them at once.

use std::fs;

use crate::{ONE_AGENT, loader, project};

#[test]
fn an_explanation_names_the_winner_and_those_it_shadows() {
    let folder = project(&[
        ("config/agents.json", ONE_AGENT),
        ("config/development.toml", "[database]\n\npath = \"toml.db\"\n"),
        (".env", "# comment\nDATABASE_PATH=dotenv.db\n"),
    ]);
    let settings = loader(folder.path(), &[("DATABASE_PATH", "env.db")]).set("database.path", "last.db").load();
    let settings = settings.expect("loads");
    let explanation = settings.explain("database.path").expect("a key");
    assert_eq!(
        explanation.to_string(),
        "database.path = last.db\n  \
         from      override database.path\n  \
         not from  variable DATABASE_PATH: env.db\n  \
         not from  .env:2 DATABASE_PATH: dotenv.db\n  \
         not from  config/development.toml:3: toml.db\n  \
         variable  DATABASE_PATH\n  \
         default   data/trading_automation.db\n  \
         must be   a path, written out: `~` is not expanded, and a NUL is part of none\n  \
         meaning   The SQLite file. A relative path starts at the project root."
    );
    assert_eq!(settings.explain("DATABASE_PATH").expect("a variable"), explanation);
    assert_eq!(
        settings.explain("notifications.smtp_password").expect("a key").to_string(),
        "notifications.smtp_password = (not set)\n  from      default\n  variable  SMTP_PASSWORD\n  default   (not set)\n  must be   a text that is not \
         empty\n  meaning   The password of that account."
    );
    assert_eq!(
        settings.explain("databse.path").expect_err("none").to_string(),
        "there is no setting databse.path; did you mean database.path?"
    );
}

#[test]
fn the_environment_is_explained_too() {
    let folder = project(&[("config/agents.json", ONE_AGENT), (".env", "ENVIRONMENT=test")]);
    let settings = loader(folder.path(), &[("ENVIRONMENT", "")]).set("environment", "development").load();
    assert_eq!(
        settings.expect("loads").explain("ENVIRONMENT").expect("a key").to_string(),
        "environment = development\n  from      override environment\n  not from  .env:1 ENVIRONMENT: test\n  variable  ENVIRONMENT\n  default   \
         development\n  must be   development, test or production\n  meaning   What the process is run for. It chooses the \
         TOML file, and so stands in none."
    );
}

#[test]
fn a_shadowed_address_is_redacted_as_well() {
    let folder = project(&[("config/development.toml", "[api.alpaca]\ndata_url = \"https://user:canary@host\"\n")]);
    let settings = loader(folder.path(), &[("API__ALPACA__DATA_URL", "https://data.example")]).load().expect("loads");
    let text = settings.explain("api.alpaca.data_url").expect("a key").to_string();
    assert!(text.contains("not from  config/development.toml:2: …@host\n"), "{text}");
}

#[test]
fn the_whole_is_toml_that_can_be_loaded_again() {
    let folder = project(&[("config/agents.json", ONE_AGENT)]);
    let variables = [
        ("DATABASE_PATH", "a \"quoted\" \\ path"),
        ("ALPACA_PAPER_TRADING", "yes"),
        ("POLITICIAN_MATCH_THRESHOLD", "1"),
        ("SMTP_PASSWORD", "canary"),
        ("SMTP_SERVER", "smtp.example.com"),
    ];
    let settings = loader(folder.path(), &variables).load().expect("loads");
    let text = settings.effective().to_toml();
    assert!(!text.contains("canary"), "{text}");
    let expected = "# environment = \"development\" # default\n\n[database]\npath = 'a \"quoted\" \\ path' # variable \
                    DATABASE_PATH\nreaders = 4 # default\nbusy_timeout = \"5s\" # default\n\n[backup]\nenabled = true # default\n";
    assert_eq!(text.get(..expected.len()), Some(expected));
    let expected = "smtp_port = 587 # default\n# smtp_username is not set\n# smtp_password = \"[redacted]\" # variable \
                    SMTP_PASSWORD\n# email is not set\n";
    assert!(text.ends_with(expected), "{text}");

    fs::write(folder.path().join("config/development.toml"), &text).expect("is written");
    let again = loader(folder.path(), &[("SMTP_PASSWORD", "canary")]).load().expect("loads");
    assert_eq!(again.effective().to_json(), settings.effective().to_json());
}

#[test]
fn one_section_is_shown_with_those_within_it() {
    let folder = project(&[("config/agents.json", ONE_AGENT)]);
    let settings = loader(folder.path(), &[("ALPACA_API_KEY", "canary")]).load().expect("loads");
    let effective = settings.effective();
    let section = |name| effective.section(name).map(|section| section.to_toml());
    let database = "\n[database]\npath = \"data/trading_automation.db\" # default\nreaders = 4 # default\nbusy_timeout = \"5s\" # default\n";
    assert_eq!(section("database").as_deref(), Some(database));
    let api = effective.section("api").expect("is one").to_json();
    let names = |json: &serde_json::Value| json.as_object().expect("is one").keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&api), ["api"]);
    assert_eq!(api["api"]["alpaca"]["key"], "[redacted]");
    assert!(!api["api"]["timeout"].is_null(), "{api}");
    let alpaca = effective.section("api.alpaca").expect("is one").to_json();
    assert_eq!((names(&alpaca["api"]), &alpaca["api"]["alpaca"]), (vec!["alpaca".to_owned()], &api["api"]["alpaca"]));
    assert_eq!((section("ap"), section(""), section("api."), section("database.path")), (None, None, None, None));
}

#[test]
fn the_whole_is_json_with_types() {
    let folder = project(&[("config/agents.json", ONE_AGENT)]);
    let variables = [("QUIVER_API_KEY", "canary"), ("DATABASE_BACKUP_ENABLED", "off")];
    let json = loader(folder.path(), &variables).load().expect("loads").effective().to_json();
    for (pointer, expected) in [
        ("/environment", r#""development""#),
        ("/database/readers", "4"),
        ("/backup/enabled", "false"),
        ("/trading/match_threshold", "0.85"),
        ("/trading/minimum_amount", r#""100.00""#),
        ("/api/quiver/key", r#""[redacted]""#),
        ("/api/alpaca/key", "null"),
    ] {
        assert_eq!(json.pointer(pointer).map(ToString::to_string).as_deref(), Some(expected), "{pointer}");
    }
}
