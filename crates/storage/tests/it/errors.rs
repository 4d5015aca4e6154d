//! Errors where several crates fail: as the system-wide one.

use std::time::Duration;

use trading_resilience::{Class, Classify as _, Code, Error as SystemError, ErrorKind, VirtualClock, retry};
use trading_storage::{Error, OrderStatus, OrderType, Side, TradeId, sqlite};

use crate::{database, order};

/// What it was before, as the one who handles it finds it.
fn storage_error(error: &SystemError) -> Option<&Error> {
    match error.kind() {
        ErrorKind::Database(failure) => failure.source.downcast_ref(),
        _ => None,
    }
}

#[test]
fn a_question_mark_makes_it_the_system_wide_error() {
    fn work() -> Result<TradeId, SystemError> {
        let (_folder, db) = database();
        let id = db.transaction(|tx| tx.insert_trade(&order("1")))?;
        Ok(id)
    }
    let error = work().expect_err("nobody was registered").with("agent_id", "a");
    assert_eq!((error.code(), error.class()), (Code::DatabaseFailed, Class::Permanent));
    assert_eq!(error.report(), "DATABASE_FAILED: database: use of the record failed (agent_id=a): there is no agent a");
    assert!(matches!(storage_error(&error), Some(Error::UnknownAgent { .. })), "{error:?}");
}

#[test]
fn a_statement_that_fails_is_named() {
    let (_folder, db) = database();
    let failed = db.transaction(|tx| {
        sqlite::connection(tx).execute_batch("DROP TABLE daily_performance").map_err(Error::aborted)?;
        tx.counts()
    });
    let error = SystemError::from(failed.expect_err("is gone"));
    assert_eq!(error.to_string(), "database: count the rows failed");
}

#[test]
fn it_comes_out_of_a_retry_with_its_class() {
    let clock = VirtualClock::new(1);
    let busy = || Error::Busy { waited: Duration::from_secs(5) };
    let gave_up = retry::DATABASE.effects(&clock).run("record", |_| Err::<(), _>(busy())).expect_err("fails");
    assert_eq!(gave_up.attempts, 2, "nothing happened, so it is tried again");
    let error = SystemError::from(gave_up);
    assert_eq!((error.code(), error.class()), (Code::DatabaseFailed, Class::Transient));
    assert!(matches!(storage_error(&error), Some(Error::Busy { .. })), "{error:?}");
}

#[test]
fn words_are_read_as_alpaca_writes_them() {
    for status in OrderStatus::ALL {
        assert_eq!(status.as_str().parse::<OrderStatus>().expect("is one"), status);
    }
    assert_eq!("trailing_stop".parse::<OrderType>().expect("is one"), OrderType::TrailingStop);
    assert_eq!("sell".parse::<Side>().expect("is one"), Side::Sell);
    for (error, said) in [
        ("Filled".parse::<OrderStatus>().expect_err("is none"), "\"Filled\" is not an order status of Alpaca's"),
        ("".parse::<OrderType>().expect_err("is none"), "\"\" is not an order type of Alpaca's"),
        ("short".parse::<Side>().expect_err("is none"), "\"short\" is not a side (buy or sell)"),
    ] {
        assert_eq!(error.to_string(), said);
    }
}
