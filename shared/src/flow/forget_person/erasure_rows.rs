//! The parked triggers and the bookings of an erasure.

use super::erasure_run::{AT_ONCE, PAGE, Whole, Work};
use crate::{
    model::{ids::BookingId, people, state::State, trigger::About},
    store::Error,
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

/// Calls that the answer names at most.
const MOST_CALLS: usize = 100;

impl Work<'_> {
    /// Parked triggers are few, and what is wrong with one is often its number: each is looked into, whole.
    pub(super) async fn parked(&mut self) -> Result<Whole, Error> {
        let (id, home) = (self.desk.id, self.desk.seller.default_country);
        let mut after = None::<String>;
        loop {
            // Those whose time is over, too: the table drops them when it likes.
            let page = self.desk.bookings.all_parked(id, after.as_deref(), PAGE, Timestamp::MIN).await?;
            let before = self.erasure.triggers;
            for parked in &page.parked {
                let text = match &parked.told.about {
                    About::Record(record) => record.expose().to_string(),
                    About::Thin(thin) => thin.known.expose().to_string(),
                    About::Unusable { body, .. } => body.expose().clone(),
                    About::Ignored(_) => String::new(),
                };
                if people::find(&text, home).iter().any(|one| self.is_them(one)) {
                    self.desk.bookings.unpark(id, &parked.id).await?;
                    self.erasure.triggers += 1;
                }
            }
            for row in &page.unreadable {
                tracing::error!(seller = %id, trigger.id = row.key.sk, error = row.error, "trigger.unreadable");
                self.unreadable += 1;
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
