//! What a trigger is owed once its booking rests: where the end is told, how far that has come, and what there is to tell.

use super::{
    booking::Booking,
    ids::{BookingId, SellerId},
    instant,
    origin::Origin,
    sensitive::Sensitive,
    state::{RefusedReason, State},
};
use jiff::{SignedDuration, Timestamp};

/// Where an end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// The seller's own URL.
    Url,
    HubSpot,
    Salesforce,
    Zoho,
    LeadSquared,
    Pipedrive,
    Freshsales,
    Shopify,
}

impl Destination {
    pub const ALL: [Self; 8] = [
        Self::Url,
        Self::HubSpot,
        Self::Salesforce,
        Self::Zoho,
        Self::LeadSquared,
        Self::Pipedrive,
        Self::Freshsales,
        Self::Shopify,
    ];

    /// The connector's own word, where there is one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::HubSpot => "hubspot",
            Self::Salesforce => "salesforce",
            Self::Zoho => "zoho",
            Self::LeadSquared => "leadsquared",
            Self::Pipedrive => "pipedrive",
            Self::Freshsales => "freshsales",
            Self::Shopify => "shopify",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.as_str() == raw)
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Pending,
    Done,
    /// Nobody tries again by itself.
    Parked,
}

impl Progress {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Parked => "parked",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        [Self::Pending, Self::Done, Self::Parked].into_iter().find(|progress| progress.as_str() == raw)
    }
}

/// What a trigger is owed when it is taken, whichever booking it comes to stand for.
#[derive(Clone, Debug, Default)]
pub struct Owed {
    pub connector: String,
    pub origin: Option<Origin>,
    pub destinations: Vec<Destination>,
}

/// The sweep looks at what the stream should have told by then.
const FIRST_LOOK: SignedDuration = SignedDuration::from_mins(1);

impl Owed {
    /// One for each place; `trigger` is the keyed hash of its key.
    pub fn of(&self, booking: (&SellerId, &BookingId), trigger: &str, now: Timestamp) -> Vec<WriteBack> {
        let owed = |destination: &Destination| WriteBack {
            seller: booking.0.clone(),
            booking: booking.1.clone(),
            trigger: trigger.to_owned(),
            destination: *destination,
            connector: self.connector.clone(),
            origin: self.origin.clone().unwrap_or_default(),
            progress: Progress::Pending,
            attempts: 0,
            code: None,
            telling: None,
            told: None,
            told_at: None,
            steps: Vec::new(),
            created_at: now,
            due_at: Some(now + FIRST_LOOK),
            held_until: None,
            version: 1,
        };
        self.destinations.iter().map(owed).collect()
    }
}

/// One trigger's claim to be told at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteBack {
    pub seller: SellerId,
    pub booking: BookingId,
    /// The keyed hash of the trigger's own key.
    pub trigger: String,
    pub destination: Destination,
    /// The route that the trigger came by.
    pub connector: String,
    pub origin: Origin,
    pub progress: Progress,
    /// Tries of the news that is being told, the present one with them.
    pub attempts: u32,
    /// What went wrong last; a stable word.
    pub code: Option<String>,
    /// The mark of the news that is being told, and of what was told last.
    pub telling: Option<String>,
    pub told: Option<String>,
    pub told_at: Option<Timestamp>,
    /// The calls of this telling that were done; a place may want more than one.
    pub steps: Vec<String>,
    pub created_at: Timestamp,
    /// When the sweep looks at it; `None` when it is done or parked.
    pub due_at: Option<Timestamp>,
    /// Nobody else is at it before this.
    pub held_until: Option<Timestamp>,
    /// Rises with every write; a write against another version is refused.
    pub version: u64,
}

impl WriteBack {
    /// Whether it may be told now. What never failed need not wait for its time.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        let free = self.held_until.is_none_or(|until| until <= now);
        let due = self.due_at.is_some_and(|due| self.attempts == 0 || due <= now);
        self.progress == Progress::Pending && free && due
    }

    /// Begins to tell `mark`: what was told of earlier news is told again, save what can be told only once.
    pub fn begin(&mut self, mark: &str, once: &[&str]) {
        if self.telling.as_deref() != Some(mark) {
            self.telling = Some(mark.to_owned());
            self.attempts = 0;
            self.steps.retain(|step| once.contains(&step.as_str()));
        }
    }
}

/// A booking's end, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    pub booking: BookingId,
    pub seller: SellerId,
    pub state: &'static str,
    pub scheduled: bool,
    /// A stable word, never Popin's own.
    pub reason: Option<&'static str>,
    /// What the CRM is there for: the link is a bearer secret, and goes to nobody else.
    pub join_url: Option<Sensitive<String>>,
    pub start_at: Option<String>,
    pub start_local: Option<String>,
    /// The caller's own id of the lead, for the seller's own URL.
    pub external_id: Option<Sensitive<String>>,
    /// When the booking came to this state.
    pub at: Timestamp,
}

impl News {
    /// `None` before the booking rests. `start_local` is for whoever knows how Popin spells times.
    pub fn of(booking: &Booking, start_local: Option<String>) -> Option<Self> {
        if !booking.state.at_rest() {
            return None;
        }
        let reason = match &booking.state {
            State::NeedsHuman { reason, .. } => Some(reason.as_str()),
            State::Refused { reason: RefusedReason::Lead(_), .. } => Some("lead_refused"),
            State::Refused { reason: RefusedReason::SlotTaken(_), .. } => Some("slot_taken"),
            State::Refused { reason: RefusedReason::ResolvedByHuman, .. } => Some("resolved_by_human"),
            State::Requested
            | State::Captured { .. }
            | State::SlotHeld { .. }
            | State::Scheduling { .. }
            | State::InDoubt { .. }
            | State::Scheduled { .. }
            | State::NoSlot { .. } => None,
        };
        Some(Self {
            booking: booking.id.clone(),
            seller: booking.seller.clone(),
            state: booking.state.as_str(),
            scheduled: matches!(booking.state, State::Scheduled { .. }),
            reason,
            join_url: booking.state.customer().and_then(|customer| customer.join_url.clone()),
            start_at: booking.state.held().map(|held| instant::seconds(held.slot.start)),
            start_local,
            external_id: booking.lead.external_id.clone().map(Sensitive::new),
            at: booking.history.last().map_or(booking.created_at, |(at, _)| *at),
        })
    }

    /// Tells one piece of news from the next about the same booking.
    pub fn mark(&self) -> String {
        format!("{}@{}", self.state, instant::millis(self.at))
    }
}
