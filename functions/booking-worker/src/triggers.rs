//! Triggers that came with ids only: their CRM is asked for the person, as soon as they are stored and as long as it takes.

use crate::{App, FUNCTION, PUT_OFF, late, side_by_side, text};
use aws_lambda_events::event::dynamodb::EventRecord;
use frontdesk::{
    edge::{
        booking_view,
        telemetry::{By, Metrics, trigger_span},
    },
    flow::{
        Desk,
        advance_booking::Patience,
        request_booking::{RequestError, Taken, run_parked},
    },
    model::ids::{SellerId, TriggerId},
};
use futures_util::StreamExt;
use tracing::Instrument as _;

/// Triggers of one seller that are read at a time: CRMs count our calls.
const AT_ONCE: usize = 4;
/// The most that one sweep takes.
const MOST: i32 = 200;

/// Whatever is due, of every seller.
pub(crate) async fn sweep(app: &App, patience: Patience) -> Result<(usize, usize), RequestError> {
    let due = app.bookings.due_triggers(app.clock.now(), MOST).await?;
    let due = due.into_iter().map(|(seller, id)| (seller.clone(), (seller, id)));
    let mut runs = Box::pin(side_by_side(
        due,
        |_| AT_ONCE,
        |(seller, id)| async move {
            if late(app, patience) {
                return Ok(());
            }
            let ran = async {
                let ran = run(app, &seller, &id).await;
                ran.inspect_err(|error| tracing::error!(error = %error, "trigger.not_run"))
            };
            ran.instrument(trigger_span(&id)).await
        },
    ));
    let (mut looked_at, mut failed) = (0, 0);
    while let Some(done) = runs.next().await {
        looked_at += 1;
        failed += usize::from(done.is_err());
    }
    Ok((looked_at, failed))
}

/// One trigger, if it still waits.
pub(crate) async fn run(app: &App, seller: &SellerId, id: &TriggerId) -> Result<(), RequestError> {
    let now = app.clock.now();
    let Some(mut parked) = app.bookings.parked(seller, id, now).await?.filter(|parked| parked.due_at.is_some()) else {
        return Ok(());
    };
    let sellers = app.sellers.current(now).await;
    let Some((seller_id, seller)) = sellers.get(seller.as_str()) else {
        tracing::warn!(seller = %seller, trigger.id = %id, "trigger.of_unknown_seller");
        parked.due_at = Some(now + PUT_OFF);
        app.bookings.repark(seller, &parked).await?;
        return Ok(());
    };
    let desk = Desk { transport: &*app.outside, ..app.desk(seller_id, seller) };
    let crm = parked.connector.as_str();
    // What crm-intake has counted as pending ends as one of these.
    let mut metrics = Metrics::default();
    match Box::pin(run_parked(&desk, &app.tokens, parked)).await? {
        Taken::Booked(requested) => {
            if let Some(run) = requested.run {
                booking_view::tell(&requested.booking, run, FUNCTION, app.clock.now());
            }
            // Run a second time, when it could not be taken away: it was counted at the first.
            metrics.count("TriggersBooked", usize::from(!requested.again));
            tracing::info!(seller = %seller_id, crm, trigger.id = %id, booking.id = %requested.booking.id, "trigger.read_back");
        }
        Taken::Pending { .. } => tracing::warn!(seller = %seller_id, crm, trigger.id = %id, "trigger.not_read_yet"),
        Taken::Parked { code, .. } => {
            tracing::warn!(seller = %seller_id, crm, trigger.id = %id, code, "trigger.parked");
            metrics.count("TriggersParked", 1);
        }
        Taken::Ignored(code) => {
            tracing::info!(seller = %seller_id, crm, trigger.id = %id, code, "trigger.ignored");
            metrics.count("TriggersIgnored", 1);
        }
        Taken::Erased => {
            tracing::info!(seller = %seller_id, crm, trigger.id = %id, "trigger.erased");
            metrics.count("TriggersDuplicate", 1);
        }
    }
    metrics.emit(FUNCTION, By::Seller(seller_id.as_str()), app.clock.now());
    Ok(())
}

/// Whether a stored record is a trigger that waits for its CRM; an event may stand under any thread.
pub(crate) fn waits(record: &EventRecord) -> bool {
    text(&record.change.new_image, "waits_for").is_some_and(|whom| whom == "crm")
}
