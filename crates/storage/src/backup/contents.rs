//! What is in a database: what a copy must have in common with its source.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::{Error, Head, connection, migration};

/// What a database has, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Contents {
    /// The name that the database was given when it was created.
    pub instance_id: String,
    /// The end of the chain; `None` in a database of before there was one.
    #[serde(with = "head_as_text")]
    pub head: Option<Head>,
    /// The version of each component's tables; ours are `core`.
    pub schema_versions: BTreeMap<String, u32>,
    /// How many rows each table has, also those of other components.
    pub rows: BTreeMap<String, u64>,
}

impl Contents {
    pub(super) fn read(connection: &Connection) -> Result<Self, Error> {
        let failed = || Error::query("count what there is");
        let instance_id = connection::instance_id(connection)?;
        let head = match connection.table_exists(None, "trade_events").map_err(failed())? {
            true => Some(connection::head(connection, &instance_id)?),
            false => None,
        };
        let mut rows = BTreeMap::new();
        for table in tables(connection).map_err(failed())? {
            let sql = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
            let count = connection.query_row(&sql, [], |row| row.get(0)).map_err(failed())?;
            rows.insert(table, count);
        }
        Ok(Self { instance_id, head, schema_versions: versions(connection).map_err(failed())?, rows })
    }

    /// Whether this program can walk the chain: it knows the tables of its own version.
    pub(super) fn is_current(&self) -> bool {
        self.schema_versions.get("core") == Some(&migration::newest())
    }

    /// The first thing in which `copy` is not like this, as a clause.
    pub(super) fn difference(&self, copy: &Self) -> Option<String> {
        if self.instance_id != copy.instance_id {
            return Some(format!("its instance is {}, and {} was copied", copy.instance_id, self.instance_id));
        }
        if self.head != copy.head {
            let end = |head: Option<Head>| head.map_or(0, |head| head.sequence);
            return Some(format!(
                "its chain ends at event {}, and at {} in what was copied",
                end(copy.head),
                end(self.head)
            ));
        }
        if let Some((table, rows)) = self.rows.iter().find(|(table, rows)| copy.rows.get(*table) != Some(*rows)) {
            let found = copy.rows.get(table).copied().unwrap_or_default();
            return Some(format!("it has {found} rows of {table}, and {rows} were copied"));
        }
        (self != copy).then(|| "its schema is another one".to_owned())
    }
}

/// The ordinary tables: no views, and not what SQLite keeps behind virtual tables.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql =
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT GLOB 'sqlite_*'";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn versions(connection: &Connection) -> rusqlite::Result<BTreeMap<String, u32>> {
    let sql = "SELECT component, max(version) FROM schema_migrations GROUP BY component";
    connection.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// A head in JSON: its hash as hexadecimal digits.
mod head_as_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    use crate::{Head, head_file::unhex};

    #[derive(Serialize, Deserialize)]
    struct Text {
        sequence: u64,
        hash: String,
    }

    #[expect(clippy::ref_option, reason = "serde asks for this signature")]
    pub(super) fn serialize<S: Serializer>(head: &Option<Head>, serializer: S) -> Result<S::Ok, S::Error> {
        head.map(|head| Text { sequence: head.sequence, hash: head.hash_hex() }).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Head>, D::Error> {
        let Some(text) = Option::<Text>::deserialize(deserializer)? else { return Ok(None) };
        let hash = unhex(&text.hash).ok_or_else(|| D::Error::custom("a hash has 64 hexadecimal digits"))?;
        Ok(Some(Head { sequence: text.sequence, hash }))
    }
}
