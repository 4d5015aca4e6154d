//! The copy of a database that is being written, and the proof that it is one.

use std::path::Path;

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{Contents, OnProgress, Progress, Stage, folder};
use crate::{Error, Head, connection, database, verification};

/// How many pages are copied between two reports: a megabyte of SQLite's usual pages, about a millisecond.
const PAGES_A_STEP: i32 = 256;

/// Copies what there is at one moment into the new file `to`, and says what that is.
///
/// Within one reading transaction, which is kept over all steps of SQLite's backup: so it never begins anew, however much is
/// written meanwhile, and reads each page once. Without it each commit of another connection sends the copy back to its first page, and a
/// limit of such restarts is a backup that fails when it is needed most. The price is that the write-ahead log cannot
/// be folded while the copy takes.
pub(super) fn copy(
    source: &Connection,
    database: &Path,
    to: &Path,
    passes: Option<(&str, &Head)>,
    packs: u64,
    progress: OnProgress<'_>,
) -> Result<Contents, Error> {
    let moment = source.unchecked_transaction().map_err(Error::query("begin to copy"))?;
    let contents = Contents::read(&moment)?;
    if let Some((instance_id, head)) = passes {
        if contents.instance_id != instance_id {
            let what = format!("its instance is {}, and that one was {instance_id}", contents.instance_id);
            return Err(Error::HeadMismatch { path: database.to_owned(), what });
        }
        connection::check_passes(&moment, database, head)?;
    }
    let size = |pragma| moment.pragma_query_value(None, pragma, |row| row.get::<_, u64>(0));
    let page_bytes = size("page_size").map_err(Error::query("measure the database"))?;
    let pages = size("page_count").map_err(Error::query("measure the database"))?;
    folder::check_space(database::folder(to), packs.saturating_mul(pages).saturating_mul(page_bytes))?;

    drop(folder::new_file(to)?);
    let mut target = connection::open_target(to)?;
    let failed = || Error::query("copy the database");
    let backup = Backup::new(&moment, &mut target).map_err(failed())?;
    loop {
        let step = backup.step(PAGES_A_STEP).map_err(failed())?;
        let left = u64::from(backup.progress().remaining.unsigned_abs());
        progress(Progress {
            stage: Stage::Copy,
            done: pages.saturating_sub(left).saturating_mul(page_bytes),
            total: pages.saturating_mul(page_bytes),
        });
        match step {
            StepResult::More => {}
            StepResult::Done => break,
            // The moment is held and the copy is ours alone, so nobody can be waited for.
            _ => return Err(Error::Locked { path: database.to_owned() }),
        }
    }
    drop(backup);
    target.close().map_err(|(_, source)| failed()(source))?;
    drop(moment);
    Ok(contents)
}

/// Proves that the file is a sound database with just these contents. Returns whether its chain could be walked too. Damage is that of
/// `named`: what it is a copy of, where the copy is gone by then.
pub(super) fn prove(path: &Path, named: &Path, expected: &Contents, progress: OnProgress<'_>) -> Result<bool, Error> {
    let connection = connection::open_settled(path)?;
    verification::integrity(&connection, named)?;
    let found = Contents::read(&connection)?;
    let differs = |what| Error::BackupDamaged { path: path.to_owned(), what };
    if let Some(what) = expected.difference(&found) {
        return Err(differs(what));
    }
    if !found.is_current() {
        return Ok(false);
    }
    let report = |done, total| progress(Progress { stage: Stage::Check, done, total });
    let verified = verification::chain(&connection, &found.instance_id, report)?;
    if found.head != Some(verified.head) {
        return Err(differs(format!("its chain leads to event {}", verified.head.sequence)));
    }
    verification::schema(&connection, named)?;
    Ok(true)
}
