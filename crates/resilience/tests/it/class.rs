//! Which io errors are worth another attempt.

use std::io::{Error, ErrorKind};

use trading_resilience::{Class, Classify};

#[track_caller]
fn check(kind: ErrorKind, expected: Class) {
    assert_eq!(Error::from(kind).class(), expected, "{kind:?}");
}

#[test]
fn refused_before_anything_happened_is_transient() {
    check(ErrorKind::ConnectionRefused, Class::Transient);
}

#[test]
fn wrong_place_or_right_is_permanent() {
    check(ErrorKind::NotFound, Class::Permanent);
    check(ErrorKind::PermissionDenied, Class::Permanent);
    check(ErrorKind::ReadOnlyFilesystem, Class::Permanent);
    check(ErrorKind::StorageFull, Class::Permanent);
    check(ErrorKind::AddrInUse, Class::Permanent);
}

#[test]
fn what_can_come_after_sending_is_unknown() {
    check(ErrorKind::TimedOut, Class::Unknown);
    check(ErrorKind::WouldBlock, Class::Unknown);
    check(ErrorKind::ConnectionReset, Class::Unknown);
    check(ErrorKind::BrokenPipe, Class::Unknown);
    check(ErrorKind::UnexpectedEof, Class::Unknown);
    check(ErrorKind::HostUnreachable, Class::Unknown);
    check(ErrorKind::WriteZero, Class::Unknown);
    // A read that a signal ended, after all of the order went out.
    check(ErrorKind::Interrupted, Class::Unknown);
    check(ErrorKind::OutOfMemory, Class::Unknown);
    check(ErrorKind::ResourceBusy, Class::Unknown);
    check(ErrorKind::Deadlock, Class::Unknown);
}

#[test]
fn what_has_no_name_is_unknown() {
    check(ErrorKind::Other, Class::Unknown);
    // EIO: a write or an fsync that failed half-way.
    assert_eq!(Error::from_raw_os_error(5).class(), Class::Unknown);
}

#[test]
fn classes_have_stable_names() {
    assert_eq!(Class::Transient.to_string(), "transient");
    assert_eq!(Class::RateLimited { retry_after: None }.to_string(), "rate_limited");
    assert_eq!(Class::Unknown.to_string(), "unknown");
    assert_eq!(Class::Permanent.to_string(), "permanent");
}
