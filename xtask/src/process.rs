//! Other programs, run by the tasks.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, bail};

use crate::say;

/// Runs a program to its end, with our output as its own.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    well(command, status)
}

/// Runs a program to its end, and returns what it says on standard output.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {}", shown(command)))?;
    well(command, output.status)?;
    String::from_utf8(output.stdout).with_context(|| format!("{} does not speak UTF-8", shown(command)))
}

/// Runs a program to its end, and returns what it says on standard output, which is shown as it comes.
pub(crate) fn told(command: &mut Command) -> anyhow::Result<String> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {}", shown(command)))?;
    let mut text = String::new();
    for line in child.stdout.take().into_iter().flat_map(|said| BufReader::new(said).lines()) {
        let line = line?;
        say(&line);
        text.push_str(&line);
        text.push('\n');
    }
    well(command, child.wait()?)?;
    Ok(text)
}

/// If a program is installed: it answers the question for its version.
pub(crate) fn is_there(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn well(command: &Command, status: ExitStatus) -> anyhow::Result<()> {
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| {
        let word = word.to_string_lossy();
        if word.contains([' ', '\'', '"', '$', '*', '\n']) { format!("'{word}'") } else { word.into_owned() }
    });
    format!("`{}`", words.collect::<Vec<_>>().join(" "))
}
