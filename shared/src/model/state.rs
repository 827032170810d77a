//! The booking saga (DESIGN section 5): where a booking stands, what can happen to it, and what follows.

use super::{diary::Slot, ids::CustomerId, seller::OnSilence, sensitive::Sensitive};
use crate::planted::{Bug, planted};
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

    /// Every pair of state and outcome is decided here, and nowhere else.
    #[expect(clippy::too_many_lines, reason = "one match is the point: no pair may hide in a helper")]
    pub fn after(self, outcome: Outcome) -> Result<Self, IllegalStep> {
        use Outcome::{
            Asking, CapturedAs, Confirmed, Contradicted, Disagreed, GaveUp, LeadRefused, NotDone, NothingFree,
            Resolved, SlotGone, SlotPassed, SlotPicked, SlotRefused, Unanswered, WindowOver, Witnessed,
        };
        let scheduled =
            |customer, held, confirmed_by| Self::Scheduled { customer: Some(customer), held: Some(held), confirmed_by };
        let ask_human = |customer, held, reason| Self::NeedsHuman { customer: Some(customer), held, reason };
        match (self, outcome) {
            (Self::Requested | Self::Captured { .. }, CapturedAs(customer)) => Ok(Self::Captured { customer }),
            (Self::Requested, LeadRefused(message)) => {
                Ok(Self::Refused { customer: None, reason: RefusedReason::Lead(message) })
            }
            (Self::Requested, GaveUp(reason)) => Ok(Self::NeedsHuman { customer: None, held: None, reason }),

            (Self::Captured { customer }, SlotPicked(held)) => Ok(Self::SlotHeld { customer, held }),
            (Self::Captured { customer }, NothingFree) => Ok(Self::NoSlot { customer }),
            // An earlier ask for this slot may have had its effect: the claim stays, and a person looks.
            (Self::SlotHeld { customer, held: held @ Held { unsettled: 1.., .. } }, SlotGone(_) | SlotPassed) => {
                Ok(ask_human(customer, Some(held), HumanReason::OutcomeUnknown))
            }
            (Self::SlotHeld { customer, held: held @ Held { unsettled: 1.., .. } }, GaveUp(reason)) => {
                Ok(ask_human(customer, Some(held), reason))
            }
            // Asked again for a slot that an earlier ask may have taken for us, Popin says no: that is no definite no.
            (
                Self::SlotHeld { customer, held: held @ Held { unsettled: 2.., .. } }
                | Self::Scheduling { customer, held: held @ Held { unsettled: 1.., .. } }
                | Self::InDoubt { customer, held: held @ Held { unsettled: 1.., .. }, .. },
                SlotRefused | SlotGone(_),
            ) if !planted(Bug::SecondRefusalBelieved) => {
                Ok(ask_human(customer, Some(held), HumanReason::OutcomeUnknown))
            }
            (Self::SlotHeld { customer, .. }, GaveUp(reason)) => Ok(ask_human(customer, None, reason)),
            (Self::SlotHeld { customer, .. }, SlotPassed) => Ok(Self::Captured { customer }),
            (
                Self::Captured { customer }
                | Self::SlotHeld { customer, .. }
                | Self::Scheduling { customer, .. }
                | Self::InDoubt { customer, .. },
                SlotGone(alternatives),
            ) => Ok(Self::Refused { customer: Some(customer), reason: RefusedReason::SlotTaken(alternatives) }),
            (Self::Captured { customer }, GaveUp(reason)) => Ok(ask_human(customer, None, reason)),

            (Self::SlotHeld { customer, held }, Asking) => Ok(Self::Scheduling { customer, held }),
            // On a slot that is only held, these are late: the answer to an ask that was written off as unknown.
            (
                Self::SlotHeld { customer, held }
                | Self::Scheduling { customer, held }
                | Self::InDoubt { customer, held, .. },
                Confirmed,
            ) => Ok(scheduled(customer, held, ConfirmedBy::Reply)),
            (
                Self::SlotHeld { customer, held }
                | Self::Scheduling { customer, held }
                | Self::InDoubt { customer, held, .. },
                Disagreed(_),
            ) => Ok(ask_human(customer, Some(held), HumanReason::ReplyDisagrees)),
            // Two calls are under way for one lead, or one at another time: only a person can tell.
            (
                Self::SlotHeld { customer, held: held @ Held { unsettled: 1.., .. } }
                | Self::Scheduling { customer, held }
                | Self::InDoubt { customer, held, .. },
                Contradicted(_),
            ) => Ok(ask_human(customer, Some(held), HumanReason::WebhookDisagrees)),
            (Self::SlotHeld { customer, held }, NotDone) => Ok(Self::SlotHeld { customer, held: held.settled() }),
            (
                Self::SlotHeld { customer, .. } | Self::Scheduling { customer, .. } | Self::InDoubt { customer, .. },
                SlotRefused,
            ) => Ok(Self::Captured { customer }),
            (Self::Scheduling { customer, held } | Self::InDoubt { customer, held, .. }, NotDone) => {
                Ok(Self::SlotHeld { customer, held })
            }
            (Self::Scheduling { customer, held }, Unanswered { until }) => Ok(Self::InDoubt { customer, held, until }),
            // A window that runs already is not made longer.
            (doubt @ Self::InDoubt { .. }, Unanswered { .. }) => Ok(doubt),
            (
                Self::SlotHeld { customer, held }
                | Self::Scheduling { customer, held }
                | Self::InDoubt { customer, held, .. },
                Witnessed,
            ) => Ok(scheduled(customer, held, ConfirmedBy::Webhook)),
            (Self::InDoubt { customer, .. }, WindowOver(OnSilence::AskHuman)) if planted(Bug::HeldLostAtWindowsEnd) => {
                Ok(ask_human(customer, None, HumanReason::OutcomeUnknown))
            }
            (Self::InDoubt { customer, held, .. }, WindowOver(OnSilence::AskHuman)) => {
                Ok(ask_human(customer, Some(held), HumanReason::OutcomeUnknown))
            }
            (Self::InDoubt { customer, held, .. }, WindowOver(OnSilence::Retry)) => {
                Ok(Self::SlotHeld { customer, held: Held { unsettled: held.unsettled + 1, ..held } })
            }

            // Seen by both sides.
            (done @ Self::Scheduled { .. }, Confirmed | Witnessed) => Ok(done),
            // One side confirmed, and then the other said something else. What a person decided stands.
            (Self::Scheduled { customer, held, confirmed_by: ConfirmedBy::Webhook }, Disagreed(_)) => {
                Ok(Self::NeedsHuman { customer, held, reason: HumanReason::ReplyDisagrees })
            }
            (Self::Scheduled { customer, held, confirmed_by: ConfirmedBy::Reply }, Contradicted(_)) => {
                Ok(Self::NeedsHuman { customer, held, reason: HumanReason::WebhookDisagrees })
            }

            // The two sides disagree already: one more word is noted, and settles nothing.
            (
                asks @ Self::NeedsHuman { held: Some(_), reason: HumanReason::ReplyDisagrees, .. },
                Witnessed | Confirmed,
            ) => Ok(asks),
            (asks @ Self::NeedsHuman { held: Some(_), reason: HumanReason::WebhookDisagrees, .. }, Confirmed) => {
                Ok(asks)
            }
            // The window was over, and then somebody had seen the call after all. A webhook that fits comes after one
            // that does not where that one told of another call of the same person.
            (Self::NeedsHuman { customer, held: held @ Some(_), .. }, Witnessed) => {
                Ok(Self::Scheduled { customer, held, confirmed_by: ConfirmedBy::Webhook })
            }
            (Self::NeedsHuman { customer, held: held @ Some(_), .. }, Confirmed) => {
                Ok(Self::Scheduled { customer, held, confirmed_by: ConfirmedBy::Reply })
            }
            (
                asks @ Self::NeedsHuman {
                    held: Some(_),
                    reason: HumanReason::ReplyDisagrees | HumanReason::WebhookDisagrees,
                    ..
                },
                Disagreed(_) | Contradicted(_),
            ) => Ok(asks),
            (Self::NeedsHuman { customer, held: held @ Some(_), .. }, Disagreed(_)) => {
                Ok(Self::NeedsHuman { customer, held, reason: HumanReason::ReplyDisagrees })
            }
            (Self::NeedsHuman { customer, held: held @ Some(_), .. }, Contradicted(_)) => {
                Ok(Self::NeedsHuman { customer, held, reason: HumanReason::WebhookDisagrees })
            }
            (Self::NeedsHuman { customer, held, .. }, Resolved(Resolution::Scheduled)) => {
                Ok(Self::Scheduled { customer, held, confirmed_by: ConfirmedBy::Human })
            }
            (Self::NeedsHuman { customer, .. }, Resolved(Resolution::NotScheduled)) => {
                Ok(Self::Refused { customer, reason: RefusedReason::ResolvedByHuman })
            }
            (Self::NeedsHuman { customer: Some(customer), .. }, Resolved(Resolution::Retry)) => {
                Ok(Self::Captured { customer })
            }
            (Self::NeedsHuman { customer: None, .. }, Resolved(Resolution::Retry)) => Ok(Self::Requested),

            (
                from @ Self::Requested,
                outcome @ (SlotPicked(_)
                | NothingFree
                | SlotGone(_)
                | Asking
                | Confirmed
                | Disagreed(_)
                | SlotRefused
                | SlotPassed
                | NotDone
                | Unanswered { .. }
                | Witnessed
                | Contradicted(_)
                | WindowOver(_)
                | Resolved(_)),
            )
            | (
                from @ Self::Captured { .. },
                outcome @ (LeadRefused(_)
                | Asking
                | Confirmed
                | Disagreed(_)
                | SlotRefused
                | SlotPassed
                | NotDone
                | Unanswered { .. }
                | Witnessed
                | Contradicted(_)
                | WindowOver(_)
                | Resolved(_)),
            )
            | (
                from @ Self::SlotHeld { .. },
                outcome @ (CapturedAs(_)
                | LeadRefused(_)
                | SlotPicked(_)
                | NothingFree
                | Unanswered { .. }
                | Contradicted(_)
                | WindowOver(_)
                | Resolved(_)),
            )
            | (
                from @ Self::Scheduling { .. },
                outcome @ (CapturedAs(_) | LeadRefused(_) | SlotPicked(_) | NothingFree | Asking | SlotPassed
                | WindowOver(_) | GaveUp(_) | Resolved(_)),
            )
            | (
                from @ Self::InDoubt { .. },
                outcome @ (CapturedAs(_) | LeadRefused(_) | SlotPicked(_) | NothingFree | Asking | SlotPassed
                | GaveUp(_) | Resolved(_)),
            )
            | (
                from @ Self::Scheduled { .. },
                outcome @ (CapturedAs(_)
                | LeadRefused(_)
                | SlotPicked(_)
                | NothingFree
                | SlotGone(_)
                | Asking
                | Disagreed(_)
                | SlotRefused
                | SlotPassed
                | NotDone
                | Unanswered { .. }
                | Contradicted(_)
                | WindowOver(_)
                | GaveUp(_)
                | Resolved(_)),
            )
            | (
                from @ (Self::NoSlot { .. } | Self::Refused { .. }),
                outcome @ (CapturedAs(_)
                | LeadRefused(_)
                | SlotPicked(_)
                | NothingFree
                | SlotGone(_)
                | Asking
                | Confirmed
                | Disagreed(_)
                | SlotRefused
                | SlotPassed
                | NotDone
                | Unanswered { .. }
                | Witnessed
                | Contradicted(_)
                | WindowOver(_)
                | GaveUp(_)
                | Resolved(_)),
            )
            | (
                from @ Self::NeedsHuman { .. },
                outcome @ (CapturedAs(_)
                | LeadRefused(_)
                | SlotPicked(_)
                | NothingFree
                | SlotGone(_)
                | Asking
                | Confirmed
                | Disagreed(_)
                | SlotRefused
                | SlotPassed
                | NotDone
                | Unanswered { .. }
                | Witnessed
                | Contradicted(_)
                | WindowOver(_)
                | GaveUp(_)),
            ) => Err(IllegalStep { from: from.as_str(), outcome: outcome.as_str() }),
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
