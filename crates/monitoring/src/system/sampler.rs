//! Looks at the machine and at this process, and only at what is shown: all processes would cost a hundred times as
//! much.

use std::collections::VecDeque;
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
    busy: Busy,
    /// When the last sample was taken.
    sampled: Option<Instant>,
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
        let (started, busy) = (Instant::now(), Busy::default());
        Ok(Self { host, pid, cgroup, group_before: None, busy, sampled: None, data_dir, started, first: true })
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
        let usages: Vec<f32> = self.host.cpus().iter().map(sysinfo::Cpu::usage).collect();
        let (cores, percent, limited_by) = processors(&usages, &affinity());
        let (cores, percent, limited_by) = match self.cgroup.cpu().filter(|group| group.cores < cores) {
            Some(group) => {
                let before = self.group_before.replace((at, group.used));
                let percent = before.and_then(|before| used_percent(before, (at, group)));
                (group.cores, percent, LimitedBy::Cgroup)
            }
            None => (cores, self.since_first(percent), limited_by),
        };
        let since = self.sampled.replace(at).map(|before| at.saturating_duration_since(before));
        let lasting_percent = since.zip(percent).and_then(|(since, percent)| self.busy.mean_with(since, percent));
        CpuReport { percent, lasting_percent, cores, limited_by, load }
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

/// How busy the processors were in the last while.
#[derive(Debug, Default)]
struct Busy {
    /// The newest last; as few as make up the while.
    spans: VecDeque<(Duration, f64)>,
}

impl Busy {
    /// The mean with one more span, once they make up the while.
    fn mean_with(&mut self, span: Duration, percent: f64) -> Option<f64> {
        self.spans.push_back((span, percent));
        let mut covered: Duration = self.spans.iter().map(|(span, _)| *span).sum();
        while let Some((oldest, _)) = self.spans.front().filter(|(oldest, _)| covered - *oldest >= CpuReport::LASTING) {
            covered -= *oldest;
            self.spans.pop_front();
        }
        let busy: f64 = self.spans.iter().map(|(span, percent)| span.as_secs_f64() * percent).sum();
        (covered >= CpuReport::LASTING).then(|| (busy / covered.as_secs_f64() * 10.0).round() / 10.0)
    }
}

/// The numbers of the processors that this process is bound to; empty where that is not known.
#[cfg(target_os = "linux")]
fn affinity() -> Vec<usize> {
    let set = rustix::thread::sched_getaffinity(None).ok();
    set.map_or_else(Vec::new, |set| (0..rustix::thread::CpuSet::MAX_CPU).filter(|number| set.is_set(*number)).collect())
}

#[cfg(not(target_os = "linux"))]
fn affinity() -> Vec<usize> {
    Vec::new()
}

/// How many of the machine's processors may be used, how busy these are, and what says so.
fn processors(usages: &[f32], bound_to: &[usize]) -> (f64, f32, LimitedBy) {
    let bound: Vec<f32> = bound_to.iter().filter_map(|number| usages.get(*number).copied()).collect();
    // Some containers number theirs otherwise.
    let (counted, limited_by) = if bound.is_empty() || bound.len() == usages.len() {
        (usages, LimitedBy::Host)
    } else {
        (&*bound, LimitedBy::Affinity)
    };
    let count = |of: &[f32]| u16::try_from(of.len()).unwrap_or(u16::MAX);
    let percent = counted.iter().sum::<f32>() / f32::from(count(counted).max(1));
    (f64::from(count(counted)), percent, limited_by)
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
    fn processors_are_those_that_it_is_bound_to() {
        let usages = [10.0, 20.0, 60.0, 90.0];
        assert_eq!(processors(&usages, &[]), (4.0, 45.0, LimitedBy::Host));
        assert_eq!(processors(&usages, &[0, 1, 2, 3]), (4.0, 45.0, LimitedBy::Host));
        assert_eq!(processors(&usages, &[1, 2]), (2.0, 40.0, LimitedBy::Affinity));
        assert_eq!(processors(&usages, &[7]), (4.0, 45.0, LimitedBy::Host));
        assert_eq!(processors(&[], &[]), (0.0, 0.0, LimitedBy::Host));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_is_bound_to_one_processor_sees_one() {
        let bound = || {
            let numbers = affinity();
            let mut one = rustix::thread::CpuSet::new();
            one.set(*numbers.first().expect("it runs on one"));
            rustix::thread::sched_setaffinity(None, &one).expect("it may");
            Sampler::new(PathBuf::from(".")).unwrap().sample(Instant::now(), Utc::now()).cpu.cores
        };
        let cores = std::thread::spawn(bound).join().unwrap();
        assert!(cores > 0.0 && cores <= 1.0, "{cores}");
    }

    #[test]
    fn a_moment_is_not_a_while() {
        let mut busy = Busy::default();
        let mut after = |seconds: u64, percent: f64| busy.mean_with(Duration::from_secs(seconds), percent);
        assert_eq!((after(5, 100.0), after(110, 0.0)), (None, None));
        assert_eq!(after(5, 40.0), Some(5.8), "5 s of 100 % and 5 s of 40 %");
        assert_eq!(after(5, 0.0), Some(1.7), "the first is forgotten");
        assert_eq!(after(3_600, 99.96), Some(100.0), "one that is longer than the while is all of it");
        assert_eq!(busy.spans.len(), 1);
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
