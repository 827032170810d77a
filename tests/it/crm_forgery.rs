//! What somebody can make of a delivery whose signature was seen once: no longer one, and none of another format.

use frontdesk::model::hash;
use serde_json::{Value, json};
use sha2::block_api::compress256;
use system_tests::{
    crm_ways::{PUBLIC_URL, SECRET, Way, hubspot_v3, said, with_crms},
    shop::Shop,
};

async fn shop(change: impl FnOnce(&mut Value)) -> Shop {
    let shop = Shop::with(with_crms(|seller| change(&mut seller["crm"]))).await;
    shop.tick("slot-cache").await;
    shop
}

/// The padding of SHA-256 behind a text of so many bytes.
fn padding(length: usize) -> Vec<u8> {
    let zeros = (119 - length % 64) % 64;
    [&[0x80][..], &vec![0; zeros], &(8 * length as u64).to_be_bytes()].concat()
}

/// From the digest of an unknown text of `length` bytes: what follows it, with `more` at the end, and the digest of it all.
fn extended(digest: &str, length: usize, more: &[u8]) -> (Vec<u8>, String) {
    let mut state = [0; 8];
    for (at, word) in state.iter_mut().enumerate() {
        *word = u32::from_str_radix(&digest[8 * at..8 * at + 8], 16).unwrap();
    }
    let added = [&padding(length), more].concat();
    let rest = [more, &padding(length + added.len())].concat();
    let blocks: Vec<[u8; 64]> = rest.chunks_exact(64).map(|block| block.try_into().unwrap()).collect();
    compress256(&mut state, &blocks);
    (added, state.map(|word| format!("{word:08x}")).concat())
}

#[test]
fn extender_knows_the_digest_of_a_text_that_it_does_not_know() {
    for length in [0, 1, 55, 56, 63, 64, 119, 200] {
        let text = vec![b'x'; length];
        for more in ["", "&mobile=%2B919000000066", &"y".repeat(130)] {
            let (added, digest) = extended(&hash::hex(&text), length, more.as_bytes());
            assert_eq!(digest, hash::hex(&[text.clone(), added].concat()), "{length} {more}");
        }
    }
}

/// HubSpot's digests, v1 and v2, are all that is no HMAC.
#[tokio::test(start_paused = true)]
async fn extended_digest_proves_nothing() {
    let shop = Shop::with_crms().await;
    let v2 = format!("{SECRET}POST{}", PUBLIC_URL.replace("%40", "@"));
    let lead = json!({"hs_object_id": 9, "name": "Mallory Example", "mobile": "+919000000066"});
    let additions = [
        "&hs_object_id=9&name=Mallory+Example&mobile=%2B919000000066".to_owned(),
        lead.to_string(),
        format!("\n{lead}\n"),
        format!(",{lead}]"),
        String::new(),
    ];
    for (way, before) in [
        (Way::HubSpotAction, v2.as_str()),
        (Way::HubSpotWorkflow, v2.as_str()),
        (Way::HubSpotApp, v2.as_str()),
        (Way::HubSpotApp, SECRET),
        (Way::HubSpotWorkflow, SECRET),
    ] {
        let seen = way.body(1);
        let digest = hash::hex(format!("{before}{seen}").as_bytes());
        for addition in &additions {
            let (added, digest) = extended(&digest, before.len() + seen.len(), addition.as_bytes());
            let body = [seen.as_bytes(), &added].concat();
            for content_type in ["application/x-www-form-urlencoded", "application/json", "text/plain", "text/xml", ""]
            {
                for version in ["v2", "v1", "v3", ""] {
                    let headers = [
                        ("content-type", content_type.to_owned()),
                        ("x-hubspot-signature-version", version.to_owned()),
                        ("x-hubspot-signature", digest.clone()),
                    ];
                    let said = said(&shop, "/v1/crm/acme/hubspot", &headers, body.clone()).await;
                    assert_eq!(said.status, 401, "{way:?} {version} {content_type:?} {addition:?} {said:?}");
                }
            }
        }
    }
    assert!(shop.world.items("bookings").is_empty());
}

#[tokio::test(start_paused = true)]
async fn form_under_a_signature_is_no_form_of_a_crm_that_sends_json() {
    let form = "id=9&hs_object_id=9&name=Mallory+Example&first_name=Mallory&last_name=X&mobile=%2B919000000066&phone=%2B919000000066";
    for (way, connector) in [(Way::HubSpotApp, "hubspot"), (Way::Shopify, "shopify")] {
        let shop = Shop::with_crms().await;
        let (path, mut headers) = way.proof(&shop, form, SECRET);
        headers[0].1 = "application/x-www-form-urlencoded".to_owned();
        assert_eq!(said(&shop, &path, &headers, form).await.status, 200, "{connector}");
        assert_eq!(shop.bookings().len(), 0, "{connector}");
        let listed = shop.parked_list("").await;
        assert_eq!(listed.body["parked"][0]["code"], "body_unreadable", "{connector} {listed:?}");
    }
    // And JSON that calls itself a form is JSON.
    for way in [Way::HubSpotAction, Way::Shopify] {
        let shop = Shop::with_crms().await;
        let (path, mut headers) = way.proof(&shop, &way.body(1), SECRET);
        headers[0].1 = "application/x-www-form-urlencoded".to_owned();
        assert_eq!(said(&shop, &path, &headers, way.body(1)).await.status, 200, "{way:?}");
        assert_eq!((shop.bookings().len(), shop.parked().len()), (1, 0), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn digest_is_taken_where_nothing_newer_is_sent_and_the_seller_asks_for_it() {
    let unlisted = shop(|crm| drop(crm["hubspot"].as_object_mut().unwrap().remove("signatures"))).await;
    let newer = shop(|crm| crm["hubspot"]["signatures"] = json!(["v3"])).await;
    let older = shop(|crm| crm["hubspot"]["signatures"] = json!(["v3", "v2"])).await;
    let uri = PUBLIC_URL.replace("%40", "@");
    for (way, takes) in [(Way::HubSpotAction, true), (Way::HubSpotWorkflow, true), (Way::HubSpotApp, false)] {
        let body = way.body(1);
        let send = async |shop: &Shop, version: &str, before: &str| {
            let digest = hash::hex(format!("{SECRET}{before}{body}").as_bytes());
            let headers = [("x-hubspot-signature-version", version.to_owned()), ("x-hubspot-signature", digest)];
            said(shop, "/v1/crm/acme/hubspot", &headers, body.clone()).await.status
        };
        let v2 = format!("POST{uri}");
        for shop in [&unlisted, &newer] {
            assert_eq!(send(shop, "v2", &v2).await, 401, "{way:?}");
            let headers = hubspot_v3(&body, SECRET, shop.clock_seconds() * 1000);
            assert_eq!(said(shop, "/v1/crm/acme/hubspot", &headers, body.clone()).await.status, 200, "{way:?}");
        }
        // An app's batch comes with v3: whoever has taken it off has something else in mind.
        assert_eq!(send(&older, "v2", &v2).await, if takes { 200 } else { 401 }, "{way:?}");
        assert_eq!(send(&older, "v1", "").await, 401, "{way:?}");
    }
}
