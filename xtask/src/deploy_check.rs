//! `cargo xtask deploy-check`: the files of `deploy/`, by the tools that will read them.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use anyhow::Context as _;

use crate::{checkout, process, tidy};

/// How open `systemd-analyze security` may find the unit, times ten: below 20 it says OK. The rest is the network.
const EXPOSURE_MAX: &str = "20";

pub(crate) fn run() -> anyhow::Result<String> {
    let deploy = checkout().join("deploy");
    Ok([prometheus(&deploy)?, systemd(&deploy)?].join("\n"))
}

fn prometheus(deploy: &Path) -> anyhow::Result<String> {
    if !process::is_there(Command::new("promtool").arg("--version")) {
        return Ok("skipped: promtool is not installed (Debian's package prometheus has it)".to_owned());
    }
    let folder = tempfile::tempdir()?;
    // Promtool reads no dashboards; as rules, their queries are read like others.
    let mut rules = "groups:\n  - name: dashboards\n    rules:\n".to_owned();
    let queries = tidy::queries(checkout())?;
    for (number, query) in queries.iter().enumerate() {
        let text = query.replace("$__rate_interval", "5m").replace("$instance", ".+");
        writeln!(rules, "      - record: query_{number}\n        expr: {}", serde_json::to_string(&text)?)?;
    }
    let dashboards = folder.path().join("dashboards.yml");
    fs::write(&dashboards, rules)?;

    let promtool = |arguments: [&str; 2], file: &Path| {
        let mut command = Command::new("promtool");
        process::output(command.args(arguments).arg(file).current_dir(deploy.join("prometheus")))
    };
    promtool(["check", "config"], Path::new("prometheus.yml"))?;
    promtool(["check", "rules"], &dashboards).context("a query of a dashboard is not PromQL")?;
    promtool(["test", "rules"], Path::new("alerts_test.yml"))?;
    Ok(format!(
        "well: promtool reads the configuration and {} queries, and each alert fires when it should",
        queries.len()
    ))
}

fn systemd(deploy: &Path) -> anyhow::Result<String> {
    if !process::is_there(Command::new("systemd-analyze").arg("--version")) {
        return Ok("skipped: systemd-analyze is not installed".to_owned());
    }
    // It wants to find what the unit names, so it gets a root that has that, and nothing of this machine.
    let root = tempfile::tempdir()?;
    let units = root.path().join("etc/systemd/system");
    fs::create_dir_all(&units)?;
    for program in ["usr/local/bin/trading", "bin/kill"] {
        let program = root.path().join(program);
        fs::create_dir_all(program.parent().context("it has one")?)?;
        fs::write(&program, "")?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    }
    fs::copy(deploy.join("systemd/trading.service"), units.join("trading.service"))?;
    for target in ["network-online", "sysinit", "basic", "shutdown", "multi-user"] {
        fs::write(units.join(format!("{target}.target")), "[Unit]\n")?;
    }
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(arguments).arg(format!("--root={}", root.path().display())).arg("trading.service");
        command.env("SYSTEMD_COLORS", "0").env("SYSTEMD_LOG_LEVEL", "warning").env("SYSTEMD_PAGER", "");
        process::output(&mut command)
    };
    analyze(&["verify", "--man=no", "--recursive-errors=yes"])?;
    let table = analyze(&["security", "--offline=yes", "--no-pager", &format!("--threshold={EXPOSURE_MAX}")])?;
    let last = table.lines().rev().find(|line| line.contains("exposure level")).unwrap_or_default();
    let level = last.split(": ").nth(1).and_then(|level| level.split(' ').next()).unwrap_or("unknown");
    Ok(format!("well: systemd-analyze reads the unit; its exposure is {level} of 10"))
}
