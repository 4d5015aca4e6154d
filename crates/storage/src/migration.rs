//! The versions of the schema, and how a database gets from one to the next.
//!
//! A set is the tables of one component: ours are the component `core`, and whoever builds on the record brings a set of
//! their own. Each step is one transaction together with its line in `schema_migrations`, so it is there whole or not at
//! all.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{
    Connection, ErrorCode, TransactionBehavior,
    hooks::{AuthAction, AuthContext, Authorization},
    params,
};
use sha2::{Digest as _, Sha256};

use crate::{
    Cause, Error,
    connection::{in_memory, opening},
    event::hex,
    transaction::now,
};

/// The steps of one component, for tables of its own.
///
/// ```
/// use trading_storage::{Database, Migration, MigrationSet, Options};
///
/// const QUIVER: MigrationSet = MigrationSet {
///     component: "quiver",
///     migrations: &[Migration {
///         version: 1,
///         name: "disclosures",
///         sql: "CREATE TABLE quiver_disclosures (id INTEGER PRIMARY KEY, ticker TEXT NOT NULL) STRICT;",
///     }],
/// };
///
/// let folder = tempfile::tempdir()?;
/// let options = Options { migrations: vec![QUIVER], ..Options::at(folder.path().join("record.db")) };
/// let db = Database::create(&options)?;
/// assert_eq!(db.schema_version("quiver")?, Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MigrationSet {
    /// Whose tables: 1 to 32 of `a-z`, `0-9`, `_`, and not `core`. Begin the names of the tables with it.
    pub component: &'static str,
    /// In order, from version 1, without gaps.
    pub migrations: &'static [Migration],
}

/// One step. Once it was released it is never edited: a later one corrects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its number within the set.
    pub version: u32,
    /// For people.
    pub name: &'static str,
    /// What it does. It may refer to our tables, and may not change them.
    pub sql: &'static str,
}

const CORE: MigrationSet = MigrationSet {
    component: "core",
    migrations: &[Migration { version: 1, name: "core", sql: include_str!("../migrations/0001_core.sql") }],
};

/// The tables that only this crate may change.
const CORE_TABLES: [&str; 7] =
    ["record", "agents", "trades", "trade_events", "agent_positions", "daily_performance", "schema_migrations"];

impl Migration {
    /// A checksum of what the step does: line ends, indentation and comments do not count.
    fn checksum(&self) -> String {
        hex(&Sha256::digest(normalized(self.sql)))
    }
}

impl MigrationSet {
    fn newest(&self) -> u32 {
        self.migrations.last().map_or(0, |migration| migration.version)
    }

    /// The rules of a set, which its author can break.
    fn validate(&self) -> Result<(), Error> {
        let name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let refused = |rule: &'static str| Err(Error::MigrationSet { component: self.component, rule });
        if !(1..=32).contains(&self.component.len()) || !self.component.bytes().all(name) {
            return refused("its name is 1 to 32 of a-z, 0-9 and _");
        }
        if (1..).zip(self.migrations).any(|(version, migration)| migration.version != version) {
            return refused("its versions begin at 1 and have no gaps");
        }
        Ok(())
    }
}

/// The newest version of our own tables that this program knows.
pub(crate) fn newest() -> u32 {
    CORE.newest()
}

/// SQL without comments, and with one space for any space between words. What stands in quotes stays as it is.
fn normalized(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            // A doubled quote is the end of one text and the beginning of the next.
            '\'' | '"' | '`' => rest.chars().skip(1).take_while(|c| *c != first).map(char::len_utf8).sum::<usize>() + 2,
            space if space.is_whitespace() => space.len_utf8(),
            other => {
                text.push(other);
                rest = rest.split_at(other.len_utf8()).1;
                continue;
            }
        };
        let (part, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        match first {
            '\'' | '"' | '`' | '[' => text.push_str(part),
            _ if text.is_empty() || text.ends_with(' ') => {}
            _ => text.push(' '),
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// Refuses what cannot be migrated, and says whether there is anything to do. Changes nothing.
pub(crate) fn check(connection: &Connection, path: &Path, sets: &[MigrationSet]) -> Result<bool, Error> {
    let mut pending = false;
    for (index, set) in sets.iter().enumerate() {
        set.validate()?;
        if set.component == CORE.component || sets.iter().take(index).any(|other| other.component == set.component) {
            return Err(Error::MigrationSet { component: set.component, rule: "each set has a name of its own" });
        }
    }
    check_user_version(connection, path)?;
    for set in all(sets) {
        pending |= compare(connection, path, set)? < set.newest();
    }
    Ok(pending)
}

/// That the number which SQLite keeps for us is the one that the history of steps leads to: they are written together.
fn check_user_version(connection: &Connection, path: &Path) -> Result<(), Error> {
    let failed = |source| opening(path, source);
    // Of one moment: another process may be at a step.
    let moment = connection.unchecked_transaction().map_err(failed)?;
    let found: i64 = moment.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    let expected = i64::from(compare(&moment, path, &CORE)?);
    if found == expected {
        return Ok(());
    }
    let what = format!("its user_version is {found}, and by the history of its schema it is {expected}");
    Err(Error::Damaged { path: path.to_owned(), what })
}

/// What of our schema is not as the steps that the database had made it: the first such thing, or what is on our tables besides.
pub(crate) fn first_difference(connection: &Connection, path: &Path) -> Result<Option<String>, Error> {
    let version = compare(connection, path, &CORE)?;
    let model = in_memory()?;
    for step in CORE.migrations.iter().filter(|step| step.version <= version) {
        model.execute_batch(step.sql).map_err(Error::query("make a schema to compare with"))?;
    }
    let (expected, mut found) = (schema(&model)?, schema(connection)?);
    for ((kind, name), sql) in expected {
        match found.remove(&(kind.clone(), name.clone())) {
            Some(there) if there == sql => {}
            Some(_) => return Ok(Some(format!("the {kind} {name} was changed"))),
            None => return Ok(Some(format!("the {kind} {name} is gone"))),
        }
    }
    Ok(found.into_keys().next().map(|(kind, name)| format!("the {kind} {name} is not ours, and stands on our tables")))
}

/// What there is of our tables: kind and name, and the text that made it.
fn schema(connection: &Connection) -> Result<BTreeMap<(String, String), String>, Error> {
    let failed = || Error::query("read the schema");
    let mut statement = connection
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        .map_err(failed())?;
    let rows = statement.query_map([], |row| {
        let (kind, name, table): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((table, (kind, name), row.get::<_, String>(3)?))
    });
    let mut schema = BTreeMap::new();
    for row in rows.map_err(failed())? {
        let (table, key, sql) = row.map_err(failed())?;
        // The history of steps belongs to all sets.
        let table = table.strip_suffix("_view").unwrap_or(&table);
        if CORE_TABLES.contains(&table) && table != "schema_migrations" {
            schema.insert(key, normalized(&sql));
        }
    }
    Ok(schema)
}

/// Brings the database to the newest version of every set, ours first, and returns the version of ours that it had.
///
/// Two processes may do this at once: each step is decided under the write lock.
pub(crate) fn migrate(connection: &mut Connection, path: &Path, sets: &[MigrationSet]) -> Result<u32, Error> {
    check(connection, path, sets)?;
    let before = compare(connection, path, &CORE)?;
    for set in all(sets) {
        for migration in set.migrations {
            apply(connection, path, set, migration)?;
        }
    }
    Ok(before)
}

fn all(sets: &[MigrationSet]) -> impl Iterator<Item = &MigrationSet> {
    std::iter::once(&CORE).chain(sets)
}

fn apply(connection: &mut Connection, path: &Path, set: &MigrationSet, migration: &Migration) -> Result<(), Error> {
    let failed = |source: rusqlite::Error| Error::Migration {
        component: set.component,
        version: migration.version,
        name: migration.name,
        source: match source.sqlite_error_code() {
            Some(ErrorCode::AuthorizationForStatementDenied) => Cause::text(KEPT_OFF),
            _ => Cause::of_sqlite(source),
        },
    };
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    if compare(&tx, path, set)? >= migration.version {
        return Ok(());
    }
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             component  TEXT    NOT NULL,
             version    INTEGER NOT NULL,
             name       TEXT    NOT NULL,
             checksum   TEXT    NOT NULL,
             applied_at INTEGER NOT NULL,
             PRIMARY KEY (component, version)
         ) STRICT, WITHOUT ROWID",
    )
    .map_err(failed)?;
    if set.component == CORE.component {
        tx.execute_batch(migration.sql).map_err(failed)?;
        tx.pragma_update(None, "user_version", migration.version).map_err(failed)?;
    } else {
        tx.authorizer(Some(keep_off_core_tables)).map_err(failed)?;
        let done = tx.execute_batch(migration.sql);
        tx.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).map_err(failed)?;
        done.map_err(failed)?;
    }
    if tx.is_autocommit() {
        let rule = "a step does not end the transaction that it runs in";
        return Err(Error::MigrationSet { component: set.component, rule });
    }
    tx.execute(
        "INSERT INTO schema_migrations (component, version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![set.component, migration.version, migration.name, migration.checksum(), now().timestamp_micros()],
    )
    .map_err(failed)?;
    tx.commit().map_err(failed)
}

const KEPT_OFF: &str =
    "a step changes neither the tables of the record nor what is on them, and has no PRAGMA, ATTACH, BEGIN or COMMIT";

/// Denies what would change our tables, or end the step's transaction.
fn keep_off_core_tables(context: AuthContext<'_>) -> Authorization {
    let table = match context.action {
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::DropIndex { table_name, .. }
        | AuthAction::CreateTrigger { table_name, .. }
        | AuthAction::CreateTempTrigger { table_name, .. }
        | AuthAction::DropTrigger { table_name, .. } => table_name,
        AuthAction::DropView { view_name } => view_name.strip_suffix("_view").unwrap_or(view_name),
        // What SQLite itself asks when a column comes to a STRICT table.
        AuthAction::Pragma { pragma_name: "quick_check", .. } => return Authorization::Allow,
        AuthAction::Transaction { .. } | AuthAction::Pragma { .. } | AuthAction::Attach { .. } => {
            return Authorization::Deny;
        }
        _ => return Authorization::Allow,
    };
    if CORE_TABLES.contains(&table) { Authorization::Deny } else { Authorization::Allow }
}

/// The version of a set in the database, after a comparison of its history with what we know.
fn compare(connection: &Connection, path: &Path, set: &MigrationSet) -> Result<u32, Error> {
    let failed = |source| opening(path, source);
    if !connection.table_exists(None, "schema_migrations").map_err(failed)? {
        return Ok(0);
    }
    let mut statement = connection
        .prepare("SELECT version, name, checksum FROM schema_migrations WHERE component = ?1 ORDER BY version")
        .map_err(failed)?;
    let steps =
        statement.query_map([set.component], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(failed)?;
    let steps: Vec<(u32, String, String)> = steps.collect::<Result<_, _>>().map_err(failed)?;
    let (newest, component) = (steps.last().map_or(0, |step| step.0), set.component);
    if newest > set.newest() {
        return Err(Error::Newer { path: path.to_owned(), component, found: newest, known: set.newest() });
    }
    let mut version = 0;
    for (found, name, checksum) in steps {
        version += 1;
        let path = path.to_owned();
        let known = set.migrations.iter().find(|migration| migration.version == version);
        if found != version || known.is_none_or(|known| known.checksum() != checksum) {
            // Where there is a gap, what is there now is another one.
            let missing = known.filter(|_| found != version).map(|known| known.name.to_owned());
            return Err(Error::MigrationEdited { path, component, version, name: missing.unwrap_or(name) });
        }
    }
    Ok(version)
}

/// The version of a set in the database, if anything of it is there.
pub(crate) fn version(connection: &Connection, component: &str) -> Result<Option<u32>, Error> {
    connection
        .query_row("SELECT max(version) FROM schema_migrations WHERE component = ?1", [component], |row| row.get(0))
        .map_err(Error::query("read the schema's version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_set_keeps_the_rules() {
        CORE.validate().expect("it does");
    }

    #[test]
    fn only_what_a_step_does_counts_for_its_checksum() {
        let checksum = |sql| Migration { version: 1, name: "test", sql }.checksum();
        let same = checksum("CREATE TABLE a (b);\nDROP TABLE c;");
        for other in [
            "-- Why.\r\n  CREATE TABLE a (b);\r\n\r\nDROP TABLE c;\r\n",
            "CREATE TABLE a (b); -- Why.\n/* And\nhow. */ DROP TABLE c; --",
            "/* Never ended: */ CREATE TABLE a (b); DROP TABLE c; /* so",
        ] {
            assert_eq!(same, checksum(other), "{other}");
        }
        let quoted = checksum("SELECT '-- a', 'it''s  /* b */', \"--c\", 'é'");
        for other in [
            "SELECT '-- b', 'it''s  /* b */', \"--c\", 'é'",
            "SELECT '-- a', 'it''s /* b */', \"--c\", 'é'",
            "SELECT '-- a', 'it''s  /* c */', \"--c\", 'é'",
            "SELECT '-- a', 'it''s  /* b */', \"--d\", 'é'",
            "SELECT '-- a', 'it''s  /* b */', \"--c\", 'e'",
        ] {
            assert_ne!(quoted, checksum(other), "{other}");
        }
        assert_ne!(checksum("SELECT 'never ended"), checksum("SELECT 'never"));
        assert_ne!(same, checksum("CREATE TABLE a (b);\nDROP TABLE d;"));
        assert_ne!(same, checksum("CREATE TABLE a (b);"));
    }
}
