//! Labels: what tells the series of one name apart.

/// The labels of a series: pairs of a name and a value, or a type of the program's own that says which values there are.
///
/// Each combination of values is a series, and there is room for [`MetricsOptions::series_max`](crate::MetricsOptions): a
/// type whose values can be counted keeps others, and spelling mistakes, out.
///
/// ```
/// use trading_monitoring::{Labels, Metrics};
///
/// enum Side {
///     Buy,
///     Sell,
/// }
///
/// impl Labels for Side {
///     fn each(&self, tell: &mut dyn FnMut(&str, &str)) {
///         tell("side", match self {
///             Self::Buy => "buy",
///             Self::Sell => "sell",
///         });
///     }
/// }
///
/// let metrics = Metrics::default();
/// metrics.counter("orders", &Side::Buy).increment(1);
/// metrics.counter("orders", &Side::Sell).increment(2);
/// metrics.counter("orders", &[("side", "buy")]).increment(3);
/// assert!(metrics.prometheus().contains("orders_total{side=\"buy\"} 4\norders_total{side=\"sell\"} 2\n"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no set of labels",
    note = "labels are pairs of `&str`: give a `String` as `text.as_str()`"
)]
pub trait Labels {
    /// Tells each label: its name, and its value.
    fn each(&self, tell: &mut dyn FnMut(&str, &str));
}

impl Labels for [(&str, &str)] {
    fn each(&self, tell: &mut dyn FnMut(&str, &str)) {
        self.iter().for_each(|(name, value)| tell(name, value));
    }
}

impl<const N: usize> Labels for [(&str, &str); N] {
    fn each(&self, tell: &mut dyn FnMut(&str, &str)) {
        self.as_slice().each(tell);
    }
}
