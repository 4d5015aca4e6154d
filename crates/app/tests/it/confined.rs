//! C4: as uid 65532, without a capability, on a root that cannot be written, with the data folder alone to write to; and a control
//! without that folder.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{Running, text};

/// Mounts the data folder, makes all other folders read-only, and gives up every right before it runs what it is told.
const SCRIPT: &str = "set -e
    mount --make-rprivate /
    [ \"$3\" = read-only ] || mount -t tmpfs -o mode=700,uid=65532,gid=65532 none \"$2\"
    for folder in $(awk '{ print $2 }' /proc/mounts); do
        [ \"$folder\" = \"$2\" ] || mount -o remount,bind,ro \"$folder\" 2>/dev/null || true
    done
    cd \"$2\"
    program=\"$1\"; shift 3
    exec setpriv --reuid=65532 --regid=65532 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \"$program\" \"$@\"";

const SKIPPED: &str = "C4 is skipped: nothing can be mounted in a namespace here, or unshare or setpriv is missing";

/// A place that everybody may read, with the program and a data folder.
struct Confined {
    folder: TempDir,
    data: &'static str,
}

impl Confined {
    /// `None` where nothing can be confined so.
    fn new(data: &'static str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let everybody = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), everybody).expect("is set");
        fs::copy(env!("CARGO_BIN_EXE_trading"), folder.path().join("trading")).expect("is copied");
        fs::create_dir(folder.path().join("data")).expect("is made");
        let confined = Self { folder, data };
        let works = confined.command("/bin/true", &[]).output().is_ok_and(|output| output.status.success());
        works.then_some(confined)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", SCRIPT, "sh", program]);
        command.arg(self.folder.path().join("data")).arg(self.data).args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("MONITORING__EXTERNAL_CHECKS", "false");
        command
    }

    fn program(&self) -> String {
        self.folder.path().join("trading").to_str().expect("a text").to_owned()
    }

    /// What a shell says that is confined so.
    fn says(&self, script: &str) -> String {
        text(&self.command("/bin/sh", &["-c", script]).output().expect("runs").stdout)
    }
}

#[test]
fn c4_confined_to_its_data_folder_the_main_job_is_done() {
    let Some(confined) = Confined::new("writable") else {
        eprintln!("{SKIPPED}");
        return;
    };
    // The confinement is one: what is tried here is refused.
    let tried = format!("id -u; grep CapEff /proc/self/status; touch {}/x 2>&1", confined.folder.path().display());
    let said = confined.says(&tried);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.first().copied(), Some("65532"), "{said}");
    assert!(said.contains("CapEff:\t0000000000000000\n") && said.contains("Read-only file system"), "{said}");

    let running = Running::of(confined.command(&confined.program(), &[]));
    assert!(running.banner.join("\n").contains("created data/trading_automation.db"), "{:?}", running.banner);
    assert_eq!(running.get("/live").0, 200);
    assert_eq!(running.json("/ready")["ready"], true);
    assert_eq!(running.json("/health/database")["details"]["trades"], 400);
    assert!(running.get("/metrics").2.contains("\ndatabase_trades 400\n"));
    let (code, _, stderr) = running.stop(Signal::TERM);
    assert_eq!(code, Some(0), "{stderr}");
    // The other commands, on a record of their own each time: what is mounted goes with the process.
    let all =
        "set -e; init-db --sample-data; verify; backup create; backup verify; restore --yes; agents list; check-config";
    let program = confined.program();
    let script = all.replace("; ", &format!(" > /dev/null; {program} ")).replace("set -e > /dev/null", "set -e");
    let output = confined.command("/bin/sh", &["-c", &script]).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{script}: {}", text(&output.stderr));
    assert_eq!(fs::read_dir(confined.folder.path().join("data")).expect("is read").count(), 0, "nothing got out");
}

#[test]
fn c4_control_without_a_folder_to_write_to_it_is_refused() {
    let Some(confined) = Confined::new("read-only") else {
        eprintln!("{SKIPPED}");
        return;
    };
    let output = confined.command(&confined.program(), &[]).env("MONITORING__PORT", "0").output().expect("runs");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.starts_with("error: this machine is not ready\n") && stderr.contains("cannot be written"),
        "{stderr}"
    );
}
