//! Reads the diary for a shop's page: what is free, and how old that is.

use crate::{
    model::{diary::Slot, ids::SellerId, instant, offer::Offered, seller::Seller},
    popin::dates,
    store::{self, Shelf},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// The most that one answer carries.
pub const MOST: usize = 500;
/// A diary that our own bookings change is not kept by a browser for longer.
const CACHED: SignedDuration = SignedDuration::from_secs(60);

/// `from` is inclusive, `to` exclusive.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// For `local`; the seller's own when absent.
    pub zone: Option<TimeZone>,
    /// From 1 to [`MOST`].
    pub limit: Option<usize>,
}

impl Query {
    /// From the query string's pairs; names that are not ours are left alone. The error names the parameter.
    pub fn parse<'q>(pairs: impl Iterator<Item = (&'q str, &'q str)>) -> Result<Self, &'static str> {
        let mut query = Self::default();
        let mut seen = Vec::new();
        for (name, value) in pairs {
            if seen.contains(&name) && ["from", "to", "tz", "limit"].contains(&name) {
                return Err(match name {
                    "from" => "from",
                    "to" => "to",
                    "tz" => "tz",
                    _ => "limit",
                });
            }
            seen.push(name);
            // An unencoded plus in an offset reaches us as a blank.
            let time = || instant::rfc3339(&value.replace(' ', "+"));
            match name {
                "from" => query.from = Some(time().ok_or("from")?),
                "to" => query.to = Some(time().ok_or("to")?),
                "tz" => query.zone = Some(dates::zone(value).ok_or("tz")?),
                "limit" => {
                    let digits = Some(value).filter(|value| value.bytes().all(|b| b.is_ascii_digit()));
                    query.limit = Some(
                        digits
                            .and_then(|value| value.parse().ok())
                            .filter(|limit| (1..=MOST).contains(limit))
                            .ok_or("limit")?,
                    );
                }
                _ => {}
            }
        }
        match (query.from, query.to) {
            (Some(from), Some(to)) if from >= to => Err("to"),
            _ => Ok(query),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Free {
    pub timezone: String,
    /// The zone that `local` is in.
    pub zone: TimeZone,
    pub slot_minutes: u32,
    pub as_of: Timestamp,
    pub age: SignedDuration,
    pub stale: bool,
    pub slots: Vec<Slot>,
    /// How long the answer may be kept.
    pub keep: SignedDuration,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Free(Free),
    /// No snapshot that may be shown; the next refresh is due in this long.
    Unavailable {
        retry_in: SignedDuration,
    },
}

/// One read of the store at most, and nothing of Popin. The age is the snapshot's, however it was read.
pub async fn read_slots(
    shelf: &Shelf,
    seller: (&SellerId, &Seller),
    query: &Query,
    now: Timestamp,
) -> Result<Answer, store::Error> {
    let (id, rules) = (seller.0, &seller.1.slots);
    let diary = shelf.read(id, now).await?;
    let until_due =
        diary.refresh.next_due.map_or(SignedDuration::ZERO, |due| due.duration_since(now)).max(SignedDuration::ZERO);
    let readable = diary.usable(rules, now).and_then(|snapshot| Some((snapshot, dates::zone(&snapshot.timezone)?)));
    let Some((snapshot, zone)) = readable else {
        // The schedule ticks every minute; what is due now is looked at by then.
        return Ok(Answer::Unavailable {
            retry_in: until_due.clamp(SignedDuration::from_secs(1), SignedDuration::from_mins(10)),
        });
    };
    // In order of time: nothing after the last that is wanted is looked at.
    let wanted = diary
        .free(snapshot, rules, now)
        .skip_while(|slot| query.from.is_some_and(|from| slot.start < from))
        .take_while(|slot| query.to.is_none_or(|to| slot.start < to))
        .take(query.limit.unwrap_or(MOST));
    let ahead = snapshot.fetched_at > now + SignedDuration::from_mins(1);
    let age = now.duration_since(snapshot.fetched_at).max(SignedDuration::ZERO);
    Ok(Answer::Free(Free {
        timezone: snapshot.timezone.clone(),
        zone: query.zone.clone().unwrap_or(zone),
        slot_minutes: snapshot.slot_minutes,
        as_of: snapshot.fetched_at,
        age,
        stale: ahead || age > rules.stale_after,
        slots: wanted.map(Offered::slot).collect(),
        keep: until_due.min(CACHED).min((rules.unusable_after - age).max(SignedDuration::ZERO)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_outside_its_form_names_the_parameter() {
        for (name, value) in [
            ("from", "tomorrow"),
            ("from", "2026-11-23T10:30:00"),
            ("to", ""),
            ("tz", "Mars/Olympus"),
            ("limit", "0"),
            ("limit", "501"),
            ("limit", "-1"),
            ("limit", "1,2"),
            ("limit", "ten"),
        ] {
            assert_eq!(Query::parse([(name, value)].into_iter()).unwrap_err(), name, "{value}");
        }
        let day = [("from", "2026-11-23T00:00:00Z"), ("to", "2026-11-23T00:00:00Z")];
        assert_eq!(Query::parse(day.into_iter()).unwrap_err(), "to");
    }

    #[test]
    fn an_unencoded_plus_is_understood_and_foreign_names_are_left_alone() {
        let query =
            Query::parse([("from", "2026-11-23T10:30:00 05:30"), ("_", "1"), ("limit", "500")].into_iter()).unwrap();
        assert_eq!(query.from.unwrap().to_string(), "2026-11-23T05:00:00Z");
        assert_eq!(query.limit, Some(500));
    }
}
