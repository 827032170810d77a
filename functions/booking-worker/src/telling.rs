//! Tells the ends of bookings: those that came to rest just now, and what the sweep found to be owed still.

use crate::{AT_ONCE, App, Ended, FUNCTION, PUT_OFF, late, side_by_side};
use frontdesk::{
    edge::telemetry::{By, Metrics, booking_span},
    flow::{
        advance_booking::Patience,
        write_back::{Post, write_back},
    },
    model::{
        ids::{BookingId, SellerId},
        seller::{Seller, Sellers},
    },
    store,
};
use futures_util::StreamExt;
use jiff::SignedDuration;
use tracing::Instrument as _;

/// No telling is begun this close to the last step of the worker: it may take five calls.
const TELLING: SignedDuration = SignedDuration::from_secs(30);

/// Whether anybody may have to be told.
pub(crate) fn tells(sellers: &Sellers, ended: &Ended) -> bool {
    sellers.get(ended.0.as_str()).is_some_and(|(_, seller)| seller.tells())
}

/// What fails here is owed still, and found by the next sweep.
pub(crate) async fn tell_all(app: &App, sellers: &Sellers, ended: Vec<Ended>, patience: Patience) {
    let begin_until = patience.begin_until.and_then(|until| until.checked_sub(TELLING).ok());
    let patience = Patience { begin_until, ..patience };
    let lines = ended.into_iter().map(|(seller, id)| (seller.clone(), (seller, id)));
    let mut tellings = Box::pin(side_by_side(
        lines,
        |_| AT_ONCE,
        |(seller, id)| async move {
            if late(app, patience) {
                return;
            }
            let told = async {
                let told = match sellers.get(seller.as_str()) {
                    Some(known) => Box::pin(tell(app, known, &id, patience)).await,
                    None => put_off(app, &seller, &id).await,
                };
                told.unwrap_or_else(|error| tracing::error!(error = %error, "write_back.not_told"));
            };
            told.instrument(booking_span(&id)).await;
        },
    ));
    while tellings.next().await.is_some() {}
}

async fn tell(
    app: &App,
    seller: (&SellerId, &Seller),
    booking: &BookingId,
    patience: Patience,
) -> Result<(), store::Error> {
    let (id, seller) = seller;
    let post = Post {
        clock: &*app.clock,
        random: &app.random,
        transport: &*app.outside,
        tokens: &app.tokens,
        bookings: &app.bookings,
        id,
        seller,
    };
    let told = write_back(&post, booking, patience.begin_until).await?;
    let mut metrics = Metrics::default();
    let counts =
        [("WriteBacksDone", told.done), ("WriteBacksParked", told.parked), ("WriteBacksWaiting", told.waiting)];
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        metrics.count(name, count);
    }
    metrics.emit(FUNCTION, By::Seller(id.as_str()), app.clock.now());
    Ok(())
}

/// Of a seller who left the document: looked at again should they return.
async fn put_off(app: &App, seller: &SellerId, booking: &BookingId) -> Result<(), store::Error> {
    let until = app.clock.now() + PUT_OFF;
    for mut owed in app.bookings.write_backs(seller, booking).await? {
        if owed.due_at.is_some_and(|due| due < until) {
            owed.due_at = Some(until);
            owed.version += 1;
            app.bookings.save_owed(&owed).await?;
        }
    }
    Ok(())
}
