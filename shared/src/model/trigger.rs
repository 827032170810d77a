//! A trigger as its CRM told it: proven, and not yet judged.

use super::{connector::Connector, ids::TriggerId, origin::Origin, sensitive::Sensitive, trust::Trust};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// How long a trigger is kept that made no booking.
const PARKED_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long one is kept whose body could not be read: an erasure may not find a person in it.
const UNREADABLE_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
const UNREADABLE: [&str; 4] = ["body_unreadable", "body_too_deep", "body_too_large", "body_compressed"];

#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The best that the CRM has: the same event again has the same key.
    pub key: String,
    pub origin: Origin,
    pub about: About,
}

/// What a trigger is about.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    /// The record's own fields, under the CRM's names.
    Record(Sensitive<Value>),
    /// Ids only: the person is in the CRM.
    Thin(Thin),
    /// Proven, but nothing that a call can be made of; whole, so that a person can look at it.
    Unusable { code: String, body: Sensitive<String> },
    /// Proven, and asks for no call: an echo of our own, or what nobody has subscribed to.
    Ignored(&'static str),
}

impl About {
    /// All that it says, to find a person in.
    pub fn text(&self) -> String {
        match self {
            Self::Record(record) => record.expose().to_string(),
            Self::Thin(thin) => thin.known.expose().to_string(),
            Self::Unusable { body, .. } => body.expose().clone(),
            Self::Ignored(_) => String::new(),
        }
    }
}

/// What is to be read from the CRM.
#[derive(Clone, Debug, PartialEq)]
pub struct Thin {
    /// The CRM's word for the kind of record, as its API spells it.
    pub object: String,
    pub id: String,
    /// What the trigger told beside the ids.
    pub known: Sensitive<Value>,
}

/// A trigger that has made no booking yet: it waits for its CRM, or for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Parked {
    pub id: TriggerId,
    pub connector: Connector,
    pub trust: Trust,
    pub told: Told,
    /// Why, for good.
    pub code: String,
    /// The fields that are at fault and what is wrong with each, never a value.
    pub problems: Vec<(String, String)>,
    pub received_at: Timestamp,
    /// When the CRM is asked next; `None` where a person has to look.
    pub due_at: Option<Timestamp>,
    /// How often the CRM was asked in vain.
    pub tries: u32,
}

impl Parked {
    pub fn kept_for(&self) -> SignedDuration {
        match &self.told.about {
            About::Unusable { code, .. } if UNREADABLE.contains(&code.as_str()) => UNREADABLE_KEPT,
            About::Unusable { .. } | About::Record(_) | About::Thin(_) | About::Ignored(_) => PARKED_KEPT,
        }
    }
}
