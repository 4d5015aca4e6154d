//! What a process asked of the disk, in its order: read from strace.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// What strace has to be told for a log that [`read`] understands.
pub(super) const ARGUMENTS: [&str; 5] = [
    "-y",
    "-xx",
    "-s1000000",
    "-e",
    "trace=openat,pwrite64,write,ftruncate,fsync,fdatasync,mkdir,mkdirat,rename,renameat,renameat2,rmdir,unlink,unlinkat,\
     link,linkat",
];

/// The calls that change a disk, each of which a process may not come back from.
pub(super) const CHANGES: &str =
    "pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,link,linkat";

/// A change of a folder's files, or an acknowledgement between them.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Create(PathBuf),
    /// Makes a folder.
    Folder(PathBuf),
    Write {
        path: PathBuf,
        at: u64,
        bytes: Vec<u8>,
    },
    Append {
        path: PathBuf,
        bytes: Vec<u8>,
    },
    Length {
        path: PathBuf,
        length: u64,
    },
    Sync(PathBuf),
    Move {
        from: PathBuf,
        to: PathBuf,
    },
    /// Removes a file, or an empty folder.
    Remove(PathBuf),
    /// A line on the standard output.
    Said(String),
}

/// The calls of a log: process, name, and what follows the name up to the result, for those that succeeded.
fn calls(log: &Path) -> Vec<(u32, String, String)> {
    let text = fs::read_to_string(log).expect("the log");
    let mut unfinished: HashMap<u32, String> = HashMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let (Ok(pid), rest) = (pid.parse(), rest.trim_start()) else { continue };
        let whole = if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.insert(pid, begun.to_owned());
            continue;
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let end = resumed.split_once("resumed>").map_or("", |(_, end)| end);
            unfinished.remove(&pid).unwrap_or_default() + end
        } else {
            rest.to_owned()
        };
        let Some((name, arguments)) = whole.split_once('(') else { continue };
        let Some((arguments, result)) = arguments.rsplit_once(" = ") else { continue };
        if !result.starts_with('-') && !result.starts_with('?') {
            calls.push((pid, name.to_owned(), arguments.trim_end().trim_end_matches(')').to_owned()));
        }
    }
    calls
}

/// How often the first process made each of the calls that change a disk.
pub(super) fn counts(log: &Path) -> Vec<(String, usize)> {
    let calls = calls(log);
    let main = calls.first().map_or(0, |(pid, ..)| *pid);
    CHANGES
        .split(',')
        .map(|call| (call.to_owned(), calls.iter().filter(|(pid, name, _)| *pid == main && name == call).count()))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Everything that happened within `folder`, with paths relative to it.
pub(super) fn read(log: &Path, folder: &Path) -> Vec<Step> {
    let inside = |path: PathBuf| path.strip_prefix(folder).map(Path::to_owned).ok();
    let mut steps = Vec::new();
    for (_, name, arguments) in calls(log) {
        let arguments = split(&arguments);
        let step = match (name.as_str(), arguments.as_slice()) {
            ("openat", [at, path, flags, ..]) if flags.contains("O_CREAT") => inside(named(at, path)).map(Step::Create),
            ("mkdir", [path, _]) => inside(text(path).into()).map(Step::Folder),
            ("mkdirat", [at, path, _]) => inside(named(at, path)).map(Step::Folder),
            ("pwrite64", [file, content, _, at]) => file_of(file).and_then(inside).map(|path| Step::Write {
                path,
                at: at.parse().expect("an offset"),
                bytes: bytes(content),
            }),
            ("write", [file, content, _]) if file.starts_with("1<") => {
                Some(Step::Said(String::from_utf8(bytes(content)).expect("Unicode").trim_end().to_owned()))
            }
            // What is written so is written from start to end.
            ("write", [file, content, _]) => {
                file_of(file).and_then(inside).map(|path| Step::Append { path, bytes: bytes(content) })
            }
            ("ftruncate", [file, length]) => file_of(file)
                .and_then(inside)
                .map(|path| Step::Length { path, length: length.parse().expect("a length") }),
            ("fsync" | "fdatasync", [file]) => file_of(file).and_then(inside).map(Step::Sync),
            ("rename", [from, to]) | ("renameat" | "renameat2", [_, from, _, to, ..]) => {
                inside(text(from).into()).zip(inside(text(to).into())).map(|(from, to)| Step::Move { from, to })
            }
            ("unlink" | "rmdir", [path]) => inside(text(path).into()).map(Step::Remove),
            ("unlinkat", [at, path, ..]) => inside(named(at, path)).map(Step::Remove),
            ("link" | "linkat", _) => panic!("a link is not modelled: {arguments:?}"),
            _ => None,
        };
        steps.extend(step);
    }
    steps
}

/// The arguments of a call. All strings are hexadecimal, so a comma outside of brackets parts two of them.
fn split(arguments: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let mut parts = vec![String::new()];
    for character in arguments.chars() {
        match character {
            '<' | '{' | '[' => depth += 1,
            '>' | '}' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is one").push(character);
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// The path of `5</folder/file>`.
fn file_of(argument: &str) -> Option<PathBuf> {
    let path = argument.split_once('<')?.1.strip_suffix('>')?;
    Some(PathBuf::from(if path.contains("\\x") { String::from_utf8(unhex(path)).ok()? } else { path.to_owned() }))
}

/// A path that may be relative to an open folder.
fn named(folder: &str, path: &str) -> PathBuf {
    file_of(folder).unwrap_or_default().join(text(path))
}

fn bytes(argument: &str) -> Vec<u8> {
    let quoted = argument.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    unhex(quoted.unwrap_or_else(|| panic!("a whole string: {argument:.80}")))
}

fn text(argument: &str) -> String {
    String::from_utf8(bytes(argument)).expect("Unicode")
}

fn unhex(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).expect("two digits")).collect()
}
