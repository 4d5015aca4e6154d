//! Each file of code begins by saying what it is for.

use std::path::Path;

use super::files;

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in files::rust(root)? {
        let begin = file.text.lines().next().unwrap_or_default();
        if !(begin.starts_with("//! ") || begin.starts_with("#![doc = include_str!(")) {
            faults.push(format!("{}:1: begins with no `//!` that says what it is for", file.path));
        }
        if file.path.ends_with("/mod.rs") {
            faults.push(format!("{}: a module is `name.rs` with `name/`, never `mod.rs`", file.path));
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::files::checkout;

    #[test]
    fn modules_without_a_sentence_are_found() {
        let folder = checkout(&[
            ("a.rs", "//! What it is for.\n"),
            ("b.rs", "#![doc = include_str!(\"README.md\")]\n"),
            ("c.rs", "//!\n//! What it is for.\n"),
            ("d.rs", "use std::fs;\n"),
            ("e/mod.rs", "//! What it is for.\n"),
            ("target/f.rs", "fn main() {}\n"),
        ]);
        assert_eq!(
            faults(folder.path()).expect("is done"),
            [
                "c.rs:1: begins with no `//!` that says what it is for",
                "d.rs:1: begins with no `//!` that says what it is for",
                "e/mod.rs: a module is `name.rs` with `name/`, never `mod.rs`",
            ]
        );
    }
}
