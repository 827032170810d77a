//! Standard Webhooks 1.0.0: v1, an HMAC over id, time and body, and v1a, an ed25519 signature.

use super::{Arrival, Unusable, fields::Fields, request};
use crate::model::{
    connector::Connector,
    lead::{CallRequest, Lead},
    origin::Origin,
    seller::{Secret, Seller, crm::Standard},
    trust::Trust,
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

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

/// A signature, or the seller's own key: for Zapier, Make and n8n, which sign nothing.
pub fn prove(arrival: &Arrival<'_>, config: &Standard, api_keys: &[Secret], now: Timestamp) -> Option<Trust> {
    if !arrival.has("webhook-signature") {
        return arrival.shows_bearer(api_keys).then_some(Trust::Bearer);
    }
    let headers = Headers {
        id: arrival.header("webhook-id"),
        timestamp: arrival.header("webhook-timestamp"),
        signature: arrival.header("webhook-signature"),
    };
    proven(headers, arrival.body, config.secrets.iter().map(Secret::expose), now).then_some(Trust::Signed)
}

/// Whether one of the signatures is by one of the secrets, over this very message, and not old or early.
pub fn proven<'s>(headers: Headers<'_>, body: &[u8], secrets: impl Iterator<Item = &'s str>, now: Timestamp) -> bool {
    let Some(sent_at) = headers.timestamp.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()) else {
        return false;
    };
    if headers.id.is_empty() || headers.id.contains('.') || now.duration_since(sent_at).abs() > TOLERANCE {
        return false;
    }
    let message = [headers.id.as_bytes(), b".", headers.timestamp.as_bytes(), b".", body].concat();
    let signatures: Vec<_> = headers.signature.split(' ').take(MOST_SIGNATURES).filter_map(Signature::read).collect();
    let mut proven = false;
    for key in secrets.filter_map(Key::read) {
        proven |= key.made_one_of(&signatures, &message);
    }
    proven
}

/// `v1,<base64>` by a shared secret; `None` by what is none.
pub fn sign(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    match Key::read(secret)? {
        Key::Shared(key) => {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
            mac.update(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat());
            Some(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
        }
        Key::Public(_) => None,
    }
}

/// A header with more is no rotation.
const MOST_SIGNATURES: usize = 16;

/// Versions that we do not know are passed over.
enum Signature {
    V1(Vec<u8>),
    V1a(Vec<u8>),
}

impl Signature {
    fn read(text: &str) -> Option<Self> {
        let (version, signature) = text.split_once(',')?;
        let bytes = BASE64.decode(signature).ok()?;
        match version {
            "v1" => Some(Self::V1(bytes)),
            "v1a" => Some(Self::V1a(bytes)),
            _ => None,
        }
    }
}

/// `whsec_<base64>` is a shared secret, `whpk_<base64>` the sender's public key; an empty one proves nothing.
enum Key {
    Shared(Vec<u8>),
    Public(Vec<u8>),
}

impl Key {
    fn read(secret: &str) -> Option<Self> {
        let decode = |text: &str| BASE64.decode(text).ok().filter(|key| !key.is_empty());
        match (secret.strip_prefix("whsec_"), secret.strip_prefix("whpk_")) {
            (Some(shared), _) => decode(shared).map(Self::Shared),
            (None, Some(public)) => decode(public).map(Self::Public),
            (None, None) => None,
        }
    }

    /// One MAC, however many signatures there are. Each comparison is in constant time, and all are made.
    fn made_one_of(&self, signatures: &[Signature], message: &[u8]) -> bool {
        match self {
            Self::Shared(key) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
                mac.update(message);
                let ours = mac.finalize().into_bytes();
                let mut made = subtle::Choice::from(0);
                for signature in signatures {
                    if let Signature::V1(signature) = signature {
                        made |= ours.as_slice().ct_eq(signature);
                    }
                }
                made.into()
            }
            Self::Public(key) => {
                let key = UnparsedPublicKey::new(&ED25519, key);
                let mut made = false;
                for signature in signatures {
                    if let Signature::V1a(signature) = signature {
                        made |= key.verify(message, signature).is_ok();
                    }
                }
                made
            }
        }
    }
}

/// Where the caller says that it came from.
pub fn origin(body: &Value, arrival: &Arrival<'_>) -> Option<Origin> {
    let inner = if body["lead"].is_null() && body["data"].is_object() { &body["data"] } else { body };
    let text = |value: &Value| super::fields::text(value);
    let event = text(&inner["event_id"]).or_else(|| text(&arrival.header("webhook-id").into()));
    Some(Origin { event, record: text(&inner["lead"]["external_id"]), ..Origin::default() })
}

/// Our canonical JSON, bare or as the `data` of a Standard Webhooks payload; or flat, for callers that cannot nest.
pub fn parse(body: &Value, seller: &Seller, now: Timestamp) -> Result<(Lead, CallRequest), Vec<Unusable>> {
    let inner = if body["lead"].is_null() && body["data"].is_object() { &body["data"] } else { body };
    match Fields::of(Connector::Standard, seller).filter(|_| inner["lead"].is_null() && inner.is_object()) {
        Some(fields) => {
            let mut request = fields.request(inner);
            for name in ["call", "native", "url"].into_iter().filter(|name| !inner[name].is_null()) {
                request[name] = inner[name].clone();
            }
            request::parse(&request, seller, now)
        }
        None => request::parse(inner, seller, now),
    }
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
    fn what_we_sign_is_the_published_vector() {
        assert_eq!(sign(SECRET, ID, "1614265330", BODY).as_deref(), Some(SIGNATURE));
        assert_eq!(sign("whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=", ID, "1614265330", BODY), None);
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
    fn an_ed25519_signature_is_proven_by_the_public_key_and_by_no_other() {
        const PUBLIC: &str = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
        const SIGNED: &str =
            "v1a,DA+4m4VqA33Hm9Wlha/1LaJIOTEvbTa2btJ5gtcP1KIJ83aMbtlDaDEj9gW4UzCjPd9EMUgy41eDWvfIiFddCQ==";
        let good = |body: &[u8], secret| check("msg_1", "1700000000", SIGNED, body, secret, 1_700_000_000);
        assert!(good(br#"{"a":1}"#, PUBLIC));
        assert!(!good(br#"{"a":2}"#, PUBLIC));
        assert!(!good(br#"{"a":1}"#, "whpk_AAAA"));
        // The public key is no shared secret: whoever knows it may not sign with it.
        assert!(!good(br#"{"a":1}"#, "whsec_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="));
    }

    #[test]
    fn missing_headers_and_an_id_with_a_dot_prove_nothing() {
        // Signed as it is: where an id had a dot, a time stamp of the body's could pass for the signed one.
        let dotted = sign(SECRET, "a.b", "1614265330", BODY).unwrap();
        let unnamed = sign(SECRET, "", "1614265330", BODY).unwrap();
        for (id, timestamp, signature) in [
            ("", "1614265330", unnamed.as_str()),
            (ID, "", SIGNATURE),
            (ID, "1614265330", ""),
            ("a.b", "1614265330", &dotted),
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
