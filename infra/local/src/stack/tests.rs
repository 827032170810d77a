//! Tests of `stack`.

use super::*;
use clap::Parser as _;
use serde_json::json;
use std::collections::BTreeSet;

async fn call(request: Request<Bytes>) -> (u16, Value) {
    let answer = HttpClients::new()
        .unwrap()
        .transport(Reach::Local)
        .unwrap()
        .send(request, Duration::from_secs(20))
        .await
        .unwrap();
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

async fn start(more: &[&str]) -> Stack {
    let free = ["local", "--port", "0", "--dynamodb-port", "0", "--sim-port", "0"];
    Stack::start(&Cli::parse_from(free.iter().chain(more))).await.unwrap()
}

async fn book(stack: &Stack, key: &str, wait: &str) -> (u16, Value) {
    let lead = json!({ "lead": { "external_id": key, "name": "Asha Example", "mobile": "+919000000001" } });
    let request = Request::post(format!("http://127.0.0.1:{}/v1/bookings/demo", stack.api_port))
        .header("authorization", format!("Bearer {}", demo::API_KEY))
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .header("prefer", wait);
    call(request.body(Bytes::from(lead.to_string())).unwrap()).await
}

async fn stored(stack: &Stack, table: &str) -> Value {
    let uri = format!("http://127.0.0.1:{}/_local/tables/{table}", stack.sim_port);
    call(Request::get(uri).body(Bytes::new()).unwrap()).await.1
}

fn keys(items: &Value) -> BTreeSet<String> {
    items.as_array().unwrap().iter().map(|item| format!("{} {}", item["pk"], item["sk"])).collect()
}

async fn until(mut done: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited.await.expect("it comes about in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_on_free_ports_books_a_call_and_hears_of_it() {
    let stack = start(&[]).await;
    let (status, booking) = book(&stack, "one", "wait=10").await;
    assert_eq!((status, &booking["state"]), (201, &json!("scheduled")), "{booking}");
    // The webhooks of capture and schedule come over the network.
    let events = |items: &Value| items.as_array().unwrap().iter().filter(|item| item.get("vendor").is_some()).count();
    until(async || events(&stored(&stack, "events").await) == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_there_after_the_process_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let data = ["--data", folder.path().to_str().unwrap()];
    let mut first = start(&data).await;
    book(&first, "one", "wait=10").await;
    let before = keys(&stored(&first, "bookings").await);
    // Functions that are started by somebody else read it as theirs.
    let sellers = fs::read(folder.path().join("demo-sellers.json")).unwrap();
    assert!(Sellers::parse_within(&sellers, Reach::Local).is_ok());
    first.tasks.shutdown().await;
    drop(first);
    let second = start(&data).await;
    assert_eq!(keys(&stored(&second, "bookings").await), before);
    for kept in ["\"booking\"", "\"idempotency\""] {
        assert!(before.iter().any(|key| key.ends_with(kept)), "{kept} of {before:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stacks_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data =
        ["local", "--port", "0", "--dynamodb-port", "0", "--sim-port", "0", "--data", folder.path().to_str().unwrap()];
    let _first = Stack::start(&Cli::parse_from(data)).await.unwrap();
    let error = Stack::start(&Cli::parse_from(data)).await.err().unwrap().to_string();
    assert!(error.ends_with("is in use by another process"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_its_flag() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let error = Stack::start(&Cli::parse_from(["local", "--port", &port])).await.err().unwrap().to_string();
    assert_eq!(error, format!("port {port} is taken: end what listens there, or choose another with --port"));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_another_dynamodb_the_sweep_runs_new_bookings() {
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", elsewhere.local_addr().unwrap());
    let db = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_with_shutdown(elsewhere, db, std::future::pending()));
    let stack = start(&["--dynamodb", &url, "--tick", "1"]).await;
    let (status, booking) = book(&stack, "one", "").await;
    assert_eq!((status, &booking["state"]), (202, &json!("requested")), "{booking}");
    let path = format!("http://127.0.0.1:{}/v1/bookings/demo/{}", stack.api_port, booking["id"].as_str().unwrap());
    until(async || {
        let request = Request::get(&path).header("authorization", format!("Bearer {}", demo::API_KEY));
        call(request.body(Bytes::new()).unwrap()).await.1["state"] == "scheduled"
    })
    .await;
}
