//! Behind the front door: what a flow works with, for tests that call one themselves.

use crate::shop::{Shop, TestClock};
use bytes::Bytes;
use frontdesk::{
    flow::{Desk, Random},
    model::seller::Sellers,
    popin::{Transport, TransportError},
    store::{Bookings, Events},
};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use local::world::SimTransport;
use serde_json::Value;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The shop's own tables, clock and Popin, with a document and a chance of its own.
pub struct BackRoom {
    sellers: Sellers,
    bookings: Bookings,
    events: Events,
    transport: Box<dyn Transport>,
    clock: Arc<TestClock>,
    random: Random,
}

impl BackRoom {
    pub fn of(shop: &Shop, document: &Value, seed: u64) -> Self {
        Self::over(shop, document, seed, SimTransport { sim: shop.world.sim.clone() })
    }

    pub fn over(shop: &Shop, document: &Value, seed: u64, transport: impl Transport + 'static) -> Self {
        Self {
            sellers: Sellers::parse(document.to_string().as_bytes()).expect("the test's own sellers are good"),
            bookings: shop.bookings_table(),
            events: shop.events_table(),
            transport: Box::new(transport),
            clock: shop.clock.clone(),
            random: Random::from_seed(seed),
        }
    }

    pub fn desk(&self) -> Desk<'_> {
        let (id, seller) = self.sellers.get("acme").expect("acme is a seller");
        Desk {
            clock: &*self.clock,
            random: &self.random,
            transport: &*self.transport,
            bookings: &self.bookings,
            slots: &self.bookings.slots,
            events: &self.events,
            id,
            seller,
        }
    }
}

/// Something else happens while the first call to Popin at `path` is under way.
pub struct Meanwhile {
    way: SimTransport,
    path: &'static str,
    event: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Meanwhile {
    pub fn at(path: &'static str, shop: &Shop, event: BoxFuture<'static, ()>) -> Self {
        Self { way: SimTransport { sim: shop.world.sim.clone() }, path, event: Mutex::new(Some(event)) }
    }
}

impl Transport for Meanwhile {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            if request.uri().path().ends_with(self.path) {
                let event = self.event.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(event) = event {
                    event.await;
                }
            }
            self.way.send(request, timeout).await
        })
    }
}
