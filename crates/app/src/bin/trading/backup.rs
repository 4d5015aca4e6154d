//! `backup` and `restore`.

use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use trading_app::{Error, storage_options};
use trading_config::Settings;
use trading_storage::{
    Backup, BackupOptions, Database, Error as StorageError, Progress, ReadOnlyDatabase, RestoreOptions, Stage,
};

use crate::{
    cli::{self, SettingSources},
    failure::Failure,
    output::{self, Output, bytes, confirm, table},
};

pub(crate) fn run(sources: &SettingSources, command: cli::Backup, output: Output) -> Result<(), Failure> {
    let settings = sources.load_without_agents()?;
    match command {
        cli::Backup::Create => create(&settings, output),
        cli::Backup::List => list(&settings, output),
        cli::Backup::Verify { backup } => verify(&settings, backup.as_deref(), output),
    }
}

fn create(settings: &Settings, output: Output) -> Result<(), Failure> {
    let record = storage_options(settings);
    let options =
        BackupOptions { compress: settings.backup.compress, ..BackupOptions::to(settings.backup.path.full()) };
    let progress = output.progress("backup");
    let tell = |stage| show(&progress, stage);
    let made = match Database::open(&record) {
        Ok(database) => database.backup(&options, tell),
        // The instance that runs is not disturbed by a reader.
        Err(StorageError::InUse { .. }) => {
            ReadOnlyDatabase::open(&record).and_then(|database| database.backup(&options, tell))
        }
        Err(error) => Err(error),
    };
    drop(progress);
    let made = made.map_err(|error| Error::of_record(error, settings))?;
    let text = format!("made and proven: {}, {}", made.path.display(), bytes(made.size_bytes));
    output.say(&text, || described(&made, Some(true)))
}

fn show(progress: &output::Progress, stage: Progress) {
    let what = match stage.stage {
        Stage::Copy => "copying the database",
        Stage::Check => "walking the chain",
        Stage::Pack => "packing",
        Stage::Unpack => "reading the backup",
        _ => "working",
    };
    progress.stage(what, stage.done, stage.total);
}

/// `ours` says if it is of this instance, where that can be told.
fn described(backup: &Backup, ours: Option<bool>) -> Value {
    json!({
        "name": name(&backup.path),
        "path": backup.path,
        "created_at": backup.created_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "bytes": backup.size_bytes,
        "proven": backup.is_proven(),
        "ours": ours,
        "fault": backup.manifest.as_ref().err(),
        "trades": trades(backup),
    })
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn trades(backup: &Backup) -> Option<u64> {
    backup.manifest.as_ref().ok()?.contents.rows.get("trades").copied()
}

fn list(settings: &Settings, output: Output) -> Result<(), Failure> {
    let folder = settings.backup.path.full();
    let backups = Backup::list(&folder)?;
    if backups.is_empty() && !output.json {
        return output::print(&format!("there are no backups in {}", folder.display()));
    }
    let instance = Backup::instance_at(settings.database.full_path());
    let is_ours = |backup: &Backup| backup.is_of(instance.as_deref()?);
    let rows = backups.iter().map(|backup| {
        let proven = match &backup.manifest {
            Ok(_) if is_ours(backup) == Some(false) => "of another instance".to_owned(),
            Ok(_) if backup.is_proven() => "yes".to_owned(),
            Ok(_) => "no: its chain was not walked".to_owned(),
            Err(why) => format!("no: {why}"),
        };
        let trades = trades(backup).map_or_else(|| "-".to_owned(), |trades| trades.to_string());
        [name(&backup.path), age(backup.created_at), bytes(backup.size_bytes), trades, proven]
    });
    let listed = table(["NAME", ">AGE", ">SIZE", ">TRADES", "PROVEN"], rows);
    output.say(&listed, || backups.iter().map(|backup| described(backup, is_ours(backup))).collect())
}

fn age(time: DateTime<Utc>) -> String {
    let age = Utc::now() - time;
    match (age.num_days(), age.num_hours(), age.num_minutes()) {
        (2.., ..) => format!("{} d", age.num_days()),
        (_, 2.., _) => format!("{} h", age.num_hours()),
        (.., minutes) => format!("{minutes} min"),
    }
}

fn verify(settings: &Settings, wanted: Option<&str>, output: Output) -> Result<(), Failure> {
    let backup = match wanted {
        Some(wanted) => find(settings, wanted)?,
        None => newest(settings, |_| true)?,
    };
    let progress = output.progress("backup");
    backup.verify(None, |stage| show(&progress, stage))?;
    drop(progress);
    output.say(&format!("{} is whole", backup.path.display()), || {
        let instance = Backup::instance_at(settings.database.full_path());
        described(&backup, instance.and_then(|instance| backup.is_of(&instance)))
    })
}

/// The folder that was named, or the backup of that name among ours.
fn find(settings: &Settings, wanted: &str) -> Result<Backup, Failure> {
    let folder = settings.backup.path.full();
    let places = [folder.join(wanted), std::path::absolute(wanted).unwrap_or_else(|_| PathBuf::from(wanted))];
    if let Some(path) = places.iter().find(|place| place.is_dir()) {
        return Ok(Backup::open(path)?);
    }
    let names: Vec<_> = Backup::list(&folder)?.iter().map(|backup| name(&backup.path)).collect();
    let [ours, typed] = places.each_ref().map(|place| place.display().to_string());
    let looked = if ours == typed { String::new() } else { format!(": neither {ours} nor {typed} is one") };
    Err(Failure::Usage { what: format!("there is no backup {wanted}{looked}"), way_out: named(&names) })
}

/// How many backups are named where one is to be chosen.
const NAMES_LISTED: usize = 5;

fn named(names: &[String]) -> String {
    if names.is_empty() {
        return HOW_TO_HAVE_ONE.to_owned();
    }
    let listed = names.iter().take(NAMES_LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if names.len() > NAMES_LISTED { "; `trading backup list` has them all" } else { "" };
    format!("name one of {listed}{more}")
}

const HOW_TO_HAVE_ONE: &str = "make one with `trading backup create`, or set BACKUP__PATH to where they are";

fn newest(settings: &Settings, counts: impl Fn(&Backup) -> bool) -> Result<Backup, Failure> {
    let folder = settings.backup.path.full();
    let found = Backup::list(&folder)?.into_iter().find(counts);
    found.ok_or_else(|| Failure::Unwell {
        what: format!("there is no proven backup in {}", folder.display()),
        way_out: HOW_TO_HAVE_ONE.to_owned(),
    })
}

/// The one that a restore means where none is named.
fn newest_of_ours(settings: &Settings) -> Result<Backup, Failure> {
    // Which says it where there is none at all.
    newest(settings, Backup::is_proven)?;
    let (folder, database) = (settings.backup.path.full(), settings.database.full_path());
    let proven: Vec<_> = Backup::list(&folder)?.into_iter().filter(Backup::is_proven).collect();
    let way_out = named(&proven.iter().map(|backup| name(&backup.path)).collect::<Vec<_>>());
    let Some(ours) = Backup::instance_at(&database) else {
        let what = format!("nothing at {} says which backups are of it", database.display());
        return Err(Failure::Usage { what, way_out });
    };
    proven.into_iter().find(|backup| backup.is_of(&ours) == Some(true)).ok_or_else(|| Failure::Usage {
        what: format!("the proven backups in {} are all of other instances", folder.display()),
        way_out,
    })
}

pub(crate) fn restore(sources: &SettingSources, arguments: &cli::Restore, output: Output) -> Result<(), Failure> {
    let settings = sources.load_without_agents()?;
    let backup = match &arguments.backup {
        Some(wanted) => find(&settings, wanted)?,
        None => newest_of_ours(&settings)?,
    };
    let database = settings.database.full_path();
    let time = backup.created_at.format("%Y-%m-%d %H:%M:%S UTC");
    let is_foreign = Backup::instance_at(&database).is_some_and(|ours| backup.is_of(&ours) == Some(false));
    let whose = if is_foreign { ", which is of another instance," } else { "" };
    let question = format!("Put the backup of {time}{whose} in the place of {}?", database.display());
    // What is refused needs no question.
    Database::check_unused(&database)?;
    if database.exists() {
        confirm(&question, arguments.yes)?;
    }
    let attempt = |allow_loss| {
        let progress = output.progress("backup");
        let options = RestoreOptions { allow_loss, ..RestoreOptions::to(&database) };
        backup.restore(&options, |stage| show(&progress, stage))
    };
    let restored = match attempt(false) {
        Err(trading_storage::Error::RestoreLoses { what, .. }) => {
            confirm(&format!("Something is lost: {what}. Go on?"), arguments.yes)?;
            attempt(true)
        }
        done => done,
    };
    let restored = restored.map_err(Error::from)?;
    let mut text = format!("{} is {} now", database.display(), backup.path.display());
    if let Some(replaced) = &restored.replaced {
        text += &format!("\nwhat was there is in {}", replaced.display());
    }
    if let Some(lost) = &restored.lost {
        text += &format!("\nlost: {lost}");
    }
    output.say(
        &text,
        || json!({ "database": database, "backup": backup.path, "replaced": restored.replaced, "lost": restored.lost }),
    )
}
