//! What goes wrong between the parts: the database, the way to Popin, the invocations, the streams.

use super::{
    SimClock,
    monitor::Monitor,
    plan::{Plan, Trouble},
};
use crate::poison::SELLER;
use bytes::Bytes;
use fastrand::Rng;
use frontdesk::popin::{Transport, TransportError};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use local::{
    dynamodb::DbFault,
    fate::{Doom, Fate, Fates},
    streams::Batches,
    world::{SimTransport, World},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

pub(super) struct Weather {
    fates: Mutex<Rng>,
    batches: Mutex<Rng>,
    paces: Mutex<Rng>,
    database: Mutex<Rng>,
    way: Mutex<Rng>,
    outside: Mutex<Rng>,
    plan: Plan,
    /// Everything is well again.
    calm: AtomicBool,
    /// Of ten calls of the database, so many fail.
    trouble: AtomicU8,
    /// Of ten calls to Popin, so many find no connection.
    unreachable: AtomicU8,
    /// Strikes when a slot has been picked: then to stand still is the worst.
    doom: Arc<Doom>,
    popin: OnceLock<SimTransport>,
    monitor: Arc<Monitor>,
    clock: Arc<SimClock>,
}

fn draw(rng: &Mutex<Rng>) -> MutexGuard<'_, Rng> {
    rng.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Weather {
    pub(super) fn new(plan: &Plan, clock: Arc<SimClock>, monitor: Arc<Monitor>) -> Self {
        Self {
            fates: Mutex::new(plan.rng(1)),
            batches: Mutex::new(plan.rng(2)),
            paces: Mutex::new(plan.rng(3)),
            database: Mutex::new(plan.rng(4)),
            way: Mutex::new(plan.rng(5)),
            outside: Mutex::new(plan.rng(7)),
            plan: plan.clone(),
            calm: AtomicBool::new(false),
            trouble: AtomicU8::new(0),
            unreachable: AtomicU8::new(0),
            doom: Arc::default(),
            popin: OnceLock::new(),
            monitor,
            clock,
        }
    }

    /// From here on there is a database and a Popin to trouble.
    pub(super) fn reach(self: &Arc<Self>, world: &World) {
        drop(self.popin.set(SimTransport { sim: world.sim.clone() }));
        let this = self.clone();
        world.db.set_pace(Some(Arc::new(move || {
            let mut rng = draw(&this.paces);
            let mut leg =
                || Duration::from_millis(if rng.u8(0..200) == 0 { rng.u64(500..4000) } else { rng.u64(1..8) });
            if this.is_calm() { (Duration::from_millis(1), Duration::ZERO) } else { (leg(), leg()) }
        })));
        let this = self.clone();
        world.db.set_fault(Some(Arc::new(move |operation: &str, body: &Value| {
            if picks(body) {
                this.doom.strike();
            }
            if this.plan.has(Trouble::Poison) && !this.is_calm() && is_poisonous(operation, body) {
                this.monitor.fault("poison: a write that is always throttled");
                return DbFault::Throttle;
            }
            this.database_fault(operation)
        })));
    }

    pub(super) fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(super) fn trouble_the_database(&self, of_ten: u8) {
        self.trouble.store(of_ten, Ordering::Relaxed);
    }

    pub(super) fn cut_popin_off(&self, of_ten: u8) {
        self.unreachable.store(of_ten, Ordering::Relaxed);
    }

    fn database_fault(&self, operation: &str) -> DbFault {
        let mut rng = draw(&self.database);
        if self.is_calm() || rng.u8(0..10) >= self.trouble.load(Ordering::Relaxed) {
            return DbFault::None;
        }
        let writes = matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems");
        let (fault, name) = match rng.u8(0..9) {
            0 | 1 => (DbFault::Throttle, "database: throttled"),
            2 => (DbFault::Unreachable, "database: not reached"),
            8 if writes => (DbFault::CancelThrottled, "database: throttled within a transaction"),
            3 | 4 if writes => (DbFault::Conflict, "database: conflict, cancelled"),
            _ if writes => (DbFault::LoseReply, "database: done, reply lost"),
            _ => (DbFault::LoseReply, "database: read, reply lost"),
        };
        self.monitor.fault(name);
        fault
    }

    pub(super) fn fates(self: &Arc<Self>) -> Fates {
        let this = self.clone();
        Arc::new(move |_: &str| {
            let mut rng = draw(&this.fates);
            let (dice, after) = (rng.u8(0..12), rng.usize(1..40));
            // Most leases end within it, and not all invocations do.
            let time = Duration::from_millis(rng.u64(200..100_000));
            if this.is_calm() {
                Fate::Lives
            } else if this.plan.has(Trouble::Kills) && dice == 0 {
                this.monitor.fault("invocation: killed at an await");
                Fate::Killed { after }
            } else if this.plan.has(Trouble::Freezes) && (1..=3).contains(&dice) {
                this.monitor.fault("invocation: frozen at an await");
                Fate::Frozen { after, time }
            } else if this.plan.has(Trouble::Freezes) && dice == 4 {
                this.monitor.fault("invocation: to be frozen when it has picked a slot");
                Fate::FrozenBy { doom: this.doom.clone(), time }
            } else {
                Fate::Lives
            }
        })
    }

    /// Cut, repeated, and reordered across keys; each key's own records keep their order.
    pub(super) fn batches(self: &Arc<Self>) -> Batches {
        let this = self.clone();
        Arc::new(move |read: Vec<Value>| {
            if this.is_calm() || !this.plan.has(Trouble::Streams) || read.is_empty() {
                return vec![read];
            }
            let mut rng = draw(&this.batches);
            let mut keys: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            for record in read {
                keys.entry(record["dynamodb"]["Keys"].to_string()).or_default().push(record);
            }
            let mut queues: Vec<_> = keys.into_values().map(Vec::into_iter).collect();
            let mut ordered = Vec::new();
            while !queues.is_empty() {
                let at = rng.usize(0..queues.len());
                match queues[at].next() {
                    Some(record) => ordered.push(record),
                    None => drop(queues.swap_remove(at)),
                }
            }
            this.monitor.fault("stream: reordered across keys");
            let mut batches = Vec::new();
            while !ordered.is_empty() {
                let batch: Vec<_> = ordered.drain(..rng.usize(1..=ordered.len())).collect();
                if rng.u8(0..3) == 0 {
                    this.monitor.fault("stream: repeated");
                    batches.push(batch.clone());
                }
                batches.push(batch);
            }
            batches
        })
    }

    pub(super) fn outside(self: &Arc<Self>) -> Arc<dyn Transport> {
        Arc::new(Outside(self.clone()))
    }

    pub(super) fn transport(self: &Arc<Self>) -> Arc<dyn Transport> {
        Arc::new(Way(self.clone()))
    }
}

/// A write about every third row of the poisonous seller.
fn is_poisonous(operation: &str, body: &Value) -> bool {
    let keys = [&body["Key"]["pk"]["S"], &body["Key"]["sk"]["S"]].map(|key| key.as_str().unwrap_or_default());
    let digits = keys.concat().bytes().filter(u8::is_ascii_digit).map(u32::from).sum::<u32>();
    operation == "UpdateItem" && keys[0].starts_with(SELLER) && digits.is_multiple_of(3)
}

/// Whether a booking gets its slot by this.
fn picks(body: &Value) -> bool {
    let parts = body["TransactItems"].as_array();
    parts.is_some_and(|parts| parts.iter().any(|part| part["Put"]["Item"]["state"]["S"] == "slot_held"))
}

/// The way to Popin.
struct Way(Arc<Weather>);

impl Transport for Way {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let this = &self.0;
        Box::pin(async move {
            let (cut_off, there, back) = {
                let mut rng = draw(&this.way);
                let cut_off = rng.u8(0..10) < this.unreachable.load(Ordering::Relaxed);
                (cut_off, Duration::from_millis(rng.u64(1..400)), Duration::from_millis(rng.u64(1..400)))
            };
            if cut_off && !this.is_calm() {
                this.monitor.fault("popin: not reached");
                tokio::time::sleep(there).await;
                return Err(TransportError::NotSent);
            }
            let popin = this.popin.get().expect("the world is reached before anybody calls");
            let began = this.clock.passed();
            tokio::time::sleep(there).await;
            this.monitor.leaves(&request);
            let reply = popin.send(request, timeout.saturating_sub(this.clock.passed().saturating_sub(began))).await;
            this.monitor.popin(&popin.sim);
            if this.clock.passed() + back > began + timeout {
                return Err(TransportError::Unanswered);
            }
            tokio::time::sleep(back).await;
            reply
        })
    }
}

/// The way to the seller's own URL: some calls do not leave, some are not answered, and some answers say nothing good.
struct Outside(Arc<Weather>);

impl Transport for Outside {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let this = &self.0;
        Box::pin(async move {
            let (dice, there, back) = {
                let mut rng = draw(&this.outside);
                (rng.u8(0..10), Duration::from_millis(rng.u64(1..400)), Duration::from_millis(rng.u64(1..400)))
            };
            let dice = if this.is_calm() || !this.plan.has(Trouble::Popin) { u8::MAX } else { dice };
            tokio::time::sleep(there).await;
            if dice == 0 {
                this.monitor.fault("url: not reached");
                return Err(TransportError::NotSent);
            }
            let popin = this.popin.get().expect("the world is reached before anybody calls");
            let mut reply = popin.sim.crms().handle(request).await;
            match dice {
                1 => {
                    this.monitor.fault("url: told, and does not answer");
                    tokio::time::sleep(timeout).await;
                    return Err(TransportError::Unanswered);
                }
                2 => {
                    this.monitor.fault("url: told, answers 500");
                    *reply.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                }
                3 => {
                    this.monitor.fault("url: told, answers 429");
                    *reply.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
                }
                _ => {}
            }
            tokio::time::sleep(back).await;
            Ok(reply)
        })
    }
}
