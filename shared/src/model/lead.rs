//! The person to be called, and the call that is asked for: what every CRM's trigger is turned into.

use super::{diary::Slot, offer::Offered, people::Identifier, phone::Phone, sensitive::Sensitive};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// A person, proven usable: a name and a number that is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Lead {
    /// The CRM's own id.
    pub external_id: Option<String>,
    pub name: Sensitive<String>,
    pub mobile: Phone,
    pub email: Option<Sensitive<String>>,
    /// Popin's routing, an opaque string.
    pub group: Option<String>,
    /// Popin's agent, an integer there.
    pub agent: Option<i64>,
    pub pincode: Option<Sensitive<String>>,
    pub campaign: Sensitive<Map<String, Value>>,
}

impl Lead {
    /// Their number and address.
    pub fn people(&self) -> impl Iterator<Item = Identifier> {
        let email = self.email.as_ref().and_then(|email| Identifier::email(email.expose()));
        [Identifier::phone(&self.mobile)].into_iter().chain(email)
    }
}

/// When the call should be.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// This slot.
    At(Timestamp),
    /// The earliest in a window; `from` inclusive, `to` exclusive.
    Between { from: Option<Timestamp>, to: Option<Timestamp> },
}

/// What to do when the slot is gone or was never offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfTaken {
    Next,
    Refuse,
}

impl IfTaken {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Refuse => "refuse",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        match raw {
            "next" => Some(Self::Next),
            "refuse" => Some(Self::Refuse),
            _ => None,
        }
    }
}

/// The call that is asked for, with the seller's defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRequest {
    pub when: When,
    pub if_taken: IfTaken,
    /// Popin's own join page; otherwise `url` or the one on Popin's dashboard.
    pub native: bool,
    pub url: Option<String>,
}

impl CallRequest {
    /// Whether exactly this slot was asked for and nothing else will do.
    pub fn insists(&self) -> bool {
        matches!((&self.when, self.if_taken), (When::At(_), IfTaken::Refuse))
    }

    /// The free slots that will do, best first. For one slot asked for with `next`: that one, then those after it.
    pub fn suitable<'s>(&self, free: &[Offered<'s>]) -> Vec<Offered<'s>> {
        let fits = |slot: &Offered<'_>| match (&self.when, self.if_taken) {
            (When::At(at), IfTaken::Refuse) => slot.start == *at,
            (When::At(at), IfTaken::Next) => slot.start >= *at,
            (When::Between { from, to }, IfTaken::Next | IfTaken::Refuse) => {
                from.is_none_or(|from| slot.start >= from) && to.is_none_or(|to| slot.start < to)
            }
        };
        free.iter().copied().filter(|slot| fits(slot)).collect()
    }

    /// The three slots to offer instead: from the asked-for time on, or the first ones when there are none.
    pub fn alternatives(&self, free: &[Offered<'_>]) -> Vec<Slot> {
        let from = match &self.when {
            When::At(at) => Some(*at),
            When::Between { from, .. } => *from,
        };
        let after: Vec<_> = free.iter().filter(|slot| from.is_none_or(|from| slot.start >= from)).take(3).collect();
        let chosen = if after.is_empty() { free.iter().take(3).collect() } else { after };
        chosen.into_iter().map(|slot| slot.slot()).collect()
    }
}
