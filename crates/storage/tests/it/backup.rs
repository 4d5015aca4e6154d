//! Backups: how they are made, listed, proven, removed and restored.

#[cfg(feature = "encryption")]
mod encrypting;
mod keeping;
mod killing;
mod making;
mod manifests;
mod migrating;
mod restoring;

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use trading_storage::{Backup, BackupOptions, Database, Error};

use crate::{agent, database, order, tamper};

/// A database with the trades "0" to "n - 1".
fn with_trades(count: u32) -> (TempDir, Database) {
    let (folder, db) = database();
    db.transaction(|tx| tx.register_agent(&agent("a"))).expect("is registered");
    add_trades(&db, 0, count);
    (folder, db)
}

fn add_trades(db: &Database, from: u32, to: u32) {
    let orders: Vec<_> = (from..to).map(|number| order(&number.to_string())).collect();
    db.transaction(|tx| tx.insert_trades(&orders)).expect("are recorded");
}

fn trades(db: &Database) -> u64 {
    db.read(|r| r.counts()).expect("is read").trades
}

fn backup(db: &Database, folder: &Path) -> Backup {
    db.backup(&BackupOptions::to(folder), |_| {}).expect("is made")
}

/// The names in a folder; none if there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("Unicode")).collect();
    names.sort();
    names
}

/// The text of an error, without what differs from run to run.
fn text(error: &Error, folder: &Path) -> String {
    let text = error.to_string().replace(&folder.display().to_string(), "…");
    let mut words: Vec<_> = text.split(' ').map(str::to_owned).collect();
    for word in &mut words {
        if let Some(at) = word.find("/record-2") {
            word.replace_range(at + "/record-".len().., "TIME");
        }
    }
    words.join(" ")
}

fn database_file(backup: &Backup) -> PathBuf {
    backup.path.join(backup.manifest.as_ref().expect("is proven").file_name())
}
