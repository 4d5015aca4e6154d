//! Sections that other groups bring.

use std::time::Duration;

use trading_config::{ExposeSecret as _, SecretString, Settings};

use crate::{ONE_AGENT, project};

trading_config::section! {
    /// Where signals come from.
    pub struct Signals in "signals" {
        /// How often they are asked for.
        interval: Duration = "5m", from "1s" to "1h";
        /// The password of the service.
        token: Option<SecretString> = "", variable "SIGNALS_TOKEN",
            check |token| token.as_ref().is_none_or(|t| t.expose_secret().len() >= 8), "8 characters long at least";
    }
    sections {
        /// How they are filtered.
        filter: Filter;
    }
}

trading_config::section! {
    /// How signals are filtered.
    pub struct Filter in "signals.filter" {
        /// The weakest that counts.
        strength_min: f64 = "0.5", above "0" to "1";
        /// The strongest that counts.
        strength_max: f64 = "1", above "0" to "1";
    }
    rules {
        [strength_min, strength_max]: |filter| filter.strength_min <= filter.strength_max,
            "the weakest must not be above the strongest", "lower SIGNALS__FILTER__STRENGTH_MIN";
    }
}

trading_config::section! {
    /// A section that takes our names.
    pub struct Impostor in "database" {
        /// Ours.
        path: u16 = "1";
        /// Its variable is ours.
        other: u16 = "1", variable "LOG_LEVEL";
    }
}

#[test]
fn they_have_the_same_precedence() {
    let folder = project(&[
        ("config/agents.json", ONE_AGENT),
        ("config/development.toml", "[signals]\ninterval = 10\n[signals.filter]\nstrength_min = 0.25\n"),
        (".env", "SIGNALS__INTERVAL=20\nSIGNALS_TOKEN=00123456\n"),
    ]);
    let loader = || Settings::loader().root(folder.path()).section::<Signals>();
    let interval = |settings: Settings| settings.section::<Signals>().expect("was taken").interval.as_secs();
    let none = [("", ""); 0];
    assert_eq!(interval(loader().environment([("SIGNALS__INTERVAL", "30")]).load().expect("loads")), 30);
    assert_eq!(interval(loader().environment(none).set("signals.interval", "40").load().expect("loads")), 40);
    let settings = loader().environment(none).load().expect("loads");
    assert_eq!(interval(settings.clone()), 20);
    assert!((settings.section::<Signals>().expect("was taken").filter.strength_min - 0.25).abs() < f64::EPSILON);
    assert_eq!(settings.explain("signals.interval").expect("a key").shadowed.len(), 1);
    assert_eq!(settings.effective().to_json()["signals"]["token"], "[redacted]");
    assert!(settings.section::<Filter>().is_none(), "only what was taken is there");
}

#[test]
fn they_have_the_same_checks_and_messages() {
    let folder = project(&[("config/development.toml", "[signals]\nintervall = 10\n")]);
    let loader = Settings::loader().root(folder.path()).section::<Signals>().section::<Signals>();
    let variables = [
        ("SIGNALS__INTERVAL", "2h"),
        ("SIGNALS_TOKN", "canary"),
        ("SIGNALS_TOKEN", "canary"),
        ("SIGNALS__FILTER__STRENGTH_MAX", "0.1"),
        ("LOG_LEVEL", "loud"),
    ];
    let error = loader.environment(variables).load().expect_err("is refused");
    assert_eq!(
        error.to_string(),
        "the configuration has 6 faults\n  \
         SIGNALS_TOKN: must be a known variable; found an unknown one, from variable SIGNALS_TOKN; did you mean \
         SIGNALS_TOKEN?\n  \
         logging.level: must be one of ERROR, WARNING, INFO, DEBUG, TRACE; found \"loud\", from variable LOG_LEVEL; for \
         example LOG_LEVEL=INFO\n  \
         signals.filter.strength_min, signals.filter.strength_max: the weakest must not be above the strongest; found \
         \"0.5\" and \"0.1\", from default and variable SIGNALS__FILTER__STRENGTH_MAX; lower \
         SIGNALS__FILTER__STRENGTH_MIN\n  \
         signals.interval: must be from 1s to 1h; found \"2h\", from variable SIGNALS__INTERVAL; for example \
         SIGNALS__INTERVAL=5m\n  \
         signals.intervall: must be a known key; found an unknown one, from config/development.toml:2; did you mean \
         signals.interval?\n  \
         signals.token: must be 8 characters long at least; found a secret, from variable SIGNALS_TOKEN; set SIGNALS_TOKEN, or \
         leave it empty to do without"
    );
    let error = Settings::loader().root(folder.path()).environment([("", ""); 0]).load().expect_err("nobody takes it");
    assert!(error.to_string().contains("signals.intervall: must be a known key"), "{error}");
}

#[test]
fn names_that_are_taken_are_refused() {
    let folder = project(&[]);
    let loader = Settings::loader().root(folder.path()).environment([("", ""); 0]).section::<Impostor>();
    let error = loader.load().expect_err("our names").to_string();
    assert_eq!(
        error,
        "the configuration has 2 faults\n  \
         database.other: must be declared once, and so must its variable; found logging.level with LOG_LEVEL, from the sections \
         that this program brings; give the section or its variable another name\n  \
         database.path: must be declared once, and so must its variable; found database.path with DATABASE_PATH, from the \
         sections that this program brings; give the section or its variable another name"
    );
}

#[test]
fn they_are_in_the_schema_of_their_program() {
    let schema = Settings::loader().section::<Signals>().schema();
    assert!(schema.contains("The weakest that counts."), "{schema}");
    assert!(!Settings::schema().contains("The weakest that counts."));
}
