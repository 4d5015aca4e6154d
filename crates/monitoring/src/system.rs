//! What the machine and the process use: sampled in the background, read for nothing.

mod cgroup;
mod check;
mod gauges;
mod report;
mod sampler;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::Utc;

pub use check::UsageLimits;
pub use report::{
    CpuReport, DiskReport, DiskSpace, LimitedBy, LoadReport, MemoryReport, ProcessReport, SwapReport, SystemReport,
};

use crate::error::Error;
use crate::{Gauge, Metrics};
use report::Sample;
use sampler::Sampler;

/// What is sampled, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemOptions {
    /// The folder whose file system is measured. Default `.`.
    pub data_dir: PathBuf,
    /// The rest between two samples; one takes about a millisecond. At least 200 ms, the shortest time over which a use
    /// of CPU means something. Default 5 s (**source:** arbitrary).
    pub interval: Duration,
}

impl Default for SystemOptions {
    fn default() -> Self {
        Self { data_dir: PathBuf::from("."), interval: Duration::from_secs(5) }
    }
}

/// The figures of the machine and of this process; clones share them. The sampling stops when the last clone is
/// dropped.
///
/// ```
/// use trading_monitoring::{System, SystemOptions};
///
/// let system = System::start(SystemOptions::default())?;
/// assert!(system.report().process.resident_bytes > 0);
/// # Ok::<(), trading_monitoring::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct System {
    handle: Arc<Handle>,
}

/// How often the figures become samples of metrics, so that the page has their past when it is opened: two hours of it, as
/// samples are kept by default.
const SAMPLES: Duration = Duration::from_secs(15);

/// Ends the sampling when the last [`System`] goes. The thread holds `Shared`, not this.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    interval: Duration,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Notified at each sample, and at the end.
    changed: Condvar,
    /// Where the figures go as gauges.
    recorders: Mutex<Vec<Recorder>>,
}

/// Metrics that follow the figures.
#[derive(Debug)]
struct Recorder {
    metrics: Metrics,
    /// When the gauges last took a sample.
    sampled: Option<Instant>,
}

#[derive(Debug)]
struct State {
    stopping: bool,
    sample: Arc<Sample>,
}

impl System {
    /// The shortest rest between two samples.
    const INTERVAL_MIN: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

    /// Takes the first sample and goes on in the background. The use of CPU is known from the second sample on, 200 ms
    /// later.
    ///
    /// Blocks for the first sample, a few milliseconds.
    ///
    /// # Errors
    ///
    /// [`Error::Sampling`] when the system does not give its figures, [`Error::Thread`] when the thread cannot be
    /// started.
    pub fn start(options: SystemOptions) -> Result<Self, Error> {
        let SystemOptions { data_dir, interval } = options;
        let interval = interval.max(Self::INTERVAL_MIN);
        let mut sampler = Sampler::new(data_dir)?;
        let shared = Arc::new(Shared::new(sampler.sample(Instant::now(), Utc::now())));
        let name = "system-sampler";
        let background = Arc::clone(&shared);
        thread::Builder::new()
            .name(name.into())
            .spawn(move || background.run(sampler, interval))
            .map_err(|source| Error::Thread { name: name.into(), source })?;
        Ok(Self { handle: Arc::new(Handle { shared, interval }) })
    }

    /// The figures of the last sample. Measures nothing.
    #[must_use]
    pub fn report(&self) -> SystemReport {
        let sample = Arc::clone(&self.handle.shared.lock().sample);
        sample.report(Instant::now())
    }

    /// Has the gauges `process_*` and `system_*` follow the figures from now on.
    pub(crate) fn record_into(&self, metrics: &Metrics) {
        SystemReport::describe(metrics);
        let mut recorders = self.handle.shared.recorders();
        if !recorders.iter().any(|recorder| recorder.metrics.are_those(metrics)) {
            // Now, so that they have their place among the series whatever the program adds later.
            self.report().record(metrics, Gauge::set);
            recorders.push(Recorder { metrics: metrics.clone(), sampled: None });
        }
    }

    /// The age from which a sample tells nothing: the sampling hangs, in a file system that does not answer for
    /// example.
    fn stale_after(&self) -> Duration {
        self.handle.interval.saturating_mul(3)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn new(first: Sample) -> Self {
        let state = Mutex::new(State { stopping: false, sample: Arc::new(first) });
        Self { state, changed: Condvar::new(), recorders: Mutex::default() }
    }

    fn run(&self, mut sampler: Sampler, interval: Duration) {
        let mut rest = System::INTERVAL_MIN;
        while !self.rest(rest) {
            let sample = Arc::new(sampler.sample(Instant::now(), Utc::now()));
            self.lock().sample = Arc::clone(&sample);
            self.record(&sample);
            self.changed.notify_all();
            rest = interval;
        }
    }

    /// Sets the gauges; the past of them takes a sample less often.
    fn record(&self, sample: &Sample) {
        let report = sample.report(sample.at);
        for Recorder { metrics, sampled } in &mut *self.recorders() {
            let due = sampled.is_none_or(|sampled| sample.at.saturating_duration_since(sampled) >= SAMPLES);
            report.record(metrics, if due { Gauge::set } else { Gauge::show });
            if due {
                *sampled = Some(sample.at);
            }
        }
    }

    fn recorders(&self) -> MutexGuard<'_, Vec<Recorder>> {
        self.recorders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rests for an interval; says whether the sampling is to stop.
    fn rest(&self, interval: Duration) -> bool {
        let state = self.lock();
        let go_on = |state: &mut State| !state.stopping;
        let rested = self.changed.wait_timeout_while(state, interval, go_on);
        rested.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_sample_follows_without_waiting_for_the_interval() {
        let hour = Duration::from_secs(3_600);
        let system = System::start(SystemOptions { interval: hour, ..SystemOptions::default() }).unwrap();
        let first = system.report();
        assert_eq!(first.cpu.percent, None);
        let shared = &system.handle.shared;
        let is_first = |state: &mut State| state.sample.wall == first.sampled_at;
        let (state, waited) =
            shared.changed.wait_timeout_while(shared.lock(), Duration::from_secs(60), is_first).unwrap();
        assert!(!waited.timed_out());
        assert!(state.sample.cpu.percent.is_some());
    }

    #[test]
    fn gauges_follow_every_figure_and_take_samples_less_often() {
        let mut sampler = Sampler::new(PathBuf::from(".")).unwrap();
        let start = Instant::now();
        let shared = Arc::new(Shared::new(sampler.sample(start, Utc::now())));
        // Without its thread.
        let system = System { handle: Arc::new(Handle { shared: Arc::clone(&shared), interval: Duration::MAX }) };
        let metrics = Metrics::default();
        system.record_into(&metrics);
        system.record_into(&metrics.clone());
        let mut samples_after = |seconds: u32| {
            shared.record(&sampler.sample(start + Duration::from_secs(seconds.into()), Utc::now()));
            let uptime = metrics.gauge("process_uptime_seconds", &[]).value();
            assert!((uptime - f64::from(seconds)).abs() < 1.0, "{uptime} after {seconds} s");
            metrics.summary("process_uptime_seconds", Duration::MAX).unwrap().count
        };
        assert_eq!([5, 10, 15, 20, 25, 34, 35].map(&mut samples_after), [2, 2, 2, 3, 3, 3, 4]);
    }

    #[test]
    fn the_last_clone_that_is_dropped_ends_the_sampling() {
        let system = System::start(SystemOptions::default()).unwrap();
        let shared = Arc::clone(&system.handle.shared);
        drop(system.clone());
        assert!(!shared.lock().stopping);
        drop(system);
        assert!(shared.lock().stopping);
        // Would not return otherwise.
        shared.run(Sampler::new(PathBuf::from(".")).unwrap(), Duration::MAX);
    }
}
