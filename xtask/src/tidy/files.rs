//! The files of a checkout, as text.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context as _;

/// A file: its path from the root, with `/`, and its text.
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    /// Its number-and-line pairs, the first is 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }
}

/// All files that are UTF-8, sorted by path, but those that git ignores.
pub(super) fn all(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut paths = paths(root)?;
    paths.sort();
    let read = |path: String| {
        // What is in the index and was deleted, and what is no text, is nothing to look into.
        let text = String::from_utf8(fs::read(root.join(&path)).ok()?).ok()?;
        Some(File { path, text })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

pub(super) fn rust(root: &Path) -> anyhow::Result<Vec<File>> {
    Ok(all(root)?.into_iter().filter(|file| file.path.ends_with(".rs")).collect())
}

/// The paths of the files that git knows or would add; outside a repository, of all.
pub(super) fn paths(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root).stderr(Stdio::null());
    if let Some(output) = git.output().ok().filter(|output| output.status.success()) {
        let list = String::from_utf8(output.stdout).context("a path that is no UTF-8")?;
        return Ok(list.split_terminator('\0').map(str::to_owned).collect());
    }
    let mut paths = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let shown = || format!("cannot read the folder {}", root.join(&folder).display());
        for entry in fs::read_dir(root.join(&folder)).with_context(shown)? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if !entry.file_type()?.is_dir() {
                paths.push(path.to_string_lossy().into_owned());
            } else if entry.file_name() != "target" {
                folders.push(path);
            }
        }
    }
    Ok(paths)
}

/// A checkout of a test: a folder with these files.
#[cfg(test)]
pub(super) fn checkout(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("has one")).expect("is made");
        fs::write(path, text).expect("is written");
    }
    folder
}
