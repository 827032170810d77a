//! The slot cache: on every tick of the schedule, refreshes what is due, each seller by itself.

pub mod config;

use config::Config;
use frontdesk::{
    edge::{
        aws::{self, SdkConfig},
        clock::{self, SystemClock, deadline},
        http::HttpClients,
        sellers::Source,
        telemetry::{By, Invocation, Metrics},
        timed::Timed,
        vendor_clock::VendorClock,
    },
    flow::{
        Clock, Random,
        refresh_slots::{Refreshed, needs_person, refresh_slots},
    },
    model::{ids::SellerId, seller::Seller},
    popin::Transport,
    store::{self, Slots},
};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use serde_json::{Value, json};
use std::sync::Arc;

/// The function's name in logs, metrics and `User-Agent`.
pub const FUNCTION: &str = "slot-cache";
/// Sellers asked at once.
const AT_ONCE: usize = 16;

/// What an invocation works with.
pub struct App {
    pub sellers: Source,
    pub slots: Slots,
    pub transport: Arc<dyn Transport>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<Random>,
}

impl App {
    /// Everything that takes time is done here, where Lambda lends the whole CPU.
    pub async fn connect(config: Config, http: &HttpClients, aws: &SdkConfig) -> Result<Self, Error> {
        let sellers = Source::open(&config.basics, aws).await?;
        let slots = Slots { client: aws::dynamodb(aws), table: config.slots_table };
        store::may_start(slots.warm_turn().await)?;
        let random = Arc::new(Random::from_entropy());
        Ok(Self {
            sellers,
            slots,
            transport: Timed::popin(http.transport(config.basics.reach)?),
            clock: Arc::new(SystemClock),
            random,
        })
    }
}

/// The event is a tick, whatever it says. Answers with a count per outcome; one seller's failure is its own.
pub async fn handle(app: &App, tick: LambdaEvent<Value>) -> Result<Value, Error> {
    let ends = deadline(tick.context.deadline);
    Invocation::of_event(FUNCTION, &tick.context).run(refresh_all(app, ends)).await
}

async fn refresh_all(app: &App, deadline: Timestamp) -> Result<Value, Error> {
    let sellers = app.sellers.current(FUNCTION, app.clock.now()).await;
    let all: Vec<_> = sellers.iter().map(|(id, seller)| (id.clone(), seller.clone())).collect();
    let mut runs = stream::iter(all)
        .map(|(id, seller)| async move { refresh(app, &id, &seller, deadline).await })
        .buffer_unordered(AT_ONCE);
    let (mut refreshed, mut not_due, mut failed) = (0, 0, 0);
    while let Some(outcome) = runs.next().await {
        match outcome {
            Some(Refreshed::Done { .. }) => refreshed += 1,
            Some(Refreshed::NotDue) => not_due += 1,
            Some(Refreshed::Failed { .. }) | None => failed += 1,
        }
    }
    Ok(json!({"refreshed": refreshed, "not_due": not_due, "failed": failed}))
}

/// `None` when the store failed, or when there is no time left for a call.
async fn refresh(app: &App, id: &SellerId, seller: &Seller, deadline: Timestamp) -> Option<Refreshed> {
    let now = app.clock.now();
    if deadline.duration_since(now) < seller.popin.timeout + SignedDuration::from_secs(1) {
        tracing::warn!(seller = %id, "slots.no_time_left");
        Metrics::default().count("SlotRefreshesNotMade", 1).emit(FUNCTION, By::Seller(id.as_str()), now);
        return None;
    }
    let popin = VendorClock::new(&*app.transport, &*app.clock);
    let outcome = refresh_slots(&app.slots, &popin, &*app.clock, &app.random, (id, seller)).await;
    let mut metrics = Metrics::default();
    match &outcome {
        Ok(Refreshed::Done { slots, dropped }) => {
            metrics.count("SlotRefreshes", 1).amount("SlotsOffered", *slots).amount("SlotsDropped", *dropped);
            tracing::info!(seller = %id, slots, dropped, "slots.refreshed");
        }
        Ok(Refreshed::NotDue) => {}
        Ok(Refreshed::Failed { code, failures, age }) => {
            metrics.count("SlotRefreshFailures", 1);
            metrics.amount("SlotRefreshFailuresInRow", usize::try_from(*failures).unwrap_or(usize::MAX));
            // Also of a diary that nobody looks at.
            if let Some(age) = age {
                metrics.seconds("SlotAgeSeconds", age.as_secs_f64());
            }
            if needs_person(code) {
                tracing::error!(seller = %id, code, "slots.not_refreshed");
            } else {
                tracing::warn!(seller = %id, code, "slots.not_refreshed");
            }
        }
        Err(error) => {
            // Nobody has written how often by now: they are counted one by one.
            metrics.count("SlotRefreshesNotMade", 1);
            tracing::error!(seller = %id, error = %error, "slots.not_refreshed");
        }
    }
    let ended = app.clock.now();
    if !matches!(outcome, Ok(Refreshed::NotDue)) {
        if let Some(skew) = popin.skew_seconds() {
            metrics.seconds("ClockSkewSeconds", skew);
        }
        if let Some(days) = clock::zones_age_days(ended) {
            metrics.amount("ZoneDataAgeDays", usize::try_from(days).unwrap_or_default());
        }
    }
    metrics.emit(FUNCTION, By::Seller(id.as_str()), ended);
    outcome.ok()
}
