//! SHA-256 in the spellings that we use.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The whole hash as 64 lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    digits(&Sha256::digest(bytes))
}

/// The first 128 bits as 32 hex digits, of the parts in order; no part can flow into its neighbour.
pub fn short(parts: &[&str]) -> String {
    digits(&bits(parts).to_be_bytes())
}

/// The same 128 bits.
pub fn bits(parts: &[&str]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    u128::from_be_bytes(*hash.finalize().first_chunk().expect("a hash has 32 bytes"))
}

/// HMAC-SHA-256, the first 128 bits as 32 hex digits.
pub fn keyed(key: &str, value: &str) -> String {
    let mut mac = mac(key);
    mac.update(value.as_bytes());
    digits(&mac.finalize().into_bytes()[..16])
}

/// The same over parts, as [`short`] has them: never the hash of a bare value under the same key.
pub fn sealed(key: &str, parts: &[&str]) -> String {
    let mut mac = mac(key);
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    digits(&mac.finalize().into_bytes()[..16])
}

fn mac(key: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length")
}

fn digits(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("a nibble is a digit");
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn parts_do_not_flow_into_each_other() {
        assert_ne!(super::short(&["ab", "c"]), super::short(&["a", "bc"]));
        assert_ne!(super::sealed("k", &["ab", "c"]), super::sealed("k", &["a", "bc"]));
        assert_ne!(super::sealed("k", &["ab"]), super::keyed("k", "ab"));
        assert_eq!(super::hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
