//! Which status may follow which.

use super::OrderStatus;

impl OrderStatus {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 17] = [
        Self::New,
        Self::Accepted,
        Self::PendingNew,
        Self::AcceptedForBidding,
        Self::PartiallyFilled,
        Self::Filled,
        Self::DoneForDay,
        Self::Canceled,
        Self::Expired,
        Self::Replaced,
        Self::PendingCancel,
        Self::PendingReplace,
        Self::Stopped,
        Self::Rejected,
        Self::Suspended,
        Self::Calculated,
        Self::Held,
    ];

    /// If nothing more can happen to the order.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Filled | Self::Canceled | Self::Expired | Self::Replaced | Self::Rejected => true,
            Self::New
            | Self::Accepted
            | Self::PendingNew
            | Self::AcceptedForBidding
            | Self::PartiallyFilled
            | Self::DoneForDay
            | Self::PendingCancel
            | Self::PendingReplace
            | Self::Stopped
            | Self::Suspended
            | Self::Calculated
            | Self::Held => false,
        }
    }

    /// If an order can be in this status only while nothing of it was executed.
    pub(crate) fn is_unexecuted(self) -> bool {
        match self {
            Self::New | Self::Accepted | Self::PendingNew | Self::AcceptedForBidding | Self::Held | Self::Rejected => {
                true
            }
            Self::PartiallyFilled
            | Self::Filled
            | Self::DoneForDay
            | Self::Canceled
            | Self::Expired
            | Self::Replaced
            | Self::PendingCancel
            | Self::PendingReplace
            | Self::Stopped
            | Self::Suspended
            | Self::Calculated => false,
        }
    }

    /// If an order in this status may be in the status `next` after it.
    ///
    /// Final is final; what was executed in part is never again as if it were not; all else may follow, because the broker
    /// need not tell every step, nor in its order. **Source:** Alpaca's order life cycle.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self == next || !(self.is_final() || self == Self::PartiallyFilled && next.is_unexecuted())
    }
}
