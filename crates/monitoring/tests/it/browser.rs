//! The page, in a real browser. Skipped, with a word, where there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use serde_json::json;
use trading_monitoring::{Check, Outcome, Pages, Part, Phase, Server, ServerOptions, Sources, Token};

use crate::chromium::Tab;
use crate::client::{Fixture, NEVER, options};

const NASTY: &str = "<script>pwned = 1</script><img src=x onerror='pwned = 2'>";

fn nasty_pages() -> Pages {
    let at = |n: i32| DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + i64::from(n));
    Pages::new("/portfolio")
        .panel(format!("Agents {NASTY}"), move || {
            Ok(vec![
                Part::text(NASTY),
                Part::facts([(NASTY, "2 of 5"), ("last run", NASTY)]),
                Part::table(["agent", NASTY, "quantity"], [[NASTY, "NVDA", "12.5"], ["pelosi", NASTY, "3"]]),
                Part::chart("USD", [(NASTY, (0..30).map(|n| (at(n), f64::from(n))).collect())]),
            ])
        })
        .panel("Backups", || Err(format!("cannot be listed: {NASTY}").into()))
        .panel("Wide", || {
            let columns = ["key", "a name of many words", "from", "at", "worth", "share", "seen", "proven"];
            let key = "a_key_without_any_place_to_break_".repeat(3);
            let row =
                [&key, "Nancy Pelosi and others", "config/agents.json", "2026-11-28T09:30:00Z", "1234567.89", "7.93 %"];
            let row = row.into_iter().chain(["2026-11-28", "yes"]).map(str::to_owned);
            Ok(vec![Part::table(columns, [row.collect::<Vec<_>>()])])
        })
}

/// Two components, one of which can be made worse; metrics; and texts that are markup wherever a text can be.
fn fixture(options: ServerOptions) -> (Fixture, Arc<AtomicBool>) {
    let bad = Arc::new(AtomicBool::new(false));
    let worse = Arc::clone(&bad);
    let checks = [
        Check::new("database", move || {
            if worse.load(Ordering::SeqCst) {
                Outcome::degraded(format!("slow {NASTY}"))
            } else {
                Outcome::healthy(format!("answers {NASTY}")).detail(NASTY, NASTY)
            }
        })
        .every(Duration::from_millis(100))
        .critical(true),
        Check::new("quiver", || Outcome::healthy("answers")).every(Duration::from_millis(300)),
    ];
    let fixture = Fixture::extended(options, checks, [nasty_pages()]);
    fixture.lifecycle.advance(Phase::Running);
    fixture.metrics.describe("wait_seconds", NASTY);
    for millis in 1..=100 {
        fixture.metrics.timing("wait", &[("of", NASTY)]).record(Duration::from_millis(millis));
    }
    fixture.metrics.gauge("positions", &[("agent", NASTY)]).set(7.0);
    fixture.metrics.gauge("newest_timestamp_seconds", &[]).set(1_795_858_200.0);
    drop(fixture.metrics.counter("refusals", &[]));
    (fixture, bad)
}

fn open(fixture: &Fixture) -> Option<Tab> {
    Tab::open(&format!("http://{}/", fixture.server.address()))
}

#[test]
fn it_shows_everything_and_takes_every_text_for_a_text() {
    let (fixture, _) = fixture(options());
    let Some(mut tab) = open(&fixture) else { return };
    tab.wait("document.querySelectorAll('#components li').length === 2 && document.querySelector('#panels table')");
    tab.value("document.querySelector('#metrics').scrollIntoView()");
    tab.wait("document.querySelector('.metric .legend')?.children.length === 3");
    for (expression, expected) in [
        ("document.querySelector('#overall').innerText", "All is well (healthy)".to_owned()),
        ("document.querySelector('#phase').innerText", "Ready for work.".to_owned()),
        ("document.querySelector('#components .badge').innerText", "healthy".to_owned()),
        ("document.querySelector('#components .message').innerText", format!("answers {NASTY}")),
        ("document.querySelector('#panels h2').innerText", format!("Agents {NASTY}")),
        ("document.querySelector('#panels p').innerText", NASTY.to_owned()),
        ("document.querySelector('#panels dt').innerText", NASTY.to_owned()),
        ("document.querySelectorAll('#panels th')[1].innerText", NASTY.to_owned()),
        ("document.querySelector('#panels td').innerText", NASTY.to_owned()),
        ("document.querySelectorAll('#panels td')[2].className", "number".to_owned()),
        ("document.querySelector('#panels .legend').innerText", format!("{NASTY} 29 USD")),
        ("document.querySelector('#panels .error').innerText", format!("cannot be listed: {NASTY}")),
        ("document.querySelector('.metric h3').innerText", "wait_seconds".to_owned()),
        (
            "document.querySelector('.metric .legend').innerText.replace(/\\s*\\n\\s*/g, ', ')",
            "p50 50 ms, p95 95 ms, p99 99 ms".to_owned(),
        ),
        ("document.querySelector('#idle-part summary').innerText", "Nothing in this time (2)".to_owned()),
        ("document.querySelector('#idle').textContent", "metrics_refused_total0refusals_total0".to_owned()),
        ("String(typeof pwned)", "undefined".to_owned()),
        (
            "[[1234.567, 'USD'], [29.99, ''], [99.95, 'percent'], [0.012345, ''], [1234567, 'bytes'], [-0.5, 'USD']]
                .map(([value, unit]) => Charts.figure(value, unit)).join('; ')",
            "1,234.57 USD; 29.99; 99.95 %; 0.0123; 1.23 MB; -0.5 USD".to_owned(),
        ),
        ("String(document.querySelectorAll('script').length)", "2".to_owned()),
        ("String(document.querySelectorAll('main img').length)", "0".to_owned()),
    ] {
        assert_eq!(tab.value(expression), expected, "{expression}");
    }
    // It asks again by itself, and nobody but this server.
    let again = "new Promise((done) => {
        const asked = () => performance.getEntriesByType('resource');
        const before = asked().length;
        const look = setInterval(() => {
            if (asked().length === before) return;
            clearInterval(look);
            done(asked().every((one) => one.name.startsWith(location.origin + '/')));
        }, 50);
    })";
    assert_eq!(tab.value(again), true);
    // Whoever forgets it is stopped by the browser.
    tab.value("try { document.body.innerHTML = '<b>x</b>' } catch (error) { error.name }");
    assert_eq!(tab.value("document.querySelectorAll('b').length"), 0);
    tab.complaints.retain(|(_, text)| !text.contains("TrustedHTML"));
    assert_eq!(tab.complaints, [], "nothing to complain of");
}

#[test]
fn it_is_used_by_keyboard_and_read_on_a_phone() {
    let (fixture, _) = fixture(options());
    let Some(mut tab) = open(&fixture) else { return };
    tab.look(360, "light");
    tab.wait("document.querySelector('#panels table')");
    assert_eq!(tab.value("document.documentElement.scrollWidth <= innerWidth"), true, "nothing to push sideways");
    // The link to the content, then the first component.
    tab.press("Tab", 9);
    assert_eq!(tab.value("document.activeElement.className"), "skip");
    tab.press("Tab", 9);
    assert_eq!(tab.value("document.activeElement.tagName"), "SUMMARY");
    tab.press("Enter", 13);
    tab.wait("document.querySelector('#components details').open");
    tab.wait("document.querySelector('#components dt + dd') && document.querySelector('#components ol li')");
    let details = tab.value("document.querySelector('#components .facts').innerText");
    assert!(details.as_str().is_some_and(|details| details.contains(NASTY)), "{details}");
    // What a screen reader says: each chart has its figures in words, each section its name.
    let unnamed =
        "[...document.querySelectorAll('svg.chart')].filter((chart) => !chart.getAttribute('aria-label')).length";
    assert_eq!(tab.value(unnamed), 0);
    let sections = "[...document.querySelectorAll('section')].every((one) => \
         document.getElementById(one.getAttribute('aria-labelledby'))?.innerText)";
    assert_eq!(tab.value(sections), true);
    assert_eq!(tab.value("document.querySelector('#verdict').getAttribute('aria-live')"), "polite");
    assert_eq!(tab.value(OUTLINES), json!([]), "where the keyboard is cannot be seen");
}

/// What can be reached by keyboard, and whose outline is none, or is cut off by what it is in.
const OUTLINES: &str = "[...document.querySelectorAll('a[href], summary, input, select, button, [tabindex=\"0\"]')]
    .filter((one) => one.checkVisibility())
    .filter((one) => {
        one.focus();
        const { outlineStyle, outlineWidth, outlineOffset } = getComputedStyle(one);
        if (document.activeElement !== one || outlineStyle !== 'solid' || parseFloat(outlineWidth) < 3) return true;
        const reach = parseFloat(outlineWidth) + parseFloat(outlineOffset);
        const box = one.getBoundingClientRect();
        for (let around = one.parentElement; around !== document.body; around = around.parentElement) {
            const edge = around.getBoundingClientRect();
            if (getComputedStyle(around).overflow !== 'visible' && (box.left - reach < edge.left || box.right + reach > edge.right)) return true;
        }
        return false;
    })
    .map((one) => one.outerHTML)";

#[test]
fn no_cell_is_cut_off_on_a_phone() {
    let (fixture, _) = fixture(options());
    let Some(mut tab) = open(&fixture) else { return };
    tab.wait("document.querySelectorAll('#panels table').length === 2");
    for width in [375, 320] {
        tab.look(width, "light");
        assert_eq!(tab.value(&format!("document.documentElement.scrollWidth <= {width}")), true, "at {width}");
        let cut = "[...document.querySelectorAll('#panels .scroll, #panels td, .message, .facts dd')]
            .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.outerHTML)";
        assert_eq!(tab.value(cut), json!([]), "at {width}");
        let label = "getComputedStyle(document.querySelectorAll('#panels td')[2], '::before').content";
        assert_eq!(tab.value(label), "\"quantity\"");
        // A date and a number stay on one line.
        let broken = "[...document.querySelectorAll('#panels td:is(.date, .number)')].filter((one) => one.clientHeight > 30).length";
        assert_eq!(tab.value(broken), 0, "at {width}");
    }
    assert_eq!(tab.value("document.querySelectorAll('#panels td.date').length"), 2);
}

#[test]
fn bars_and_borders_stand_out() {
    let (fixture, _) = fixture(options());
    let Some(mut tab) = open(&fixture) else { return };
    tab.wait("document.querySelector('.history i')");
    for scheme in ["light", "dark"] {
        tab.look(1_200, scheme);
        let faint = "(() => {
            const probe = document.body.appendChild(document.createElement('i'));
            const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
            const named = (name) => (probe.style.color = `var(--${name})`, rgb(getComputedStyle(probe).color));
            const light = (colour) => colour.map((part) => part / 255)
                .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
                .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
            const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
            const marks = ['healthy', 'degraded', 'unhealthy', 'unknown'].map((status) => [status, named(`${status}-fill`)]);
            marks.push(['border', rgb(getComputedStyle(document.querySelector('#find')).borderTopColor)]);
            marks.push(['bar', rgb(getComputedStyle(document.querySelector('.history i')).backgroundColor)]);
            return marks.filter(([, mark]) => ratio(mark, named('card')) < 3 || ratio(mark, named('back')) < 3).map(([name]) => name);
        })()";
        assert_eq!(tab.value(faint), json!([]), "{scheme}");
    }
}

#[test]
fn it_says_what_its_figures_are_of() {
    let (fixture, _) = fixture(options());
    let Some(mut tab) = open(&fixture) else { return };
    tab.call("Emulation.setTimezoneOverride", &json!({ "timezoneId": "Asia/Kolkata" }));
    tab.wait("document.querySelector('#zone').innerText === 'times are local (UTC+5:30); those that end in Z are UTC'");
    tab.wait("document.querySelectorAll('#metrics .card').length === 3");
    tab.value("document.querySelector('#metrics').scrollIntoView()");
    let card = |name: &str| {
        format!("[...document.querySelectorAll('#metrics .card')].find((one) => one.firstChild.innerText === '{name}')")
    };
    let (positions, newest) = (card("positions"), card("newest_timestamp_seconds"));
    // One sample, some time ago, is a line to now, and the chart says of what time.
    tab.wait(&format!(
        "/^M[\\d.]+ [\\d.]+H300.0V[\\d.]+$/.test({positions}.querySelector('.line-1').getAttribute('d'))"
    ));
    tab.wait(&format!("/^latest 7, mean 7, 1 sample of the last [\\d.]+ m?s$/.test({positions}.lastChild.innerText)"));
    tab.wait(&format!("{newest}.lastChild.innerText.startsWith('latest 28 Nov, 15:00, 1 sample of ')"));
    tab.wait(&format!("{newest}.querySelector('.scale.low').innerText === '28 Nov, 15:00'"));
    let cut = "[...document.querySelectorAll('.scale')].filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText)";
    assert_eq!(tab.value(cut), json!([]));
}

#[test]
fn behind_another_tab_it_asks_seldom_and_its_title_does_not_lie() {
    let (fixture, _) = fixture(options());
    let Some(mut tab) = open(&fixture) else { return };
    tab.wait("document.querySelector('#components li') && document.title === '✓ healthy'");
    tab.value(
        "asked = 0;
         ask = fetch;
         fetch = (...all) => (asked += 1, ask(...all));
         hidden = true;
         Object.defineProperty(document, 'hidden', { get: () => hidden });
         later = 0;
         now = Date.now;
         Date.now = () => now() + later;
         again = () => (document.dispatchEvent(new Event('visibilitychange')), asked);
         [known, still] = [0, 0];
         null",
    );
    // What was asked before is answered.
    tab.wait("((n) => (still = n === known ? still + 1 : 0, known = n, still > 5))(performance.getEntriesByType('resource').length)");
    let before = tab.value("again()").as_u64().expect("a number");
    assert_eq!(tab.value("later = 15e3, again()"), before, "not yet");
    fixture.server.shutdown(NEVER);
    assert_eq!(tab.value("later = 31e3, again()"), before + 2, "the verdict alone");
    tab.wait("document.title.startsWith('? not updated since ')");
    assert!(tab.value("hidden = false, again()").as_u64() > Some(before + 2), "at once for those who look");
}

#[test]
fn told_to_wait_it_waits_and_keeps_the_token() {
    let (fixture, _) = fixture(options());
    let Some(mut tab) = open(&fixture) else { return };
    tab.wait("document.querySelector('#components li')");
    tab.value(
        "sessionStorage.setItem('token', 'correct-horse-battery');
         ask = fetch;
         asked = 0;
         later = 0;
         now = Date.now;
         Date.now = () => now() + later;
         fetch = async () => (asked += 1, new Response('{\"error\":\"wait a minute\"}', { status: 429, headers: { 'retry-after': '60' } }));
         null",
    );
    tab.wait(
        "document.querySelector('#lost').innerText.startsWith('The server says: wait a minute. It is asked again at ')",
    );
    assert_eq!(tab.value("sessionStorage.getItem('token')"), "correct-horse-battery");
    assert_eq!(tab.value("document.querySelector('#unlock').hidden"), true);
    assert_eq!(tab.value("asked = 0, document.dispatchEvent(new Event('visibilitychange')), asked"), 0);
    tab.value("fetch = ask, later = 61e3");
    tab.wait("document.querySelector('#lost').hidden && document.title === '✓ healthy'");
}

#[test]
fn it_follows_what_happens_without_making_anything_anew() {
    let (fixture, bad) = fixture(options());
    let Some(mut tab) = open(&fixture) else { return };
    tab.wait("document.querySelector('#components li') && document.querySelector('#panels table')");
    tab.value(
        "kept = [...document.querySelectorAll('#components li, #panels table, #system .card, svg')];
         made = 0;
         new MutationObserver((all) => all.forEach((one) => made += [...one.removedNodes].filter((node) => node.nodeType === 1 && node.tagName !== 'LI').length))
             .observe(document.body, { subtree: true, childList: true });
         null",
    );
    bad.store(true, Ordering::SeqCst);
    tab.wait("document.querySelector('#components .badge').innerText === 'degraded'");
    tab.wait("document.querySelector('#transitions .badge')?.innerText === 'degraded'");
    tab.wait("document.querySelector('#overall').innerText === 'It works, but look at it (degraded)'");
    assert_eq!(tab.value("document.title"), "! degraded");
    assert_eq!(tab.value("document.querySelector('#culprits').innerText"), "database: degraded");
    tab.value("document.querySelector('#culprits a').click()");
    tab.wait("document.activeElement === document.querySelector('#components summary')");
    assert_eq!(tab.value("document.querySelector('#transitions .message').innerText"), format!("slow {NASTY}"));
    assert_eq!(tab.value("kept.every((one) => one.isConnected)"), true);
    assert_eq!(tab.value("made"), 0, "elements that were taken away");
    assert_eq!(tab.complaints, []);
}

#[test]
fn it_says_when_it_has_lost_the_server_and_finds_it_again() {
    let (fixture, _) = fixture(options());
    let Some(mut tab) = open(&fixture) else { return };
    tab.wait("document.querySelector('#components li')");
    assert_eq!(tab.value("document.querySelector('#lost').hidden"), true);
    let address = fixture.server.address();
    fixture.server.shutdown(NEVER);
    tab.wait("!document.querySelector('#lost').hidden");
    let text = tab.value("document.querySelector('#lost').innerText");
    assert!(text.as_str().is_some_and(|text| text.starts_with("The server does not answer since ")), "{text}");
    let title = tab.value("document.title");
    assert!(title.as_str().is_some_and(|title| title.starts_with("? not updated since ")), "{title}");
    assert_eq!(tab.value("document.querySelectorAll('#components li').length"), 2, "what was known stays");
    assert!(tab.complaints.iter().all(|(source, _)| source == "network"), "{:?}", tab.complaints);
    let sources = Sources {
        metrics: fixture.metrics.clone(),
        health: fixture.health.clone(),
        system: trading_monitoring::System::start(Default::default()).unwrap(),
        lifecycle: fixture.lifecycle.clone(),
        pages: Vec::new(),
    };
    let server = Server::start(ServerOptions::at(address), sources).unwrap();
    tab.wait("document.querySelector('#lost').hidden && document.title === '✓ healthy'");
    drop(server);
}

#[test]
fn with_a_token_it_shows_the_verdict_and_asks_for_the_token() {
    let token = Token::new("correct-horse-battery").unwrap();
    let (fixture, _) = fixture(ServerOptions { token: Some(token), ..options() });
    let Some(mut tab) = open(&fixture) else { return };
    tab.wait("!document.querySelector('#unlock').hidden");
    assert_eq!(tab.value("document.querySelector('#overall').innerText"), "All is well (healthy)");
    assert_eq!(tab.value("document.querySelector('main').hidden"), true);
    tab.value("document.querySelector('#token').focus()");
    tab.type_text("a wrong guess");
    tab.press("Enter", 13);
    tab.wait("document.querySelector('#refused').innerText.startsWith('this needs the token')");
    tab.value("document.querySelector('#token').focus()");
    tab.type_text("correct-horse-battery");
    tab.press("Enter", 13);
    tab.wait("document.querySelectorAll('#components li').length === 2");
    assert_eq!(tab.value("document.querySelector('#unlock').hidden"), true);
    assert_eq!(tab.value("document.activeElement.id"), "verdict");
    assert_eq!(tab.value("document.cookie + localStorage.length"), "0", "the token ends with the tab");
}

/// For people to look at: `target/tmp/page-*.png`.
#[test]
fn it_is_photographed() {
    let (fixture, bad) = fixture(options());
    let Some(mut tab) = open(&fixture) else { return };
    for (name, width, scheme) in
        [("page-light", 1_200, "light"), ("page-dark", 1_200, "dark"), ("page-phone", 390, "light")]
    {
        tab.look(width, scheme);
        tab.wait(
            "document.querySelector('#panels table') && (document.querySelector('#metrics').scrollIntoView(), true)",
        );
        tab.wait("document.querySelector('.metric .legend span')");
        tab.value("scrollTo(0, 0)");
        tab.photograph(name);
    }
    bad.store(true, Ordering::SeqCst);
    tab.look(390, "dark");
    tab.wait("document.querySelector('#transitions .badge')");
    tab.photograph("page-phone-dark");
}
