//! The template and the code agree: names of variables, tables and routes.

use local::template::Template;
use serde_yaml_ng::Value as Yaml;
use std::{cell::RefCell, collections::BTreeSet, fs};

/// The names that a function asks the environment for.
fn asked(secret: &str, read: impl Fn(&dyn Fn(&str) -> Option<String>)) -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    read(&|name: &str| {
        names.borrow_mut().insert(name.to_owned());
        (name == secret).then(|| "arn".to_owned())
    });
    // Those that no deployment has: a file in place of a secret, and what only tests allow.
    let other = ["SELLERS_FILE", "PUBLIC_SELLERS_SECRET_ARN", "ALLOW_PRIVATE_ADDRESSES"];
    let is_set = |name: &String| !name.starts_with("AWS_") && (name == secret || !other.contains(&name.as_str()));
    names.into_inner().into_iter().filter(is_set).collect()
}

#[tokio::test(start_paused = true)]
async fn every_route_of_the_template_is_known_to_its_function() {
    let shop = system_tests::Shop::open().await;
    for function in &Template::deployed().unwrap().functions {
        for route in &function.routes {
            let path =
                route.path.replace("{seller}", "acme").replace("{vendor}", "popin").replace("{connector}", "standard");
            let path = path.replace("{path_secret}", "x").replace("{id}", "018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0a");
            let reply = shop.send(route.method.parse().unwrap(), &path, &[], "").await;
            assert_ne!(reply.code(), "not_found", "{} {}", route.method, route.path);
        }
    }
}

#[test]
fn each_function_reads_just_the_variables_that_the_template_gives_it() {
    let template = Template::deployed().unwrap();
    let (public, whole) = ("PUBLIC_SELLERS_SECRET_ARN", "SELLERS_SECRET_ARN");
    let functions: [(&str, BTreeSet<String>); 6] = [
        ("collect", asked(public, |get| drop(event_intake::config::Config::read(get)))),
        ("event-intake", asked(whole, |get| drop(event_intake::config::Config::read(get)))),
        ("slot-cache", asked(whole, |get| drop(slot_cache::config::Config::read(get)))),
        ("slots-api", asked(public, |get| drop(slots_api::config::Config::read(get)))),
        ("crm-intake", asked(whole, |get| drop(crm_intake::config::Config::read(get)))),
        ("booking-worker", asked(whole, |get| drop(booking_worker::config::Config::read(get)))),
    ];
    for (name, asked) in functions {
        let given: BTreeSet<String> = template.function(name).unwrap().environment.keys().cloned().collect();
        assert_eq!(given, asked, "{name}");
    }
}

#[test]
fn a_flood_is_turned_away_at_the_gateway() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/template.yaml")).unwrap();
    let template: Yaml = serde_yaml_ng::from_str(&text).unwrap();
    let api = &template["Resources"]["Api"];
    assert_eq!(api["Type"].as_str(), Some("AWS::Serverless::HttpApi"));
    let limits = |settings: &Yaml| {
        let limit = |name: &str| settings[name].as_u64().filter(|limit| *limit > 0);
        limit("ThrottlingRateLimit").zip(limit("ThrottlingBurstLimit"))
    };
    let rest = limits(&api["Properties"]["DefaultRouteSettings"]).expect("every route has a limit");
    // Anyone on the internet can post here: its flood leaves room for webhooks and bookings.
    let collect = limits(&api["Properties"]["RouteSettings"]["POST /v1/collect/{seller}"]).expect("it has its own");
    assert!(collect.0 < rest.0 && collect.1 < rest.1, "{collect:?} of {rest:?}");
    let own: BTreeSet<String> = api["Properties"]["RouteSettings"]
        .as_mapping()
        .unwrap()
        .iter()
        .map(|(route, limits_of)| {
            assert!(limits(limits_of).is_some(), "{route:?} has no limit");
            route.as_str().unwrap().to_owned()
        })
        .collect();
    let known: BTreeSet<String> = Template::deployed()
        .unwrap()
        .functions
        .iter()
        .flat_map(|function| &function.routes)
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(own, known, "every route has a limit of its own, and every limit has a route");
}
