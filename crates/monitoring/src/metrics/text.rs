//! The text format of Prometheus.

use std::fmt::Write as _;

use super::instrument::{Counter, Gauge, Instrument, Timing};
use super::registry::Registry;

pub(super) fn render(registry: &Registry) -> String {
    let mut page = Page { text: String::new(), registry };
    page.families::<Counter>("counter", |text, name, labels, counter| {
        sample(text, name, "", labels, counter.value());
    });
    page.families::<Gauge>("gauge", |text, name, labels, gauge| {
        sample(text, name, "", labels, number(gauge.value()));
    });
    page.families::<Timing>("histogram", timing);
    page.text
}

struct Page<'a> {
    text: String,
    registry: &'a Registry,
}

impl Page<'_> {
    fn families<T: Instrument>(&mut self, kind: &str, series: impl Fn(&mut String, &str, &str, &T)) {
        for (name, family) in T::families(&self.registry.tables) {
            if let Some(help) = self.registry.help(name) {
                let help = help.replace('\\', "\\\\").replace('\n', "\\n");
                line(&mut self.text, format_args!("# HELP {name} {help}"));
            }
            line(&mut self.text, format_args!("# TYPE {name} {kind}"));
            for (labels, instrument) in family {
                series(&mut self.text, name, labels, instrument);
            }
        }
    }
}

fn timing(text: &mut String, name: &str, labels: &str, timing: &Timing) {
    let (counts, sum) = timing.cumulative();
    let bounds = Timing::BOUNDS.iter().map(|bound| number(bound.as_secs_f64())).chain(["+Inf".to_owned()]);
    let comma = if labels.is_empty() { "" } else { "," };
    for (bound, count) in bounds.zip(counts) {
        line(text, format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"));
    }
    sample(text, name, "_sum", labels, number(sum.as_secs_f64()));
    sample(text, name, "_count", labels, counts.last().copied().unwrap_or_default());
}

fn sample(text: &mut String, name: &str, ending: &str, labels: &str, value: impl std::fmt::Display) {
    if labels.is_empty() {
        line(text, format_args!("{name}{ending} {value}"));
    } else {
        line(text, format_args!("{name}{ending}{{{labels}}} {value}"));
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes whatever is written to it");
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".into() } else { "-Inf".into() }
    } else if value == 0.0 || (1e-5..1e15).contains(&value.abs()) {
        value.to_string()
    } else {
        // Without the exponent, 1e300 has 301 digits.
        format!("{value:e}")
    }
}
