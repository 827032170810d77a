//! The booking worker: new bookings and Popin's witness by stream, whatever was left behind by a sweep, and ends told.

mod bookings;
pub mod config;
mod erasures;
mod sweep;
mod telling;
mod triggers;

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use bookings::advance;
use config::Config;
use frontdesk::{
    edge::{
        aws::{self, SdkConfig},
        clock::{SystemClock, deadline},
        http::HttpClients,
        sellers::Source,
        telemetry::{By, Invocation, Metrics, booking_span, trigger_span},
        timed::Timed,
    },
    flow::{
        Clock, Desk, Random,
        access::Tokens,
        advance_booking::Patience,
        witness::{Witnessed, witness},
    },
    model::{
        ids::{BookingId, SellerId},
        seller::{Seller, Sellers},
        trust::Trust,
    },
    popin::Transport,
    store::{self, Bookings, Events, Slots, keys},
};
use futures_util::{Stream, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use serde::Deserialize;
use serde_dynamo::Item;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};
use tracing::{Instrument as _, Span};

/// The function's name in logs, metrics and `User-Agent`.
pub const FUNCTION: &str = "booking-worker";
/// Lines worked on at once, a line a seller; and the records of one line that need nobody's Popin.
const AT_ONCE: usize = 8;
/// No step is begun this close to Lambda's end.
const RESERVE: SignedDuration = SignedDuration::from_secs(10);
/// When what is of a seller who is not in the document is looked at again.
const PUT_OFF: SignedDuration = SignedDuration::from_hours(1);

/// What an invocation works with.
pub struct App {
    pub sellers: Source,
    /// To note which of them Popin and we agree on, and to erase a person's.
    pub events: Events,
    pub bookings: Bookings,
    pub slots: Slots,
    pub transport: Arc<dyn Transport>,
    /// The way to what sellers name: their CRMs and their own URLs.
    pub outside: Arc<dyn Transport>,
    pub tokens: Tokens,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<Random>,
}

impl App {
    /// Everything that takes time is done here, where Lambda lends the whole CPU.
    pub async fn connect(config: Config, http: &HttpClients, aws: &SdkConfig) -> Result<Self, Error> {
        let sellers = Source::open(&config.basics, aws).await?;
        let client = aws::dynamodb(aws);
        let slots = Slots { client: client.clone(), table: config.slots_table };
        let events = Events::new(client.clone(), config.events_table);
        let bookings = Bookings { client, table: config.bookings_table, slots: slots.clone() };
        store::may_start(bookings.warm().await)?;
        Ok(Self {
            outside: Timed::crm(http.transport(config.basics.reach)?),
            transport: Timed::popin(http.transport(config.basics.reach)?),
            tokens: Tokens::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(Random::from_entropy()),
            sellers,
            events,
            bookings,
            slots,
        })
    }

    fn desk<'a>(&'a self, id: &'a SellerId, seller: &'a Seller) -> Desk<'a> {
        Desk {
            clock: &*self.clock,
            random: &self.random,
            transport: &*self.transport,
            bookings: &self.bookings,
            slots: &self.slots,
            events: &self.events,
            id,
            seller,
        }
    }
}

/// A batch of a stream has `Records`; anything else is a tick of the schedule.
pub async fn handle(app: &App, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let LambdaEvent { payload, context } = event;
    Invocation::of_event(FUNCTION, &context).run(taken(app, payload, deadline(context.deadline))).await
}

async fn taken(app: &App, event: Value, deadline: Timestamp) -> Result<Value, Error> {
    let patience = Patience { begin_until: deadline.checked_sub(RESERVE).ok(), ends: Some(deadline), urgent: false };
    if event.get("Records").is_none() {
        return sweep::sweep(app, patience).await;
    }
    // What serde says of it may repeat a value of the record.
    let batch: Event = serde_json::from_value(event).map_err(|_| "the batch is not of a table's stream")?;
    let sellers = app.sellers.current(FUNCTION, app.clock.now()).await;
    let (patience, sellers) = (&patience, &sellers);
    let records = batch.records.into_iter().map(|record| (line_of(&record), record));
    // Side by side: one seller's silent Popin must not hold up another's booking.
    let done: Vec<_> = side_by_side(
        records,
        |line| most_at_once(sellers, line.as_ref()),
        |record| async move {
            let done = if late(app, *patience) {
                Err(NotNow)
            } else {
                Box::pin(take_record(app, sellers, &record, *patience)).instrument(span_of(&record)).await
            };
            match done {
                Ok(rests) => (None, rests),
                // It has a due time, and the sweep keeps it: no record of one seller holds up another's behind it.
                Err(NotNow) if is_queued(&record) => (None, None),
                Err(NotNow) => (record.change.sequence_number, None),
            }
        },
    )
    .collect()
    .await;
    let (mut failures, mut ended) = (Vec::new(), Vec::new());
    for (failed, rests) in done {
        failures.extend(failed.map(|number| json!({"itemIdentifier": number})));
        ended.extend(rests);
    }
    // No record comes again for what is not told: the sweep finds it.
    ended.retain(|ended| telling::tells(sellers, ended));
    telling::tell_all(app, sellers, ended.into_iter().map(Into::into).collect(), *patience).await;
    Ok(json!({"batchItemFailures": failures}))
}

/// Names the booking or the trigger of a record in its log lines.
fn span_of(record: &EventRecord) -> Span {
    let (pk, sk) = (text(&record.change.keys, "pk"), text(&record.change.keys, "sk"));
    let (pk, sk) = (pk.unwrap_or_default(), sk.unwrap_or_default());
    if let Some((_, id)) = keys::parse_parked(&pk, &sk).filter(|_| triggers::waits(record)) {
        return trigger_span(&id);
    }
    let booking = keys::parse_booking(&pk).filter(|_| sk == keys::BOOKING);
    booking.map_or_else(Span::current, |(_, id)| booking_span(&id))
}

/// Whether the sweep finds what the record is about: a booking, or a trigger that waits for its CRM.
fn is_queued(record: &EventRecord) -> bool {
    triggers::waits(record) || text(&record.change.keys, "sk").is_some_and(|sk| sk == keys::BOOKING)
}

/// The seller whose Popin a record's booking needs; a witness needs nobody's.
fn line_of(record: &EventRecord) -> Option<SellerId> {
    if text(&record.change.keys, "sk")? != keys::BOOKING {
        return None;
    }
    Some(keys::parse_booking(&text(&record.change.keys, "pk")?)?.0)
}

fn text(item: &Item, name: &str) -> Option<String> {
    serde_dynamo::from_attribute_value(item.get(name)?.clone()).ok()
}

/// Whoever stands in the same line waits here, and not before a full gate.
fn most_at_once(sellers: &Sellers, line: Option<&SellerId>) -> usize {
    let rules = line.and_then(|seller| sellers.get(seller.as_str())).map(|(_, seller)| &seller.booking);
    rules.map_or(AT_ONCE, |rules| usize::try_from(rules.max_at_once).unwrap_or(AT_ONCE))
}

/// Runs what stands in different lines at once, and so many of each line.
fn side_by_side<'a, L, T, F, Fut>(
    work: impl IntoIterator<Item = (L, T)>,
    most: impl Fn(&L) -> usize,
    run: F,
) -> impl Stream<Item = Fut::Output> + 'a
where
    L: Ord,
    T: 'a,
    F: Fn(T) -> Fut + Copy + 'a,
    Fut: Future + 'a,
{
    let mut lines: BTreeMap<L, Vec<T>> = BTreeMap::new();
    for (line, item) in work {
        lines.entry(line).or_default().push(item);
    }
    let mut lines: Vec<_> = lines.into_iter().map(|(line, items)| (most(&line), items)).collect();
    // The short ones first: a long one keeps nobody waiting but itself.
    lines.sort_by_key(|(_, items)| items.len());
    stream::iter(lines)
        .map(move |(most, items)| Box::pin(stream::iter(items).map(run).buffer_unordered(most)))
        .flatten_unordered(AT_ONCE)
}

fn late(app: &App, patience: Patience) -> bool {
    patience.begin_until.is_some_and(|until| app.clock.now() >= until)
}

/// The record must come again.
struct NotNow;

/// A booking that rests.
type Ended = (SellerId, BookingId);

async fn take_record(
    app: &App,
    sellers: &Sellers,
    record: &EventRecord,
    patience: Patience,
) -> Result<Option<Ended>, NotNow> {
    let (Some(pk), Some(sk)) = (text(&record.change.keys, "pk"), text(&record.change.keys, "sk")) else {
        return Ok(None);
    };
    if let Some((seller, id)) = keys::parse_parked(&pk, &sk).filter(|_| triggers::waits(record)) {
        return Box::pin(triggers::run(app, &seller, &id, None)).await.map(|_| None).map_err(|_| NotNow);
    }
    let done = if sk == keys::BOOKING {
        match keys::parse_booking(&pk) {
            Some((seller, id)) => {
                let advanced = advance(app, sellers, &seller, &id, patience).await;
                return advanced.map(|advance| advance.ended).map_err(|_| NotNow);
            }
            None => Ok(None),
        }
    } else {
        match keys::parse_event_seller(&pk) {
            Some(seller) => take_witness(app, sellers, &seller, keys::Key { pk, sk }, record).await,
            None => Ok(None),
        }
    };
    done.map_err(|error| {
        tracing::error!(error = %error, "record.not_taken");
        NotNow
    })
}

/// As much of a stored event as a witness needs.
#[derive(Deserialize)]
struct Seen {
    trust: String,
    data: String,
}

/// Settles or marks the booking first and notes it at the event then: a record that comes again in between finds the
/// booking witnessed, and the event is noted all the same.
async fn take_witness(
    app: &App,
    sellers: &Sellers,
    id: &SellerId,
    event: keys::Key,
    record: &EventRecord,
) -> Result<Option<Ended>, store::Error> {
    let seen: Option<Seen> = serde_dynamo::from_item(record.change.new_image.clone()).ok();
    let known = sellers
        .get(id.as_str())
        .zip(seen)
        .and_then(|(seller, seen)| Some((seller, Trust::parse(&seen.trust)?, seen.data)));
    let Some((seller, trust, data)) = known else { return Ok(None) };
    let now = app.clock.now();
    let witnessed = witness(&app.bookings, seller, trust, &data, &app.random.id(now), now).await?;
    let mut metrics = Metrics::default();
    match &witnessed {
        Witnessed::Settled(booking) => {
            metrics.count("BookingsWitnessed", 1).count("BookingsScheduled", 1);
            tracing::info!(seller = %id, booking.id = %booking, "booking.settled_by_witness");
        }
        Witnessed::Seen(booking) => {
            metrics.count("BookingsWitnessed", 1);
            tracing::info!(seller = %id, booking.id = %booking, "booking.seen_by_both");
        }
        Witnessed::Contradicted(booking) => {
            metrics.count("BookingsNeedingHuman", 1);
            tracing::warn!(seller = %id, booking.id = %booking, "booking.contradicted_by_webhook");
        }
        Witnessed::Before(_) | Witnessed::Nobody => {}
    }
    metrics.emit(FUNCTION, By::Seller(id.as_str()), now);
    match witnessed {
        Witnessed::Settled(booking) => app.events.confirm(event).await.map(|_| Some((id.clone(), booking))),
        Witnessed::Seen(_) | Witnessed::Before(_) => app.events.confirm(event).await.map(|_| None),
        Witnessed::Contradicted(booking) => Ok(Some((id.clone(), booking))),
        Witnessed::Nobody => Ok(None),
    }
}
