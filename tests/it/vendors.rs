//! Every name that a vendor has, through the front door: right kind, subject and trust, as event-intake's README.md prints.

use frontdesk::vendors::{Family, TABLE};
use http::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};
use system_tests::{
    pages::assert_block,
    shop::{Shop, WEBHOOK_KEY, page_id, sellers, thread as thread_key},
};

const PAGE: &str = "functions/event-intake/README.md";

fn fixture(family: Family, name: &str) -> Value {
    let file = format!("{}.json", name.replace(':', "_"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vendors").join(family.as_str()).join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The source of a page's event, or the vendor of a webhook.
fn vendor(family: Family) -> (&'static str, bool) {
    match family {
        Family::PopinPage => ("popin", true),
        Family::ChiliPiperPage => ("chili-piper", true),
        Family::FullviewPage => ("fullview", true),
        Family::PopinWebhook | Family::PopinOutgoing => ("popin", false),
        Family::ChiliPiperWebhook => ("chili-piper", false),
    }
}

/// The id that is the vendor's own thread, by its name in the payload.
fn thread(family: Family, name: &str, fixture: &Value, page: &str) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let data = &fixture["data"];
    let args = if data["args"].is_object() { &data["args"] } else { data };
    let found = match family {
        Family::PopinPage => text(&data["uid"]),
        Family::PopinWebhook => text(&fixture["user_id"]),
        Family::PopinOutgoing => text(&fixture["session_id"]),
        // Told by its own event, so it stands under it.
        Family::ChiliPiperPage if name == "booking-confirmed" => text(&args["eventId"]),
        Family::ChiliPiperPage => text(&args["routeId"]).or_else(|| text(&args["eventId"])),
        Family::ChiliPiperWebhook => text(&fixture["meetingIdChili"]),
        Family::FullviewPage => text(&data["callId"]),
    };
    // A webhook without an id is threaded by a hash of its number.
    found.or_else(|| vendor(family).1.then(|| page.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn every_name_of_the_table_comes_in_with_its_kind_subject_and_trust() {
    let shop = Shop::with(sellers(|_| {})).await;
    println!("| family | name | kind | trust | subject |");
    for (number, (family, name, kind)) in TABLE.iter().enumerate() {
        let (source, is_page) = vendor(*family);
        let (fixture, page) = (fixture(*family, name), page_id(u32::try_from(number).unwrap()));
        let before = shop.events().len();
        if is_page {
            let event = json!({"id": page, "source": source, "name": fixture["name"], "data": fixture["data"], "at": "2026-11-23T02:59:00Z"});
            assert_eq!(shop.collect(json!([event])).await.body["accepted"], 1, "{name}");
        } else if source == "popin" {
            assert_eq!(shop.popin_webhook(fixture.to_string()).await.body["stored"], true, "{name}");
        } else {
            let path = "/v1/webhooks/acme/chili-piper/chili-path-secret-0123";
            assert_eq!(
                shop.send(Method::POST, path, &[("x-api-key", WEBHOOK_KEY)], fixture.to_string()).await.body["stored"],
                true,
                "{name}"
            );
        }
        let events = shop.events();
        assert_eq!(events.len(), before + 1, "{name} was stored once");
        let subject = thread(*family, name, &fixture, &page);
        let trust = if is_page { "claimed" } else { "bearer" };
        let stored = events
            .iter()
            .find(|item| {
                let threaded = subject.as_ref().is_none_or(|subject| item["pk"] == thread_key(subject));
                threaded && item["kind"] == kind.as_str() && item["trust"] == trust
            })
            .unwrap_or_else(|| panic!("{} {name}: no {} of {subject:?}, {trust}", family.as_str(), kind.as_str()));
        assert_eq!(stored["vendor"], source);
        println!("| {} | {name} | {} | {trust} | {} |", family.as_str(), kind.as_str(), stored["pk"].as_str().unwrap());
    }
}

#[test]
fn page_prints_the_table() {
    let mut families: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (family, name, kind) in TABLE {
        families.entry(family.as_str()).or_default().push(format!("`{name}` {}", kind.as_str()));
    }
    let rows = families.into_iter().map(|(family, names)| format!("| {family} | {} |", names.join(", ")));
    let head = ["| family | name and kind |".to_owned(), "|---|---|".to_owned()];
    assert_block(PAGE, "events", &head.into_iter().chain(rows).collect::<Vec<_>>().join("\n"));
}

#[tokio::test(start_paused = true)]
async fn page_shows_a_stored_item_of_each_family() {
    let shop = Shop::with(sellers(|_| {})).await;
    let shown = [
        (Family::PopinPage, "popin_captured"),
        (Family::PopinWebhook, "popin_scheduled_created"),
        (Family::PopinOutgoing, "popin_outgoing_call_initiated"),
        (Family::ChiliPiperPage, "booking-confirmed"),
        (Family::ChiliPiperWebhook, "Created"),
        (Family::FullviewPage, "callRequested"),
    ];
    let mut lines = vec!["```json".to_owned()];
    for (family, name) in shown {
        let (source, is_page) = vendor(family);
        let fixture = fixture(family, name);
        if is_page {
            let event = json!({"id": page_id(1), "source": source, "name": fixture["name"], "data": fixture["data"], "at": "2026-11-23T02:59:00Z", "page": "https://shop.example.com/ring"});
            shop.collect(json!([event])).await;
        } else if source == "popin" {
            shop.popin_webhook(fixture.to_string()).await;
        } else {
            shop.send(Method::POST, "/v1/webhooks/acme/chili-piper/chili-path-secret-0123", &[], fixture.to_string())
                .await;
        }
        let item =
            shop.events().into_iter().find(|item| item["name"] == fixture["name"] || item["name"] == name).unwrap();
        let text = item.to_string();
        assert!(text.len() < 1024 || family == Family::ChiliPiperWebhook, "{name} is {} bytes", text.len());
        lines.push(text);
    }
    lines.push("```".to_owned());
    assert_block(PAGE, "items", &lines.join("\n"));
}
