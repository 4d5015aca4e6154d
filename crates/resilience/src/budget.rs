//! Keeps retries a small part of the calls: when everything fails, retries are what keeps a dependency down.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::ValidationError;
use crate::window::{BUCKETS, Window};

/// How many retries there may be beside how many calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetOptions {
    /// How far back calls and retries count. Above zero. It moves in tenths of its length. Default: 60 s.
    pub window: Duration,
    /// How many retries there may be for each call. From 0 to 1. Default: 0.2.
    pub ratio: f64,
    /// How many retries there may be in the window beside that, for the quiet hours. Default: 3.
    pub floor: u32,
}

/// **Source:** a fifth is what the retry budgets of service meshes allow; window and floor are arbitrary.
impl Default for BudgetOptions {
    fn default() -> Self {
        Self { window: Duration::from_secs(60), ratio: 0.2, floor: 3 }
    }
}

/// The retries that all callers of one dependency may make together: in the window at most `floor` and `ratio` of the calls.
///
/// ```
/// use std::time::Instant;
/// use trading_resilience::{BudgetOptions, RetryBudget};
///
/// let now = Instant::now();
/// let budget = RetryBudget::new(BudgetOptions { floor: 1, ..BudgetOptions::default() }).unwrap();
/// for _ in 0..10 {
///     budget.count_call(now);
/// }
/// let retries = (0..10).filter(|_| budget.take_retry(now)).count();
/// assert_eq!(retries, 3); // The floor, and a fifth of ten.
/// ```
#[derive(Debug)]
pub struct RetryBudget {
    options: BudgetOptions,
    /// Calls, retries.
    window: Mutex<Window<2>>,
}

impl RetryBudget {
    /// Makes one that nothing was counted in.
    ///
    /// # Errors
    /// The first of the options that is out of its range.
    pub fn new(options: BudgetOptions) -> Result<Self, ValidationError> {
        let BudgetOptions { window, ratio, floor: _ } = options;
        if window.as_nanos() < u128::from(BUCKETS) {
            return Err(ValidationError::new("window", "be above zero", format_args!("{window:?}")));
        }
        if !(0.0..=1.0).contains(&ratio) {
            return Err(ValidationError::new("ratio", "be from 0 to 1", ratio));
        }
        Ok(Self { options, window: Mutex::new(Window::new(window)) })
    }

    /// Counts a first attempt at `now`.
    pub fn count_call(&self, now: Instant) {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).add([true, false], now);
    }

    /// Takes a retry out of the budget at `now`; `false` if it is spent.
    #[must_use]
    pub fn take_retry(&self, now: Instant) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let [calls, retries] = window.counts(now);
        let allowed = f64::from(self.options.floor) + f64::from(calls) * self.options.ratio;
        let taken = f64::from(retries) + 1.0 <= allowed;
        if taken {
            window.add([false, true], now);
        }
        taken
    }

    /// A budget of the same kind that nothing was counted in.
    pub(crate) fn fresh(&self) -> Self {
        Self { options: self.options, window: Mutex::new(Window::new(self.options.window)) }
    }
}
