//! A disk that can lose its power: what was synced is there afterwards, and of the rest whatever the worst disk would keep.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::trace::Step;

const SECTOR: usize = 512;

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Everything that was not synced.
    All,
    /// The writes after one of them, which is torn.
    Tail,
    /// Writes here and there, and parts of others: the disk does not keep their order.
    Some,
}

impl Loss {
    pub(super) const ALL: [Self; 3] = [Self::All, Self::Tail, Self::Some];
}

#[derive(Debug, Default, Clone)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Append(Vec<u8>),
    Length(usize),
}

#[derive(Debug, Clone)]
enum Naming {
    Create(PathBuf, usize),
    Move(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// The files below a folder, as they are and as they would be without power.
#[derive(Debug, Default)]
pub(super) struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<Naming>,
    /// The control: syncs of write-ahead logs do nothing, as if SQLite had been told `synchronous = NORMAL`.
    ignores_log_syncs: bool,
}

impl Disk {
    pub(super) fn new(ignores_log_syncs: bool) -> Self {
        Self { ignores_log_syncs, ..Self::default() }
    }

    pub(super) fn apply(&mut self, step: &Step) {
        match step {
            Step::Create(path) => {
                if !self.names.contains_key(path) {
                    self.files.push(File::default());
                    self.name(Naming::Create(path.clone(), self.files.len() - 1));
                }
            }
            Step::Write { path, at, bytes } => {
                let at = usize::try_from(*at).expect("fits");
                self.file(path).pending.push(Change::Write(at, bytes.clone()));
            }
            Step::Append { path, bytes } => self.file(path).pending.push(Change::Append(bytes.clone())),
            Step::Length { path, length } => {
                let length = usize::try_from(*length).expect("fits");
                self.file(path).pending.push(Change::Length(length));
            }
            Step::Sync(path) if self.names.contains_key(path) => {
                if !(self.ignores_log_syncs && is_log(path)) {
                    let file = self.file(path);
                    for change in std::mem::take(&mut file.pending) {
                        change.make(&mut file.durable);
                    }
                }
            }
            Step::Sync(folder) => self.sync_folder(folder),
            Step::Move { from, to } => self.name(Naming::Move(from.clone(), to.clone())),
            Step::Remove(path) => self.name(Naming::Remove(path.clone())),
            Step::Said(_) => {}
        }
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let file = self.names.get(path).unwrap_or_else(|| panic!("{} was never created", path.display()));
        self.files.get_mut(*file).expect("is there")
    }

    fn name(&mut self, naming: Naming) {
        naming.make(&mut self.names);
        self.pending_names.push(naming);
    }

    /// The strictest reading: a sync of a folder keeps what happened in it, and nothing else does.
    fn sync_folder(&mut self, folder: &Path) {
        for naming in std::mem::take(&mut self.pending_names) {
            if naming.folder() == Some(folder) {
                naming.make(&mut self.durable_names);
            } else {
                self.pending_names.push(naming);
            }
        }
    }

    /// Writes into `folder` what is there after the power went, and returns how many changes were lost or torn.
    pub(super) fn cut_power(&self, loss: Loss, chance: &mut fastrand::Rng, folder: &Path) -> usize {
        let mut lost = 0;
        let mut names = self.durable_names.clone();
        let kept = if loss == Loss::All { 0 } else { chance.usize(..=self.pending_names.len()) };
        lost += self.pending_names.len() - kept;
        for naming in self.pending_names.iter().take(kept) {
            naming.make(&mut names);
        }
        for (path, file) in names {
            // The index of the log is memory, and made anew.
            if path.to_string_lossy().ends_with("-shm") {
                continue;
            }
            let Some(file) = self.files.get(file) else { continue };
            let mut content = file.durable.clone();
            let whole = chance.usize(..=file.pending.len());
            for (index, change) in file.pending.iter().enumerate() {
                let fate = match loss {
                    Loss::All => Fate::Lost,
                    Loss::Tail if index < whole => Fate::Kept,
                    Loss::Tail if index == whole => Fate::Torn,
                    Loss::Tail => Fate::Lost,
                    Loss::Some => [Fate::Kept, Fate::Torn, Fate::Lost].into_iter().nth(chance.usize(..3)).expect("one"),
                };
                match fate {
                    Fate::Kept => change.make(&mut content),
                    Fate::Torn => change.tear(chance, &mut content),
                    Fate::Lost => {}
                }
                lost += usize::from(!matches!(fate, Fate::Kept));
            }
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("has one")).expect("a folder");
            fs::write(path, content).expect("is written");
        }
        lost
    }
}

enum Fate {
    Kept,
    Torn,
    Lost,
}

fn is_log(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-wal")
}

impl Change {
    fn make(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => put(content, *at, bytes),
            Self::Append(bytes) => content.extend_from_slice(bytes),
            Self::Length(length) => content.resize(*length, 0),
        }
    }

    /// Some sectors of a write arrived, the others did not.
    fn tear(&self, chance: &mut fastrand::Rng, content: &mut Vec<u8>) {
        let Self::Write(at, bytes) = self else { return };
        let mut start = 0;
        while start < bytes.len() {
            let end = bytes.len().min((at + start) / SECTOR * SECTOR + SECTOR - at);
            if chance.bool() {
                put(content, at + start, bytes.get(start..end).expect("within"));
            }
            start = end;
        }
    }
}

fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content.get_mut(at..end).expect("is long enough").copy_from_slice(bytes);
}

impl Naming {
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Create(path, _) | Self::Move(_, path) | Self::Remove(path) => path.parent(),
        }
    }

    fn make(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Create(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Move(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }
}
