//! A name that nobody resolves: in a network of its own, whose only name server listens and is silent.

use std::fs;
use std::net::{ToSocketAddrs as _, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use trading_monitoring::{Endpoint, Status};

use super::looks;

const TEST: &str = "external::dns::a_name_that_nobody_resolves_is_a_failure_in_its_time";
/// What the system's own resolver waits for.
const PATIENT: Duration = Duration::from_secs(3);
const SILENT: &str = "nameserver 127.0.0.1\noptions timeout:3 attempts:1\n";
const ALONE: [&str; 3] = ["--net", "--mount", "sh"];

#[test]
fn a_name_that_nobody_resolves_is_a_failure_in_its_time() {
    if fs::read_to_string("/etc/resolv.conf").is_ok_and(|text| text == SILENT) {
        return look();
    }
    let may = Command::new("unshare").args(ALONE).args(["-c", "ip link set lo up"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        println!("skipped: a network of its own needs root, and the programs unshare and ip");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let resolver = folder.path().join("resolv.conf");
    fs::write(&resolver, SILENT).expect("is written");
    // This very test, once more, in there.
    let output = Command::new("unshare")
        .args(ALONE)
        .args([
            "-c",
            "ip link set lo up && mount --bind \"$1\" /etc/resolv.conf && exec \"$0\" --exact \"$2\" --nocapture",
        ])
        .arg(std::env::current_exe().expect("it runs"))
        .args([resolver.as_os_str(), TEST.as_ref()])
        .output()
        .expect("starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

fn look() {
    let server = UdpSocket::bind("127.0.0.1:53").expect("nobody else is in here");
    let limit = Duration::from_millis(300);
    let endpoint = Endpoint { connect_timeout: limit, ..Endpoint::at("http://broker.example/v2/clock") };
    let start = Instant::now();
    let found = looks(endpoint, 1);
    let took = start.elapsed();
    assert_eq!(found[0].status, Status::Degraded);
    assert!(found[0].message.starts_with("failed 1 of 3 times: timeout"), "{}", found[0].message);
    assert!(took >= limit && took < PATIENT, "{took:?}");
    // The fault has fired: it was asked.
    let mut question = [0; 512];
    server.set_read_timeout(Some(limit)).expect("is set");
    let length = server.recv(&mut question).expect("it was asked");
    assert!(String::from_utf8_lossy(&question[..length]).contains("broker"));
    // Control: without a limit of its own, the system's is waited for.
    let start = Instant::now();
    assert!("broker.example:80".to_socket_addrs().is_err());
    assert!(start.elapsed() >= PATIENT - Duration::from_millis(100), "{:?}", start.elapsed());
}
