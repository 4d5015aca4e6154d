//! What a Dockerfile says, as far as ours says it: an instruction that is not known here is a fault, not something to pass over.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};

/// A stage: what is done in its order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stage {
    /// The image that it starts from; `scratch` is an empty one.
    pub(super) base: String,
    pub(super) name: Option<String>,
    pub(super) steps: Vec<Step>,
    pub(super) run: Run,
}

/// What changes the files of a stage.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The folder of what follows.
    WorkDir(String),
    Copy {
        /// The stage; without one, the build context.
        from: Option<String>,
        owner: Option<String>,
        source: String,
        destination: String,
    },
    Run(String),
    /// A build argument, which those after it have in their environment, with what it is where nobody gives it.
    Argument {
        name: String,
        default: String,
    },
}

/// How the image is run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) environment: BTreeMap<String, String>,
    pub(super) user: String,
    pub(super) work_dir: String,
    pub(super) volumes: Vec<String>,
    pub(super) stop_signal: String,
    pub(super) health: Vec<String>,
    pub(super) entry_point: Vec<String>,
    pub(super) command: Vec<String>,
}

pub(super) fn parse(text: &str) -> anyhow::Result<Vec<Stage>> {
    let mut stages: Vec<Stage> = Vec::new();
    for (number, line) in logical_lines(text) {
        let (instruction, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let rest = rest.trim();
        if instruction == "ARG" && stages.is_empty() {
            continue;
        }
        if instruction == "FROM" {
            let mut words = rest.split_whitespace();
            let base = words.next().unwrap_or_default().to_owned();
            let name = words.nth(1).map(str::to_owned);
            stages.push(Stage { base, name, ..Stage::default() });
            continue;
        }
        let stage = stages.last_mut().with_context(|| format!("Dockerfile:{number}: {instruction} before FROM"))?;
        add(stage, instruction, rest).with_context(|| format!("Dockerfile:{number}"))?;
    }
    Ok(stages)
}

/// Lines without comments, with those joined that end with a backslash; each with the number of its first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')) {
        let (content, goes_on) =
            line.trim().strip_suffix('\\').map_or((line.trim(), false), |line| (line.trim(), true));
        match lines.last_mut() {
            Some((_, last)) if open => {
                last.push(' ');
                last.push_str(content);
            }
            _ if content.is_empty() => {}
            _ => lines.push((at + 1, content.to_owned())),
        }
        open = goes_on;
    }
    lines
}

fn add(stage: &mut Stage, instruction: &str, rest: &str) -> anyhow::Result<()> {
    match instruction {
        "WORKDIR" => {
            stage.run.work_dir = rest.to_owned();
            stage.steps.push(Step::WorkDir(rest.to_owned()));
        }
        "COPY" => stage.steps.push(copy(rest)?),
        "ARG" => {
            let (name, default) = rest.split_once('=').with_context(|| format!("ARG {rest}: no NAME=DEFAULT"))?;
            stage.steps.push(Step::Argument { name: name.to_owned(), default: default.to_owned() });
        }
        "RUN" if rest.starts_with(['-', '[', '<']) => bail!("RUN {rest}: only a plain command is known"),
        "RUN" => stage.steps.push(Step::Run(rest.to_owned())),
        "ENV" => {
            for pair in rest.split_whitespace() {
                let (name, value) = pair.split_once('=').with_context(|| format!("ENV {pair}: no NAME=VALUE"))?;
                stage.run.environment.insert(name.to_owned(), value.to_owned());
            }
        }
        "USER" => stage.run.user = rest.to_owned(),
        "VOLUME" => stage.run.volumes = exec_form(rest)?,
        "STOPSIGNAL" => stage.run.stop_signal = rest.to_owned(),
        "HEALTHCHECK" => {
            let (_, command) = rest.split_once("CMD ").with_context(|| format!("HEALTHCHECK {rest}: no CMD"))?;
            stage.run.health = exec_form(command)?;
        }
        "ENTRYPOINT" => stage.run.entry_point = exec_form(rest)?,
        "CMD" => stage.run.command = exec_form(rest)?,
        // They tell others about the image, and change nothing in it.
        "EXPOSE" | "LABEL" => {}
        other => bail!("the instruction {other} is not known to image-check: teach it, or do without"),
    }
    Ok(())
}

fn copy(rest: &str) -> anyhow::Result<Step> {
    let (mut from, mut owner, mut paths) = (None, None, Vec::new());
    for word in rest.split_whitespace() {
        match word.split_once('=') {
            Some(("--from", stage)) => from = Some(stage.to_owned()),
            Some(("--chown", user)) => owner = Some(user.to_owned()),
            _ if word.starts_with("--") => bail!("COPY {word} is not known to image-check"),
            _ => paths.push(word.to_owned()),
        }
    }
    let [source, destination] = <[String; 2]>::try_from(paths).ok().context("COPY: one source and one destination")?;
    Ok(Step::Copy { from, owner, source, destination })
}

/// A command as a JSON list. The other form runs a shell, which the image does not have.
fn exec_form(text: &str) -> anyhow::Result<Vec<String>> {
    serde_json::from_str(text).with_context(|| format!("{text}: not in exec form, [\"a\", \"b\"]"))
}

/// What of the checkout the build gets to see, by `.dockerignore`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) paths: Vec<String>,
}

impl Context {
    /// Reads a `.dockerignore` that leaves everything out but what it names.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        anyhow::ensure!(lines.next() == Some("*"), ".dockerignore: the first rule must be *");
        let paths = lines
            .map(|line| match line.strip_prefix('!') {
                Some(path) if !path.contains(['*', '?', '[']) => Ok(path.to_owned()),
                _ => bail!(".dockerignore: {line}: only !PATH is known to image-check"),
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { paths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_steps_and_how_it_is_run() {
        let text = "# A comment\nARG RUST=1\nFROM rust:${RUST} AS build\nWORKDIR /src\nCOPY . .\nARG C=3\n# within\nRUN make \\\n    all\n\n\
                    FROM scratch\nCOPY --from=build --chown=1:2 /src/out/ /\nENV A=1 \\\n    B=2\nUSER 1:2\nVOLUME [\"/data\"]\n\
                    HEALTHCHECK --interval=1s CMD [\"/a\", \"health\"]\nSTOPSIGNAL SIGTERM\nENTRYPOINT [\"/a\"]\nCMD [\"serve\"]\n";
        let stages = parse(text).expect("is known");
        let [build, last] = stages.as_slice() else { panic!("{stages:?}") };
        let copy = |from: Option<&str>, owner: Option<&str>, source: &str, destination: &str| Step::Copy {
            from: from.map(str::to_owned),
            owner: owner.map(str::to_owned),
            source: source.into(),
            destination: destination.into(),
        };
        assert_eq!((build.base.as_str(), build.name.as_deref()), ("rust:${RUST}", Some("build")));
        assert_eq!(
            build.steps,
            [
                Step::WorkDir("/src".into()),
                copy(None, None, ".", "."),
                Step::Argument { name: "C".into(), default: "3".into() },
                Step::Run("make all".into())
            ]
        );
        assert_eq!(last.steps, [copy(Some("build"), Some("1:2"), "/src/out/", "/")]);
        assert_eq!(last.run.environment, [("A", "1"), ("B", "2")].map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert_eq!((last.run.health.as_slice(), last.run.user.as_str()), (&["/a".into(), "health".into()][..], "1:2"));
        assert_eq!((&last.run.entry_point, &last.run.command), (&vec!["/a".to_owned()], &vec!["serve".to_owned()]));
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        assert_eq!(format!("{:#}", parse(text).expect_err("is refused")), expected);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        refused("RUN true", "Dockerfile:1: RUN before FROM");
        refused(
            "FROM a\n\nADD a b",
            "Dockerfile:3: the instruction ADD is not known to image-check: teach it, or do without",
        );
        refused(
            "FROM a\nRUN --mount=type=cache true",
            "Dockerfile:2: RUN --mount=type=cache true: only a plain command is known",
        );
        refused("FROM a\nCOPY --link a b", "Dockerfile:2: COPY --link is not known to image-check");
        refused("FROM a\nARG b", "Dockerfile:2: ARG b: no NAME=DEFAULT");
        refused("FROM a\nCOPY a b c", "Dockerfile:2: COPY: one source and one destination");
        refused("FROM a\nCOPY --chmod=1 a b", "Dockerfile:2: COPY --chmod=1 is not known to image-check");
        let text = format!("{:#}", parse("FROM a\nCMD serve").expect_err("runs a shell"));
        assert!(text.starts_with("Dockerfile:2: serve: not in exec form, [\"a\", \"b\"]"), "{text}");
    }

    #[test]
    fn the_context_is_what_is_named() {
        assert_eq!(Context::parse("# a\n*\n!crates\n").expect("is known").paths, ["crates"]);
        for (text, expected) in [
            ("target\n", ".dockerignore: the first rule must be *"),
            ("*\n!crates/*.md\n", ".dockerignore: !crates/*.md: only !PATH is known to image-check"),
            ("*\nsrc\n", ".dockerignore: src: only !PATH is known to image-check"),
        ] {
            assert_eq!(Context::parse(text).expect_err("is refused").to_string(), expected);
        }
    }
}
