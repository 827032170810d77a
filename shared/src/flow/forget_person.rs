//! Forgets a person: every event that tells of them is blanked, every booking of theirs removed.

use crate::{
    model::{
        event::Thread,
        ids::{SellerId, Subject, TableVersion},
        people::{self, Identifier},
        seller::Seller,
        trigger::About,
        trust::{Action, Trust},
    },
    store::{
        self, Bookings, Events,
        forget::{Recorded, Traces},
        index::Entry,
        keys::{self, Key},
    },
    vendors,
};
use jiff::Timestamp;
use std::collections::{HashSet, VecDeque};

/// How much there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    pub events: usize,
    pub bookings: usize,
    /// Parked triggers that told of them.
    pub triggers: usize,
}

/// Entries looked at in one page.
const PAGE: i32 = 100;

/// Safe to run again wherever it failed: what was found last is erased first, so whatever is left can still be found.
pub async fn forget_person(
    events: &Events,
    bookings: &Bookings,
    seller: (&SellerId, &Seller),
    who: &Identifier,
    now: Timestamp,
) -> Result<Forgotten, store::Error> {
    let (id, seller) = seller;
    let mut trail = Trail::new(events, (id, seller), who);
    trail.follow().await?;
    let mut forgotten = Forgotten::default();
    for traces in trail.found.iter().rev() {
        forgotten.events += usize::from(events.erase(traces, now).await?);
    }
    for entry in &trail.of_nothing {
        events.drop_entry(entry).await?;
    }
    forgotten.triggers = forget_parked(bookings, (id, seller), who).await?;
    for person in seller.persons(who.value()) {
        let mut after = None;
        loop {
            let page = bookings.of_person(id, &person, after).await?;
            for booking in &page.bookings {
                forgotten.bookings += usize::from(bookings.erase(id, booking).await?);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(forgotten)
}

/// Parked triggers are few, and what is wrong with one is often its number: each is looked into, whole.
async fn forget_parked(
    bookings: &Bookings,
    seller: (&SellerId, &Seller),
    who: &Identifier,
) -> Result<usize, store::Error> {
    let (id, seller) = seller;
    let (mut after, mut gone) = (None, 0);
    loop {
        // Those whose time is over, too: the table drops them when it likes.
        let page = bookings.all_parked(id, after.as_ref(), PAGE, Timestamp::MIN).await?;
        for parked in &page.parked {
            let told = match &parked.told.about {
                About::Record(record) => record.expose().to_string(),
                About::Thin(thin) => thin.known.expose().to_string(),
                About::Unusable { body, .. } => body.expose().clone(),
                About::Ignored(_) => String::new(),
            };
            if people::find(&told, seller.default_country).contains(who) {
                bookings.unpark(id, &parked.id).await?;
                gone += 1;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(gone);
        }
    }
}

/// From a number or an address to the events that have it, and from there to what is of the same person: the events of
/// the same thread, and those of the same person by the vendor's own id. Never by an address in an event: it may be the
/// agent's, who is in everybody's.
struct Trail<'a> {
    events: &'a Events,
    id: &'a SellerId,
    seller: &'a Seller,
    who: &'a Identifier,
    waiting: VecDeque<Step>,
    seen: HashSet<Seen>,
    /// Of this build.
    version: TableVersion,
    /// An event comes after the one that led to it.
    found: Vec<Traces>,
    /// Entries whose events are gone.
    of_nothing: Vec<Entry>,
}

/// An event to look at.
enum Step {
    /// It has what was asked for in it, maybe only as its agent's.
    Told(Entry),
    /// It is of the person by a vendor's id.
    OfUser(Entry),
    /// It is of a thread of theirs.
    OfThread(Key),
}

#[derive(PartialEq, Eq, Hash)]
enum Seen {
    Event(Key),
    Thread(Subject, Trust),
    User(String),
}

impl<'a> Trail<'a> {
    fn new(events: &'a Events, seller: (&'a SellerId, &'a Seller), who: &'a Identifier) -> Self {
        let (id, seller) = seller;
        let (waiting, seen, found, of_nothing) = Default::default();
        Self { events, id, seller, who, waiting, seen, version: vendors::version(), found, of_nothing }
    }

    async fn follow(&mut self) -> Result<(), store::Error> {
        self.indexed(self.who, Step::Told).await?;
        while let Some(step) = self.waiting.pop_front() {
            self.look(step).await?;
        }
        Ok(())
    }

    async fn look(&mut self, step: Step) -> Result<(), store::Error> {
        let (event, entry, told) = match step {
            Step::Told(entry) => (entry.event.clone(), Some(entry), true),
            Step::OfUser(entry) => (entry.event.clone(), Some(entry), false),
            Step::OfThread(event) => (event, None, false),
        };
        let Some(mut recorded) = self.events.recorded(&event, &self.version).await? else {
            self.of_nothing.extend(entry);
            return Ok(());
        };
        let data = recorded.data.expose();
        if !(told && vendors::only_of_staff(data, self.who, self.seller.default_country)) {
            self.lead(&event, &recorded).await?;
        }
        if let Some(entry) = entry {
            recorded.traces.add(entry.key);
        }
        self.found.push(recorded.traces);
        Ok(())
    }

    /// No browser gets a webhook's events forgotten. A webhook's leads to every other, for those that matched a booking
    /// became `confirmed`.
    async fn lead(&mut self, event: &Key, recorded: &Recorded) -> Result<(), store::Error> {
        let proven = Action::Identify.allowed_to(recorded.trust);
        let most = if proven { Trust::Confirmed } else { recorded.trust };
        if let Some(place) = keys::parse_place(&event.pk, &event.sk) {
            self.thread(place.subject, most).await?;
        }
        let Some(vendor) = recorded.vendor.filter(|_| proven) else {
            return Ok(());
        };
        let Some(user) = vendors::user(vendor, recorded.data.expose()) else { return Ok(()) };
        let (identifier, thread) = (Identifier::user(vendor, &user), Thread::told(user));
        if self.seen.insert(Seen::User(identifier.value().to_owned())) {
            self.indexed(&identifier, Step::OfUser).await?;
        }
        for secret in self.seller.secrets() {
            self.thread(thread.subject(secret, self.seller.default_country), most).await?;
        }
        Ok(())
    }

    async fn thread(&mut self, subject: Subject, trust: Trust) -> Result<(), store::Error> {
        if self.seen.insert(Seen::Thread(subject.clone(), trust)) {
            for event in self.events.of_thread(self.id, &subject, trust).await? {
                if self.seen.insert(Seen::Event(event.clone())) {
                    self.waiting.push_back(Step::OfThread(event));
                }
            }
        }
        Ok(())
    }

    /// The events under the keyed hash, and under those of former keys.
    async fn indexed(&mut self, identifier: &Identifier, step: fn(Entry) -> Step) -> Result<(), store::Error> {
        for person in self.seller.persons(identifier.value()) {
            let mut page = self.events.of_person(self.id, &person, None, PAGE).await?;
            while let Some(last) = page.last().cloned() {
                for entry in page {
                    if self.seen.insert(Seen::Event(entry.event.clone())) {
                        self.waiting.push_back(step(entry));
                    }
                }
                page = self.events.of_person(self.id, &person, Some(&last), PAGE).await?;
            }
        }
        Ok(())
    }
}
