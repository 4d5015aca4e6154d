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
    let expected = "error: made-up trades do not go into production\n  way out: set \
                    DATABASE_PATH to another database\n";
    assert_eq!(refused(&["init-db", "--sample-data"]), expected);
    drop(run(folder.path(), &[], &["init-db", "--sample-data"]));
    assert_eq!(refused(&[]), expected);
    assert_eq!(refused(&["init-db"]), expected);
}

#[test]
fn help_and_version_need_no_project() {
    let folder = tempfile::tempdir().expect("a folder");
    let version = run(folder.path(), &[], &["--version"]);
    assert_eq!(text(&version.stdout), format!("trading {}\n", env!("CARGO_PKG_VERSION")));
    let help = text(&run(folder.path(), &[], &["--help"]).stdout);
    for word in ["serve", "init-db", "--set", "Examples:", "Exit codes: 0 well, 1 failed, 2 usage or settings."] {
        assert!(help.contains(word), "{word} in {help}");
    }
    assert!(tree(folder.path()).is_empty());
}
