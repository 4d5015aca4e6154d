//! What the crate promises to its callers, one module a subject.

/// Which io errors are worth another attempt.
mod class;
/// The waits: how many, how long, never above the cap.
mod delays;
/// Each error: class, code, text and JSON.
mod errors;
/// What a retry tells the log.
mod events;
/// Retries from call to outcome, on virtual time.
mod run;
/// A world in which time passes only when somebody sleeps.
mod world;
