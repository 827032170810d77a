//! The template and the code agree: names of variables, tables and routes.

use local::template::Template;
use std::{cell::RefCell, collections::BTreeSet};

/// The names that a function asks the environment for.
fn asked(read: impl Fn(&dyn Fn(&str) -> Option<String>)) -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    read(&|name: &str| {
        names.borrow_mut().insert(name.to_owned());
        (name == "SELLERS_SECRET_ARN").then(|| "arn".to_owned())
    });
    names.into_inner().into_iter().filter(|name| !name.starts_with("AWS_") && name != "SELLERS_FILE").collect()
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
    let functions: [(&str, BTreeSet<String>); 5] = [
        ("event-intake", asked(|get| drop(event_intake::config::Config::read(get)))),
        ("slot-cache", asked(|get| drop(slot_cache::config::Config::read(get)))),
        ("slots-api", asked(|get| drop(slots_api::config::Config::read(get)))),
        ("crm-intake", asked(|get| drop(crm_intake::config::Config::read(get)))),
        ("booking-worker", asked(|get| drop(booking_worker::config::Config::read(get)))),
    ];
    for (name, asked) in functions {
        let given: BTreeSet<String> = template.function(name).unwrap().environment.keys().cloned().collect();
        assert_eq!(given, asked, "{name}");
    }
}
