//! Names in prose: routes are those that the program answers, and a name in code type is in the code.

use std::{collections::BTreeSet, path::Path};

use super::{
    files::{self, File},
    program::Program,
};

/// What begins with a slash and is a path of a file system, or of somebody else's server.
const NO_ROUTES: [&str; 12] =
    ["/app", "/data", "/dev", "/etc", "/opt", "/proc", "/run", "/src", "/tmp", "/usr", "/v2", "/var"];

/// Names of others, which our code need not have: each with who.
const OTHERS: [(&str, &str); 9] = [
    ("SECTION__KEY", "any variable"),
    ("api_name", "the earlier system"),
    ("alpaca_api_key", "the earlier system"),
    ("cap_drop", "Docker Compose"),
    ("check_out", "r2d2"),
    ("full_path", "the earlier system"),
    ("no_new_privs", "Linux"),
    ("read_only", "Docker Compose"),
    ("stop_grace_period", "Docker Compose"),
];

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let files = files::all(root)?;
    Ok(compare(&files, &Program::ask()?))
}

fn compare(files: &[File], program: &Program) -> Vec<String> {
    let code = words(files.iter().filter(|file| is_code(&file.path)));
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, said) in said(file) {
            let place = format!("{}:{number}", file.path);
            if let Some(route) = route(&said) {
                if !program.routes.contains(route) && !is_component(route) {
                    faults.push(format!("{place}: there is no route {route}"));
                }
            } else if is_name(&said) && !is_known(&said, &code) {
                faults.push(format!("{place}: nothing in the code is called {said}"));
            }
        }
    }
    faults
}

fn is_code(path: &str) -> bool {
    let text = [".rs", ".toml", ".sql", ".sh", ".yml", ".example", ".service", "Dockerfile"];
    text.iter().any(|end| path.ends_with(end)) && !path.contains("/tests/") && !path.contains("xtask/src/tidy/")
}

/// The words of code, in which a name has to stand.
fn words<'a>(files: impl Iterator<Item = &'a File>) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    files.flat_map(|file| file.text.split(move |letter| !is_part(letter))).map(str::to_owned).collect()
}

/// What a page says in code type within its sentences, and the addresses in its examples; with the line.
fn said(file: &File) -> Vec<(usize, String)> {
    let mut said = Vec::new();
    let mut fenced = false;
    for (number, line) in file.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            said.extend(line.split('`').skip(1).step_by(2).map(|word| (number, word.to_owned())));
        }
        let addresses = line.split("http://127.0.0.1:8080").skip(1);
        let paths = addresses.map(|rest| rest.split([' ', '`', ')', '"', '\'']).next().unwrap_or_default());
        said.extend(paths.filter(|path| !path.is_empty()).map(|path| (number, path.to_owned())));
    }
    said
}

fn route(said: &str) -> Option<&str> {
    let path = said.strip_prefix("GET ").unwrap_or(said);
    let plain = path.starts_with('/') && !path.contains([' ', '.', '*', '…']);
    (plain && !NO_ROUTES.iter().any(|begin| path.starts_with(begin))).then_some(path)
}

fn is_component(route: &str) -> bool {
    route.strip_prefix("/health/").is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// Metrics, settings, codes and fields are words with an underscore; prose has no such words.
fn is_name(said: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '*';
    let cased = said.chars().all(|letter| !letter.is_ascii_lowercase()) || said == said.to_lowercase();
    said.contains('_')
        && said.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && said.chars().all(letters)
        && cased
}

fn is_known(name: &str, code: &BTreeSet<String>) -> bool {
    match name.split_once('*') {
        Some((begin, "")) => code.range(begin.to_owned()..).next().is_some_and(|word| word.starts_with(begin)),
        Some((begin, end)) => code.iter().any(|word| word.starts_with(begin) && word.ends_with(end)),
        None => code.contains(name) || OTHERS.iter().any(|(other, _)| *other == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_code_does_not_have_are_found() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let files = [
            file("a/src/lib.rs", "gauge(\"database_trades\"); code(\"API_RATE_LIMITED\"); process_uptime_seconds"),
            file("a/tests/it/main.rs", "only_in_tests"),
            file(
                "README.md",
                "`/health`, `/health/database` and `/healthz`, `/data`, `and/or`.\n\
                 `database_trades`, `database_trade`; `API_RATE_LIMITED`, `API_RATE_LIMIT`.\n\
                 `process_*`, `procces_*`, `only_in_tests`, `insert_trade(…)`, `Mixed_Case`, `full_path`.\n\
                 ```sh\ncurl http://127.0.0.1:8080/metrics\ncurl http://127.0.0.1:8080/metric -v # `not_a_name`\n```\n",
            ),
        ];
        let routes = ["/", "/health", "/health/{component}", "/metrics"].map(str::to_owned).into();
        assert_eq!(
            compare(&files, &Program { routes, metrics: [].into() }),
            [
                "README.md:1: there is no route /healthz",
                "README.md:2: nothing in the code is called database_trade",
                "README.md:2: nothing in the code is called API_RATE_LIMIT",
                "README.md:3: nothing in the code is called procces_*",
                "README.md:3: nothing in the code is called only_in_tests",
                "README.md:6: there is no route /metric",
            ]
        );
    }
}
