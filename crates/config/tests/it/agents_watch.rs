//! The agents file as it is followed.

use std::{
    fs,
    os::unix::fs::symlink,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use tempfile::TempDir;
use trading_config::{Agents, AgentsWatch, Error, Settings, Subscription, WatchEvent, WatchOptions};

use crate::{loader, project};

/// So long that only [`AgentsWatch::check_now`] looks.
const NEVER: WatchOptions =
    WatchOptions { interval: Duration::from_secs(3_600), debounce: Duration::from_secs(3_600), notify: false };

/// As often as can be, so that nothing has to be notified.
const OFTEN: WatchOptions =
    WatchOptions { interval: Duration::from_millis(1), debounce: Duration::from_millis(1), notify: false };

/// What no test reaches that is not broken.
const LONG: Duration = Duration::from_secs(60);

/// Technical agents with these ids, one a line.
fn agents(ids: &[&str]) -> String {
    let agents: Vec<_> =
        ids.iter().map(|id| format!(r#"{{"id": "{id}", "name": "{id}", "type": "technical"}}"#)).collect();
    format!("{{\"agents\": [\n{}\n]}}", agents.join(",\n"))
}

/// A watched project, and what its subscriber was told.
struct Watched {
    folder: TempDir,
    watch: AgentsWatch,
    events: Receiver<WatchEvent>,
    _subscription: Subscription,
}

impl Watched {
    fn new(ids: &[&str], options: WatchOptions) -> Self {
        let folder = project(&[("config/agents.json", &agents(ids))]);
        let settings = loader(folder.path(), &[]).load().expect("loads");
        Self::of(folder, &settings, options)
    }

    fn of(folder: TempDir, settings: &Settings, options: WatchOptions) -> Self {
        let watch = AgentsWatch::start(settings, options).expect("starts");
        let (sender, events) = channel();
        let subscription = watch.subscribe(move |event| sender.send(event.clone()).expect("the test listens"));
        Self { folder, watch, events, _subscription: subscription }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("config/agents.json")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).expect("is written");
    }

    fn ids(&self) -> Vec<String> {
        ids(&self.watch.current())
    }

    /// Looks, and gives what was told of it.
    fn check(&self) -> Vec<String> {
        self.watch.check_now();
        self.events.try_iter().map(|event| show(&event)).collect()
    }

    fn next(&self) -> String {
        show(&self.events.recv_timeout(LONG).expect("the change is told"))
    }

    /// Passes over what a slow machine may see of a file in the middle of being written.
    fn next_good(&self) -> String {
        std::iter::repeat_with(|| self.next()).find(|told| !told.starts_with("rejected")).expect("endless")
    }
}

fn ids(agents: &Agents) -> Vec<String> {
    agents.list().iter().map(|agent| agent.id.clone()).collect()
}

fn show(event: &WatchEvent) -> String {
    match event {
        WatchEvent::Changed { added, removed, changed, .. } => {
            format!("+{} -{} ~{}", added.join(","), removed.join(","), changed.join(","))
        }
        WatchEvent::Rejected { error } => format!("rejected: {error}"),
        _ => panic!("an event of another kind: {event:?}"),
    }
}

#[test]
fn the_options_have_defaults() {
    let expected =
        WatchOptions { interval: Duration::from_secs(5), debounce: Duration::from_millis(200), notify: true };
    assert_eq!(WatchOptions::default(), expected);
}

#[test]
fn subscribers_are_told_what_was_added_removed_and_changed() {
    let watched = Watched::new(&["a", "b", "c"], NEVER);
    let before = watched.watch.current();
    assert_eq!(watched.check(), [""; 0], "nothing changed");
    watched.write(&agents(&["d", "c", "b"]).replace(r#""name": "b""#, r#""name": "B""#));
    watched.watch.check_now();
    let WatchEvent::Changed { agents: told, added, removed, changed, .. } = watched.events.try_recv().expect("told")
    else {
        panic!("the file is good")
    };
    assert_eq!((added, removed, changed), (vec!["d".to_owned()], vec!["a".to_owned()], vec!["b".to_owned()]));
    assert!(Arc::ptr_eq(&told, &watched.watch.current()), "what is told is what is in force");
    assert_eq!(
        (ids(&before), ids(&told)),
        (vec!["a".into(), "b".into(), "c".into()], vec!["d".into(), "c".into(), "b".into()])
    );
}

#[test]
fn a_change_beside_the_agents_is_told_and_one_of_the_layout_is_not() {
    let watched = Watched::new(&["a", "b"], NEVER);
    watched.write(&agents(&["a", "b"]).replace('\n', "\r\n\n"));
    assert_eq!(watched.check(), [""; 0]);
    watched.write(&agents(&["b", "a"]));
    assert_eq!(watched.check(), ["+ - ~"], "the order");
    watched.write(&agents(&["b", "a"]).replace("]}", r#"], "global_parameters": {"execution_time": "10:00"}}"#));
    assert_eq!(watched.check(), ["+ - ~"]);
    assert_eq!(watched.watch.current().global_parameters()["execution_time"], "10:00");
}

#[test]
fn a_bad_file_leaves_the_good_one_in_place_and_is_told_once() {
    let watched = Watched::new(&["a"], NEVER);
    let file = watched.file();
    let good = watched.watch.current();
    watched.write("{\n\"agents\": [}");
    let malformed = format!("rejected: {}:2: not JSON: expected value at line 2 column 12", file.display());
    assert_eq!(watched.check(), [malformed.as_str()]);
    assert_eq!(watched.check(), [""; 0], "once for each content");
    watched.write(&agents(&["A", "B"]));
    let rule = "must be 1 to 64 of a-z, 0-9, _ and -; found";
    let faults = format!(
        "rejected: the configuration has 2 faults\n  agents[0].id: {rule} \"A\", from config/agents.json:2; for example \
         nancy_pelosi\n  agents[1].id: {rule} \"B\", from config/agents.json:3; for example nancy_pelosi"
    );
    assert_eq!(watched.check(), [faults.as_str()]);
    assert_eq!(format!("rejected: {}", watched.watch.state().rejected.expect("is bad")), faults);
    fs::remove_file(&file).expect("is removed");
    let unreadable =
        format!("rejected: cannot read {}: check that it is a regular text file, and who may read it", file.display());
    assert_eq!(watched.check(), [unreadable.as_str()]);
    let source = |watched: &Watched| match watched.watch.state().rejected.as_deref() {
        Some(Error::Read { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(source(&watched), "entity not found");
    fs::create_dir(&file).expect("a folder in its place");
    assert_eq!(watched.check(), [unreadable.as_str()]);
    assert_eq!(source(&watched), "not a regular file");
    fs::remove_dir(&file).expect("is removed");
    watched.write(&" ".repeat(1024 * 1024 + 1));
    assert_eq!(watched.check(), [unreadable.as_str()]);
    assert_eq!(source(&watched), "larger than 1 MiB");
    assert!(*good == *watched.watch.current(), "through all of this");

    watched.write(&agents(&["a"]));
    assert_eq!(watched.check(), ["+ - ~"], "it is well again");
    assert!(watched.watch.state().rejected.is_none());
    watched.write(&agents(&["b"]));
    assert_eq!(watched.check(), ["+b -a ~"]);
}

#[test]
fn what_happened_between_loading_and_starting_is_seen_at_the_start() {
    let folder = project(&[("config/agents.json", &agents(&["a"]))]);
    let settings = loader(folder.path(), &[]).load().expect("loads");
    fs::write(folder.path().join("config/agents.json"), agents(&["b"])).expect("is written");
    let watched = Watched::of(folder, &settings, NEVER);
    assert_eq!(watched.ids(), ["b"]);
    watched.write("");
    let watched = Watched::of(watched.folder, &settings, NEVER);
    assert_eq!(watched.ids(), ["a"]);
    assert!(watched.watch.state().rejected.is_some());
}

#[test]
fn built_in_agents_need_no_file_until_there_is_one() {
    let folder = project(&[]);
    let settings = loader(folder.path(), &[]).load().expect("loads");
    let watched = Watched::of(folder, &settings, NEVER);
    assert!(watched.watch.state().rejected.is_none());
    fs::create_dir(watched.folder.path().join("config")).expect("is made");
    watched.write("");
    assert_eq!(watched.check().len(), 1);
    fs::remove_file(watched.file()).expect("is removed");
    assert_eq!(watched.check(), ["+ - ~"], "as in the beginning");
    watched.write(&agents(&["nancy_pelosi", "b"]));
    assert_eq!(
        watched.check(),
        ["+b -transportation_committee,josh_gottheimer,sheldon_whitehouse,dan_meuser ~nancy_pelosi"]
    );
    fs::remove_file(watched.file()).expect("is removed");
    assert!(watched.check()[0].starts_with("rejected: "), "now its absence is a loss");
    assert_eq!(watched.ids(), ["nancy_pelosi", "b"]);
}

#[test]
fn the_path_is_followed_however_the_file_is_replaced() {
    let watched = Watched::new(&["a"], NEVER);
    let path = |name: &str| watched.folder.path().join("config").join(name);
    fs::write(path("agents.json~"), agents(&["b"])).expect("is written");
    fs::rename(path("agents.json~"), watched.file()).expect("as editors do");
    assert_eq!(watched.check(), ["+b -a ~"]);
    fs::remove_file(watched.file()).expect("is removed");
    watched.write(&agents(&["c"]));
    assert_eq!(watched.check(), ["+c -b ~"]);
    // As Kubernetes mounts a ConfigMap: agents.json → ..data/agents.json, ..data → a folder that another takes the place of.
    for (folder, id) in [("..1", "d"), ("..2", "e")] {
        fs::create_dir(path(folder)).expect("is made");
        fs::write(path(folder).join("agents.json"), agents(&[id])).expect("is written");
    }
    symlink("..1", path("..data")).expect("is linked");
    fs::remove_file(watched.file()).expect("is removed");
    symlink("..data/agents.json", watched.file()).expect("is linked");
    assert_eq!(watched.check(), ["+d -c ~"]);
    symlink("..2", path("..data_tmp")).expect("is linked");
    fs::rename(path("..data_tmp"), path("..data")).expect("is swapped");
    fs::remove_dir_all(path("..1")).expect("is removed");
    assert_eq!(watched.check(), ["+e -d ~"]);
}

#[test]
fn changes_are_seen_by_looking_where_nothing_is_notified() {
    let watched = Watched::new(&["a"], OFTEN);
    swap(&watched.folder, &agents(&["b"]));
    assert_eq!(watched.next(), "+b -a ~");
    assert_eq!(watched.watch.state().notify_error, None);
}

#[test]
fn changes_are_seen_by_looking_where_notifications_cannot_be_had() {
    let folder = project(&[]);
    let settings = loader(folder.path(), &[]).load().expect("loads");
    let watched = Watched::of(folder, &settings, WatchOptions { notify: true, ..OFTEN });
    let error = watched.watch.state().notify_error.expect("there is no folder to watch");
    assert!(error.starts_with("No path was found. about ["), "{error}");
    let config = watched.folder.path().join("config");
    fs::create_dir(watched.folder.path().join("new")).expect("is made");
    fs::write(watched.folder.path().join("new/agents.json"), agents(&["a"])).expect("is written");
    fs::rename(watched.folder.path().join("new"), config).expect("appears whole");
    assert!(watched.next().starts_with("+a -transportation_committee,"));
    assert_eq!(watched.watch.state().notify_error, None, "now there is one");
}

#[test]
fn notifications_are_asked_for_again_at_each_look() {
    let folder = project(&[]);
    let settings = loader(folder.path(), &[]).load().expect("loads");
    let watched = Watched::of(folder, &settings, WatchOptions { notify: true, ..NEVER });
    assert!(watched.watch.state().notify_error.is_some(), "there is no folder to watch");
    fs::create_dir(watched.folder.path().join("config")).expect("is made");
    watched.watch.check_now();
    assert_eq!(watched.watch.state().notify_error, None);
    fs::remove_dir(watched.folder.path().join("config")).expect("is removed");
    let unasked = Watched::of(watched.folder, &settings, NEVER);
    assert_eq!(unasked.watch.state().notify_error, None, "not asked for is no error");
}

#[test]
fn changes_are_notified_by_the_operating_system() {
    let options =
        WatchOptions { interval: Duration::from_secs(3_600), debounce: Duration::from_millis(20), notify: true };
    let watched = Watched::new(&["a"], options);
    let path = |name: &str| watched.folder.path().join("config").join(name);
    assert_eq!(watched.watch.state().notify_error, None);
    watched.write(&agents(&["b"]));
    assert_eq!(watched.next_good(), "+b -a ~", "written in place");
    fs::write(path("agents.json~"), agents(&["c"])).expect("is written");
    fs::rename(path("agents.json~"), watched.file()).expect("is renamed");
    assert_eq!(watched.next(), "+c -b ~", "renamed over");
    fs::remove_file(watched.file()).expect("is removed");
    assert!(watched.next().starts_with("rejected: cannot read "), "deleted");
    watched.write(&agents(&["d"]));
    assert_eq!(watched.next_good(), "+d -c ~", "made anew");
    for (folder, id) in [("..1", "e"), ("..2", "f")] {
        fs::create_dir(path(folder)).expect("is made");
        fs::write(path(folder).join("agents.json"), agents(&[id])).expect("is written");
    }
    symlink("..1", path("..data")).expect("is linked");
    symlink("..data/agents.json", path("link")).expect("is linked");
    fs::rename(path("link"), watched.file()).expect("is renamed");
    assert_eq!(watched.next(), "+e -d ~", "a link in its place");
    symlink("..2", path("..data_tmp")).expect("is linked");
    fs::rename(path("..data_tmp"), path("..data")).expect("is swapped");
    assert_eq!(watched.next(), "+f -e ~", "the link's folder swapped");
    fs::write(path("..2/agents.json"), agents(&["g"])).expect("is written");
    assert_eq!(watched.next_good(), "+g -f ~", "what the link leads to");
}

#[test]
fn a_panic_in_a_subscriber_is_counted_and_ends_nothing() {
    let watched = Watched::new(&["a"], NEVER);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let _subscription = watched.watch.subscribe(move |event| {
        let calls = seen.lock().map(|mut calls| {
            calls.push(show(event));
            calls.len()
        });
        assert!(calls.is_ok_and(|calls| calls > 1), "the first call panics, on purpose");
    });
    watched.write(&agents(&["b"]));
    assert_eq!(watched.check(), ["+b -a ~"]);
    assert_eq!(watched.watch.state().panics, 1);
    watched.write(&agents(&["c"]));
    assert_eq!(watched.check(), ["+c -b ~"]);
    assert_eq!(watched.watch.state().panics, 1);
    assert_eq!(*calls.lock().expect("is not poisoned"), ["+b -a ~", "+c -b ~"]);
}

#[test]
fn a_subscription_ends_when_it_is_dropped() {
    let watched = Watched::new(&["a"], NEVER);
    let (sender, events) = channel();
    let subscription = watched.watch.subscribe(move |event| sender.send(show(event)).expect("the test listens"));
    watched.write(&agents(&["b"]));
    watched.check();
    drop(subscription);
    watched.write(&agents(&["c"]));
    assert_eq!(watched.check(), ["+c -b ~"]);
    assert_eq!(events.iter().collect::<Vec<_>>(), ["+b -a ~"], "and the subscriber itself is gone");
}

/// Renamed into place, so that no look falls into the writing.
fn swap(folder: &TempDir, text: &str) {
    fs::write(folder.path().join("new"), text).expect("is written");
    fs::rename(folder.path().join("new"), folder.path().join("config/agents.json")).expect("is renamed");
}

#[test]
fn subscribers_may_use_the_watch_and_even_end_it() {
    let Watched { folder, watch, .. } = Watched::new(&["a"], OFTEN);
    let watch = Arc::new(Mutex::new(Some(watch)));
    let own = Arc::clone(&watch);
    let (sender, told) = channel();
    let subscriber = move |_: &WatchEvent| {
        let watch = own.lock().expect("is not poisoned").take().expect("is called once");
        watch.check_now();
        drop(watch.subscribe(|_| ()));
        let ids = ids(&watch.current());
        // On its own thread, which cannot wait for itself.
        drop(watch);
        sender.send((thread::current().name().map(str::to_owned), ids)).expect("the test listens");
    };
    let _subscription = watch.lock().expect("is not poisoned").as_ref().expect("is there").subscribe(subscriber);
    swap(&folder, &agents(&["b"]));
    assert_eq!(told.recv_timeout(LONG), Ok((Some("agents-watch".to_owned()), vec!["b".to_owned()])));
}

#[test]
fn dropping_the_watch_waits_for_its_thread() {
    let Watched { folder, watch, .. } = Watched::new(&["a"], OFTEN);
    let (entered, is_entered) = channel();
    let (dropping, is_dropping) = channel::<()>();
    let finished = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&finished);
    let _subscription = watch.subscribe(move |_| {
        entered.send(()).expect("the test listens");
        assert!(is_dropping.recv_timeout(LONG).is_err(), "nothing is sent");
        // Time for a drop that does not wait.
        (0..1_000).for_each(|_| thread::yield_now());
        seen.store(true, Ordering::SeqCst);
    });
    swap(&folder, &agents(&["b"]));
    is_entered.recv_timeout(LONG).expect("the change is told");
    drop(dropping);
    drop(watch);
    assert!(finished.load(Ordering::SeqCst));
}

#[test]
fn dropping_the_watch_does_not_wait_for_the_next_look() {
    for notify in [false, true] {
        drop(Watched::new(&["a"], WatchOptions { notify, ..NEVER }));
    }
}

#[test]
fn readers_see_one_file_or_the_other_and_never_wait() {
    let watched = Watched::new(&["a1", "a2"], NEVER);
    let done = AtomicBool::new(false);
    let read = || {
        while !done.load(Ordering::SeqCst) {
            let ids = ids(&watched.watch.current());
            assert!(ids == ["a1", "a2"] || ids == ["b1", "b2"], "{ids:?}");
        }
    };
    thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        for _ in 0..20 {
            watched.write(&agents(&["b1", "b2"]));
            watched.watch.check_now();
            watched.write(&agents(&["a1", "a2"]));
            watched.watch.check_now();
        }
        done.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.join().expect("saw no mixture");
        }
    });
}
