//! The text formats of Prometheus: its own, and OpenMetrics.

use std::fmt::{self, Write as _};

use super::distribution::Distribution;
use super::instrument::{Counter, Gauge, Instrument, Timing};
use super::registry::Registry;

/// How the text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Prometheus,
    OpenMetrics,
}

pub(super) fn render(registry: &Registry, format: Format) -> String {
    let mut page = Page { text: String::with_capacity(64 * 1024), registry, format };
    page.families::<Counter>("counter", |text, name, labels, counter| {
        sample(text, name, "", labels, counter.value());
    });
    page.families::<Gauge>("gauge", |text, name, labels, gauge| {
        sample(text, name, "", labels, Number(gauge.value()));
    });
    let bounds = bounds(&Timing::BOUNDS.map(|bound| bound.as_secs_f64()));
    page.families::<Timing>("histogram", |text, name, labels, timing| {
        let (counts, sum) = timing.cumulative();
        histogram(text, name, labels, bounds.iter().zip(counts), sum.as_secs_f64());
    });
    let bounds = self::bounds(&Distribution::BOUNDS);
    page.families::<Distribution>("histogram", |text, name, labels, distribution| {
        let (counts, sum) = distribution.cumulative();
        histogram(text, name, labels, bounds.iter().zip(counts), sum);
    });
    if format == Format::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

struct Page<'a> {
    text: String,
    registry: &'a Registry,
    format: Format,
}

impl Page<'_> {
    fn families<T: Instrument>(&mut self, kind: &str, series: impl Fn(&mut String, &str, &str, &T)) {
        for (name, family) in T::families(&self.registry.tables) {
            let base = if self.format == Format::OpenMetrics { T::base(name) } else { name };
            if let Some(help) = self.registry.help(name) {
                let help = help.replace('\\', "\\\\").replace('\n', "\\n");
                let help = if self.format == Format::OpenMetrics { help.replace('"', "\\\"") } else { help };
                line(&mut self.text, format_args!("# HELP {base} {help}"));
            }
            line(&mut self.text, format_args!("# TYPE {base} {kind}"));
            for (labels, instrument) in family {
                series(&mut self.text, name, labels, instrument);
            }
        }
    }
}

/// The label of each bucket and what follows it, up to its value: they are the same in every series of a kind.
fn bounds(finite: &[f64]) -> Vec<String> {
    finite.iter().chain([&f64::INFINITY]).map(|bound| format!("le=\"{}\"}} ", Number(*bound))).collect()
}

/// How many values there are up to each bound, and then in all.
fn histogram<'b>(
    text: &mut String,
    name: &str,
    labels: &str,
    buckets: impl Iterator<Item = (&'b String, u64)>,
    sum: f64,
) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut total = 0;
    for (bound, count) in buckets {
        // A page is mostly lines of these, so they do without what formatting costs.
        for part in [name, "_bucket{", labels, comma, bound] {
            text.push_str(part);
        }
        line(text, format_args!("{count}"));
        total = count;
    }
    sample(text, name, "_sum", labels, Number(sum));
    sample(text, name, "_count", labels, total);
}

fn sample(text: &mut String, name: &str, ending: &str, labels: &str, value: impl fmt::Display) {
    if labels.is_empty() {
        line(text, format_args!("{name}{ending} {value}"));
    } else {
        line(text, format_args!("{name}{ending}{{{labels}}} {value}"));
    }
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes whatever is written to it");
}

struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = *self;
        if value.is_infinite() {
            f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" })
        } else if value == 0.0 || value.is_nan() || (1e-5..1e15).contains(&value.abs()) {
            write!(f, "{value}")
        } else {
            // Without the exponent, 1e300 has 301 digits.
            write!(f, "{value:e}")
        }
    }
}
