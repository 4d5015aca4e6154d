//! The exchange of a database's files for those in the journal, in steps that can be taken up after any of them.
//!
//! What stands at the database's path tells how far it got: as long as the restored file is in the journal, all files at the
//! path are the old ones. They go first, the database before what belongs to it, and only when all are gone the new one
//! comes. So no database ever stands beside the write-ahead log of another.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::folder;
use crate::{Error, database::folder as folder_of, lock::beside, transaction::now};

/// In the journal: what is to be put in place.
pub(super) const NEW: &str = "new";

/// In the journal: what was moved aside.
pub(super) const OLD: &str = "old";

/// In `new`: the restored database. Its head file is beside it.
pub(super) const RESTORED: &str = "database";

/// The files of a database, by what follows its name. The database first: without it the others are not looked at.
const FILES: [&str; 5] = ["", "-journal", "-wal", "-shm", ".head"];

/// The folder of a restore that is past the point of no return.
pub(super) fn journal(database: &Path) -> PathBuf {
    beside(database, "restoring")
}

pub(super) fn is_interrupted(database: &Path) -> bool {
    fs::symlink_metadata(journal(database)).is_ok_and(|found| found.is_dir())
}

/// Does what is left to be done, and returns where the old files are if there were any. The caller has the instance lock.
pub(super) fn finish(database: &Path) -> Result<Option<PathBuf>, Error> {
    let plan = Plan::of(database);
    for step in &plan.steps {
        step.take()?;
    }
    Ok(plan.aside)
}

/// What is left of a restore, from what is found on the disk.
#[derive(Debug, Default)]
struct Plan {
    steps: Vec<Step>,
    /// Where the old files will be.
    aside: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Move {
        from: PathBuf,
        to: PathBuf,
    },
    /// Brings the names in a folder to the disk, before the next step is.
    Sync(PathBuf),
    /// Removes a folder that is empty.
    Remove(PathBuf),
}

impl Plan {
    fn of(database: &Path) -> Self {
        let mut plan = Self::default();
        if !is_interrupted(database) {
            return plan;
        }
        let (journal, place) = (journal(database), folder_of(database).to_owned());
        let (new, old) = (journal.join(NEW), journal.join(OLD));
        let (restored, head) = (new.join(RESTORED), beside(&new.join(RESTORED), "head"));
        let mut has_old = fs::read_dir(&old).is_ok_and(|mut entries| entries.next().is_some());
        if is_there(&restored) {
            for from in FILES.map(|ending| named(database, ending)).into_iter().filter(|file| is_there(file)) {
                let to = old.join(from.file_name().unwrap_or_default());
                plan.steps.push(Step::Move { from, to });
                has_old = true;
            }
            plan.steps.extend([Step::Sync(old.clone()), Step::Sync(place.clone())]);
            plan.steps.push(Step::Move { from: restored, to: database.to_owned() });
            plan.steps.push(Step::Sync(place.clone()));
        }
        if is_there(&head) {
            plan.steps.push(Step::Move { from: head, to: beside(database, "head") });
            plan.steps.push(Step::Sync(place.clone()));
        }
        if has_old {
            let aside = beside(database, &format!("replaced-{}", now().format("%Y%m%dT%H%M%S%.6fZ")));
            plan.steps.push(Step::Move { from: old, to: aside.clone() });
            plan.aside = Some(aside);
        } else if is_there(&old) {
            plan.steps.push(Step::Remove(old));
        }
        if is_there(&new) {
            plan.steps.push(Step::Remove(new));
        }
        plan.steps.extend([Step::Remove(journal), Step::Sync(place)]);
        plan
    }
}

impl Step {
    fn take(&self) -> Result<(), Error> {
        match self {
            Self::Move { from, to } => {
                if is_there(to) {
                    let source = io::Error::from(io::ErrorKind::AlreadyExists);
                    return Err(folder::failed("move a file to", to)(source));
                }
                folder::rename(from, to)
            }
            Self::Sync(path) => folder::sync(path),
            Self::Remove(path) => fs::remove_dir(path).map_err(folder::failed("remove the folder", path)),
        }
    }
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn named(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
