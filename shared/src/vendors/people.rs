//! Whom an event is about, for whoever must find or forget a person.

use super::fields;
use crate::model::{
    event::{Draft, Vendor},
    kind::Kind,
    people::{self, Identifier},
    phone::Country,
    trust::{Action, Trust},
};
use serde_json::Value;
use std::collections::HashSet;

/// Everybody in a payload, and in what is stored beside it: a page's address, and a name that no vendor gave. Shop staff
/// are persons too. Of what anyone may send each number is read once: every reading costs an entry.
pub fn people(draft: &Draft, page: Option<&str>, home: Country, trust: Trust) -> Vec<Identifier> {
    everybody(draft, draft.data.expose().get(), page, home, trust)
}

/// The same without the shop's staff. In a payload that cannot be parsed, they cannot be told apart.
pub fn customers(draft: &Draft, page: Option<&str>, home: Country, trust: Trust) -> Vec<Identifier> {
    let data = draft.data.expose().get();
    everybody(draft, without_staff(data).as_deref().unwrap_or(data), page, home, trust)
}

fn everybody(draft: &Draft, data: &str, page: Option<&str>, home: Country, trust: Trust) -> Vec<Identifier> {
    let find = if Action::Identify.allowed_to(trust) { people::find } else { people::find_once };
    let named = Some(draft.name.as_str()).filter(|_| draft.kind == Kind::Unknown);
    let texts = [Some(data), named, page];
    let mut seen = HashSet::new();
    let everybody = texts.into_iter().flatten().flat_map(|text| find(text, home));
    everybody.filter(|one| seen.insert(one.value().to_owned())).collect()
}

/// The vendor's own id of the person in a webhook's payload. A page's word for it is worth nothing.
pub fn user(vendor: Vendor, data: &str) -> Option<String> {
    match vendor {
        Vendor::Popin => fields::id(serde_json::from_str::<Value>(data).ok()?.get("user_id")),
        Vendor::ChiliPiper | Vendor::Fullview => None,
    }
}

/// The person's own numbers and addresses in a webhook's payload, by the fields that the vendor has for them.
pub fn contacts(vendor: Vendor, data: &str, home: Country) -> Vec<Identifier> {
    let Ok(body) = serde_json::from_str::<Value>(data) else { return Vec::new() };
    match vendor {
        Vendor::Popin => {
            let fields = ["email", "full_phone_number", "phone_number", "country_code", "user"];
            let own = fields.into_iter().filter_map(|name| Some((name.to_owned(), body.get(name)?.clone())));
            people::find(&Value::Object(own.collect()).to_string(), home)
        }
        Vendor::ChiliPiper | Vendor::Fullview => Vec::new(),
    }
}

/// Words in the keys of those who work at the shop: one agent is in the events of all customers.
const STAFF: [&str; 4] = ["agent", "host", "assignee", "booker"];

/// Whether a payload tells of somebody as one of the staff alone. Of one that cannot be parsed, nobody can say so.
pub fn only_of_staff(data: &str, is_them: impl Fn(&Identifier) -> bool, home: Country) -> bool {
    let Some(customers) = without_staff(data) else { return false };
    let found = |text: &str| people::find(text, home).iter().any(&is_them);
    found(data) && !found(&customers)
}

fn without_staff(data: &str) -> Option<String> {
    let mut value = serde_json::from_str(data).ok()?;
    leave_out_staff(&mut value);
    Some(value.to_string())
}

fn leave_out_staff(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !STAFF.iter().any(|staff| key.to_lowercase().contains(staff)));
            map.values_mut().for_each(leave_out_staff);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_staff),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
