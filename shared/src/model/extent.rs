//! How deep JSON is nested and how many keys it has, before anything is built from it.

/// At every door: what is kept deeper than a parser goes could never be read back.
pub const MOST_DEPTH: usize = 32;
/// Beyond these, a payload is not what a vendor says.
const MOST_KEYS: usize = 1000;

/// What a payload has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    Depth,
    Keys,
}

/// `None` when the payload may be built.
pub fn excess(json: &str) -> Option<Excess> {
    match extent(json.as_bytes()) {
        (depth, _) if depth > MOST_DEPTH => Some(Excess::Depth),
        (_, keys) if keys > MOST_KEYS => Some(Excess::Keys),
        (_, _) => None,
    }
}

/// Whether it is nested deeper than any door takes it.
pub fn is_too_deep(json: &[u8]) -> bool {
    extent(json).0 > MOST_DEPTH
}

/// How deep a JSON text is nested and how many keys it has, in one pass and without building anything.
fn extent(json: &[u8]) -> (usize, usize) {
    let (mut depth, mut deepest, mut keys) = (0usize, 0, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' => keys += 1,
            _ => {}
        }
    }
    (deepest, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_and_keys_are_counted_outside_of_text() {
        assert_eq!(extent(br#"{"a":{"b:{":[1,{"c":"\"}:"}]}}"#), (4, 3));
        assert_eq!(extent(b"7"), (0, 0));
        assert_eq!(extent("[".repeat(200).as_bytes()), (200, 0));
    }

    #[test]
    fn a_payload_at_the_limits_may_be_built_and_one_beyond_them_may_not() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let keys = |count: usize| format!("{{{}}}", vec![r#""k":0"#; count].join(","));
        assert_eq!((excess(&nested(32)), excess(&nested(33))), (None, Some(Excess::Depth)));
        assert_eq!((excess(&keys(1000)), excess(&keys(1001))), (None, Some(Excess::Keys)));
    }
}
