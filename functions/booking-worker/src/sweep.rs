//! The sweep: whatever is due, of every seller, so that nothing of one stands before another's.

use crate::{App, Ended, FUNCTION, bookings::advance, erasures, late, most_at_once, side_by_side, telling, triggers};
use frontdesk::{
    edge::telemetry::{By, Metrics, booking_span},
    flow::advance_booking::Patience,
    model::{
        ids::{BookingId, SellerId},
        seller::Sellers,
    },
    store::{
        self,
        bookings::DueRow,
        keys::{self, Key},
    },
};
use futures_util::{StreamExt, future::join};
use jiff::SignedDuration;
use lambda_runtime::Error;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tracing::Instrument as _;

/// The most that one sweep takes of one seller from one queue. What is beyond it waits, and those behind it do not.
const SHARE: usize = 100;
/// When a row that came to nothing is looked at again.
const LATER: SignedDuration = SignedDuration::from_secs(30);

/// Rows that a sweep took up, and how many of them failed.
#[derive(Default)]
pub(crate) struct Count {
    pub due: usize,
    pub failed: usize,
}

pub(crate) async fn sweep(app: &App, patience: Patience) -> Result<Value, Error> {
    let sellers = &app.sellers.current(FUNCTION, app.clock.now()).await;
    // Beside each other: neither is late because the other took long.
    let bookings = Box::pin(bookings_and_write_backs(app, sellers, patience));
    let (bookings, triggers) = join(bookings, Box::pin(sweep_triggers(app, patience))).await;
    // Last: what is left of the time is theirs.
    let erasures = Box::pin(erasures::sweep(app, sellers, patience)).await;
    let (bookings, triggers, erasures) = (bookings?, triggers?, erasures?);
    Ok(json!({
        "due": bookings.due + triggers.due + erasures.due,
        "failed": bookings.failed + triggers.failed + erasures.failed,
    }))
}

async fn bookings_and_write_backs(app: &App, sellers: &Sellers, patience: Patience) -> Result<Count, store::Error> {
    let id = |key: &Key| keys::parse_booking(&key.pk).filter(|_| key.sk == keys::BOOKING);
    let Gathered { rows, whole } = gather(app, (0..keys::DUE_SHARDS).map(keys::due), id, patience).await;
    let (count, mut ended) = run_bookings(app, sellers, rows, patience).await;
    ended.retain(|ended| telling::tells(sellers, ended));
    let (rows, owing_whole) = if sellers.iter().any(|(_, seller)| seller.tells()) {
        let id = |key: &Key| keys::parse_booking(&key.pk).filter(|_| key.sk.starts_with(keys::TRIGGER));
        let owing = gather(app, (0..keys::DUE_SHARDS).map(keys::owed), id, patience).await;
        (owing.rows, owing.whole)
    } else {
        (Vec::new(), Ok(()))
    };
    telling::tell_all(app, sellers, telling::deliveries(ended, rows), patience).await;
    whole.and(owing_whole).map(|()| count)
}

async fn run_bookings(
    app: &App,
    sellers: &Sellers,
    due: Vec<(Key, (SellerId, BookingId))>,
    patience: Patience,
) -> (Count, Vec<Ended>) {
    let mut runs = Box::pin(side_by_side(
        due.into_iter().map(|(key, (seller, id))| (seller.clone(), (key, seller, id))),
        |seller| most_at_once(sellers, Some(seller)),
        |(key, seller, id)| async move {
            if late(app, patience) {
                return Ok(None);
            }
            let advanced = advance(app, sellers, &seller, &id, patience).instrument(booking_span(&id)).await;
            if !advanced.as_ref().is_ok_and(|advance| advance.worked) {
                reschedule(app, &key).await;
            }
            advanced.map(|advance| advance.ended)
        },
    ));
    let (mut count, mut ended) = (Count::default(), Vec::new());
    while let Some(done) = runs.next().await {
        count.due += 1;
        match done {
            Ok(rests) => ended.extend(rests),
            Err(_) => count.failed += 1,
        }
    }
    (count, ended)
}

async fn sweep_triggers(app: &App, patience: Patience) -> Result<Count, store::Error> {
    let id = |key: &Key| keys::parse_parked(&key.pk, &key.sk);
    let Gathered { rows, whole } = gather(app, [keys::DUE_TRIGGERS.to_owned()], id, patience).await;
    let mut runs = Box::pin(side_by_side(
        rows.into_iter().map(|(key, (seller, id))| (seller.clone(), (key, seller, id))),
        |_| triggers::AT_ONCE,
        |(key, seller, id)| async move {
            if late(app, patience) {
                return true;
            }
            let ran = triggers::run(app, &seller, &id, Some(app.clock.now())).await;
            if !matches!(ran, Ok(true)) {
                reschedule(app, &key).await;
            }
            ran.is_ok()
        },
    ));
    let mut count = Count::default();
    while let Some(done) = runs.next().await {
        count.due += 1;
        count.failed += usize::from(!done);
    }
    whole.map(|()| count)
}

/// What was found due, and whether all of it was.
pub(crate) struct Gathered<T> {
    pub rows: Vec<(Key, (SellerId, T))>,
    pub whole: Result<(), store::Error>,
}

/// What is due in these queues, the longest overdue first, and of each seller no more than a share. Page by page to the
/// end: however much of one seller stands in front, what is behind it is found.
pub(crate) async fn gather<T>(
    app: &App,
    queues: impl IntoIterator<Item = String>,
    parse: impl Fn(&Key) -> Option<(SellerId, T)>,
    patience: Patience,
) -> Gathered<T> {
    let now = app.clock.now();
    let (mut found, mut whole) = (Vec::new(), Ok(()));
    for queue in queues {
        let (mut shares, mut after) = (BTreeMap::<SellerId, usize>::new(), None);
        loop {
            let page = match app.bookings.due_page(&queue, now, after).await {
                Ok(page) => page,
                // What the other queues have is swept all the same.
                Err(error) => {
                    whole = Err(error);
                    break;
                }
            };
            for DueRow { key, due_at } in page.rows {
                let Some((seller, id)) = parse(&key) else {
                    drop(finish(app, &key, None, "its key is none of ours").await);
                    continue;
                };
                let share = shares.entry(seller.clone()).or_default();
                if *share < SHARE {
                    *share += 1;
                    found.push((due_at, (key, (seller, id))));
                }
            }
            after = page.next;
            if after.is_none() || late(app, patience) {
                break;
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Gathered { rows: found.into_iter().map(|(_, row)| row).collect(), whole }
}

/// A row that is due still goes behind those that are due by then; one that somebody else has moved stays where it is.
pub(crate) async fn reschedule(app: &App, key: &Key) {
    let now = app.clock.now();
    // It is the next sweep's as it was this one's: a row that cannot even be moved costs its seller's share alone.
    if let Err(error) = app.bookings.reschedule(key, now, now + LATER).await {
        tracing::warn!(error = %error, "due.not_rescheduled");
    }
}

/// A record that cannot be read is done with: nobody tries again, and a person hears of it.
pub(crate) async fn finish(app: &App, key: &Key, seller: Option<&SellerId>, what: &str) -> Result<(), store::Error> {
    let now = app.clock.now();
    if app.bookings.finish_unreadable(key, now).await? {
        let by = seller.map_or(By::Function, |seller| By::Seller(seller.as_str()));
        tracing::error!(seller = seller.map(SellerId::as_str), error = what, "record.unreadable");
        Metrics::default().count("RecordsUnreadable", 1).emit(FUNCTION, by, now);
    }
    Ok(())
}
