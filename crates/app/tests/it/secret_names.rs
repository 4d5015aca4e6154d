//! Lines and errors hide values by the same names, though neither of their crates knows the other.

use std::{fs, path::Path};

use log::{Level, Record, kv::Value};
use trading_logging::{Console, Logging, Options};
use trading_resilience::{Error, TradingError};

/// Names, and whether they are those of secrets.
const NAMES: [(&str, bool); 44] = [
    ("secret", true),
    ("clientSecretName", true),
    ("smtp_password", true),
    ("passWord", true),
    ("passphrase", true),
    ("credentials", true),
    ("x_apikey", true),
    ("token_name", true),
    ("authtoken", true),
    ("APIToken", true),
    ("refresh-tokens", true),
    ("Proxy-Authorization", true),
    ("bearer", true),
    ("db_pwd", true),
    ("Set-Cookie", true),
    ("jwt", true),
    ("X-Amz-Signature", true),
    ("sessionid", true),
    ("key", true),
    ("api_keys_10", true),
    ("alpacakey", true),
    ("APCA-API-KEY-ID", true),
    ("smtp_pass", true),
    ("oauth", true),
    ("session", true),
    ("sig", true),
    ("monkey", true),
    ("Monkeys", true),
    ("turnkey", true),
    ("lackey", true),
    ("bypass", false),
    ("underpass", false),
    ("keyboard", false),
    ("key_count", false),
    ("key_name_id", false),
    ("tokenizer", false),
    ("forbearer", false),
    ("author", false),
    ("passed", false),
    ("signal", false),
    ("session_count", false),
    ("client_order_id", false),
    ("métrique", false),
    ("", false),
];

fn hidden_in_an_error(name: &'static str) -> bool {
    let error = Error::from(TradingError::MarketClosed { next_open: None }).with(name, "canary");
    error.context().all(|(_, value)| value == "[redacted]")
}

#[test]
fn lines_and_errors_hide_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { console: Console::Off, ..Options::at(folder.path()) };
    let (logging, logger) = Logging::builder(options).build().expect("it makes sense");
    for (name, hidden) in NAMES {
        assert_eq!(hidden_in_an_error(name), hidden, "{name}");
        let fields = [(name, Value::from("canary"))];
        logger.log(&Record::builder().level(Level::Info).key_values(&fields).args(format_args!("{name}")).build());
    }
    assert!(logging.shutdown());
    let log = fs::read_to_string(folder.path().join("trading_automation.log")).expect("it was written");
    assert_eq!(log.lines().count(), NAMES.len());
    for (line, (name, hidden)) in log.lines().zip(NAMES) {
        assert_eq!((line.contains("canary"), line.contains("[redacted]")), (!hidden, hidden), "{name}: {line}");
    }
}

#[test]
fn the_rule_is_the_same_to_the_letter() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the crates");
    let rule = |name: &str| fs::read_to_string(crates.join(name).join("src/redaction/name.rs")).expect("it is there");
    assert!(
        rule("logging") == rule("resilience"),
        "one redaction/name.rs was changed alone: copy it to the other crate"
    );
}
