#![doc = include_str!("../README.md")]

mod error;
mod status;

mod check;
#[cfg(feature = "external")]
mod external;
mod health;
mod lifecycle;
mod metrics;
mod server;
mod system;

pub use check::{Check, Heartbeat, LogSink, Outcome};
pub use error::Error;
#[cfg(feature = "external")]
pub use external::Endpoint;
pub use health::{ComponentReport, Health, Past, Report, Transition};
pub use lifecycle::{Lifecycle, Phase};
pub use metrics::{
    Counter, Distribution, Family, Gauge, Kind, Labels, Metrics, MetricsOptions, Sample, Series, SinceStart, Summary,
    Timer, Timing,
};
pub use server::{Drained, Pages, Part, Query, Reply, Server, ServerOptions, Site, Sources, Token};
pub use status::Status;
pub use system::{
    CpuReport, DiskReport, DiskSpace, LimitedBy, LoadReport, MemoryReport, ProcessReport, SwapReport, System,
    SystemOptions, SystemReport, UsageLimits,
};
