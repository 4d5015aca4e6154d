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
    /// The processors, as far as this process may use them.
    pub cpu: CpuReport,
    /// The memory, as far as this process may use it.
    pub memory: MemoryReport,
    /// The swap space, as far as this process may use it.
    pub swap: SwapReport,
    /// The file system of the data folder.
    pub disk: DiskReport,
    /// This process.
    pub process: ProcessReport,
}

/// The processors that this process may use: the machine's, or less where it is bound to some of them or its control group has a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuReport {
    /// How much of them is in use, by the machine or by the group, 0 to 100; `None` in the first sample.
    pub percent: Option<f64>,
    /// The same over the last two minutes, [`CpuReport::LASTING`]; `None` before they have passed.
    pub lasting_percent: Option<f64>,
    /// How many there are: the machine's logical ones, those that this process is bound to (by `taskset` or a cpuset), or the group's limit, such
    /// as 1.5, whichever is least.
    pub cores: f64,
    /// Where the number comes from.
    pub limited_by: LimitedBy,
    /// The load averages; `None` where the system has none.
    pub load: Option<LoadReport>,
}

impl CpuReport {
    /// Over how long a time [`lasting_percent`](Self::lasting_percent) is the mean (**source:** arbitrary: longer than a backup or a burst of
    /// orders).
    pub const LASTING: Duration = Duration::from_secs(120);
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
    /// Where the total comes from.
    pub limited_by: LimitedBy,
}

/// What there is no more of than so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitedBy {
    /// The machine has no more.
    Host,
    /// A control group (a container's, a service's) may use no more.
    Cgroup,
    /// This process is bound to some of the machine's processors, by itself or by a cpuset.
    Affinity,
}

impl LimitedBy {
    /// The word used in JSON: `host`, `cgroup` or `affinity`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Cgroup => "cgroup",
            Self::Affinity => "affinity",
        }
    }
}

/// The swap space that this process may use: the machine's, or less where its control group has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwapReport {
    /// How much there is.
    pub total_bytes: u64,
    /// How much of it is in use, by the machine or by the group.
    pub used_bytes: u64,
    /// Where the total comes from.
    pub limited_by: LimitedBy,
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
