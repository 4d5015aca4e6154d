//! The one writer, and how callers share its commits.
//!
//! The connection is a seat that is handed from caller to caller, in the order in which they came. Whoever has it runs its
//! work in a savepoint of the open transaction. If others wait, the seat goes on with the transaction still open; the last
//! one commits for all of them, and only then are they told. So one fsync serves as many callers as came together, and
//! the work of each may borrow from its own thread.

use std::{
    any::Any,
    cell::Cell,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};

use crate::{Error, Head, Transaction, connection::given_up, error::Cause};

/// The connection that writes, with what belongs to it. Whoever has it may write.
pub(crate) struct Seat {
    pub(crate) connection: Connection,
    /// The last event, committed or not.
    pub(crate) head: Head,
    /// The transaction that is open, if one is.
    group: Option<Group>,
}

/// The callers of one commit.
struct Group {
    shared: Arc<Shared>,
    /// Callers that had the seat.
    callers: u32,
    /// Those of them that wait for the commit.
    members: u32,
    head_before: Head,
}

#[derive(Default)]
struct Shared {
    outcome: Mutex<Option<Outcome>>,
    decided: Condvar,
}

/// What became of a group.
#[derive(Clone)]
enum Outcome {
    Committed,
    /// SQLite gave the whole transaction up: nothing of it is in the database.
    RolledBack(Cause),
    /// Nobody can say.
    Unknown(Cause),
}

pub(crate) struct Writer {
    state: Mutex<State>,
    waits: Duration,
    group_max: u32,
    /// If it is the writer that commits.
    commits: Arc<AtomicBool>,
}

struct State {
    /// The seat, while nobody has it.
    seat: Option<Seat>,
    /// Who has it.
    holder: Option<ThreadId>,
    queue: VecDeque<Arc<Waiter>>,
    /// Why nothing is written any more.
    stopped: Option<Cause>,
}

#[derive(Default)]
struct Waiter {
    turn: Condvar,
    /// The seat, or why there is none any more. Filled under the lock of the state.
    seat: Mutex<Option<Result<Seat, Cause>>>,
}

impl Writer {
    /// The connection is handed over by [`resume`](Self::resume).
    pub(crate) fn new(waits: Duration, group_max: u32) -> Self {
        let stopped = Some(Cause::text("it is being opened"));
        let state = State { seat: None, holder: None, queue: VecDeque::new(), stopped };
        Self { state: Mutex::new(state), waits, group_max: group_max.max(1), commits: Arc::default() }
    }

    /// Runs `work` in a transaction and returns when it is on the disk, with the head if this caller was the one that
    /// committed. `confirm` is asked after a commit (of how many callers, how long it took, with which head) whether it can be
    /// trusted.
    pub(crate) fn run<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
        confirm: impl FnOnce(u32, Duration, Head) -> Result<(), Cause>,
    ) -> Result<(T, Option<Head>), Error> {
        let mut seat = self.acquire()?;
        let mut group = match seat.group.take() {
            Some(group) => group,
            None => match begin(&seat, self.waits) {
                Ok(group) => group,
                Err(error) => {
                    self.release(seat);
                    return Err(error);
                }
            },
        };
        let worked = in_savepoint(&mut seat, work);
        group.callers += 1;
        group.members += u32::from(matches!(worked, Ok(Ok(_))));
        let shared = Arc::clone(&group.shared);
        let head = self.pass_on_or_commit(seat, group, confirm);
        match worked {
            Err(panic) => resume_unwind(panic),
            Ok(Err(error)) => Err(error),
            Ok(Ok(value)) => shared.wait().map(|()| (value, head)),
        }
    }

    /// Has the seat to oneself, between transactions. `confirm` as for [`run`](Self::run), since one may be open.
    pub(crate) fn alone<T>(
        &self,
        confirm: impl Fn(u32, Duration, Head) -> Result<(), Cause>,
        work: impl FnOnce(&mut Seat) -> T,
    ) -> Result<T, Error> {
        loop {
            let mut seat = self.acquire()?;
            if let Some(group) = seat.group.take() {
                // It came with an open transaction: commit that first.
                self.commit(seat, &group, &confirm);
                continue;
            }
            let value = work(&mut seat);
            self.release(seat);
            return Ok(value);
        }
    }

    /// Takes the connection away, for closing it; later callers are refused with `why`. `None` if it was gone already.
    ///
    /// # Errors
    /// [`Error::Busy`] and [`Error::Nested`] if somebody has it, after which all is as it was.
    pub(crate) fn stop(
        &self,
        confirm: impl Fn(u32, Duration, Head) -> Result<(), Cause>,
        why: &Cause,
    ) -> Result<Option<Seat>, Error> {
        loop {
            let mut seat = match self.acquire() {
                Ok(seat) => seat,
                Err(Error::Stopped { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            if let Some(group) = seat.group.take() {
                self.commit(seat, &group, &confirm);
                continue;
            }
            self.refuse(why);
            return Ok(Some(seat));
        }
    }

    /// Writes on this connection: the first one, or another after a [`stop`](Self::stop) or an unconfirmed commit.
    pub(crate) fn resume(&self, connection: Connection, head: Head) -> Result<(), Error> {
        // A commit within somebody's work would be one that nobody waits for, and part of others' work with it.
        let commits = Arc::clone(&self.commits);
        let refuse = move || !commits.load(Ordering::Relaxed);
        connection.commit_hook(Some(refuse)).map_err(Error::query("watch over commits"))?;
        let mut state = self.lock();
        state.stopped = None;
        state.seat = Some(Seat { connection, head, group: None });
        Ok(())
    }

    /// If nothing is written any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().stopped.is_some()
    }

    fn acquire(&self) -> Result<Seat, Error> {
        let mut state = self.lock();
        let me = thread::current().id();
        if state.holder == Some(me) {
            return Err(Error::Nested);
        }
        if let Some(source) = &state.stopped {
            return Err(Error::Stopped { source: source.clone() });
        }
        if let Some(seat) = state.seat.take() {
            state.holder = Some(me);
            return Ok(seat);
        }
        let start = Instant::now();
        let waiter = Arc::new(Waiter::default());
        state.queue.push_back(Arc::clone(&waiter));
        loop {
            let left = self.waits.saturating_sub(start.elapsed());
            state = waiter.turn.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            // Whoever passes the seat on does so under the lock: it is here, or we are still in the queue.
            match waiter.seat.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(Ok(seat)) => {
                    state.holder = Some(me);
                    return Ok(seat);
                }
                Some(Err(source)) => return Err(Error::Stopped { source }),
                None => {}
            }
            if start.elapsed() >= self.waits {
                state.queue.retain(|other| !Arc::ptr_eq(other, &waiter));
                return Err(Error::Busy { waited: start.elapsed() });
            }
        }
    }

    fn release(&self, seat: Seat) {
        let mut state = self.lock();
        state.holder = None;
        match state.queue.pop_front() {
            Some(waiter) => {
                *waiter.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ok(seat));
                waiter.turn.notify_one();
            }
            None => state.seat = Some(seat),
        }
    }

    fn refuse(&self, why: &Cause) {
        let mut state = self.lock();
        state.holder = None;
        state.stopped = Some(why.clone());
        for waiter in state.queue.drain(..) {
            // Told to each, since it may be resumed before they wake.
            *waiter.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(Err(why.clone()));
            waiter.turn.notify_one();
        }
    }

    /// Passes the open transaction on if somebody waits, else ends it. Returns the head if it was committed here.
    fn pass_on_or_commit(
        &self,
        mut seat: Seat,
        group: Group,
        confirm: impl FnOnce(u32, Duration, Head) -> Result<(), Cause>,
    ) -> Option<Head> {
        // A transaction that SQLite gave up has nobody to be passed on to.
        let whole = !seat.connection.is_autocommit();
        if whole && group.callers < self.group_max {
            let mut state = self.lock();
            if let Some(waiter) = state.queue.pop_front() {
                state.holder = None;
                seat.group = Some(group);
                *waiter.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ok(seat));
                waiter.turn.notify_one();
                return None;
            }
        }
        self.commit(seat, &group, confirm)
    }

    fn commit(
        &self,
        mut seat: Seat,
        group: &Group,
        confirm: impl FnOnce(u32, Duration, Head) -> Result<(), Cause>,
    ) -> Option<Head> {
        let outcome = if seat.connection.is_autocommit() {
            Outcome::RolledBack(given_up())
        } else if group.members == 0 {
            match execute(&seat.connection, "ROLLBACK") {
                Ok(()) => Outcome::Committed,
                Err(error) => Outcome::Unknown(error.into()),
            }
        } else {
            let start = Instant::now();
            self.commits.store(true, Ordering::Relaxed);
            let committed = execute(&seat.connection, "COMMIT");
            self.commits.store(false, Ordering::Relaxed);
            match committed {
                Ok(()) => match confirm(group.members, start.elapsed(), seat.head) {
                    Ok(()) => Outcome::Committed,
                    Err(cause) => Outcome::Unknown(cause),
                },
                Err(error) if found_no_room(&error) && roll_back(&seat.connection) => Outcome::RolledBack(error.into()),
                Err(error) => Outcome::Unknown(error.into()),
            }
        };
        let head = match &outcome {
            Outcome::Committed if group.members > 0 => Some(seat.head),
            Outcome::Committed | Outcome::RolledBack(_) => {
                seat.head = group.head_before;
                None
            }
            Outcome::Unknown(_) => None,
        };
        match &outcome {
            Outcome::Committed | Outcome::RolledBack(_) => self.release(seat),
            Outcome::Unknown(cause) => {
                // Not released: what comes next on this connection would build on what may not be there.
                drop(seat);
                self.refuse(cause);
            }
        }
        group.shared.decide(outcome);
        head
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn wait(&self) -> Result<(), Error> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.decided.wait_while(outcome, |o| o.is_none()).unwrap_or_else(PoisonError::into_inner);
        match outcome.as_ref() {
            Some(Outcome::RolledBack(cause)) => Err(Error::RolledBack { source: cause.clone() }),
            Some(Outcome::Unknown(cause)) => Err(Error::CommitUnknown { source: cause.clone() }),
            Some(Outcome::Committed) | None => Ok(()),
        }
    }

    fn decide(&self, outcome: Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.decided.notify_all();
    }
}

fn begin(seat: &Seat, waits: Duration) -> Result<Group, Error> {
    // IMMEDIATE, because a reading transaction that turns to writing fails at once, whatever the time-out.
    execute(&seat.connection, "BEGIN IMMEDIATE").map_err(|source| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => Error::Busy { waited: waits },
        _ => Error::query("begin to write")(source),
    })?;
    Ok(Group { shared: Arc::default(), callers: 0, members: 0, head_before: seat.head })
}

/// A full disk refuses the write of a page, before the one that makes the commit: it did not happen, and once there is room
/// the next one can.
fn found_no_room(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// If no transaction is open any more.
fn roll_back(connection: &Connection) -> bool {
    connection.is_autocommit() || execute(connection, "ROLLBACK").is_ok()
}

/// The result of `work`, or its panic; what it wrote is undone unless it is `Ok`.
fn in_savepoint<T>(
    seat: &mut Seat,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
) -> Result<Result<T, Error>, Box<dyn Any + Send>> {
    let head = Cell::new(seat.head);
    let worked = catch_unwind(AssertUnwindSafe(|| Transaction::new(&seat.connection, &head).nested(work)));
    seat.head = head.get();
    worked
}

pub(crate) fn execute(connection: &Connection, sql: &'static str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests;
