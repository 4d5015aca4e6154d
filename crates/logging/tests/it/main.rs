//! Logging as its users see it: what stands in the files, on the console and on standard error.

mod allocation;
mod console;
mod correlation;
mod errors;
mod events;
mod faults;
mod killing;
mod levels;
mod lines;
mod queue;
mod readme;
mod redaction;
mod repeats;
mod retention;
mod rotation;
mod routing;
mod schema;
mod stage;
mod statistics;
