//! What is said about settings that break a rule.

use trading_config::Settings;

use crate::{load, loader, project};

#[track_caller]
fn check(variables: &[(&str, &str)], expected: &[&str]) {
    let error = load(variables).expect_err("is refused").to_string();
    let lines: Vec<_> = error.lines().skip(1).map(str::trim).collect();
    assert_eq!(lines, expected);
}

#[track_caller]
fn good(name: &str, value: &str) {
    if let Err(error) = load(&[(name, value)]) {
        panic!("{name}={value} is good, but: {error}");
    }
}

#[track_caller]
fn bad(name: &str, value: &str, rule: &str) {
    let error = load(&[(name, value)]).expect_err("is refused").to_string();
    assert!(error.contains(&format!(": must be {rule}; found {value:?}, from variable {name}; ")), "{error}");
}

#[test]
fn all_faults_come_at_once_and_sorted() {
    check(
        &[
            ("LOG_LEVEL", "loud"),
            ("ALPACA_PAPER_TRADING", "maybe"),
            ("TIMEZONE", "Eastern"),
            ("API_TIMEOUT_SECONDS", "0"),
        ],
        &[
            "api.alpaca.paper: must be true or false (also yes/no, on/off, 1/0); found \"maybe\", from variable \
             ALPACA_PAPER_TRADING; for example ALPACA_PAPER_TRADING=true",
            "api.timeout: must be from 1s to 10m; found \"0\", from variable API_TIMEOUT_SECONDS; for example \
             API_TIMEOUT_SECONDS=30s",
            "logging.level: must be one of ERROR, WARNING, INFO, DEBUG, TRACE; found \"loud\", from variable LOG_LEVEL; \
             for example LOG_LEVEL=INFO",
            "scheduling.timezone: must be a time zone of the IANA list, such as US/Eastern; found \"Eastern\", from \
             variable TIMEZONE; for example TIMEZONE=US/Eastern",
        ],
    );
}

#[test]
fn each_bound_is_kept() {
    for (name, low, high, below, above, rule) in [
        ("DATABASE_BACKUP_RETENTION_DAYS", "1", "3650", "0", "3651", "from 1 to 3650"),
        ("LOG_RETENTION_DAYS", "1", "3650", "0", "3651", "from 1 to 3650"),
        ("DATABASE__READERS", "1", "64", "0", "65", "from 1 to 64"),
        ("DATABASE__BUSY_TIMEOUT", "1s", "5m", "999ms", "301s", "from 1s to 5m"),
        ("RATE_LIMIT_REQUESTS_PER_MINUTE", "1", "10000", "0", "10001", "from 1 to 10000"),
        ("API_TIMEOUT_SECONDS", "1", "600", "0.5", "601", "from 1s to 10m"),
        ("RETRY_MAX_ATTEMPTS", "1", "10", "0", "11", "from 1 to 10"),
        ("RETRY_BACKOFF_FACTOR", "1", "10", "0.99", "10.01", "from 1 to 10"),
        ("POLITICIAN_MATCH_THRESHOLD", "0.0001", "1", "0", "1.0001", "above 0 and at most 1"),
        ("MONITORING__CHECK_INTERVAL", "1s", "1h", "0s", "3601s", "from 1s to 1h"),
        ("SMTP_PORT", "1", "65535", "0", "65536", "from 1 to 65535"),
    ] {
        good(name, low);
        good(name, high);
        bad(name, below, rule);
        let above_rule = if name == "SMTP_PORT" { "a whole number from 0 to 65535" } else { rule };
        bad(name, above, above_rule);
    }
    good("TRADE_MINIMUM_AMOUNT", "0.01");
    bad("TRADE_MINIMUM_AMOUNT", "0", "above 0");
    good("MINIMUM_CONGRESS_TRADE_VALUE", "0");
    bad("MINIMUM_CONGRESS_TRADE_VALUE", "-1", "at least 0");
    good("NOTIFICATION_EMAIL", "a@example.com");
    bad("NOTIFICATION_EMAIL", "a@b@c", "an e-mail address such as operator@example.com");
}

#[test]
fn slips_of_the_finger_are_named() {
    check(
        &[
            ("DATABSE_PATH", "x"),
            ("ENVIROMENT", "production"),
            ("MONITORING__PROT", "1"),
            ("HOME", "/root"),
            ("SMTP_HOST", "other programs read it"),
        ],
        &[
            "DATABSE_PATH: must be a known variable; found an unknown one, from variable DATABSE_PATH; did you mean \
             DATABASE_PATH?",
            "ENVIROMENT: must be a known variable; found an unknown one, from variable ENVIROMENT; did you mean ENVIRONMENT?",
            "MONITORING__PROT: must be a known variable; found an unknown one, from variable MONITORING__PROT; did you \
             mean MONITORING__PORT?",
        ],
    );
}

#[test]
fn files_and_overrides_are_checked_alike() {
    let folder =
        project(&[("config/development.toml", "[database]\npaht = \"a\"\nreaders = []\n[loging]\nlevel = 1\n")]);
    let loader = loader(folder.path(), &[]).set("database.readrs", "1").set("LOG_LEVEL", "info");
    let error = loader.load().expect_err("is refused").to_string();
    assert_eq!(
        error,
        "the configuration has 5 faults\n  \
         LOG_LEVEL: must be a known key; found an unknown one, from override; did you mean logging.level?\n  \
         database.paht: must be a known key; found an unknown one, from config/development.toml:2; did you mean database.path?\n  \
         database.readers: must be a whole number from 0 to 4294967295; found a list, from config/development.toml:3; for \
         example DATABASE__READERS=4\n  \
         database.readrs: must be a known key; found an unknown one, from override; did you mean database.readers?\n  \
         loging.level: must be a known key; found an unknown one, from config/development.toml:5; did you mean logging.level?"
    );
}

#[test]
fn an_unknown_environment_is_refused() {
    check(
        &[("ENVIRONMENT", "staging")],
        &[
            "environment: must be development, test or production; found \"staging\", from variable ENVIRONMENT; for example \
           ENVIRONMENT=development",
        ],
    );
}

#[test]
fn paper_and_real_money_are_never_mixed_up() {
    const PAPER: &str = "https://paper-api.alpaca.markets";
    const LIVE: &str = "https://api.alpaca.markets";
    for (paper, url, confirmed, accepted) in [
        ("1", PAPER, "", true),
        ("true", PAPER, "yes-real-money", true),
        ("false", LIVE, "yes-real-money", true),
        ("0", LIVE, "", false),
        ("0", LIVE, "yes", false),
        ("0", PAPER, "yes-real-money", false),
        ("1", LIVE, "yes-real-money", false),
        ("1", "http://paper-api.alpaca.markets", "", false),
        ("1", "https://paper-api.alpaca.markets.example", "", false),
        ("0", "https://api.alpaca.markets.example", "yes-real-money", false),
    ] {
        let variables =
            [("ALPACA_PAPER_TRADING", paper), ("ALPACA_BASE_URL", url), ("ALPACA_LIVE_CONFIRMED", confirmed)];
        assert_eq!(load(&variables).is_ok(), accepted, "{variables:?}");
    }
    check(
        &[("ALPACA_PAPER_TRADING", "no")],
        &[
            "api.alpaca.paper, api.alpaca.base_url, api.alpaca.live_confirmed: without paper trading, the address must be \
           https://api.alpaca.markets and live trading confirmed; found \"no\", \"https://paper-api.alpaca.markets\" and \
           nothing, from variable ALPACA_PAPER_TRADING and default; set ALPACA_PAPER_TRADING=true, or for real money \
           ALPACA_BASE_URL=https://api.alpaca.markets and ALPACA_LIVE_CONFIRMED=yes-real-money",
        ],
    );
}

#[test]
fn production_needs_its_keys() {
    let folder = project(&[("config/agents.json", r#"{"agents": []}"#)]);
    let keys =
        [("ENVIRONMENT", "production"), ("QUIVER_API_KEY", "k"), ("ALPACA_API_KEY", "k"), ("ALPACA_SECRET_KEY", "k")];
    loader(folder.path(), &keys).load().expect("nothing is missing");
    let error = loader(folder.path(), &keys[..3]).load().expect_err("one is missing").to_string();
    assert_eq!(
        error,
        "the configuration has 1 fault\n  api.alpaca.secret_key: is required in production; found nothing, from default; set \
         ALPACA_SECRET_KEY, or ENVIRONMENT=development to do without"
    );
}

#[test]
fn faults_between_two_keys_name_both() {
    check(
        &[("MARKET_HOURS_START", "16:00"), ("ENABLE_EMAIL_NOTIFICATIONS", "yes")],
        &[
            "notifications.email_enabled, notifications.smtp_server, notifications.email: e-mail needs a server and an \
             address; found \"yes\", nothing and nothing, from variable ENABLE_EMAIL_NOTIFICATIONS and default; set \
             SMTP_SERVER and NOTIFICATION_EMAIL, or ENABLE_EMAIL_NOTIFICATIONS=false",
            "scheduling.market_hours_start, scheduling.market_hours_end: the market must open before it closes; found \
             \"16:00\" and \"16:00\", from variable MARKET_HOURS_START and default; for example MARKET_HOURS_START=09:30 and \
             MARKET_HOURS_END=16:00",
        ],
    );
}

#[test]
fn addresses_are_shown_without_what_may_be_a_secret() {
    for (address, shown) in [
        ("https://user:canary@paper-api.alpaca.markets", "…@paper-api.alpaca.markets"),
        ("https://paper-api.alpaca.markets/?token=canary", "https://paper-api.alpaca.markets/?…"),
        ("https://canary@host/?canary#canary", "…@host/"),
        ("ftp://host/#canary", "ftp://host/?…"),
    ] {
        let error = load(&[("ALPACA_BASE_URL", address)]).expect_err("is refused").to_string();
        assert!(error.contains(&format!("found {shown:?}, from variable ALPACA_BASE_URL")), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    const CANARY: &str = "canary-5f2c";
    let secrets: Vec<_> = Settings::keys().filter(|key| key.secret).collect();
    assert_eq!(secrets.len(), 4, "{secrets:?}");
    let variables: Vec<_> = secrets.iter().map(|key| (key.variable(), CANARY)).collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_ref(), *value)).collect();
    let settings = load(&variables).expect("loads");
    assert!(!format!("{settings:?} {settings:#?}").contains(CANARY));
    for key in secrets {
        let toml = format!("[{}]\n{} = [\"{CANARY}\"]\n", key.section, key.name);
        let folder = project(&[("config/development.toml", &toml)]);
        let error = loader(folder.path(), &variables[..0]).load().expect_err("a list is no secret");
        assert!(error.to_string().contains("found a secret"), "{error}");
        assert!(!format!("{error} {error:?}").contains(CANARY));
    }
}
