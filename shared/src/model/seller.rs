//! The sellers document: a fault names the seller and the field, never the value.

use super::{
    diary::SlotRules, hash, ids::SellerId, lead::IfTaken, phone::Country, sensitive::Sensitive, write_back::Destination,
};
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;

mod address;
pub mod crm;
mod document;
pub mod mapping;
mod revoked;
mod write_back;

pub use address::{Reach, is_private_host, is_public, is_public_url};
pub use crm::Crm;
pub use write_back::{
    Back, Fields, FreshsalesBack, HubSpotBack, LeadSquaredBack, Notify, PipedriveBack, SalesforceBack, ShopifyBack,
    ZohoBack,
};

/// Every shop that this stack serves.
#[derive(Clone, Debug, Default)]
pub struct Sellers(BTreeMap<SellerId, Seller>);

/// What is wrong with the document; all of it at once.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sellers document has faults: {}", .0.join("; "))]
pub struct FaultyDocument(pub Vec<String>);

impl Sellers {
    pub fn get(&self, id: &str) -> Option<(&SellerId, &Seller)> {
        self.0.get_key_value(&SellerId::parse(id).ok()?)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&SellerId, &Seller)> {
        self.0.iter()
    }
}

/// A secret that others send us: empty, `.` and short ones are faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret(Sensitive<String>);

impl Secret {
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// For published vectors, whose secrets no document may have.
    #[cfg(test)]
    pub(crate) fn of_any_length(raw: String) -> Self {
        Self(Sensitive::new(raw))
    }

    /// Whether `given` is one of the secrets; each is looked at, so that time tells nothing.
    pub fn among(secrets: &[Self], given: &[u8]) -> bool {
        let mut found = subtle::Choice::from(0);
        for secret in secrets {
            found |= secret.expose().as_bytes().ct_eq(given);
        }
        found.into()
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

/// Whole seconds; 0 turns it off.
fn seconds_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    let seconds =
        u32::deserialize(deserializer).map_err(|_| D::Error::custom("rule: is not a whole number of seconds"))?;
    Ok(SignedDuration::from_secs(i64::from(seconds)))
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
    pub notify: Option<Notify>,
    pub slots: SlotRules,
    pub booking: BookingRules,
    /// The secrets that keep what is stored from telling whom it is about: written with the first, looked up with all.
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

fn ten_seconds() -> SignedDuration {
    SignedDuration::from_secs(10)
}

/// Popin's pages spell it in two ways.
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

/// What to do when a window of doubt ends with no witness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnSilence {
    #[default]
    AskHuman,
    Retry,
}

impl Seller {
    /// Whether any trigger of theirs may be owed word of its end.
    pub fn tells(&self) -> bool {
        self.notify.is_some() || Destination::ALL.into_iter().any(|place| self.crm.writes(place, true))
    }

    /// The secrets of stored ids, the one that is written with first; never none.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.person_keys.iter().map(|key| key.expose().as_str())
    }

    /// The keyed hash of a number or an e-mail, which indices carry in its place.
    pub fn person(&self, value: &str) -> String {
        hash::keyed(self.person_keys[0].expose(), value)
    }

    /// The same under every key that may have been written with: the default one too, lest a seller who sets a
    /// `person_key` for the first time loses whom it knew.
    pub fn persons(&self, value: &str) -> impl Iterator<Item = String> {
        let own = self.popin.api_key.expose();
        let default = Some(own).filter(|own| self.secrets().all(|secret| secret != *own));
        self.secrets().chain(default).map(move |key| hash::keyed(key, value))
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
    /// Whoever asks again within it joins their first booking.
    pub join_window: SignedDuration,
    /// How many of the seller's bookings are at Popin at once.
    pub max_at_once: u32,
    pub on_silence: OnSilence,
    pub if_taken: IfTaken,
    pub group: Option<String>,
    pub agent: Option<i64>,
    pub native: bool,
    pub url: Option<String>,
}

#[cfg(test)]
mod tests;
