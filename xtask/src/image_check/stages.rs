//! Carries out the stages of a Dockerfile in folders: what it copies is copied, and what it runs is run with this machine's tools.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, bail};

use super::dockerfile::{Context, Stage, Step};
use crate::process;

/// What a stage compiled stays for the next check; all else is made anew.
const KEPT: &str = "target";

pub(super) struct Workshop {
    /// Where the stages have their folders.
    pub(super) folder: PathBuf,
    pub(super) checkout: PathBuf,
    pub(super) context: Context,
    /// What is given for the build arguments, by name.
    pub(super) arguments: BTreeMap<String, String>,
}

impl Workshop {
    /// Returns the root of the last stage.
    pub(super) fn carry_out(&self, stages: &[Stage]) -> anyhow::Result<PathBuf> {
        let mut root = None;
        for stage in stages {
            let began = Instant::now();
            root = Some(self.stage(stage)?);
            crate::say(&format!("stage {}: {:.1} s", name(stage), began.elapsed().as_secs_f64()));
        }
        root.context("the Dockerfile has no stage")
    }

    fn stage(&self, stage: &Stage) -> anyhow::Result<PathBuf> {
        let root = self.folder.join(name(stage));
        let aside = self.folder.join(format!("{}.{KEPT}", name(stage)));
        let mut work_dir = root.clone();
        let mut arguments = BTreeMap::new();
        for step in &stage.steps {
            if let Step::WorkDir(folder) = step {
                // A check that was broken off can have left it aside already.
                drop(fs::rename(below(&root, folder).join(KEPT), &aside));
            }
        }
        remove(&root)?;
        fs::create_dir_all(&root)?;
        for step in &stage.steps {
            match step {
                Step::WorkDir(folder) => {
                    work_dir = below(&root, folder);
                    fs::create_dir_all(&work_dir)?;
                    if aside.exists() {
                        fs::rename(&aside, work_dir.join(KEPT))?;
                    }
                }
                Step::Copy { from, owner, source, destination } => {
                    let destination = if destination.starts_with('/') {
                        below(&root, destination)
                    } else {
                        work_dir.join(destination)
                    };
                    self.copy(from.as_deref(), source, &destination, owner.as_deref())?;
                }
                Step::Argument { name, default } => {
                    arguments.insert(name, self.arguments.get(name).unwrap_or(default));
                }
                Step::Run(command) => {
                    let mut shell = Command::new("sh");
                    shell.args(["-c", command]).current_dir(&work_dir).envs(&arguments);
                    // The checkout around it is not there for an engine.
                    shell.env("GIT_CEILING_DIRECTORIES", &self.folder);
                    process::run(&mut shell).with_context(|| format!("RUN {command}"))?;
                }
            }
        }
        Ok(root)
    }

    fn copy(&self, from: Option<&str>, source: &str, to: &Path, owner: Option<&str>) -> anyhow::Result<()> {
        let owner = owner.map(ids).transpose()?;
        match from {
            Some(stage) => copy_tree(&below(&self.folder.join(stage), source), to, owner),
            None if source == "." => self.context.paths.iter().try_for_each(|path| {
                let to = to.join(path);
                fs::create_dir_all(to.parent().unwrap_or(&to))?;
                copy_tree(&self.checkout.join(path), &to, owner).with_context(|| format!(".dockerignore: !{path}"))
            }),
            None => bail!("COPY {source}: only the whole context is known to image-check"),
        }
    }
}

fn name(stage: &Stage) -> &str {
    stage.name.as_deref().unwrap_or("image")
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// `user:group`, both numbers.
pub(super) fn ids(owner: &str) -> anyhow::Result<(u32, u32)> {
    let (user, group) = owner.split_once(':').with_context(|| format!("{owner}: no USER:GROUP"))?;
    let number =
        |text: &str| text.parse().with_context(|| format!("{owner}: a name, not a number: nobody knows it there"));
    Ok((number(user)?, number(group)?))
}

/// Copies a file, or what a folder holds.
fn copy_tree(from: &Path, to: &Path, owner: Option<(u32, u32)>) -> anyhow::Result<()> {
    let said = || format!("cannot copy {} to {}", from.display(), to.display());
    if from.is_dir() {
        if !to.exists() {
            fs::create_dir_all(to).with_context(said)?;
            fs::set_permissions(to, fs::metadata(from)?.permissions())?;
        }
        for entry in fs::read_dir(from).with_context(said)? {
            let name = entry?.file_name();
            let to = to.join(&name);
            copy_tree(&from.join(&name), &to, owner)?;
            if let Some((user, group)) = owner {
                chown(&to, Some(user), Some(group)).with_context(said)?;
            }
        }
    } else {
        fs::copy(from, to).with_context(said)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_check::dockerfile;

    /// A checkout with a Dockerfile that does in small what ours does.
    fn workshop(folder: &Path, dockerfile: &str) -> (Workshop, Vec<Stage>) {
        let checkout = folder.join("checkout");
        fs::create_dir_all(checkout.join("src/deep")).expect("is made");
        for (name, text) in [("src/a", "a"), ("src/deep/b", "b"), ("secret", "s")] {
            fs::write(checkout.join(name), text).expect("is written");
        }
        let context = Context { paths: vec!["src".into()] };
        let arguments = [("GIVEN".to_owned(), "given".to_owned())].into();
        (
            Workshop { folder: folder.join("stages"), checkout, context, arguments },
            dockerfile::parse(dockerfile).expect("is known"),
        )
    }

    #[test]
    fn stages_copy_and_run_and_keep_what_they_compiled() {
        let folder = tempfile::tempdir().expect("a folder");
        let (workshop, stages) = workshop(
            folder.path(),
            "FROM a AS build\nWORKDIR /w\nCOPY . .\nRUN mkdir -p target out/bin && echo x >>target/x && \
             cat src/a src/deep/b target/x >out/bin/p && ls >out/list\nFROM scratch\nCOPY --from=build /w/out /\n",
        );
        for (program, list) in [("abx\n", "out\nsrc\ntarget\n"), ("abx\nx\n", "out\nsrc\ntarget\n")] {
            let root = workshop.carry_out(&stages).expect("is carried out");
            let read = |name: &str| fs::read_to_string(root.join(name)).expect("is there");
            assert_eq!((read("bin/p").as_str(), read("list").as_str()), (program, list), "no secret, no leftovers");
        }
    }

    #[test]
    fn arguments_are_what_is_given_or_else_their_default() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "FROM a AS b\nRUN echo \"${GIVEN-none}\" >out\nARG GIVEN=default\nARG OTHER=default\nRUN echo \"$GIVEN $OTHER\" >>out\n\
                    FROM scratch\nRUN echo \"${GIVEN-none}\" >out\n";
        let (workshop, stages) = workshop(folder.path(), text);
        let root = workshop.carry_out(&stages).expect("is carried out");
        let read = |path: PathBuf| fs::read_to_string(path).expect("is there");
        assert_eq!(read(workshop.folder.join("b/out")), "none\ngiven default\n");
        assert_eq!(read(root.join("out")), "none\n", "each stage names what it wants");
    }

    #[test]
    fn what_fails_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        for (text, expected) in [
            ("FROM a\nRUN exit 3", "RUN exit 3: `sh -c 'exit 3'` ended with exit status: 3"),
            ("FROM a\nCOPY Cargo.toml .", "COPY Cargo.toml: only the whole context is known to image-check"),
            (
                "FROM a\nCOPY --chown=nobody:x . .",
                "nobody:x: a name, not a number: nobody knows it there: invalid digit found in string",
            ),
        ] {
            let (workshop, stages) = workshop(folder.path(), text);
            assert_eq!(format!("{:#}", workshop.carry_out(&stages).expect_err("fails")), expected);
        }
    }
}
