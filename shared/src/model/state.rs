//! The booking saga: where a booking stands, and what can happen to it.

mod transition;

use super::{diary::Slot, ids::CustomerId, seller::OnSilence, sensitive::Sensitive};
use jiff::Timestamp;

/// Popin's side of a captured lead. The join link is a bearer secret in practice, but it is what the CRM is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    pub id: CustomerId,
    pub join_url: Option<Sensitive<String>>,
}

/// A slot with the place in it that our claim stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub slot: Slot,
    pub place: u32,
    /// The slot takes more than one booking: then no person has two of its places, or one webhook would bear witness for both.
    pub shared: bool,
    /// So many earlier asks for this very slot were never settled: Popin may have the call.
    pub unsettled: u32,
}

impl Held {
    /// One ask less that nobody knows the end of.
    fn settled(self) -> Self {
        Self { unsettled: self.unsettled.saturating_sub(1), ..self }
    }

    /// Whether both stand on the same claim.
    pub fn same_place(&self, other: &Self) -> bool {
        self.slot == other.slot && self.place == other.place
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmedBy {
    Reply,
    Webhook,
    Human,
}

impl ConfirmedBy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Webhook => "webhook",
            Self::Human => "human",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        [Self::Reply, Self::Webhook, Self::Human].into_iter().find(|by| by.as_str() == raw)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusedReason {
    /// Popin refused the lead, with its message.
    Lead(String),
    /// The one slot that would do is gone or was never offered; these are free instead.
    SlotTaken(Vec<Slot>),
    ResolvedByHuman,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HumanReason {
    /// The window of doubt ended and nobody had seen the call.
    OutcomeUnknown,
    /// Popin did nothing until it was time to give up.
    PopinUnavailable,
    /// As many schedule calls as one booking may make.
    MaxAttempts,
    /// Popin confirmed something else than was asked: another phone or another time.
    ReplyDisagrees,
    /// Popin's webhook tells of another phone or another time than was asked for and, maybe, confirmed.
    WebhookDisagrees,
}

impl HumanReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OutcomeUnknown => "outcome_unknown",
            Self::PopinUnavailable => "popin_unavailable",
            Self::MaxAttempts => "max_attempts",
            Self::ReplyDisagrees => "reply_disagrees",
            Self::WebhookDisagrees => "webhook_disagrees",
        }
    }
}

/// What one side said of the call, where it may differ from what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The appointment in that side's own spelling; `None` where it named none.
    pub time: Option<String>,
    pub same_phone: bool,
}

/// Stored after every step, so that any crash resumes from the last line written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Requested,
    Captured {
        customer: Customer,
    },
    /// The slot is pinned before Popin is asked, so that a retry asks for the same one.
    SlotHeld {
        customer: Customer,
        held: Held,
    },
    /// Written before the call leaves: whoever finds it without a live lease finds an unknown outcome.
    Scheduling {
        customer: Customer,
        held: Held,
    },
    InDoubt {
        customer: Customer,
        held: Held,
        until: Timestamp,
    },
    Scheduled {
        customer: Option<Customer>,
        held: Option<Held>,
        confirmed_by: ConfirmedBy,
    },
    NoSlot {
        customer: Customer,
    },
    Refused {
        customer: Option<Customer>,
        reason: RefusedReason,
    },
    /// `held` where Popin may have the call: the claim stays.
    NeedsHuman {
        customer: Option<Customer>,
        held: Option<Held>,
        reason: HumanReason,
    },
}

/// What happened to a booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    CapturedAs(Customer),
    LeadRefused(String),
    SlotPicked(Held),
    /// Nothing that would do is free.
    NothingFree,
    /// The one slot that would do is gone.
    SlotGone(Vec<Slot>),
    /// The schedule call is about to leave.
    Asking,
    Confirmed,
    /// Popin confirmed another phone or time than was asked for.
    Disagreed(Told),
    /// Popin's definite no to the slot.
    SlotRefused,
    /// The held slot has begun while nothing could be done.
    SlotPassed,
    /// The call had no effect for certain: not sent, or turned away.
    NotDone,
    /// Nobody can know whether the call had its effect.
    Unanswered {
        until: Timestamp,
    },
    /// Popin's webhook tells of this very call.
    Witnessed,
    /// Popin's webhook tells of this person's call, and it is not the one that was asked for.
    Contradicted(Told),
    /// The window of doubt ended in silence.
    WindowOver(OnSilence),
    GaveUp(HumanReason),
    Resolved(Resolution),
}

/// What a person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    Scheduled,
    NotScheduled,
    Retry,
}

/// The pair that cannot be: a bug, or a fact that came too late to matter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a booking that is {from} cannot take {outcome}")]
pub struct IllegalStep {
    pub from: &'static str,
    pub outcome: &'static str,
}

impl State {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Captured { .. } => "captured",
            Self::SlotHeld { .. } => "slot_held",
            Self::Scheduling { .. } => "scheduling",
            Self::InDoubt { .. } => "in_doubt",
            Self::Scheduled { .. } => "scheduled",
            Self::NoSlot { .. } => "no_slot",
            Self::Refused { .. } => "refused",
            Self::NeedsHuman { .. } => "needs_human",
        }
    }

    /// Nothing more will happen by itself.
    pub fn at_rest(&self) -> bool {
        match self {
            Self::Scheduled { .. } | Self::NoSlot { .. } | Self::Refused { .. } | Self::NeedsHuman { .. } => true,
            Self::Requested
            | Self::Captured { .. }
            | Self::SlotHeld { .. }
            | Self::Scheduling { .. }
            | Self::InDoubt { .. } => false,
        }
    }

    pub fn customer(&self) -> Option<&Customer> {
        match self {
            Self::Requested => None,
            Self::Captured { customer }
            | Self::SlotHeld { customer, .. }
            | Self::Scheduling { customer, .. }
            | Self::InDoubt { customer, .. }
            | Self::NoSlot { customer } => Some(customer),
            Self::Scheduled { customer, .. } | Self::Refused { customer, .. } | Self::NeedsHuman { customer, .. } => {
                customer.as_ref()
            }
        }
    }

    /// The slot whose claim this state stands on: a state without one has no claim.
    pub fn held(&self) -> Option<&Held> {
        match self {
            Self::SlotHeld { held, .. } | Self::Scheduling { held, .. } | Self::InDoubt { held, .. } => Some(held),
            Self::Scheduled { held, .. } | Self::NeedsHuman { held, .. } => held.as_ref(),
            Self::Requested | Self::Captured { .. } | Self::NoSlot { .. } | Self::Refused { .. } => None,
        }
    }
}

impl Outcome {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::CapturedAs(_) => "captured_as",
            Self::LeadRefused(_) => "lead_refused",
            Self::SlotPicked(_) => "slot_picked",
            Self::NothingFree => "nothing_free",
            Self::SlotGone(_) => "slot_gone",
            Self::Asking => "asking",
            Self::Confirmed => "confirmed",
            Self::Disagreed(_) => "disagreed",
            Self::SlotRefused => "slot_refused",
            Self::SlotPassed => "slot_passed",
            Self::NotDone => "not_done",
            Self::Unanswered { .. } => "unanswered",
            Self::Witnessed => "witnessed",
            Self::Contradicted(_) => "contradicted",
            Self::WindowOver(_) => "window_over",
            Self::GaveUp(_) => "gave_up",
            Self::Resolved(_) => "resolved",
        }
    }
}

#[cfg(test)]
mod tests;
