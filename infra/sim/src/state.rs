//! What Popin remembers, and the changes that are the only way to alter it.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::webhooks::{Queued, WebhookMode};

/// Popin's documented endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    Capture,
    Slots,
    Schedule,
}

impl Endpoint {
    /// Any prefix will do, so that a caller's base URL can have one.
    pub(crate) fn at(path: &str) -> Option<Self> {
        [Self::Capture, Self::Slots, Self::Schedule].into_iter().find(|endpoint| path.ends_with(endpoint.path()))
    }

    fn path(self) -> &'static str {
        match self {
            Self::Capture => "/external/capture",
            Self::Slots => "/external/slots",
            Self::Schedule => "/external/schedule",
        }
    }
}

/// One request to Popin's API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
    pub endpoint: Endpoint,
    /// The token, when a seller has it.
    pub seller: Option<String>,
    /// 0 when no reply ever leaves: it hung, or the connection was reset.
    pub status: u16,
    /// It captured somebody or booked something. Reading slots has no effect.
    pub took_effect: bool,
    pub fault: Option<String>,
    /// The body; null when there is none, or when it is not JSON.
    pub request: Value,
    /// The three documented headers were there and right.
    pub headers_ok: bool,
}

/// A booking that Popin made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scheduled {
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
    /// The seller's token.
    pub seller: String,
    pub customer_id: String,
    /// E.164.
    pub mobile: String,
    /// Exactly as it was sent, which is exactly as it was offered.
    pub time: String,
    pub agent: Option<i64>,
}

/// Somebody Popin captured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// When it was last captured.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
    /// The seller's token.
    pub seller: String,
    pub customer_id: String,
    /// The row that `customer_id` is the base64 of; webhooks carry it as `user_id`.
    pub user_id: u64,
    pub name: String,
    pub email: Option<String>,
    /// With its plus sign, as webhooks have it.
    pub country_code: String,
    /// Without the country code.
    pub phone_number: String,
    /// E.164.
    pub mobile: String,
    pub url: String,
    pub group: Option<String>,
    pub pincode: Option<String>,
    pub agent: Option<i64>,
    /// The fault `status_text` gave its id out as a bare row number, so that is taken back as well.
    pub known_by_row: bool,
}

/// All that outlives a restart.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) customers: Vec<Customer>,
    pub(crate) schedules: Vec<Scheduled>,
    pub(crate) calls: VecDeque<Call>,
    pub(crate) outbox: Vec<Queued>,
    /// Counts the webhooks ever queued; each is known by its number.
    pub(crate) queued: u64,
    pub(crate) mode: WebhookMode,
}

/// One alteration. Those of one request are written, and read back, together or not at all.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Everything(Box<Kept>),
    Called(Box<Call>),
    Captured(Box<Customer>),
    Booked(Scheduled),
    Queued(Queued),
    /// A webhook's one try ended.
    Tried(u64),
    Mode(WebhookMode),
}

impl Kept {
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Everything(kept) => *self = *kept,
            Change::Called(call) => self.calls.push_back(*call),
            Change::Captured(customer) => match self.customers.iter_mut().find(|c| c.user_id == customer.user_id) {
                Some(known) => *known = *customer,
                None => self.customers.push(*customer),
            },
            Change::Booked(scheduled) => self.schedules.push(scheduled),
            Change::Queued(queued) => {
                self.outbox.push(Queued { number: self.queued, ..queued });
                self.queued += 1;
            }
            Change::Tried(number) => self.outbox.retain(|queued| queued.number != number),
            Change::Mode(mode) => self.mode = mode,
        }
    }

    pub(crate) fn customer_by_mobile(&self, seller: &str, mobile: &str) -> Option<&Customer> {
        self.customers.iter().find(|customer| customer.seller == seller && customer.mobile == mobile)
    }

    pub(crate) fn customer_by_id(&self, seller: &str, id: &str) -> Option<&Customer> {
        self.customers.iter().find(|customer| {
            let named = customer.customer_id == id || (customer.known_by_row && customer.user_id.to_string() == id);
            customer.seller == seller && named
        })
    }

    /// The documented sample's row first. Rows are shared with everybody else's customers, so the next one is far off, and
    /// its base64 is padded.
    pub(crate) fn next_row(&self) -> u64 {
        self.customers.last().map_or(315, |last| (last.user_id + 1).max(3155))
    }

    /// The webhook that is due first.
    pub(crate) fn next_webhook(&self) -> Option<&Queued> {
        self.outbox.iter().min_by_key(|queued| (queued.due, queued.number))
    }
}
