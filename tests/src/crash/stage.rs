//! What a scenario can do: people who ask, schedules, streams, webhooks, time, and Popin's bad days.

use super::reaper::Reaper;
use crate::{
    shop::sellers,
    simulation::{
        SimClock,
        door::{Answer, Ask, Door, Way},
    },
};
use bytes::Bytes;
use frontdesk::{
    flow::Clock,
    model::seller::Sellers,
    popin::{Transport, TransportError},
};
use futures_util::future::{BoxFuture, poll_immediate};
use http::{Request, Response};
use local::{
    demo,
    fate::{self, Passage},
    streams::Batches,
    world::{SimTransport, Weather, World, WorldOptions},
};
use serde_json::{Value, json};
use sim::{Call, Endpoint, FaultOrder, SellerAccount, Sim};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    rc::Rc,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// What a scenario's seller is like.
pub(super) type Rules = fn(&mut Value);

pub(super) struct Stage {
    pub(super) clock: Arc<SimClock>,
    pub(super) reaper: Arc<Reaper>,
    way: Arc<Cut>,
    doors: RefCell<Vec<Rc<Door>>>,
    pub(super) asked: RefCell<Vec<Ask>>,
    /// What was acknowledged, by key.
    pub(super) promised: RefCell<BTreeMap<String, String>>,
    /// Whom we told that the call is on.
    pub(super) said: RefCell<BTreeSet<String>>,
    /// Keys whose person was forgotten.
    pub(super) erased: RefCell<BTreeSet<String>>,
    pub(super) broken: RefCell<Vec<String>>,
}

impl Stage {
    pub(super) async fn open(rules: Rules, reaper: Arc<Reaper>) -> Self {
        let clock = SimClock::start();
        let way = Arc::new(Cut::default());
        let (options, road) = options(rules, &clock, &reaper, &way);
        let sellers = options.sellers.clone();
        let world = World::start(options).await.expect("the scenario's seller is good");
        road.reach(&world, &sellers);
        world.db.set_checkpoint(Some(reaper.checkpoint()));
        let doors = RefCell::new(vec![Rc::new(Door::new(world))]);
        Self {
            clock,
            reaper,
            way,
            doors,
            asked: RefCell::default(),
            promised: RefCell::default(),
            said: RefCell::default(),
            erased: RefCell::default(),
            broken: RefCell::default(),
        }
    }

    /// Deployed again with another document, over what is stored.
    pub(super) async fn redeploy(&self, rules: Rules) {
        let (options, road) = options(rules, &self.clock, &self.reaper, &self.way);
        let sellers = options.sellers.clone();
        let world = World::over(self.door().world.db.clone(), options).await.expect("the scenario's seller is good");
        road.reach(&world, &sellers);
        self.doors.borrow_mut().push(Rc::new(Door::new(world)));
    }

    pub(super) fn door(&self) -> Rc<Door> {
        self.doors.borrow().last().expect("it opens with one").clone()
    }

    pub(super) fn sim(&self) -> Sim {
        self.door().world.sim.clone()
    }

    /// All schedule calls that Popin acted on.
    pub(super) fn effects(&self) -> Vec<Call> {
        let doors = self.doors.borrow();
        let calls = doors.iter().flat_map(|door| door.world.sim.calls());
        calls.filter(|call| call.endpoint == Endpoint::Schedule && call.took_effect).collect()
    }

    pub(super) fn violated(&self, what: impl Into<String>) {
        self.broken.borrow_mut().push(what.into());
    }

    /// Each number is a key and a person of its own.
    pub(super) async fn ask(&self, number: usize, way: Way, call: Value) -> Answer {
        self.ask_for(number, number, way, call).await
    }

    /// Asks as CRMs do: once more where the first time failed. The number is the key's, and the mark at Popin of what it
    /// makes.
    pub(super) async fn ask_for(&self, person: usize, number: usize, way: Way, call: Value) -> Answer {
        let url = format!("https://shop.example.com/call?r={number}");
        let (mobile, email) = (format!("90000{person:05}"), format!("asha{person}@example.com"));
        let lead = json!({"name": "Asha Example", "mobile": mobile, "email": email});
        let body = json!({"lead": lead, "call": call, "native": false, "url": url});
        let ask = Ask { number, key: format!("key-{number}"), body, way };
        let known = self.asked.borrow().iter().any(|other| other.key == ask.key);
        if !known {
            self.asked.borrow_mut().push(ask.clone());
        }
        let answer = self.send(&ask).await;
        if answer.status < 500 {
            return answer;
        }
        self.passes(1).await;
        self.send(&ask).await
    }

    /// One key, one booking, for ever.
    pub(super) async fn send(&self, ask: &Ask) -> Answer {
        let answer = self.door().ask(ask, self.clock.now().as_second()).await;
        let id = answer.body["id"].as_str().or_else(|| answer.body["booking_id"].as_str());
        if let Some(id) = id {
            let mut promised = self.promised.borrow_mut();
            let known = promised.entry(ask.key.clone()).or_insert_with(|| id.to_owned());
            if known != id {
                self.violated(format!("{} was answered with {known} and then with {id}", ask.key));
            }
            if answer.body["state"] == "scheduled" {
                self.said.borrow_mut().insert(id.to_owned());
            }
        }
        answer
    }

    pub(super) async fn resolve(&self, key: &str, decision: Value) {
        let id = self.promised.borrow().get(key).cloned();
        if let Some(id) = id {
            self.door().resolve(&id, &decision).await;
        }
    }

    /// The person of this request asks to be forgotten.
    pub(super) async fn forget(&self, number: usize) {
        let answer = self.door().forget(&json!({"phone": format!("90000{number:05}")})).await;
        if answer.body["bookings"] == 1 {
            self.erased.borrow_mut().insert(format!("key-{number}"));
        }
    }

    /// New records, in order.
    pub(super) async fn streams(&self) {
        self.door().world.pump().await;
    }

    pub(super) async fn tick(&self, function: &str) {
        // One that dies is made up for by the next.
        drop(self.door().world.tick(function).await);
    }

    /// Popin's webhooks that are due, and what follows from them.
    pub(super) async fn webhooks(&self) {
        self.door().world.deliver_webhooks().await;
        self.streams().await;
    }

    pub(super) async fn passes(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    pub(super) fn fault(&self, fault: FaultOrder) {
        self.sim().add_fault(fault);
    }

    /// From now on no connection to Popin is made, or one is again.
    pub(super) fn cut_off(&self, yes: bool) {
        self.way.0.store(yes, Ordering::Relaxed);
    }

    /// From now on each call of the database takes so long.
    pub(super) fn slow_database(&self, millis: u64) {
        let pace = Duration::from_millis(millis);
        self.door().world.db.set_pace(Some(Arc::new(move || (pace, Duration::ZERO))));
    }
}

fn options(rules: Rules, clock: &Arc<SimClock>, reaper: &Arc<Reaper>, way: &Arc<Cut>) -> (WorldOptions, Arc<Road>) {
    let road = Arc::new(Road { reaper: reaper.clone(), cut: way.clone(), popin: OnceLock::new() });
    let sellers = sellers(|seller| {
        seller["popin"]["timeout_seconds"] = json!(2);
        seller["booking"] = json!({
            "webhooks_wired": true, "in_doubt_seconds": 120, "lease_seconds": 30, "give_up_seconds": 300, "max_at_once": 1
        });
        rules(seller);
    });
    let batches: Batches = Arc::new(|read| vec![read]);
    let options = WorldOptions {
        sellers,
        sellers_file: None,
        seats: 1,
        outside: None,
        clock: clock.clone(),
        seed: 7,
        transport: Some(road.clone()),
        weather: Weather { fates: reaper.fates(), batches },
        anonymous_write_units: local::world::ANONYMOUS_WRITE_UNITS,
    };
    (options, road)
}

/// Whether Popin is cut off.
#[derive(Default)]
struct Cut(AtomicBool);

/// The way to Popin, past the reaper.
struct Road {
    reaper: Arc<Reaper>,
    cut: Arc<Cut>,
    popin: OnceLock<SimTransport>,
}

impl Road {
    /// Popin takes as many in a slot as the seller does.
    fn reach(&self, world: &World, sellers: &Value) {
        let known = Sellers::parse(sellers.to_string().as_bytes()).expect("the scenario's seller is good");
        let capacity = sellers["acme"]["slots"]["capacity"].as_u64().and_then(|most| most.try_into().ok()).unwrap_or(1);
        for account in demo::accounts(&known, "http://frontdesk.test", |_| true) {
            world.sim.add_seller(SellerAccount { capacity, ..account });
        }
        drop(self.popin.set(SimTransport { sim: world.sim.clone() }));
    }
}

impl Transport for Road {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let endpoint = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            let escort = self.reaper.begins(&format!("popin {endpoint}"));
            fate::pass(Some(&escort), Passage::Leaves).await;
            // As a call over a network would.
            tokio::task::yield_now().await;
            let reply = if self.cut.0.load(Ordering::Relaxed) {
                fate::pass(Some(&escort), Passage::Done).await;
                Err(TransportError::NotSent)
            } else {
                let popin = self.popin.get().expect("the world is reached before anybody calls");
                let mut reply = pin!(popin.send(request, timeout));
                // The simulator acts at once, however late it answers.
                let at_once = poll_immediate(reply.as_mut()).await;
                fate::pass(Some(&escort), Passage::Done).await;
                match at_once {
                    Some(reply) => reply,
                    None => reply.await,
                }
            };
            fate::pass(Some(&escort), Passage::Answered).await;
            reply
        })
    }
}
