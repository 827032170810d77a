//! The sellers document (DESIGN section 6): a fault names the seller and the field, never the value.

use super::{diary::SlotRules, hash, ids::SellerId, lead::IfTaken, phone::Country, sensitive::Sensitive};
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;

/// Every shop that this stack serves.
#[derive(Clone, Debug, Default)]
pub struct Sellers(BTreeMap<SellerId, Seller>);

/// What is wrong with the document; all of it at once.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sellers document has faults: {}", .0.join("; "))]
pub struct FaultyDocument(pub Vec<String>);

impl Sellers {
    pub fn parse(json: &[u8]) -> Result<Self, FaultyDocument> {
        let document: BTreeMap<String, serde_json::Value> = serde_json::from_slice(json).map_err(|e| {
            FaultyDocument(vec![format!("not a JSON object (line {}, column {})", e.line(), e.column())])
        })?;
        let mut sellers = BTreeMap::new();
        let mut faults = Vec::new();
        for (id, value) in document {
            let Ok(seller_id) = SellerId::parse(id.as_str()) else {
                faults.push("a seller's id is not of the form [a-z0-9-]{1,64}".to_owned());
                continue;
            };
            match serde_path_to_error::deserialize::<_, Document>(value) {
                Ok(document) => match document.check() {
                    Ok(seller) => drop(sellers.insert(seller_id, seller)),
                    Err(field) => faults.push(format!("{id}: {field}")),
                },
                Err(error) => faults.push(format!("{id}: {}", fault(&error))),
            }
        }
        if faults.is_empty() { Ok(Self(sellers)) } else { Err(FaultyDocument(faults)) }
    }

    pub fn get(&self, id: &str) -> Option<(&SellerId, &Seller)> {
        self.0.get_key_value(&SellerId::parse(id).ok()?)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&SellerId, &Seller)> {
        self.0.iter()
    }
}

/// serde's message may repeat a value; the path and the class of the fault do not.
fn fault(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let (path, message) = (error.path().to_string(), error.inner().to_string());
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let at = |path: &str, field: &str| if path == "." { field.to_owned() } else { format!("{path}.{field}") };
    if message.starts_with("unknown field") {
        format!("{path} is not a setting")
    } else if message.starts_with("missing field") {
        format!("{} is missing", at(&path, quoted))
    } else if let Some(rule) = message.strip_prefix("rule: ") {
        format!("{path} {}", rule.split(" at line").next().unwrap_or(rule))
    } else {
        format!("{path} is unusable")
    }
}

/// A secret that others send us: empty, `.` and short ones are faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret(Sensitive<String>);

impl Secret {
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = String::deserialize(deserializer)?;
        if raw.trim().len() < 16 {
            return Err(D::Error::custom("rule: is empty or shorter than 16 characters"));
        }
        Ok(Self(Sensitive::new(raw)))
    }
}

/// A credential that a vendor gave us: its length is the vendor's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential(Sensitive<String>);

impl Credential {
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl<'de> Deserialize<'de> for Credential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => {
                return Err(D::Error::custom("rule: is not text"));
            }
        };
        if raw.trim().is_empty() || raw.trim() == "." || !raw.bytes().all(|b| (b' '..0x7f).contains(&b)) {
            return Err(D::Error::custom("rule: is empty or a dot, or not a header value"));
        }
        Ok(Self(Sensitive::new(raw)))
    }
}

/// Whole seconds from 1 up.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    match u32::deserialize(deserializer) {
        Ok(0) | Err(_) => Err(D::Error::custom("rule: is not a whole number of seconds from 1 up")),
        Ok(seconds) => Ok(SignedDuration::from_secs(i64::from(seconds))),
    }
}

#[derive(Clone, Debug)]
pub struct Seller {
    pub name: String,
    pub default_country: Country,
    /// Lower case, as browsers send them.
    pub origins: Vec<String>,
    pub api_keys: Vec<Secret>,
    pub popin: Popin,
    pub webhooks: BTreeMap<String, WebhookSecrets>,
    pub crm: Crm,
    pub slots: SlotRules,
    pub booking: BookingRules,
    /// The keys of the hash that finds a person's bookings: written with the first, looked up with all.
    pub person_keys: Vec<Sensitive<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Popin {
    pub base_url: String,
    pub api_key: Credential,
    pub token: Credential,
    #[serde(default)]
    pub pin_field: PinField,
    #[serde(default = "ten_seconds", deserialize_with = "seconds", rename = "timeout_seconds")]
    pub timeout: SignedDuration,
}

/// Popin's pages spell it in two ways (vendors.md, trap 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinField {
    #[default]
    Pincode,
    PinCode,
}

/// With both lists, both are required.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSecrets {
    pub keys: Vec<Secret>,
    pub path_secrets: Vec<Secret>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Crm {
    pub standard: Option<Standard>,
    pub hubspot: Option<HubSpot>,
    pub salesforce: Option<Salesforce>,
    pub zoho: Option<Tokens>,
    pub leadsquared: Option<Tokens>,
    pub freshsales: Option<Tokens>,
    pub pipedrive: Option<Pipedrive>,
    pub shopify: Option<Shopify>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    pub secrets: Vec<Secret>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSpot {
    pub client_secrets: Vec<Secret>,
    pub public_url: String,
    pub access_token: Option<Credential>,
    pub api_base: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Salesforce {
    pub path_secrets: Vec<Secret>,
    #[serde(default)]
    pub organization_ids: Vec<String>,
    pub api_base: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    pub tokens: Vec<Secret>,
    pub api_base: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipedrive {
    pub users: Vec<BasicUser>,
    pub api_base: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicUser {
    pub name: String,
    pub password: Secret,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shopify {
    pub secrets: Vec<Secret>,
    pub api_base: Option<String>,
}

/// What to do when a window of doubt ends with no witness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnSilence {
    #[default]
    AskHuman,
    Retry,
}

/// A schedule call must be heard out before Lambda ends the invocation.
const MOST_TIMEOUT: SignedDuration = SignedDuration::from_secs(20);

impl Seller {
    /// The keyed hash of a number or an e-mail, which indices carry in its place.
    pub fn person(&self, value: &str) -> String {
        hash::keyed(self.person_keys[0].expose(), value)
    }

    /// The same under every key that was ever written with.
    pub fn persons(&self, value: &str) -> impl Iterator<Item = String> {
        self.person_keys.iter().map(move |key| hash::keyed(key.expose(), value))
    }
}

/// Two spellings of one mailbox.
pub fn normal_email(raw: &str) -> String {
    raw.trim().to_lowercase()
}

/// What a seller lays down about bookings.
#[derive(Clone, Debug)]
pub struct BookingRules {
    pub in_doubt: SignedDuration,
    pub lease: SignedDuration,
    pub give_up: SignedDuration,
    pub max_attempts: u32,
    pub on_silence: OnSilence,
    pub if_taken: IfTaken,
    pub group: Option<String>,
    pub agent: Option<i64>,
    pub native: bool,
    pub url: Option<String>,
}

// What follows is the document as it is written; it stays in this file.

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    #[serde(default = "india")]
    default_country: String,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    api_keys: Vec<Secret>,
    popin: Popin,
    #[serde(default)]
    webhooks: BTreeMap<String, WebhookSecrets>,
    #[serde(default)]
    crm: Crm,
    #[serde(default)]
    slots: SlotsDocument,
    #[serde(default)]
    booking: BookingDocument,
    person_key: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SlotsDocument {
    #[serde(deserialize_with = "seconds")]
    refresh_seconds: SignedDuration,
    #[serde(deserialize_with = "seconds")]
    stale_after_seconds: SignedDuration,
    #[serde(deserialize_with = "seconds")]
    unusable_after_seconds: SignedDuration,
    #[serde(deserialize_with = "seconds")]
    lead_seconds: SignedDuration,
    capacity: u32,
}

impl Default for SlotsDocument {
    fn default() -> Self {
        Self {
            refresh_seconds: SignedDuration::from_mins(5),
            stale_after_seconds: SignedDuration::from_mins(15),
            unusable_after_seconds: SignedDuration::from_hours(1),
            lead_seconds: SignedDuration::from_mins(30),
            capacity: 1,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BookingDocument {
    #[serde(deserialize_with = "seconds")]
    in_doubt_seconds: SignedDuration,
    #[serde(deserialize_with = "seconds")]
    lease_seconds: SignedDuration,
    #[serde(deserialize_with = "seconds")]
    give_up_seconds: SignedDuration,
    max_attempts: u32,
    webhooks_wired: bool,
    on_silence: OnSilence,
    if_taken: String,
    group: Option<String>,
    agent: Option<i64>,
    native: bool,
    url: Option<String>,
}

impl Default for BookingDocument {
    fn default() -> Self {
        Self {
            in_doubt_seconds: SignedDuration::from_mins(15),
            lease_seconds: SignedDuration::from_mins(1),
            give_up_seconds: SignedDuration::from_hours(24),
            max_attempts: 5,
            webhooks_wired: false,
            on_silence: OnSilence::AskHuman,
            if_taken: "next".to_owned(),
            group: None,
            agent: None,
            native: true,
            url: None,
        }
    }
}

fn india() -> String {
    "IN".to_owned()
}

fn ten_seconds() -> SignedDuration {
    SignedDuration::from_secs(10)
}

impl Document {
    /// What serde cannot see: fields that must agree with each other. The error is the field and the rule.
    fn check(self) -> Result<Seller, String> {
        let Some(default_country) = Country::parse(&self.default_country) else {
            return Err("default_country is not a country".into());
        };
        for (at, origin) in self.origins.iter().enumerate() {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if !host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', '?', '#', ' '])) {
                return Err(format!("origins[{at}] is not an origin (scheme and host, no path)"));
            }
        }
        let base = self.popin.base_url.trim_end_matches('/');
        if !base.starts_with("https://") && !base.starts_with("http://") || base.contains(['?', '#', ' ']) {
            return Err("popin.base_url is not a URL".into());
        }
        if let Some(unknown) = self.webhooks.keys().find(|vendor| super::event::Vendor::parse(vendor).is_none()) {
            return Err(format!("webhooks.{unknown} is not a vendor"));
        }
        if let Some((vendor, _)) = self.webhooks.iter().find(|(_, w)| w.keys.is_empty() && w.path_secrets.is_empty()) {
            return Err(format!("webhooks.{vendor} has neither keys nor path_secrets"));
        }
        let standard = self.crm.standard.iter().flat_map(|standard| &standard.secrets);
        if let Some(at) = standard
            .map(Secret::expose)
            .position(|secret| !secret.starts_with("whsec_") && !secret.starts_with("whpk_"))
        {
            return Err(format!("crm.standard.secrets[{at}] begins with neither whsec_ nor whpk_"));
        }
        if !(1..=1000).contains(&self.slots.capacity) {
            return Err("slots.capacity is not from 1 to 1000".into());
        }
        let (slots, booking) = (&self.slots, &self.booking);
        if slots.unusable_after_seconds < slots.stale_after_seconds {
            return Err("slots.unusable_after_seconds is shorter than stale_after_seconds".into());
        }
        if booking.max_attempts == 0 {
            return Err("booking.max_attempts is not from 1 up".into());
        }
        if booking.on_silence == OnSilence::Retry && !booking.webhooks_wired {
            return Err("booking.on_silence is retry, which needs webhooks_wired".into());
        }
        let Some(if_taken) = IfTaken::parse(&booking.if_taken) else {
            return Err("booking.if_taken is neither next nor refuse".into());
        };
        let own = self.person_key.as_ref().map(Secret::expose);
        let person_keys =
            own.into_iter().chain([self.popin.token.expose()]).map(|key| Sensitive::new(key.to_owned())).collect();
        if self.popin.timeout > MOST_TIMEOUT {
            return Err("popin.timeout_seconds is longer than 20".into());
        }
        Ok(Seller {
            name: self.name,
            default_country,
            origins: self.origins.iter().map(|origin| origin.to_ascii_lowercase()).collect(),
            api_keys: self.api_keys,
            popin: Popin { base_url: base.to_owned(), ..self.popin },
            webhooks: self.webhooks,
            crm: self.crm,
            slots: SlotRules {
                refresh: slots.refresh_seconds,
                stale_after: slots.stale_after_seconds,
                unusable_after: slots.unusable_after_seconds,
                lead: slots.lead_seconds,
                capacity: slots.capacity,
            },
            booking: BookingRules {
                in_doubt: booking.in_doubt_seconds,
                lease: booking.lease_seconds,
                give_up: booking.give_up_seconds,
                max_attempts: booking.max_attempts,
                on_silence: booking.on_silence,
                if_taken,
                group: self.booking.group,
                agent: self.booking.agent,
                native: self.booking.native,
                url: self.booking.url,
            },
            person_keys,
        })
    }
}

#[cfg(test)]
mod tests;
