//! `cargo lambda watch` takes every request to where API Gateway takes it.

use bytes::Bytes;
use frontdesk::flow::Random;
use http::Request;
use local::{
    gateway::Gateway,
    template::{Route, Template},
};
use std::{collections::BTreeMap, fs};
use system_tests::Shop;

const METHODS: [&str; 5] = ["DELETE", "GET", "HEAD", "OPTIONS", "POST"];

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

/// The template with the router's routes in place of its own; a route of the router is there for every method.
fn watched(template: &Template, router: &BTreeMap<String, String>) -> Template {
    let mut watched = template.clone();
    for function in &mut watched.functions {
        // Of two functions of one binary, the one that is deployed with it.
        let own = |path: &str| function.routes.iter().any(|route| route.path == path);
        let paths = router.iter().filter(|(path, name)| **name == function.binary && own(path)).map(|(path, _)| path);
        let route = |path: &String| METHODS.map(|method| Route { method: method.to_owned(), path: path.clone() });
        function.routes = paths.flat_map(route).collect();
    }
    watched
}

#[test]
fn every_route_of_the_template_is_in_the_router_and_none_besides() {
    let template = Template::deployed().unwrap();
    let routes =
        template.functions.iter().flat_map(|function| function.routes.iter().map(move |route| (function, route)));
    let deployed: BTreeMap<_, _> =
        routes.map(|(function, route)| (route.path.clone(), function.binary.clone())).collect();
    assert_eq!(router(), deployed);
}

#[tokio::test(start_paused = true)]
async fn every_route_is_answered_under_the_router_as_it_is_deployed() {
    let (template, shop) = (Template::deployed().unwrap(), Shop::open().await);
    let functions = shop.world.functions.clone();
    let watch =
        Gateway::new(&watched(&template, &router()), functions, shop.clock.clone(), Random::from_seed(3)).unwrap();
    let mut walked = 0;
    for route in template.functions.iter().flat_map(|function| &function.routes) {
        let path = route.path.replace("{seller}", "acme").replace("{vendor}", "popin").replace("{path_secret}", "x");
        let path = path.replace("{connector}", "standard").replace("{id}", "018f2b6e-7c1a-7e3b-9d0a-5f6e7d8c9b0a");
        let request = || Request::builder().method(route.method.as_str()).uri(&path).body(Bytes::new()).unwrap();
        let (there, here) = (shop.world.http(request()).await, watch.handle(request()).await);
        assert_eq!((here.status(), here.body()), (there.status(), there.body()), "{} {path}", route.method);
        // The gateway's own answers are of this form; a function's are not.
        assert!(!there.body().starts_with(b"{\"message\":"), "{} {path}", route.method);
        walked += 1;
    }
    assert!(walked > 15, "{walked} routes");
    let none = Request::builder().uri("/v1/none").body(Bytes::new()).unwrap();
    assert_eq!(watch.handle(none).await.status(), 404);
}
