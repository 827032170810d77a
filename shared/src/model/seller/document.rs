//! The sellers document as it is written, and what must agree in it.

use super::{
    BookingRules, Credential, Crm, FaultyDocument, Notify, OnSilence, PinField, Popin, Reach, Secret, Seller, Sellers,
    WebhookSecrets, address::check_url, is_public_url, seconds, seconds_or_none, ten_seconds,
};
use crate::model::{
    diary::SlotRules, event::Vendor, ids::SellerId, lead::IfTaken, phone::Country, sensitive::Sensitive,
};
use jiff::SignedDuration;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use std::collections::BTreeMap;

impl Sellers {
    /// For the cloud: nothing that it names is on a private network.
    pub fn parse(json: &[u8]) -> Result<Self, FaultyDocument> {
        Self::parse_within(json, Reach::Public)
    }

    pub fn parse_within(json: &[u8], reach: Reach) -> Result<Self, FaultyDocument> {
        parse_each(json, |document: Document| document.check(reach))
    }

    /// The part that pages' functions need: whom they serve, and the key of what they store. It has no credential of a
    /// caller, of Popin or of a CRM, and a document that has one is refused.
    pub fn parse_public(json: &[u8]) -> Result<Self, FaultyDocument> {
        parse_each(json, PublicDocument::check)
    }
}

fn parse_each<D: DeserializeOwned>(
    json: &[u8],
    check: impl Fn(D) -> Result<Seller, String>,
) -> Result<Sellers, FaultyDocument> {
    let document: BTreeMap<String, serde_json::Value> = serde_json::from_slice(json)
        .map_err(|e| FaultyDocument(vec![format!("not a JSON object (line {}, column {})", e.line(), e.column())]))?;
    let mut sellers = BTreeMap::new();
    let mut faults = Vec::new();
    for (id, value) in document {
        let Ok(seller_id) = SellerId::parse(id.as_str()) else {
            faults.push("a seller's id is not of the form [a-z0-9-]{1,64}".to_owned());
            continue;
        };
        match serde_path_to_error::deserialize::<_, D>(value) {
            Ok(document) => match check(document) {
                Ok(seller) => drop(sellers.insert(seller_id, seller)),
                Err(field) => faults.push(format!("{id}: {field}")),
            },
            Err(error) => faults.push(format!("{id}: {}", fault(&error))),
        }
    }
    if faults.is_empty() { Ok(Sellers(sellers)) } else { Err(FaultyDocument(faults)) }
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

/// A schedule call must be heard out before Lambda ends the invocation.
const MOST_TIMEOUT: SignedDuration = SignedDuration::from_secs(20);

const MOST_PERSON_KEYS: usize = 5;

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
    notify: Option<Notify>,
    #[serde(default)]
    slots: SlotsDocument,
    #[serde(default)]
    booking: BookingDocument,
    #[serde(default, deserialize_with = "one_or_more")]
    person_key: Vec<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicDocument {
    name: String,
    #[serde(default = "india")]
    default_country: String,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    slots: SlotsDocument,
    /// Popin's API key where the seller has none of their own, and that may be short.
    #[serde(deserialize_with = "one_or_more")]
    person_key: Vec<Credential>,
}

impl PublicDocument {
    fn check(self) -> Result<Seller, String> {
        let Self { name, default_country, origins, slots, person_key } = self;
        if person_key.is_empty() {
            return Err("person_key is missing".into());
        }
        // These functions call no Popin.
        let none = || Credential(Sensitive::new("none".to_owned()));
        let base_url = "https://popin.invalid".to_owned();
        let (pin_field, timeout) = (PinField::default(), ten_seconds());
        let popin = Popin { base_url, api_key: none(), token: none(), pin_field, timeout };
        let whole = Document {
            name,
            default_country,
            origins,
            slots,
            popin,
            api_keys: Vec::new(),
            webhooks: BTreeMap::new(),
            crm: Crm::default(),
            notify: None,
            booking: BookingDocument::default(),
            person_key: Vec::new(),
        };
        let person_keys = person_key.into_iter().map(|key| key.0).collect();
        Ok(Seller { person_keys, ..whole.check(Reach::Public)? })
    }
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
    #[serde(deserialize_with = "seconds_or_none")]
    join_window_seconds: SignedDuration,
    max_at_once: u32,
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
            join_window_seconds: SignedDuration::from_mins(10),
            max_at_once: 4,
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

/// A secret, or a list of them: two are valid while one is rotated.
fn one_or_more<'de, S: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<S>, D::Error> {
    let secrets = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => return Ok(Vec::new()),
        serde_json::Value::Array(list) => list,
        one @ (serde_json::Value::String(_)
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Object(_)) => vec![one],
    };
    // Each former key is one more place that every event is looked for at.
    if !(1..=MOST_PERSON_KEYS).contains(&secrets.len()) {
        return Err(D::Error::custom("rule: is not a secret or a list of 1 to 5"));
    }
    secrets.into_iter().map(|secret| S::deserialize(secret).map_err(D::Error::custom)).collect()
}

fn india() -> String {
    "IN".to_owned()
}

impl Document {
    /// What serde cannot see: fields that must agree with each other. The error is the field and the rule.
    fn check(self, reach: Reach) -> Result<Seller, String> {
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
        check_url("popin.base_url", base, reach)?;
        if self.booking.url.as_deref().is_some_and(|url| !is_public_url(url)) {
            return Err("booking.url is not https, or not on the internet".into());
        }
        if let Some(unknown) = self.webhooks.keys().find(|vendor| Vendor::parse(vendor).is_none()) {
            return Err(format!("webhooks.{unknown} is not a vendor"));
        }
        if let Some((vendor, _)) = self.webhooks.iter().find(|(_, w)| w.keys.is_empty() && w.path_secrets.is_empty()) {
            return Err(format!("webhooks.{vendor} has neither keys nor path_secrets"));
        }
        self.crm.check()?;
        self.crm.check_back(reach)?;
        if let Some(notify) = &self.notify {
            notify.check(reach)?;
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
        if !(1..=100).contains(&booking.max_at_once) {
            return Err("booking.max_at_once is not from 1 to 100".into());
        }
        if booking.on_silence == OnSilence::Retry && !booking.webhooks_wired {
            return Err("booking.on_silence is retry, which needs webhooks_wired".into());
        }
        let Some(if_taken) = IfTaken::parse(&booking.if_taken) else {
            return Err("booking.if_taken is neither next nor refuse".into());
        };
        // Popin's token stands in every page's source, so it keeps no secret; its API key does.
        let mut person_keys: Vec<Sensitive<String>> = Vec::new();
        let default = Some(self.popin.api_key.expose()).filter(|_| self.person_key.is_empty());
        for key in self.person_key.iter().map(Secret::expose).chain(default) {
            let key = Sensitive::new(key.to_owned());
            if !person_keys.contains(&key) {
                person_keys.push(key);
            }
        }
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
            notify: self.notify,
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
                join_window: booking.join_window_seconds,
                max_at_once: booking.max_at_once,
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
