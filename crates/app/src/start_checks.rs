//! What the machine must be like before anything is started on it: each fault with its way out, all of them at once.

use std::{
    fmt,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use rustix::{
    fs::{Access, access, statvfs},
    process::{Resource, Rlimit, getrlimit, getuid, setrlimit},
};
use trading_config::Settings;

use crate::Error;

/// Below this the record cannot be trusted to take a day's writes, backups included. Arbitrary.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// Below this somebody should look, before it is too late. Arbitrary.
const FREE_BYTES_LOW: u64 = 1 << 30;

/// Connections of the health server, of the record and of what is built on this; the usual soft limit is 1,024.
const OPEN_FILES_MIN: u64 = 256;

/// When this version was written: no clock that goes right is before it.
const WRITTEN: &str = "2026-11-01T00:00:00Z";

/// Something about the machine that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartFault {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub way_out: String,
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.way_out)
    }
}

/// What was found. Nothing was changed but the soft limit of open files.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    faults: Vec<StartFault>,
    warnings: Vec<StartFault>,
}

impl Findings {
    fn fault(&mut self, what: String, way_out: &str) {
        self.faults.push(StartFault { what, way_out: way_out.to_owned() });
    }

    fn warn(&mut self, what: String, way_out: &str) {
        self.warnings.push(StartFault { what, way_out: way_out.to_owned() });
    }

    /// The warnings, if there are no faults.
    pub(crate) fn into_warnings(self) -> Result<Vec<StartFault>, Error> {
        if self.faults.is_empty() { Ok(self.warnings) } else { Err(Error::Machine { faults: self.faults }) }
    }
}

/// Looks at the machine.
pub(crate) fn look(settings: &Settings, logging: bool, now: DateTime<Utc>) -> Findings {
    let mut findings = Findings::default();
    let data = folder_of(&settings.database.full_path());
    let mut folders = vec![("the database", "DATABASE_PATH", data)];
    if settings.backup.enabled {
        folders.push(("the backups", "BACKUP__PATH", settings.backup.path.full()));
    }
    if logging {
        folders.push(("the logs", "LOG_PATH", settings.logging.path.full()));
    }
    for (what, variable, folder) in folders {
        check_folder(what, variable, &folder, &mut findings);
    }
    check_secrets(&settings.root.join(".env"), &mut findings);
    check_clock(now, &mut findings);
    check_open_files(&mut findings);
    findings
}

pub(crate) fn folder_of(file: &Path) -> PathBuf {
    file.parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The folder, or the nearest one above it that there is, in which it would be made.
fn existing(folder: &Path) -> Option<(&Path, Metadata)> {
    folder.ancestors().find_map(|folder| fs::metadata(folder).ok().map(|metadata| (folder, metadata)))
}

fn check_folder(what: &str, variable: &str, wanted: &Path, findings: &mut Findings) {
    let Some((folder, metadata)) = existing(wanted) else { return };
    let shown = folder.display();
    if !metadata.is_dir() {
        let way_out = format!("move it away, or set {variable} to another place");
        return findings.fault(format!("{shown} is no folder, and should have {what}"), &way_out);
    }
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let way_out = format!("let user {} write to it, or set {variable} to another place", getuid().as_raw());
        findings.fault(format!("the folder {shown} of {what} cannot be written"), &way_out);
    }
    if folder == wanted && metadata.mode() & 0o022 != 0 {
        let mode = metadata.mode() & 0o777;
        let way_out = format!("chmod go-w {shown}");
        findings.warn(format!("others may write to the folder {shown} of {what} (mode {mode:03o})"), &way_out);
    }
    if let Some(free) = free_bytes(folder) {
        check_space(what, variable, folder, free, findings);
    }
}

/// How much room there is for this user on the disk of a folder; `None` if that cannot be told.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    // A file system that has no size, such as one of the kernel's own, is none to judge.
    let disk = statvfs(folder).ok().filter(|disk| disk.f_blocks > 0)?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn check_space(what: &str, variable: &str, folder: &Path, free: u64, findings: &mut Findings) {
    let (shown, mebibytes) = (folder.display(), free >> 20);
    let way_out = format!("make room, or set {variable} to another disk");
    if free < FREE_BYTES_MIN {
        findings.fault(format!("the disk of {what} has {mebibytes} MiB left, at {shown}"), &way_out);
    } else if free < FREE_BYTES_LOW {
        findings.warn(format!("the disk of {what} has only {mebibytes} MiB left, at {shown}"), &way_out);
    }
}

fn check_secrets(file: &Path, findings: &mut Findings) {
    if let Ok(metadata) = fs::metadata(file)
        && metadata.mode() & 0o044 != 0
    {
        let what = format!("others may read {}, which secrets are kept in", file.display());
        findings.warn(what, &format!("chmod 600 {}", file.display()));
    }
}

fn check_clock(now: DateTime<Utc>, findings: &mut Findings) {
    let written: DateTime<Utc> = WRITTEN.parse().expect("a time");
    if now < written {
        let what =
            format!("the clock says {}, which is before this program was written", now.format("%Y-%m-%d %H:%M UTC"));
        findings.fault(what, "set the clock, and have it kept right (timedatectl set-ntp true)");
    }
}

fn check_open_files(findings: &mut Findings) {
    let limit = getrlimit(Resource::Nofile);
    let has = |limit: Option<u64>| limit.is_none_or(|limit| limit >= OPEN_FILES_MIN);
    if has(limit.current) {
        return;
    }
    let raised = Rlimit { current: limit.maximum.map(|maximum| maximum.min(1024)).or(Some(1024)), ..limit };
    if !has(limit.maximum) || setrlimit(Resource::Nofile, raised).is_err() {
        let open = limit.current.unwrap_or_default();
        findings.fault(
            format!("only {open} files may be open at once, and {OPEN_FILES_MIN} are needed"),
            "raise the limit: `ulimit -n 1024`, or LimitNOFILE=1024 in the systemd unit",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[track_caller]
    fn check(found: &[StartFault], expected: &[&str]) {
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_clock_and_the_secrets_are_looked_at_before_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings::loader().root(folder.path()).environment([("", ""); 0]).load().expect("loads");
        let file = folder.path().join(".env");
        fs::write(&file, "").expect("is written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("is set");
        let found = look(&settings, true, DateTime::UNIX_EPOCH);
        assert!(found.faults.iter().any(|fault| fault.what.starts_with("the clock says 1970-01-01")), "{found:?}");
        assert!(found.warnings.iter().any(|warning| warning.what.starts_with("others may read ")), "{found:?}");
        let found = look(&settings, true, Utc::now());
        assert_eq!(found.faults, []);
    }

    #[test]
    fn a_clock_that_was_never_set() {
        let mut findings = Findings::default();
        check_clock("2026-11-01T00:00:00Z".parse().expect("a time"), &mut findings);
        check(&findings.faults, &[]);
        check_clock("1970-01-01T00:02:00Z".parse().expect("a time"), &mut findings);
        check(
            &findings.faults,
            &[
                "the clock says 1970-01-01 00:02 UTC, which is before this program was written; set the clock, and have it kept \
               right (timedatectl set-ntp true)",
            ],
        );
        assert!(findings.into_warnings().is_err());
    }

    #[test]
    fn a_folder_that_others_may_write_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let mode = |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("is set");
        let shown = path.display();
        for (bits, expected) in [
            (0o700, vec![]),
            (0o755, vec![]),
            (
                0o775,
                vec![format!("others may write to the folder {shown} of the record (mode 775); chmod go-w {shown}")],
            ),
        ] {
            mode(bits);
            let mut findings = Findings::default();
            check_folder("the record", "DATABASE_PATH", path, &mut findings);
            findings.warnings.retain(|warning| !warning.what.contains("MiB"));
            check(&findings.warnings, &expected.iter().map(String::as_str).collect::<Vec<_>>());
            check(&findings.faults, &[]);
        }
        // One that is not there yet is made by us.
        mode(0o777);
        let mut findings = Findings::default();
        check_folder("the record", "DATABASE_PATH", &path.join("a/b"), &mut findings);
        findings.warnings.retain(|warning| !warning.what.contains("MiB"));
        check(&findings.warnings, &[]);
    }

    #[test]
    fn a_disk_that_is_nearly_full() {
        let at = |free| {
            let mut findings = Findings::default();
            check_space("the record", "DATABASE_PATH", Path::new("/data"), free, &mut findings);
            findings
        };
        let way_out = "make room, or set DATABASE_PATH to another disk";
        check(&at(64 << 20).faults, &[]);
        check(&at((64 << 20) - 1).faults, &[&format!("the disk of the record has 63 MiB left, at /data; {way_out}")]);
        check(&at(1 << 30).warnings, &[]);
        let low = format!("the disk of the record has only 1023 MiB left, at /data; {way_out}");
        check(&at((1 << 30) - 1).warnings, &[&low]);
    }

    #[test]
    fn secrets_that_others_may_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(".env");
        let mut findings = Findings::default();
        check_secrets(&file, &mut findings);
        fs::write(&file, "").expect("is written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("is set");
        check_secrets(&file, &mut findings);
        check(&findings.warnings, &[]);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("is set");
        check_secrets(&file, &mut findings);
        let shown = file.display();
        check(&findings.warnings, &[&format!("others may read {shown}, which secrets are kept in; chmod 600 {shown}")]);
    }
}
