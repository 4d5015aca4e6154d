//! Encrypted backups, in the format of the `age` tool.

use std::{fs, process::Command};

use tempfile::TempDir;
use trading_storage::{Backup, BackupOptions, Database, Decryption, Encryption, Error, RestoreOptions};

use super::{database_file, names, text, trades, with_trades};
use crate::options;

/// A pair of keys that `age-keygen` made.
const RECIPIENT: &str = "age1lvescwkucmhad7w4dvu0904zejmacs4fcuamadwmnjj3lerzqf9svz0gyq";
const IDENTITY: &str = "AGE-SECRET-KEY-1FLXH68SS9R632F8ZX72T4RHHSUFC5HMT9QMCWKL7VFLZMPMCW0HS04J5WZ";
/// The identity of somebody else.
const OTHER: &str = "AGE-SECRET-KEY-1H8R0APJ3960RE6N3CL8J0YPLAVDTDEZ6Q208P78PF4A373X4NSJQR4P6VA";

fn encrypted(db: &Database, folder: &std::path::Path, compress: bool, encryption: Encryption) -> Backup {
    let options = BackupOptions { compress, encryption: Some(encryption), ..BackupOptions::to(folder) };
    db.backup(&options, |_| {}).expect("is made")
}

fn to_recipient() -> Encryption {
    Encryption::to_recipients([RECIPIENT]).expect("a key")
}

fn restore(backup: &Backup, key: Option<Decryption>) -> Result<u64, Error> {
    let folder = TempDir::new().expect("a folder");
    backup.restore(&RestoreOptions { key, ..RestoreOptions::to(options(&folder).path) }, |_| {})?;
    Ok(trades(&Database::open(&options(&folder)).expect("opens")))
}

#[test]
fn only_the_identity_reads_what_its_recipient_was_sent() {
    let (folder, db) = with_trades(3);
    let place = folder.path().join("backups");
    for compress in [false, true] {
        let made = encrypted(&db, &place, compress, to_recipient());
        let name = if compress { "database.db.zst.age" } else { "database.db.age" };
        assert_eq!(names(&made.path), [name, "manifest.json"]);
        let bytes = fs::read(database_file(&made)).expect("is read");
        assert!(!bytes.windows(6).any(|window| window == b"SQLite"), "nothing of it is to be seen");
        assert_eq!(restore(&made, Some(Decryption::with_identity(IDENTITY).expect("a key"))).expect("is restored"), 3);
        let wrong = [
            (None, "no key was given"),
            (Some(Decryption::with_identity(OTHER).expect("a key")), "it is another key's"),
            (Some(Decryption::with_passphrase("guess".to_owned())), "it is another key's"),
        ];
        for (key, why) in wrong {
            let error = restore(&made, key).expect_err("is refused");
            let expected = format!("the backup …/backups/record-TIME cannot be decrypted: {why}");
            assert_eq!(text(&error, folder.path()), expected);
        }
    }
    assert_eq!(names(&place).len(), 2);
}

#[test]
fn only_the_passphrase_reads_what_was_made_with_it() {
    let (folder, db) = with_trades(3);
    let passphrase = || "correct horse".to_owned();
    let made = encrypted(&db, folder.path(), true, Encryption::with_passphrase(passphrase()).expect("is a key"));
    assert_eq!(restore(&made, Some(Decryption::with_passphrase(passphrase()))).expect("is restored"), 3);
    let error = restore(&made, Some(Decryption::with_passphrase("wrong".to_owned()))).expect_err("is refused");
    assert!(matches!(error, Error::BackupKey { .. }), "{error}");
}

#[test]
fn keys_that_cannot_be_understood_are_refused_and_none_is_shown() {
    let error = Encryption::to_recipients([RECIPIENT, "age1nonsense"]).expect_err("is refused").to_string();
    assert_eq!(error, "the key is refused: a recipient is age1 and 58 letters and digits");
    let error = Encryption::to_recipients([]).expect_err("is refused").to_string();
    assert_eq!(error, "the key is refused: there is at least one recipient");
    let error = Decryption::with_identity("AGE-SECRET-KEY-1SECRET").expect_err("is refused");
    assert_eq!(error.to_string(), "the key is refused: an identity is AGE-SECRET-KEY-1 and 58 letters and digits");
    let error = Encryption::with_passphrase(String::new()).expect_err("is refused").to_string();
    assert_eq!(error, "the key is refused: a passphrase is not empty");
    let shown = format!(
        "{error:?} {:?} {:?} {:?}",
        Decryption::with_identity(IDENTITY).expect("a key"),
        Decryption::with_passphrase("hunter2".to_owned()),
        Encryption::with_passphrase("hunter2".to_owned()).expect("is a key")
    );
    for secret in ["hunter2", "1SECRET", &IDENTITY[16..]] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn the_age_tool_reads_it() {
    let (folder, db) = with_trades(3);
    let made = encrypted(&db, folder.path(), false, to_recipient());
    let identity = folder.path().join("identity");
    fs::write(&identity, IDENTITY).expect("is written");
    let tool = Command::new("age").arg("--decrypt").arg("-i").arg(&identity).arg(database_file(&made)).output();
    let output = match tool {
        Ok(output) => output,
        Err(error) => return println!("skipped: there is no age tool here: {error}"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let manifest = made.manifest.as_ref().expect("is proven");
    assert_eq!(output.stdout.len() as u64, manifest.database.bytes);
    assert!(output.stdout.starts_with(b"SQLite format 3\0"));
}
