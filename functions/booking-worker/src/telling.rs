//! Tells the ends of bookings: those that came to rest just now, and what the sweep found to be owed still.

use crate::{AT_ONCE, App, Ended, FUNCTION, PUT_OFF, late, side_by_side, sweep::reschedule};
use frontdesk::{
    edge::telemetry::{By, Metrics, booking_span},
    flow::{
        advance_booking::Patience,
        write_back::{Post, Told, write_back},
    },
    model::{
        ids::{BookingId, SellerId},
        seller::{Seller, Sellers},
    },
    store::{self, keys::Key},
};
use futures_util::StreamExt;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use tracing::Instrument as _;

/// No telling is begun this close to the last step of the worker: it may take five calls.
const TELLING: SignedDuration = SignedDuration::from_secs(30);

/// Whether anybody may have to be told.
pub(crate) fn tells(sellers: &Sellers, ended: &Ended) -> bool {
    sellers.get(ended.0.as_str()).is_some_and(|(_, seller)| seller.tells())
}

/// A booking whose result may have to be delivered, and the due rows that asked for it.
pub(crate) struct Delivery {
    ended: Ended,
    rows: Vec<Key>,
}

impl From<Ended> for Delivery {
    fn from(ended: Ended) -> Self {
        Self { ended, rows: Vec::new() }
    }
}

/// Each booking once: first those that completed just now, then those with the oldest pending write-backs.
pub(crate) fn deliveries(ended: Vec<Ended>, owing: Vec<(Key, Ended)>) -> Vec<Delivery> {
    let mut deliveries: Vec<Delivery> = ended.into_iter().map(Delivery::from).collect();
    let mut places: BTreeMap<Ended, usize> =
        deliveries.iter().enumerate().map(|(place, delivery)| (delivery.ended.clone(), place)).collect();
    for (row, ended) in owing {
        let place = *places.entry(ended.clone()).or_insert_with(|| {
            deliveries.push(ended.into());
            deliveries.len() - 1
        });
        deliveries[place].rows.push(row);
    }
    deliveries
}

/// What fails here is owed still, and found by a later sweep.
pub(crate) async fn tell_all(app: &App, sellers: &Sellers, deliveries: Vec<Delivery>, patience: Patience) {
    let begin_until = patience.begin_until.and_then(|until| until.checked_sub(TELLING).ok());
    let patience = Patience { begin_until, ..patience };
    let lines = deliveries.into_iter().map(|delivery| (delivery.ended.0.clone(), delivery));
    let mut tellings = Box::pin(side_by_side(
        lines,
        |_| AT_ONCE,
        |Delivery { ended: (seller, id), rows }| async move {
            if late(app, patience) {
                return;
            }
            let told = async {
                let Some(known) = sellers.get(seller.as_str()) else { return put_off(app, &rows).await };
                let outcome = Box::pin(tell(app, known, &id, patience)).await;
                let outcome = outcome.inspect_err(|error| tracing::error!(error = %error, "write_back.not_told"));
                if outcome.unwrap_or_default() == Told::default() {
                    for row in &rows {
                        reschedule(app, row).await;
                    }
                }
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
) -> Result<Told, store::Error> {
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
    metrics.count("RecordsUnreadable", told.unreadable);
    metrics.emit(FUNCTION, By::Seller(id.as_str()), app.clock.now());
    Ok(told)
}

/// Of a seller who left the document: looked at again should they return.
async fn put_off(app: &App, rows: &[Key]) {
    let now = app.clock.now();
    for row in rows {
        if let Err(error) = app.bookings.reschedule(row, now, now + PUT_OFF).await {
            tracing::error!(error = %error, "write_back.not_told");
        }
    }
}
