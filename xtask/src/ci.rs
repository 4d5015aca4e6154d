//! `cargo xtask ci`: everything that must hold before a change lands.

use std::{
    fmt::Write as _,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::{checkout, deploy_check, doc, image_check, process, readme, say, tidy};

#[derive(Debug, clap::Args)]
#[command(after_help = help())]
pub(crate) struct Args {
    /// The steps to do [default: all]
    #[arg(value_name = "STEP", value_parser = clap::builder::PossibleValuesParser::new(STEPS.map(|step| step.name)), hide_possible_values = true)]
    steps: Vec<String>,
}

struct Step {
    name: &'static str,
    what: &'static str,
    run: Run,
}

enum Run {
    /// The words after `cargo`.
    Cargo(&'static [&'static str]),
    /// As `Cargo`, where the subcommand is installed; with how it is had.
    Optional(&'static [&'static str], &'static str),
    Task(fn() -> anyhow::Result<String>),
}

/// The quick ones first.
const STEPS: [Step; 14] = [
    Step { name: "fmt", what: "the layout of the code", run: Run::Cargo(&["fmt", "--all", "--check"]) },
    Step {
        name: "deny",
        what: "licences, sources and versions of the dependencies",
        // The database of advisories is a repository to be fetched: that is for hosts with a network, see the workflow.
        run: Run::Optional(
            &["deny", "--locked", "check", "bans", "licenses", "sources"],
            "cargo install --locked cargo-deny",
        ),
    },
    Step {
        name: "clippy",
        what: "lints",
        run: Run::Cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
            "--",
            "--deny",
            "warnings",
        ]),
    },
    Step { name: "doc", what: "the documentation, its links and its entry", run: Run::Task(doc::build) },
    Step { name: "tidy", what: "what the compiler cannot check", run: Run::Task(tidy::all) },
    Step {
        name: "deploy",
        what: "the files of deploy/, by the tools that read them",
        run: Run::Task(deploy_check::run),
    },
    Step { name: "test", what: "all tests, without features", run: Run::Cargo(&["test", "--workspace", "--locked"]) },
    Step { name: "readme", what: "its first command, on a clean clone of HEAD", run: Run::Task(readme::run) },
    Step {
        name: "test-resilience",
        what: "its tests, with all features",
        run: Run::Cargo(&["test", "--package", "trading-resilience", "--all-features", "--locked"]),
    },
    Step {
        name: "test-logging",
        what: "its tests of async work",
        run: Run::Cargo(&[
            "test",
            "--package",
            "trading-logging",
            "--all-features",
            "--locked",
            "--test",
            "it",
            "--test",
            "install",
            "--",
            "correlation",
            "installed",
        ]),
    },
    Step {
        name: "test-monitoring",
        what: "its tests, with all features, a browser and promtool",
        run: Run::Task(test_monitoring),
    },
    Step {
        name: "test-storage",
        what: "the tests of its features",
        run: Run::Cargo(&[
            "test",
            "--package",
            "trading-storage",
            "--all-features",
            "--locked",
            "--test",
            "it",
            "--",
            "asynchronous",
            "backup::encrypting",
        ]),
    },
    Step {
        name: "test-app",
        what: "the tests of its feature",
        run: Run::Cargo(&["test", "--package", "trading-app", "--all-features", "--locked", "--lib", "--", "email"]),
    },
    Step { name: "image", what: "the image, built and run confined", run: Run::Task(image_check::whole) },
];

pub(crate) fn run(args: &Args) -> anyhow::Result<String> {
    let chosen = STEPS.iter().filter(|step| args.steps.is_empty() || args.steps.iter().any(|name| name == step.name));
    let mut done = Vec::new();
    for step in chosen {
        say(&format!("\n== {}: {}", step.name, step.what));
        let began = Instant::now();
        // One step's fault does not hide those of the next.
        let outcome = carry_out(&step.run);
        if let Err(error) = &outcome {
            say(&format!("error: {error:#}"));
        }
        done.push((step.name, began.elapsed(), outcome));
    }
    let summary = summary(&done);
    let faulty: Vec<&str> = done.iter().filter(|(.., outcome)| outcome.is_err()).map(|(name, ..)| *name).collect();
    anyhow::ensure!(faulty.is_empty(), "{}\n{summary}", faults(&faulty));
    Ok(summary)
}

type Done = (&'static str, Duration, anyhow::Result<Option<String>>);

/// Returns why it was skipped, if it was.
fn carry_out(run: &Run) -> anyhow::Result<Option<String>> {
    match run {
        Run::Cargo(words) => process::run(&mut cargo(words)).map(|()| None),
        Run::Optional(words, how) => {
            let name = words.first().context("a step has words")?;
            if !process::is_there(&mut cargo(&[name, "--version"])) {
                return Ok(Some(format!("cargo {name} is not installed: {how}")));
            }
            process::run(&mut cargo(words)).map(|()| None)
        }
        Run::Task(task) => {
            let text = task()?;
            say(&text);
            let skipped: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("skipped: ")).collect();
            Ok((!skipped.is_empty()).then(|| skipped.join("; ")))
        }
    }
}

/// Its tests say what they skip, for want of a browser for example; others have the same to say when they are asked.
fn test_monitoring() -> anyhow::Result<String> {
    let test = ["test", "--package", "trading-monitoring", "--all-features", "--locked", "--", "--nocapture"];
    let told = process::told(&mut cargo(&test))?;
    // Behind the name of a test, where that was printed first.
    let skipped = told.lines().filter_map(|line| line.get(line.find("skipped: ")?..));
    Ok(skipped.collect::<Vec<_>>().join("\n"))
}

fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(words).current_dir(checkout());
    command
}

fn summary(done: &[Done]) -> String {
    let mut text = String::from("\n== summary\n");
    for (name, took, outcome) in done {
        let said = match outcome {
            Ok(None) => "well".to_owned(),
            Ok(Some(reason)) => format!("skipped in part: {reason}"),
            Err(_) => "FAILED".to_owned(),
        };
        writeln!(text, "{:>7.1} s  {name:<16} {said}", took.as_secs_f64()).expect("a String takes all");
    }
    let all: Duration = done.iter().map(|(_, took, _)| *took).sum();
    text + &format!("{:>7.1} s  in all", all.as_secs_f64())
}

fn faults(names: &[&str]) -> String {
    format!("failed: {}; again with `cargo xtask ci {}`", names.join(", "), names.join(" "))
}

fn help() -> String {
    let steps = STEPS.iter().map(|step| format!("  {:<16} {}", step.name, step.what));
    format!("Steps:\n{}", steps.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_was_not_done() {
        let seconds = Duration::from_secs;
        let done: [Done; 3] = [
            ("fmt", seconds(1), Ok(None)),
            ("deny", seconds(0), Ok(Some("cargo deny is not installed: get it".into()))),
            ("test", seconds(600), Err(anyhow::anyhow!("no"))),
        ];
        assert_eq!(
            summary(&done),
            "\n== summary\n    1.0 s  fmt              well\n    \
             0.0 s  deny             skipped in part: cargo deny is not installed: get it\n  \
             600.0 s  test             FAILED\n  601.0 s  in all"
        );
        assert_eq!(faults(&["fmt", "test"]), "failed: fmt, test; again with `cargo xtask ci fmt test`");
    }

    /// The first one is the step `readme`.
    #[test]
    fn the_second_command_of_the_readme_is_the_step_of_the_tests() {
        let text = std::fs::read_to_string(checkout().join("README.md")).expect("is there");
        let [_, second] = readme::commands(&text).expect("are there");
        let step = STEPS.iter().find(|step| step.name == "test").expect("is there");
        let Run::Cargo(words) = &step.run else { panic!("a command of cargo") };
        let of_the_step: Vec<_> = std::iter::once("cargo").chain(words.iter().copied()).collect();
        assert!(of_the_step.join(" ").starts_with(&second.join(" ")), "{of_the_step:?}, not {second:?}");
    }

    #[test]
    fn what_fails_fails() {
        let skipped = carry_out(&Run::Optional(&["no-such-subcommand"], "get it")).expect("is no fault");
        assert_eq!(skipped.as_deref(), Some("cargo no-such-subcommand is not installed: get it"));
        let error = carry_out(&Run::Cargo(&["--no-such-flag"])).expect_err("fails");
        assert_eq!(error.to_string(), "`cargo --no-such-flag` ended with exit status: 1");
        assert_eq!(carry_out(&Run::Task(|| Ok("well: a\nskipped: b".into()))).expect("is done").as_deref(), Some("b"));
    }
}
