//! `.env.example`, which people copy, against the keys.

use std::{collections::BTreeMap, fs, path::Path};

use trading_config::Settings;

use crate::{loader, project};

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env.example");
    fs::read_to_string(path).expect("the workspace has a .env.example")
}

#[test]
fn it_names_every_variable_with_its_default_and_nothing_else() {
    let text = text();
    let found: BTreeMap<_, _> = text
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_once('='))
        .collect();
    let keys: Vec<_> = Settings::keys().map(|key| (key.variable(), key.default)).collect();
    let expected: BTreeMap<_, _> =
        keys.iter().map(|(name, default)| (name.as_ref(), *default)).chain([("ENVIRONMENT", "development")]).collect();
    assert_eq!(found, expected);
}

#[test]
fn it_names_every_key_above_its_variable() {
    let text = text();
    let lines: Vec<_> = text.lines().collect();
    for key in Settings::keys() {
        let at = lines.iter().position(|line| line.starts_with(&format!("#{}=", key.variable()))).expect("is there");
        assert!(lines[at - 1].ends_with(&format!(" [{}]", key.path())), "{}", lines[at - 1]);
    }
}

#[test]
fn it_loads_as_it_is_and_with_every_line_switched_on() {
    let on: Vec<_> = text()
        .lines()
        .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line).to_owned())
        .collect();
    for text in [text(), on.join("\n")] {
        loader(project(&[(".env", &text)]).path(), &[]).load().expect("loads");
    }
}
