//! What each of them does, once.

use std::fs;

use tempfile::TempDir;
use trading_logging::Options;
use trading_monitoring::Metrics;
use trading_storage::Observer as _;

use super::*;
use crate::App;

/// An app, whose own tasks are not due while a test runs, and the same tasks to be called by hand.
struct Stage {
    folder: TempDir,
    app: App,
    commits: Arc<StorageObserver>,
    tasks: Vec<Task>,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let variables = [("MONITORING__PORT", "0"), ("MONITORING__EXTERNAL_CHECKS", "false")];
        let settings = Settings::loader().root(folder.path()).environment(variables).load().expect("loads");
        let app = App::builder(settings).without_logging().start().expect("starts");
        let commits = Arc::new(StorageObserver::new(&Metrics::default()));
        let tasks = all(app.settings(), app.database(), Arc::clone(&commits), None);
        Self { folder, app, commits, tasks }
    }

    fn work(&mut self, name: &str) -> Result<(), TaskError> {
        self.tasks.iter_mut().find(|task| task.name() == name).expect("is there").work(self.app.handles())
    }

    fn backups(&self) -> Vec<Backup> {
        Backup::list(self.app.settings().backup.path.full()).expect("is read")
    }

    /// How long after the start the backup would be made now, if not at its time of the day.
    fn backup_first(&self) -> Option<Duration> {
        backup(self.app.settings(), self.app.database()).first()
    }

    fn write(&self) {
        record::register(self.app.database(), self.app.settings().agents().list()).expect("is written");
    }
}

#[test]
fn each_is_a_component_of_the_app() {
    let stage = Stage::new();
    let names: Vec<_> = stage.tasks.iter().map(|task| task.name().to_owned()).collect();
    assert_eq!(names, ["agents", "anchoring", "checkpoint", "retention", "backup", "backup_proof"]);
    let components = stage.app.health().report().components;
    for name in names {
        assert!(components.iter().any(|component| component.name == name), "{name}");
    }
}

#[test]
fn anchoring_writes_the_head_beside_the_database() {
    let mut stage = Stage::new();
    let head = stage.folder.path().join("data/trading_automation.db.head");
    drop(fs::remove_file(&head));
    stage.work("anchoring").expect("is well");
    let written = fs::read_to_string(&head).expect("is there");
    assert!(written.contains(&stage.app.database().head().hash_hex()), "{written}");
    fs::remove_file(&head).expect("is removed");
    stage.work("anchoring").expect("is well");
    assert!(!head.exists(), "there is nothing new");
}

#[test]
fn a_checkpoint_waits_until_nobody_writes() {
    let mut stage = Stage::new();
    let wal = |stage: &Stage| stage.app.database().sizes().expect("is read").wal_bytes;
    stage.write();
    assert!(wal(&stage) > 0);
    stage.commits.committed(1, Duration::ZERO);
    stage.work("checkpoint").expect("is well");
    assert!(wal(&stage) > 0, "somebody wrote since it last looked");
    stage.work("checkpoint").expect("is well");
    assert_eq!(wal(&stage), 0);
}

#[test]
fn a_backup_is_made_and_proven_and_is_missed_no_more() {
    let mut stage = Stage::new();
    assert_eq!(stage.backup_first(), Some(AFTER_START), "there never was one");
    stage.work("backup").expect("is well");
    let [backup] = stage.backups().try_into().expect("one");
    assert!(backup.is_proven());
    assert_eq!(stage.backup_first(), None);
    // That of another record counts for nothing.
    let other = Stage::new();
    assert_eq!(super::backup(stage.app.settings(), other.app.database()).first(), Some(AFTER_START));
}

#[test]
fn what_is_kept_no_longer_goes_and_what_cannot_go_is_a_failure() {
    let mut stage = Stage::new();
    let logs = stage.folder.path().join("logs");
    let (logging, _logger) = Logging::builder(Options::at(&logs)).build().expect("starts");
    assert!(logging.flush());
    let logging = Arc::new(logging);
    let (settings, database) = (stage.app.settings(), stage.app.database());
    stage.tasks = all(settings, database, Arc::clone(&stage.commits), Some(Arc::downgrade(&logging)));
    for _ in 0..5 {
        stage.work("backup").expect("is well");
    }
    // As old as nothing is kept, by what its manifest says.
    let old = |backup: Backup| {
        let manifest = backup.path.join("manifest.json");
        let text = fs::read_to_string(&manifest).expect("is read");
        let time = backup.created_at.format("%Y-%m-%dT%H:%M:%S").to_string();
        assert!(text.contains(&time), "{text}");
        fs::write(&manifest, text.replace(&time, "2020-01-02T03:04:05")).expect("is written");
    };
    stage.backups().into_iter().for_each(old);
    let day = |days| (Utc::now() - TimeDelta::days(days)).date_naive();
    let log = |days| logs.join(format!("api.{}.log", day(days)));
    for days in [1, 1000] {
        fs::write(log(days), "a line\n").expect("is written");
    }
    stage.work("retention").expect("is well");
    assert_eq!((stage.backups().len(), log(1).exists(), log(1000).exists()), (3, true, false));

    fs::write(log(1000), "a line\n").expect("is written");
    let backups = stage.app.settings().backup.path.full();
    fs::remove_dir_all(&backups).expect("is removed");
    fs::write(&backups, "a file where the folder was").expect("is written");
    let error = stage.work("retention").expect_err("the backups cannot be listed");
    assert!(error.to_string().starts_with("cannot list the backups in "), "{error}");
    assert!(!log(1000).exists(), "which keeps the logs from nothing");
}

#[test]
fn the_newest_backup_is_read_again() {
    let mut stage = Stage::new();
    let error = stage.work("backup_proof").expect_err("there is none");
    assert!(error.to_string().starts_with("there is no backup of this record in "), "{error}");
    // That of another record proves nothing of this one.
    let other = Stage::new();
    let folder = stage.app.settings().backup.path.full();
    other.app.database().backup(&BackupOptions::to(folder), |_| {}).expect("is made");
    stage.work("backup_proof").expect_err("there is none of its own");
    fs::remove_dir_all(&stage.backups()[0].path).expect("is removed");
    stage.work("backup").expect("is well");
    stage.work("backup_proof").expect("is well");
    let [backup] = stage.backups().try_into().expect("one");
    let files = || fs::read_dir(&backup.path).expect("a folder").map(|entry| entry.expect("an entry").path());
    let largest = files().max_by_key(|path| fs::metadata(path).expect("is there").len()).expect("a file");
    let mut bytes = fs::read(&largest).expect("is read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&largest, bytes).expect("is written");
    stage.work("backup_proof").expect_err("the disk gave back something else");
}
