//! One file per use case: a flow decides, and reads top to bottom. Time, chance and the network reach it as arguments.

pub mod access;
pub mod advance_booking;
pub mod forget_person;
pub mod read_slots;
pub mod refresh_slots;
pub mod requarantine;
pub mod request_booking;
pub mod resolve_booking;
pub mod retry_write_backs;
pub mod take_event;
pub mod witness;
pub mod write_back;
pub mod write_budget;

pub use advance_booking::advance_booking;
pub use forget_person::{forget_person, resume_erasure};
pub use read_slots::read_slots;
pub use refresh_slots::refresh_slots;
pub use requarantine::requarantine;
pub use request_booking::request_booking;
pub use resolve_booking::resolve_booking;
pub use retry_write_backs::retry_write_backs;
pub use take_event::{take_page_events, take_webhook};
pub use witness::witness;
pub use write_back::write_back;
pub use write_budget::WriteBudget;

use crate::{
    model::{ids::SellerId, seller::Seller},
    popin::Transport,
    store::{Bookings, Events, Slots},
};
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};

/// What time it is: the system's, or a simulation's.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// Chance from one seed.
#[derive(Debug)]
pub struct Random(Mutex<fastrand::Rng>);

impl Random {
    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// A seed that differs with every process.
    pub fn from_entropy() -> Self {
        Self(Mutex::new(fastrand::Rng::new()))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// In 0..1.
    pub fn chance(&self) -> f64 {
        self.with(fastrand::Rng::f64)
    }

    /// A UUID of version 7: unique, and in the order of time.
    pub fn id(&self, now: Timestamp) -> String {
        let mut bytes = [0; 10];
        self.with(|rng| rng.fill(&mut bytes));
        let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().to_string()
    }
}

/// All that a flow about one seller's bookings works with.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    pub clock: &'a dyn Clock,
    pub random: &'a Random,
    pub transport: &'a dyn Transport,
    pub bookings: &'a Bookings,
    pub slots: &'a Slots,
    pub events: &'a Events,
    pub id: &'a SellerId,
    pub seller: &'a Seller,
}
