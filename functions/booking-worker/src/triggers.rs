//! Triggers that came with ids only: their CRM is asked for the person, as soon as they are stored and as long as it takes.

use crate::{App, FUNCTION, PUT_OFF, sweep::finish, text};
use aws_lambda_events::event::dynamodb::EventRecord;
use frontdesk::{
    edge::{
        booking_view,
        telemetry::{By, Metrics, trigger_span},
    },
    flow::{
        Desk,
        request_booking::{RequestError, Taken, run_parked},
    },
    model::{
        ids::{SellerId, TriggerId},
        seller::Seller,
        trigger::Parked,
    },
    store::{keys, parked::Acquired},
};
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument as _;

/// Triggers of one seller that are read at a time: CRMs count our calls.
pub(crate) const AT_ONCE: usize = 4;
/// Nobody else asks for a trigger that is being asked for: a log-in and the records of one take no longer.
const HELD: SignedDuration = SignedDuration::from_mins(1);

/// One trigger, if it still waits, and is due by then. False where there was nothing to do.
pub(crate) async fn run(
    app: &App,
    seller: &SellerId,
    id: &TriggerId,
    due_by: Option<Timestamp>,
) -> Result<bool, RequestError> {
    let ran = async {
        let ran = acquire_and_run(app, seller, id, due_by).await;
        ran.inspect_err(|error| tracing::error!(error = %error, "trigger.not_run"))
    };
    ran.instrument(trigger_span(id)).await
}

async fn acquire_and_run(
    app: &App,
    seller: &SellerId,
    id: &TriggerId,
    due_by: Option<Timestamp>,
) -> Result<bool, RequestError> {
    let now = app.clock.now();
    let sellers = app.sellers.current(FUNCTION, now).await;
    let Some(known) = sellers.get(seller.as_str()) else {
        tracing::warn!(seller = %seller, trigger.id = %id, "trigger.of_unknown_seller");
        app.bookings.reschedule(&keys::parked(seller, id), now, now + PUT_OFF).await?;
        return Ok(true);
    };
    match app.bookings.acquire_trigger(seller, id, due_by, now, now + HELD).await? {
        Acquired::Trigger(parked) => Box::pin(ask(app, known, id, *parked)).await.map(|()| true),
        Acquired::NotDue => Ok(false),
        Acquired::Unreadable(what) => {
            finish(app, &keys::parked(seller, id), Some(seller), &what).await?;
            Ok(true)
        }
    }
}

async fn ask(app: &App, seller: (&SellerId, &Seller), id: &TriggerId, parked: Parked) -> Result<(), RequestError> {
    let (seller_id, seller) = seller;
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
