//! A person whose every trace is looked for.

use crate::shop::{API_KEY, Reply, Shop};
use frontdesk::model::{people, phone::Country};
use http::Method;
use serde_json::{Value, json};

pub const NUMBER: &str = "9000054321";
pub const EMAIL: &str = "canary.person@example.com";
pub const NAME: &str = "Canary Example";

/// What is still told of the canary in any table, in whatever spelling.
pub fn traces(shop: &Shop) -> Vec<String> {
    let home = Country::parse("IN").expect("India is a country");
    let items = ["events", "slots", "bookings"].into_iter().flat_map(|table| shop.world.items(table));
    items.map(|item| item.to_string()).filter(|item| tells(item, home)).collect()
}

fn tells(item: &str, home: Country) -> bool {
    let bare: String = item.chars().filter(|c| c.is_alphanumeric()).collect();
    let found = people::find(item, home);
    let found = found.iter().any(|one| one.value().ends_with(NUMBER) || one.value().ends_with(EMAIL));
    found || bare.contains(NUMBER) || bare.to_lowercase().contains("canary")
}

pub async fn forget(shop: &Shop, who: &Value) -> Reply {
    let authorization = format!("Bearer {API_KEY}");
    shop.send(Method::DELETE, "/v1/people/acme", &[("authorization", &authorization)], who.to_string()).await
}

/// The answer to an erasure that is done, of somebody of whom Popin has no call and no trigger was parked.
pub fn erased(events: u64, bookings: u64) -> Value {
    let not_reached = ["popin", "crm", "exports", "point_in_time_recovery"];
    json!({"state": "done", "events": events, "bookings": bookings, "triggers": 0, "still_at_popin": [], "not_reached": not_reached})
}

/// All of them, one after the other: how many events were blanked and bookings removed.
pub async fn forget_by_all(shop: &Shop) -> (u64, u64) {
    let mut sums = (0, 0);
    for who in [json!({"phone": NUMBER}), json!({"email": EMAIL})] {
        let reply = forget(shop, &who).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        sums.0 += reply.body["events"].as_u64().unwrap_or_default();
        sums.1 += reply.body["bookings"].as_u64().unwrap_or_default();
    }
    sums
}
