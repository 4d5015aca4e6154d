//! Looks at the machine and at this process, and only at what is shown: all processes would cost a hundred times as
//! much.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate};

use super::cgroup::{Cgroup, GroupCpu, GroupMemory};
use super::report::{
    CpuReport, DiskReport, DiskSpace, LimitedBy, LoadReport, MemoryReport, ProcessReport, Sample, SwapReport,
};
use crate::error::Error;

pub(super) struct Sampler {
    // Not this crate's `System`: this one is where the figures come from.
    host: sysinfo::System,
    pid: Pid,
    cgroup: Cgroup,
    /// When the group's use of processors was looked at last, and what it was.
    group_before: Option<(Instant, Duration)>,
    data_dir: PathBuf,
    started: Instant,
    /// The use of CPU is a difference between two samples, so the first one has none.
    first: bool,
}

impl Sampler {
    pub(super) fn new(data_dir: PathBuf) -> Result<Self, Error> {
        let host = sysinfo::System::new().map_err(|source| Error::Sampling { source: source.into() })?;
        let pid = Pid::from_u32(std::process::id());
        let cgroup = Cgroup::of_this_process(Path::new("/"));
        Ok(Self { host, pid, cgroup, group_before: None, data_dir, started: Instant::now(), first: true })
    }

    pub(super) fn sample(&mut self, at: Instant, wall: DateTime<Utc>) -> Sample {
        self.host.refresh_memory();
        self.host.refresh_cpu_usage();
        let kind = ProcessRefreshKind::nothing().with_memory().with_cpu();
        // This process is never dead, only unreadable at times, without descriptors for example: keep what was known.
        self.host.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.pid]), false, kind);
        let sample = Sample {
            at,
            wall,
            cpu: self.cpu(at),
            memory: memory(self.host.total_memory(), self.host.available_memory(), self.cgroup.memory()),
            swap: swap(self.host.total_swap(), self.host.used_swap(), self.cgroup.swap()),
            disk: DiskReport { path: self.data_dir.clone(), space: disk_space(&self.data_dir) },
            process: self.process(at),
        };
        self.first = false;
        sample
    }

    fn cpu(&mut self, at: Instant) -> CpuReport {
        let load = sysinfo::System::load_average().ok();
        let load = load.map(|load| LoadReport { one: load.one, five: load.five, fifteen: load.fifteen });
        let cores = f64::from(u32::try_from(self.host.cpus().len()).unwrap_or(u32::MAX));
        match self.cgroup.cpu().filter(|group| group.cores < cores) {
            Some(group) => {
                let before = self.group_before.replace((at, group.used));
                let percent = before.and_then(|before| used_percent(before, (at, group)));
                CpuReport { percent, cores: group.cores, limited_by: LimitedBy::Cgroup, load }
            }
            None => CpuReport {
                percent: self.since_first(self.host.global_cpu_usage()),
                cores,
                limited_by: LimitedBy::Host,
                load,
            },
        }
    }

    fn process(&self, at: Instant) -> ProcessReport {
        let process = self.host.process(self.pid);
        ProcessReport {
            pid: self.pid.as_u32(),
            // Not since the kernel made the process: that may have been another program, which became this one by `exec`.
            uptime: at.saturating_duration_since(self.started),
            resident_bytes: process.map_or(0, sysinfo::Process::memory),
            cpu_percent: process.and_then(|process| self.since_first(process.cpu_usage())),
            // Counted here: sysinfo would keep an entry for every thread that there has ever been.
            threads: entries("/proc/self/task"),
            // Without the descriptor that reads the folder.
            open_fds: entries("/proc/self/fd").map(|count| count.saturating_sub(1)),
            open_fds_max: process.and_then(sysinfo::Process::open_files_limit),
        }
    }

    /// To one decimal.
    fn since_first(&self, percent: f32) -> Option<f64> {
        (!self.first).then(|| (f64::from(percent) * 10.0).round() / 10.0)
    }
}

fn entries(folder: &str) -> Option<usize> {
    fs::read_dir(folder).ok().map(Iterator::count)
}

/// What this process may use: the lesser of what the machine and the control group have.
fn memory(total: u64, available: u64, group: Option<GroupMemory>) -> MemoryReport {
    match group {
        Some(GroupMemory { limit_bytes, used_bytes }) if limit_bytes < total => MemoryReport {
            total_bytes: limit_bytes,
            used_bytes,
            available_bytes: limit_bytes.saturating_sub(used_bytes).min(available),
            limited_by: LimitedBy::Cgroup,
        },
        _ => MemoryReport {
            total_bytes: total,
            used_bytes: total.saturating_sub(available),
            available_bytes: available,
            limited_by: LimitedBy::Host,
        },
    }
}

fn swap(total_bytes: u64, used_bytes: u64, group: Option<GroupMemory>) -> SwapReport {
    match group.filter(|group| group.limit_bytes < total_bytes) {
        Some(GroupMemory { limit_bytes, used_bytes }) => {
            SwapReport { total_bytes: limit_bytes, used_bytes, limited_by: LimitedBy::Cgroup }
        }
        None => SwapReport { total_bytes, used_bytes, limited_by: LimitedBy::Host },
    }
}

/// How much of what it may use a group has used since before, to one decimal.
fn used_percent(before: (Instant, Duration), now: (Instant, GroupCpu)) -> Option<f64> {
    let (at, GroupCpu { cores, used }) = now;
    let possible = at.saturating_duration_since(before.0).as_secs_f64() * cores;
    let percent = used.saturating_sub(before.1).as_secs_f64() / possible * 100.0;
    // A quota may be used in advance, for a moment.
    (possible > 0.0).then(|| (percent.min(100.0) * 10.0).round() / 10.0)
}

/// Asks the file system itself. A list of mounts, as sysinfo reads it, leaves out `tmpfs` and network file systems.
#[cfg(unix)]
fn disk_space(path: &Path) -> Result<DiskSpace, String> {
    let space = rustix::fs::statvfs(path).map_err(|error| error.to_string())?;
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
    Ok(DiskSpace {
        total_bytes: bytes(space.f_blocks),
        used_bytes: bytes(space.f_blocks.saturating_sub(space.f_bfree)),
        free_bytes: bytes(space.f_bavail),
    })
}

#[cfg(not(unix))]
fn disk_space(_path: &Path) -> Result<DiskSpace, String> {
    Err("not measured on this system".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(group: Option<(u64, u64)>, expected: (u64, u64, u64, LimitedBy)) {
        let group = group.map(|(limit_bytes, used_bytes)| GroupMemory { limit_bytes, used_bytes });
        let MemoryReport { total_bytes, used_bytes, available_bytes, limited_by } = memory(1000, 300, group);
        assert_eq!((total_bytes, used_bytes, available_bytes, limited_by), expected);
    }

    #[test]
    fn memory_is_the_lesser_of_the_machines_and_the_groups() {
        use LimitedBy::{Cgroup, Host};
        check(None, (1000, 700, 300, Host));
        check(Some((2000, 5)), (1000, 700, 300, Host));
        check(Some((1000, 5)), (1000, 700, 300, Host));
        check(Some((400, 150)), (400, 150, 250, Cgroup));
        check(Some((900, 100)), (900, 100, 300, Cgroup));
        check(Some((400, 450)), (400, 450, 0, Cgroup));
    }

    #[test]
    fn swap_is_the_lesser_of_the_machines_and_the_groups() {
        let found = |group: Option<(u64, u64)>| {
            let group = group.map(|(limit_bytes, used_bytes)| GroupMemory { limit_bytes, used_bytes });
            let SwapReport { total_bytes, used_bytes, limited_by } = swap(1000, 300, group);
            (total_bytes, used_bytes, limited_by)
        };
        assert_eq!(found(None), (1000, 300, LimitedBy::Host));
        assert_eq!(found(Some((2000, 5))), (1000, 300, LimitedBy::Host));
        assert_eq!(found(Some((0, 0))), (0, 0, LimitedBy::Cgroup));
    }

    #[test]
    fn a_groups_use_of_processors_is_a_part_of_what_it_may_use() {
        let start = Instant::now();
        let percent = |seconds: u64, used_millis: u64| {
            let used = Duration::from_millis(used_millis);
            let now = (start + Duration::from_secs(seconds), GroupCpu { cores: 0.5, used });
            used_percent((start, Duration::from_millis(1_000)), now)
        };
        assert_eq!(percent(0, 1_000), None);
        assert_eq!(percent(10, 1_000), Some(0.0));
        assert_eq!(percent(10, 1_617), Some(12.3));
        assert_eq!(percent(10, 7_000), Some(100.0));
        assert_eq!(percent(10, 900), Some(0.0), "another group, which has used less");
    }

    #[test]
    fn only_the_second_sample_knows_the_use_of_cpu() {
        let mut sampler = Sampler::new(PathBuf::from(".")).unwrap();
        let first = sampler.sample(Instant::now(), Utc::now());
        assert_eq!((first.cpu.percent, first.process.cpu_percent), (None, None));
        let second = sampler.sample(Instant::now(), Utc::now());
        assert!(second.cpu.percent.is_some() && second.process.cpu_percent.is_some());
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_space() {
        let dir = tempfile::tempdir().unwrap();
        let space = disk_space(dir.path()).unwrap();
        assert!(space.total_bytes > 0 && space.used_bytes + space.free_bytes <= space.total_bytes);
        assert!(disk_space(&dir.path().join("gone")).unwrap_err().contains("No such file"));
    }
}
