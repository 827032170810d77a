//! What follows from where a booking stands and what happened to it.

use super::{ConfirmedBy, Held, HumanReason, IllegalStep, Outcome, RefusedReason, Resolution, State};
use crate::model::seller::OnSilence;

impl State {
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
            ) => Ok(ask_human(customer, Some(held), HumanReason::OutcomeUnknown)),
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
