//! One booking, as far as it can go now.

use crate::{App, Ended, FUNCTION, PUT_OFF, sweep::finish};
use frontdesk::{
    edge::booking_view,
    flow::advance_booking::{Advanced, Patience, advance_booking},
    model::{
        booking::Booking,
        ids::{BookingId, SellerId},
        seller::Sellers,
    },
    store::{self, keys},
};

/// What became of a look at a booking.
#[derive(Default)]
pub(crate) struct Advance {
    /// The booking is complete: its result may have to be delivered.
    pub ended: Option<Ended>,
    /// The booking has moved, or got a new due time.
    pub worked: bool,
}

pub(crate) async fn advance(
    app: &App,
    sellers: &Sellers,
    seller: &SellerId,
    id: &BookingId,
    patience: Patience,
) -> Result<Advance, store::Error> {
    let advanced = try_advance(app, sellers, seller, id, patience).await;
    advanced.inspect_err(|error| tracing::error!(error = %error, "booking.not_advanced"))
}

async fn try_advance(
    app: &App,
    sellers: &Sellers,
    seller: &SellerId,
    id: &BookingId,
    patience: Patience,
) -> Result<Advance, store::Error> {
    let now = app.clock.now();
    let key = keys::booking(seller, id);
    let Some((seller_id, seller)) = sellers.get(seller.as_str()) else {
        // A seller who left the document: the booking stays, and is looked at again should they return.
        tracing::warn!(seller = %seller, booking.id = %id, "booking.of_unknown_seller");
        app.bookings.reschedule(&key, now, now + PUT_OFF).await?;
        return Ok(Advance { ended: None, worked: true });
    };
    let desk = app.desk(seller_id, seller);
    let rests = |booking: &Booking| booking.state.at_rest().then(|| (seller_id.clone(), id.clone()));
    match Box::pin(advance_booking(&desk, id, patience)).await? {
        Advanced::Worked { booking, run } => {
            booking_view::tell(&booking, run, FUNCTION, app.clock.now());
            Ok(Advance { ended: rests(&booking), worked: true })
        }
        // Its caller waited, and has carried it to its end.
        Advanced::NotDue(booking) => Ok(Advance { ended: rests(&booking), worked: false }),
        Advanced::Held | Advanced::Missing => Ok(Advance::default()),
        Advanced::Unreadable(what) => {
            finish(app, &key, Some(seller_id), &what).await?;
            Ok(Advance { ended: None, worked: true })
        }
    }
}
