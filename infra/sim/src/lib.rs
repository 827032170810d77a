//! Popin as a simulator: it remembers whom it captured and what it booked, answers as documented, and misbehaves on request.
//!
//! It shares no code with Frontdesk, so that what the two agree on was written twice. Whatever it takes for granted beyond
//! Popin's pages is marked `ASSUMPTION:` where it is decided.

mod api;
mod controls;
pub mod crms;
mod delivery;
mod endpoints;
mod events;
mod faults;
mod form;
mod instant;
mod journal;
mod quirks;
mod readback;
mod replies;
mod slots;
mod state;
#[cfg(test)]
mod tests;
mod webhooks;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

pub use crate::crms::{CrmFault, CrmFaultOrder, Crms};
pub use crate::faults::{Fault, FaultOrder, Target};
pub use crate::readback::{RecordFault, RecordRead};
pub use crate::replies::ConnectionReset;
pub use crate::state::{Call, Customer, Endpoint, Scheduled};
pub use crate::webhooks::{DateSpelling, Webhook, WebhookMode};

use crate::faults::Faults;
use crate::journal::Books;
use crate::readback::Records;
use crate::state::{Change, Kept};

/// What a simulator starts from.
pub struct Options {
    pub sellers: Vec<SellerAccount>,
    /// The clock: slots, webhooks and records go by it.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The file that holds the state, so that a killed process finds it again; none keeps it in memory.
    /// Kept are customers, bookings, calls, the outbox and the webhook mode; sellers and faults are not.
    pub data: Option<PathBuf>,
}

/// A seller's account at Popin.
#[derive(Clone, Debug)]
pub struct SellerAccount {
    pub token: String,
    pub api_key: String,
    /// An IANA name. One that nobody knows is told to callers as it is, and its slots are counted in UTC.
    pub timezone: String,
    pub slot_minutes: u32,
    /// The hours of the day, in the seller's zone.
    pub opens: u8,
    pub closes: u8,
    /// How many days are listed, today included.
    pub days: u16,
    /// How often one slot can be booked.
    pub capacity: u32,
    /// `pincode` or `pin_code`: the spelling that wins when a caller sends both.
    pub pin_field: String,
    pub webhook: Option<WebhookTarget>,
}

impl SellerAccount {
    pub fn new(token: impl Into<String>, api_key: impl Into<String>) -> Self {
        Self {
            token: token.into(),
            api_key: api_key.into(),
            timezone: "Asia/Kolkata".to_owned(),
            slot_minutes: 15,
            opens: 10,
            closes: 20,
            days: 7,
            capacity: 1,
            pin_field: "pincode".to_owned(),
            webhook: None,
        }
    }
}

/// Where a seller wants its webhooks.
#[derive(Clone, Debug)]
pub struct WebhookTarget {
    pub url: String,
    pub api_key: String,
}

/// Why the simulator's state could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the simulator's data file cannot be used")]
    File(#[from] std::io::Error),
    #[error("the simulator's data file is damaged at line {line}")]
    Damaged { line: usize, source: serde_json::Error },
}

/// One Popin. Clones are the same Popin.
#[derive(Clone)]
pub struct Sim(Arc<Shared>);

struct Shared {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    inside: Mutex<Inside>,
    /// The outbox changed.
    queued: Notify,
    /// Held replies may leave.
    released: Notify,
    crms: Crms,
}

struct Inside {
    sellers: Vec<SellerAccount>,
    faults: Faults,
    books: Books,
    records: Records,
}

impl Sim {
    pub fn new(options: Options) -> Result<Self, Error> {
        let inside = Inside {
            sellers: options.sellers,
            faults: Faults::default(),
            books: Books::open(options.data.as_deref())?,
            records: Records::default(),
        };
        Ok(Self(Arc::new(Shared {
            crms: Crms::new(options.now.clone()),
            now: options.now,
            inside: Mutex::new(inside),
            queued: Notify::new(),
            released: Notify::new(),
        })))
    }

    /// The CRMs that live beside Popin here.
    pub fn crms(&self) -> &Crms {
        &self.0.crms
    }

    /// Every call to a known endpoint, in order, with those that were refused or faulted.
    pub fn calls(&self) -> Vec<Call> {
        self.inside().books.kept().calls.iter().cloned().collect()
    }

    /// The bookings that exist at Popin: the truth that "at most one effect" is held against.
    pub fn schedules(&self) -> Vec<Scheduled> {
        self.inside().books.kept().schedules.clone()
    }

    pub fn customers(&self) -> Vec<Customer> {
        self.inside().books.kept().customers.clone()
    }

    pub fn add_fault(&self, fault: FaultOrder) {
        self.inside().faults.add(fault);
    }

    pub fn clear_faults(&self) {
        self.inside().faults.clear();
    }

    pub fn webhooks(&self) -> WebhookMode {
        self.inside().books.kept().mode.clone()
    }

    /// From now on; what is in the outbox already stays as it is.
    pub fn set_webhooks(&self, mode: WebhookMode) {
        self.commit(vec![Change::Mode(mode)]);
    }

    /// Adds a seller, or replaces the one with the same token.
    pub fn add_seller(&self, account: SellerAccount) {
        let mut inside = self.inside();
        inside.sellers.retain(|seller| seller.token != account.token);
        inside.sellers.push(account);
    }

    /// Lets every held reply leave.
    pub fn release(&self) {
        self.0.released.notify_waiters();
    }

    /// Forgets everything but the sellers: customers, bookings, calls, faults, outbox, webhook mode, and what the CRMs know.
    /// Held replies leave first.
    pub fn reset(&self) {
        self.release();
        self.clear_faults();
        self.0.crms.reset();
        // A webhook on its way must not be taken for one that comes after.
        let queued = self.inside().books.kept().queued;
        self.commit(vec![Change::Everything(Box::new(Kept { queued, ..Kept::default() }))]);
    }

    fn now(&self) -> Timestamp {
        (self.0.now)()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For changes that no caller waits for: a file that cannot be written is logged, and memory goes on without it.
    fn commit(&self, changes: Vec<Change>) {
        self.inside().books.commit_anyway(changes);
        self.0.queued.notify_one();
    }
}
