//! Tests of `gateway`.

use super::{event, from_lambda, routes::Routes};
use crate::template::Template;
use bytes::Bytes;
use http::{Method, Request};
use jiff::Timestamp;
use lambda_http::RequestExt as _;
use serde_json::{Value, json};

fn routes() -> Routes {
    let event = |n: u8, method: &str, path: &str| {
        format!("        E{n}: {{ Type: HttpApi, Properties: {{ Method: {method}, Path: '{path}' }} }}\n")
    };
    let function = |name: &str, events: String| {
        format!(
            "  {name}:\n    Type: AWS::Serverless::Function\n    Properties:\n      \
             CodeUri: ../target/lambda/{name}\n      MemorySize: 128\n      Timeout: 3\n      Environment: {{ Variables: {{}} }}\n      Events:\n{events}"
        )
    };
    let a =
        event(1, "GET", "/v1/{seller}/{id}") + &event(2, "GET", "/v1/health") + &event(3, "GET", "/v1/{seller}/all");
    let b = event(1, "post", "/v1/{seller}/{id}");
    let yaml = format!("Resources:\n{}{}", function("A", a), function("B", b));
    Routes::of(&Template::parse(&yaml).unwrap()).unwrap()
}

fn found(method: &Method, path: &str) -> Option<(String, Vec<(String, String)>)> {
    let routes = routes();
    let found = routes.find(method, path)?;
    let parameters = found.parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Some((format!("{} {}", found.function, found.key), parameters))
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_literal_segment_wins_over_a_parameter() {
    assert_eq!(found(&Method::GET, "/v1/acme/all").unwrap().0, "A GET /v1/{seller}/all");
    assert_eq!(found(&Method::GET, "/v1/acme/7").unwrap().0, "A GET /v1/{seller}/{id}");
    assert_eq!(found(&Method::POST, "/v1/acme/all").unwrap().0, "B POST /v1/{seller}/{id}");
    assert_eq!(found(&Method::GET, "/v1/health").unwrap().1, []);
}

#[test]
fn parameters_are_decoded_and_never_empty() {
    let (_, parameters) = found(&Method::GET, "/v1/a%20b/%C3%BC%2Fx").unwrap();
    assert_eq!(parameters, [pair("seller", "a b"), pair("id", "ü/x")]);
    for nowhere in ["/v1//7", "/v1/acme", "/v1/acme/7/", "/", "/v1/acme/7/8"] {
        assert!(found(&Method::GET, nowhere).is_none(), "{nowhere}");
    }
    assert!(found(&Method::PUT, "/v1/acme/7").is_none());
}

fn event_of(request: &Request<Bytes>) -> Value {
    let routes = routes();
    let now: Timestamp = "2026-11-21T09:05:03.250Z".parse().unwrap();
    event::of(request, &routes.find(request.method(), request.uri().path()).unwrap(), "0123-abcd", now)
}

fn request(uri: &str) -> http::request::Builder {
    Request::builder().method("POST").uri(uri).header("host", "127.0.0.1:7700")
}

#[test]
fn an_event_is_of_payload_format_2() {
    let request = request("/v1/a%20b/7?x=1&y=a%20b&x=2&z=+")
        .header("X-Thing", "one")
        .header("x-thing", "two")
        .header("cookie", "a=1; b=2")
        .header("user-agent", "curl")
        .body(Bytes::from_static("ü".as_bytes()))
        .unwrap();
    let event = event_of(&request);
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["routeKey"], "POST /v1/{seller}/{id}");
    assert_eq!(event["rawPath"], "/v1/a%20b/7");
    assert_eq!(event["rawQueryString"], "x=1&y=a%20b&x=2&z=+");
    assert_eq!(event["queryStringParameters"], json!({ "x": "1,2", "y": "a b", "z": " " }));
    assert_eq!(event["pathParameters"], json!({ "seller": "a b", "id": "7" }));
    assert_eq!(event["headers"]["x-thing"], "one,two");
    assert_eq!(event["headers"]["cookie"], Value::Null);
    assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("ü"), &json!(false)));
    let context = &event["requestContext"];
    assert_eq!(context["time"], "21/Nov/2026:09:05:03 +0000");
    assert_eq!(context["timeEpoch"], 1_795_251_903_250_i64);
    assert_eq!((&context["stage"], &context["requestId"]), (&json!("$default"), &json!("0123-abcd")));
    let http = json!({"method": "POST", "path": "/v1/a%20b/7", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "curl"});
    assert_eq!(context["http"], http);
}

#[test]
fn a_body_that_is_not_text_goes_as_base64_and_arrives_as_it_was() {
    let request = request("/v1/acme/7").body(Bytes::from_static(&[0xff, 0x00, 0x7f])).unwrap();
    let event = event_of(&request);
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/wB/"), &json!(true)));
    let read = lambda_http::request::from_str(&event.to_string()).unwrap();
    assert_eq!(read.body().as_ref(), [0xff, 0x00, 0x7f]);
}

#[test]
fn lambda_http_reads_the_event() {
    let request = request("/v1/acme/7?x=a%26b").header("cookie", "a=1; b=2").body(Bytes::from_static(b"{}")).unwrap();
    let read = lambda_http::request::from_str(&event_of(&request).to_string()).unwrap();
    assert_eq!(read.method(), "POST");
    assert_eq!(read.path_parameters().first("seller"), Some("acme"));
    assert_eq!(read.query_string_parameters().first("x"), Some("a&b"));
    assert_eq!(read.headers()["cookie"], "a=1; b=2");
    assert_eq!(read.uri().path(), "/v1/acme/7");
}

#[test]
fn a_lambda_answer_becomes_a_response() {
    let answer = json!({
        "statusCode": 202,
        "headers": { "content-type": "text/plain" },
        "multiValueHeaders": { "x-two": ["a", "b"] },
        "cookies": ["a=1", "b=2"],
        "body": "/wB/",
        "isBase64Encoded": true,
    });
    let response = from_lambda(&answer).unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.headers().get_all("x-two").iter().count(), 2);
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.body().as_ref(), [0xff, 0x00, 0x7f]);
}

#[test]
fn an_answer_without_a_status_is_a_body_and_a_strange_one_is_none() {
    let response = from_lambda(&json!({ "hello": 1 })).unwrap();
    assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, br#"{"hello":1}"#.as_slice()));
    assert!(from_lambda(&json!({ "statusCode": "many" })).is_none());
    assert!(from_lambda(&json!({ "statusCode": 200, "headers": { "a b": "c" } })).is_none());
}
