//! Secrets reach neither the files nor the console.

use log::{Level, Record, kv::Value};
use trading_logging::{Console, Options};

use crate::stage::{Stage, line};

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
            ("monkey", Value::from("bonobo")),
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
            r#","access_token":"[redacted]","Authorization":"[redacted]","monkey":"bonobo","client_order_id":"o-1""#,
        );
        assert_eq!(stage.read("trading_automation.log"), line(Level::Info, "trading", "m", expected));
        assert_eq!(stage.read("trading.log"), line(Level::Info, "trading", "m", expected));
        if console == Console::Text {
            assert_eq!(
                stage.console.text(),
                "05:06:07.089Z INFO  trading  m  api_key=[redacted] X-Api-Key=[redacted] clientSecret=[redacted] \
                 smtp_password=[redacted] access_token=[redacted] Authorization=[redacted] monkey=bonobo \
                 client_order_id=o-1\n"
            );
        }
    }
}
