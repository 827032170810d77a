//! HubSpot: the vectors of third-party packages, and what must not pass.

use super::*;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::json;

const BODY: &[u8] = br#"[{"eventId":1,"subscriptionId":2,"portalId":3,"objectId":4}]"#;
const AT: i64 = 1_767_225_600_000;
const V3: &str = "4LoCDhOCsKt6LqISwLaCI1baho6CvNtIp/PYMoZ2bTw=";
const V2: &str = "273ce25c96c4f11f2c7456c4f996dc691544a4ce6563dd1f9922823e6f23c43a";
const V1: &str = "fe32c9981f526dc271dbf1dee109f5daa22caed65512e90b9a2eb973918bd20b";

fn config(url: &str) -> HubSpot {
    // Shorter than any secret that a document may have, so that the published vectors can be tried.
    let secrets = ["another", "s3cr3t"].map(|secret| Secret::of_any_length(secret.to_owned())).to_vec();
    HubSpot {
        client_secrets: secrets,
        public_url: url.to_owned(),
        ..serde_json::from_value(json!({"client_secrets": [], "public_url": "", "signatures": ["v3", "v2"]})).unwrap()
    }
}

fn check(url: &str, headers: &[(&'static str, &str)], body: &[u8], now: i64) -> Option<Trust> {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect();
    let arrival = Arrival { headers: &headers, path_secret: None, body };
    prove(&arrival, &config(url), Timestamp::from_millisecond(now).unwrap())
}

const URL: &str = "https://api.example.com/v1/hooks/hubspot?x=a@b";

fn v3_headers(signature: &str) -> [(&'static str, &str); 2] {
    [("x-hubspot-signature-v3", signature), ("x-hubspot-request-timestamp", "1767225600000")]
}

#[test]
fn the_third_version_is_accepted_for_five_minutes_either_way() {
    for (now, good) in
        [(AT, true), (AT + 300_000, true), (AT - 300_000, true), (AT + 300_001, false), (AT - 300_001, false)]
    {
        assert_eq!(check(URL, &v3_headers(V3), BODY, now).is_some(), good, "{now}");
    }
    assert_eq!(check(URL, &v3_headers(V3), BODY, AT), Some(Trust::Signed));
}

#[test]
fn the_url_is_signed_as_hubspot_decodes_it_and_without_its_fragment() {
    for url in [
        "https://api.example.com/v1/hooks/hubspot?x=a%40b",
        "https://api.example.com/v1/hooks/hubspot%3Fx=a@b",
        "https://api.example.com/v1%2fhooks/hubspot?x=a%40b#top",
    ] {
        assert!(check(url, &v3_headers(V3), BODY, AT).is_some(), "{url}");
    }
    assert!(check("https://api.example.com/v1/hooks/hubspot", &v3_headers(V3), BODY, AT).is_none());
    let all = "%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B %3a%2f%3f%2a%2c%3b %25%20%2B%C3%A9 %253A % %4";
    assert_eq!(signed_uri(all), ":/?@!$'()*,; :/?*,; %25%20%2B%C3%A9 %253A % %4");
}

fn older<'h>(version: &'h str, signature: &'h str) -> [(&'static str, &'h str); 2] {
    [("x-hubspot-signature-version", version), ("x-hubspot-signature", signature)]
}

#[test]
fn second_version_is_accepted_for_what_a_workflow_sends() {
    let url = "https://api.example.com/v1/hooks/hubspot";
    // What packages sign, and a batch, which v3 would have proven.
    assert_eq!(hash::hex(&[b"s3cr3tPOST", url.as_bytes(), BODY].concat()), V2);
    assert_eq!(hash::hex(&[b"s3cr3t", BODY].concat()), V1);
    for (version, signature) in [("v2", V2), ("v1", V1)] {
        assert_eq!(check(url, &older(version, signature), BODY, AT), None, "{version}");
    }
    let action = br#" {"callbackId":"ap-1"}"#;
    let signature = hash::hex(&[b"s3cr3tPOST", url.as_bytes(), action].concat());
    assert_eq!(check(url, &older("v2", &signature), action, AT), Some(Trust::Signed));
    let (v1, short) = (hash::hex(&[b"s3cr3t".as_slice(), action].concat()), &signature[..63]);
    for (version, signature) in
        [("v1", v1.as_str()), ("v1", &signature), ("v3", &signature), ("", &v1), ("v2", ""), ("v2", short)]
    {
        assert_eq!(check(url, &older(version, signature), action, AT), None, "{version}");
    }
    let both = [older("v2", &signature).as_slice(), &v3_headers("AAAA")].concat();
    assert_eq!(check(url, &both, action, AT), None, "the newer one decides");
    for body in ["", "[{}]", "null", "a=b&c={}", "{}\0", "\u{feff}[{}]"] {
        let signature = hash::hex(format!("s3cr3tPOST{url}{body}").as_bytes());
        assert_eq!(check(url, &older("v2", &signature), body.as_bytes(), AT), None, "{body:?}");
    }
}

#[test]
fn an_action_of_many_fields_is_read_with_the_record_beneath() {
    let config = config(URL);
    let body = json!({"callbackId": "cb-1", "object": {"objectId": 614, "objectType": "CONTACT", "properties": {"email": "asha@example.com", "name": "not this"}},
        "inputFields": {"name": "Asha Example"}})
    .to_string();
    let arrival = Arrival { headers: &HeaderMap::new(), path_secret: None, body: body.as_bytes() };
    let batch = read(&arrival, &config, Timestamp::UNIX_EPOCH, SignedDuration::from_secs(60)).unwrap();
    assert_eq!(batch.form, Form::Action { patience: None }, "nothing is written back");
    let told = &batch.told[0];
    let record = json!({"email": "asha@example.com", "name": "Asha Example", "hs_object_id": "614"});
    assert_eq!((told.key.as_str(), &told.about), ("callback#cb-1", &About::Record(Sensitive::new(record))));
}

proptest! {
    #[test]
    fn any_byte_changed_is_refused(at in 0usize..59, to in any::<u8>()) {
        let mut body = BODY.to_vec();
        prop_assume!(body[at] != to);
        body[at] = to;
        prop_assert_eq!(check(URL, &v3_headers(V3), &body, AT), None);
    }

    #[test]
    fn arbitrary_bodies_never_panic(body in any::<Vec<u8>>()) {
        let arrival = Arrival { headers: &HeaderMap::new(), path_secret: None, body: &body };
        drop(read(&arrival, &config(URL), Timestamp::UNIX_EPOCH, SignedDuration::ZERO));
    }
}
