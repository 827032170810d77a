//! One run over an erasure: events by their index and by where they lead, then parked triggers, then bookings. Each step may
//! be repeated; whatever leads further is written down before it is erased, so a run may end anywhere.

use super::LEASE;
use crate::{
    flow::Desk,
    model::{
        erasure::{Erasure, Lead},
        event::Thread,
        ids::{BookingId, Subject, TableVersion},
        people::{self, Identifier},
        state::State,
        trigger::About,
        trust::{Action, Trust},
    },
    store::{
        Error,
        forget::Recorded,
        index::Entry,
        keys::{self, Key},
    },
    vendors,
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// Entries and members looked at in one page.
const PAGE: i32 = 100;
/// Of these, so many at once.
const AT_ONCE: usize = 16;
/// A run that failed so often stops: the table does not answer, or refuses.
const MOST_FAILURES: usize = 16;
/// Calls that the answer names at most.
const MOST_CALLS: usize = 100;

pub(super) struct Work<'a> {
    desk: &'a Desk<'a>,
    pub(super) erasure: Erasure,
    owner: &'a str,
    stop_by: Timestamp,
    /// Of this build's names.
    version: TableVersion,
    /// Looked at in this run.
    seen: Mutex<HashSet<Lead>>,
    /// One row that cannot be erased does not keep the others from it.
    failures: Vec<Error>,
}

/// An event to look at.
struct Step {
    event: Key,
    /// The index entry that it was found by.
    entry: Option<Entry>,
    /// It was found by what was asked for, maybe as its agent's alone.
    asked_for: bool,
}

/// Whether a part of the work came to its end; false where time was over or the lease lost.
type Whole = bool;

impl<'a> Work<'a> {
    pub(super) fn new(desk: &'a Desk<'a>, erasure: Erasure, owner: &'a str, stop_by: Timestamp) -> Self {
        let version = vendors::version();
        let (seen, failures) = Default::default();
        Self { desk, erasure, owner, stop_by, version, seen, failures }
    }

    pub(super) async fn pass(&mut self) -> Result<Whole, Error> {
        let whole = self.events().await? && self.parked().await? && self.bookings().await?;
        match self.failures.pop() {
            Some(error) => Err(error),
            None => Ok(whole),
        }
    }

    /// By what was asked for, and then by each lead, those included that are found on the way.
    async fn events(&mut self) -> Result<Whole, Error> {
        for person in self.erasure.persons.clone() {
            if !self.indexed(&person, true).await? {
                return Ok(false);
            }
        }
        loop {
            let (mut last, mut done) = (None, 0);
            loop {
                let leads = self.desk.bookings.leads(self.desk.id, &self.erasure.id, last.as_ref()).await?;
                for lead in &leads {
                    let failures = self.failures.len();
                    let whole = match lead {
                        Lead::Person(person) => self.indexed(person, false).await?,
                        Lead::Thread(subject, most) => self.thread(subject, *most).await?,
                    };
                    if !whole {
                        return Ok(false);
                    }
                    // What could not be erased is found by it alone.
                    if self.failures.len() == failures {
                        self.desk.bookings.drop_lead(self.desk.id, &self.erasure.id, lead).await?;
                        done += 1;
                    }
                }
                match leads.into_iter().last() {
                    Some(lead) => last = Some(lead),
                    None => break,
                }
            }
            if done == 0 {
                return Ok(true);
            }
        }
    }

    /// The events under a keyed hash.
    async fn indexed(&mut self, person: &str, asked_for: bool) -> Result<Whole, Error> {
        let mut last = None;
        loop {
            let page = self.desk.events.of_person(self.desk.id, person, last.as_ref(), PAGE).await?;
            last = page.last().cloned();
            if last.is_none() {
                return Ok(true);
            }
            let steps =
                page.into_iter().map(|entry| Step { event: entry.event.clone(), entry: Some(entry), asked_for });
            if !self.erase_all(steps.collect()).await? {
                return Ok(false);
            }
        }
    }

    async fn thread(&mut self, subject: &Subject, most: Trust) -> Result<Whole, Error> {
        let mut start = None;
        loop {
            let (members, next) = self.desk.events.thread_page(self.desk.id, subject, most, start, PAGE).await?;
            let steps = members.into_iter().map(|event| Step { event, entry: None, asked_for: false });
            if !self.erase_all(steps.collect()).await? {
                return Ok(false);
            }
            if next.is_none() {
                return Ok(true);
            }
            start = next;
        }
    }

    async fn erase_all(&mut self, steps: Vec<Step>) -> Result<Whole, Error> {
        let this = &*self;
        let mut looks = stream::iter(steps)
            .map(|step| Box::pin(async move { if this.is_late() { None } else { Some(this.erase_event(step).await) } }))
            .buffer_unordered(AT_ONCE);
        let (mut erased, mut failures, mut whole) = (0, Vec::new(), true);
        while let Some(look) = looks.next().await {
            match look {
                Some(Ok(was_told)) => erased += u64::from(was_told),
                Some(Err(error)) => failures.push(error),
                None => whole = false,
            }
        }
        drop(looks);
        self.erasure.events += erased;
        self.note_failures(failures)?;
        Ok(self.checkpoint().await? && whole)
    }

    fn is_late(&self) -> bool {
        self.desk.clock.now() >= self.stop_by
    }

    fn note_failures(&mut self, failures: Vec<Error>) -> Result<(), Error> {
        self.failures.extend(failures);
        if self.failures.len() < MOST_FAILURES {
            return Ok(());
        }
        self.failures.pop().map_or(Ok(()), Err)
    }

    /// Writes the progress down and keeps the lease; false when time is over or the lease is another's.
    async fn checkpoint(&mut self) -> Result<Whole, Error> {
        let until = self.desk.clock.now() + LEASE;
        if let Some(lease) = &mut self.erasure.lease {
            lease.until = until;
        }
        self.erasure.due_at = Some(until);
        let ours = self.desk.bookings.save_erasure(self.desk.id, &self.erasure, self.owner).await?;
        Ok(ours && !self.is_late())
    }

    /// True when there was something to blank.
    async fn erase_event(&self, step: Step) -> Result<bool, Error> {
        let events = self.desk.events;
        let Some(mut recorded) = events.recorded(&step.event, &self.version).await? else {
            // The event is gone: so is what the entry is for.
            if let Some(entry) = &step.entry {
                events.drop_entry(entry).await?;
            }
            return Ok(false);
        };
        let home = self.desk.seller.default_country;
        let data = recorded.data.expose();
        if !(step.asked_for && vendors::only_of_staff(data, |one| self.is_them(one), home)) {
            for lead in self.leads_of(&step.event, &recorded) {
                self.note_lead(lead, &step.event).await?;
            }
        }
        if let Some(entry) = step.entry {
            recorded.traces.add(entry.key);
        }
        events.erase(&recorded.traces, self.desk.clock.now()).await
    }

    fn is_them(&self, one: &Identifier) -> bool {
        self.desk.seller.persons(one.value()).any(|person| self.erasure.persons.contains(&person))
    }

    /// From an event to what is of the same person: the events of the same thread, and those of the same person by the
    /// vendor's own id. Never by an address in an event: it may be the agent's, who is in everybody's. No browser gets a
    /// webhook's events forgotten. A webhook's leads to every other, for those that matched a booking became `confirmed`.
    fn leads_of(&self, event: &Key, recorded: &Recorded) -> Vec<Lead> {
        let proven = Action::Identify.allowed_to(recorded.trust);
        let most = if proven { Trust::Confirmed } else { recorded.trust };
        let place = keys::parse_place(&event.pk, &event.sk);
        let mut leads: Vec<Lead> = place.map(|place| Lead::Thread(place.subject, most)).into_iter().collect();
        let vendor = recorded.vendor.filter(|_| proven);
        let user = vendor.and_then(|vendor| Some((vendor, vendors::user(vendor, recorded.data.expose())?)));
        if let Some((vendor, user)) = user {
            let seller = self.desk.seller;
            leads.extend(seller.persons(Identifier::user(vendor, &user).value()).map(Lead::Person));
            let thread = Thread::told(user);
            let subjects = seller.secrets().map(|secret| thread.subject(secret, seller.default_country));
            leads.extend(subjects.map(|subject| Lead::Thread(subject, most)));
        }
        leads
    }

    /// Stored where there is anything else to be found by it; most events lead nowhere.
    async fn note_lead(&self, lead: Lead, event: &Key) -> Result<(), Error> {
        if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(lead.clone()) {
            return Ok(());
        }
        if self.leads_further(&lead, event).await? {
            let now = self.desk.clock.now();
            self.desk.bookings.put_lead(self.desk.id, &self.erasure.id, &lead, now).await?;
        }
        Ok(())
    }

    async fn leads_further(&self, lead: &Lead, event: &Key) -> Result<bool, Error> {
        match lead {
            Lead::Person(person) => {
                let entries = self.desk.events.of_person(self.desk.id, person, None, 2).await?;
                Ok(entries.iter().any(|entry| entry.event != *event))
            }
            Lead::Thread(subject, most) => {
                let (mut start, mut page) = (None, 2);
                loop {
                    let (members, next) =
                        self.desk.events.thread_page(self.desk.id, subject, *most, start, page).await?;
                    if members.iter().any(|member| member != event) {
                        return Ok(true);
                    }
                    if next.is_none() {
                        return Ok(false);
                    }
                    // The others were erased before, or are better proven.
                    (start, page) = (next, PAGE);
                }
            }
        }
    }

    /// Parked triggers are few, and what is wrong with one is often its number: each is looked into, whole.
    async fn parked(&mut self) -> Result<Whole, Error> {
        let (id, home) = (self.desk.id, self.desk.seller.default_country);
        let mut after = None::<String>;
        loop {
            // Those whose time is over, too: the table drops them when it likes.
            let page = self.desk.bookings.all_parked(id, after.as_deref(), PAGE, Timestamp::MIN).await?;
            let before = self.erasure.triggers;
            for parked in &page.parked {
                let told = match &parked.told.about {
                    About::Record(record) => record.expose().to_string(),
                    About::Thin(thin) => thin.known.expose().to_string(),
                    About::Unusable { body, .. } => body.expose().clone(),
                    About::Ignored(_) => String::new(),
                };
                if people::find(&told, home).iter().any(|one| self.is_them(one)) {
                    self.desk.bookings.unpark(id, &parked.id).await?;
                    self.erasure.triggers += 1;
                }
            }
            for row in &page.unreadable {
                tracing::error!(seller = %id, trigger.id = row.key.sk, error = row.error, "trigger.unreadable");
                if people::find(row.raw.expose(), home).iter().any(|one| self.is_them(one)) {
                    self.desk.bookings.remove_unreadable(row).await?;
                    self.erasure.triggers += 1;
                }
            }
            if self.is_late() || self.erasure.triggers > before && !self.checkpoint().await? {
                return Ok(false);
            }
            after = page.next;
            if after.is_none() {
                return Ok(true);
            }
        }
    }

    async fn bookings(&mut self) -> Result<Whole, Error> {
        for person in self.erasure.persons.clone() {
            let mut after = None;
            loop {
                let page = self.desk.bookings.of_person(self.desk.id, &person, after).await?;
                if !page.bookings.is_empty() && !self.erase_bookings(page.bookings).await? {
                    return Ok(false);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(true)
    }

    /// Which calls Popin still has is known from the bookings alone: it is written down before they go.
    async fn erase_bookings(&mut self, ids: Vec<BookingId>) -> Result<Whole, Error> {
        let desk = self.desk;
        let look = |id: BookingId| async move {
            let booking = desk.bookings.get(desk.id, &id).await;
            (id, booking)
        };
        let looked: Vec<_> = stream::iter(ids).map(look).buffer_unordered(AT_ONCE).collect().await;
        let (now, asked_at) = (desk.clock.now(), self.erasure.asked_at);
        let mut ids = Vec::new();
        for (id, booking) in looked {
            match booking {
                // What the person has asked for since is no part of what they wanted erased.
                Ok(Some(booking)) if booking.created_at > asked_at => continue,
                Ok(booking) => {
                    let call = booking.and_then(|booking| at_popin(&booking.state)).filter(|start| *start >= now);
                    self.erasure.still_at_popin.extend(call);
                }
                // One that cannot be read is erased all the same.
                Err(Error::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
            ids.push(id);
        }
        while self.erasure.still_at_popin.len() > MOST_CALLS {
            self.erasure.still_at_popin.pop_last();
        }
        if !self.checkpoint().await? {
            return Ok(false);
        }
        let erase = |id: BookingId| async move { desk.bookings.erase(desk.id, &id).await };
        let erased: Vec<_> = stream::iter(ids).map(erase).buffer_unordered(AT_ONCE).collect().await;
        let mut failures = Vec::new();
        for one in erased {
            match one {
                Ok(was_there) => self.erasure.bookings += u64::from(was_there),
                Err(error) => failures.push(error),
            }
        }
        self.note_failures(failures)?;
        self.checkpoint().await
    }
}

/// When the call begins that Popin has, or may have.
fn at_popin(state: &State) -> Option<Timestamp> {
    match state {
        State::Scheduled { held, .. } | State::NeedsHuman { held, .. } => held.as_ref().map(|held| held.slot.start),
        State::Scheduling { held, .. } | State::InDoubt { held, .. } => Some(held.slot.start),
        State::Requested
        | State::Captured { .. }
        | State::SlotHeld { .. }
        | State::NoSlot { .. }
        | State::Refused { .. } => None,
    }
}
