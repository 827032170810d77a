//! The events of an erasure: by what was asked for, and by where each of them leads.

use super::erasure_run::{AT_ONCE, PAGE, Whole, Work};
use crate::{
    model::{
        erasure::Lead,
        event::{Thread, Vendor},
        ids::Subject,
        people::Identifier,
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
use std::sync::PoisonError;

/// An event to look at.
struct Step {
    event: Key,
    /// The index entry that it was found by.
    entry: Option<Entry>,
    /// It was found by what was asked for, maybe as its agent's alone.
    asked_for: bool,
}

impl Work<'_> {
    /// By what was asked for, and then by each lead, those included that are found on the way.
    pub(super) async fn events(&mut self) -> Result<Whole, Error> {
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
        if self.is_new(recorded.received_at).await? {
            return Ok(false);
        }
        let home = self.desk.seller.default_country;
        let data = recorded.data.expose();
        if !(step.asked_for && vendors::only_of_staff(data, |one| self.is_them(one), home)) {
            if let Some(vendor) = proven(&recorded) {
                let user = vendors::user(vendor, data).map(|user| Identifier::user(vendor, &user));
                self.put_tombstones(user, true).await?;
                self.put_tombstones(vendors::contacts(vendor, data, home), false).await?;
            }
            for lead in self.leads_of(&step.event, &recorded) {
                self.note_lead(lead, &step.event).await?;
            }
        }
        if let Some(entry) = step.entry {
            recorded.traces.add(entry.key);
        }
        events.erase(&recorded.traces, self.desk.clock.now()).await
    }

    /// From an event to what is of the same person: the events of the same thread, and those of the same person by the
    /// vendor's own id. Never by an address in an event: it may be the agent's, who is in everybody's. No browser gets a
    /// webhook's events forgotten. A webhook's leads to every other, for those that matched a booking became `confirmed`.
    fn leads_of(&self, event: &Key, recorded: &Recorded) -> Vec<Lead> {
        let (seller, data) = (self.desk.seller, recorded.data.expose());
        let vendor = proven(recorded);
        let most = if vendor.is_some() { Trust::Confirmed } else { recorded.trust };
        let mut leads = Vec::new();
        let mut threads: Vec<Thread> = recorded
            .vendor
            .and_then(|vendor| vendors::thread(vendor, recorded.trust, recorded.name.expose(), data))
            .into_iter()
            .collect();
        if let Some((vendor, user)) = vendor.and_then(|vendor| Some((vendor, vendors::user(vendor, data)?))) {
            leads.extend(seller.persons(Identifier::user(vendor, &user).value()).map(Lead::Person));
            threads.push(Thread::told(user));
        }
        // Where it is, and where else its threads are: under former keys of the seller's, and as former releases wrote them.
        let mut subjects: Vec<Subject> =
            keys::parse_place(&event.pk, &event.sk).map(|place| place.subject).into_iter().collect();
        for thread in &threads {
            subjects.extend(seller.secrets().map(|secret| thread.subject(secret)).chain(thread.former_subject()));
        }
        leads.extend(subjects.into_iter().map(|subject| Lead::Thread(subject, most)));
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
}

/// The vendor of an event whose sender was authenticated. A page's word for a person is worth nothing.
fn proven(recorded: &Recorded) -> Option<Vendor> {
    recorded.vendor.filter(|_| Action::Identify.allowed_to(recorded.trust))
}
