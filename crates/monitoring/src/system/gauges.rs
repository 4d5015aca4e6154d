//! The figures as gauges, under the names that Prometheus' own client libraries use where there are such.

use super::SystemReport;
use crate::{Gauge, Metrics};

impl SystemReport {
    /// Sets the gauges `process_*` and `system_*`, each by `set`; of what is not known there is none.
    pub(super) fn record(&self, metrics: &Metrics, set: fn(&Gauge, f64)) {
        let set = |name: &str, value: Option<f64>| {
            if let Some(value) = value {
                set(&metrics.gauge(name, &[]), value);
            }
        };
        let process = &self.process;
        set("process_cpu_usage_ratio", process.cpu_percent.map(|percent| percent / 100.0));
        set("process_max_fds", process.open_fds_max.map(float_of_count));
        set("process_open_fds", process.open_fds.map(float_of_count));
        set("process_resident_memory_bytes", Some(float(process.resident_bytes)));
        set("process_threads", process.threads.map(float_of_count));
        set("process_uptime_seconds", Some(process.uptime.as_secs_f64()));
        set("system_cpu_usage_ratio", self.cpu.percent.map(|percent| percent / 100.0));
        set("system_cpu_cores", Some(self.cpu.cores));
        set("system_load1", self.cpu.load.map(|load| load.one));
        set("system_memory_available_bytes", Some(float(self.memory.available_bytes)));
        set("system_memory_total_bytes", Some(float(self.memory.total_bytes)));
        set("system_swap_used_bytes", Some(float(self.swap.used_bytes)));
        let space = self.disk.space.as_ref().ok();
        set("system_disk_free_bytes", space.map(|space| float(space.free_bytes)));
        set("system_disk_total_bytes", space.map(|space| float(space.total_bytes)));
    }

    pub(super) fn describe(metrics: &Metrics) {
        for (name, help) in [
            ("process_cpu_usage_ratio", "Processors that this process uses: 2 is two whole ones."),
            ("process_max_fds", "File descriptors that this process may open."),
            ("process_open_fds", "Open file descriptors of this process."),
            ("process_resident_memory_bytes", "Memory of this process that is in RAM."),
            ("process_threads", "Threads of this process."),
            ("process_uptime_seconds", "How long this process has run."),
            ("system_cpu_usage_ratio", "Part of the processors that this process may use that is in use, 0 to 1."),
            ("system_cpu_cores", "Processors that this process may use: the machine's, or its control group's limit."),
            ("system_load1", "Threads that ran or waited to run, on average over the last minute."),
            ("system_memory_available_bytes", "Memory that this process can still have."),
            (
                "system_memory_total_bytes",
                "Memory that this process may use: the machine's, or its control group's limit.",
            ),
            ("system_swap_used_bytes", "Swap space in use, of the machine or of its control group."),
            ("system_disk_free_bytes", "Free space of the data folder's file system."),
            ("system_disk_total_bytes", "Size of the data folder's file system."),
        ] {
            metrics.describe(name, help);
        }
    }
}

fn float_of_count(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; amounts are exact up to 8 PiB")]
fn float(amount: u64) -> f64 {
    amount as f64
}
