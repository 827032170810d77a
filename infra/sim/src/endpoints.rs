//! What capture, slots and schedule do for a caller that was let in.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::form::Form;
use crate::state::{Change, Customer, Endpoint, Kept, Scheduled};
use crate::webhooks::Booked;
use crate::{SellerAccount, quirks, replies, slots};

/// Popin, as one request meets it.
pub(crate) struct Desk<'a> {
    pub(crate) seller: &'a SellerAccount,
    pub(crate) kept: &'a Kept,
    pub(crate) now: Timestamp,
    pub(crate) fault: Option<Fault>,
}

/// A reply, and what changes at Popin with it.
pub(crate) struct Outcome {
    pub(crate) reply: Response<Bytes>,
    pub(crate) changes: Vec<Change>,
}

impl From<Response<Bytes>> for Outcome {
    fn from(reply: Response<Bytes>) -> Self {
        Self { reply, changes: Vec::new() }
    }
}

impl Desk<'_> {
    pub(crate) fn ask(&self, endpoint: Endpoint, body: &Value) -> Outcome {
        match endpoint {
            Endpoint::Capture => self.capture(body),
            Endpoint::Slots => {
                replies::json(StatusCode::OK, &slots::body(self.seller, &self.kept.schedules, self.now)).into()
            }
            Endpoint::Schedule => self.schedule(body),
        }
    }

    /// ASSUMPTION: only `name` and `mobile` are required; Popin's two copies of its page disagree about the rest.
    fn capture(&self, body: &Value) -> Outcome {
        let mut form = Form::new(body);
        let name = form.required("name");
        let mobile = form.required("mobile");
        let agent = form.integer("agent");
        let country = form.country();
        let [email, group] = ["email", "group"].map(|field| form.optional(field));
        let pincode = [self.seller.pin_field.as_str(), "pincode", "pin_code"].iter().find_map(|pin| form.optional(pin));
        let native = form.native();
        if let Some(refused) = form.refused() {
            return refused.into();
        }
        let Some(national) = national_digits(&mobile) else {
            return replies::refusal("The mobile number is not valid").into();
        };

        // ASSUMPTION: the country code is put in front of whatever digits came, even when they begin with it.
        let mobile = format!("+{country}{national}");
        // ASSUMPTION: a mobile that was captured before is the same customer, under the new name, with the same link.
        let known = self.kept.customer_by_mobile(&self.seller.token, &mobile);
        let row = known.map_or_else(|| self.kept.next_row(), |customer| customer.user_id);
        let customer = Customer {
            at: self.now,
            seller: self.seller.token.clone(),
            customer_id: BASE64_STANDARD.encode(row.to_string()),
            user_id: row,
            name,
            email,
            country_code: format!("+{country}"),
            phone_number: national,
            mobile,
            url: join_link(row, native),
            group,
            pincode,
            agent,
            known_by_row: self.fault == Some(Fault::StatusText) || known.is_some_and(|customer| customer.known_by_row),
        };
        let reply = json!({
            "status": 1,
            "customer_id": customer.customer_id,
            "url": customer.url,
            "message": "User captured successfully",
        });
        let told = self.kept.mode.captured(&customer, self.now);
        self.done(&reply, Change::Captured(Box::new(customer)), told)
    }

    /// ASSUMPTION: the same customer may book the same time again, as long as there is room: nothing is idempotent.
    fn schedule(&self, body: &Value) -> Outcome {
        let mut form = Form::new(body);
        let id = form.required("customer_id");
        let time = form.required("time");
        let agent = form.integer("agent");
        // ASSUMPTION: without `native: false` the caller's `url` is ignored, and the customer's link stands.
        let url = form.optional("url").filter(|_| !form.native());
        if let Some(refused) = form.refused() {
            return refused.into();
        }
        let Some(customer) = self.kept.customer_by_id(&self.seller.token, &id) else {
            return replies::refusal("Invalid customer").into();
        };
        // As it was sent: the blanks that `form` takes away are a re-formatting.
        let time = body["time"].as_str().unwrap_or(&time);
        let Some(slot) = slots::find(self.seller, &self.kept.schedules, self.now, time) else {
            return replies::refusal("The selected slot is not available").into();
        };

        let scheduled = Scheduled {
            at: self.now,
            seller: self.seller.token.clone(),
            customer_id: customer.customer_id.clone(),
            mobile: customer.mobile.clone(),
            time: time.to_owned(),
            agent,
        };
        let face = slot.strftime("%a, %b %d | %I:%M %p").to_string();
        let data = json!({ "name": customer.name, "time": face, "timezone": self.seller.timezone });
        let reply = json!({ "status": 1, "schedule": { "data": data }, "data": customer.mobile });
        let booked = Booked { at: self.now, slot, agent, url: url.unwrap_or_else(|| customer.url.clone()) };
        let told = self.kept.mode.scheduled(self.seller, customer, &booked);
        self.done(&reply, Change::Booked(scheduled), told)
    }

    /// The effect, and the webhook that tells of it, in one.
    /// ASSUMPTION: what is done through the API is told by webhook, like what people do in the widget.
    fn done(&self, reply: &Value, effect: Change, told: Value) -> Outcome {
        let told = if self.fault == Some(Fault::StatusText) { quirks::of_webhook(told) } else { told };
        let queued = self.kept.mode.queue(self.seller, &told, self.now).into_iter().map(Change::Queued);
        let changes = std::iter::once(effect).chain(queued).collect();
        Outcome { reply: replies::json(StatusCode::OK, reply), changes }
    }
}

/// ASSUMPTION: 4 to 15 digits, once blanks, dashes, dots, brackets and plus signs are gone, are a mobile number.
fn national_digits(mobile: &str) -> Option<String> {
    let bare: String = mobile.chars().filter(|c| !" -.()+".contains(*c)).collect();
    let fits = (4..=15).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(bare)
}

/// The same row has the same link. ASSUMPTION: with `native: false` it is the seller's own page, with the slug behind it.
fn join_link(row: u64, native: bool) -> String {
    let mut rng = fastrand::Rng::with_seed(row);
    let slug = format!("{}-{:04x}", rng.u16(1000..=9999), rng.u16(..));
    if native { format!("https://live.popin.to/{slug}") } else { format!("https://shop.example.com/call?c={slug}") }
}
