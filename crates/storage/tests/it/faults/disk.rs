//! A disk that can lose its power: what was synced is there afterwards, and of the rest whatever the worst disk would keep.

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

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

#[derive(Debug, Clone)]
enum Node {
    File { durable: Vec<u8>, pending: Vec<Change> },
    Folder,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Append(Vec<u8>),
    Length(usize),
}

/// A name in a folder.
type Name = (usize, OsString);

/// What the names of all folders stand for.
type Names = BTreeMap<Name, usize>;

#[derive(Debug, Clone)]
enum Naming {
    Make(Name, usize),
    Move(Name, Name, usize),
    Remove(Name),
}

/// The files below a folder, as they are and as they would be without power.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    /// The first is the folder itself.
    nodes: Vec<Node>,
    names: Names,
    durable_names: Names,
    pending_names: Vec<Naming>,
    /// The control: syncs of these files do nothing.
    ignores_syncs_of: fn(&Path) -> bool,
}

const ROOT: usize = 0;

impl Disk {
    /// The folder as it is, all of it on the disk.
    pub(super) fn of(folder: &Path) -> Self {
        let mut disk = Self {
            nodes: vec![Node::Folder],
            names: Names::new(),
            durable_names: Names::new(),
            pending_names: Vec::new(),
            ignores_syncs_of: |_| false,
        };
        disk.load(folder, ROOT);
        disk.durable_names = disk.names.clone();
        disk
    }

    /// One that only says that it synced those.
    pub(super) fn lying_about(self, ignores_syncs_of: fn(&Path) -> bool) -> Self {
        Self { ignores_syncs_of, ..self }
    }

    fn load(&mut self, from: &Path, folder: usize) {
        for entry in fs::read_dir(from).expect("is a folder") {
            let entry = entry.expect("an entry");
            let is_folder = entry.file_type().expect("is there").is_dir();
            let node = if is_folder {
                Node::Folder
            } else {
                Node::File { durable: fs::read(entry.path()).expect("is read"), pending: Vec::new() }
            };
            self.nodes.push(node);
            let node = self.nodes.len() - 1;
            self.names.insert((folder, entry.file_name()), node);
            if is_folder {
                self.load(&entry.path(), node);
            }
        }
    }

    pub(super) fn apply(&mut self, step: &Step) {
        match step {
            Step::Create(path) => {
                if self.find(path).is_none() {
                    self.make(path, Node::File { durable: Vec::new(), pending: Vec::new() });
                }
            }
            Step::Folder(path) => self.make(path, Node::Folder),
            Step::Write { path, at, bytes } => {
                self.change(path, Change::Write(usize::try_from(*at).expect("fits"), bytes.clone()));
            }
            Step::Append { path, bytes } => self.change(path, Change::Append(bytes.clone())),
            Step::Length { path, length } => {
                self.change(path, Change::Length(usize::try_from(*length).expect("fits")));
            }
            Step::Sync(path) => self.sync(path),
            Step::Move { from, to } => {
                let node = self.known(from);
                self.name(Naming::Move(self.name_of(from), self.name_of(to), node));
            }
            Step::Remove(path) => self.name(Naming::Remove(self.name_of(path))),
            Step::Said(_) => {}
        }
    }

    fn find(&self, path: &Path) -> Option<usize> {
        path.iter().try_fold(ROOT, |folder, name| self.names.get(&(folder, name.to_owned())).copied())
    }

    fn known(&self, path: &Path) -> usize {
        self.find(path).unwrap_or_else(|| panic!("{} was never created", path.display()))
    }

    fn name_of(&self, path: &Path) -> Name {
        let folder = self.known(path.parent().expect("is within"));
        (folder, path.file_name().expect("has one").to_owned())
    }

    fn make(&mut self, path: &Path, node: Node) {
        self.nodes.push(node);
        self.name(Naming::Make(self.name_of(path), self.nodes.len() - 1));
    }

    fn change(&mut self, path: &Path, change: Change) {
        let node = self.known(path);
        match self.nodes.get_mut(node) {
            Some(Node::File { pending, .. }) => pending.push(change),
            other => panic!("{} is {other:?}", path.display()),
        }
    }

    fn name(&mut self, naming: Naming) {
        naming.make(&mut self.names);
        self.pending_names.push(naming);
    }

    fn sync(&mut self, path: &Path) {
        if (self.ignores_syncs_of)(path) {
            return;
        }
        let node = self.known(path);
        match self.nodes.get_mut(node).expect("is there") {
            Node::File { durable, pending } => {
                for change in std::mem::take(pending) {
                    change.make(durable);
                }
            }
            Node::Folder => self.sync_folder(node),
        }
    }

    /// The strictest reading: a sync of a folder keeps what happened in it, and nothing else does.
    fn sync_folder(&mut self, folder: usize) {
        for naming in std::mem::take(&mut self.pending_names) {
            if naming.folder() == folder {
                if let Naming::Move(from, ..) = &naming {
                    // It was moved away, and does not come back when the other folder is synced.
                    self.pending_names.retain(|other| !matches!(other, Naming::Make(name, _) if name == from));
                }
                naming.make(&mut self.durable_names);
            } else {
                self.pending_names.push(naming);
            }
        }
    }

    /// Writes into `folder` what is there after the power went, and returns how many changes were lost or torn.
    pub(super) fn cut_power(&self, loss: Loss, chance: &mut fastrand::Rng, folder: &Path) -> usize {
        let mut names = self.durable_names.clone();
        let kept = if loss == Loss::All { 0 } else { chance.usize(..=self.pending_names.len()) };
        for naming in self.pending_names.iter().take(kept) {
            naming.make(&mut names);
        }
        self.pending_names.len() - kept + self.write(ROOT, &names, loss, chance, folder)
    }

    /// Writes what is left of a folder, and returns how much of it was lost.
    fn write(&self, folder: usize, names: &Names, loss: Loss, chance: &mut fastrand::Rng, to: &Path) -> usize {
        let mut lost = 0;
        for ((_, name), node) in names.range((folder, OsString::new())..(folder + 1, OsString::new())) {
            let to = to.join(name);
            match self.nodes.get(*node).expect("is there") {
                Node::Folder => {
                    fs::create_dir(&to).expect("a folder");
                    lost += self.write(*node, names, loss, chance, &to);
                }
                // The index of the log is memory, and made anew.
                Node::File { .. } if to.to_string_lossy().ends_with("-shm") => {}
                Node::File { durable, pending } => {
                    let mut content = durable.clone();
                    lost += lose(&mut content, pending, loss, chance);
                    fs::write(to, content).expect("is written");
                }
            }
        }
        lost
    }
}

/// Makes those of the changes that the disk kept, and returns how many it did not.
fn lose(content: &mut Vec<u8>, pending: &[Change], loss: Loss, chance: &mut fastrand::Rng) -> usize {
    let mut lost = 0;
    let whole = chance.usize(..=pending.len());
    for (index, change) in pending.iter().enumerate() {
        let fate = match loss {
            Loss::All => Fate::Lost,
            Loss::Tail if index < whole => Fate::Kept,
            Loss::Tail if index == whole => Fate::Torn,
            Loss::Tail => Fate::Lost,
            Loss::Some => [Fate::Kept, Fate::Torn, Fate::Lost].into_iter().nth(chance.usize(..3)).expect("one"),
        };
        match fate {
            Fate::Kept => change.make(content),
            Fate::Torn => change.tear(chance, content),
            Fate::Lost => {}
        }
        lost += usize::from(!matches!(fate, Fate::Kept));
    }
    lost
}

enum Fate {
    Kept,
    Torn,
    Lost,
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
    fn folder(&self) -> usize {
        match self {
            Self::Make((folder, _), _) | Self::Move(_, (folder, _), _) | Self::Remove((folder, _)) => *folder,
        }
    }

    fn make(&self, names: &mut Names) {
        match self {
            Self::Make(name, node) => {
                names.insert(name.clone(), *node);
            }
            Self::Move(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}
