//! Tests of `aws`, against answers that are written out.

use super::{Client, Connection, Failure, Request as _, call::endpoint};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::{
    config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _},
    operation::{
        get_item::{GetItemError, GetItemOutput, builders::GetItemInputBuilder},
        put_item::builders::PutItemInputBuilder,
    },
    types::AttributeValue,
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// What comes back of one try.
#[derive(Clone, Copy, Debug)]
enum Back {
    Answer(u16, &'static str),
    Nothing,
    Silence,
}

const DONE: Back = Back::Answer(200, r#"{"Item":{"pk":{"S":"acme"}}}"#);
const THROTTLED: Back = Back::Answer(400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}"#);
const DENIED: Back = Back::Answer(400, r#"{"__type":"com.amazon.coral.service#AccessDeniedException"}"#);
const ILL: Back = Back::Answer(500, r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}"#);
const PAGE: Back = Back::Answer(200, "<html>");

/// Gives the last answer again and again once the others were given.
#[derive(Clone, Debug)]
struct Script {
    back: &'static [Back],
    seen: Arc<Mutex<Vec<HttpRequest>>>,
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut seen = self.seen.lock().unwrap();
        let back = self.back[seen.len().min(self.back.len() - 1)];
        seen.push(request);
        HttpConnectorFuture::new(async move {
            match back {
                Back::Answer(status, body) => Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))),
                Back::Nothing => Err(ConnectorError::io("the connection broke".into())),
                Back::Silence => pending().await,
            }
        })
    }
}

fn morning() -> SystemTime {
    // 2026-11-23T03:00:00Z
    SystemTime::UNIX_EPOCH + Duration::from_hours(498_723)
}

fn client(back: &'static [Back], token: Option<&str>, at: Option<&str>) -> (Client, Script) {
    let script = Script { back, seen: Arc::default() };
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let identity = Credentials::new("AKIDEXAMPLE", secret, token.map(str::to_owned), None, "test").into();
    let connection = Connection {
        region: "eu-west-1".to_owned(),
        identity,
        endpoint: at.map(str::to_owned),
        http: SharedHttpConnector::new(script.clone()),
        now: morning,
    };
    (Client::new("dynamodb", connection), script)
}

async fn get(client: &Client) -> Result<GetItemOutput, Failure<GetItemError>> {
    let key = AttributeValue::S("acme".to_owned());
    GetItemInputBuilder::default().table_name("frontdesk-events").key("pk", key).sent_by(client).await
}

#[tokio::test]
async fn a_request_is_signed_as_botocore_signs_it() {
    let known = [
        (None, "", "9d99a7c11ab0bb33832500ff9334b53f334f2ae0ffc49bdfceb7d51939958f6d"),
        (
            Some("a-session/token+"),
            "x-amz-security-token;",
            "07829f377cde131402abd312bf5244159bfd6b680279b1a70f5f523b2661eaf7",
        ),
    ];
    for (token, signed, signature) in known {
        let (client, script) = client(&[DONE], token, None);
        let answer = get(&client).await.unwrap();
        assert_eq!(answer.item.unwrap()["pk"], AttributeValue::S("acme".to_owned()));
        let seen = script.seen.lock().unwrap();
        let [request] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!((request.method(), request.uri()), ("POST", "https://dynamodb.eu-west-1.amazonaws.com/"));
        let body: &[u8] = br#"{"TableName":"frontdesk-events","Key":{"pk":{"S":"acme"}}}"#;
        assert_eq!(request.body().bytes(), Some(body));
        let header = |name| request.headers().get(name);
        assert_eq!(header("x-amz-target"), Some("DynamoDB_20120810.GetItem"));
        assert_eq!(header("x-amz-date"), Some("20261123T030000Z"));
        assert_eq!(header("x-amz-security-token"), token);
        assert_eq!(header("user-agent"), Some("frontdesk"));
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-west-1/dynamodb/aws4_request, \
             SignedHeaders=content-length;content-type;host;x-amz-date;{signed}x-amz-target, Signature={signature}"
        );
        assert_eq!(header("authorization"), Some(expected.as_str()));
    }
}

/// How it ended, after how many tries.
async fn ended(back: &'static [Back]) -> (String, usize) {
    let (client, script) = client(back, None, None);
    let how = match get(&client).await {
        Ok(_) => "done".to_owned(),
        Err(Failure::Refused { status, error }) => format!("{status} {}", error.meta().code().unwrap_or("-")),
        Err(failure) => format!("{failure:?}"),
    };
    let tries = script.seen.lock().unwrap().len();
    (how, tries)
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_four_times_and_what_will_not_once() {
    for (back, how, tries) in [
        (&[DONE] as &[Back], "done", 1),
        (&[ILL, THROTTLED, Back::Nothing, DONE], "done", 4),
        (&[PAGE, DONE], "done", 2),
        (&[Back::Silence, DONE], "done", 2),
        (&[Back::Answer(503, ""), DONE], "done", 2),
        (&[THROTTLED], "400 ThrottlingException", 4),
        (&[ILL], "500 InternalServerError", 4),
        (&[Back::Nothing], "NotReached", 4),
        (&[PAGE], "Unreadable", 4),
        (&[DENIED, DONE], "400 AccessDeniedException", 1),
    ] {
        assert_eq!(ended(back).await, (how.to_owned(), tries), "{back:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_waited_for_nine_seconds() {
    let began = Instant::now();
    assert_eq!(ended(&[Back::Silence]).await, ("TimedOut".to_owned(), 3));
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(9) && waited < Duration::from_millis(9_200), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn every_try_is_the_same_request_signed_anew() {
    let (client, script) = client(&[ILL, DONE], None, None);
    get(&client).await.unwrap();
    let seen = script.seen.lock().unwrap();
    let told = |request: &HttpRequest| {
        (request.body().bytes().map(<[u8]>::to_vec), request.headers().get_all("authorization").count())
    };
    assert_eq!(told(&seen[0]), told(&seen[1]));
    assert_eq!(told(&seen[0]).1, 1);
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_to_be_not_built() {
    for nowhere in ["", "dynamodb.test", "http://"] {
        let (client, script) = client(&[DONE], None, Some(nowhere));
        assert!(matches!(get(&client).await, Err(Failure::NotBuilt)), "{nowhere}");
        assert!(script.seen.lock().unwrap().is_empty());
    }
    let (client, script) = client(&[DONE], None, Some("http://127.0.0.1:8000"));
    get(&client).await.unwrap();
    assert_eq!(script.seen.lock().unwrap()[0].uri(), "http://127.0.0.1:8000/");
}

#[test]
fn a_client_tells_no_secret() {
    let (client, _) = client(&[DONE], Some("a-session/token+"), None);
    let told = format!("{client:?}");
    assert!(!told.contains("wJalrXUtnFEMI") && !told.contains("a-session"), "{told}");
}

/// The SDK's own rules are 100 KB of each binary.
#[tokio::test]
async fn the_endpoint_is_the_sdks_own() {
    for region in ["us-east-1", "eu-west-1", "ap-south-1", "us-gov-west-1", "cn-north-1", "mx-central-1"] {
        let params = Params::builder().region(region).build().unwrap();
        let theirs = DefaultResolver::new().resolve_endpoint(&params).await.unwrap();
        assert_eq!(endpoint("dynamodb", region), theirs.url(), "{region}");
    }
}

/// Its future is moved about by everything that waits for it.
#[test]
fn a_call_is_a_small_future() {
    let (client, _) = client(&[DONE], None, None);
    let put = PutItemInputBuilder::default().sent_by(&client);
    assert!(size_of_val(&put) <= 64, "{}", size_of_val(&put));
}
