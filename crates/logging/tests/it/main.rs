//! Logging as its users see it: what stands in the files, on the console and on standard error.

mod console;
mod faults;
mod lines;
mod queue;
mod redaction;
mod rotation;
mod routing;
mod stage;
