//! Any webhook event that Popin documents, on request, about somebody it may never have seen.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::slots;
use crate::state::{Change, Customer, Kept};
use crate::webhooks::Queued;
use crate::{SellerAccount, Sim};

/// The documented events of a call or a booking, that are sent by webhook.
const EVENTS: [&str; 11] = [
    "popin_call_successful",
    "popin_call_missed",
    "popin_call_abandoned",
    "popin_call_remark_added",
    "popin_call_rated",
    "popin_call_guest_connected",
    "popin_scheduled_created",
    "popin_scheduled_notification",
    "popin_prescheduled_notification",
    "popin_missed_notification",
    "popin_user_captured",
];

/// What begins like this has another body.
const OUTGOING: &str = "popin_outgoing_call_";

const OUTGOING_ENDS: [&str; 11] = [
    "initiated",
    "ringing",
    "accepted",
    "started",
    "successful",
    "missed",
    "abandoned",
    "network_failure",
    "declined",
    "busy",
    "customer_unavailable",
];

pub(crate) fn documented() -> impl Iterator<Item = String> {
    EVENTS.map(str::to_owned).into_iter().chain(OUTGOING_ENDS.map(|end| format!("{OUTGOING}{end}")))
}

/// `POST /_sim/events`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventOrder {
    /// The seller's token; not needed where there is only one.
    seller: Option<String>,
    event: String,
    /// E.164, or as it was captured; the last one captured when absent.
    #[serde(default)]
    mobile: Option<String>,
}

impl Sim {
    /// Puts the event into the outbox, due now, whatever the webhook mode; the answer is its body.
    pub(crate) fn send_event(&self, order: &EventOrder) -> Result<Value, String> {
        let now = self.now();
        let mut inside = self.inside();
        let seller = match &order.seller {
            Some(token) => inside.sellers.iter().find(|seller| &seller.token == token),
            None => inside.sellers.first(),
        };
        let seller = seller.ok_or("no seller has this token")?.clone();
        let target = seller.webhook.as_ref().ok_or("this seller has no webhook")?;
        let kept = inside.books.kept();
        let customer = customer(kept, &seller, order.mobile.as_deref(), now);
        if !documented().any(|event| event == order.event) {
            return Err(format!("Popin documents only {}", documented().collect::<Vec<_>>().join(", ")));
        }
        let body = if order.event.starts_with(OUTGOING) {
            outgoing(&order.event, &customer, now)
        } else {
            let properties = Told { kept, seller: &seller, customer: &customer, now }.properties(&order.event);
            kept.mode.body(&order.event, &customer, now, &properties)
        };
        let queued = Queued::new(target, body.clone(), now);
        inside.books.commit_anyway(vec![Change::Queued(queued)]);
        self.0.queued.notify_one();
        Ok(body)
    }
}

/// Who was captured under that mobile, else somebody made up who has it.
fn customer(kept: &Kept, seller: &SellerAccount, mobile: Option<&str>, now: Timestamp) -> Customer {
    let wanted = |c: &&Customer| mobile.is_none_or(|mobile| c.mobile == mobile || c.phone_number == mobile);
    let known = kept.customers.iter().rev().filter(|customer| customer.seller == seller.token).find(wanted);
    known.cloned().unwrap_or_else(|| {
        let mobile = mobile.unwrap_or("9544510895");
        let national = mobile.strip_prefix("+91").unwrap_or(mobile).to_owned();
        Customer {
            at: now,
            seller: seller.token.clone(),
            customer_id: "NTg1NTk=".to_owned(),
            user_id: 58559,
            name: "Demo".to_owned(),
            email: Some("demo@example.com".to_owned()),
            country_code: "+91".to_owned(),
            mobile: format!("+91{national}"),
            phone_number: national,
            url: "https://live.popin.to/8131-a157".to_owned(),
            group: None,
            pincode: None,
            agent: None,
            known_by_row: false,
        }
    })
}

/// What an event's properties are made of.
struct Told<'a> {
    kept: &'a Kept,
    seller: &'a SellerAccount,
    customer: &'a Customer,
    now: Timestamp,
}

impl Told<'_> {
    /// ASSUMPTION: what the guide leaves open: the notifications' bodies, that `call_duration` is seconds, `rating` text.
    fn properties(&self, event: &str) -> Value {
        let customer = self.customer;
        match event {
            "popin_call_successful" => self.call(&json!({ "call_duration": "185" })),
            "popin_call_remark_added" => {
                self.call(&json!({ "call_duration": "185", "remark": "Asked for a smaller ring" }))
            }
            "popin_call_rated" => self.call(&json!({ "rating": "5", "comments": "Very helpful" })),
            "popin_call_guest_connected" => json!({
                "customer_name": customer.name,
                "customer_email": customer.email,
                "customer_country_code": customer.country_code,
                "customer_phone_number": customer.phone_number,
            }),
            "popin_scheduled_created" | "popin_scheduled_notification" | "popin_prescheduled_notification" => {
                self.appointment()
            }
            "popin_user_captured" => json!({ "customer_name": customer.name, "url": customer.url }),
            _ => json!({ "customer_name": customer.name, "url": customer.url, "product": "Ring", "meta": {} }),
        }
    }

    /// Those of a call that an agent took.
    fn call(&self, more: &Value) -> Value {
        let mut properties = json!({
            "customer_name": self.customer.name,
            "url": self.customer.url,
            "agent_name": "Sasha",
            "agent_email": "agent@example.com",
            "product": "Ring",
            "meta": {},
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            properties[name] = value.clone();
        }
        properties
    }

    /// The customer's last booking, else the first slot that one could be in.
    fn appointment(&self) -> Value {
        let theirs = self.kept.schedules.iter().rev().find(|booked| booked.customer_id == self.customer.customer_id);
        let slot = theirs
            .and_then(|booked| slots::parse(&booked.time))
            .or_else(|| slots::first(self.seller, &self.kept.schedules, self.now))
            .unwrap_or_default();
        let agent = theirs.and_then(|booked| booked.agent);
        self.kept.mode.appointment(self.customer, slot, agent, &self.customer.url)
    }
}

/// ASSUMPTION: all eleven look like the one that Popin shows, and go to the same URL; a network failure names who dropped.
fn outgoing(event: &str, customer: &Customer, now: Timestamp) -> Value {
    let mut body = json!({
        "event": event,
        "session_id": format!("bf0b3a76-0596-4602-a2c3-{:012x}", customer.user_id),
        "user_id": customer.user_id,
        "call_id": 28844,
        "schedule_id": null,
        "agent": { "name": "Sasha", "email": "agent@example.com" },
        "user": {
            "name": customer.name,
            "email": customer.email,
            "phone_number": customer.phone_number,
            "country_code": customer.country_code,
        },
        "meta": { "product": {
            "name": "Wireless Headphones",
            "id": "SKU-123",
            "url": "https://example.com/products/headphones",
        } },
        "timestamp": now.as_second(),
    });
    if event.ends_with("network_failure") {
        body["participant"] = "user".into();
    }
    body
}
