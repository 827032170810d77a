//! Behind the front door: what a flow works with, for tests that call one themselves.

use crate::shop::{Shop, TestClock};
use frontdesk::{
    flow::{Desk, Random},
    model::seller::Sellers,
    store::Bookings,
};
use local::world::SimTransport;
use serde_json::Value;
use std::sync::Arc;

/// The shop's own tables, clock and Popin, with a document and a chance of its own.
pub struct BackRoom {
    sellers: Sellers,
    bookings: Bookings,
    transport: SimTransport,
    clock: Arc<TestClock>,
    random: Random,
}

impl BackRoom {
    pub fn of(shop: &Shop, document: &Value, seed: u64) -> Self {
        Self {
            sellers: Sellers::parse(document.to_string().as_bytes()).expect("the test's own sellers are good"),
            bookings: shop.bookings_table(),
            transport: SimTransport { sim: shop.world.sim.clone() },
            clock: shop.clock.clone(),
            random: Random::from_seed(seed),
        }
    }

    pub fn desk(&self) -> Desk<'_> {
        let (id, seller) = self.sellers.get("acme").expect("acme is a seller");
        Desk {
            clock: &*self.clock,
            random: &self.random,
            transport: &self.transport,
            bookings: &self.bookings,
            slots: &self.bookings.slots,
            id,
            seller,
        }
    }
}
