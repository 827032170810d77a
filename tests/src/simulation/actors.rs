//! Who is on the stage: callers, schedules, streams, Popin's webhooks and its bad days, shoppers, and a person in the shop.

use super::{
    SimClock,
    door::{Answer, Ask, Door, Way},
    monitor::Monitor,
    plan::{Plan, Trouble},
    weather::Weather,
};
use crate::{
    poison::{Queue, SELLER, plant},
    shop::{POPIN_KEY, POPIN_TOKEN, page_id},
};
use bytes::Bytes;
use fastrand::Rng;
use frontdesk::flow::Clock;
use futures_util::future::{BoxFuture, join, join_all};
use http::Request;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sim::{DateSpelling, Fault, FaultOrder, Target, WebhookMode};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

pub(super) struct Stage<'a> {
    pub plan: &'a Plan,
    pub clock: Arc<SimClock>,
    pub monitor: Arc<Monitor>,
    pub weather: Arc<Weather>,
    pub door: Door,
}

const FAULTS: [(Fault, &str); 18] = [
    (Fault::Refuse, "popin: refuses, 200 with status 0"),
    (Fault::Unprocessable, "popin: refuses, 422"),
    (Fault::Unauthorized, "popin: 401"),
    (Fault::Hang, "popin: times out before the effect"),
    (Fault::HangAfter, "popin: times out after the effect"),
    (Fault::Error, "popin: 500 before the effect"),
    (Fault::ErrorAfter, "popin: 500 after the effect"),
    (Fault::BadGatewayAfter, "popin: 502 after the effect"),
    (Fault::RateLimited, "popin: 429"),
    (Fault::RateLimitedRetryAfter, "popin: 429 with Retry-After"),
    (Fault::Unavailable, "popin: 503"),
    (Fault::UnavailableRetryAfter, "popin: 503 with Retry-After"),
    (Fault::Html, "popin: done, answers HTML"),
    (Fault::Truncated, "popin: done, answer cut"),
    (Fault::Reset, "popin: done, connection reset"),
    (Fault::StatusText, "popin: PHP's other types"),
    (Fault::Empty, "popin: no slots"),
    (Fault::Slow, "popin: slow"),
];

/// After this long in fair weather nothing may be left to do.
const CALM: Duration = Duration::from_hours(4);

impl Stage<'_> {
    /// All of it at once, until the troubles are over.
    pub(super) async fn play(&self) {
        let mut actors: Vec<BoxFuture<'_, ()>> = vec![
            Box::pin(self.streams()),
            Box::pin(self.schedule("booking-worker", 12)),
            Box::pin(self.schedule("slot-cache", 13)),
            Box::pin(self.webhooks()),
            Box::pin(self.pages()),
        ];
        for number in 0..self.plan.requests {
            actors.push(Box::pin(self.caller(number)));
        }
        let plan = self.plan;
        if plan.has(Trouble::Popin) {
            actors.push(Box::pin(self.popins_moods()));
        }
        if plan.has(Trouble::Database) {
            actors.push(Box::pin(self.databases_moods()));
        }
        if plan.has(Trouble::Clock) {
            actors.push(Box::pin(self.clock_steps()));
        }
        if plan.has(Trouble::Person) {
            actors.push(Box::pin(self.person()));
        }
        if plan.has(Trouble::Forgers) {
            actors.push(Box::pin(self.forgers()));
        }
        if plan.has(Trouble::Shoppers) {
            actors.push(Box::pin(self.shoppers()));
        }
        if plan.has(Trouble::Poison) {
            actors.push(Box::pin(self.poisoner()));
        }
        join_all(actors).await;
    }

    /// Fair weather, until every booking is at rest.
    pub(super) async fn calm_down(&self) {
        self.weather.calm();
        let world = &self.door.world;
        world.sim.clear_faults();
        world.sim.release();
        for ask in self.monitor.asked() {
            self.last_word(&ask).await;
        }
        let until = self.clock.passed() + CALM;
        loop {
            world.pump().await;
            drop(world.tick("slot-cache").await);
            drop(world.tick("booking-worker").await);
            if self.clock.passed() > until {
                self.monitor.violated("a booking never came to rest");
            }
            let quiet =
                world.sim.outbox_len() == 0 && self.monitor.all_at_rest() && !self.owes() && !self.is_poisoned();
            if quiet || self.monitor.is_violated() {
                return;
            }
            sleep(Duration::from_secs(20)).await;
            world.deliver_webhooks().await;
        }
    }

    /// Somebody has to be told still.
    fn owes(&self) -> bool {
        let items = self.door.world.items("bookings");
        items
            .iter()
            .any(|item| item["sk"].as_str().is_some_and(|sk| sk.starts_with("trigger#")) && item.get("due").is_some())
    }

    /// A row that nobody can read is in a queue still.
    fn is_poisoned(&self) -> bool {
        let items = self.door.world.items("bookings");
        items
            .iter()
            .any(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with(SELLER)) && item.get("due").is_some())
    }

    /// In fair weather every request is taken, however its caller fared before.
    async fn last_word(&self, ask: &Ask) {
        // As long as a lease, and as a clock that was set back makes it.
        for _ in 0..60 {
            let answer = self.ask(ask).await;
            if !answer.body["id"].is_null() || !answer.body["booking_id"].is_null() {
                return;
            }
            // A worker that died holds the booking until its lease ends.
            if answer.body["code"] != "still_running" {
                return self.monitor.violated(format!("{} is not taken: {}", ask.key, answer.body["code"]));
            }
            sleep(Duration::from_secs(20)).await;
        }
        self.monitor.violated(format!("{} is never taken", ask.key));
    }

    fn goes_on(&self) -> bool {
        self.clock.passed() < self.plan.chaos && !self.monitor.is_violated()
    }

    /// A caller who repeats itself, as CRMs do, until it has an answer.
    async fn caller(&self, number: usize) {
        let mut rng = self.plan.rng(100 + number as u64);
        let most = u64::try_from(self.plan.chaos.as_millis()).unwrap_or(u64::MAX) * 3 / 5;
        sleep(Duration::from_millis(rng.u64(0..most))).await;
        let ask = self.draw_ask(number, &mut rng);
        self.monitor.asks(&ask);
        for _ in 0..rng.usize(3..7) {
            let twice = rng.u8(0..6) == 0;
            let answer = if twice {
                let (one, other) = join(self.ask(&ask), self.ask(&ask)).await;
                if one.status < 400 { one } else { other }
            } else {
                self.ask(&ask).await
            };
            if rng.u8(0..8) == 0 {
                self.misuse_key(&ask).await;
            }
            let done = answer.status < 500 && answer.status != 409 && answer.status != 429;
            if done && rng.u8(0..3) > 0 || !self.goes_on() {
                return;
            }
            sleep(Duration::from_millis(rng.u64(200..60_000))).await;
        }
    }

    /// A key is for one request: with another body it is refused, or unknown still, and never taken for the first.
    async fn misuse_key(&self, ask: &Ask) {
        let mut other = ask.clone();
        other.body["lead"]["mobile"] = json!("9000099999");
        if self.monitor.has_promised(&ask.key) {
            let answer = self.door.ask(&other, self.clock.now().as_second()).await;
            if answer.status < 400 {
                self.monitor.violated(format!("{} was taken with another body", ask.key));
            }
        }
    }

    fn draw_ask(&self, number: usize, rng: &mut Rng) -> Ask {
        let person = 1 + rng.u32(0..self.plan.people);
        let mut call = json!({});
        if rng.u8(0..4) == 0 {
            call["start_at"] = json!(format!("2026-11-23T{:02}:00:00Z", rng.u8(5..9)));
            call["if_taken"] = json!(if rng.bool() { "refuse" } else { "next" });
        }
        let body = json!({"lead": {"name": "Asha Example", "mobile": format!("90000{person:05}")}, "call": call, "native": false, "url": format!("https://shop.example.com/call?r={number}")});
        let way = match rng.u8(0..4) {
            0 | 1 => Way::Waits(rng.u32(1..15)),
            2 => Way::Api,
            _ => Way::Crm,
        };
        Ask { number, key: format!("key-{number}"), body, way }
    }

    async fn ask(&self, ask: &Ask) -> Answer {
        let answer = self.door.ask(ask, self.clock.now().as_second()).await;
        self.monitor.answered(ask, &answer);
        answer
    }

    async fn streams(&self) {
        let mut rng = self.plan.rng(11);
        while self.goes_on() {
            // Nobody reads streams on which nothing is; not to be woken is no reason to sleep for ever.
            drop(timeout(Duration::from_secs(20), self.door.world.db.written()).await);
            let late = self.plan.has(Trouble::Streams) && rng.u8(0..15) == 0;
            sleep(Duration::from_millis(if late { rng.u64(5_000..90_000) } else { rng.u64(20..1500) })).await;
            if late {
                self.monitor.fault("stream: late");
            }
            self.door.world.pump().await;
        }
    }

    async fn schedule(&self, function: &str, who: u64) {
        let mut rng = self.plan.rng(who);
        while self.goes_on() {
            sleep(Duration::from_secs(if self.plan.has(Trouble::Schedules) { rng.u64(20..140) } else { 60 })).await;
            let tick = || self.door.world.functions.event(function, json!({}));
            // A tick may fail or die: the next one comes.
            if self.plan.has(Trouble::Schedules) && rng.u8(0..4) == 0 {
                self.monitor.fault("schedule: fired twice");
                drop(join(tick(), tick()).await);
            } else {
                drop(tick().await);
            }
        }
    }

    async fn webhooks(&self) {
        let mut rng = self.plan.rng(14);
        while self.goes_on() {
            if self.plan.has(Trouble::Webhooks) && rng.u8(0..20) == 0 {
                let mode = WebhookMode {
                    on: rng.u8(0..4) > 0,
                    version: rng.u8(1..3),
                    delay_ms: [0, 300, 20_000, 120_000][rng.usize(0..4)],
                    copies: rng.u32(1..3),
                    date_spelling: if rng.bool() { DateSpelling::Named } else { DateSpelling::Numeric },
                    wrong_slot: self.plan.has(Trouble::WrongSlots) && rng.bool(),
                };
                self.monitor.fault(match &mode {
                    WebhookMode { on: false, .. } => "webhooks: never",
                    WebhookMode { wrong_slot: true, .. } => "webhooks: wrong slot",
                    WebhookMode { delay_ms: 20_000.., .. } => "webhooks: late",
                    WebhookMode { copies: 2, .. } => "webhooks: twice",
                    WebhookMode { delay_ms: 0, .. } => "webhooks: before the reply",
                    _ => "webhooks: the other version",
                });
                self.door.world.sim.set_webhooks(mode);
            }
            self.door.world.deliver_webhooks().await;
            sleep(Duration::from_millis(rng.u64(50..4000))).await;
        }
    }

    /// A page's events: told again until they are taken, and sometimes once more.
    async fn pages(&self) {
        let mut rng = self.plan.rng(15);
        for number in 0..4 {
            sleep(Duration::from_millis(rng.u64(0..60_000))).await;
            let (id, uid) = (page_id(number), format!("uid-{number}"));
            for _ in 0..4 {
                let answer = self.door.collect(&id, &uid).await;
                let counted = |how: &str| answer.body[how].as_u64().unwrap_or(0);
                if answer.status == 202 && counted("accepted") + counted("duplicate") == 1 {
                    self.monitor.took(&id);
                    if rng.bool() {
                        break;
                    }
                }
                sleep(Duration::from_millis(rng.u64(100..20_000))).await;
            }
        }
    }

    async fn popins_moods(&self) {
        let mut rng = self.plan.rng(16);
        while self.goes_on() {
            sleep(Duration::from_millis(rng.u64(1000..60_000))).await;
            match rng.u8(0..10) {
                0..=5 => {
                    let (fault, name) = FAULTS[rng.usize(0..FAULTS.len())];
                    let target = [Target::Any, Target::Capture, Target::Schedule, Target::Schedule, Target::Slots]
                        [rng.usize(0..5)];
                    self.monitor.fault(name);
                    let order =
                        FaultOrder { times: rng.u32(1..4), after: rng.u32(0..2), ..FaultOrder::new(target, fault) };
                    self.door.world.sim.add_fault(order);
                }
                6 => {
                    self.weather.cut_popin_off(rng.u8(0..9));
                }
                7 => {
                    self.monitor.fault("popin: down for minutes");
                    let fault = [Fault::Unavailable, Fault::Hang, Fault::HangAfter][rng.usize(0..3)];
                    self.door.world.sim.add_fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Any, fault) });
                    sleep(Duration::from_secs(rng.u64(20..240))).await;
                    self.door.world.sim.clear_faults();
                }
                _ => {
                    self.door.world.sim.clear_faults();
                    self.weather.cut_popin_off(0);
                }
            }
        }
    }

    async fn databases_moods(&self) {
        let mut rng = self.plan.rng(17);
        while self.goes_on() {
            sleep(Duration::from_millis(rng.u64(1000..60_000))).await;
            self.weather.trouble_the_database(rng.u8(1..8));
            sleep(Duration::from_millis(rng.u64(500..20_000))).await;
            self.weather.trouble_the_database(0);
        }
    }

    async fn clock_steps(&self) {
        let mut rng = self.plan.rng(18);
        for _ in 0..rng.u8(1..4) {
            sleep(Duration::from_secs(rng.u64(10..300))).await;
            if self.goes_on() {
                self.monitor.fault("time: the clock is set by up to 10 minutes");
                let by = SignedDuration::from_secs(rng.i64(-600..=600));
                self.monitor.clock_was_set(by);
                self.clock.step(by);
            }
        }
    }

    /// Settles what needs a human, rightly or wrongly.
    async fn person(&self) {
        let mut rng = self.plan.rng(19);
        while self.goes_on() {
            sleep(Duration::from_secs(rng.u64(20..200))).await;
            for booking in self.monitor.needing_a_human() {
                let decision = match rng.u8(0..4) {
                    0 => json!({"outcome": "scheduled"}),
                    1 => json!({"outcome": "not_scheduled"}),
                    2 => json!({"outcome": "not_scheduled", "retry": true}),
                    _ => continue,
                };
                self.monitor.decides(&booking);
                self.door.resolve(&booking, &decision).await;
            }
        }
    }

    /// Whoever wants a call to look scheduled: webhooks without the key, and pages that speak as Popin's server does.
    async fn forgers(&self) {
        let mut rng = self.plan.rng(21);
        while self.goes_on() {
            sleep(Duration::from_millis(rng.u64(2_000..60_000))).await;
            for (mobile, slot) in self.monitor.standing() {
                let told = json!({
                    "event": "popin_scheduled_created", "user_id": "1", "country_code": "+91", "full_phone_number": mobile,
                    "properties": {"scheduled_date": slot.0, "scheduled_time": slot.1}
                });
                self.door.forge_webhook(&told).await;
                self.door.forge_event(&page_id(rng.u32(1000..)), &told).await;
                self.monitor.fault("forged: a webhook and a page's event");
            }
        }
    }

    /// Rows of another seller that nobody can read, and that the sweep and the stream find first.
    async fn poisoner(&self) {
        let mut rng = self.plan.rng(22);
        let mut number = 0;
        while self.goes_on() {
            // Nobody looks for write-backs where no seller has any.
            let queues = Queue::ALL.len() - usize::from(!self.plan.tells);
            let queue = Queue::ALL[rng.usize(0..queues)];
            for _ in 0..rng.u8(1..16) {
                let due_at = self.clock.now() - SignedDuration::from_secs(rng.i64(-60..600));
                plant(&self.door.world.db, queue, number, due_at);
                number += 1;
            }
            self.monitor.fault("poison: rows that nobody can read");
            sleep(Duration::from_millis(rng.u64(10_000..300_000))).await;
        }
    }

    /// People who book in Popin's own widget take slots that the diary still offers.
    async fn shoppers(&self) {
        let mut rng = self.plan.rng(20);
        for number in 0..rng.u32(1..8) {
            sleep(Duration::from_secs(rng.u64(1..120))).await;
            if !self.goes_on() {
                return;
            }
            let capture = json!({"name": "Shopper Example", "mobile": format!("90001{number:05}"), "country": "91"});
            let captured = self.at_popin("capture", &capture).await;
            let slot = format!("Mon, 23 Nov 2026 {:02}:{:02} AM", rng.u8(10..12), [0, 15, 30, 45][rng.usize(0..4)]);
            let schedule = json!({"customer_id": captured["customer_id"], "time": slot});
            let scheduled = self.at_popin("schedule", &schedule).await;
            if scheduled["status"] == 1 {
                self.monitor.fault("popin: a slot taken by a shopper");
            }
        }
    }

    async fn at_popin(&self, endpoint: &str, body: &Value) -> Value {
        let request = Request::post(format!("https://popin.test/api/v1/external/{endpoint}"))
            .header("x-api-key", POPIN_KEY)
            .header("x-token", POPIN_TOKEN)
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .expect("the simulation's own request is well formed");
        let reply = timeout(Duration::from_secs(5), self.door.world.sim.handle(request)).await;
        reply.ok().and_then(|reply| serde_json::from_slice(reply.body()).ok()).unwrap_or_default()
    }
}
