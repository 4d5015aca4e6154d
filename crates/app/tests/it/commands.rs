//! The commands beside `serve`.

use crate::{project, run, text, tree};

#[test]
fn init_db_says_what_it_did() {
    let folder = project();
    let init = |arguments: &[&str]| {
        let output = run(folder.path(), &[], &[&["init-db"], arguments].concat());
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
        text(&output.stdout)
    };
    assert_eq!(init(&[]), "created data/trading_automation.db, schema version 1\n0 trades\n");
    assert_eq!(init(&[]), "data/trading_automation.db has schema version 1: nothing was needed\n0 trades\n");
    let filled = init(&["--sample-data"]);
    assert!(filled.contains("nothing was needed\nsample data: "), "{filled}");
    let trades = filled.split("sample data: ").nth(1).and_then(|text| text.split(',').next()).expect("a number");
    assert_eq!(
        init(&["--sample-data"]),
        format!(
            "data/trading_automation.db has schema version 1: nothing was needed\n{trades}; sample data only goes into a \
             record that has none\n"
        )
    );
    let expected = format!("created {}/other/a.db, schema version 1\n0 trades\n", folder.path().display());
    assert_eq!(init(&["--path", "other/a.db"]), expected);
    let many = init(&["--path", "many.db", "--sample-data", "--trades", "1234"]);
    assert!(many.contains("\nsample data: 1234 trades, "), "{many}");
    assert_eq!(run(folder.path(), &[], &["init-db", "--trades", "1"]).status.code(), Some(2), "it says of what");
}

#[test]
fn made_up_trades_and_real_money_do_not_meet() {
    let folder = project();
    let keys = ["QUIVER_API_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"].map(|name| (name, "a-key"));
    let production: Vec<_> =
        [("ENVIRONMENT", "production"), ("MONITORING__PORT", "0")].into_iter().chain(keys).collect();
    let refused = |arguments: &[&str]| {
        let output = run(folder.path(), &production, arguments);
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let expected = "error: made-up trades do not go into production; way out: set \
                    DATABASE_PATH to another database\n";
    assert_eq!(refused(&["init-db", "--sample-data"]), expected);
    drop(run(folder.path(), &[], &["init-db", "--sample-data"]));
    assert_eq!(refused(&[]), expected);
    assert_eq!(refused(&["init-db"]), expected);
}

#[test]
fn check_config_says_if_the_settings_are_good_and_starts_nothing() {
    let folder = project();
    let before = tree(folder.path());
    let check = |environment: &[(&str, &str)]| {
        let output = run(folder.path(), environment, &["check-config"]);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let keys = "QUIVER_API_KEY, ALPACA_API_KEY and ALPACA_SECRET_KEY";
    let good = "the settings are good: development, paper money, 5 of 5 agents enabled\n";
    let warning = format!("warning: what calls outside services cannot work before these are set: {keys}\n");
    assert_eq!(check(&[]), (Some(0), good.to_owned(), warning));
    let bad = "error: the configuration has 1 fault: logging.level: must be one of ERROR, WARNING, INFO, DEBUG, TRACE; found \
               \"LOUD\", from variable LOG_LEVEL; for example LOG_LEVEL=INFO\n";
    assert_eq!(check(&[("LOG_LEVEL", "LOUD")]), (Some(2), String::new(), bad.to_owned()));
    assert_eq!(tree(folder.path()), before);
}

#[test]
fn explain_says_where_a_setting_comes_from_and_shows_no_secret() {
    let folder = project();
    let secret = [("QUIVER_API_KEY", "00canary42"), ("LOG_LEVEL", "WARNING")];
    let explain = |arguments: &[&str]| {
        let output = run(folder.path(), &secret, &[&["explain"], arguments].concat());
        assert!(!text(&output.stdout).contains("canary") && !text(&output.stderr).contains("canary"));
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let level = "logging.level = WARNING\n  from      variable LOG_LEVEL\n  variable  LOG_LEVEL\n  default   INFO\n  \
                 must be   one of ERROR, WARNING, INFO, DEBUG, TRACE\n  meaning   How much is logged. The earlier system's CRITICAL means ERROR.\n";
    assert_eq!(explain(&["LOG_LEVEL"]), (Some(0), level.to_owned(), String::new()));
    let (code, key, _) = explain(&["api.quiver.key"]);
    assert_eq!((code, key.lines().next()), (Some(0), Some("api.quiver.key = [redacted]")));
    let (code, all, _) = explain(&[]);
    assert!(code == Some(0) && all.contains("level = \"WARNING\" # variable LOG_LEVEL\n"), "{all}");
    let (code, section, _) = explain(&["api.quiver"]);
    assert!(code == Some(0) && section.starts_with("[api.quiver]\n") && !section.contains("[api.alpaca]"), "{section}");
    let (code, _, error) = explain(&["loging.level"]);
    assert_eq!((code, error.contains("logging.level")), (Some(2), true), "{error}");
}

#[test]
fn help_and_version_need_no_project() {
    let folder = tempfile::tempdir().expect("a folder");
    let version = text(&run(folder.path(), &[], &["--version"]).stdout);
    let number = env!("CARGO_PKG_VERSION");
    assert!(version.starts_with(&format!("trading {number}\ncommit     ")), "{version}");
    assert!(version.contains("\nSQLite     3.") && version.contains(&format!(" storage {number}\n")), "{version}");
    let short = text(&run(folder.path(), &[], &["-V"]).stdout);
    assert!(short.starts_with(&format!("trading {number} (")) && short.lines().count() == 1, "{short}");
    let help = text(&run(folder.path(), &[], &["--help"]).stdout);
    for word in ["serve", "init-db", "--set", "Examples:", "Exit codes: 0 well, 1 failed, 2 usage or settings."] {
        assert!(help.contains(word), "{word} in {help}");
    }
    assert!(tree(folder.path()).is_empty());
}

#[test]
fn serve_says_its_banner_as_json_too() {
    let folder = project();
    let mut command = crate::trading(folder.path(), &[("MONITORING__PORT", "0"), ("LOGGING__CONSOLE", "off")]);
    let mut child = command.args(["--json"]).stdout(std::process::Stdio::piped()).spawn().expect("starts");
    let mut stdout = child.stdout.take().expect("is piped");
    let mut said = Vec::new();
    let banner = loop {
        let mut some = [0; 4096];
        let count = std::io::Read::read(&mut stdout, &mut some).expect("is read");
        said.extend_from_slice(some.get(..count).expect("as much as was read"));
        if let Ok(banner) = serde_json::from_slice::<serde_json::Value>(&said) {
            break banner;
        }
        assert_ne!(count, 0, "{}", text(&said));
    };
    assert_eq!((&banner["pid"], &banner["agents"], &banner["paper"]), (&child.id().into(), &5.into(), &true.into()));
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

#[test]
fn components_of_the_log_have_levels() {
    let folder = project();
    let quiet = [("LOGGING__LEVELS", "trading_automation=ERROR, trading=INFO")];
    let (code, _, stderr) = crate::Running::start(folder.path(), &quiet).stop(rustix::process::Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(!stderr.contains("started") && stderr.contains("the head of the chain of trades"), "{stderr}");
    let unknown = [("LOGGING__LEVELS", "quiver=DEBUG"), ("MONITORING__PORT", "0")];
    let before = tree(folder.path());
    let expected = "error: no log component is called \"quiver\"; those of the options are known, and `trading_automation`; way out: \
                    correct LOGGING__LEVELS: it may name agents, api, trading, performance, trading_automation, and what a program adds\n";
    for arguments in [&[][..], &["check-config"]] {
        let output = run(folder.path(), &unknown, arguments);
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(2), expected), "{arguments:?}");
        assert_eq!(tree(folder.path()), before, "nothing was made");
    }
}
