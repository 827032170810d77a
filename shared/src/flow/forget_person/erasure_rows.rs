//! The parked triggers and the bookings of an erasure.

use super::erasure_run::{AT_ONCE, PAGE, Whole, Work};
use crate::{
    model::{booking::Booking, hash, ids::BookingId, origin::Origin, people, state::State},
    store::{Error, parked::ParkedPage},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

/// Calls that the answer names at most.
const MOST_CALLS: usize = 100;
/// Records whose triggers are looked for. Each save of the erasure writes all of them.
const MOST_RECORDS: usize = 100;

impl Work<'_> {
    fn note_record(&mut self, connector: &str, origin: &Origin) {
        if self.erasure.records.len() < MOST_RECORDS {
            let record = self.hashes_of(connector, origin).into_iter().next();
            self.erasure.records.extend(record);
        }
    }

    /// The keyed hashes of a record, under the current key first. Records of two kinds may have one id.
    fn hashes_of(&self, connector: &str, origin: &Origin) -> Vec<String> {
        let (object, id) = (origin.object.as_deref().unwrap_or_default(), origin.record.as_deref());
        let sealed = |secret| Some(hash::sealed(secret, &["record", connector, object, id?]));
        self.desk.seller.secrets().filter_map(sealed).collect()
    }

    /// Parked triggers are few, and what is wrong with one is often its number: each is searched whole. Several may be of one
    /// record with a number in one of them alone, so the records are noted before any trigger goes.
    pub(super) async fn parked(&mut self) -> Result<Whole, Error> {
        let before = self.erasure.records.len();
        let mut after = None::<String>;
        loop {
            let page = self.parked_page(after.as_deref()).await?;
            for parked in &page.parked {
                if self.names_them(&parked.told.about.text()) {
                    self.note_record(parked.connector.as_str(), &parked.told.origin);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if self.erasure.records.len() > before && !self.checkpoint().await? {
            return Ok(false);
        }
        self.unpark_all().await
    }

    async fn unpark_all(&mut self) -> Result<Whole, Error> {
        let id = self.desk.id;
        let mut after = None::<String>;
        loop {
            let page = self.parked_page(after.as_deref()).await?;
            let before = self.erasure.triggers;
            for parked in &page.parked {
                let records = self.hashes_of(parked.connector.as_str(), &parked.told.origin);
                // What names the record alone and came in since is judged when its CRM has answered.
                let of_their_record = parked.received_at <= self.erasure.asked_at
                    && records.iter().any(|record| self.erasure.records.contains(record));
                let is_theirs = of_their_record
                    || self.names_them(&parked.told.about.text()) && !self.is_new(Some(parked.received_at)).await?;
                if is_theirs {
                    self.desk.bookings.unpark(id, &parked.id).await?;
                    self.erasure.triggers += 1;
                }
            }
            for row in &page.unreadable {
                tracing::error!(seller = %id, trigger.id = row.key.sk, error = row.error, "trigger.unreadable");
                self.unreadable += 1;
                if self.names_them(row.raw.expose()) {
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

    /// Those whose time is over, too: the table drops them when it likes.
    async fn parked_page(&self, after: Option<&str>) -> Result<ParkedPage, Error> {
        self.desk.bookings.all_parked(self.desk.id, after, PAGE, Timestamp::MIN).await
    }

    fn names_them(&self, text: &str) -> bool {
        people::find(text, self.desk.seller.default_country).iter().any(|one| self.is_them(one))
    }

    pub(super) async fn bookings(&mut self) -> Result<Whole, Error> {
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

    /// The bookings of these ids; `None` for one that is gone or cannot be read.
    async fn look_at(&self, ids: Vec<BookingId>) -> Result<Vec<(BookingId, Option<Booking>)>, Error> {
        let desk = self.desk;
        let look = |id: BookingId| async move {
            match desk.bookings.get(desk.id, &id).await {
                Ok(booking) => Ok((id, booking)),
                Err(Error::Corrupt { .. }) => Ok((id, None)),
                Err(error) => Err(error),
            }
        };
        stream::iter(ids).map(look).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Which calls Popin still has, by what else the person is known, and which records of a CRM are theirs, is known from the
    /// bookings alone: it is written down before they go.
    async fn erase_bookings(&mut self, ids: Vec<BookingId>) -> Result<Whole, Error> {
        let desk = self.desk;
        let (now, asked_at) = (desk.clock.now(), self.erasure.asked_at);
        let mut ids_to_erase = Vec::new();
        for (id, booking) in self.look_at(ids).await? {
            if let Some(booking) = booking {
                // What the person has asked for since is no part of what they wanted erased.
                if booking.created_at > asked_at {
                    continue;
                }
                self.put_tombstones(booking.lead.people(), false).await?;
                if let Some(origin) = &booking.origin {
                    self.note_record(&booking.connector, origin);
                }
                // Those of the triggers that joined it.
                for joined in desk.bookings.write_backs(desk.id, &id).await?.readable {
                    self.note_record(&joined.connector, &joined.origin);
                }
                self.erasure.still_at_popin.extend(at_popin(&booking.state).filter(|start| *start >= now));
            }
            // One that cannot be read is erased all the same.
            ids_to_erase.push(id);
        }
        while self.erasure.still_at_popin.len() > MOST_CALLS {
            self.erasure.still_at_popin.pop_last();
        }
        if !self.checkpoint().await? {
            return Ok(false);
        }
        let erase = |id: BookingId| async move { desk.bookings.erase(desk.id, &id).await };
        let erased: Vec<_> = stream::iter(ids_to_erase).map(erase).buffer_unordered(AT_ONCE).collect().await;
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
