//! A booking as its caller sees it; the flat fields are for CRMs that cannot read nested JSON.

use crate::{
    edge::telemetry::{By, Metrics},
    flow::advance_booking::Run,
    model::{
        booking::{Booking, Said},
        diary::Slot,
        instant,
        origin::Origin,
        state::{HumanReason, RefusedReason, State},
        write_back::WriteBack,
    },
    popin::dates,
};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct BookingView {
    id: String,
    state: &'static str,
    /// The person had asked with another key a moment before, and this is that booking.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    joined: bool,
    join_url: Option<String>,
    slot: Option<SlotView>,
    start_at: Option<String>,
    start_local: Option<String>,
    confirmed_by: Option<&'static str>,
    /// When Popin's own webhook told of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    witnessed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alternatives: Option<Vec<SlotView>>,
    /// What each side said, where they disagree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    said: Vec<SaidView>,
    trigger: TriggerView,
    history: Vec<Moment>,
    /// What was written back, where anything was to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    write_backs: Vec<WriteBackView>,
}

/// One trigger at one place. The ids are the CRM's own, and the code is ours.
#[derive(Debug, Serialize)]
struct WriteBackView {
    connector: String,
    destination: &'static str,
    #[serde(flatten)]
    origin: Origin,
    state: &'static str,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    told_at: Option<String>,
    /// The state that was told last.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<String>,
}

/// Which trigger made the booking: the connector, and the CRM's own ids.
#[derive(Debug, Serialize)]
struct TriggerView {
    connector: String,
    #[serde(flatten)]
    origin: Option<Origin>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SlotView {
    start: String,
    local: Option<String>,
    vendor_time: String,
}

/// `time` is in that side's own spelling. The number itself is not repeated.
#[derive(Debug, Serialize)]
struct SaidView {
    at: String,
    by: &'static str,
    time: Option<String>,
    same_phone: bool,
}

#[derive(Debug, Serialize)]
struct Moment {
    at: String,
    state: String,
}

impl SlotView {
    pub fn of(slot: &Slot) -> Self {
        Self { start: instant::seconds(slot.start), local: dates::local(slot), vendor_time: slot.vendor_time.clone() }
    }

    /// The same, with `local` in a zone of the caller's choice.
    pub fn in_zone(slot: &Slot, zone: &TimeZone) -> Self {
        let local = Some(instant::local(slot.start, zone));
        Self { start: instant::seconds(slot.start), local, vendor_time: slot.vendor_time.clone() }
    }
}

impl BookingView {
    pub fn of(booking: &Booking) -> Self {
        let slot = booking.state.held().map(|held| SlotView::of(&held.slot));
        let (confirmed_by, reason, alternatives) = match &booking.state {
            State::Scheduled { confirmed_by, .. } => (Some(confirmed_by.as_str()), None, None),
            State::NeedsHuman { reason, .. } => (None, Some(reason.as_str().to_owned()), None),
            State::Refused { reason, .. } => match reason {
                RefusedReason::Lead(message) => (None, Some(message.clone()), None),
                RefusedReason::ResolvedByHuman => (None, Some("resolved_by_human".to_owned()), None),
                RefusedReason::SlotTaken(slots) => {
                    (None, Some("slot_taken".to_owned()), Some(slots.iter().map(SlotView::of).collect()))
                }
            },
            State::Requested
            | State::Captured { .. }
            | State::SlotHeld { .. }
            | State::Scheduling { .. }
            | State::InDoubt { .. }
            | State::NoSlot { .. } => (None, None, None),
        };
        Self {
            id: booking.id.to_string(),
            state: booking.state.as_str(),
            joined: false,
            // The link is what the caller is here for.
            join_url: booking
                .state
                .customer()
                .and_then(|customer| customer.join_url.as_ref())
                .map(|url| url.expose().clone()),
            start_at: slot.as_ref().map(|slot| slot.start.clone()),
            start_local: slot.as_ref().and_then(|slot| slot.local.clone()),
            slot,
            confirmed_by,
            witnessed_at: booking.witnessed_at.map(instant::millis),
            reason,
            alternatives,
            said: said(booking),
            trigger: TriggerView { connector: booking.connector.clone(), origin: booking.origin.clone() },
            history: booking
                .history
                .iter()
                .map(|(at, state)| Moment { at: instant::millis(*at), state: state.clone() })
                .collect(),
            write_backs: Vec::new(),
        }
    }

    #[must_use]
    pub fn with_write_backs(mut self, owed: Vec<WriteBack>) -> Self {
        let view = |owed: WriteBack| WriteBackView {
            connector: owed.connector,
            destination: owed.destination.as_str(),
            origin: owed.origin,
            state: owed.progress.as_str(),
            attempts: owed.attempts,
            code: owed.code,
            created_at: instant::millis(owed.created_at),
            next_at: owed.due_at.map(instant::millis),
            told_at: owed.told_at.map(instant::millis),
            told: owed.told.and_then(|mark| mark.split_once('@').map(|(state, _)| state.to_owned())),
        };
        self.write_backs = owed.into_iter().map(view).collect();
        self
    }

    /// The booking as it was when it was accepted.
    pub fn accepted(booking: &Booking) -> Self {
        let mut first = booking.clone();
        first.state = State::Requested;
        first.witnessed_at = None;
        first.history.truncate(1);
        Self::of(&first)
    }

    #[must_use]
    pub fn joined(mut self, joined: bool) -> Self {
        self.joined = joined;
        self
    }

    pub fn alternatives(&self) -> Vec<SlotView> {
        self.alternatives.clone().unwrap_or_default()
    }
}

fn said(booking: &Booking) -> Vec<SaidView> {
    let disagree = match &booking.state {
        State::NeedsHuman { reason, .. } => match reason {
            HumanReason::ReplyDisagrees | HumanReason::WebhookDisagrees => true,
            HumanReason::OutcomeUnknown | HumanReason::PopinUnavailable | HumanReason::MaxAttempts => false,
        },
        State::Requested
        | State::Captured { .. }
        | State::SlotHeld { .. }
        | State::Scheduling { .. }
        | State::InDoubt { .. }
        | State::Scheduled { .. }
        | State::NoSlot { .. }
        | State::Refused { .. } => false,
    };
    let words = if disagree { booking.said.as_slice() } else { &[] };
    let view = |said: &Said| SaidView {
        at: instant::millis(said.at),
        by: said.by.as_str(),
        time: said.told.time.clone(),
        same_phone: said.told.same_phone,
    };
    words.iter().map(view).collect()
}

/// One line for where a booking stands after a run, and the metrics of what the run itself did: what somebody else did
/// is counted where it was done.
pub fn tell(booking: &Booking, run: Run, function: &'static str, now: Timestamp) {
    let mut metrics = Metrics::default();
    let brought = usize::from(run.brought);
    match &booking.state {
        State::Scheduled { .. } => metrics.count("BookingsScheduled", brought),
        State::NoSlot { .. } => metrics.count("BookingsNoSlot", brought),
        State::Refused { .. } => metrics.count("BookingsRefused", brought),
        State::InDoubt { .. } => metrics.count("BookingsInDoubt", brought),
        State::NeedsHuman { .. } => metrics.count("BookingsNeedingHuman", brought),
        State::Requested | State::Captured { .. } | State::SlotHeld { .. } | State::Scheduling { .. } => {
            metrics.count("BookingsWaiting", brought)
        }
    };
    metrics.count("PhantomSlots", run.refused);
    metrics.emit(function, By::Seller(booking.seller.as_str()), now);
    tracing::info!(seller = %booking.seller, booking.id = %booking.id, booking.state = booking.state.as_str(), "booking.advanced");
}
