//! Names and labels as Prometheus accepts them.
//!
//! **Source:** <https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels>. The newer rule allows any
//! UTF-8 in quotes; this is the older one, which every parser knows.

use std::borrow::Cow;
use std::ops::Range;

use super::labels::Labels;

/// Writes a metric's name, with its kind's ending.
pub(super) fn metric(text: &mut String, name: &str, ending: &str) {
    text.push_str(&sanitised(name, |byte| byte == b':'));
    if !text.ends_with(ending) {
        text.push_str(ending);
    }
}

/// A metric's name, with its kind's ending, and behind it the labels, as in `orders_total{side="buy"`; and where the name ends.
pub(super) fn key(name: &str, ending: &str, labels: &(impl Labels + ?Sized)) -> (String, usize) {
    let mut text = String::with_capacity(128);
    metric(&mut text, name, ending);
    let name_end = text.len();
    text.push('{');
    write_all(&mut text, labels);
    (text, name_end)
}

/// The labels as they stand between the braces, ordered by name. Of two with one name the first is kept. `le` becomes
/// `le_`: it marks the buckets of a timing.
pub(super) fn labels(labels: &(impl Labels + ?Sized)) -> String {
    let mut text = String::new();
    write_all(&mut text, labels);
    text
}

fn write_all(text: &mut String, labels: &(impl Labels + ?Sized)) {
    // Most callers give them in their order, and then they need only be written down.
    let start = text.len();
    let (mut last, mut is_ordered) = (start..start, true);
    labels.each(&mut |name, value| {
        let name = label(name);
        is_ordered &= text.len() == start || text.get(last.clone()).is_some_and(|last| last < &*name);
        last = write(text, start, &name, value);
    });
    if !is_ordered {
        text.truncate(start);
        write_in_order(text, labels);
    }
}

fn write_in_order(text: &mut String, labels: &(impl Labels + ?Sized)) {
    let mut pairs = Vec::new();
    labels.each(&mut |name, value| pairs.push((label(name).into_owned(), value.to_owned())));
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    pairs.dedup_by(|(later, _), (first, _)| later == first);
    let start = text.len();
    for (name, value) in pairs {
        write(text, start, &name, &value);
    }
}

fn label(name: &str) -> Cow<'_, str> {
    match name {
        // Prometheus' own, which would make a sample of another series.
        "le" => Cow::Borrowed("le_"),
        "__name__" => Cow::Borrowed("_name_"),
        _ => sanitised(name, |_| false),
    }
}

/// Writes one label behind the others, the first of which begins at `first`; returns where its name is.
fn write(text: &mut String, first: usize, name: &str, value: &str) -> Range<usize> {
    if text.len() > first {
        text.push(',');
    }
    let start = text.len();
    text.push_str(name);
    let end = text.len();
    text.push_str("=\"");
    escape(text, value);
    text.push('"');
    start..end
}

fn escape(text: &mut String, value: &str) {
    // All are looked at, without a way out in between: many at a time.
    if !value.bytes().fold(false, |found, byte| found | matches!(byte, b'\\' | b'"' | b'\n')) {
        return text.push_str(value);
    }
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

/// The names and values of labels that [`labels`] rendered.
pub(super) fn parsed(rendered: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut characters = rendered.chars();
    loop {
        let name: String = characters.by_ref().take_while(|character| *character != '=').collect();
        if name.is_empty() {
            return found;
        }
        // The quote that opens the value.
        characters.next();
        let mut value = String::new();
        while let Some(character) = characters.next().filter(|character| *character != '"') {
            value.push(match character {
                '\\' => characters.next().map_or('\\', |escaped| if escaped == 'n' { '\n' } else { escaped }),
                other => other,
            });
        }
        found.push((name, value));
        // The comma.
        characters.next();
    }
}

fn sanitised(name: &str, also: impl Fn(u8) -> bool) -> Cow<'_, str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() | (byte == b'_') | also(byte);
    let begins_well = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if begins_well & name.bytes().fold(true, |all, byte| all & allowed(byte)) {
        return Cow::Borrowed(name);
    }
    let mut valid = String::with_capacity(name.len() + 1);
    if !begins_well {
        valid.push('_');
    }
    valid.extend(name.chars().map(|character| match u8::try_from(character) {
        Ok(byte) if byte.is_ascii() && allowed(byte) => character,
        _ => '_',
    }));
    Cow::Owned(valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_metric(name: &str, ending: &str, expected: &str) {
        let mut text = String::new();
        metric(&mut text, name, ending);
        assert_eq!(text, expected);
    }

    #[track_caller]
    fn check_labels(given: &[(&str, &str)], expected: &str) {
        assert_eq!(labels(given), expected);
    }

    #[test]
    fn what_was_rendered_can_be_read() {
        for given in [&[][..], &[("a", "b")], &[("a", "x,y=\"z\"}"), ("b", ""), ("c", "\\n\n\\"), ("d", "größe")]] {
            let read = parsed(&labels(given));
            let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(read, given);
        }
    }

    #[test]
    fn a_name_gets_its_ending_once() {
        check_metric("orders", "_total", "orders_total");
        check_metric("orders_total", "_total", "orders_total");
        check_metric("positions", "", "positions");
    }

    #[test]
    fn what_may_not_stand_in_a_name_becomes_an_underscore() {
        check_metric("api.latency-ms", "", "api_latency_ms");
        check_metric("job:rate", "", "job:rate");
        check_metric("9lives", "", "_9lives");
        check_metric("", "", "_");
        check_metric("größe\n", "", "gr__e_");
        check_labels(&[("a:b", "1"), ("2", "2")], "_2=\"2\",a_b=\"1\"");
    }

    #[test]
    fn labels_are_ordered_and_their_values_escaped() {
        check_labels(&[], "");
        check_labels(&[("ticker", "A\"B"), ("agent", "a\\b\nc")], r#"agent="a\\b\nc",ticker="A\"B""#);
        check_labels(&[("a", "first"), ("b", ""), ("a", "second")], "a=\"first\",b=\"\"");
        check_labels(&[("le", "5")], "le_=\"5\"");
        check_labels(&[("__name__", "up")], "_name_=\"up\"");
    }
}
