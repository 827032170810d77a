//! A tour of the house: everything that a function ever does, once, with what it asked of the database and what it told.

use crate::{
    canary::{EMAIL, NAME, NUMBER, forget},
    crm_ways::{Way, with_crms},
    overheard,
    poison::{Queue, plant, row, with_poisonous},
    shop::{CHILI_SECRET, POPIN_KEY, Shop, lead, page_id, sellers},
    written_back::{NOTIFY_SECRET, minutes},
};
use frontdesk::{
    edge::{sellers::Source, telemetry::Invocation},
    model::{
        event::{Event, UnknownReason, Vendor},
        ids::TableVersion,
        kind::Kind,
        seller::Sellers,
        trust::Trust,
    },
    store::Events,
    vendors,
};
use http::Method;
use jiff::SignedDuration;
use local::{
    dynamodb::{DbCall, DbFault},
    functions::Invoker,
};
use serde_json::{Value, json};
use sim::{CrmFault, CrmFaultOrder, Fault, FaultOrder, RecordFault, Target, WebhookMode};
use std::sync::Arc;

/// What was done and said on the way.
pub struct Tour {
    pub calls: Vec<DbCall>,
    /// Log lines and metrics, line by line.
    pub told: String,
}

pub async fn tour() -> Tour {
    overheard::keep();
    let mut calls = Vec::new();
    let shop = Shop::open().await;
    start(&shop).await;
    faulty_document(&shop).await;
    events(&shop).await;
    bookings(&shop).await;
    diary(&shop).await;
    forget(&shop, &json!({"phone": NUMBER})).await;
    erasure_carried_on(&shop).await;
    calls.extend(shop.world.db.calls());
    let shop = Shop::with(sellers(|seller| seller["booking"] = json!({"give_up_seconds": 1}))).await;
    shop.tick("slot-cache").await;
    gives_up(&shop).await;
    calls.extend(shop.world.db.calls());
    calls.extend(under_a_new_key().await);
    calls.extend(crms().await);
    calls.extend(poisoned().await);
    Tour { calls, told: overheard::kept() }
}

/// What each function's process does before its first invocation.
async fn start(shop: &Shop) {
    if let Invoker::InProcess(apps) = &*shop.world.functions {
        apps.collect.events.warm().await.expect("the tables are there");
        apps.event_intake.events.warm().await.expect("the tables are there");
        apps.slots_api.shelf.warm().await.expect("the tables are there");
        apps.slot_cache.slots.warm_turn().await.expect("the tables are there");
        apps.crm_intake.bookings.warm().await.expect("the tables are there");
        apps.booking_worker.bookings.warm().await.expect("the tables are there");
    }
}

/// A document gets a fault: told by the function that reads all of it on every tick, and by those that read its public part.
async fn faulty_document(shop: &Shop) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    for function in ["slot-cache", "event-intake", "slots-api"] {
        std::fs::write(&file, sellers(|_| {}).to_string()).expect("it can be written");
        let source = Source::file(file.path()).expect("the test's own sellers are good");
        let now = shop.clock_now();
        source.current(function, now).await;
        std::fs::write(&file, "{}}").expect("it can be written");
        let trace = Some("1-5759e988-bd862e3fe1be46a994272793".to_owned());
        let invocation = Invocation { function, request: "faulty".to_owned(), trace };
        invocation.run(source.current(function, now + SignedDuration::from_mins(5))).await;
    }
}

async fn events(shop: &Shop) {
    let captured = json!({"uid": "u-1", "name": NAME, "email": EMAIL, "mobile": NUMBER, "country": "+91"});
    let known = json!({"id": page_id(1), "source": "popin", "name": "popin_captured", "data": captured});
    let plain = json!({"id": page_id(2), "source": "popin", "name": "popin_open", "data": {"uid": "u-1"}});
    let chatter = json!({"id": page_id(3), "source": "chili-piper", "name": "started-listening-form-data-update"});
    let bad = json!({"id": "no", "source": "popin", "name": "popin_open"});
    shop.collect(json!([known, plain, chatter, bad])).await;
    shop.collect(json!([plain])).await;
    shop.collect(json!("nothing that a page sends")).await;
    flood(shop).await;
    for body in [
        json!({"event": "popin_call_missed", "user_id": "1", "full_phone_number": format!("+91{NUMBER}")}),
        json!({"event": "popin_brand_new", "user_id": "1", "email": EMAIL, "timestamp": 1_795_400_000}),
    ] {
        shop.popin_webhook(body.to_string()).await;
    }
    let path = format!("/v1/webhooks/acme/chili-piper/{CHILI_SECRET}");
    shop.send(Method::POST, &path, &[], json!({"type": "Created"}).to_string()).await;
    store_as_unknown(shop).await;
    shop.tick("event-intake").await;
    shop.world.db.set_fault(Some(Arc::new(|_: &str, _: &Value| DbFault::Unreachable)));
    let lost = json!({"id": page_id(4), "source": "popin", "name": "popin_open", "data": {"uid": "u-1"}});
    shop.collect(json!([lost])).await;
    shop.tick("event-intake").await;
    shop.tick("slot-cache").await;
    shop.world.db.set_fault(None);
}

/// The request meets a failure, and the worker does the rest; somebody else's, of a seller who is gone, waits.
async fn erasure_carried_on(shop: &Shop) {
    let captured = json!({"uid": "u-9", "mobile": "9000000066"});
    let captured = json!({"id": page_id(9), "source": "popin", "name": "popin_captured", "data": captured});
    shop.collect(json!([captured])).await;
    shop.world.db.set_fault(Some(Arc::new(
        |operation: &str, _: &Value| {
            if operation == "Query" { DbFault::Unreachable } else { DbFault::None }
        },
    )));
    forget(shop, &json!({"phone": "9000000066"})).await;
    shop.world.db.set_fault(None);
    shop.advance(61);
    shop.tick("booking-worker").await;
}

/// More persons than a page's event may name, and more of such events than a page may send.
async fn flood(shop: &Shop) {
    let guests = (0..30).map(|n| format!("guest{n}@example.com")).collect::<Vec<_>>().join(" ");
    let event =
        |n: u32| json!({"id": page_id(n), "source": "popin", "name": "popin_captured", "data": {"guests": guests}});
    let mut next = 1000;
    loop {
        let batch: Vec<Value> = (next..next + 60).map(event).collect();
        if shop.collect(json!(batch)).await.status == 429 {
            break;
        }
        next += 60;
    }
    // Until there is as much again as there was.
    shop.advance(4);
}

/// While the key of stored ids is rotated, an event is looked up under the former one as well.
async fn under_a_new_key() -> Vec<DbCall> {
    let keys = json!(["test-person-key-0123456789", POPIN_KEY]);
    let shop = Shop::with(sellers(|seller| seller["person_key"] = keys)).await;
    let call =
        json!({"id": page_id(5), "source": "fullview", "name": "fullview:callRequested", "data": {"callId": "c-1"}});
    // A request's id is of its time: this one is no other shop's.
    shop.advance(7);
    shop.collect(json!([call])).await;
    shop.world.db.calls()
}

/// As an older release stored it, whose table did not have the name.
async fn store_as_unknown(shop: &Shop) {
    let document = Sellers::parse(sellers(|_| {}).to_string().as_bytes()).expect("the test's own sellers are good");
    let seller = document.get("acme").expect("it is in the document");
    let version = |text: &str| TableVersion::parse(text).expect("it is spelled as one");
    for (user, name) in [(7, "popin_call_missed"), (8, "popin_from_the_future")] {
        let body = json!({"event": name, "user_id": user, "timestamp": "1795400000"}).to_string();
        let mut draft = vendors::read_webhook(Vendor::Popin, body.as_bytes()).expect("it is JSON");
        draft.kind = Kind::Unknown;
        draft.reason = Some(UnknownReason::Name);
        draft.read_by = version("0123456789abcdef");
        let event = Event::of(seller, Trust::Bearer, shop.clock_now(), None, draft);
        let client = local::dynamodb::client(shop.world.db.http(), "http://dynamodb.test");
        let table = Events::new(client, "frontdesk-events".to_owned());
        table.put(&event, &[]).await.expect("a database in memory answers");
    }
}

async fn bookings(shop: &Shop) {
    let canary = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL}});
    shop.book("k1", Some(10), &canary).await;
    shop.book("k1", Some(10), &canary).await;
    shop.settle().await;
    shop.trigger("msg_1", &lead(1)).await;
    shop.book("k2", None, &lead(1)).await;
    shop.settle().await;
    // One that nobody answers, for a caller that waits and by the stream: a witness, a person, a second look.
    shop.world.sim.set_webhooks(WebhookMode { on: false, ..WebhookMode::default() });
    shop.world.sim.add_fault(FaultOrder { times: 2, ..FaultOrder::new(Target::Schedule, Fault::HangAfter) });
    let waited = shop.book("k3", Some(10), &lead(3)).await;
    let id = waited.body["id"].as_str().unwrap_or_default().to_owned();
    shop.trigger("msg_4", &lead(4)).await;
    shop.settle().await;
    shop.advance(901);
    shop.tick("booking-worker").await;
    shop.booking(&id).await;
    shop.resolve(&id, &json!({"outcome": "not_scheduled", "retry": true})).await;
    shop.tick("slot-cache").await;
    shop.tick("booking-worker").await;
    // Refused slots and refused leads, and a diary with nothing in it: for a caller that waits, and by the stream.
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::Refuse));
    shop.book("k5", Some(10), &lead(5)).await;
    shop.trigger("msg_6", &lead(6)).await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Schedule, Fault::Refuse));
    shop.settle().await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Capture, Fault::Refuse));
    shop.book("k7", Some(10), &lead(7)).await;
    shop.trigger("msg_8", &lead(8)).await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Capture, Fault::Refuse));
    shop.settle().await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Slots, Fault::Empty));
    shop.advance(301);
    shop.tick("slot-cache").await;
    shop.book("k9", Some(10), &lead(9)).await;
    shop.trigger("msg_10", &lead(10)).await;
    shop.settle().await;
    shop.advance(301);
    shop.tick("slot-cache").await;
    contradicted(shop).await;
}

/// Popin's webhook tells of another slot while the caller still waits for Popin's reply.
async fn contradicted(shop: &Shop) {
    shop.world.sim.set_webhooks(WebhookMode { wrong_slot: true, ..WebhookMode::default() });
    shop.book_told_first("k11", &lead(11)).await;
    shop.settle().await;
}

/// Triggers of CRMs: one that is booked, one that is read back by the stream, one by the sweep, one that waits for a
/// person; and ends that are told, in vain and then not.
async fn crms() -> Vec<DbCall> {
    let document = with_crms(|seller| {
        seller["notify"] = json!({"url": "https://crm.test/crm/receiver/acme", "secrets": [NOTIFY_SECRET]});
    });
    let shop = Shop::with(document).await;
    shop.tick("slot-cache").await;
    let (whole, thin) = (Way::LeadSquared, Way::HubSpotApp);
    // With its secret in the path.
    Way::Outbound.send(&shop, &Way::Outbound.body(9)).await;
    whole.send(&shop, &whole.body(1)).await;
    thin.keep_record(&shop, 2);
    thin.send(&shop, &thin.body(2)).await;
    shop.settle().await;
    thin.keep_record(&shop, 3);
    shop.world.sim.fail_records(&RecordFault::Status(503), 1);
    thin.send(&shop, &thin.body(3)).await;
    shop.settle().await;
    whole.send(&shop, &json!({"ProspectID": "p-1", "Phone": NUMBER}).to_string()).await;
    let listed = shop.parked_list("").await;
    shop.retry(listed.body["parked"][0]["id"].as_str().unwrap_or_default()).await;
    // One that cannot be stored, one that tells of no call, and one that nobody can make a booking of.
    shop.world.db.set_fault(Some(Arc::new(|_: &str, _: &Value| DbFault::Unreachable)));
    whole.send(&shop, &whole.body(6)).await;
    shop.world.db.set_fault(None);
    thin.send(&shop, &thin.body(6).replace("propertyChange", "deletion")).await;
    shop.trigger("msg_7", &json!({})).await;
    // Of nobody that its CRM knows.
    thin.send(&shop, &thin.body(5)).await;
    shop.settle().await;
    shop.world.sim.crms().add_fault(CrmFaultOrder::new("receiver", CrmFault::Refuse));
    whole.send(&shop, &whole.body(4)).await;
    shop.settle().await;
    shop.world.sim.crms().add_fault(CrmFaultOrder::new("receiver", CrmFault::Unavailable));
    whole.send(&shop, &whole.body(10)).await;
    shop.settle().await;
    minutes(&shop, 10).await;
    for booking in shop.bookings() {
        let id = booking["pk"].as_str().and_then(|pk| pk.strip_prefix("acme#")).unwrap_or_default();
        shop.booking(id).await;
    }
    forget(&shop, &json!({"phone": NUMBER})).await;
    forget(&shop, &json!({"phone": "+919000000001"})).await;
    shop.world.db.calls()
}

/// Rows that nobody can read, as the stream and the sweep come upon them.
async fn poisoned() -> Vec<DbCall> {
    let shop = Shop::with(with_poisonous(|seller| {
        seller["notify"] = json!({"url": "https://crm.test/crm/receiver/acme", "secrets": [NOTIFY_SECRET]});
    }))
    .await;
    for (number, kind) in (1..).zip(Queue::ALL) {
        plant(&shop.world.db, kind, number, shop.clock_now());
    }
    shop.tick("booking-worker").await;
    let mut trigger = row(Queue::Trigger, 9, shop.clock_now());
    trigger["pk"]["S"] = json!("acme#parked");
    let put = json!({"TableName": "frontdesk-bookings", "Item": trigger});
    shop.world.db.call("PutItem", &put).expect("a database in memory can be written");
    shop.parked_list("").await;
    shop.world.db.calls()
}

async fn diary(shop: &Shop) {
    shop.slots("").await;
    shop.slots("?limit=0").await;
    shop.slots("").await;
    shop.world.sim.add_fault(FaultOrder::new(Target::Slots, Fault::Error));
    shop.advance(3601);
    shop.tick("slot-cache").await;
    shop.slots("").await;
}

/// A Popin that turns everything away, until there is no time left: for a caller that waits, and by the sweep.
async fn gives_up(shop: &Shop) {
    shop.world.sim.add_fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Capture, Fault::RateLimited) });
    shop.trigger("msg_1", &lead(1)).await;
    shop.settle().await;
    let clock = shop.clock.clone();
    // A second of the clock for each call of the database.
    shop.world.db.set_fault(Some(Arc::new(move |_: &str, _: &Value| {
        clock.advance(SignedDuration::from_secs(1));
        DbFault::None
    })));
    shop.book("k1", Some(10), &lead(2)).await;
    shop.advance(60);
    shop.book("k1", Some(10), &lead(2)).await;
    shop.tick("booking-worker").await;
}
