//! Tables of another component, for migrations that are killed: each step writes 400 rows, which is several pages.

use trading_storage::{Migration, MigrationSet};

const ONE: &str = "CREATE TABLE subject_one (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
     WITH RECURSIVE n (id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < 400)
     INSERT INTO subject_one SELECT id, hex(zeroblob(100)) FROM n;";
const TWO: &str = "CREATE TABLE subject_two (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
     INSERT INTO subject_two SELECT id, text FROM subject_one;
     CREATE INDEX subject_two_text ON subject_two (text);";
const THREE: &str = "CREATE TABLE subject_three (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
     INSERT INTO subject_three SELECT id, text FROM subject_two;
     DROP INDEX subject_two_text;";

/// The steps.
pub(crate) const STEPS: MigrationSet = MigrationSet {
    component: "subject",
    migrations: &[
        Migration { version: 1, name: "one", sql: ONE },
        Migration { version: 2, name: "two", sql: TWO },
        Migration { version: 3, name: "three", sql: THREE },
    ],
};
