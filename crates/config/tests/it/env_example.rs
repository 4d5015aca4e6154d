//! `.env.example`, which people copy. That it has every setting, `cargo xtask tidy` checks.

use std::{fs, path::Path};

use crate::{loader, project};

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env.example");
    fs::read_to_string(path).expect("the workspace has a .env.example")
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
