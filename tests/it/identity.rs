//! What makes two deliveries one event, through the front door: a day that is sent again, and headers that nobody signed.

use frontdesk::vendors::{Family, TABLE};
use http::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};
use system_tests::shop::{ORIGIN, Shop, WEBHOOK_KEY, page_id};

fn fixture(family: Family, name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vendors").join(family.as_str());
    serde_json::from_str(&fs::read_to_string(folder.join(format!("{name}.json"))).unwrap()).unwrap()
}

/// What a page or a vendor's server sends.
#[derive(Clone)]
enum Sent {
    Page(Value),
    Webhook(&'static str, Value),
}

/// Every name that a vendor has, as its fixture sends it; a page numbers its own.
fn day() -> Vec<(Family, &'static str, Sent)> {
    let rows = TABLE.iter().enumerate().map(|(number, &(family, name, _))| {
        let fixture = fixture(family, name);
        let page = |source: &str| {
            let id = page_id(u32::try_from(number).unwrap());
            Sent::Page(json!({"id": id, "source": source, "name": fixture["name"], "data": fixture["data"], "at": "2026-11-23T02:59:00Z"}))
        };
        let sent = match family {
            Family::PopinPage => page("popin"),
            Family::ChiliPiperPage => page("chili-piper"),
            Family::FullviewPage => page("fullview"),
            Family::PopinWebhook | Family::PopinOutgoing => Sent::Webhook("/v1/webhooks/acme/popin", fixture),
            Family::ChiliPiperWebhook => {
                Sent::Webhook("/v1/webhooks/acme/chili-piper/chili-path-secret-0123", fixture)
            }
        };
        (family, name, sent)
    });
    rows.collect()
}

/// Whether it was stored as something new.
async fn deliver(shop: &Shop, sent: &Sent, headers: &[(&str, &str)]) -> bool {
    let with =
        |own: [(&'static str, &'static str); 1]| own.into_iter().chain(headers.iter().copied()).collect::<Vec<_>>();
    let (path, all, body) = match sent {
        Sent::Page(event) => ("/v1/collect/acme", with([("origin", ORIGIN)]), json!({"events": [event]}).to_string()),
        Sent::Webhook(path, body) => (*path, with([("x-api-key", WEBHOOK_KEY)]), body.to_string()),
    };
    let reply = shop.send(Method::POST, path, &all, body).await;
    assert!(reply.status.is_success(), "{reply:?}");
    reply.body["stored"] == true || reply.body["accepted"] == 1
}

/// What has no id and no time of its own is told by its whole body within 10 minutes of the first, so
/// hours later it is another event: a meeting may be handed to another host, back, and over again, and Chili Piper sends
/// the same body each time.
const ONLY_A_WINDOW: [(Family, &str); 1] = [(Family::ChiliPiperWebhook, "Updated")];

#[tokio::test(start_paused = true)]
async fn a_whole_day_of_every_family_sent_again_hours_later_stores_nothing_new() {
    let shop = Shop::open().await;
    let day = day();
    let mut families = BTreeMap::new();
    for (family, name, sent) in &day {
        assert!(deliver(&shop, sent, &[]).await, "{} {name}", family.as_str());
        *families.entry(family.as_str()).or_insert(0) += 1;
        shop.advance(60);
    }
    assert_eq!((families.len(), shop.events().len()), (6, day.len()));
    for hours in [1, 6, 24] {
        shop.advance(hours * 3600);
        let before = shop.events().len();
        let mut again = Vec::new();
        for (family, name, sent) in &day {
            if deliver(&shop, sent, &[]).await {
                again.push((*family, *name));
            }
        }
        assert_eq!(again, ONLY_A_WINDOW, "{hours} h later");
        assert_eq!(shop.events().len(), before + ONLY_A_WINDOW.len());
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_only_a_window_is_a_copy_within_it() {
    let shop = Shop::open().await;
    let day = day();
    let windowed = day.iter().filter(|(family, name, _)| ONLY_A_WINDOW.contains(&(*family, *name)));
    for (_, name, sent) in windowed {
        assert!(deliver(&shop, sent, &[]).await, "{name}");
        shop.advance(9 * 60);
        assert!(!deliver(&shop, sent, &[]).await, "{name}");
    }
    // Popin's older payloads have no time, and neither has a body that names nobody.
    for name in ["odd_v1_without_timestamp", "odd_nobody"] {
        let sent = Sent::Webhook("/v1/webhooks/acme/popin", fixture(Family::PopinWebhook, name));
        for (minutes, new) in [(0, true), (9, false), (2, true)] {
            shop.advance(minutes * 60);
            assert_eq!(deliver(&shop, &sent, &[]).await, new, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_day_of_one_persons_missed_calls_is_kept_and_its_copies_are_not() {
    let shop = Shop::open().await;
    let day: Vec<_> = (0..200)
        .map(|n| {
            let body = json!({"event": "popin_call_missed", "user_id": n % 40, "timestamp": (1_795_400_000 + n * 300).to_string()});
            Sent::Webhook("/v1/webhooks/acme/popin", body)
        })
        .collect();
    for (seconds, new) in [(0, true), (86_400, false)] {
        shop.advance(seconds);
        for sent in &day {
            assert_eq!(deliver(&shop, sent, &[]).await, new);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_header_that_nobody_signed_takes_part_in_what_an_event_is() {
    const HEADERS: [(&str, &str); 14] = [
        ("user-agent", "another"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("date", "Mon, 23 Nov 2026 05:00:00 GMT"),
        ("idempotency-key", "k-2"),
        ("webhook-id", "msg_2"),
        ("webhook-timestamp", "1795400001"),
        ("x-request-id", "r-2"),
        ("x-event-id", "e-2"),
        ("ce-id", "c-2"),
        ("ce-time", "2026-11-23T05:00:00Z"),
        ("x-amzn-trace-id", "Root=1-00000000-000000000000000000000002"),
        ("x-forwarded-for", "192.0.2.7"),
        ("traceparent", "00-00000000000000000000000000000002-0000000000000002-01"),
        ("referer", "https://shop.example.com/another"),
    ];
    let (plain, dressed) = (Shop::open().await, Shop::open().await);
    for (family, name, sent) in &day() {
        assert!(
            deliver(&plain, sent, &[]).await && deliver(&dressed, sent, &HEADERS).await,
            "{} {name}",
            family.as_str()
        );
        // Nor does one of them alone make a copy something new.
        for header in HEADERS {
            assert!(!deliver(&dressed, sent, &[header]).await, "{} {name} {}", family.as_str(), header.0);
        }
    }
    assert_eq!(plain.events(), dressed.events());
}
