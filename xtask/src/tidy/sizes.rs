//! How long files and functions are.

use std::path::Path;

use super::files::{self, File};

const FILE_LINES_MAX: usize = 500;
/// Also clippy's `too_many_lines`, which counts neither comments nor what macros write, and sees no code that is switched off.
const FUNCTION_LINES_MAX: usize = 70;
/// What has to be read before anything else.
const ARCHITECTURE_LINES_MAX: usize = 200;

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in files::all(root)? {
        let lines = file.text.lines().count();
        let lines_max = match file.path.as_str() {
            "ARCHITECTURE.md" => ARCHITECTURE_LINES_MAX,
            path if path.ends_with(".rs") => FILE_LINES_MAX,
            _ => continue,
        };
        if lines > lines_max {
            faults.push(format!("{}: {lines} lines, and {lines_max} is the limit", file.path));
        }
        let too_long = functions(&file).into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
        faults.extend(too_long.map(|Function { name, line, lines }| {
            format!("{}:{line}: fn {name} has {lines} lines, and {FUNCTION_LINES_MAX} is the limit", file.path)
        }));
    }
    Ok(faults)
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// The functions of a file as rustfmt lays them out: the line that ends one is as far in as the one that begins it.
fn functions(file: &File) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut open: Vec<(usize, Function)> = Vec::new();
    for (number, line) in file.lines() {
        let indent = line.len() - line.trim_start().len();
        if line.trim_start().starts_with('}') && open.last().is_some_and(|(at, _)| *at == indent) {
            functions
                .extend(open.pop().map(|(_, function)| Function { lines: number + 1 - function.line, ..function }));
        } else if let Some(name) = function_name(line.trim()) {
            // One without a body, or with all of it on its line, has no such end.
            if !line.ends_with([';', '}']) {
                open.push((indent, Function { name, line: number, lines: 0 }));
            }
        }
    }
    functions
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let is_before = |word: &&str| {
        ["pub", "const", "async", "unsafe", "extern", "default"].contains(word) || word.starts_with("pub(")
    };
    let keyword = words.find(|word| !is_before(word))?;
    let name = words.next().filter(|_| keyword == "fn")?;
    Some(name.split(['(', '<']).next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::files::checkout;

    #[test]
    fn what_is_longer_than_its_limit_is_found() {
        let lines = |count: usize| "//! A module.\n".repeat(count);
        let body = |count: usize| {
            format!("impl A {{\n    pub(crate) async fn long<T>(\n{}    }}\n}}\n", "        a;\n".repeat(count))
        };
        let folder = checkout(&[
            ("a.rs", &lines(500)),
            ("b.rs", &lines(501)),
            ("README.md", &lines(900)),
            ("ARCHITECTURE.md", &lines(201)),
            ("c.rs", &body(68)),
            ("d.rs", &format!("fn before() {{}}\n{}", body(69))),
            ("e.rs", "trait E {\n    fn without_body();\n}\n"),
        ]);
        assert_eq!(
            faults(folder.path()).expect("is done"),
            [
                "ARCHITECTURE.md: 201 lines, and 200 is the limit",
                "b.rs: 501 lines, and 500 is the limit",
                "d.rs:3: fn long has 71 lines, and 70 is the limit"
            ]
        );
    }
}
