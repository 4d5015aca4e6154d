//! What to do about an error: for operators, and for programs.

use std::io;

use trading_resilience::{Class, Classify, DatabaseError};

use super::Error;

/// Of what is damaged.
pub(super) const RESTORE: &str = "keep the file as it is, and restore the newest proven backup";

impl Error {
    /// If the database is not what was written to it: damaged, cut short, or another one.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Open { source, .. } | Self::Migration { source, .. } | Self::Query { source, .. } => {
                source.is_damage()
            }
            other => matches!(
                other,
                Self::Damaged { .. }
                    | Self::HeadMismatch { .. }
                    | Self::ChainBroken { .. }
                    | Self::Replaced { .. }
                    | Self::NotADatabase { .. }
                    | Self::Emptied { .. }
                    | Self::Stored { .. }
            ),
        }
    }

    /// What to do where a file beside the database is not to be had, for another reason than its rights.
    fn way_out_of_io(&self) -> Option<&'static str> {
        match self {
            Self::Create { source, .. } | Self::Lock { source, .. } | Self::HeadFile { source, .. } => {
                match source.kind() {
                    io::ErrorKind::StorageFull => Some("make room on its disk"),
                    io::ErrorKind::NotFound if matches!(self, Self::Lock { .. }) => Some("start this process again"),
                    _ => None,
                }
            }
            Self::Open { source, .. } if source.is_of_the_disk() => source.way_out(),
            _ => None,
        }
    }

    /// What an operator can do about it, as a clause; `None` where only a developer can.
    #[must_use]
    pub fn way_out(&self) -> Option<&'static str> {
        if let Some(way_out) = self.way_out_of_io() {
            return Some(way_out);
        }
        Some(match self {
            Self::Missing { .. } => "create it, or name another path",
            Self::Exists { .. } => "name another path, or open the one that is there",
            Self::Leftover { .. } => "bring the database back, or move what is left of it aside",
            Self::Create { .. } => "let this user write to the folder, or name another path",
            Self::Open { .. } | Self::ReadOnly { .. } => {
                "let this user write to the file and its folder, or name another path"
            }
            Self::Linked { .. } => "remove the other names, or copy the file and name the copy",
            Self::NotAFile { .. } => "move it aside, or name another path",
            Self::NotADatabase { .. } | Self::Emptied { .. } => {
                "keep what is there, restore the newest backup, or name another path"
            }
            Self::Damaged { .. }
            | Self::HeadMismatch { .. }
            | Self::ChainBroken { .. }
            | Self::Replaced { .. }
            | Self::Stored { .. } => RESTORE,
            Self::Migration { source, .. } | Self::RolledBack { source } | Self::Query { source, .. } => {
                return source.way_out();
            }
            Self::Earlier { .. } => "leave it as it is, name another path, and import it there",
            Self::Foreign { .. } => "leave it as it is, and name another path",
            Self::Newer { .. } => {
                "run the newer version of this program, or restore a backup from before its migration"
            }
            Self::Older { .. } => "open it for writing once",
            Self::MigrationEdited { .. } => "run the version of this program that made the database",
            Self::Busy { .. } => "end the other process that uses it, or do less in each transaction",
            Self::InUse { pid: Some(pid), .. } if *pid == std::process::id() => {
                "this process has it open: use a clone of that `Database`"
            }
            Self::Locked { .. } | Self::InUse { .. } => "end the other process that uses it",
            Self::PoolTimeout { .. } => "allow more readers, or a longer wait",
            Self::Lock { .. } | Self::HeadFile { .. } => "let this user write to the folder of the database",
            Self::Ours { .. } => "open it as it is, it needs no import",
            Self::MadeUp { .. } => {
                "name another path, make a new record there without sample data, and import into that"
            }
            Self::NotEarlier { .. } => "name the file that DATABASE_PATH named in the earlier system",
            Self::Changing { .. } => "end the program that writes to it, for the time of the import",
            Self::ImportCopy { .. } => "let this user read it, and make room for a copy of it beside the record",
            Self::Stopped { .. } => "check the disk, and start again",
            Self::CommitUnknown { .. } => "check the disk, start again, and look up what was to be written",
            Self::BackupFile { .. } => "check the disk, and that this user may write to the folder",
            Self::DiskSpace { .. } => "make room there, or name a folder on another disk",
            Self::BackupDamaged { .. } => "keep it as it is, and take another backup",
            Self::BackupKey { .. } => "give the identity or the passphrase that the backup was made for",
            Self::Key { .. } => "give it as `age-keygen` writes it",
            Self::RestoreLoses { .. } => "take a newer backup, or say that the loss is meant",
            Self::RestoreUnfinished { .. } => "open the database for writing once, which finishes it",
            Self::UnknownAgent { .. } => "register it first",
            Self::Pragma { .. } => "keep the file as it is: another program changed how it is written",
            Self::MigrationSet { .. }
            | Self::Library { .. }
            | Self::Nested
            | Self::ReadTooLong { .. }
            | Self::UnknownTrade { .. }
            | Self::StatusChange { .. }
            | Self::OrderConflict { .. }
            | Self::Amount { .. }
            | Self::Name { .. }
            | Self::ImportMismatch { .. }
            | Self::Aborted { .. } => return None,
        })
    }
}

/// So that `?` takes it where several crates fail: with a code, the class and the way to JSON of the system-wide error.
impl From<Error> for trading_resilience::Error {
    fn from(error: Error) -> Self {
        let operation = match &error {
            Error::Query { operation, .. } => operation,
            _ => "use of the record",
        };
        DatabaseError::new(operation, error).into()
    }
}

impl Classify for Error {
    fn class(&self) -> Class {
        match self {
            Self::CommitUnknown { .. } => Class::Unknown,
            Self::PoolTimeout { .. }
            | Self::Busy { .. }
            | Self::Locked { .. }
            | Self::RolledBack { .. }
            | Self::Changing { .. }
            | Self::ReadTooLong { .. } => Class::Transient,
            Self::BackupFile { .. }
            | Self::DiskSpace { .. }
            | Self::BackupDamaged { .. }
            | Self::BackupKey { .. }
            | Self::Key { .. }
            | Self::RestoreLoses { .. }
            | Self::RestoreUnfinished { .. }
            | Self::Missing { .. }
            | Self::Exists { .. }
            | Self::Leftover { .. }
            | Self::Create { .. }
            | Self::Open { .. }
            | Self::NotAFile { .. }
            | Self::Linked { .. }
            | Self::Emptied { .. }
            | Self::NotADatabase { .. }
            | Self::Earlier { .. }
            | Self::ReadOnly { .. }
            | Self::Replaced { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::MigrationEdited { .. }
            | Self::Migration { .. }
            | Self::MigrationSet { .. }
            | Self::Library { .. }
            | Self::Pragma { .. }
            | Self::Stopped { .. }
            | Self::Nested
            | Self::InUse { .. }
            | Self::Lock { .. }
            | Self::HeadFile { .. }
            | Self::HeadMismatch { .. }
            | Self::ChainBroken { .. }
            | Self::Damaged { .. }
            | Self::UnknownTrade { .. }
            | Self::StatusChange { .. }
            | Self::UnknownAgent { .. }
            | Self::OrderConflict { .. }
            | Self::Amount { .. }
            | Self::Name { .. }
            | Self::Stored { .. }
            | Self::Query { .. }
            | Self::Ours { .. }
            | Self::MadeUp { .. }
            | Self::NotEarlier { .. }
            | Self::ImportCopy { .. }
            | Self::ImportMismatch { .. }
            | Self::Aborted { .. } => Class::Permanent,
        }
    }
}
