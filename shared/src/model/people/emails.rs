//! The e-mail addresses of a flat text.

use super::add_email;
use std::collections::BTreeSet;

/// The longest that an address may be.
const MOST: usize = 254;

/// From every `@` to the left and to the right, as far as an address goes.
pub(super) fn find(flat: &str, found: &mut BTreeSet<String>) {
    for (at, _) in flat.match_indices('@') {
        let (before, after) = (&flat[..at], &flat[at + 1..]);
        let host = after.find(|c| !is_host(c)).map_or(after, |end| &after[..end]).trim_end_matches(['.', '-']);
        let local = &before[before.rfind(|c| !is_local(c)).map_or(0, |end| end + width(before, end))..];
        if local.is_empty() || local.len() + host.len() >= MOST || !is_domain(host) {
            continue;
        }
        add_email(&format!("{local}@{host}"), found);
        // Signs that an address may have are also what a query or a sentence has before one: both are told.
        let bare = local.rsplit(MAYBE).next().unwrap_or_default();
        if !bare.is_empty() && bare != local {
            add_email(&format!("{bare}@{host}"), found);
        }
    }
}

/// May be part of an address, and may stand before one.
const MAYBE: [char; 14] = ['=', '&', '?', '\'', '*', '|', '`', '!', '$', '#', '%', '^', '~', '+'];

fn is_local(c: char) -> bool {
    is_host(c) || c == '_' || MAYBE.contains(&c)
}

fn is_host(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-')
}

fn is_domain(host: &str) -> bool {
    host.contains('.') && host.split('.').all(|label| !label.is_empty())
}

fn width(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}
