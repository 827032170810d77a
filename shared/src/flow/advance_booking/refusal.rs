//! A slot that the booking cannot have: whether others still see it, and what the booking takes in its place.

use super::{Done, Worker};
use crate::{
    flow::Desk,
    model::{
        booking::Booking,
        diary::{Diary, Phantom},
        offer::Offered,
        state::Outcome,
    },
    store::{self, slots::Read},
};
use jiff::Timestamp;

impl Worker<'_> {
    /// Popin refused a slot that it had offered: the booking takes another or ends.
    pub(super) async fn refused(&mut self, booking: Booking) -> Result<Done, store::Error> {
        self.refused += 1;
        if let Some(held) = booking.state.held() {
            // The refusal itself matters more than the note of it.
            let now = self.desk.clock.now();
            if let Err(error) = self.note_refusal(&booking, held.slot.start, now).await {
                tracing::warn!(booking.id = %booking.id, error = %error, "phantom.not_noted");
            }
        }
        self.let_go(booking, Outcome::SlotRefused).await
    }

    /// The slot leaves the diary at once. A person who was refused another one just before is what Popin refuses, and not
    /// the slots: both are shown to the others again.
    async fn note_refusal(&self, booking: &Booking, start: Timestamp, now: Timestamp) -> Result<(), store::Error> {
        let Desk { slots, id, .. } = self.desk;
        let diary = slots.read(id, now, Read::Consistent).await?;
        let mut refused_before = !booking.refused_slots.is_empty();
        for earlier in diary.refusals(&booking.person, start, now) {
            refused_before = true;
            if earlier.hidden {
                slots.put_phantom(id, &Phantom { hidden: false, ..earlier.clone() }).await?;
            }
        }
        let phantom = Phantom { start, at: now, person: Some(booking.person.clone()), hidden: !refused_before };
        // What another person was refused stays as it was noted.
        let of_others = diary.phantoms.iter().any(|other| other.start == start && other.person != phantom.person);
        if phantom.hidden || !of_others {
            slots.put_phantom(id, &phantom).await?;
        }
        Ok(())
    }

    /// The held slot is no more: another one, or the end for a caller who wanted no other.
    pub(super) async fn let_go(&mut self, booking: Booking, why: Outcome) -> Result<Done, store::Error> {
        if !booking.call.insists() {
            return self.commit(booking, why).await;
        }
        let (rules, now) = (&self.desk.seller.slots, self.desk.clock.now());
        // Alternatives are a courtesy: a diary that cannot be read offers none.
        let diary: Diary = self.desk.slots.read(self.desk.id, now, Read::Consistent).await.unwrap_or_default();
        let gone = booking.state.held().map(|held| held.slot.start);
        let mut free = diary
            .usable(rules, now)
            .map(|snapshot| not_refused(diary.free(snapshot, rules, now), &booking))
            .unwrap_or_default();
        free.retain(|slot| Some(slot.start) != gone);
        let alternatives = booking.call.alternatives(&free);
        self.commit(booking, Outcome::SlotGone(alternatives)).await
    }
}

pub(super) fn not_refused<'s>(free: impl Iterator<Item = Offered<'s>>, booking: &Booking) -> Vec<Offered<'s>> {
    free.filter(|slot| !booking.refused_slots.contains(&slot.start)).collect()
}
