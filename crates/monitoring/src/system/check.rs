//! Ready-made checks over the samples. They measure nothing themselves, so they never hang.

use std::time::Duration;

use super::{CpuReport, LimitedBy, System, SystemReport};
use crate::{Check, Outcome, Status};

/// From which part in use something is degraded and then unhealthy, in percent. Inclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsageLimits {
    /// Degraded from here on. Default 90 (**source:** arbitrary).
    pub degraded_percent: f64,
    /// Unhealthy from here on. Default 97 (**source:** arbitrary).
    pub unhealthy_percent: f64,
}

impl Default for UsageLimits {
    fn default() -> Self {
        Self { degraded_percent: 90.0, unhealthy_percent: 97.0 }
    }
}

impl Check {
    /// The check `disk`: how full the file system of the data folder is, as `df` counts: what is in use, as a part of
    /// that and what is free. Unknown when it cannot be measured. Every 10 s.
    ///
    /// Details: `total_bytes`, `used_bytes`, `free_bytes`, `used_percent`.
    #[must_use]
    pub fn disk_space(system: &System, limits: UsageLimits) -> Self {
        over_samples("disk", system, move |report| disk_space(report, limits))
    }

    /// The check `cpu`: how busy the processors that this process may use were over the last two minutes
    /// ([`CpuReport::LASTING`]), so that a moment is none to worry about. Every 10 s.
    ///
    /// Details: `percent`, `cores`, `limited_by` (`host`, `cgroup` or `affinity`).
    #[must_use]
    pub fn cpu(system: &System, limits: UsageLimits) -> Self {
        over_samples("cpu", system, move |report| cpu(report, limits))
    }

    /// The check `memory`: how much of the memory that this process may use is in use. Every 10 s.
    ///
    /// Details: `total_bytes`, `available_bytes`, `used_percent`, `limited_by` (`host` or `cgroup`).
    #[must_use]
    pub fn memory(system: &System, limits: UsageLimits) -> Self {
        over_samples("memory", system, move |report| memory(report, limits))
    }
}

fn over_samples(name: &str, system: &System, judge: impl Fn(&SystemReport) -> Outcome + Send + 'static) -> Check {
    let system = system.clone();
    let stale_after = system.stale_after();
    let probe = move || {
        let report = system.report();
        if report.age > stale_after { stale(report.age) } else { judge(&report) }
    };
    Check::new(name, probe).every(Duration::from_secs(10))
}

fn stale(age: Duration) -> Outcome {
    Outcome::new(Status::Unknown, format!("the last sample is {} s old: the sampling hangs", age.as_secs()))
}

fn disk_space(report: &SystemReport, limits: UsageLimits) -> Outcome {
    let path = report.disk.path.display();
    match &report.disk.space {
        Err(error) => Outcome::new(Status::Unknown, format!("the space of {path} cannot be measured: {error}")),
        Ok(space) => {
            let used_percent = used_percent(space.used_bytes, space.free_bytes);
            let message = format!("{used_percent} % of the disk of {path} in use");
            Outcome::new(limits.judge(used_percent), message)
                .detail("total_bytes", space.total_bytes)
                .detail("used_bytes", space.used_bytes)
                .detail("free_bytes", space.free_bytes)
                .detail("used_percent", used_percent)
        }
    }
}

fn cpu(report: &SystemReport, limits: UsageLimits) -> Outcome {
    let CpuReport { lasting_percent, cores, limited_by, .. } = report.cpu;
    let minutes = CpuReport::LASTING.as_secs() / 60;
    let Some(percent) = lasting_percent else { return Outcome::healthy(format!("is known after {minutes} minutes")) };
    let message = format!("{percent} % busy over the last {minutes} minutes");
    let outcome = Outcome::new(limits.judge(percent), message);
    outcome.detail("percent", percent).detail("cores", cores).detail("limited_by", limited_by.as_str())
}

fn memory(report: &SystemReport, limits: UsageLimits) -> Outcome {
    let memory = report.memory;
    // No machine that runs this has none left; without descriptors, for example, the figures cannot be read.
    if memory.available_bytes == 0 && memory.limited_by == LimitedBy::Host {
        return Outcome::new(Status::Unknown, "the memory cannot be measured");
    }
    let used_percent = used_percent(memory.total_bytes.saturating_sub(memory.available_bytes), memory.available_bytes);
    let message = format!("{used_percent} % of the memory in use");
    Outcome::new(limits.judge(used_percent), message)
        .detail("total_bytes", memory.total_bytes)
        .detail("available_bytes", memory.available_bytes)
        .detail("used_percent", used_percent)
        .detail("limited_by", memory.limited_by.as_str())
}

impl UsageLimits {
    fn judge(self, used_percent: f64) -> Status {
        if used_percent >= self.unhealthy_percent {
            Status::Unhealthy
        } else if used_percent >= self.degraded_percent {
            Status::Degraded
        } else {
            Status::Healthy
        }
    }
}

/// To one decimal. All of nothing is in use.
fn used_percent(used: u64, free: u64) -> f64 {
    let (used, free) = (u128::from(used), u128::from(free));
    let tenths = (used * 1_000).checked_div(used + free).unwrap_or(1_000);
    f64::from(u32::try_from(tenths).unwrap_or(1_000)) / 10.0
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::system::{DiskReport, DiskSpace, MemoryReport, ProcessReport, SwapReport};

    fn report(free: u64) -> SystemReport {
        SystemReport {
            sampled_at: DateTime::UNIX_EPOCH,
            age: Duration::ZERO,
            cpu: CpuReport {
                percent: None,
                lasting_percent: None,
                cores: 1.0,
                limited_by: LimitedBy::Host,
                load: None,
            },
            memory: MemoryReport {
                total_bytes: 1000,
                used_bytes: 1000 - free,
                available_bytes: free,
                limited_by: LimitedBy::Cgroup,
            },
            swap: SwapReport { total_bytes: 0, used_bytes: 0, limited_by: LimitedBy::Host },
            // 50 bytes are reserved for the superuser.
            disk: DiskReport {
                path: "data".into(),
                space: Ok(DiskSpace { total_bytes: 1050, used_bytes: 1000 - free, free_bytes: free }),
            },
            process: ProcessReport {
                pid: 1,
                uptime: Duration::ZERO,
                resident_bytes: 0,
                cpu_percent: None,
                threads: None,
                open_fds: None,
                open_fds_max: None,
            },
        }
    }

    #[track_caller]
    fn check(free: u64, status: Status, message: &str) {
        let limits = UsageLimits::default();
        let disk = disk_space(&report(free), limits);
        assert_eq!((disk.status, disk.message), (status, message.replace("WHAT", "disk of data")));
        let memory = memory(&report(free), limits);
        assert_eq!((memory.status, memory.message), (status, message.replace("WHAT", "memory")));
    }

    #[test]
    fn each_limit_is_inclusive() {
        check(1000, Status::Healthy, "0 % of the WHAT in use");
        check(101, Status::Healthy, "89.9 % of the WHAT in use");
        check(100, Status::Degraded, "90 % of the WHAT in use");
        check(31, Status::Degraded, "96.9 % of the WHAT in use");
        check(30, Status::Unhealthy, "97 % of the WHAT in use");
        check(0, Status::Unhealthy, "100 % of the WHAT in use");
    }

    #[test]
    fn a_processor_is_busy_or_not() {
        let busy = |lasting_percent| {
            let cpu = CpuReport {
                percent: Some(100.0),
                lasting_percent,
                cores: 2.0,
                limited_by: LimitedBy::Cgroup,
                load: None,
            };
            super::cpu(&SystemReport { cpu, ..report(1) }, UsageLimits::default())
        };
        let found =
            [Some(12.3), Some(90.0), Some(97.0), None].map(|percent| (busy(percent).status, busy(percent).message));
        let said = |status, text: &str| (status, text.to_owned());
        let expected = [
            said(Status::Healthy, "12.3 % busy over the last 2 minutes"),
            said(Status::Degraded, "90 % busy over the last 2 minutes"),
            said(Status::Unhealthy, "97 % busy over the last 2 minutes"),
            said(Status::Healthy, "is known after 2 minutes"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_figures_are_in_the_details() {
        let details = memory(&report(250), UsageLimits::default()).details;
        let text = serde_json::to_string(&details).unwrap();
        assert_eq!(text, r#"{"total_bytes":1000,"available_bytes":250,"used_percent":75.0,"limited_by":"cgroup"}"#);
    }

    #[test]
    fn what_cannot_be_measured_is_unknown() {
        let mut report = report(500);
        report.disk.space = Err("no such folder".into());
        let outcome = disk_space(&report, UsageLimits::default());
        assert_eq!(outcome.status, Status::Unknown);
        assert_eq!(outcome.message, "the space of data cannot be measured: no such folder");
        report.memory = MemoryReport { available_bytes: 0, limited_by: LimitedBy::Host, ..report.memory };
        let outcome = memory(&report, UsageLimits::default());
        assert_eq!((outcome.status, outcome.message.as_str()), (Status::Unknown, "the memory cannot be measured"));
        assert_eq!(stale(Duration::from_secs(16)).status, Status::Unknown);
        assert_eq!(used_percent(0, 0), 100.0);
    }
}
