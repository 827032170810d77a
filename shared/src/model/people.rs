//! Whom a text tells of: every e-mail address and phone number in it, whatever the text is.

mod emails;
mod flat;
mod numbers;
#[cfg(test)]
mod tests;

use super::{
    event::Vendor,
    phone::{Country, Phone},
    seller::normal_email,
    sensitive::Sensitive,
};
use std::collections::BTreeSet;

/// One thing by which a person is found, in its one spelling: `+919000000001`, `guest@example.com`, `popin#58559`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier(Sensitive<String>);

impl Identifier {
    pub fn phone(phone: &Phone) -> Self {
        Self(phone.e164().clone())
    }

    /// The one address in a text, with or without a name around it.
    pub fn email(text: &str) -> Option<Self> {
        let mut found = BTreeSet::new();
        emails::find(&flat::flatten(text), &mut found);
        // Of two readings of one address, the longer one is the whole.
        found.into_iter().max_by_key(String::len).map(|email| Self(Sensitive::new(email)))
    }

    /// A vendor's own id of a person. It has neither the plus of a number nor the `@` of an address.
    pub fn user(vendor: Vendor, id: &str) -> Self {
        Self(Sensitive::new(format!("{}#{id}", vendor.as_str())))
    }

    /// For the keyed hash that stands for it.
    pub fn value(&self) -> &str {
        self.0.expose()
    }
}

/// Everybody in a text, each once: JSON that can be parsed or not, JSON within text, a URL, or what somebody wrote. A
/// number without a country is read in the country at home and in those that the text names. The text is gone through
/// once; nothing in it is parsed, so nothing in it can hide behind what a parser refuses.
pub fn find(text: &str, home: Country) -> Vec<Identifier> {
    let flat = flat::flatten(text);
    let mut found = BTreeSet::new();
    emails::find(&flat, &mut found);
    numbers::find(&flat, home, &mut found);
    found.into_iter().map(|value| Identifier(Sensitive::new(value))).collect()
}

/// The same for a text that anyone may send: each number is read once, and numbers and addresses take turns, so that the
/// first few are of both kinds, however many there are.
pub fn find_once(text: &str, home: Country) -> Vec<Identifier> {
    let flat = flat::flatten(text);
    let mut addresses = BTreeSet::new();
    emails::find(&flat, &mut addresses);
    let mut addresses: Vec<_> = addresses.into_iter().collect();
    // Of two readings of one address, the shorter one is without what stands before it.
    addresses.sort_by_key(String::len);
    let (mut numbers, mut addresses) = (numbers::find_once(&flat, home).into_iter(), addresses.into_iter());
    let mut found = Vec::new();
    loop {
        let before = found.len();
        found.extend(numbers.next().into_iter().chain(addresses.next()).map(|value| Identifier(Sensitive::new(value))));
        if found.len() == before {
            return found;
        }
    }
}

fn add_email(raw: &str, found: &mut BTreeSet<String>) {
    found.insert(normal_email(raw));
}
