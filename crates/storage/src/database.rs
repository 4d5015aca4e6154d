//! The handle: how a database is read, written and closed.

mod opening;

use std::{
    fmt, fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;

use crate::{
    Backup, BackupOptions, Error, Head, Observer, Options, Progress, Reader, Transaction, Verification, backup,
    connection,
    error::Cause,
    head_file::HeadFile,
    identity::Identity,
    lock::InstanceLock,
    migration,
    pool::Pool,
    verification,
    writer::{Seat, Writer},
};

/// The record: one SQLite file, one writer, several readers.
///
/// Clones share it; it may be used from any thread. There is no other way in than [`read`](Self::read) and
/// [`transaction`](Self::transaction). One process at a time has a database open; the last clone that is dropped closes it.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    instance_id: String,
    origin: Origin,
    head_file: HeadFile,
    anchored: Mutex<Anchored>,
    identity: Mutex<Identity>,
    /// Empty only while it is opened anew.
    readers: RwLock<Option<Arc<Pool>>>,
    writer: Writer,
    reopening: Mutex<()>,
    /// How often it was opened anew.
    reopened: AtomicU64,
    /// What SQLite said of the data when the writer last began.
    data_version: AtomicI64,
    // Last: the next process may come only when all else is closed.
    lock: InstanceLock,
}

/// The heads that this process knows of.
struct Anchored {
    /// The last one that was acknowledged.
    acknowledged: Head,
    /// The number of the one that was there at the start, or was written last.
    known: u64,
    /// When one was last written beside the database, or was to be.
    written: Option<Instant>,
}

/// How a database came to be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was created just now, with this schema version.
    Created {
        /// The newest.
        version: u32,
    },
    /// It was there, and its schema was brought up to date.
    Migrated {
        /// The version of our own tables before.
        from: u32,
        /// The newest.
        to: u32,
    },
    /// It was there, up to date.
    Current {
        /// The newest.
        version: u32,
    },
}

/// How large the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// The database itself.
    pub file_bytes: u64,
    /// The write-ahead log beside it; it is folded into the file by and by.
    pub wal_bytes: u64,
}

impl Database {
    fn new(options: &Options, writer: Connection, lock: InstanceLock, origin: Origin) -> Result<Self, Error> {
        let instance_id = connection::instance_id(&writer)?;
        let head = connection::head(&writer, &instance_id)?;
        let inner = Inner {
            head_file: HeadFile::of(&options.path, instance_id.clone()),
            anchored: Mutex::new(Anchored { acknowledged: head, known: head.sequence, written: None }),
            identity: Mutex::new(Identity::of(&options.path)?),
            readers: RwLock::new(Some(Arc::new(Pool::new(options)))),
            writer: Writer::new(options.busy_timeout, options.group_max),
            reopening: Mutex::new(()),
            reopened: AtomicU64::new(0),
            options: options.clone(),
            instance_id,
            origin,
            data_version: AtomicI64::default(),
            lock,
        };
        inner.writer.resume(writer, head)?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How it came to be open.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.inner.origin
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.options.path
    }

    /// The name that the database was given when it was created: 32 hexadecimal digits. Its backups have the same.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        &self.inner.instance_id
    }

    /// The head of the chain, as it was last acknowledged.
    #[must_use]
    pub fn head(&self) -> Head {
        self.inner.anchored().acknowledged
    }

    /// Reads on a connection of the pool that cannot write. Everything that `work` reads is of one moment.
    ///
    /// Blocks until a connection is free, [`Options::busy_timeout`] at the longest. A statement that still runs after
    /// [`Options::read_age_max`] is ended; do not wait for other things within `work`.
    ///
    /// # Errors
    /// [`Error::PoolTimeout`], [`Error::ReadTooLong`], or what `work` returns; [`Error::Replaced`] if the database was deleted or
    /// replaced since it was opened.
    pub fn read<T>(&self, work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.inner.check_database()?;
        let readers = self.inner.readers.read().unwrap_or_else(PoisonError::into_inner).clone();
        let readers = readers.ok_or_else(|| Error::Stopped { source: Cause::text("it is being opened anew") })?;
        let read = readers.read(work);
        // A connection that was opened in between may be one to another file.
        self.inner.check_database().and(read)
    }

    /// Writes, whole or not at all: what `work` did is on the disk when this returns `Ok`, and undone when `work` returns
    /// an error or panics.
    ///
    /// Transactions run one after another, in the order of the calls; those that come together share one commit. The call
    /// blocks until it is its turn, [`Options::busy_timeout`] at the longest, and then until the commit.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Busy`] if its turn did not come in time, or another program held SQLite's lock;
    /// [`Error::CommitUnknown`] if the disk did not confirm the commit: the transaction may have happened, and nothing more is
    /// written ([`Error::Stopped`]) before [`reopen`](Self::reopen); [`Error::RolledBack`] if SQLite gave up the transaction;
    /// [`Error::Nested`] within a transaction; [`Error::Replaced`] and [`Error::HeadMismatch`] if somebody else was at the files or
    /// the chain, and [`Error::InUse`] if that is a process that came in because the lock file was taken away.
    pub fn transaction<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let inner = &*self.inner;
        let confirm = |callers, took, head| inner.confirm(callers, took, head);
        let (value, committed) = inner.writer.run(work, |connection, head| inner.check(connection, head), confirm)?;
        if let Some(head) = committed {
            inner.anchor_if_due(&head);
        }
        Ok(value)
    }

    /// Writes the head of the chain beside the database now. It is done by itself after a commit, every
    /// [`Options::anchor_every`], and at the end.
    ///
    /// # Errors
    /// [`Error::HeadFile`]; [`Error::Replaced`] if the database was deleted or replaced since it was opened: what stands there now
    /// has a head of its own; [`Error::Lock`] if the lock file was taken away: another process may have written a newer head.
    pub fn anchor(&self) -> Result<Head, Error> {
        self.inner.anchor()
    }

    /// Folds the write-ahead log into the file, as far as readers let it, and gives its space back. Blocks writers while it
    /// runs, and waits for readers 50 ms at the longest.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Stopped`], [`Error::Query`].
    pub fn checkpoint(&self) -> Result<Sizes, Error> {
        let inner = &*self.inner;
        let confirm = |callers, took, head| inner.confirm(callers, took, head);
        let fold = |seat: &mut Seat| {
            let folded = connection::checkpoint(&seat.connection);
            // Only who has the seat looks at the log, so nobody met it shorter meanwhile; and readers need not wait.
            inner.identity().folded();
            folded
        };
        inner.writer.alone(confirm, fold)??;
        self.sizes()
    }

    /// How large the files are, by `stat`.
    ///
    /// # Errors
    /// [`Error::Replaced`] if the database was deleted or replaced since it was opened.
    pub fn sizes(&self) -> Result<Sizes, Error> {
        self.inner.check_database()?;
        let path = self.path();
        let replaced =
            |error: io::Error| Error::Replaced { path: path.to_owned(), what: Cause::text(error.to_string()) };
        let file = fs::metadata(path).map_err(replaced)?;
        let wal_bytes = fs::metadata(connection::wal(path)).map_or(0, |metadata| metadata.len());
        Ok(Sizes { file_bytes: file.len(), wal_bytes })
    }

    /// The version of a component's tables: of ours (`core`), or of a [`MigrationSet`](crate::MigrationSet). `None` if it has
    /// none here.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn schema_version(&self, component: &str) -> Result<Option<u32>, Error> {
        self.read(|r| migration::version(r.connection(), component))
    }

    /// Proves the record whole: SQLite's own checks, every event of the chain, and that the schema is as it was made. Reads everything,
    /// beside other reads and writes; the write-ahead log grows meanwhile. `progress` is told how many events are done, of how
    /// many.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::ChainBroken`] with the first bad event, [`Error::HeadMismatch`] if the chain does not
    /// lead to the head beside the database, or to what this process acknowledged; [`Error::Query`], [`Error::Replaced`].
    pub fn verify(&self, progress: impl FnMut(u64, u64)) -> Result<Verification, Error> {
        self.inner.check_database()?;
        let acknowledged = self.head();
        let connection = connection::open_reader(self.path(), self.inner.options.busy_timeout)?;
        connection::check_passes(&connection, self.path(), &acknowledged)?;
        verification::whole(&connection, self.path(), &self.inner.head_file, progress)
    }

    /// Makes a backup: the record as it is at one moment, proven, and then moved into place. Reads and writes go on meanwhile.
    ///
    /// The copy is made within one reading transaction, so it takes the same time however much is written; the write-ahead log
    /// cannot be folded until the copy is complete. The moment has everything that was acknowledged before the call.
    ///
    /// # Errors
    /// [`Error::DiskSpace`] before anything is written; [`Error::BackupFile`], [`Error::Query`]; [`Error::Damaged`],
    /// [`Error::ChainBroken`], [`Error::BackupDamaged`] if the copy is not good; [`Error::HeadMismatch`] if another file stands at
    /// the path of the database now. No part of a backup is left then, and those of before stay.
    pub fn backup(&self, options: &BackupOptions, mut progress: impl FnMut(Progress)) -> Result<Backup, Error> {
        let head = self.head();
        let source = connection::open_reader(self.path(), self.inner.options.busy_timeout)?;
        backup::make(&source, self.path(), options, Some((self.instance_id(), &head)), &mut progress)
    }

    /// If nothing is written any more, since a commit was not confirmed.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.inner.writer.is_stopped()
    }

    /// Closes all connections and opens them anew, after [`Error::CommitUnknown`]. What the disk has is then what is read:
    /// look up whether the transaction in doubt is there. Reads and writes of other threads fail meanwhile.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Error::HeadMismatch`] also if something that was acknowledged is gone. The record stays
    /// stopped then, and is read on as long as its files are the same; this can be called again.
    pub fn reopen(&self) -> Result<(), Error> {
        self.inner.reopen()
    }
}

impl Inner {
    fn anchored(&self) -> MutexGuard<'_, Anchored> {
        self.anchored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That the file which stands at the path is the one that was opened.
    fn check_database(&self) -> Result<(), Error> {
        self.identity().check_database().map_err(|what| Error::Replaced { path: self.options.path.clone(), what })
    }

    fn check_files(&self) -> Result<(), Error> {
        match self.identity().check() {
            // While it is opened anew they change; the writer tells.
            Err(_) if self.writer.is_stopped() => Ok(()),
            checked => checked.map_err(|what| Error::Replaced { path: self.options.path.clone(), what }),
        }
    }

    /// Whether the transaction that was begun may write, and after which head: `head` is the one that ours left.
    fn check(&self, connection: &Connection, head: Head) -> Result<Head, Error> {
        let path = &self.options.path;
        // Another process of ours that found no lock file tells more than what it did to the files.
        self.check_files().or_else(|error| self.lock.look_for_another(path).and(Err(error)))?;
        let version = connection::data_version(connection)?;
        if self.data_version.load(Ordering::Relaxed) == version {
            return Ok(head);
        }
        let found = connection::head(connection, &self.instance_id)?;
        if found != head {
            connection::check_passes(connection, path, &head)?;
            self.lock.look_for_another(path)?;
            if self.lock.check().is_ok() {
                let what = format!("another program wrote events, up to {}", found.sequence);
                return Err(Error::HeadMismatch { path: path.clone(), what });
            }
        }
        self.data_version.store(version, Ordering::Relaxed);
        Ok(found)
    }

    /// Whether a commit that SQLite reports can be acknowledged: it must have gone into the files that stand at the path.
    fn confirm(&self, callers: u32, took: Duration, head: Head) -> Result<(), Cause> {
        self.identity().check()?;
        // Here, and not when the caller is told: the next commit may overtake that.
        self.anchored().acknowledged = head;
        self.tell(|observer| observer.committed(callers, took));
        Ok(())
    }

    /// An observer that panics loses what it was told, and nobody else anything.
    fn tell(&self, what: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = &self.options.observer {
            drop(catch_unwind(AssertUnwindSafe(|| what(&**observer))));
        }
    }

    fn anchor_if_due(&self, head: &Head) {
        let mut anchored = self.anchored();
        let due = anchored.written.is_none_or(|written| written.elapsed() >= self.options.anchor_every);
        // One that was overtaken leaves it to the one that did.
        if !due || head.sequence == anchored.known || head.sequence < anchored.acknowledged.sequence {
            return;
        }
        // Also after a failure: a disk that is full should not be asked at every commit.
        anchored.written = Some(Instant::now());
        drop(anchored);
        // The trades are safe; only the proof against a later cut is older than it should be, and the observer was told.
        drop(self.anchor());
    }

    fn anchor(&self) -> Result<Head, Error> {
        // Held while writing, so that an older head never replaces a newer one.
        let mut anchored = self.anchored();
        let head = anchored.acknowledged;
        let written = self.check_database().and_then(|()| self.lock.check()).and_then(|()| self.head_file.write(&head));
        if written.is_ok() {
            anchored.known = head.sequence;
        }
        drop(anchored);
        self.tell(|observer| match &written {
            Ok(()) => observer.anchored(&head),
            Err(error) => observer.anchor_failed(error),
        });
        written.map(|()| head)
    }

    fn close_readers(&self) {
        let readers = self.readers.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(readers);
    }

    fn reopen(&self) -> Result<(), Error> {
        let before = self.reopened.load(Ordering::Acquire);
        let _one_at_a_time = self.reopening.lock().unwrap_or_else(PoisonError::into_inner);
        if self.reopened.load(Ordering::Acquire) != before {
            // Somebody else did it while this call waited.
            return Ok(());
        }
        let confirm = |callers, took, head| self.confirm(callers, took, head);
        drop(self.writer.stop(confirm, &Cause::text("it is being opened anew"))?);
        self.close_readers();
        let opened = self.open_anew();
        // Also if that failed, as on a disk that became read-only: what could be read goes on being read, as long as it is the same.
        if opened.is_ok() || self.identity().check().is_ok() {
            *self.readers.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Pool::new(&self.options)));
        }
        let (connection, head) = opened.inspect_err(|error| {
            self.writer.refuse(&Cause::text(format!("it could not be opened anew: {error}")));
        })?;
        self.writer.resume(connection, head)?;
        self.reopened.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// A connection for the writer, after a look at whether it leads to what was there.
    fn open_anew(&self) -> Result<(Connection, Head), Error> {
        let path = &self.options.path;
        connection::probe(path)?;
        let connection = connection::open_writer(&self.options)?;
        migration::check(&connection, path, &self.options.migrations)?;
        connection::settle(&connection)?;
        let found = connection::instance_id(&connection)?;
        if found != self.instance_id {
            let what = format!("its instance is {found}, and that one was {}", self.instance_id);
            return Err(Error::HeadMismatch { path: path.clone(), what });
        }
        let acknowledged = self.anchored().acknowledged;
        connection::check_passes(&connection, path, &acknowledged)?;
        self.head_file.check(&connection)?;
        let head = connection::head(&connection, &self.instance_id)?;
        *self.identity() = Identity::of(path)?;
        // Each connection counts for itself.
        self.data_version.store(0, Ordering::Relaxed);
        self.anchored().acknowledged = head;
        Ok((connection, head))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Before the writer, so that the writer is closed last and tidies the write-ahead log away.
        self.close_readers();
        let confirm = |callers, took, head| self.confirm(callers, took, head);
        if let Ok(Some(_seat)) = self.writer.stop(confirm, &Cause::text("it is closed")) {
            // The observer was told if it failed.
            drop(self.anchor());
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { options, origin, instance_id, .. } = &*self.inner;
        f.debug_struct("Database")
            .field("path", &options.path)
            .field("instance_id", instance_id)
            .field("origin", origin)
            .finish_non_exhaustive()
    }
}

pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
