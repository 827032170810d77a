//! Popin's webhooks: their bodies in both documented versions, and how they are told to go out.

use bytes::Bytes;
use jiff::civil::DateTime;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::state::Customer;
use crate::{SellerAccount, WebhookTarget};

/// One delivery to make. `X-API-KEY` carries `api_key`.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub url: String,
    pub api_key: String,
    pub body: Bytes,
    pub event: String,
    pub due: Timestamp,
}

/// How webhooks go out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookMode {
    pub on: bool,
    /// 1 or 2: the older and the newer copy of Popin's guide.
    pub version: u8,
    pub delay_ms: u64,
    pub copies: u32,
    pub date_spelling: DateSpelling,
    /// Names the slot after the one that was booked.
    pub wrong_slot: bool,
}

impl Default for WebhookMode {
    fn default() -> Self {
        let date_spelling = DateSpelling::Named;
        Self { on: true, version: 2, delay_ms: 300, copies: 1, date_spelling, wrong_slot: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateSpelling {
    /// `27-Feb-2026`, as documented.
    Named,
    /// `27-2-2026`, which a receiver in the wild was ready for.
    Numeric,
}

/// A webhook in the outbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Queued {
    /// Given when it is queued.
    pub(crate) number: u64,
    pub(crate) url: String,
    pub(crate) api_key: String,
    pub(crate) event: String,
    pub(crate) body: Value,
    #[serde(with = "crate::instant")]
    pub(crate) due: Timestamp,
}

impl Queued {
    pub(crate) fn new(target: &WebhookTarget, body: Value, due: Timestamp) -> Self {
        let event = body["event"].as_str().unwrap_or_default().to_owned();
        Self { number: 0, url: target.url.clone(), api_key: target.api_key.clone(), event, body, due }
    }

    pub(crate) fn webhook(&self) -> Webhook {
        Webhook {
            url: self.url.clone(),
            api_key: self.api_key.clone(),
            body: Bytes::from(self.body.to_string()),
            event: self.event.clone(),
            due: self.due,
        }
    }
}

impl WebhookMode {
    /// The copies of one webhook that go to the outbox.
    pub(crate) fn queue(&self, seller: &SellerAccount, body: &Value, now: Timestamp) -> Vec<Queued> {
        let delay = i64::try_from(self.delay_ms).unwrap_or(i64::MAX);
        let due = now.checked_add(jiff::SignedDuration::from_millis(delay)).unwrap_or(Timestamp::MAX);
        let copies = if self.on { self.copies as usize } else { 0 };
        let targets = seller.webhook.iter().flat_map(|target| std::iter::repeat_n(target, copies));
        targets.map(|target| Queued::new(target, body.clone(), due)).collect()
    }

    pub(crate) fn captured(&self, customer: &Customer, at: Timestamp) -> Value {
        let properties = json!({ "customer_name": customer.name, "url": customer.url });
        self.body("popin_user_captured", customer, at, &properties)
    }

    pub(crate) fn scheduled(&self, seller: &SellerAccount, customer: &Customer, booked: &Booked) -> Value {
        let said = if self.wrong_slot { booked.slot + i64::from(seller.slot_minutes).minutes() } else { booked.slot };
        let properties = self.appointment(customer, said, booked.agent, &booked.url);
        self.body("popin_scheduled_created", customer, booked.at, &properties)
    }

    /// The properties of the events about an appointment.
    /// ASSUMPTION: `_local` says the same as its twin, and the zone of both is the seller's.
    pub(crate) fn appointment(&self, customer: &Customer, slot: DateTime, agent: Option<i64>, url: &str) -> Value {
        let date = match self.date_spelling {
            DateSpelling::Named => slot.strftime("%d-%b-%Y").to_string(),
            DateSpelling::Numeric => slot.strftime("%-d-%-m-%Y").to_string(),
        };
        let time = slot.strftime("%I:%M %p").to_string();
        let agent = agent.map_or_else(|| "Sasha".to_owned(), |agent| format!("Agent {agent}"));
        let mut properties = json!({
            "customer_name": customer.name,
            "scheduled_date": date,
            "scheduled_time": time,
            "url": url,
            "agent_name": agent,
        });
        if self.version != 1 {
            properties["scheduled_date_local"] = date.into();
            properties["scheduled_time_local"] = time.into();
            properties["agent_email"] = "agent@example.com".into();
        }
        properties
    }

    /// ASSUMPTION: `timestamp` is the event's own, in unix seconds, as a string of digits; what is not known is null.
    /// ASSUMPTION: an undocumented `meta` comes along at the top level; a receiver in the wild met one.
    pub(crate) fn body(&self, event: &str, customer: &Customer, at: Timestamp, properties: &Value) -> Value {
        let mut body = json!({
            "event": event,
            "user_id": customer.user_id.to_string(),
            "email": customer.email,
            "country_code": customer.country_code,
            "phone_number": customer.phone_number,
            "properties": properties,
        });
        if self.version != 1 {
            body["full_phone_number"] = customer.mobile.as_str().into();
            body["timestamp"] = at.as_second().to_string().into();
            body["meta"] = json!({});
        }
        body
    }
}

/// A booking, as its webhook tells it.
pub(crate) struct Booked {
    pub(crate) at: Timestamp,
    pub(crate) slot: DateTime,
    pub(crate) agent: Option<i64>,
    pub(crate) url: String,
}
