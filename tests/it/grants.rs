//! Least privilege: what the template grants a function is what it asks of DynamoDB, no less and no more.

use frontdesk::{
    edge::{clock::SystemClock, http::HttpClients, sellers::Source},
    flow::Clock as _,
    store::{Bookings, Events, Slots, may_start},
};
use http::StatusCode;
use jiff::SignedDuration;
use local::{
    dynamodb::{Access, DbCall, DbFault, sdk_config},
    functions::Invoker,
    template::Template,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    mem,
    sync::{Arc, Mutex},
};
use system_tests::{
    shop::{POPIN_KEY, Shop, page_id, sellers},
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
        assert_eq!(
            told(&function.grants.tables, asked),
            [""; 0],
            "{} is granted what it never asks for",
            function.name
        );
        assert_eq!(told(asked, &function.grants.tables), [""; 0], "{} asks for what it is not granted", function.name);
    }
}

/// In every test, what is not granted is denied, as IAM would: so a function that needs more fails wherever it does.
#[tokio::test(start_paused = true)]
async fn what_is_not_granted_is_denied() {
    let shop = Shop::with(sellers(|_| {})).await;
    let event = |n| json!([{"id": page_id(n), "source": "popin", "name": "popin_open", "data": {"uid": "u"}}]);
    assert_eq!(shop.collect(event(1)).await.status, 202);
    shop.world.db.set_grants(Some(Arc::new(|_: &str, access: &Access| access.action != "PutItem")));
    assert_eq!(shop.collect(event(2)).await.status, 503);
    assert_eq!(shop.events().len(), 1);
}

/// The secret of the functions that anyone can call, as the template names it.
const PUBLIC: &str = "${PublicSellersSecret}";

/// AWS while a function starts: a secret that holds the sellers, and tables with nothing in them.
struct Cloud {
    url: String,
    /// `{service}:{operation} on {resource}`, and whose call it was is known by when it came.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Cloud {
    async fn open() -> Self {
        Self::whose_tables(None).await
    }

    /// With tables that answer every call with this error of DynamoDB's.
    async fn whose_tables(refuse: Option<&'static str>) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        let answer = move |headers: http::HeaderMap, body: String| {
            let target = headers["x-amz-target"].to_str().unwrap();
            let (service, operation) = target.split_once('.').unwrap();
            let body: Value = serde_json::from_str(&body).unwrap();
            let (service, resource, answer) = if service == "secretsmanager" {
                let public = json!({"acme": {"name": "Acme Jewels", "person_key": POPIN_KEY}});
                let document = if body["SecretId"] == PUBLIC { public } else { sellers(|_| {}) };
                let secret = json!({"SecretString": document.to_string()});
                ("secretsmanager", &body["SecretId"], (StatusCode::OK, secret))
            } else {
                let refused =
                    |code: &str| (StatusCode::BAD_REQUEST, json!({"__type": format!("com.amazonaws#{code}")}));
                ("dynamodb", &body["TableName"], refuse.map_or((StatusCode::OK, json!({})), refused))
            };
            kept.lock().unwrap().push(format!("{service}:{operation} on {}", resource.as_str().unwrap()));
            std::future::ready((answer.0, answer.1.to_string()))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, axum::Router::new().fallback(answer)).into_future());
        Self { url, asked }
    }

    /// As Lambda and the template set it.
    fn variable<'a>(&'a self, template: &'a Template, function: &'a str) -> impl Fn(&str) -> Option<String> + 'a {
        let is_set = |name: &str| template.function(function).unwrap().environment.contains_key(name);
        move |name| match name {
            "AWS_ENDPOINT_URL" => Some(self.url.clone()),
            "AWS_REGION" | "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("us-east-1".to_owned()),
            "SELLERS_SECRET_ARN" if is_set(name) => Some("${SellersSecret}".to_owned()),
            "PUBLIC_SELLERS_SECRET_ARN" if is_set(name) => Some(PUBLIC.to_owned()),
            table => template.table_of(table).ok(),
        }
    }

    fn asked(&self) -> BTreeSet<String> {
        mem::take(&mut *self.asked.lock().unwrap()).into_iter().collect()
    }
}

/// The function's own start, with its own clients.
async fn start(function: &str, get: &dyn Fn(&str) -> Option<String>) -> Result<Source, Box<dyn Error + Send + Sync>> {
    let http = HttpClients::new()?;
    let aws = sdk_config(http.aws()?, &get("AWS_ENDPOINT_URL").unwrap());
    Ok(match function {
        "collect" | "event-intake" => {
            event_intake::App::connect(event_intake::config::Config::read(get)?, &aws).await?.sellers
        }
        "slots-api" => slots_api::App::connect(slots_api::config::Config::read(get)?, &aws).await?.sellers,
        "crm-intake" => crm_intake::App::connect(crm_intake::config::Config::read(get)?, &http, &aws).await?.sellers,
        "slot-cache" => slot_cache::App::connect(slot_cache::config::Config::read(get)?, &http, &aws).await?.sellers,
        "booking-worker" => {
            booking_worker::App::connect(booking_worker::config::Config::read(get)?, &http, &aws).await?.sellers
        }
        other => panic!("{other} is in the template, and starts nowhere"),
    })
}

#[tokio::test]
async fn a_function_asks_for_the_secret_that_it_is_granted_and_for_nothing_else_but_tables() {
    let (cloud, template) = (Cloud::open().await, Template::deployed().unwrap());
    for function in &template.functions {
        let granted: BTreeSet<String> = function
            .grants
            .tables
            .iter()
            .map(|access| format!("dynamodb:{access}"))
            .chain(function.grants.others.clone())
            .collect();
        let sellers = start(&function.name, &cloud.variable(&template, &function.name)).await.unwrap();
        let at_start = cloud.asked();
        assert!(at_start.is_subset(&granted), "{} asks for what it is not granted: {at_start:?}", function.name);
        assert!(at_start.is_superset(&function.grants.others), "{}: {at_start:?}", function.name);
        let now = SystemClock.now();
        assert_eq!(sellers.current("grants", now).await.iter().count(), 1);
        assert_eq!(cloud.asked(), BTreeSet::new(), "what was read is kept");
        sellers.current("grants", now + SignedDuration::from_mins(6)).await;
        assert_eq!(cloud.asked(), function.grants.others, "{}", function.name);
    }
}

#[tokio::test]
async fn a_function_refuses_to_start_on_what_a_deployment_got_wrong_and_on_nothing_else() {
    let template = Template::deployed().unwrap();
    for (code, starts) in
        [("ResourceNotFoundException", false), ("AccessDeniedException", false), ("ThrottlingException", true)]
    {
        let cloud = Cloud::whose_tables(Some(code)).await;
        for function in &template.functions {
            let started = start(&function.name, &cloud.variable(&template, &function.name)).await;
            let why = started.as_ref().err().map(ToString::to_string).unwrap_or_default();
            assert_eq!(started.is_ok(), starts, "{} on {code}: {why}", function.name);
            assert!(starts || why.contains(code), "{}: {why}", function.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_call_tells_a_table_that_is_missing_or_not_granted_from_one_that_does_not_answer() {
    let shop = Shop::with(sellers(|_| {})).await;
    let client = local::dynamodb::client(shop.world.db.http(), "http://dynamodb.test");
    let warmed = async |table: &str| {
        let slots = Slots { client: client.clone(), table: table.to_owned() };
        let bookings = Bookings { client: client.clone(), table: table.to_owned(), slots: slots.clone() };
        let events = Events::new(client.clone(), table.to_owned());
        [slots.warm().await, slots.warm_turn().await, bookings.warm().await, events.warm().await]
    };
    assert!(warmed("frontdesk-events").await.iter().all(Result::is_ok));
    assert_eq!(shop.events(), Vec::<Value>::new());
    for missing in warmed("frontdesk-of-another-stack").await {
        assert!(missing.as_ref().unwrap_err().is_of_the_deployment(), "{missing:?}");
        assert!(may_start(missing).is_err());
    }
    let Invoker::InProcess(apps) = &*shop.world.functions else { panic!("they run in this process") };
    shop.world.db.set_grants(Some(Arc::new(|_: &str, _: &Access| false)));
    assert!(may_start(apps.slots_api.shelf.warm().await).is_err());
    shop.world.db.set_grants(None);
    for fault in [DbFault::Throttle, DbFault::Unreachable] {
        shop.world.db.set_fault(Some(Arc::new(move |_: &str, _: &Value| fault)));
        for silent in warmed("frontdesk-events").await {
            assert!(!silent.as_ref().unwrap_err().is_of_the_deployment(), "{silent:?}");
            assert!(may_start(silent).is_ok());
        }
    }
}
