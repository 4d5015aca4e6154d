//! Clients that mean no good, over real sockets; and, as a control, a server that lacks the protection.

mod malformed;
mod slow;
mod subject;
