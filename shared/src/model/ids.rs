//! Ids are newtypes; `parse` is the only way in.

use std::fmt;

/// Says which kind of id was unusable, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is unusable")]
pub struct BadId(&'static str);

macro_rules! ids { ($($(#[$doc:meta])* $name:ident: $fits:expr),+ $(,)?) => { $(
    $(#[$doc])*
    #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub struct $name(String);

    impl $name {
        pub fn parse(raw: impl Into<String>) -> Result<Self, BadId> {
            let raw = raw.into();
            let fits: fn(&str) -> bool = $fits;
            if fits(&raw) { Ok(Self(raw)) } else { Err(BadId(stringify!($name))) }
        }

        pub fn as_str(&self) -> &str {
            &self.0
        }
    }

    impl fmt::Display for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }
)+ } }

ids! {
    /// A shop, as the routes spell it: `[a-z0-9-]{1,64}`.
    SellerId: |id| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
    /// Ours, a UUID of version 7: it sorts by the time of creation.
    BookingId: |id| id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'),
    /// A trigger that made no booking, by the keyed hash of its connector and key: the same trigger again has the same id.
    TriggerId: |id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
    /// A person's erasure, by the keyed hash of the number or address that was asked for.
    ErasureId: |id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
    /// Deterministic: the same event again has the same id.
    EventId: |id| (1..=96).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() && b != b'#'),
    /// The id that a page gave an event: a UUID in its hyphenated form, lower case.
    PageEventId: |id| id.len() == 36 && id.bytes().enumerate().all(|(at, b)| match at {
        8 | 13 | 18 | 23 => b == b'-',
        _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
    }),
    /// The vendor's own thread: a uid, a call, a meeting. Bounded, because it is part of a key.
    Subject: |id| (1..=256).contains(&id.len()),
    /// One table of the vendors' names. It is part of a key, and has no order.
    TableVersion: |id| (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()),
    /// Popin's customer: opaque bytes, sent back as they came.
    CustomerId: |id| (1..=512).contains(&id.len()),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_outside_their_shape_are_refused_without_repeating_them() {
        for bad in ["", "Acme", "a/b", &"a".repeat(65)] {
            assert_eq!(SellerId::parse(bad).unwrap_err().to_string(), "SellerId is unusable");
        }
        assert!(SellerId::parse("acme-2").is_ok());
        assert!(PageEventId::parse("018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0a").is_ok());
        assert!(PageEventId::parse("018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0g").is_err());
        assert!(EventId::parse("a#b").is_err());
    }
}
