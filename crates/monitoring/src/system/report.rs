//! The figures of one sample. Amounts are bytes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// What the machine and this process used when they were last looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct SystemReport {
    /// When that was.
    pub sampled_at: DateTime<Utc>,
    /// The time since then, by the monotonic clock.
    pub age: Duration,
    /// The processors.
    pub cpu: CpuReport,
    /// The memory, as far as this process may use it.
    pub memory: MemoryReport,
    /// The machine's swap space.
    pub swap: SwapReport,
    /// The file system of the data folder.
    pub disk: DiskReport,
    /// This process.
    pub process: ProcessReport,
}

/// The machine's processors.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuReport {
    /// How much of all processors is in use, 0 to 100; `None` in the first sample.
    pub percent: Option<f64>,
    /// How many logical processors the machine has.
    pub cores: usize,
    /// The load averages; `None` where the system has none.
    pub load: Option<LoadReport>,
}

/// How many threads ran or waited to run, on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadReport {
    /// Over the last minute.
    pub one: f64,
    /// Over the last 5 minutes.
    pub five: f64,
    /// Over the last 15 minutes.
    pub fifteen: f64,
}

/// The memory that this process may use: the machine's, or less where its control group has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryReport {
    /// The machine's memory or the group's limit, whichever is less.
    pub total_bytes: u64,
    /// What is in use, by the machine or by the group, without the file cache that can be given back.
    pub used_bytes: u64,
    /// What can still be had: of the group's limit, and never more than the machine has.
    pub available_bytes: u64,
    /// The limit is that of a control group (a container's, a service's).
    pub limited_by_cgroup: bool,
}

impl MemoryReport {
    /// The word used in JSON for where the limit comes from: `cgroup` or `host`.
    #[must_use]
    pub const fn limited_by(&self) -> &'static str {
        if self.limited_by_cgroup { "cgroup" } else { "host" }
    }
}

/// The machine's swap space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwapReport {
    /// How much there is.
    pub total_bytes: u64,
    /// How much of it is in use.
    pub used_bytes: u64,
}

/// The file system of the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskReport {
    /// The data folder, as it was given.
    pub path: PathBuf,
    /// Its space, or why it could not be measured.
    pub space: Result<DiskSpace, String>,
}

/// The space of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// How much there is.
    pub total_bytes: u64,
    /// How much of it is in use.
    pub used_bytes: u64,
    /// How much may still be filled: less than the rest where some is reserved for the superuser.
    pub free_bytes: u64,
}

/// This process. `None` where the system does not tell.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessReport {
    /// Its number.
    pub pid: u32,
    /// How long it has run, from [`System::start`](crate::System::start) on.
    pub uptime: Duration,
    /// Its memory that is in RAM.
    pub resident_bytes: u64,
    /// How much of one processor it uses: 200 is two whole ones. `None` in the first sample.
    pub cpu_percent: Option<f64>,
    /// Its threads.
    pub threads: Option<usize>,
    /// Its open file descriptors.
    pub open_fds: Option<usize>,
    /// How many it may open.
    pub open_fds_max: Option<usize>,
}

/// A report that does not know yet when it will be read.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) wall: DateTime<Utc>,
    pub(super) cpu: CpuReport,
    pub(super) memory: MemoryReport,
    pub(super) swap: SwapReport,
    pub(super) disk: DiskReport,
    pub(super) process: ProcessReport,
}

impl Sample {
    pub(super) fn report(&self, now: Instant) -> SystemReport {
        SystemReport {
            sampled_at: self.wall,
            age: now.duration_since(self.at),
            cpu: self.cpu.clone(),
            memory: self.memory,
            swap: self.swap,
            disk: self.disk.clone(),
            process: self.process.clone(),
        }
    }
}
