//! What is said about settings that break a rule.

use crate::{ONE_AGENT, faults_of, load, loader, project};

#[track_caller]
fn check(variables: &[(&str, &str)], expected: &[&str]) {
    let error = load(variables).expect_err("is refused").to_string();
    assert_eq!(faults_of(&error), expected);
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
fn slips_of_the_finger_are_named() {
    check(
        &[
            ("DATABSE_PATH", "x"),
            ("ENVIROMENT", "production"),
            ("MONITORING__PROT", "1"),
            ("HOME", "/root"),
            ("SMTP_HOST", "other programs read it"),
            ("DATABASE_BAKCUP_ENABELD", "x"),
            ("DATABASE_URL", "other programs read it"),
            ("LOG_LEVXL", "x"),
            ("MARKET_HOURS_QNZ", "x"),
            ("ENVIRONMENT_FILE", "x"),
        ],
        &[
            "DATABASE_BAKCUP_ENABELD: must be a known variable; found an unknown one, from variable DATABASE_BAKCUP_ENABELD; \
             did you mean DATABASE_BACKUP_ENABLED?",
            "DATABSE_PATH: must be a known variable; found an unknown one, from variable DATABSE_PATH; did you mean \
             DATABASE_PATH?",
            "ENVIROMENT: must be a known variable; found an unknown one, from variable ENVIROMENT; did you mean ENVIRONMENT?",
            "ENVIRONMENT_FILE: must be a known variable; found an unknown one, from variable ENVIRONMENT_FILE; did you mean \
             ENVIRONMENT?",
            "LOG_LEVXL: must be a known variable; found an unknown one, from variable LOG_LEVXL; did you mean LOG_LEVEL?",
            "MARKET_HOURS_QNZ: must be a known variable; found an unknown one, from variable MARKET_HOURS_QNZ; did you mean \
             MARKET_HOURS_END?",
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
    const ADDRESSES: [&str; 8] = [
        PAPER,
        LIVE,
        "http://paper-api.alpaca.markets",
        "http://api.alpaca.markets",
        "https://paper-api.alpaca.markets.example",
        "https://api.alpaca.markets.example",
        "https://data.alpaca.markets",
        "https://127.0.0.1",
    ];
    for paper in ["true", "1", "false", "0"] {
        for url in ADDRESSES {
            for confirmed in ["", "yes", "YES-REAL-MONEY", "yes-real-money"] {
                let good = match paper {
                    "true" | "1" => url == PAPER,
                    _ => url == LIVE && confirmed == "yes-real-money",
                };
                let variables =
                    [("ALPACA_PAPER_TRADING", paper), ("ALPACA_BASE_URL", url), ("ALPACA_LIVE_CONFIRMED", confirmed)];
                let loaded = load(&variables);
                assert_eq!(loaded.is_ok(), good, "{variables:?}");
                assert!(loaded.is_err() || loaded.is_ok_and(|s| s.api.alpaca.paper == (url == PAPER)), "{variables:?}");
            }
        }
    }
    assert!(load(&[("ALPACA_BASE_URL", LIVE)]).is_err(), "paper is the default");
    assert!(load(&[("ALPACA_LIVE_CONFIRMED", "yes-real-money")]).is_ok(), "the word alone changes nothing");
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
    let folder = project(&[("config/agents.json", ONE_AGENT)]);
    let keys =
        [("ENVIRONMENT", "production"), ("QUIVER_API_KEY", "k"), ("ALPACA_API_KEY", "k"), ("ALPACA_SECRET_KEY", "k")];
    loader(folder.path(), &keys).load().expect("nothing is missing");
    let error = loader(folder.path(), &keys[..3]).load().expect_err("one is missing").to_string();
    assert_eq!(
        error,
        "the configuration has 1 fault: api.alpaca.secret_key: is required in production; found nothing, from default; set \
         ALPACA_SECRET_KEY, or ENVIRONMENT=development to do without"
    );
}

#[test]
fn placeholders_are_refused_in_production() {
    let folder = project(&[("config/agents.json", ONE_AGENT)]);
    let variables = [
        ("ENVIRONMENT", "production"),
        ("QUIVER_API_KEY", "your_quiver_api_key_here"),
        ("ALPACA_API_KEY", "YOUR-KEY-HERE"),
        ("ALPACA_SECRET_KEY", "k"),
        ("SMTP_USERNAME", " your_email_here "),
    ];
    let error = loader(folder.path(), &variables).load().expect_err("placeholders").to_string();
    assert_eq!(
        error,
        "the configuration has 3 faults\n  \
         api.alpaca.key: must be a value, not a placeholder for one; found a placeholder, from variable ALPACA_API_KEY; set \
         ALPACA_API_KEY to what it stands for\n  \
         api.quiver.key: must be a value, not a placeholder for one; found a placeholder, from variable QUIVER_API_KEY; set \
         QUIVER_API_KEY to what it stands for\n  \
         notifications.smtp_username: must be a value, not a placeholder for one; found a placeholder, from variable \
         SMTP_USERNAME; set SMTP_USERNAME to what it stands for"
    );
    // Where something must be set, in development too.
    check(
        &[("LOG_PATH", "your_folder_here")],
        &[
            "logging.path: must be a value, not a placeholder for one; found a placeholder, from variable LOG_PATH; set \
             LOG_PATH to what it stands for",
        ],
    );
}

#[test]
fn missing_keys_are_one_warning_in_development() {
    let warnings = |variables: &[(&str, &str)]| load(variables).expect("loads").warnings().to_vec();
    assert_eq!(
        warnings(&[("QUIVER_API_KEY", "your_quiver_api_key_here"), ("ALPACA_API_KEY", "k")]),
        ["what calls outside services cannot work before these are set: QUIVER_API_KEY (now a placeholder) and \
             ALPACA_SECRET_KEY",]
    );
    let all = [("QUIVER_API_KEY", "k"), ("ALPACA_API_KEY", "k"), ("ALPACA_SECRET_KEY", "k")];
    assert_eq!(warnings(&all), [""; 0]);
    let settings = load(&[("QUIVER_API_KEY", "your_quiver_api_key_here")]).expect("loads");
    assert!(settings.api.quiver.key.is_none(), "a placeholder is no key");
    let folder = project(&[("config/agents.json", ONE_AGENT)]);
    let settings = loader(folder.path(), &[("ENVIRONMENT", "test")]).load().expect("loads");
    assert!(settings.warnings().is_empty(), "tests need no keys");
}

#[test]
fn a_rule_between_keys_is_silent_where_one_of_them_is_faulty() {
    check(
        &[("MARKET_HOURS_START", "late"), ("MARKET_HOURS_END", "00:00")],
        &["scheduling.market_hours_start: must be a time of day such as 09:30; found \"late\", from variable \
             MARKET_HOURS_START; for example MARKET_HOURS_START=09:30"],
    );
}

#[test]
fn the_first_wait_is_not_longer_than_the_longest() {
    load(&[("API__RETRY_WAIT", "10ms"), ("API__RETRY_WAIT_MAX", "10ms")]).expect("they may be the same");
    check(
        &[("API__RETRY_WAIT", "20ms"), ("API__RETRY_WAIT_MAX", "10ms")],
        &[
            "api.retry_wait, api.retry_wait_max: the first wait must not be longer than the longest; found \"20ms\" and \
             \"10ms\", from variable API__RETRY_WAIT and variable API__RETRY_WAIT_MAX; for example API__RETRY_WAIT=1s and \
             API__RETRY_WAIT_MAX=1m",
        ],
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
fn what_others_reach_is_guarded() {
    let open = [("MONITORING__HOST", "0.0.0.0")];
    check(
        &open,
        &["monitoring.host, monitoring.token, monitoring.allow_unauthenticated: whoever reaches an address of this \
             machine could read what it says; found \"0.0.0.0\", nothing and \"false\", from variable MONITORING__HOST and \
             default; set MONITORING__TOKEN, or MONITORING__ALLOW_UNAUTHENTICATED=true, or MONITORING__HOST=127.0.0.1"],
    );
    load(&[open[0], ("MONITORING__TOKEN", "0123456789abcdef")]).expect("a token is asked for");
    load(&[open[0], ("MONITORING__ALLOW_UNAUTHENTICATED", "yes")]).expect("it was said");
    let webhook = [("NOTIFICATIONS__WEBHOOK_URL", "https://example.com/a")];
    check(
        &webhook,
        &[
            "notifications.webhook_url, notifications.webhook_secret: a post is not believed unless it is signed; found \
             a secret and nothing, from variable NOTIFICATIONS__WEBHOOK_URL and default; set NOTIFICATIONS__WEBHOOK_SECRET \
             as well",
        ],
    );
    load(&[webhook[0], ("NOTIFICATIONS__WEBHOOK_SECRET", "0123456789abcdef")]).expect("it is signed");
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
