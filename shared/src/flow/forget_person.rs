//! Forgets a person: every event that tells of them is blanked, every booking of theirs removed.

use crate::{
    model::{
        ids::SellerId,
        phone::Phone,
        seller::{Seller, normal_email},
        sensitive::Sensitive,
    },
    store::{self, Bookings, Events},
};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Who asks to be forgotten.
#[derive(Clone, Debug)]
pub enum Person {
    Phone(Phone),
    Email(Sensitive<String>),
}

/// How much there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    pub events: usize,
    pub bookings: usize,
}

/// Entries looked at in one page.
const PAGE: i32 = 100;

/// Safe to run again: an entry goes only after its event is blank.
pub async fn forget_person(
    events: &Events,
    bookings: &Bookings,
    seller: (&SellerId, &Seller),
    person: &Person,
    now: Timestamp,
) -> Result<Forgotten, store::Error> {
    let (id, seller) = seller;
    let value = match person {
        Person::Phone(phone) => phone.e164().expose().clone(),
        Person::Email(email) => normal_email(email.expose()),
    };
    let mut forgotten = Forgotten::default();
    for person in seller.persons(&value) {
        loop {
            let entries = events.of_person(id, &person, PAGE).await?;
            if entries.is_empty() {
                break;
            }
            for entry in &entries {
                events.blank(entry, now).await?;
                events.drop_entry(entry).await?;
            }
            forgotten.events += entries.len();
        }
        loop {
            let found: BTreeSet<_> = bookings.by_person(id, &person).await?.into_iter().collect();
            let mut erased = 0;
            for (_, booking) in &found {
                // The index may still tell of one that is gone.
                if bookings.get(id, booking).await?.is_some() {
                    erased += 1;
                }
                bookings.erase(id, booking).await?;
            }
            forgotten.bookings += erased;
            if erased == 0 {
                break;
            }
        }
    }
    Ok(forgotten)
}
