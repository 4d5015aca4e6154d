//! Whether a stream of ours is read by the journal of systemd.

use std::{env, os::fd::AsFd};

/// Whether this stream leads to the journal of systemd, which takes the priority of each line from its beginning (`<3>` for an error). The
/// variable `JOURNAL_STREAM` has the device and the inode of the one that does; a stream that was redirected has others.
///
/// **Source:** systemd.exec(5).
#[expect(clippy::disallowed_methods, reason = "what systemd says of a stream is no setting")]
#[must_use]
pub fn is_journal(stream: impl AsFd) -> bool {
    let said = env::var("JOURNAL_STREAM").unwrap_or_default();
    let Some((device, inode)) = said.split_once(':') else { return false };
    let found = rustix::fs::fstat(stream);
    found.is_ok_and(|found| device.parse() == Ok(found.st_dev) && inode.parse() == Ok(found.st_ino))
}
