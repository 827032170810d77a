//! Popin's date face: one appointment in four spellings.

use crate::model::{diary::Slot, instant};
use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    fmt::strtime::BrokenDownTime,
    tz::{Offset, TimeZone},
};

/// `Thu, 25 Sep 2025 03:15 PM`, as slots are offered and asked for. A weekday that contradicts its date is refused.
pub fn slot(vendor_time: &str) -> Option<DateTime> {
    DateTime::strptime("%a, %d %b %Y %I:%M %p", vendor_time).ok()
}

/// The date of such a slot, `Thu, 25 Sep 2025`: a day's slots have it in common. Blanks between the two halves are none's.
pub fn slot_date(date: &str) -> Option<Date> {
    Date::strptime("%a, %d %b %Y", date.trim_ascii_end()).ok()
}

/// The time of such a slot, `03:15 PM`.
pub fn slot_time(time: &str) -> Option<Time> {
    Time::strptime("%I:%M %p", time.trim_ascii_start()).ok()
}

/// `27-Feb-2026` or `27-2-2026` with `09:30 PM`, as the webhook tells of it. No zone travels with it.
pub fn appointment(date: &str, time: &str) -> Option<DateTime> {
    let text = format!("{} {}", date.trim(), time.trim());
    ["%d-%b-%Y %I:%M %p", "%d-%m-%Y %I:%M %p", "%d-%b-%Y %H:%M", "%d-%m-%Y %H:%M"]
        .iter()
        .find_map(|format| DateTime::strptime(format, &text).ok())
}

/// Whether `Fri, Sep 19 | 07:30 PM`, the schedule call's reply without a year, is the slot asked for. `None` when the
/// reply cannot be read.
pub fn reply_agrees(reply: &str, asked: DateTime) -> Option<bool> {
    let read = BrokenDownTime::parse("%a, %b %d | %I:%M %p", reply.trim()).ok()?;
    let time = read.to_time().ok()?;
    Some(read.month()? == asked.month() && read.day()? == asked.day() && time == asked.time())
}

/// Wall clock to instant: a time in a gap is none, one that exists twice is the earlier.
pub fn instant(wall: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(wall);
    if matches!(ambiguous.offset(), jiff::tz::AmbiguousOffset::Gap { .. }) {
        return None;
    }
    ambiguous.earlier().ok()
}

/// A zone by its IANA name, from the bundled database.
pub fn zone(name: &str) -> Option<TimeZone> {
    jiff::tz::db().get(name).ok()
}

/// A slot in its seller's zone. The seller's offset is what Popin's wall clock is ahead of the instant: no zone needs to
/// be known.
pub fn local(of: &Slot) -> Option<String> {
    let ahead = Offset::UTC.to_timestamp(slot(&of.vendor_time)?).ok()?.duration_since(of.start);
    let offset = Offset::from_seconds(i32::try_from(ahead.as_secs()).ok()?).ok()?;
    Some(instant::local(of.start, &offset.to_time_zone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn twelve_is_midnight_in_the_morning_and_noon_after_it() {
        assert_eq!(slot("Thu, 25 Sep 2025 12:00 AM"), Some(date(2025, 9, 25).at(0, 0, 0, 0)));
        assert_eq!(slot("Thu, 25 Sep 2025 12:30 PM"), Some(date(2025, 9, 25).at(12, 30, 0, 0)));
    }

    #[test]
    fn the_halves_of_a_slot_are_the_whole() {
        for (date, time, read) in [
            ("Thu, 25 Sep 2025", "12:00 AM", true),
            ("Thu, 25 Sep 2025", "3:15 pm", true),
            ("Thu, 25 Sep 2025 ", "  03:15 PM", true),
            (" Thu, 25 Sep 2025", "03:15 PM", false),
            ("Thu, 25 Sep 2025", "03:15 PM ", false),
            ("Thu, 25 Sep 2025\u{a0}", "03:15 PM", false),
            ("Thu, 25 Sep 2025", "\u{a0}03:15 PM", false),
            ("Thu, 25 Sep 2025", "15:15 PM", false),
            ("Thu, 25 Sep", "2025 03:15 PM", false),
        ] {
            let halves = slot_date(date).zip(slot_time(time)).map(|(date, time)| date.to_datetime(time));
            assert_eq!(halves.is_some(), read, "{date}|{time}");
            assert!(halves.is_none() || halves == slot(&format!("{date} {time}")), "{date}|{time}");
        }
    }

    #[test]
    fn a_weekday_that_contradicts_its_date_is_refused() {
        assert_eq!(slot("Fri, 25 Sep 2025 03:15 PM"), None);
        assert_eq!(slot("Thu, 31 Sep 2025 03:15 PM"), None);
        assert_eq!((slot_date("Fri, 25 Sep 2025"), slot_date("Thu, 31 Sep 2025")), (None, None));
    }

    #[test]
    fn the_webhook_spells_the_date_in_two_ways() {
        let evening = Some(date(2026, 2, 27).at(21, 30, 0, 0));
        assert_eq!(appointment("27-Feb-2026", "09:30 PM"), evening);
        assert_eq!(appointment("27-2-2026", "09:30 PM"), evening);
        assert_eq!(appointment("soon", "09:30 PM"), None);
    }

    #[test]
    fn the_reply_is_compared_without_its_year() {
        let asked = slot("Fri, 19 Sep 2025 07:30 PM").unwrap();
        assert_eq!(reply_agrees("Fri, Sep 19 | 07:30 PM", asked), Some(true));
        assert_eq!(reply_agrees("Fri, Sep 19 | 08:30 PM", asked), Some(false));
        assert_eq!(reply_agrees("Sat, Sep 20 | 07:30 PM", asked), Some(false));
        assert_eq!(reply_agrees("?", asked), None);
    }

    #[test]
    fn a_clock_change_drops_a_gap_and_takes_the_earlier_of_two() {
        let berlin = zone("Europe/Berlin").unwrap();
        assert_eq!(instant(date(2026, 3, 29).at(2, 30, 0, 0), &berlin), None);
        let twice = instant(date(2026, 10, 25).at(2, 30, 0, 0), &berlin).unwrap();
        assert_eq!(twice.to_string(), "2026-10-25T00:30:00Z");
        assert!(zone("Mars/Olympus").is_none());
    }
}
