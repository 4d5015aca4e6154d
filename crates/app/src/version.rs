//! What this program is made of.

use trading_storage::sqlite;

/// The version of all crates of the workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from, or `unknown`.
pub const COMMIT: &str = env!("TRADING_COMMIT");

/// The versions, each with its name: of the crates, of the commit, of SQLite.
#[must_use]
pub fn facts() -> [(&'static str, String); 3] {
    [("version", VERSION.to_owned()), ("commit", COMMIT.to_owned()), ("SQLite", sqlite::version().to_owned())]
}
