//! The JSON of each page. The keys are a promise: the README lists them, and a test compares.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::lifecycle::Phase;
use crate::system::{DiskReport, SystemReport};
use crate::{ComponentReport, Past, Report, Transition};

pub(super) fn index(endpoints: &[(String, String)]) -> Value {
    let endpoints: Map<String, Value> = endpoints.iter().map(|(path, says)| (path.clone(), json!(says))).collect();
    json!({ "endpoints": endpoints })
}

pub(super) fn ready(phase: Phase, reasons: &[String]) -> Value {
    json!({ "ready": reasons.is_empty(), "phase": phase.as_str(), "reasons": reasons })
}

pub(super) fn health(report: &Report) -> Value {
    let components: Map<String, Value> =
        report.components.iter().map(|component| (component.name.clone(), self::component(component))).collect();
    json!({ "status": report.status.as_str(), "components": components })
}

pub(super) fn component(component: &ComponentReport) -> Value {
    json!({
        "name": component.name,
        "status": component.status.as_str(),
        "message": component.message,
        "critical": component.critical,
        "checked_at": component.checked_at.map(time),
        "age_ms": component.age.map(millis),
        "duration_ms": component.duration.map(millis),
        "details": component.details,
    })
}

/// The oldest first, as in [`Health::history`](crate::Health::history).
pub(super) fn component_with_history(component: &ComponentReport, history: &[Past]) -> Value {
    let past = |past: &Past| {
        let Past { time, status, message, duration } = past;
        json!({
            "time": self::time(*time),
            "status": status.as_str(),
            "message": message,
            "duration_ms": millis(*duration),
        })
    };
    let mut body = self::component(component);
    if let Some(body) = body.as_object_mut() {
        body.insert("history".to_owned(), history.iter().map(past).collect());
    }
    body
}

pub(super) fn transitions(transitions: &[Transition]) -> Value {
    let transition = |transition: &Transition| {
        let Transition { time, component, from, to, message, critical, .. } = transition;
        json!({
            "time": self::time(*time),
            "component": component,
            "from": from.as_str(),
            "to": to.as_str(),
            "message": message,
            "critical": critical,
        })
    };
    json!({ "transitions": transitions.iter().map(transition).collect::<Vec<_>>() })
}

pub(super) fn system(report: &SystemReport) -> Value {
    let SystemReport { sampled_at, age, cpu, memory, swap, disk, process } = report;
    json!({
        "sampled_at": time(*sampled_at),
        "age_ms": millis(*age),
        "cpu": {
            "percent": cpu.percent,
            "cores": cpu.cores,
            "limited_by": cpu.limited_by.as_str(),
            "load": cpu.load.map(|load| json!({ "one": load.one, "five": load.five, "fifteen": load.fifteen })),
        },
        "memory": {
            "total_bytes": memory.total_bytes,
            "used_bytes": memory.used_bytes,
            "available_bytes": memory.available_bytes,
            "limited_by": memory.limited_by.as_str(),
        },
        "swap": {
            "total_bytes": swap.total_bytes,
            "used_bytes": swap.used_bytes,
            "limited_by": swap.limited_by.as_str(),
        },
        "disk": self::disk(disk),
        "process": {
            "pid": process.pid,
            "uptime_seconds": process.uptime.as_secs(),
            "resident_bytes": process.resident_bytes,
            "cpu_percent": process.cpu_percent,
            "threads": process.threads,
            "open_fds": process.open_fds,
            "open_fds_max": process.open_fds_max,
        },
    })
}

fn disk(disk: &DiskReport) -> Value {
    let space = disk.space.as_ref().ok();
    json!({
        "path": disk.path.display().to_string(),
        "total_bytes": space.map(|space| space.total_bytes),
        "used_bytes": space.map(|space| space.used_bytes),
        "free_bytes": space.map(|space| space.free_bytes),
        "error": disk.space.as_ref().err(),
    })
}

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
