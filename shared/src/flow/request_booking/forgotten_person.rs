//! Persons who asked to be forgotten: what has waited books none of them, and whoever asks anew is known again.

use crate::{
    flow::Desk,
    model::{
        booking::Booking,
        ids::ErasureId,
        people::Identifier,
        tombstone::{self, Tombstone},
    },
    store::{self, tombstones::Lookup},
};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Whether the person who is named by these asked to be forgotten after `since`.
pub(super) async fn is_forgotten(
    desk: &Desk<'_>,
    named: &[Identifier],
    since: Timestamp,
) -> Result<bool, store::Error> {
    let (named, mut tombstones) = tombstones(desk, named).await?;
    tombstones.retain(|tombstone| tombstone.at >= since);
    Ok(tombstone::cover(&tombstones, &named))
}

/// The keyed hashes of these persons, and which of them were forgotten.
async fn tombstones(desk: &Desk<'_>, named: &[Identifier]) -> Result<(Vec<Vec<String>>, Vec<Tombstone>), store::Error> {
    let named: Vec<Vec<String>> = named.iter().map(|one| desk.seller.persons(one.value()).collect()).collect();
    let persons = named.iter().flatten().cloned();
    let tombstones = desk.events.tombstones(desk.id, persons, Lookup::Request, desk.clock.now()).await?;
    Ok((named, tombstones))
}

/// A forgotten person who asks for a call is known again. Where this fails, the booking goes on, and what Popin reports of it is
/// blanked until the tombstones expire.
pub(super) async fn lift_tombstones(desk: &Desk<'_>, booking: &Booking) {
    let lifted = async {
        let (named, mut tombstones) = tombstones(desk, &booking.lead.people().collect::<Vec<_>>()).await?;
        if !tombstone::cover(&tombstones, &named) {
            return Ok(());
        }
        // Those of a number or an address that others share may be of another person's erasure.
        if tombstones.iter().any(|tombstone| tombstone.decisive) {
            tombstones.retain(|tombstone| tombstone.decisive);
        }
        let erasures: BTreeSet<ErasureId> = tombstones.into_iter().flat_map(|one| one.erasures).collect();
        for erasure in erasures {
            desk.events.lift_tombstones(desk.id, &erasure, booking.created_at).await?;
        }
        Ok::<_, store::Error>(())
    };
    if let Err(error) = Box::pin(lifted).await {
        tracing::warn!(seller = %desk.id, booking.id = %booking.id, error = %error, "tombstone.not_lifted");
    }
}
