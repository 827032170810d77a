//! One level of text out of all its wrappings: JSON's escapes, JSON within JSON, a URL's percent signs.

use crate::model::phone::plain_char;

/// The text with its escapes undone, however often it was escaped. Never fails: what is no escape stays as it is.
pub(super) fn flatten(text: &str) -> String {
    let mut flat = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (plain, length) = match c {
            '\\' => escape(rest),
            '%' => percent(rest),
            c => (c, c.len_utf8()),
        };
        flat.extend(plain_char(plain));
        rest = &rest[length..];
    }
    flat
}

/// `\"`, `\n`, `\u0040`, and the same with more backslashes, as a text within a text within a text has them.
fn escape(text: &str) -> (char, usize) {
    let slashes = text.bytes().take_while(|&byte| byte == b'\\').count();
    let rest = &text[slashes..];
    match rest.chars().next() {
        Some('u') => match rest.get(1..5).and_then(|hex| u32::from_str_radix(hex, 16).ok()) {
            // Half of a pair is no character: it stands for itself as something that is no part of a number.
            Some(code) => (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), slashes + 5),
            None => ('u', slashes + 1),
        },
        Some('n' | 'r' | 't' | 'b' | 'f') => (' ', slashes + 1),
        Some(c) => (c, slashes + c.len_utf8()),
        None => ('\\', slashes),
    }
}

/// `%40`, `%2540`, `%E2%80%8B`. Letters and digits are never sent so, and `50%90...` is a price before a number.
fn percent(text: &str) -> (char, usize) {
    let bytes = text.as_bytes();
    let mut at = 1;
    while bytes.get(at..at + 2) == Some(b"25") {
        at += 2;
    }
    let hex = |at: usize| text.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
    match hex(at) {
        Some(byte) if byte.is_ascii() && !byte.is_ascii_alphanumeric() => (char::from(byte), at + 2),
        Some(byte) if byte >= 0xC2 => {
            let mut character = vec![byte];
            let mut end = at + 2;
            while let Some(next) = Some(end).filter(|&end| bytes.get(end) == Some(&b'%')).and_then(|end| hex(end + 1)) {
                if !(0x80..0xC0).contains(&next) {
                    break;
                }
                character.push(next);
                end += 3;
            }
            match std::str::from_utf8(&character).ok().and_then(|text| text.chars().next()) {
                Some(c) => (c, end),
                None => ('%', 1),
            }
        }
        Some(_) | None => ('%', 1),
    }
}
