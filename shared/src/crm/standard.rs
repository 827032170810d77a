//! Standard Webhooks 1.0.0, v1: an HMAC over id, time and body (crm.md, 1.15).

use super::{Unusable, request};
use crate::model::{
    lead::{CallRequest, Lead},
    seller::Seller,
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::Sha256;

/// A signed time stamp is good for this long, either way.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The three headers; a missing one is empty and proves nothing.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'h> {
    pub id: &'h str,
    pub timestamp: &'h str,
    pub signature: &'h str,
}

/// Whether one of the signatures is by one of the secrets, over this very message, and not old or early.
pub fn proven<'s>(headers: Headers<'_>, body: &[u8], secrets: impl Iterator<Item = &'s str>, now: Timestamp) -> bool {
    let Some(sent_at) = headers.timestamp.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()) else {
        return false;
    };
    if headers.id.is_empty() || headers.id.contains('.') || now.duration_since(sent_at).abs() > TOLERANCE {
        return false;
    }
    let signatures: Vec<Vec<u8>> = headers
        .signature
        .split(' ')
        .filter_map(|signature| BASE64.decode(signature.strip_prefix("v1,")?).ok())
        .take(16)
        .collect();
    let mut proven = false;
    for key in secrets.filter_map(key) {
        for signature in &signatures {
            // Each comparison is in constant time, and all are made.
            proven |= mac(&key, headers, body).verify_slice(signature).is_ok();
        }
    }
    proven
}

fn mac(key: &[u8], headers: Headers<'_>, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in [headers.id.as_bytes(), b".", headers.timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

/// The bytes of `whsec_<base64>`; an empty key proves nothing.
pub fn key(secret: &str) -> Option<Vec<u8>> {
    BASE64.decode(secret.strip_prefix("whsec_")?).ok().filter(|key| !key.is_empty())
}

/// Our canonical JSON, bare or as the `data` of a Standard Webhooks payload.
pub fn parse(body: &Value, seller: &Seller, now: Timestamp) -> Result<(Lead, CallRequest), Vec<Unusable>> {
    let inner = if body["lead"].is_null() && body["data"]["lead"].is_object() { &body["data"] } else { body };
    request::parse(inner, seller, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn check(id: &str, timestamp: &str, signature: &str, body: &[u8], secret: &str, now: i64) -> bool {
        let now = Timestamp::from_second(now).unwrap();
        proven(Headers { id, timestamp, signature }, body, [secret].into_iter(), now)
    }

    #[test]
    fn the_published_vector_is_accepted_for_five_minutes_either_way() {
        for (now, good) in [
            (1_614_265_330, true),
            (1_614_265_630, true),
            (1_614_265_030, true),
            (1_614_265_631, false),
            (1_614_265_029, false),
        ] {
            assert_eq!(check(ID, "1614265330", SIGNATURE, BODY, SECRET, now), good, "{now}");
        }
    }

    #[test]
    fn one_good_signature_among_others_is_enough_and_a_second_secret_is_tried() {
        let many = format!("v1,bad v1a,x {SIGNATURE}");
        assert!(check(ID, "1614265330", &many, BODY, SECRET, 1_614_265_330));
        let now = Timestamp::from_second(1_614_265_330).unwrap();
        let headers = Headers { id: ID, timestamp: "1614265330", signature: SIGNATURE };
        assert!(proven(headers, BODY, ["whsec_AAAA", SECRET].into_iter(), now));
        assert!(!proven(headers, BODY, ["whsec_", "", "whsec_AAAA"].into_iter(), now));
    }

    #[test]
    fn missing_headers_prove_nothing() {
        for (id, timestamp, signature) in [
            ("", "1614265330", SIGNATURE),
            (ID, "", SIGNATURE),
            (ID, "1614265330", ""),
            ("a.b", "1614265330", SIGNATURE),
        ] {
            assert!(!check(id, timestamp, signature, BODY, SECRET, 1_614_265_330));
        }
    }

    proptest! {
        #[test]
        fn any_byte_changed_is_refused(at in 0usize..20, to in any::<u8>()) {
            let mut body = BODY.to_vec();
            prop_assume!(body[at] != to);
            body[at] = to;
            prop_assert!(!check(ID, "1614265330", SIGNATURE, &body, SECRET, 1_614_265_330));
        }

        #[test]
        fn arbitrary_headers_never_panic(id in ".*", timestamp in ".*", signature in ".*", secret in ".*") {
            check(&id, &timestamp, &signature, BODY, &secret, 0);
        }
    }
}
