//! How well something is, in one word.

use std::fmt;

/// How well a component, or the whole, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// All is as it should be.
    Healthy,
    /// It works, but somebody should look at it.
    Degraded,
    /// It does not work.
    Unhealthy,
    /// Nobody knows: it has not been checked yet, or it could not be measured.
    Unknown,
}

impl Status {
    /// The word used in JSON: `healthy`, `degraded`, `unhealthy` or `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it does its work: [`Healthy`](Self::Healthy) or [`Degraded`](Self::Degraded).
    #[must_use]
    pub const fn works(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
