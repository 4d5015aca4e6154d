//! S4: the disk does not confirm a sync.

use super::{
    POINTS_MAX,
    judge::Expected,
    say, scratch, seeded, skip, some_of,
    subject::{can_trace, run, traced},
};

#[derive(Debug, Default)]
struct Tally {
    fired: u32,
    in_doubt: u32,
    present: u32,
    refused_to_start: u32,
    acknowledgements: u64,
}

/// The `n`-th sync (and all after it, if `broken`) fails.
fn fail(n: usize, broken: bool, tally: &mut Tally) -> Result<(), String> {
    let call = "fsync,fdatasync";
    let folder = scratch();
    let inject = format!("inject={call}:error=EIO:when={n}{}", if broken { "+" } else { "" });
    let log = folder.path().join("log");
    let (data, log_argument) = (folder.path().join("data"), format!("-o{}", log.display()));
    std::fs::create_dir(&data).map_err(|error| error.to_string())?;
    let strace = [&log_argument, "-e", &format!("trace={call}"), "-e", &inject];
    let heard = run(&mut traced(&data, &["doubt", "8"], &strace));
    tally.fired += u32::from(std::fs::read_to_string(&log).is_ok_and(|log| log.contains("(INJECTED)")));
    let says = |beginning: &str| heard.iter().filter(|line| line.starts_with(beginning)).count();
    let in_doubt = says("doubt ");
    // Nothing was acknowledged between the doubt and the opening anew.
    let mut stopped = false;
    for line in &heard {
        match line.split(' ').next() {
            Some("doubt") => stopped = true,
            Some("reopened") => stopped = false,
            Some("ack") if stopped => return Err(format!("it went on: {heard:?}")),
            _ => {}
        }
    }
    if says("refused ") != in_doubt {
        return Err(format!("it took another transaction while in doubt: {heard:?}"));
    }
    if !broken && says("present ") + says("absent ") != in_doubt {
        return Err(format!("a doubt was not resolved: {heard:?}"));
    }
    tally.in_doubt += u32::try_from(in_doubt).unwrap_or(u32::MAX);
    tally.present += u32::try_from(says("present ")).unwrap_or(u32::MAX);
    tally.refused_to_start += u32::from(says("opened") == 0);
    let mut expected = Expected::new(1);
    expected.hear(heard.iter().map(String::as_str));
    tally.acknowledgements += expected.judge(&data.join("record.db"))?.acknowledgements;
    Ok(())
}

#[test]
fn s4_a_sync_fails() {
    if let Err(reason) = can_trace() {
        return skip("S4", reason);
    }
    let (seed, mut chance) = seeded();
    // More than the script makes: it ends by itself then.
    let points: Vec<_> = (1..=40).flat_map(|n| [(n, false), (n, true)]).collect();
    let mut tally = Tally::default();
    for (n, broken) in some_of(points, POINTS_MAX, &mut chance) {
        let for_good = if broken { " for good" } else { "" };
        fail(n, broken, &mut tally).unwrap_or_else(|wrong| panic!("seed {seed}, sync {n} fails{for_good}: {wrong}"));
    }
    // The control: who took an unconfirmed commit for a failed one would be wrong about those that were there.
    say("S4", format_args!("seed {seed}: {tally:?}; control (doubt taken for failure): wrong {} times", tally.present));
    assert!(tally.in_doubt > 0 && tally.acknowledgements > 0, "the faults fired");
}
