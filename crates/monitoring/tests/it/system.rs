//! The figures of the machine that the tests run on.

use std::time::Duration;

use trading_monitoring::{System, SystemOptions};

use crate::client::NEVER;

#[test]
fn the_first_report_is_there_at_once_and_plausible() {
    let dir = tempfile::tempdir().unwrap();
    let system = System::start(SystemOptions { data_dir: dir.path().into(), interval: NEVER }).unwrap();
    let report = system.report();
    assert!(report.cpu.cores > 0.0);
    assert!(report.memory.total_bytes >= report.memory.available_bytes);
    assert!(report.memory.available_bytes > 0);
    assert!(report.swap.total_bytes >= report.swap.used_bytes);
    let space = report.disk.space.unwrap();
    assert!(space.total_bytes >= space.used_bytes + space.free_bytes);
    let process = report.process;
    assert_eq!(process.pid, std::process::id());
    assert!(process.resident_bytes > 100_000);
    assert!(process.uptime < Duration::from_secs(24 * 3_600));
    if cfg!(target_os = "linux") {
        assert!(process.threads.unwrap() >= 2);
        assert!((3..=process.open_fds_max.unwrap()).contains(&process.open_fds.unwrap()));
        assert!(report.cpu.load.is_some());
    }
}
