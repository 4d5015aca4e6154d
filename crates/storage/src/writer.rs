//! The one writer, and how callers share its commits.
//!
//! The connection is a seat that is handed from caller to caller, in the order in which they came. Whoever has it runs its
//! work in the open transaction, in a savepoint of its own if others were there before. If others wait, the seat goes on with
//! the transaction still open; the last one commits for all of them, and only then are they told. So one fsync serves as
//! many callers as came together, and the work of each may borrow from its own thread. Callers that were told of one commit
//! come again one after another: the last one of a smaller group leaves the seat for a moment before it commits.

use std::{
    any::Any,
    cell::Cell,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
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
    /// What its members wait for.
    outcome: Arc<OnceLock<Outcome>>,
    /// Callers that had the seat.
    callers: u32,
    /// Those of them that wait for the commit.
    members: u32,
    head_before: Head,
}

/// What became of a group.
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
    watch: Arc<Watch>,
}

/// What SQLite tells of the transaction that is open.
#[derive(Default)]
struct Watch {
    /// If it is the writer that commits.
    commits: AtomicBool,
    /// If it was rolled back: by SQLite, or within somebody's work, where another may have been begun since.
    is_lost: AtomicBool,
}

impl Watch {
    fn over(self: &Arc<Self>, connection: &Connection) -> Result<(), rusqlite::Error> {
        // A commit within somebody's work would be one that nobody waits for, and part of others' work with it.
        let watch = Arc::clone(self);
        connection.commit_hook(Some(move || !watch.commits.load(Ordering::Relaxed)))?;
        let watch = Arc::clone(self);
        connection.rollback_hook(Some(move || watch.is_lost.store(true, Ordering::Relaxed)))
    }
}

struct State {
    /// The seat, while nobody has it.
    seat: Option<Seat>,
    /// Who has it.
    holder: Option<ThreadId>,
    queue: VecDeque<Arc<Waiter>>,
    /// How many callers the last commit had: as many can be expected for the next.
    expected: u32,
    /// Why nothing is written any more.
    stopped: Option<Cause>,
}

struct Waiter {
    thread: ThreadId,
    turn: Condvar,
    /// If it is the next one: it looks out for the seat then, since waking up takes longer than most work.
    is_next: AtomicBool,
    /// If it has to be woken. Changed under the lock of the state.
    is_asleep: AtomicBool,
    is_called: AtomicBool,
    /// The seat, or why there is none any more. Filled under the lock of the state.
    seat: Mutex<Option<Result<Seat, Cause>>>,
}

/// How often the next one looks before it sleeps. **Source:** the bench; more is no faster, and costs others the processor.
const LOOKS: u32 = 100;

/// How often a group that is smaller than the last one is left for others to come. **Source:** the bench: who was told of the
/// last commit is on the way, and one look lets most groups fill. More would be waiting where the machine is busy.
const LEAVES: u32 = 2;

impl Waiter {
    fn new() -> Self {
        Self {
            thread: thread::current().id(),
            turn: Condvar::new(),
            is_next: AtomicBool::new(false),
            is_asleep: AtomicBool::new(false),
            is_called: AtomicBool::new(false),
            seat: Mutex::new(None),
        }
    }

    fn call(&self, seat: Result<Seat, Cause>) {
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(seat);
        self.is_called.store(true, Ordering::Release);
    }

    /// The seat, if it was called.
    fn take(&self) -> Option<Result<Seat, Cause>> {
        if !self.is_called.load(Ordering::Acquire) {
            return None;
        }
        self.seat.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn look_out(&self) -> Option<Result<Seat, Cause>> {
        (0..LOOKS).find_map(|_| {
            thread::yield_now();
            self.take()
        })
    }
}

impl Writer {
    /// The connection is handed over by [`resume`](Self::resume).
    pub(crate) fn new(waits: Duration, group_max: u32) -> Self {
        let stopped = Some(Cause::text("it is being opened"));
        let state = State { seat: None, holder: None, queue: VecDeque::new(), expected: 0, stopped };
        Self { state: Mutex::new(state), waits, group_max: group_max.max(1), watch: Arc::default() }
    }

    /// Runs `work` in a transaction and returns when it is on the disk, with the head if this caller was the one that
    /// committed. `check` is asked when a transaction was begun whether anything may be written, and after which head: it is told
    /// the one that the last transaction left. `confirm` is asked after a commit (of how many callers, how long it took, with
    /// which head) whether it can be trusted.
    pub(crate) fn run<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
        check: impl FnOnce(&Connection, Head) -> Result<Head, Error>,
        confirm: impl FnOnce(u32, Duration, Head) -> Result<(), Cause>,
    ) -> Result<(T, Option<Head>), Error> {
        let mut seat = self.acquire()?;
        let (mut group, is_first) = match seat.group.take() {
            Some(group) => (group, false),
            None => match self.begin(&mut seat, check) {
                Ok(group) => (group, true),
                Err(error) => {
                    self.release(seat);
                    return Err(error);
                }
            },
        };
        let worked = attempt(&mut seat, is_first, work);
        let succeeded = matches!(worked, Ok(Ok(_)));
        group.callers += 1;
        group.members += u32::from(succeeded);
        let outcome = Arc::clone(&group.outcome);
        let head = if is_first && !succeeded {
            // There is nothing in it that is to stay.
            self.end(seat, &group, confirm)
        } else {
            self.pass_on_or_end(seat, group, confirm)
        };
        match worked {
            Err(panic) => resume_unwind(panic),
            Ok(Err(error)) => Err(error),
            Ok(Ok(value)) => outcome.wait().told().map(|()| (value, head)),
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
                self.end(seat, &group, &confirm);
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
                self.end(seat, &group, &confirm);
                continue;
            }
            self.refuse(why);
            return Ok(Some(seat));
        }
    }

    /// Writes on this connection: the first one, or another after a [`stop`](Self::stop) or an unconfirmed commit.
    pub(crate) fn resume(&self, connection: Connection, head: Head) -> Result<(), Error> {
        self.watch.over(&connection).map_err(Error::query("watch over the transaction"))?;
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
        let waiter = Arc::new(Waiter::new());
        waiter.is_next.store(state.queue.is_empty(), Ordering::Relaxed);
        state.queue.push_back(Arc::clone(&waiter));
        loop {
            if waiter.is_next.swap(false, Ordering::Relaxed) {
                drop(state);
                if let Some(called) = waiter.look_out() {
                    return called.map_err(|source| Error::Stopped { source });
                }
                state = self.lock();
            } else {
                let left = self.waits.saturating_sub(start.elapsed());
                waiter.is_asleep.store(true, Ordering::Relaxed);
                state = waiter.turn.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                waiter.is_asleep.store(false, Ordering::Relaxed);
            }
            // Whoever passes the seat on does so under the lock: it is here, or we are still in the queue.
            if let Some(called) = waiter.take() {
                return called.map_err(|source| Error::Stopped { source });
            }
            if start.elapsed() >= self.waits {
                state.queue.retain(|other| !Arc::ptr_eq(other, &waiter));
                return Err(Error::Busy { waited: start.elapsed() });
            }
        }
    }

    fn release(&self, seat: Seat) {
        let mut state = self.lock();
        match state.queue.pop_front() {
            Some(waiter) => hand_over(state, &waiter, seat),
            None => {
                state.holder = None;
                state.seat = Some(seat);
            }
        }
    }

    /// Writes nothing any more, and says why.
    pub(crate) fn refuse(&self, why: &Cause) {
        let mut state = self.lock();
        state.holder = None;
        state.stopped = Some(why.clone());
        for waiter in state.queue.drain(..) {
            // Told to each, since it may be resumed before they wake.
            waiter.call(Err(why.clone()));
            waiter.turn.notify_one();
        }
    }

    fn begin(
        &self,
        seat: &mut Seat,
        check: impl FnOnce(&Connection, Head) -> Result<Head, Error>,
    ) -> Result<Group, Error> {
        self.watch.is_lost.store(false, Ordering::Relaxed);
        // IMMEDIATE, because a reading transaction that turns to writing fails at once, whatever the time-out.
        execute(&seat.connection, "BEGIN IMMEDIATE").map_err(|source| match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => Error::Busy { waited: self.waits },
            _ => Error::query("begin to write")(source),
        })?;
        seat.head = check(&seat.connection, seat.head).inspect_err(|_refused| {
            // There is nothing in it. If it stays open, the next one cannot begin, and is told so.
            roll_back(&seat.connection);
        })?;
        Ok(Group { outcome: Arc::default(), callers: 0, members: 0, head_before: seat.head })
    }

    /// If all that was written since the beginning is still to be committed.
    fn is_whole(&self, seat: &Seat) -> bool {
        !seat.connection.is_autocommit() && !self.watch.is_lost.load(Ordering::Relaxed)
    }

    /// Passes the open transaction on if somebody waits or comes, else ends it. Returns the head if it was committed here.
    fn pass_on_or_end(
        &self,
        mut seat: Seat,
        mut group: Group,
        confirm: impl FnOnce(u32, Duration, Head) -> Result<(), Cause>,
    ) -> Option<Head> {
        let mut leaves = 0;
        // A transaction that was lost has nobody to be passed on to.
        while self.is_whole(&seat) && group.callers < self.group_max {
            let mut state = self.lock();
            if let Some(waiter) = state.queue.pop_front() {
                seat.group = Some(group);
                hand_over(state, &waiter, seat);
                return None;
            }
            if group.callers >= state.expected || leaves == LEAVES {
                break;
            }
            leaves += 1;
            let (outcome, callers) = (Arc::clone(&group.outcome), group.callers);
            state.holder = None;
            state.seat = Some(Seat { group: Some(group), ..seat });
            drop(state);
            thread::yield_now();
            (seat, group) = self.take_back(&outcome, callers)?;
        }
        self.end(seat, &group, confirm)
    }

    /// The seat that was left with this group of so many callers, if nobody came: who comes commits for all.
    fn take_back(&self, outcome: &Arc<OnceLock<Outcome>>, callers: u32) -> Option<(Seat, Group)> {
        let mut state = self.lock();
        let is_ours = |group: &mut Group| Arc::ptr_eq(&group.outcome, outcome) && group.callers == callers;
        let group = state.seat.as_mut()?.group.take_if(is_ours)?;
        state.holder = Some(thread::current().id());
        state.seat.take().map(|seat| (seat, group))
    }

    /// Commits for all of the group, or rolls back where nobody has anything to commit.
    fn end(
        &self,
        mut seat: Seat,
        group: &Group,
        confirm: impl FnOnce(u32, Duration, Head) -> Result<(), Cause>,
    ) -> Option<Head> {
        self.lock().expected = group.callers;
        let outcome = if !self.is_whole(&seat) {
            if roll_back(&seat.connection) { Outcome::RolledBack(given_up()) } else { Outcome::Unknown(given_up()) }
        } else if group.members == 0 {
            match execute(&seat.connection, "ROLLBACK") {
                Ok(()) => Outcome::Committed,
                Err(error) => Outcome::Unknown(Cause::of_sqlite(error)),
            }
        } else {
            let start = Instant::now();
            self.watch.commits.store(true, Ordering::Relaxed);
            let committed = execute(&seat.connection, "COMMIT");
            self.watch.commits.store(false, Ordering::Relaxed);
            match committed {
                Ok(()) => match confirm(group.members, start.elapsed(), seat.head) {
                    Ok(()) => Outcome::Committed,
                    Err(cause) => Outcome::Unknown(cause),
                },
                Err(error) if found_no_room(&error) && roll_back(&seat.connection) => {
                    Outcome::RolledBack(Cause::of_sqlite(error))
                }
                Err(error) => Outcome::Unknown(Cause::of_sqlite(error)),
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
        // Who commits decides, and nobody else.
        drop(group.outcome.set(outcome));
        head
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outcome {
    /// As a member of the group is told it.
    fn told(&self) -> Result<(), Error> {
        match self {
            Self::Committed => Ok(()),
            Self::RolledBack(cause) => Err(Error::RolledBack { source: cause.clone() }),
            Self::Unknown(cause) => Err(Error::CommitUnknown { source: cause.clone() }),
        }
    }
}

/// Gives the seat to the one whose turn it is, and tells the one after it. Who looks out already sees it without being woken, which
/// would be a call of the system.
fn hand_over(mut state: MutexGuard<'_, State>, waiter: &Waiter, seat: Seat) {
    state.holder = Some(waiter.thread);
    waiter.call(Ok(seat));
    let next = state.queue.front().cloned();
    if let Some(next) = &next {
        next.is_next.store(true, Ordering::Relaxed);
    }
    let asleep = [Some(waiter), next.as_deref()].map(|one| one.filter(|one| one.is_asleep.load(Ordering::Relaxed)));
    // Whoever is woken wants the lock.
    drop(state);
    for one in asleep.into_iter().flatten() {
        one.turn.notify_one();
    }
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

/// The result of `work`, or its panic. Unless it is `Ok`, what it wrote is undone: here, where others have written before, and else
/// with the transaction.
fn attempt<T>(
    seat: &mut Seat,
    is_first: bool,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
) -> Result<Result<T, Error>, Box<dyn Any + Send>> {
    let head = Cell::new(seat.head);
    let worked = catch_unwind(AssertUnwindSafe(|| {
        let tx = Transaction::new(&seat.connection, &head);
        // Not for the first: for a savepoint, SQLite keeps a copy of each page as it was.
        if is_first { work(&tx) } else { tx.nested(work) }
    }));
    seat.head = head.get();
    worked
}

pub(crate) fn execute(connection: &Connection, sql: &'static str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests;
