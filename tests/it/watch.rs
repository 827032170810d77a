//! `cargo lambda watch` takes every request to where API Gateway takes it.

use http::Method;
use local::template::Template;
use std::{collections::BTreeMap, fs};
use system_tests::Shop;

/// The router's lines of `Cargo.toml`: path to function.
fn router() -> BTreeMap<String, String> {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).unwrap();
    let rest = manifest.split("[workspace.metadata.lambda.watch.router]\n").nth(1).unwrap();
    let lines = rest.lines().take_while(|line| line.starts_with('"'));
    lines
        .map(|line| {
            let mut words = line.split('"').filter(|word| !word.trim().is_empty() && word.trim() != "=");
            (words.next().unwrap().to_owned(), words.next().unwrap().to_owned())
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_route_of_the_template_is_in_the_router_and_is_answered_by_its_function() {
    let (router, template, shop) = (router(), Template::deployed().unwrap(), Shop::open().await);
    let mut deployed = BTreeMap::new();
    for function in &template.functions {
        for route in &function.routes {
            deployed.insert(route.path.clone(), function.name.clone());
            let path = route.path.replace("{seller}", "acme").replace("{vendor}", "popin");
            let path = path.replace("{connector}", "standard").replace("{path_secret}", "x");
            let path = path.replace("{id}", "018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0a");
            let method: Method = route.method.parse().unwrap();
            let reply = shop.send(method, &path, &[], "").await;
            assert!(reply.status != 404 || reply.code() == "not_found" && path.contains("/bookings/"), "{path}");
        }
    }
    assert_eq!(router, deployed);
}
