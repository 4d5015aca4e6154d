//! How SQLite goes about each statement: by which index, and without sorting.

use rusqlite::Connection;
use tempfile::TempDir;

use super::{STATEMENTS, trades};
use crate::{Database, Error, Options};

/// One for each statement, in their order.
const PLANS: [&[&str]; STATEMENTS.len() + trades::STATEMENTS.len()] = [
    &["SEARCH trades USING INTEGER PRIMARY KEY (rowid=?)"],
    &["SEARCH trades USING INDEX trades_by_client_order_id (client_order_id=?)"],
    // Agents and days are stored in the order of their keys.
    &["SCAN agents"],
    &["SEARCH agent_positions USING INDEX agent_positions_by_value (agent_id=?)"],
    &["SEARCH daily_performance USING PRIMARY KEY (agent_id=?)"],
    &[
        "SCAN agents",
        "SEARCH d USING PRIMARY KEY (agent_id=? AND date=?) LEFT-JOIN",
        "CORRELATED SCALAR SUBQUERY 7",
        "SEARCH daily_performance USING PRIMARY KEY (agent_id=?)",
        "CORRELATED SCALAR SUBQUERY 1",
        "SEARCH agent_positions USING COVERING INDEX agent_positions_by_value (agent_id=?)",
        "CORRELATED SCALAR SUBQUERY 2",
        "SEARCH agent_positions USING COVERING INDEX agent_positions_by_value (agent_id=?)",
        "CORRELATED SCALAR SUBQUERY 3",
        "SEARCH agent_positions USING COVERING INDEX agent_positions_by_value (agent_id=?)",
        "CORRELATED SCALAR SUBQUERY 4",
        "SEARCH agent_positions USING PRIMARY KEY (agent_id=?)",
        "CORRELATED SCALAR SUBQUERY 5",
        "SEARCH agent_positions USING PRIMARY KEY (agent_id=?)",
        "CORRELATED SCALAR SUBQUERY 6",
        "SEARCH trades USING INDEX trades_of_agent (agent_id=?)",
    ],
    &[
        "SCAN CONSTANT ROW",
        "SCALAR SUBQUERY 1",
        "SCAN agents",
        "SCALAR SUBQUERY 2",
        "SEARCH trades",
        "SCALAR SUBQUERY 3",
        "SEARCH trade_events",
        "SCALAR SUBQUERY 4",
        "SCAN agent_positions USING COVERING INDEX agent_positions_by_value",
        "SCALAR SUBQUERY 5",
        "SCAN daily_performance",
    ],
    &["SEARCH trades USING INTEGER PRIMARY KEY (rowid<?)"],
    &["SEARCH trades USING INDEX trades_of_agent (agent_id=? AND rowid<?)"],
    &["SEARCH trades USING INDEX trades_of_ticker (ticker=? AND rowid<?)"],
    &["SEARCH trades USING INDEX trades_of_day (trade_date=? AND rowid<?)"],
    &["SEARCH trades USING INDEX trades_by_status (order_status=? AND rowid<?)"],
    &["SEARCH trades USING INDEX trades_by_time (created_at>? AND created_at<?)"],
    &["SCAN trades USING INDEX trades_open"],
    &[
        "CO-ROUTINE past",
        "SETUP",
        "SEARCH trades USING INTEGER PRIMARY KEY (rowid=?)",
        "RECURSIVE STEP",
        "SCAN past",
        "SEARCH trade_events USING INTEGER PRIMARY KEY (rowid=?)",
        "SCAN past",
        "SEARCH trade_events USING INTEGER PRIMARY KEY (rowid=?)",
    ],
];

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).expect("is understood");
    let parameters = rusqlite::params_from_iter(vec![1; statement.parameter_count()]);
    let column = statement.column_count() - 1;
    let rows = statement.query_map(parameters, |row| row.get(column)).expect("is asked");
    rows.map(|row| row.expect("a row")).collect()
}

#[test]
fn each_statement_uses_its_index_and_each_index_serves_a_statement() -> Result<(), Error> {
    let folder = TempDir::new().expect("a folder");
    let db = Database::create(&Options::at(folder.path().join("record.db")))?;
    let statements = STATEMENTS.iter().chain(&trades::STATEMENTS);
    let plans: Vec<_> =
        db.read(|r| Ok(statements.map(|sql| texts(r.connection(), &format!("EXPLAIN QUERY PLAN {sql}"))).collect()))?;
    assert_eq!(plans, PLANS);
    let steps = PLANS.concat();
    assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE") || step.contains("AUTOMATIC")));

    let ours = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
    let idle: Vec<_> = db
        .read(|r| Ok(texts(r.connection(), ours)))?
        .into_iter()
        .filter(|index| !steps.iter().any(|step| step.split(' ').any(|word| word == index)))
        .collect();
    assert_eq!(idle, Vec::<String>::new(), "no statement uses them");
    Ok(())
}
