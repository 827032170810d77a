//! The one table of every vendor's event names and our word for each.

use crate::model::{hash, ids::TableVersion, kind::Kind};
use std::sync::LazyLock;

/// A vendor's set of names. The same name in two families is two names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    PopinPage,
    PopinWebhook,
    PopinOutgoing,
    ChiliPiperPage,
    ChiliPiperWebhook,
    FullviewPage,
}

impl Family {
    pub const ALL: [Self; 6] = [
        Self::PopinPage,
        Self::PopinWebhook,
        Self::PopinOutgoing,
        Self::ChiliPiperPage,
        Self::ChiliPiperWebhook,
        Self::FullviewPage,
    ];

    /// Part of every identity: to change a word is to make every stored event of the family a new one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PopinPage => "popin-page",
            Self::PopinWebhook => "popin-webhook",
            Self::PopinOutgoing => "popin-outgoing",
            Self::ChiliPiperPage => "chili-piper-page",
            Self::ChiliPiperWebhook => "chili-piper-webhook",
            Self::FullviewPage => "fullview-page",
        }
    }
}

/// Every name that a vendor documents or is known to send, exactly as it spells it.
pub static TABLE: &[(Family, &str, Kind)] = &[
    (Family::PopinPage, "nudge_show", Kind::NudgeShown),
    (Family::PopinPage, "nudge_open", Kind::NudgeOpened),
    (Family::PopinPage, "nudge_close", Kind::NudgeClosed),
    (Family::PopinPage, "popin_open", Kind::WidgetOpened),
    (Family::PopinPage, "popin_close", Kind::WidgetClosed),
    (Family::PopinPage, "popin_permission_given", Kind::PermissionGranted),
    (Family::PopinPage, "popin_permission_denied", Kind::PermissionDenied),
    // One fact under its old name and its new one.
    (Family::PopinPage, "popin_expert_busy", Kind::CallBusy),
    (Family::PopinPage, "popin_call_missed", Kind::CallBusy),
    (Family::PopinPage, "popin_rating_done", Kind::CallRated),
    (Family::PopinPage, "popin_schedule_created", Kind::BookingCreated),
    (Family::PopinPage, "popin_call_end", Kind::CallEnded),
    (Family::PopinPage, "popin_captured", Kind::LeadCaptured),
    (Family::PopinPage, "popin_auto_captured", Kind::LeadCaptured),
    (Family::PopinPage, "popin_navigated", Kind::ScreenViewed),
    (Family::PopinWebhook, "popin_call_successful", Kind::CallEnded),
    (Family::PopinWebhook, "popin_call_missed", Kind::CallMissed),
    (Family::PopinWebhook, "popin_call_abandoned", Kind::CallAbandoned),
    (Family::PopinWebhook, "popin_call_remark_added", Kind::CallRemarked),
    (Family::PopinWebhook, "popin_call_rated", Kind::CallRated),
    (Family::PopinWebhook, "popin_call_guest_connected", Kind::CallJoined),
    (Family::PopinWebhook, "popin_scheduled_created", Kind::BookingCreated),
    (Family::PopinWebhook, "popin_scheduled_notification", Kind::BookingReminded),
    (Family::PopinWebhook, "popin_prescheduled_notification", Kind::BookingReminded),
    (Family::PopinWebhook, "popin_missed_notification", Kind::CallReinvited),
    (Family::PopinWebhook, "popin_user_captured", Kind::LeadCaptured),
    (Family::PopinOutgoing, "popin_outgoing_call_initiated", Kind::CallRequested),
    (Family::PopinOutgoing, "popin_outgoing_call_ringing", Kind::CallRinging),
    (Family::PopinOutgoing, "popin_outgoing_call_accepted", Kind::CallAccepted),
    (Family::PopinOutgoing, "popin_outgoing_call_started", Kind::CallStarted),
    (Family::PopinOutgoing, "popin_outgoing_call_successful", Kind::CallEnded),
    (Family::PopinOutgoing, "popin_outgoing_call_missed", Kind::CallMissed),
    (Family::PopinOutgoing, "popin_outgoing_call_abandoned", Kind::CallAbandoned),
    (Family::PopinOutgoing, "popin_outgoing_call_declined", Kind::CallDeclined),
    (Family::PopinOutgoing, "popin_outgoing_call_busy", Kind::CallBusy),
    (Family::PopinOutgoing, "popin_outgoing_call_customer_unavailable", Kind::CallUnavailable),
    (Family::PopinOutgoing, "popin_outgoing_call_network_failure", Kind::CallDropped),
    // Sent before the booking is made: not a booking yet.
    (Family::ChiliPiperPage, "booked", Kind::BookingStarted),
    (Family::ChiliPiperPage, "booking-confirmed", Kind::BookingCreated),
    (Family::ChiliPiperPage, "rescheduled", Kind::BookingRescheduled),
    (Family::ChiliPiperPage, "prospect_cancel", Kind::BookingCancelled),
    (Family::ChiliPiperPage, "availability-loaded", Kind::SlotsShown),
    (Family::ChiliPiperPage, "no-free-slots", Kind::SlotsNone),
    (Family::ChiliPiperPage, "timeslot-selected", Kind::SlotSelected),
    (Family::ChiliPiperPage, "close", Kind::WidgetClosed),
    (Family::ChiliPiperPage, "no-action-choice", Kind::WidgetClosed),
    (Family::ChiliPiperPage, "phone-selected", Kind::ChoiceMade),
    (Family::ChiliPiperPage, "meeting-selected", Kind::ChoiceMade),
    (Family::ChiliPiperPage, "video-selected", Kind::ChoiceMade),
    (Family::ChiliPiperPage, "phoneClose", Kind::CallEnded),
    (Family::ChiliPiperPage, "routing", Kind::LeadRouting),
    (Family::ChiliPiperPage, "prospect-routed", Kind::LeadRouted),
    (Family::ChiliPiperPage, "prospect-disqualified", Kind::LeadDisqualified),
    (Family::ChiliPiperPage, "error", Kind::WidgetFailed),
    (Family::ChiliPiperPage, "REDIRECT", Kind::WidgetRedirected),
    (Family::ChiliPiperWebhook, "Created", Kind::BookingCreated),
    (Family::ChiliPiperWebhook, "Updated", Kind::BookingRescheduled),
    (Family::ChiliPiperWebhook, "Canceled", Kind::BookingCancelled),
    // Bare: the browser's event type has `fullview:` before it.
    (Family::FullviewPage, "callRequested", Kind::CallRequested),
    (Family::FullviewPage, "callAccepted", Kind::CallAccepted),
    (Family::FullviewPage, "callDenied", Kind::CallDeclined),
    (Family::FullviewPage, "callEnded", Kind::CallEnded),
    (Family::FullviewPage, "supportRequested", Kind::SupportRequested),
    (Family::FullviewPage, "supportRequestTaken", Kind::SupportTaken),
    (Family::FullviewPage, "supportRequestCancelledByCustomer", Kind::SupportCancelled),
    (Family::FullviewPage, "supportRequestCancelledByAgent", Kind::SupportDeclined),
];

pub(super) fn kind(family: Family, name: &str) -> Option<Kind> {
    TABLE.iter().find(|(known, spelled, _)| *known == family && *spelled == name).map(|&(_, _, kind)| kind)
}

/// Raise it when a family learns to read a shape that it could not, so that what is in quarantine is read again.
const SHAPES: &str = "1";

/// Changes with every change of [`TABLE`] and of [`SHAPES`].
pub fn version() -> TableVersion {
    static VERSION: LazyLock<TableVersion> = LazyLock::new(|| version_of(SHAPES, TABLE));
    VERSION.clone()
}

fn version_of(shapes: &str, table: &[(Family, &str, Kind)]) -> TableVersion {
    let rows = table.iter().flat_map(|&(family, name, kind)| [family.as_str(), name, kind.as_str()]);
    let parts: Vec<_> = [shapes].into_iter().chain(rows).collect();
    TableVersion::parse(&hash::short(&parts)[..16]).expect("hex digits are a version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_the_table_is_another_version() {
        assert_eq!(version(), version_of(SHAPES, TABLE));
        assert_ne!(version(), version_of("2", TABLE));
        assert_ne!(version(), version_of(SHAPES, &TABLE[1..]));
        let mut renamed = TABLE.to_vec();
        renamed[0].2 = Kind::WidgetOpened;
        assert_ne!(version(), version_of(SHAPES, &renamed));
    }
}
