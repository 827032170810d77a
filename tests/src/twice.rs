//! The store's promises on any DynamoDB: the same requests, and what became of them, to be compared between two.

mod witnesses;

use crate::{
    crm_ways::{SECRET, Way, with_crms},
    shop::{API_KEY, ORIGIN, WEBHOOK_KEY, lead, page_id},
    written_back::NOTIFY_SECRET,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use frontdesk::{
    edge::{clock::SystemClock, http::HttpClients, sellers::Source},
    flow::{Clock, Random},
    model::{
        ids::SellerId,
        seller::{Reach, Sellers},
    },
    store::{Gates, gate::Entry},
};
use futures_util::future::join_all;
use http::{Method, Request};
use jiff::SignedDuration;
use local::{
    demo,
    dynamodb::{Embedded, client, create_missing},
    fate,
    functions::{InProcess, Invoker, Wiring},
    gateway::Gateway,
    schedule::Schedules,
    template::Template,
    world::SimTransport,
};
use serde_json::{Value, json};
use sim::{CrmFault, CrmFaultOrder, Fault, FaultOrder, Options, Sim, Target};
use std::{collections::BTreeMap, error::Error, sync::Arc};

/// As many at once for one thing.
const RACING: usize = 50;

/// What was tried, and what came of it.
pub type Told = Vec<(&'static str, Value)>;

/// Everything but the database, which is embedded or at an endpoint.
pub struct Twice {
    gateway: Gateway,
    schedules: Schedules,
    functions: Arc<Invoker>,
    sim: Sim,
    gates: Gates,
}

impl Twice {
    /// Makes the tables where they are missing.
    pub async fn on(endpoint: Option<String>) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let client = match endpoint {
            Some(endpoint) => client(HttpClients::new()?.aws()?, &endpoint),
            None => client(Embedded::memory(Arc::new(SystemClock))?.http(), "http://dynamodb.test"),
        };
        let template = Template::deployed()?;
        create_missing(&client, &template.tables).await?;
        let document = with_crms(|seller| {
            seller["notify"] = json!({"url": "https://shop.test/crm/receiver/frontdesk", "secrets": [NOTIFY_SECRET]});
        });
        let sellers = Sellers::parse_within(document.to_string().as_bytes(), Reach::Local)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (accounts, now) = (demo::accounts(&sellers, "http://frontdesk.test", |_| true), clock.clone());
        let sim = Sim::new(Options { sellers: accounts, now: Arc::new(move || now.now()), data: None })?;
        let gates = Gates { client: client.clone(), table: "frontdesk-bookings".to_owned(), place: None };
        let wiring = Wiring {
            sellers: Source::fixed(sellers),
            client,
            transport: Arc::new(SimTransport { sim: sim.clone() }),
            outside: Arc::new(SimTransport { sim: sim.clone() }),
            clock: clock.clone(),
            random: Arc::new(Random::from_seed(7)),
            fates: fate::always_lives(),
            // The conformance suite writes more than a page may.
            anonymous_write_units: 1_000_000,
        };
        let invoker = Arc::new(Invoker::InProcess(Box::new(InProcess::new(&template, &wiring)?)));
        let gateway = Gateway::new(&template, invoker.clone(), clock, Random::from_seed(8))?;
        Ok(Self {
            gateway,
            schedules: Schedules::new(&template, invoker.clone(), None),
            functions: invoker,
            sim,
            gates,
        })
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = request.body(body).expect("the test's own request is well formed");
        let (parts, body) = self.gateway.handle(request).await.into_parts();
        (parts.status.as_u16(), serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn collect(&self, events: Value) -> Value {
        self.send(Method::POST, "/v1/collect/acme", &[("origin", ORIGIN)], &json!({ "events": events })).await.1
    }

    async fn webhook(&self, body: &Value) -> Value {
        self.send(Method::POST, "/v1/webhooks/acme/popin", &[("x-api-key", WEBHOOK_KEY)], body).await.1["stored"]
            .clone()
    }

    async fn book(&self, key: &str, wait: bool, body: &Value) -> (u16, Value) {
        let bearer = format!("Bearer {API_KEY}");
        let mut headers = vec![("authorization", bearer.as_str()), ("idempotency-key", key)];
        headers.extend(wait.then_some(("prefer", "wait=10")));
        self.send(Method::POST, "/v1/bookings/acme", &headers, body).await
    }

    async fn ours(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        self.send(method, path, &[("authorization", &format!("Bearer {API_KEY}"))], body).await
    }

    async fn booking(&self, id: &Value) -> Value {
        let path = format!("/v1/bookings/acme/{}", id.as_str().unwrap_or("-"));
        self.ours(Method::GET, &path, &Value::Null).await.1["state"].clone()
    }

    async fn tick(&self, function: &str) -> Value {
        self.schedules.fire(function).await.and_then(Result::ok).unwrap_or(Value::Null)
    }

    /// What became of everything, in order; ids and times, which differ each time, are left out.
    pub async fn transcript(&self) -> Told {
        let mut told = Told::new();
        self.events(&mut told).await;
        self.diary(&mut told).await;
        self.bookings(&mut told).await;
        self.witnesses(&mut told).await;
        self.parked(&mut told).await;
        self.ends(&mut told).await;
        self.gate(&mut told).await;
        for what in ["a person is forgotten", "and was"] {
            let who = json!({"phone": "9000000001"});
            let erasure = self.ours(Method::DELETE, "/v1/people/acme", &who).await.1;
            told.push((what, json!({"events": erasure["events"], "bookings": erasure["bookings"]})));
        }
        told
    }

    async fn events(&self, told: &mut Told) {
        let event =
            |n: u32, data: Value| json!({"id": page_id(n), "source": "popin", "name": "popin_open", "data": data});
        told.push(("one event", self.collect(json!([event(1, json!({"uid": "u"}))])).await));
        let racing = (0..RACING).map(|_| self.collect(json!([event(2, json!({"uid": "u"}))])));
        let new = join_all(racing).await.iter().filter(|reply| reply["accepted"] == 1).count();
        told.push(("fifty copies at once, new", json!(new)));
        let person = json!({"uid": "u", "mobile": "9000000001", "email": "asha@example.com"});
        told.push(("an event of a person", self.collect(json!([event(3, person)])).await));
        let large = json!({"event": "popin_call_missed", "user_id": 1, "timestamp": 1_795_400_000, "note": "x".repeat(800_000)});
        told.push(("one of 800 KB", self.webhook(&large).await));
        told.push(("again", self.webhook(&large).await));
        let untimed = json!({"event": "popin_call_missed", "user_id": 1});
        told.push(("one without a time", self.webhook(&untimed).await));
        told.push(("a copy within its window", self.webhook(&untimed).await));
        let racing = json!({"event": "popin_call_missed", "user_id": 2});
        let new = join_all((0..RACING).map(|_| self.webhook(&racing))).await.iter().filter(|new| **new == true).count();
        told.push(("fifty transactions at once, new", json!(new)));
        let unknown = json!({"event": "popin_brand_new", "user_id": "1", "timestamp": 1_795_400_000});
        told.push(("one of unknown kind", self.webhook(&unknown).await));
        told.push(("the quarantine", self.tick("event-intake").await));
    }

    async fn diary(&self, told: &mut Told) {
        let ticks = join_all((0..8).map(|_| self.tick("slot-cache"))).await;
        let refreshed = ticks.iter().filter(|tick| tick["refreshed"] == 1).count();
        told.push(("eight ticks at once, refreshed", json!(refreshed)));
        let (status, body) = self.send(Method::GET, "/v1/slots/acme", &[], &Value::Null).await;
        told.push(("slots", json!([status, body["slots"].as_array().is_some_and(|slots| slots.len() > 100)])));
    }

    async fn bookings(&self, told: &mut Told) {
        let (status, booked) = self.book("k1", true, &lead(1)).await;
        told.push(("a booking", json!([status, booked["state"]])));
        let (status, again) = self.book("k1", true, &lead(1)).await;
        told.push(("the same key", json!([status, again["id"] == booked["id"]])));
        let (status, other) = self.book("k1", true, &lead(2)).await;
        told.push(("the same key for another", json!([status, other["code"]])));
        let second = lead(2);
        let all = join_all((0..RACING).map(|_| self.book("k2", false, &second))).await;
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        for (_, body) in all.iter().filter(|(status, _)| *status == 202) {
            *ids.entry(body["id"].to_string()).or_default() += 1;
        }
        told.push(("one key fifty times at once, bookings", json!(ids.len())));
        // The sweep finds it by the index. Its end is told and refused.
        self.sim.crms().add_fault(CrmFaultOrder::new("receiver", CrmFault::Gone));
        told.push(("a sweep", self.tick("booking-worker").await));
        let id = all.iter().find_map(|(_, body)| body.get("id")).cloned().unwrap_or_default();
        told.push(("after it", self.booking(&id).await));
        let (_, body) = self.send(Method::GET, "/v1/slots/acme", &[], &Value::Null).await;
        let slots = body["slots"].as_array().cloned().unwrap_or_default();
        let start = slots.last().map_or(Value::Null, |slot| slot["start"].clone());
        let wanted = |n: u32| {
            let mut body = lead(n);
            body["call"] = json!({"start_at": start, "if_taken": "refuse"});
            body
        };
        let bodies: Vec<_> = (10..14).map(wanted).collect();
        let keys: Vec<_> = (10..14).map(|n| format!("k{n}")).collect();
        let all = join_all(keys.iter().zip(&bodies).map(|(key, body)| self.book(key, true, body))).await;
        let count = |wanted: u16| all.iter().filter(|(status, _)| *status == wanted).count();
        told.push(("four for one slot at once: booked, taken", json!([count(201), count(409)])));
        self.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::ErrorAfter));
        let (status, doubt) = self.book("k20", true, &lead(20)).await;
        told.push(("a booking in doubt", json!([status, doubt["state"]])));
    }

    async fn parked(&self, told: &mut Told) {
        for n in 0..4 {
            let (shown, nobody) = (format!("Bearer {SECRET}"), json!({"record_id": n, "name": "Asha Example"}));
            self.send(Method::POST, "/v1/crm/acme/freshsales", &[("authorization", &shown)], &nobody).await;
        }
        let list = "/v1/crm/acme/parked".to_owned();
        let (mut pages, mut next) = (Vec::new(), format!("{list}?limit=3"));
        loop {
            let page = self.ours(Method::GET, &next, &Value::Null).await.1;
            pages.push(page["parked"].as_array().map_or(0, Vec::len));
            let Some(after) = page["next"].as_str() else { break };
            next = format!("{list}?limit=3&after={after}");
        }
        told.push(("parked without a number, in pages of three", json!(pages)));
        let deal: Value = serde_json::from_str(&Way::PipedriveDeal.body(30)).unwrap_or_default();
        let shown = format!("Basic {}", STANDARD.encode(format!("frontdesk:{SECRET}")));
        let (status, _) = self.send(Method::POST, "/v1/crm/acme/pipedrive", &[("authorization", &shown)], &deal).await;
        told.push(("a deal whose person is to be asked for", json!(status)));
        let page = self.ours(Method::GET, &list, &Value::Null).await.1;
        let parked = page["parked"].as_array().cloned().unwrap_or_default();
        let deal = parked.iter().find(|one| one["connector"] == "pipedrive").cloned().unwrap_or_default();
        told.push(("it waits", deal["code"].clone()));
        let retry = format!("{list}/{}/retry", deal["id"].as_str().unwrap_or("-"));
        let (status, still) = self.ours(Method::POST, &retry, &Value::Null).await;
        told.push(("asked for, there is none", json!([status, still["code"], still["reason"]])));
        let person = json!({"id": 30, "name": "Asha Example", "phones": [{"value": "+919000000030"}]});
        self.sim.put_record("pipedrive/persons/30", person);
        let (status, booked) = self.ours(Method::POST, &retry, &Value::Null).await;
        told.push(("once there is one", json!([status, booked["state"]])));
        told.push(("and again", json!(self.ours(Method::POST, &retry, &Value::Null).await.0)));
    }

    /// What the shop's own URL is owed is found by its index.
    async fn ends(&self, told: &mut Told) {
        let (_, booking) = self.book("k2", false, &lead(2)).await;
        let id = booking["id"].as_str().unwrap_or("-");
        let heard = || self.sim.crms().messages().iter().filter(|message| message.raw.contains(id)).count();
        told.push(("an end that was refused, heard", json!(heard())));
        let path = format!("/v1/bookings/acme/{id}/write-backs/retry");
        for what in ["it is owed again", "and not twice"] {
            let (status, body) = self.ours(Method::POST, &path, &Value::Null).await;
            told.push((what, json!([status, body["code"]])));
            self.tick("booking-worker").await;
            told.push(("a sweep later, heard", json!(heard())));
        }
    }

    async fn gate(&self, told: &mut Told) {
        let (seller, now) = (SellerId::parse("acme").expect("it is the seller's"), SystemClock.now());
        let until = now + SignedDuration::from_secs(60);
        let owners: Vec<_> = (0..RACING).map(|n| format!("b{n}")).collect();
        let all = join_all(owners.iter().map(|owner| self.gates.enter(&seller, owner, until, Some(3), now))).await;
        let count = |wanted: fn(&Entry) -> bool| all.iter().flatten().filter(|entry| wanted(entry)).count();
        let counted = [count(|entry| matches!(entry, Entry::In { .. })), count(|entry| *entry == Entry::Full)];
        told.push(("fifty at a gate of three at once: in, full", json!(counted)));
        let later = self.gates.enter(&seller, "later", until + SignedDuration::from_secs(60), Some(3), until).await;
        told.push(("when their time is over", json!(matches!(later, Ok(Entry::In { .. })))));
    }
}
