//! Looks at the machine and at this process, and only at what is shown: all processes would cost a hundred times as
//! much.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, Utc};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate};

use super::cgroup::{Cgroup, GroupMemory};
use super::report::{CpuReport, DiskReport, DiskSpace, LoadReport, MemoryReport, ProcessReport, Sample, SwapReport};
use crate::error::Error;

pub(super) struct Sampler {
    // Not this crate's `System`: this one is where the figures come from.
    host: sysinfo::System,
    pid: Pid,
    cgroup: Option<Cgroup>,
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
        Ok(Self { host, pid, cgroup, data_dir, started: Instant::now(), first: true })
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
            cpu: CpuReport {
                percent: self.since_first(self.host.global_cpu_usage()),
                cores: self.host.cpus().len(),
                load: sysinfo::System::load_average().ok().map(|load| LoadReport {
                    one: load.one,
                    five: load.five,
                    fifteen: load.fifteen,
                }),
            },
            memory: memory(
                self.host.total_memory(),
                self.host.available_memory(),
                self.cgroup.as_ref().and_then(Cgroup::memory),
            ),
            swap: SwapReport { total_bytes: self.host.total_swap(), used_bytes: self.host.used_swap() },
            disk: DiskReport { path: self.data_dir.clone(), space: disk_space(&self.data_dir) },
            process: self.process(at),
        };
        self.first = false;
        sample
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
            limited_by_cgroup: true,
        },
        _ => MemoryReport {
            total_bytes: total,
            used_bytes: total.saturating_sub(available),
            available_bytes: available,
            limited_by_cgroup: false,
        },
    }
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
    fn check(group: Option<(u64, u64)>, expected: (u64, u64, u64, bool)) {
        let group = group.map(|(limit_bytes, used_bytes)| GroupMemory { limit_bytes, used_bytes });
        let MemoryReport { total_bytes, used_bytes, available_bytes, limited_by_cgroup } = memory(1000, 300, group);
        assert_eq!((total_bytes, used_bytes, available_bytes, limited_by_cgroup), expected);
    }

    #[test]
    fn memory_is_the_lesser_of_the_machines_and_the_groups() {
        check(None, (1000, 700, 300, false));
        check(Some((2000, 5)), (1000, 700, 300, false));
        check(Some((1000, 5)), (1000, 700, 300, false));
        check(Some((400, 150)), (400, 150, 250, true));
        check(Some((900, 100)), (900, 100, 300, true));
        check(Some((400, 450)), (400, 450, 0, true));
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
