//! What Popin offered, as one short text of which slots are made as somebody looks.

use super::diary::Slot;
use jiff::Timestamp;

/// Slots by instant, each once: days between semicolons, each its date and its times between bars, both as Popin spelled
/// them. `~900~` before a time says that from here on a slot starts so many seconds after the one before it, the first
/// after 1970: `Mon, 23 Nov 2026|~1795410000~10:30 AM|~900~10:45 AM|11:00 AM`.
///
/// A week of quarter hours is 3 KB, without a sign that JSON would escape, and a look makes slots of those that it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer(String);

/// A slot as it lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered<'a> {
    pub start: Timestamp,
    date: &'a str,
    time: &'a str,
}

impl Offer {
    /// Of slots in order of time, each instant once and to the second. No date and no time has one of our marks in it.
    pub fn of(slots: &[Slot]) -> Self {
        let mut text = String::with_capacity(slots.len() * 12);
        let (mut day, mut at, mut gap) = (None, 0, None);
        for Slot { start, vendor_time } in slots {
            debug_assert!(!vendor_time.contains([';', '|', '~']), "{vendor_time}");
            let cut = vendor_time.rmatch_indices(' ').nth(1).map(|(at, _)| at).filter(|&at| at > 0);
            let (date, time) =
                cut.map_or(("", vendor_time.as_str()), |at| (&vendor_time[..at], &vendor_time[at + 1..]));
            if day != Some(date) {
                text.extend(day.map(|_| ';'));
                text.push_str(date);
                day = Some(date);
            }
            text.push('|');
            let after = start.as_second() - at;
            if gap != Some(after) {
                text.extend(["~", &after.to_string(), "~"]);
                gap = Some(after);
            }
            text.push_str(time);
            at = start.as_second();
        }
        Self(text)
    }

    /// `None` when it is not such a text.
    pub fn read(text: &str) -> Option<Self> {
        walk(text).all(|slot| slot.is_some()).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn slots(&self) -> impl Iterator<Item = Offered<'_>> {
        // It was made here or looked through.
        walk(&self.0).flatten()
    }
}

/// Slot by slot; `None` in the place of what is none, or not later than the one before it.
struct Walk<'a> {
    rest: Option<&'a str>,
    /// Before a day's first slot there is its date.
    day_begins: bool,
    date: &'a str,
    at: Option<i64>,
    gap: Option<i64>,
}

fn walk(text: &str) -> Walk<'_> {
    Walk { rest: Some(text).filter(|text| !text.is_empty()), day_begins: true, date: "", at: None, gap: None }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Option<Offered<'a>>;

    /// By bytes and without a detour: each read of the diary goes through all of it.
    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.rest.take()?;
        if self.day_begins {
            let Some((date, times)) = rest.split_once('|').filter(|(date, _)| !date.contains(';')) else {
                return Some(None);
            };
            self.date = date;
            rest = times;
        }
        let end = rest.bytes().position(|byte| matches!(byte, b'|' | b';'));
        let (time, left) = end.map_or((rest, None), |end| (&rest[..end], Some(&rest[end + 1..])));
        self.day_begins = end.is_some_and(|end| rest.as_bytes()[end] == b';');
        self.rest = left;
        Some(self.slot(time))
    }
}

impl<'a> Walk<'a> {
    fn slot(&mut self, mut time: &'a str) -> Option<Offered<'a>> {
        if let Some(marked) = time.strip_prefix('~') {
            let (seconds, rest) = marked.split_once('~')?;
            self.gap = seconds.parse().ok();
            time = rest;
        }
        let start = match self.at {
            None => self.gap?,
            Some(before) => self.gap.filter(|gap| *gap > 0).and_then(|gap| gap.checked_add(before))?,
        };
        self.at = Some(start);
        Some(Offered { start: Timestamp::from_second(start).ok()?, date: self.date, time })
    }
}

impl Offered<'_> {
    pub fn slot(self) -> Slot {
        let Self { start, date, time } = self;
        // One without two blanks has all of it in its time.
        let vendor_time = if date.is_empty() { time.to_owned() } else { [date, " ", time].concat() };
        Slot { start, vendor_time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(start: i64, vendor_time: &str) -> Slot {
        Slot { start: Timestamp::from_second(start).unwrap(), vendor_time: vendor_time.to_owned() }
    }

    #[test]
    fn a_day_is_written_once_and_a_gap_where_it_changes() {
        let slots = [
            slot(1_795_410_000, "Mon, 23 Nov 2026 10:30 AM"),
            slot(1_795_410_900, "Mon, 23 Nov 2026 10:45 AM"),
            slot(1_795_411_800, "Mon, 23 Nov 2026 11:00 AM"),
            slot(1_795_496_400, "Tue, 24 Nov 2026 10:30 AM"),
        ];
        let offer = Offer::of(&slots);
        let text = "Mon, 23 Nov 2026|~1795410000~10:30 AM|~900~10:45 AM|11:00 AM;Tue, 24 Nov 2026|~84600~10:30 AM";
        assert_eq!(offer.as_str(), text);
        assert_eq!(Offer::of(&[]).as_str(), "");
        assert_eq!(Offer::read("").unwrap().slots().count(), 0);
    }

    #[test]
    fn what_is_no_such_text_is_not_read() {
        for text in [
            "soon",
            ";",
            "Mon, 23 Nov 2026",
            "Mon, 23 Nov 2026;Tue, 24 Nov 2026|~1795410000~10:30 AM",
            "Mon, 23 Nov 2026|10:30 AM",
            "Mon, 23 Nov 2026|~soon~10:30 AM",
            "Mon, 23 Nov 2026|~1795410000 10:30 AM",
            "Mon, 23 Nov 2026|~9223372036854775807~10:30 AM",
            "Mon, 23 Nov 2026|~1795410000~10:30 AM|~9223372036854775807~10:45 AM",
            "Mon, 23 Nov 2026|~1795410000~10:30 AM|~0~10:30 AM",
            "Mon, 23 Nov 2026|~1795410000~10:30 AM|~-900~10:15 AM",
            "Mon, 23 Nov 2026|~1795410000~10:30 AM;",
            r#"[["Mon, 23 Nov 2026",[[1795410000,"10:30 AM"]]]]"#,
        ] {
            assert_eq!(Offer::read(text), None, "{text}");
        }
    }
}

#[cfg(test)]
mod properties {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            spelled in proptest::collection::btree_map(
                -3_000_000_000_i64..9_000_000_000, ("(Mon, 23 Nov 2026 |Tue, 1 Dec 2026 |[^;|~]{0,3})", "[^;|~]{0,12}"), 0..40,
            ),
            quarters in 0..40_i64,
        ) {
            let quarters = (0..quarters).map(|n| (1_795_410_000 + n * 900, ("Mon, 23 Nov 2026 ".to_owned(), format!("{n}:00 AM"))));
            let spelled: BTreeMap<_, _> = spelled.into_iter().chain(quarters).collect();
            let slots: Vec<_> = spelled
                .into_iter()
                .map(|(start, (date, time))| Slot { start: Timestamp::from_second(start).unwrap(), vendor_time: date + &time })
                .collect();
            let offer = Offer::of(&slots);
            prop_assert_eq!(offer.slots().map(Offered::slot).collect::<Vec<_>>(), slots);
            prop_assert_eq!(Offer::read(offer.as_str()), Some(offer));
        }

        #[test]
        fn whatever_is_read_is_in_order_and_empty_only_where_nothing_is(text in "([;|~0-9]|[A-Z ,:]{1,3}|~900~|~1795410000~){0,12}") {
            if let Some(offer) = Offer::read(&text) {
                let starts: Vec<_> = offer.slots().map(|slot| slot.start).collect();
                prop_assert!(starts.is_sorted_by(|one, next| one < next));
                prop_assert_eq!(starts.is_empty(), text.is_empty());
            }
        }
    }
}
