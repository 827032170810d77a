//! Our words for what happened, the same for all vendors.

macro_rules! kinds { ($($kind:ident => $word:literal),+ $(,)?) => {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Kind { $($kind),+ }

    impl Kind {
        pub const ALL: &[Self] = &[$(Self::$kind),+];

        pub fn as_str(self) -> &'static str {
            match self { $(Self::$kind => $word),+ }
        }

        pub fn parse(raw: &str) -> Option<Self> {
            match raw { $($word => Some(Self::$kind),)+ _ => None }
        }
    }
} }

kinds! {
    NudgeShown => "nudge.shown", NudgeOpened => "nudge.opened", NudgeClosed => "nudge.closed",
    WidgetOpened => "widget.opened", WidgetClosed => "widget.closed", WidgetFailed => "widget.failed",
    WidgetRedirected => "widget.redirected",
    ScreenViewed => "screen.viewed",
    PermissionGranted => "permission.granted", PermissionDenied => "permission.denied",
    LeadCaptured => "lead.captured", LeadRouting => "lead.routing", LeadRouted => "lead.routed",
    LeadDisqualified => "lead.disqualified",
    SlotsShown => "slots.shown", SlotsNone => "slots.none", SlotSelected => "slot.selected",
    BookingStarted => "booking.started", BookingCreated => "booking.created",
    BookingRescheduled => "booking.rescheduled", BookingCancelled => "booking.cancelled",
    BookingReminded => "booking.reminded",
    ChoiceMade => "choice.made",
    CallRequested => "call.requested", CallRinging => "call.ringing", CallAccepted => "call.accepted",
    CallStarted => "call.started", CallEnded => "call.ended", CallMissed => "call.missed",
    CallAbandoned => "call.abandoned", CallDeclined => "call.declined", CallBusy => "call.busy",
    CallUnavailable => "call.unavailable", CallDropped => "call.dropped", CallJoined => "call.joined",
    CallRemarked => "call.remarked", CallRated => "call.rated", CallReinvited => "call.reinvited",
    SupportRequested => "support.requested", SupportCancelled => "support.cancelled",
    SupportDeclined => "support.declined", SupportTaken => "support.taken",
    Unknown => "unknown",
}
