//! The phone numbers of a flat text: digits in groups that could be one, and are not a time, an id or a price.

use crate::model::phone::{Country, Phone};
use std::{collections::BTreeSet, ops::Range};

/// A key that speaks of a phone: what stands under it need not look like one.
const LABELS: [&str; 4] = ["phone", "mobile", "whatsapp", "msisdn"];
/// A key whose value is a number's country.
const COUNTRIES: [&str; 3] = ["country_code", "customer_country_code", "country"];
/// Countries that one text is read in, besides the one at home.
const MOST_COUNTRIES: usize = 3;
/// Digits of the longest number there is (E.164), and of the shortest that is read without its country.
const MOST_DIGITS: usize = 15;
const LEAST_DIGITS: usize = 6;
/// Groups that people write a number in, at most: `+33 1 23 45 67 89`.
const MOST_GROUPS: usize = 7;

/// Numbers that are read in a text that anyone may send: more than its event is found by.
const MOST_READ_ONCE: usize = 8;

/// Digits in a row.
struct Group {
    at: Range<usize>,
    start: Start,
    /// No part of a word, a fraction or a date.
    free: bool,
    /// Under a key that speaks of a phone.
    labelled: bool,
}

/// How a group stands to what is before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Alone,
    /// After a plus sign: its own country comes first.
    Plus,
    /// It may go on with the number before it: `90000 54321`.
    Joined,
}

pub(super) fn find(flat: &str, home: Country, found: &mut BTreeSet<String>) {
    let (groups, told) = read(flat);
    let mut countries = vec![home];
    countries.extend(told.into_iter().filter(|&country| country != home));
    for first in 0..groups.len() {
        for (last, digits) in extents(&groups, first) {
            let raw = &flat[groups[first].at.start..groups[last].at.end];
            found.extend(phones(&groups[first], raw, digits, &countries).map(|phone| phone.e164().expose().clone()));
        }
    }
}

/// One reading of each group of digits, in the text's order: of what may be a number the longest, in a country that the text
/// names before the one at home. No more than a few: to read a number takes long, and a flood of them leads nowhere.
pub(super) fn find_once(flat: &str, home: Country) -> Vec<String> {
    let (groups, mut countries) = read(flat);
    if !countries.contains(&home) {
        countries.push(home);
    }
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut first = 0;
    while first < groups.len() && found.len() < MOST_READ_ONCE {
        let fitting: Vec<_> = extents(&groups, first).collect();
        let read = fitting.into_iter().rev().find_map(|(last, digits)| {
            let raw = &flat[groups[first].at.start..groups[last].at.end];
            let phone = phones(&groups[first], raw, digits, &countries).next()?;
            Some((last, phone.e164().expose().clone()))
        });
        let Some((last, number)) = read else {
            first += 1;
            continue;
        };
        if seen.insert(number.clone()) {
            found.push(number);
        }
        first = last + 1;
    }
    found
}

/// The groups that the number which begins with `first` may end with, and its digits by then; the shortest first.
fn extents(groups: &[Group], first: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut digits = 0;
    let joined = groups[first..].iter().take(MOST_GROUPS).enumerate().map_while(move |(at, next)| {
        digits += next.at.len();
        let fits = digits <= MOST_DIGITS && (at == 0 || next.start == Start::Joined) && next.free;
        fits.then_some((first + at, digits))
    });
    joined.filter(|(_, digits)| *digits >= LEAST_DIGITS)
}

/// What the digits may be, in each country.
fn phones<'c>(
    group: &Group,
    raw: &'c str,
    digits: usize,
    countries: &'c [Country],
) -> impl Iterator<Item = Phone> + use<'c> {
    let (plus, labelled) = (group.start == Start::Plus, group.labelled);
    // Under its label a number may have lost its plus.
    let whole = (plus || labelled && digits > 10).then(|| international(raw)).flatten();
    let read = move |&country| {
        if plus {
            None
        } else if labelled {
            Phone::parse(raw, country).ok()
        } else {
            Phone::unlabelled(raw, country)
        }
    };
    whole.into_iter().chain(countries.iter().filter_map(read))
}

/// `44 (0)20 7946 0958`: the zero in brackets is for callers at home.
fn international(raw: &str) -> Option<Phone> {
    let digits: String = raw.replace("(0)", "").chars().filter(char::is_ascii_digit).collect();
    Phone::from_e164(&format!("+{digits}")).ok()
}

/// Every group of digits, and the countries that the text names, in one pass.
fn read(flat: &str) -> (Vec<Group>, Vec<Country>) {
    let bytes = flat.as_bytes();
    let (mut groups, mut countries) = (Vec::<Group>::new(), Vec::new());
    let (mut quote, mut labelled) = (0, false);
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                if let Some(value) = value_after(&flat[at + 1..]) {
                    let key = flat[quote..at].to_ascii_lowercase();
                    labelled = LABELS.iter().any(|label| key.contains(label));
                    if COUNTRIES.contains(&key.as_str()) && countries.len() < MOST_COUNTRIES {
                        countries.extend(country(value).filter(|country| !countries.contains(country)));
                    }
                }
                quote = at + 1;
                at += 1;
            }
            byte if byte.is_ascii_alphanumeric() && begins_word(bytes, at) && is_uuid(&bytes[at..]) => at += UUID,
            byte if byte.is_ascii_digit() => {
                let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let group = group(flat, at..end, groups.last(), labelled);
                if group.start != Start::Joined {
                    drop_short_number(&mut groups);
                }
                groups.push(group);
                hide_date(&mut groups, bytes);
                at = end;
            }
            _ => at += 1,
        }
    }
    (groups, countries)
}

/// The last groups that belong together are complete: with too few digits they are no number, and are not kept. A list of
/// figures would otherwise take as much memory as all that is read of it.
fn drop_short_number(groups: &mut Vec<Group>) {
    let first = groups.iter().rposition(|group| group.start != Start::Joined).unwrap_or_default();
    let digits: usize = groups[first..].iter().map(|group| group.at.len()).sum();
    if digits < LEAST_DIGITS {
        groups.truncate(first);
    }
}

/// What follows a text that is a key: the beginning of its value.
fn value_after(rest: &str) -> Option<&str> {
    rest.trim_start_matches(' ').strip_prefix(':')
}

fn country(value: &str) -> Option<Country> {
    let value = value.trim_start_matches([' ', '"']);
    let end = value.find(['"', ',', '}', ']']).unwrap_or(value.len());
    value.get(..end.min(8)).and_then(Country::parse)
}

fn group(flat: &str, at: Range<usize>, before: Option<&Group>, labelled: bool) -> Group {
    let bytes = flat.as_bytes();
    let between = before.map(|before| &flat[before.at.end..at.start]);
    let joined = before.zip(between).is_some_and(|(before, between)| joins(between, before.at.len(), at.len()));
    let left = &flat[..at.start];
    let fraction = !joined && left.ends_with('.') && between == Some(".");
    let in_word = left.ends_with(|c: char| c.is_ascii_alphabetic());
    let word_after = bytes.get(at.end).is_some_and(u8::is_ascii_alphabetic) && !is_extension(&flat[at.end..]);
    let start = match left.trim_end_matches([' ', '(']).ends_with('+') {
        _ if joined => Start::Joined,
        true => Start::Plus,
        false => Start::Alone,
    };
    Group { free: !(fraction || in_word || word_after), at, start, labelled }
}

/// Whether two groups may be one number: `95445 10895`, `(022) 234`, `90000-54321`, `900.005`, and a query's `+`.
fn joins(between: &str, before: usize, after: usize) -> bool {
    match between {
        "." => before >= 3 && after >= 3,
        "/" | "+" | "_" => true,
        _ => (1..=3).contains(&between.len()) && between.bytes().all(|byte| b" -()".contains(&byte)),
    }
}

/// `9000054321x2`, `9000054321ext 2`.
fn is_extension(rest: &str) -> bool {
    let rest =
        rest.strip_prefix("ext").or_else(|| rest.strip_prefix('x')).map(|rest| rest.trim_start_matches(['.', ' ']));
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The last three groups are `2026-02-27` or `27/02/2026`: no number, and what comes after is another.
fn hide_date(groups: &mut [Group], bytes: &[u8]) {
    let Some([one, two, three]) = groups.last_chunk_mut() else { return };
    let year = |group: &Group| group.at.len() == 4 && matches!(&bytes[group.at.clone()][..2], b"19" | b"20");
    let short = |group: &Group| group.at.len() <= 2;
    let date = (year(one) && short(three)) || (short(one) && year(three));
    if date && short(two) && [&two, &three].iter().all(|group| group.start == Start::Joined) {
        for group in [one, two, three] {
            group.free = false;
        }
    }
}

const UUID: usize = 36;

fn begins_word(bytes: &[u8], at: usize) -> bool {
    at == 0 || !bytes[at - 1].is_ascii_alphanumeric()
}

fn is_uuid(bytes: &[u8]) -> bool {
    let shape = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.len() >= UUID
        && bytes[..UUID].iter().enumerate().all(shape)
        && !bytes.get(UUID).is_some_and(u8::is_ascii_alphanumeric)
}
