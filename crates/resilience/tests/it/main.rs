//! What the crate promises to its callers, one module a subject.

/// Async calls that end before their answer: at the deadline, at a time-out, and when they are cancelled.
#[cfg(feature = "tokio")]
mod abandoning;
/// A success at once allocates nothing.
mod allocation;
/// Failed calls of the outside APIs: what each answer means.
mod api;
/// Retries in async code, on Tokio's paused clock.
#[cfg(feature = "tokio")]
mod asynchronous;
/// The breaker: its rates, its probes, its changes by hand, and what it tells.
mod breaker;
/// The breaker beside a model of it that remembers every call, through random lives.
mod breaker_model;
/// Which io errors are worth another attempt.
mod class;
/// The waits: how many, how long, never above the cap.
mod delays;
/// Each error: code, text, JSON and line.
mod errors;
/// What a retry tells the log.
mod events;
/// The guard: its order, what each part does to the others, and what it proves.
mod guard;
/// What headers say about coming back.
mod headers;
/// The limiter: all quotas at once, priorities, waiting, what it learns, and what it keeps beyond a process.
mod limiter;
/// What ends a retry before its attempts are used: nesting, cancelling, a predicate; and policies that make no sense.
mod limits;
/// Retries from call to outcome, on virtual time.
mod run;
/// A local HTTP server that misbehaves, and a real client in its way.
mod server;
/// How much comes with the crate.
mod size;
/// A world in which time passes only when somebody sleeps.
mod world;
