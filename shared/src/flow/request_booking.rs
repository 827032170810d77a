//! Takes a CRM's "call this lead": one booking for one key, whatever the caller's network does.

mod forgotten_person;
mod limits;
mod reading;
mod triggers;

pub use self::triggers::{Delivery, Taken, booked_since, run_parked, take_trigger};

use self::forgotten_person::lift_tombstones;
use super::{
    Desk,
    advance_booking::{Advanced, Patience, Run, advance_booking, work},
};
use crate::{
    crm::{Unusable, back},
    model::{
        booking::{Booking, Lease},
        ids::BookingId,
        lead::{CallRequest, Lead},
        origin::Origin,
        people::Identifier,
        state::State,
        trust::{Action, NotProven, Trust},
        write_back::Owed,
    },
    store::{
        self,
        requests::{Created, Idempotency, Known, Window},
    },
};
use jiff::Timestamp;

/// A trigger, proven and read.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// `bookings`, or the CRM's connector.
    pub connector: &'static str,
    /// How far the caller is proven.
    pub trust: Trust,
    /// The caller's key, or the best that the CRM's event has.
    pub key: String,
    /// Of what was asked for, in one spelling; stored under the seller's secret only.
    pub fingerprint: String,
    /// Whether the same can come again at any time: then its key is kept without end.
    pub replayable: bool,
    /// Where in the CRM it came from; `None` where nothing can be written back to.
    pub origin: Option<Origin>,
    /// What is unusable today may be the repetition of what was usable, and accepted, yesterday.
    pub wanted: Result<(Lead, CallRequest), Vec<Unusable>>,
}

#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    NotProven(#[from] NotProven),
    #[error("the key was used for another request")]
    KeyReused,
    #[error("the first request with this key is still running")]
    StillRunning,
    /// The person asked to be forgotten, and the booking with them.
    #[error("the booking was erased")]
    Erased,
    #[error("the request cannot be used")]
    Unusable(Vec<Unusable>),
    #[error(transparent)]
    Store(#[from] store::Error),
}

#[derive(Debug)]
pub struct Requested {
    pub booking: Booking,
    /// False when the key had made this booking before.
    pub new: bool,
    /// The same person had asked with another key, a moment before: this is that booking.
    pub joined: bool,
    /// The key was known: a copy of a request that had been taken before.
    pub again: bool,
    /// What was done to the booking for this request, if anything was.
    pub run: Option<Run>,
}

/// Durable when it returns. For a caller that waits, the booking is worked on until it rests or the wait is over.
pub async fn request_booking(
    desk: &Desk<'_>,
    trigger: Trigger,
    wait: Option<Patience>,
) -> Result<Requested, RequestError> {
    Action::Book.require(trigger.trust)?;
    let now = desk.clock.now();
    let owed = Owed {
        connector: trigger.connector.to_owned(),
        destinations: back::destinations(desk.seller, trigger.connector, trigger.origin.as_ref()),
        origin: trigger.origin.clone(),
    };
    let mut idempotencies = desk.seller.secrets().map(|secret| Idempotency {
        owed: owed.clone(),
        endless: trigger.replayable,
        ..Idempotency::sealed(secret, trigger.connector, &trigger.key, &trigger.fingerprint)
    });
    let idempotency = idempotencies.next().expect("a seller has a secret");
    for former in idempotencies {
        if let Some(known) = desk.bookings.known(desk.id, &former, now).await? {
            return existing(desk, known, wait).await;
        }
    }
    let (lead, call) = match trigger.wanted {
        Ok(wanted) => wanted,
        Err(problems) => {
            return match desk.bookings.known(desk.id, &idempotency, now).await? {
                Some(known) => existing(desk, known, wait).await,
                None => Err(RequestError::Unusable(problems)),
            };
        }
    };
    let owner = desk.random.id(now);
    // A caller that waits holds the lease from the start, so that the stream's worker does not get in between.
    let lease = wait.map(|_| Lease { owner: owner.clone(), until: now + desk.seller.booking.lease });
    let booking = booking(desk, (trigger.connector, trigger.origin), (lead, call), lease, now);
    let mut window = Window { length: desk.seller.booking.join_window, instead_of: None };
    loop {
        match desk.bookings.create(&booking, &idempotency, &window, &owner).await? {
            Created::New => {
                lift_tombstones(desk, &booking).await;
                let (booking, run) = match wait {
                    Some(patience) => Box::pin(work(desk, booking, &owner, patience)).await?,
                    None => (booking, Run::WROTE),
                };
                // To be requested is a state, too.
                let brought = run.brought || matches!(booking.state, State::Requested);
                let run = Run { brought, ..run };
                return Ok(Requested { booking, new: true, joined: false, again: false, run: Some(run) });
            }
            Created::Existing(known) => return existing(desk, known, wait).await,
            Created::Recent(first) => match desk.bookings.get(desk.id, &first).await? {
                Some(booking) if may_be_joined(&booking.state) => {
                    let known = desk.bookings.join(desk.id, &idempotency, &first, now).await?;
                    let again = known.is_some();
                    let joins = Known { booking: first, same_request: true, joined: true };
                    let requested = existing(desk, known.unwrap_or(joins), wait).await?;
                    return Ok(Requested { again, ..requested });
                }
                // It ended with nothing, or is gone: this one takes its place.
                Some(_) | None => window.instead_of = Some(first),
            },
        }
    }
}

/// A booking that ended with no call is none to join: who asks again is to be served.
fn may_be_joined(state: &State) -> bool {
    match state {
        State::Requested
        | State::Captured { .. }
        | State::SlotHeld { .. }
        | State::Scheduling { .. }
        | State::InDoubt { .. }
        | State::Scheduled { .. }
        | State::NeedsHuman { .. } => true,
        State::NoSlot { .. } | State::Refused { .. } => false,
    }
}

fn booking(
    desk: &Desk<'_>,
    asked_by: (&str, Option<Origin>),
    wanted: (Lead, CallRequest),
    lease: Option<Lease>,
    now: Timestamp,
) -> Booking {
    let (connector, origin) = asked_by;
    let (lead, call) = wanted;
    let person = desk.seller.person(lead.mobile.e164().expose());
    let email = lead.email.as_ref().and_then(|email| Identifier::email(email.expose()));
    let email_person = email.map(|email| desk.seller.person(email.value()));
    Booking {
        id: BookingId::parse(desk.random.id(now)).expect("a UUID is a booking id"),
        seller: desk.id.clone(),
        lead,
        call,
        connector: connector.to_owned(),
        origin,
        person,
        email_person,
        created_at: now,
        state: State::Requested,
        version: 1,
        due_at: Some(lease.as_ref().map_or(now, |lease| lease.until)),
        lease,
        attempts: 0,
        asks: 0,
        failures: 0,
        failing_since: None,
        paused_until: None,
        refused_slots: Vec::new(),
        witnessed_at: None,
        said: Vec::new(),
        history: vec![(now, State::Requested.as_str().to_owned())],
    }
}

/// The booking of a key that is known.
async fn existing(desk: &Desk<'_>, known: Known, wait: Option<Patience>) -> Result<Requested, RequestError> {
    if !known.same_request {
        return Err(RequestError::KeyReused);
    }
    let (id, joined) = (&known.booking, known.joined);
    if let Some(patience) = wait {
        match Box::pin(advance_booking(desk, id, patience)).await? {
            Advanced::Worked { booking, run } => {
                return Ok(Requested { booking: *booking, new: false, joined, again: true, run: Some(run) });
            }
            Advanced::NotDue(booking) => {
                return Ok(Requested { booking: *booking, new: false, joined, again: true, run: None });
            }
            // Whoever joins is told of the booking as it stands: its first caller is served by the one who is at it.
            Advanced::Held if joined => {}
            Advanced::Held => return Err(RequestError::StillRunning),
            Advanced::Missing => return Err(RequestError::Erased),
            // The look at it below says so.
            Advanced::Unreadable(_) => {}
        }
    }
    let booking = desk.bookings.get(desk.id, id).await?.ok_or(RequestError::Erased)?;
    Ok(Requested { booking, new: false, joined, again: true, run: None })
}
