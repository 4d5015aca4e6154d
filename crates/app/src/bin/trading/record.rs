//! `init-db`, `verify` and `import`.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use trading_app::{Error, SampleData, counted, open_record, storage_options};
use trading_storage::{
    Backup, Database, Error as StorageError, ImportCounts, ImportOptions, ImportReport, Origin, ReadOnlyDatabase,
};

use crate::{
    cli::{self, SettingSources},
    failure::Failure,
    output::{Output, complain, confirm, table},
};

/// How many faults of an import are listed; the rest is counted.
const FAULTS_LISTED: usize = 20;

pub(crate) fn init_db(
    sources: &SettingSources,
    path: Option<String>,
    sample_data: SampleData,
    output: Output,
) -> Result<(), Failure> {
    let settings = sources.load_with(path.map(|path| ("database.path", path)))?;
    let progress = output.progress("sample data");
    let report = trading_app::init_db(&settings, sample_data, |done, total| progress.at(done, total))?;
    drop(progress);
    output.say(&report, || {
        let (done, version) = match report.origin {
            Origin::Created { version } => ("created", version),
            Origin::Migrated { to, .. } => ("migrated", to),
            Origin::Current { version } => ("nothing", version),
        };
        let sample = report.sample.as_ref().map(|sample| sample.trades);
        json!({ "database": settings.database.full_path(), "done": done, "schema_version": version, "trades": report.trades, "sample_trades": sample })
    })
}

pub(crate) fn verify(sources: &SettingSources, output: Output) -> Result<(), Failure> {
    let settings = sources.load_without_agents()?;
    let record = storage_options(&settings);
    let progress = output.progress("walking the chain");
    let tell = |done, total| progress.at(done, total);
    let folder = settings.backup.path.full();
    let of_record = |error| Error::of_record(error, &settings);
    let (proven, backups) = match Database::open(&record) {
        Ok(database) => {
            let proven = database.verify(tell).map_err(of_record)?;
            (proven, compare(database.instance_id(), &folder, |backup| database.read(|r| backup.check_past_of(r)))?)
        }
        // The instance that runs is not disturbed by a reader.
        Err(StorageError::InUse { .. }) => {
            let database = ReadOnlyDatabase::open(&record).map_err(of_record)?;
            let proven = database.verify(tell).map_err(of_record)?;
            let instance_id = database.instance_id().map_err(of_record)?;
            (proven, compare(&instance_id, &folder, |backup| database.read(|r| backup.check_past_of(r)))?)
        }
        Err(error) => return Err(of_record(error).into()),
    };
    drop(progress);
    let path = &record.path;
    let head = proven.head.hash_hex();
    let mut text = format!(
        "{} is whole\n  {}, {}\n  head of the chain: {} {head}",
        path.display(),
        counted(proven.trades, "trade"),
        counted(proven.events, "event"),
        proven.head.sequence,
    );
    if backups > 0 {
        text += &format!("\n  has all that {} had", counted(backups, "backup"));
    }
    output.say(&text, || {
        let head = json!({ "sequence": proven.head.sequence, "hash": head });
        json!({ "database": path, "trades": proven.trades, "events": proven.events, "head": head, "backups": backups })
    })
}

/// Compares the record with its proven backups, and says how many there are.
fn compare(
    instance_id: &str,
    folder: &Path,
    check: impl Fn(&Backup) -> Result<(), StorageError>,
) -> Result<u64, Failure> {
    let mut compared = 0;
    for backup in Backup::list(folder)? {
        if backup.is_proven() && backup.is_of(instance_id) == Some(true) {
            check(&backup).map_err(|error| Failure::Unwell {
                what: error.to_string(),
                way_out: "restore that backup, or move it elsewhere if the loss was meant".to_owned(),
            })?;
            compared += 1;
        }
    }
    Ok(compared)
}

pub(crate) fn import(sources: &SettingSources, arguments: &cli::Import, output: Output) -> Result<(), Failure> {
    let settings = sources.load_without_agents()?;
    let zone = arguments.zone.parse().map_err(|_unknown| Failure::Usage {
        what: format!("there is no time zone {}", arguments.zone),
        way_out: "name one of the IANA list, such as US/Eastern".to_owned(),
    })?;
    let database = open_record(&settings)?;
    let of_record = |error| Error::of_record(error, &settings);
    let (trades, seed) = database.read(|r| Ok((r.counts()?.trades, r.sample_seed()?))).map_err(of_record)?;
    // What cannot be read, or is refused, needs no question.
    if trades > 0 && arguments.file.exists() && seed.is_none() {
        let question = format!(
            "The record {} has {} already. Import into it?",
            database.path().display(),
            counted(trades, "trade")
        );
        confirm(&question, arguments.yes)?;
    }
    let options = ImportOptions {
        zone,
        name: arguments.name.clone(),
        busy_timeout: settings.database.busy_timeout,
        ..ImportOptions::of(&arguments.file)
    };
    let progress = output.progress("importing");
    let report = database.import(&options, |done, total| progress.at(done, total));
    drop(progress);
    let report = report.map_err(|source| match source {
        // The faults of the file name it.
        StorageError::Query { .. } => of_record(source),
        source => Error::Import { source },
    })?;
    output.say(&imported(&report), || as_json(&report))?;
    if !output.json {
        complain_of(&report);
    }
    if report.faults.is_empty() { Ok(()) } else { Err(unwell(&report)) }
}

fn parts(report: &ImportReport) -> [(&'static str, ImportCounts); 4] {
    [
        ("agents", report.agents),
        ("trades", report.trades),
        ("positions", report.positions),
        ("performance days", report.performance_days),
    ]
}

fn imported(report: &ImportReport) -> String {
    let rows = parts(report).map(|(name, counts)| {
        let ImportCounts { read, added, updated, unchanged, kept, refused } = counts;
        let [read, added, updated, unchanged, kept, refused] =
            [read, added, updated, unchanged, kept, refused].map(|count| count.to_string());
        [name.to_owned(), read, added, updated, unchanged, kept, refused]
    });
    let mut text = table(["", ">READ", ">ADDED", ">UPDATED", ">UNCHANGED", ">KEPT", ">REFUSED"], rows);
    let mut note = |line: String| {
        text.push('\n');
        text += &line;
    };
    let totals = &report.totals;
    note(format!(
        "the sums agree: {} of {} shares, {} worth {}",
        counted(totals.trades, "trade"),
        totals.quantity,
        counted(totals.positions, "position"),
        totals.market_value
    ));
    let kept: u64 = parts(report).iter().map(|(_, counts)| counts.kept).sum();
    if kept > 0 {
        note(format!(
            "as the record has them, which is newer, stayed {}; the sums are those of the database read",
            counted(kept, "row")
        ));
    }
    if report.values_rounded > 0 {
        note(format!(
            "with more decimals than the record has, and rounded: {}",
            counted(report.values_rounded, "value")
        ));
    }
    if report.times_ambiguous > 0 {
        note(format!("twice in their zone, of which the first was taken: {}", counted(report.times_ambiguous, "time")));
    }
    for (what, left) in [("tables", &report.tables_left), ("columns", &report.columns_left)] {
        if !left.is_empty() {
            note(format!("{what} that the record has no place for: {}", left.join(", ")));
        }
    }
    if !report.has_changed() {
        note("nothing was new".to_owned());
    }
    text
}

fn complain_of(report: &ImportReport) {
    for fault in report.faults.iter().take(FAULTS_LISTED) {
        let trading_storage::ImportFault { table, row, column, found, reason, .. } = fault;
        complain(&format!("not brought over: {table} {row}: {column} is {found:?}: {reason}"));
    }
}

fn unwell(report: &ImportReport) -> Failure {
    let refused: u64 = parts(report).iter().map(|(_, counts)| counts.refused).sum();
    let more = report.faults.len().saturating_sub(FAULTS_LISTED) as u64 + report.faults_unlisted;
    let more = if more > 0 { format!("; {}, --json lists them", counted(more, "more fault")) } else { String::new() };
    Failure::Unwell {
        what: format!("not brought over: {}{more}", counted(refused, "row")),
        way_out: "correct them in a copy of that database, and import it with the same --name and --zone".to_owned(),
    }
}

fn as_json(report: &ImportReport) -> Value {
    let mut value = serde_json::Map::new();
    for (name, counts) in parts(report) {
        let ImportCounts { read, added, updated, unchanged, kept, refused } = counts;
        value.insert(
            name.replace(' ', "_"),
            json!({ "read": read, "added": added, "updated": updated, "unchanged": unchanged, "kept": kept, "refused": refused }),
        );
    }
    let fault = |fault: &trading_storage::ImportFault| json!({ "table": fault.table, "row": fault.row, "column": fault.column, "found": fault.found, "reason": fault.reason });
    let totals = &report.totals;
    value.insert(
        "sums".into(),
        json!({
            "trades": totals.trades,
            "trades_of": totals.trades_of.iter().map(|(id, trades)| (id.as_str(), trades)).collect::<BTreeMap<_, _>>(),
            "quantity": totals.quantity.to_string(),
            "value": totals.value.to_string(),
            "positions": totals.positions,
            "quantity_held": totals.quantity_held.to_string(),
            "market_value": totals.market_value.to_string(),
        }),
    );
    value.insert("agents_registered".into(), report.agents_registered.iter().map(|id| id.as_str()).collect());
    value.insert("changed".into(), report.has_changed().into());
    value.insert("values_rounded".into(), report.values_rounded.into());
    value.insert("times_ambiguous".into(), report.times_ambiguous.into());
    value.insert("tables_left".into(), json!(report.tables_left));
    value.insert("columns_left".into(), json!(report.columns_left));
    value.insert("faults".into(), report.faults.iter().map(fault).collect());
    value.insert("faults_unlisted".into(), report.faults_unlisted.into());
    Value::Object(value)
}
