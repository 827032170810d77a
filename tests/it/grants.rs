//! Least privilege: what the template grants a function is what it asks of DynamoDB, no less and no more.

use local::{
    dynamodb::{Access, DbCall},
    template::Template,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use system_tests::{
    shop::{Shop, page_id, sellers},
    tour::tour,
};

fn by_function(calls: &[DbCall]) -> BTreeMap<&str, BTreeSet<Access>> {
    let mut asked: BTreeMap<&str, BTreeSet<Access>> = BTreeMap::new();
    for call in calls.iter().filter(|call| !call.caller.is_empty()) {
        asked.entry(&call.caller).or_default().extend(call.needed.iter().cloned());
    }
    asked
}

#[tokio::test(start_paused = true)]
async fn every_function_asks_for_all_that_it_is_granted_and_for_nothing_else() {
    let tour = tour().await;
    let template = Template::deployed().unwrap();
    let asked = by_function(&tour.calls);
    for function in &template.functions {
        let asked = asked.get(function.name.as_str()).unwrap_or_else(|| panic!("{} asked for nothing", function.name));
        let told = |set: &BTreeSet<Access>, other: &BTreeSet<Access>| -> Vec<String> {
            set.difference(other).map(Access::to_string).collect()
        };
        assert_eq!(told(&function.grants, asked), [""; 0], "{} is granted what it never asks for", function.name);
        assert_eq!(told(asked, &function.grants), [""; 0], "{} asks for what it is not granted", function.name);
    }
}

/// In every test, what is not granted is denied, as IAM would: so a function that needs more fails wherever it does.
#[tokio::test(start_paused = true)]
async fn what_is_not_granted_is_denied() {
    let shop = Shop::with(sellers(|_| {})).await;
    let event = |n| json!([{"id": page_id(n), "source": "popin", "name": "popin_open", "data": {"uid": "u"}}]);
    assert_eq!(shop.collect(event(1)).await.status, 202);
    shop.world.db.set_grants(Some(std::sync::Arc::new(|_: &str, access: &Access| access.action != "PutItem")));
    assert_eq!(shop.collect(event(2)).await.status, 503);
    assert_eq!(shop.events().len(), 1);
}
