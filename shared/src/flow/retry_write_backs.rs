//! A person has mended what kept an end from being told: what was given up is owed again.

use super::Clock;
use crate::{
    model::{
        ids::{BookingId, SellerId},
        write_back::{Progress, WriteBack},
    },
    store::{self, Bookings, bookings::Saved},
};

/// All that the booking's triggers are owed, with what was parked due at once; `None` where nothing was. Calls of the
/// same news that were done are not made again.
pub async fn retry_write_backs(
    clock: &dyn Clock,
    bookings: &Bookings,
    seller: &SellerId,
    booking: &BookingId,
) -> Result<Option<Vec<WriteBack>>, store::Error> {
    let mut owed = bookings.write_backs(seller, booking).await?.readable;
    let (mut any, mut overtaken) = (false, false);
    for parked in owed.iter_mut().filter(|owed| owed.progress == Progress::Parked) {
        any = true;
        parked.progress = Progress::Pending;
        parked.attempts = 0;
        parked.due_at = Some(clock.now());
        parked.version += 1;
        // Whoever wrote meanwhile has made it owed again already, or has told it.
        overtaken |= bookings.save_owed(parked).await? == Saved::Conflict;
    }
    if overtaken {
        owed = bookings.write_backs(seller, booking).await?.readable;
    }
    Ok(any.then_some(owed))
}
