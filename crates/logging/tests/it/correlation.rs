//! Ids that stand on every line of a scope.

use std::thread;

use log::{Level, Log, kv::Value};
use serde_json::Value as Json;
use trading_logging::{Console, Correlation, Options};

use crate::stage::{Stage, line, say, say_with};

#[test]
fn every_line_of_a_scope_bears_its_id_and_no_other() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(Options { console: Console::Text, ..stage.options() });
    say(&*logger, Level::Info, "app", "before");
    let result = Correlation::new("order-7").scope(|| {
        say_with(&*logger, Level::Info, "app", "inside", &[("a", Value::from(1))]);
        5
    });
    say(&*logger, Level::Info, "app", "after");
    assert!(logging.flush());
    assert_eq!(result, 5);
    let expected = [
        line(Level::Info, "app", "before", ""),
        line(Level::Info, "app", "inside", r#","correlation_id":"order-7","a":1"#),
        line(Level::Info, "app", "after", ""),
    ];
    assert_eq!(stage.read("trading_automation.log"), expected.concat());
    assert!(stage.console.text().contains("inside  correlation_id=order-7 a=1\n"), "{}", stage.console.text());
}

/// The ids of the lines, in order.
fn ids(stage: &Stage) -> Vec<Option<String>> {
    let lines = stage.read("trading_automation.log");
    let json = lines.lines().map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
    json.map(|line| line.get("correlation_id").map(|id| id.as_str().expect("text").to_owned())).collect()
}

#[test]
fn scopes_nest_and_end_however_they_end() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    let log = |text: &str| say(&*logger, Level::Info, "trading", text);
    {
        let _outer = Correlation::new("outer").enter();
        log("1");
        Correlation::new("inner").scope(|| log("2"));
        let caught = std::panic::catch_unwind(|| {
            let _scope = Correlation::new("panicked").enter();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(caught.is_err());
        log("3");
    }
    log("4");
    assert_eq!(Correlation::current(), None);
    assert!(logging.flush());
    assert_eq!(ids(&stage), [Some("outer".into()), Some("inner".into()), Some("outer".into()), None]);
}

#[test]
fn a_thread_has_its_own_and_can_be_given_another_s() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    let logger: &dyn Log = &*logger;
    let _entered = Correlation::new("run").enter();
    let current = Correlation::current().expect("one is set");
    thread::scope(|scope| {
        scope.spawn(|| say(logger, Level::Info, "trading", "1")).join().unwrap();
        scope.spawn(|| current.scope(|| say(logger, Level::Info, "trading", "2"))).join().unwrap();
    });
    assert!(logging.flush());
    assert_eq!(ids(&stage), [None, Some("run".into())]);
}

#[test]
fn a_field_of_the_same_name_is_prefixed_within_a_scope_only() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    let fields = [("correlation_id", Value::from("mine"))];
    say_with(&*logger, Level::Info, "app", "1", &fields);
    Correlation::new("a\"b").scope(|| say_with(&*logger, Level::Info, "app", "2", &fields));
    assert!(logging.flush());
    let expected = [
        line(Level::Info, "app", "1", r#","correlation_id":"mine""#),
        line(Level::Info, "app", "2", r#","correlation_id":"a\"b","field_correlation_id":"mine""#),
    ];
    assert_eq!(stage.read("trading_automation.log"), expected.concat());
}

#[cfg(feature = "tokio")]
#[test]
fn a_future_bears_its_id_on_whatever_thread_it_is_polled() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    let logger: std::sync::Arc<dyn Log> = logger.into();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|task| {
            let logger = std::sync::Arc::clone(&logger);
            let work = async move {
                for step in 0..20 {
                    assert_eq!(Correlation::current().unwrap().as_str(), format!("task-{task}"));
                    say(&*logger, Level::Info, "trading", &format!("task-{task} {step}"));
                    tokio::task::yield_now().await;
                }
            };
            let _runtime = runtime.enter();
            Correlation::new(format!("task-{task}")).spawn(work)
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
        let nested = Correlation::new("outer").scope_async(async {
            Correlation::new("inner").scope_async(async { tokio::task::yield_now().await }).await;
            Correlation::current()
        });
        assert_eq!(nested.await.unwrap().as_str(), "outer");
    });
    assert_eq!(Correlation::current(), None);
    assert!(logging.flush());
    let messages = stage.messages("trading.log");
    assert_eq!(messages.len(), 50 * 20);
    for (message, id) in messages.iter().zip(ids(&stage)) {
        assert_eq!(message.split_once(' ').map(|(task, _)| task), id.as_deref());
    }
}

#[cfg(feature = "tokio")]
#[test]
fn a_future_that_is_cancelled_is_dropped_in_its_scope() {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    struct LogsItsEnd<'a>(&'a dyn Log);
    impl Drop for LogsItsEnd<'_> {
        fn drop(&mut self) {
            say(self.0, Level::Info, "app", "dropped");
        }
    }

    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    {
        let guard = LogsItsEnd(&*logger);
        let mut work = pin!(Correlation::new("order-7").scope_async(async {
            let _guard = guard;
            std::future::pending::<()>().await;
        }));
        assert!(work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(Correlation::current(), None);
    assert!(logging.flush());
    assert_eq!(ids(&stage), [Some("order-7".into())]);
}
