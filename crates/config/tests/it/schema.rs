//! The JSON Schema of the settings, against the loader and the files of the checkout.

use std::{fs, path::Path};

use figment::{
    Figment,
    providers::{Format as _, Toml},
};
use jsonschema::Validator;
use serde_json::Value as Json;
use trading_config::Settings;

use crate::{loader, project};

fn checkout() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn validator() -> Validator {
    let schema: Json = serde_json::from_str(&Settings::schema()).expect("is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("is a schema");
    jsonschema::validator_for(&schema).expect("is a schema")
}

fn json(toml: &str) -> Json {
    Figment::from(Toml::string(toml)).extract().expect("is TOML")
}

#[test]
fn the_file_is_what_the_code_says() {
    let file = fs::read_to_string(checkout().join("config/settings.schema.json")).expect("is there");
    assert_eq!(file, Settings::schema(), "write it with `cargo xtask schema`");
}

#[test]
fn the_files_of_the_checkout_are_valid() {
    let validator = validator();
    for name in ["development.toml", "production.toml"] {
        let text = fs::read_to_string(checkout().join("config").join(name)).expect("is there");
        validator.validate(&json(&text)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn what_holds_is_valid() {
    let settings = loader(project(&[]).path(), &[]).load().expect("loads");
    validator().validate(&json(&settings.effective().to_toml())).expect("the defaults are valid");
}

/// The schema and the loader agree about this text of a TOML file.
#[track_caller]
fn check(toml: &str, good: bool) {
    let folder = project(&[("config/development.toml", toml)]);
    let loaded = loader(folder.path(), &[]).load();
    assert_eq!((validator().is_valid(&json(toml)), loaded.is_ok()), (good, good), "{toml}: {loaded:?}");
}

#[test]
fn it_refuses_what_the_loader_refuses() {
    for toml in [
        "database.readers = 4",
        "database.readers = \"64\"",
        "database.busy_timeout = 5",
        "database.busy_timeout = \"250 s\"",
        "backup.enabled = \"yes\"",
        "backup.enabled = 0",
        "logging.level = \"WARNING\"",
        "logging.queue_bytes = \"64 MiB\"",
        "trading.match_threshold = 0.5",
        "trading.minimum_amount = 0.01",
        "trading.minimum_amount = \"100.00\"",
        "scheduling.timezone = \"America/New_York\"",
        "api.quiver.authorization = \"Token\"",
        "api.quiver.key = \"00123\"",
        "api.quiver = {}",
        "notifications.email = \"\"",
    ] {
        check(toml, true);
    }
    for toml in [
        "database.readers = 0",
        "database.readers = 65",
        "database.readers = 4.5",
        "database.readers = \"four\"",
        "database.readers = [4]",
        "database.raeders = 4",
        "databse.readers = 4",
        "database = 4",
        "backup.enabled = 2",
        "backup.enabled = \"y\"",
        "logging.level = \"loud\"",
        "logging.queue_bytes = \"64 MX\"",
        "trading.match_threshold = 0",
        "trading.match_threshold = 1.01",
        "trading.minimum_amount = \"1,000\"",
        "database.busy_timeout = \"5 minutes\"",
        "scheduling.daily_execution_time = \"9pm\"",
        "api.quiver.base_url = \"ftp://a\"",
        "environment = \"test\"",
    ] {
        check(toml, false);
    }
}
