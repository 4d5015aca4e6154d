//! The dated files of days gone by: `NAME.YYYY-MM-DD.log`, and `NAME.YYYY-MM-DD.1.log` and so on if the day has one already.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use chrono::{Days, NaiveDate};

/// The files that one day can have of one name. Arbitrary; it ends a search.
const FILES_A_DAY_MAX: u32 = 10_000;

/// Renames the active file to a dated one that did not exist.
pub(super) fn set_aside(folder: &Path, name: &str, active: &Path, day: NaiveDate) -> io::Result<()> {
    for number in 0..FILES_A_DAY_MAX {
        let ending = if number == 0 { String::new() } else { format!(".{number}") };
        let dated = folder.join(format!("{name}.{day}{ending}.log"));
        // The name is taken before the rename, which would silently replace a file of another process.
        match OpenOptions::new().write(true).create_new(true).open(&dated) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(_reserved) => {
                return fs::rename(active, &dated).or_else(|error| {
                    fs::remove_file(&dated)?;
                    // Somebody else took the file away: there is nothing left to set aside.
                    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
                });
            }
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Deletes the dated files of these names that are older than `days` days, by the date in their names. What cannot be
/// deleted is told, and does not keep the others.
pub(crate) fn prune(folder: &Path, names: &[&str], today: NaiveDate, days: u32) -> Vec<(PathBuf, io::Error)> {
    let Some(oldest) = today.checked_sub_days(Days::new(days.into())) else { return Vec::new() };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return vec![(folder.to_owned(), error)],
    };
    let mut failures = Vec::new();
    for entry in entries {
        let result = entry.map_err(|error| (folder.to_owned(), error)).and_then(|entry| {
            let file_name = entry.file_name();
            let day = file_name.to_str().and_then(|file| names.iter().find_map(|name| dated(file, name)));
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if is_file && day.is_some_and(|day| day < oldest) {
                return fs::remove_file(entry.path()).map_err(|error| (entry.path(), error));
            }
            Ok(())
        });
        match result {
            // Another process with the same folder was faster.
            Err((_, error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(failure) => failures.push(failure),
            Ok(()) => {}
        }
    }
    failures
}

/// The day of a file, if it is a dated one of this very name.
fn dated(file: &str, name: &str) -> Option<NaiveDate> {
    let rest = file.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".log")?;
    let (day, number) = rest.split_once('.').map_or((rest, None), |(day, number)| (day, Some(number)));
    let is_ours = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.is_none_or(is_ours).then(|| read_day(day))?
}

/// Reads `2026-11-22`, in this very form.
pub(super) fn read_day(text: &str) -> Option<NaiveDate> {
    text.parse::<NaiveDate>().ok().filter(|day| day.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, expected: Option<&str>) {
        assert_eq!(dated(file, "trading").map(|day| day.to_string()).as_deref(), expected, "{file}");
    }

    #[test]
    fn only_dated_files_of_the_very_name_are_known() {
        check("trading.2026-11-22.log", Some("2026-11-22"));
        check("trading.2026-11-22.7.log", Some("2026-11-22"));
        for stranger in [
            "trading.log",
            "trading_automation.2026-11-22.log",
            "trading.2026-11-22.log.gz",
            "trading.2026-11-22.old.log",
            "trading.2026-11-22..log",
            "trading.2026-13-22.log",
            "trading.2026-1-2.log",
            "trading.20261122.log",
            "my-trading.2026-11-22.log",
            "trading2026-11-22.log",
            "trading..log",
            "trading.2026-11-22.-1.log",
        ] {
            check(stranger, None);
        }
    }
}
