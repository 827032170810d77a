//! A person settles what nobody else can know.

use super::Desk;
use crate::{
    model::{
        booking::Booking,
        ids::BookingId,
        state::{Outcome, Resolution, State},
    },
    store::{self, bookings::Saved},
};

#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("there is no such booking")]
    Missing,
    #[error("the booking is settled")]
    AlreadySettled,
    /// It is on its way, and needs nobody yet.
    #[error("the booking does not wait for a person")]
    StillRunning,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The booking after the decision. One that is to go on is due at once.
pub async fn resolve_booking(desk: &Desk<'_>, id: &BookingId, resolution: Resolution) -> Result<Booking, ResolveError> {
    let now = desk.clock.now();
    let writer = desk.random.id(now);
    loop {
        let booking = desk.bookings.get(desk.id, id).await?.filter(|booking| !booking.has_lapsed(now));
        let booking = booking.ok_or(ResolveError::Missing)?;
        match &booking.state {
            State::NeedsHuman { .. } => {}
            State::Scheduled { .. } | State::NoSlot { .. } | State::Refused { .. } => {
                return Err(ResolveError::AlreadySettled);
            }
            State::Requested
            | State::Captured { .. }
            | State::SlotHeld { .. }
            | State::Scheduling { .. }
            | State::InDoubt { .. } => {
                return Err(ResolveError::StillRunning);
            }
        }
        let Ok(mut next) = booking.after(Outcome::Resolved(resolution), now) else {
            return Err(ResolveError::StillRunning);
        };
        next.version += 1;
        next.lease = None;
        next.due_at = if next.state.at_rest() { None } else { Some(now) };
        match desk.bookings.save(&booking, &next, &writer, now).await? {
            Saved::Done => return Ok(next),
            Saved::Conflict | Saved::ClaimTaken => {}
        }
    }
}
