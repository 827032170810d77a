//! Refreshes one seller's diary, when it is due and nobody else is at it.

use super::{Clock, Random};
use crate::{
    model::{
        backoff::Backoff,
        diary::{Refresh, Slot, Snapshot},
        ids::SellerId,
        offer::Offer,
        seller::Seller,
    },
    popin::{self, Client, Transport, dates, wire::Availability},
    store::{self, Slots, slots::Turn},
};
use jiff::{SignedDuration, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// So many slots; so many that Popin offered could not be told as an instant.
    Done { slots: usize, dropped: usize },
    /// Not due, or somebody else's turn.
    NotDue,
    /// The last good snapshot stays. A stable word for why; the how-manieth failure in a row; how old the snapshot is.
    Failed { code: &'static str, failures: u32, age: Option<SignedDuration> },
}

pub async fn refresh_slots(
    slots: &Slots,
    transport: &dyn Transport,
    clock: &dyn Clock,
    random: &Random,
    seller: (&SellerId, &Seller),
) -> Result<Refreshed, store::Error> {
    let (id, seller) = seller;
    let started = clock.now();
    let owner = random.id(started);
    // The turn must outlast the call, or a second one would leave while the first is under way.
    let until = started + seller.popin.timeout + SignedDuration::from_secs(15);
    let Turn::Ours { failures, good_at } = slots.take_turn(id, &owner, started, until).await? else {
        return Ok(Refreshed::NotDue);
    };
    let fetched = Client::new(&seller.popin, transport).slots().await;
    let now = clock.now();
    let result = match fetched {
        Ok(availability) => match read(&availability, started) {
            None => Err(("unknown_timezone", None)),
            // Slots were offered, and none could be read: that is not an empty diary.
            Some(Read { slots: 0, dropped: 1.., .. }) => Err(("slots_unreadable", None)),
            Some(read) => Ok(read),
        },
        Err(failure) => Err((failure.code(), failure.retry_after(now))),
    };
    match result {
        Ok(Read { snapshot, slots: offered, dropped }) => {
            slots.save_snapshot(id, &snapshot).await?;
            let next_due = Some(started + seller.slots.refresh);
            let refresh = Refresh { next_due, good_at: Some(snapshot.fetched_at), failures: 0, last_error: None };
            slots.end_turn(id, &owner, &refresh).await?;
            Ok(Refreshed::Done { slots: offered, dropped })
        }
        Err((code, asked)) => {
            let failures = failures + 1;
            let wait = Backoff::refresh(seller.slots.refresh).wait(failures, random.chance(), asked);
            let refresh = Refresh { next_due: Some(now + wait), good_at, failures, last_error: Some(code.to_owned()) };
            slots.end_turn(id, &owner, &refresh).await?;
            Ok(Refreshed::Failed { code, failures, age: good_at.map(|at| now.duration_since(at)) })
        }
    }
}

/// Popin's answer in instants.
struct Read {
    snapshot: Snapshot,
    slots: usize,
    /// What is no instant: in a gap of the clock, of a weekday that contradicts its date, or not readable.
    dropped: usize,
}

/// Sorted by instant, each once. `None` when the zone is unknown: no instant may be guessed.
fn read(availability: &Availability, fetched_at: Timestamp) -> Option<Read> {
    let zone = dates::zone(&availability.timezone)?;
    let mut slots = Vec::new();
    let mut dropped = 0;
    for (date, times) in &availability.days {
        let day = dates::slot_date(date);
        for time in times {
            let wall = day.zip(dates::slot_time(time)).map(|(day, time)| day.to_datetime(time));
            match wall.and_then(|wall| dates::instant(wall, &zone)) {
                Some(start) => slots.push(Slot { start, vendor_time: format!("{date} {time}") }),
                None => dropped += 1,
            }
        }
    }
    slots.sort();
    slots.dedup_by_key(|slot| slot.start);
    let snapshot = Snapshot {
        fetched_at,
        timezone: availability.timezone.clone(),
        slot_minutes: availability.slot_minutes,
        offer: Offer::of(&slots),
    };
    Some(Read { snapshot, slots: slots.len(), dropped })
}

/// Whether a failure asks for a person: our credentials are not accepted, or Popin speaks as it never did before.
pub fn needs_person(code: &str) -> bool {
    code == popin::Failure::Credentials.code() || matches!(code, "unknown_timezone" | "slots_unreadable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::offer::Offered;

    fn offered(timezone: &str, days: &[(&str, &[&str])]) -> Availability {
        let days = days.iter().map(|(date, times)| ((*date).into(), times.iter().map(|&time| time.into()).collect()));
        Availability { days: days.collect(), slot_minutes: 15, timezone: timezone.into() }
    }

    #[test]
    fn slots_come_out_sorted_by_instant_and_unique_with_the_vendors_spelling() {
        let given = offered(
            "Asia/Kolkata",
            &[("Thu, 25 Sep 2025", &["10:00 AM"]), ("Wed, 24 Sep 2025", &["01:00 PM", "11:00 AM", "01:00 PM"])],
        );
        let read = read(&given, Timestamp::UNIX_EPOCH).unwrap();
        let slots: Vec<_> = read.snapshot.offer.slots().map(Offered::slot).collect();
        let times: Vec<_> = slots.iter().map(|slot| slot.vendor_time.as_str()).collect();
        assert_eq!(times, ["Wed, 24 Sep 2025 11:00 AM", "Wed, 24 Sep 2025 01:00 PM", "Thu, 25 Sep 2025 10:00 AM"]);
        assert_eq!((slots[0].start.to_string().as_str(), read.slots, read.dropped), ("2025-09-24T05:30:00Z", 3, 0));
    }

    #[test]
    fn what_is_no_instant_is_dropped_and_counted() {
        let given = offered(
            "Europe/Berlin",
            &[("Sun, 29 Mar 2026", &["02:30 AM", "03:30 AM"]), ("Mon, 29 Mar 2026", &["10:00 AM"]), ("soon", &["x"])],
        );
        let read = read(&given, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((read.slots, read.dropped), (1, 3));
    }

    #[test]
    fn an_unknown_zone_fails_the_refresh() {
        assert!(read(&offered("Mars/Olympus", &[]), Timestamp::UNIX_EPOCH).is_none());
    }
}
