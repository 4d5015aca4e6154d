//! Secrets reach neither the files nor the console.

use std::{
    fmt,
    sync::{Arc, mpsc::channel},
    thread,
    time::Duration,
};

use log::{Level, Record, kv::Value};
use trading_logging::{Console, Options};

use crate::stage::{Stage, line, say, say_with};

/// Longer than a line takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// What does something while it is displayed, and shows what it is told to.
struct Acts<F>(F);

impl<F: Fn() -> &'static str> fmt::Display for Acts<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str((self.0)())
    }
}

#[test]
fn what_is_displayed_may_have_a_value_hidden() {
    let stage = Stage::new();
    let (logging, logger) = stage.builder(stage.options()).secret("something-else").build().unwrap();
    let logging = Arc::new(logging);
    let (ended, end) = channel();
    let hiding = Arc::clone(&logging);
    thread::spawn(move || {
        let text = Acts(|| if hiding.hide("canary") { "learnt canary" } else { "cannot be hidden" });
        log::info!(logger: &*logger, "{text}");
        log::info!(logger: &*logger, "then canary");
        ended.send(()).expect("the test waits");
    });
    end.recv_timeout(LONG).expect("nothing waits for itself");
    assert!(logging.flush());
    assert_eq!(stage.messages("trading_automation.log"), ["learnt [redacted]", "then [redacted]"]);
}

#[test]
fn what_is_displayed_may_log_while_another_thread_has_a_value_hidden() {
    let stage = Stage::new();
    let (logging, logger) = stage.builder(stage.options()).secret("something-else").build().unwrap();
    let (logging, logger) = (Arc::new(logging), Arc::<dyn log::Log>::from(logger));
    let (ended, end) = channel();
    let (hiding, outer) = (Arc::clone(&logging), Arc::clone(&logger));
    thread::spawn(move || {
        let text = Acts(|| {
            let (begun, beginning) = channel();
            let (hiding, hidden) = (Arc::clone(&hiding), ended.clone());
            thread::spawn(move || {
                begun.send(()).expect("the line waits");
                assert!(hiding.hide("canary"));
                hidden.send(()).expect("the test waits");
            });
            beginning.recv().expect("the thread begins");
            // Until the other waits for a lock, if there is one to wait for; it is done else.
            (0..1_000).for_each(|_| thread::yield_now());
            log::info!(logger: &*logger, "inner");
            "outer something-else"
        });
        log::info!(logger: &*outer, "{text}");
        ended.send(()).expect("the test waits");
    });
    // It is displayed once more, to look for the secret in each part.
    for _ in ["hidden", "hidden", "logged"] {
        end.recv_timeout(LONG).expect("neither waits for the other");
    }
    assert!(logging.flush());
    assert_eq!(stage.messages("trading_automation.log"), ["inner", "inner", "outer [redacted]"]);
}

#[test]
fn secrets_are_redacted_by_name_and_the_rest_is_not() {
    for console in [Console::Text, Console::Json] {
        let stage = Stage::new();
        let (logging, logger) = stage.start(Options { console, ..stage.options() });
        let secret = Value::from("canary");
        let fields = [
            ("api_key", secret.clone()),
            ("X-Api-Key", secret.clone()),
            ("clientSecret", secret.clone()),
            ("smtp_password", secret.clone()),
            ("access_token", Value::from(1234)),
            ("Authorization", secret),
            ("keyboard", Value::from("qwerty")),
            ("client_order_id", Value::from("o-1")),
        ];
        let mut record = Record::builder();
        record
            .level(Level::Info)
            .target("trading")
            .module_path(Some("stage::say"))
            .file(Some("stage.rs"))
            .line(Some(7));
        logger.log(&record.key_values(&fields).args(format_args!("m")).build());
        assert!(logging.flush());
        let expected = concat!(
            r#","api_key":"[redacted]","X-Api-Key":"[redacted]","clientSecret":"[redacted]","smtp_password":"[redacted]""#,
            r#","access_token":"[redacted]","Authorization":"[redacted]","keyboard":"qwerty","client_order_id":"o-1""#,
        );
        assert_eq!(stage.read("trading_automation.log"), line(Level::Info, "trading", "m", expected));
        assert_eq!(stage.read("trading.log"), line(Level::Info, "trading", "m", expected));
        if console == Console::Text {
            assert_eq!(
                stage.console.text(),
                "05:06:07.089Z INFO  trading  m  api_key=[redacted] X-Api-Key=[redacted] clientSecret=[redacted] \
                 smtp_password=[redacted] access_token=[redacted] Authorization=[redacted] keyboard=qwerty \
                 client_order_id=o-1\n"
            );
        }
    }
}

#[test]
fn names_of_the_options_are_secret_too() {
    let stage = Stage::new();
    let secret_fields = ["iban*", "*_pin", "*mother*", "Exact"].map(String::from).to_vec();
    let (logging, logger) = stage.start(Options { secret_fields, ..stage.options() });
    let hidden = ["IBAN", "iban_from", "card_PIN", "mothers_name", "grandmother", "exact"];
    let shown = ["liban", "pin_code", "moth", "exactly", "inexact"];
    let fields: Vec<_> = hidden.iter().chain(&shown).map(|name| (*name, Value::from(1))).collect();
    say_with(&*logger, Level::Info, "app", "m", &fields);
    assert!(logging.flush());
    let hidden = hidden.iter().map(|name| format!(r#","{name}":"[redacted]""#));
    let shown = shown.iter().map(|name| format!(r#","{name}":1"#));
    let expected: String = hidden.chain(shown).collect();
    assert_eq!(stage.read("trading_automation.log"), line(Level::Info, "app", "m", &expected));
}

#[test]
fn known_values_are_hidden_wherever_they_stand() {
    let stage = Stage::new();
    let options = Options { console: Console::Text, ..stage.options() };
    let (logging, logger) = stage.builder(options).secret("canary").secret("two\n\"lines\"").build().unwrap();
    assert!(logging.hide("4711"));
    assert!(logging.hide("12.5"));
    let fields = [
        ("url", Value::from("https://x/?a=canary&b=1")),
        ("canary", Value::from("name")),
        ("escaped", Value::from("<two\n\"lines\">")),
        ("number", Value::from(47_110)),
        ("negative", Value::from(-4711)),
        ("float", Value::from(12.5)),
        ("other", Value::from(471)),
        ("twice", Value::from("canarycanary")),
    ];
    say_with(&*logger, Level::Info, "app::canary", &format!("{}{}", "can", "ary!"), &fields);
    assert!(logging.flush());
    let expected = concat!(
        r#","url":"https://x/?a=[redacted]&b=1","[redacted]":"name","escaped":"<[redacted]>","number":"[redacted]""#,
        r#","negative":"[redacted]","float":"[redacted]","other":471,"twice":"[redacted][redacted]""#,
    );
    assert_eq!(stage.read("trading_automation.log"), line(Level::Info, "app::[redacted]", "[redacted]!", expected));
    assert_eq!(
        stage.console.text(),
        "05:06:07.089Z INFO  app::[redacted]  [redacted]!  url=\"https://x/?a=[redacted]&b=1\" [redacted]=name \
         escaped=<[redacted]> number=[redacted] negative=[redacted] float=[redacted] other=471 \
         twice=[redacted][redacted]\n"
    );
}

#[test]
fn known_values_are_hidden_as_debug_and_as_urls_write_them() {
    let secret = "p\"w\\d4 x/y+z=ü'\n";
    let encoded = "p%22w%5Cd4%20x%2Fy%2Bz%3D%C3%BC%27%0A";
    for hidden in [true, false] {
        let stage = Stage::new();
        let (logging, logger) = stage.start(Options { console: Console::Text, ..stage.options() });
        if hidden {
            assert!(logging.hide(secret));
        }
        let form = encoded.replace("%20", "+");
        let texts =
            [format!("{secret:?}"), format!("{:?}", Some(secret)), format!("?a={encoded}&"), format!("?a={form}&")];
        for text in &texts {
            say_with(&*logger, Level::Info, "app", text, &[("text", Value::from(text.as_str()))]);
        }
        say_with(&*logger, Level::Info, "app", "m", &[("text", Value::from_debug(&Some(secret)))]);
        assert!(logging.flush());
        let written = stage.read("trading_automation.log") + &stage.console.text();
        // The control: without protection, they stand there.
        assert_eq!(written.contains("[redacted]"), hidden, "{written}");
        for part in ["d4", "x%2Fy", "y+z"] {
            assert_eq!(written.contains(part), !hidden, "{part}: {written}");
        }
    }
}

#[test]
fn a_known_value_in_the_name_of_a_thread_is_hidden() {
    let stage = Stage::new();
    let (logging, logger) = stage.builder(stage.options()).secret("canary").build().unwrap();
    let named = thread::Builder::new().name("of canary 7".into());
    named.spawn(move || (0..2).for_each(|_| say(&*logger, Level::Info, "app", "m"))).unwrap().join().unwrap();
    assert!(logging.flush());
    let written = stage.read("trading_automation.log");
    assert_eq!(written.matches(r#""thread":"of [redacted] 7""#).count(), 2, "{written}");
}

#[test]
fn a_secret_that_looks_like_a_part_of_a_line_breaks_none() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    for secret in ["level", "INFO", "true", "null", "2026", "\",\":", "message\":\"", "timestamp"] {
        assert!(logging.hide(secret));
    }
    let fields =
        [("a", Value::from(true)), ("b", Value::null()), ("c", Value::from(2026)), ("d", Value::from("\",\":"))];
    say_with(&*logger, Level::Info, "app", "the level", &fields);
    assert!(logging.flush());
    let hidden = r#","a":"[redacted]","b":"[redacted]","c":"[redacted]","d":"[redacted]""#;
    assert_eq!(stage.read("trading_automation.log"), line(Level::Info, "app", "the [redacted]", hidden));
}

#[test]
fn a_secret_that_is_cut_in_two_is_hidden_too() {
    let secret = &"0123456789abcdef".repeat(2);
    for hidden in [true, false] {
        for shift in 0..40 {
            let stage = Stage::new();
            let (logging, logger) = stage.start(stage.options());
            if hidden {
                assert!(logging.hide(secret));
            }
            // Too long for a line, so that it is cut at 16,384 bytes.
            let text = format!("{}{secret}{}", "-".repeat(16_384 - shift), "+".repeat(60_000));
            say(&*logger, Level::Info, "app", &text);
            assert!(logging.shutdown());
            let shows = stage.read("trading_automation.log").contains(&secret[..4]);
            // The control: without protection, its beginning stands there.
            assert_eq!(shows, !hidden && shift >= 4, "{shift}");
        }
    }
}

#[test]
fn only_values_that_can_be_hidden_are_said_to_be() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    assert!(!logging.hide("abc"));
    assert!(logging.hide("abcd"));
    assert!(logging.hide(&"x".repeat(4_096)));
    assert!(!logging.hide(&"x".repeat(4_097)));
    say(&*logger, Level::Info, "app", "abc abcd");
    assert!(logging.flush());
    assert_eq!(stage.messages("trading_automation.log"), ["abc [redacted]"]);
    assert!(!format!("{logging:?}").contains("abcd"));
}

#[test]
fn all_values_together_are_bounded_and_those_that_fit_stay_hidden() {
    let stage = Stage::new();
    let (logging, logger) = stage.start(stage.options());
    // Plain, so that each has one spelling: 32 take all there is.
    let values: Vec<String> = (10..43).map(|number| format!("{number}").repeat(2_048)).collect();
    let hidden: Vec<bool> = values.iter().map(|value| logging.hide(value)).collect();
    assert_eq!(hidden.iter().filter(|hidden| **hidden).count(), 32);
    assert_eq!(hidden.last(), Some(&false));
    // Nothing more has room, and what is hidden already needs none.
    assert!(!logging.hide("more"));
    assert!(logging.hide(&values[0]));
    say(&*logger, Level::Info, "app", &format!("{}, {}, more", values[0], values[31]));
    assert!(logging.flush());
    assert_eq!(stage.messages("trading_automation.log"), ["[redacted], [redacted], more"]);
}

#[test]
fn each_spelling_takes_of_what_all_values_can_have() {
    let stage = Stage::new();
    let (logging, _logger) = stage.start(stage.options());
    // Plain, as a URL, and as a form.
    let values = (10..42).map(|number| format!("{number} ").repeat(1_365));
    assert_eq!(values.filter(|value| logging.hide(value)).count(), 8);
}
