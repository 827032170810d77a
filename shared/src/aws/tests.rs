//! Tests of `aws`, against answers that are written out.

use super::{Client, Connection, Failure, Request as _, call::endpoint};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::{
    config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _},
    operation::{
        get_item::builders::GetItemInputBuilder,
        put_item::{PutItemError, builders::PutItemInputBuilder},
    },
    types::AttributeValue,
};
use aws_sdk_secretsmanager::config::endpoint::{self as of_secrets, ResolveEndpoint as _};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// What comes of one attempt.
#[derive(Clone, Copy, Debug)]
enum Comes {
    Answer(u16, &'static str),
    /// With a header beside it.
    With(u16, &'static str, (&'static str, &'static str)),
    Broken,
    Unwritable,
    Silence,
}

const DONE: Comes = Comes::Answer(200, r#"{"Item":{"pk":{"S":"acme"}}}"#);
const PAGE: Comes = Comes::Answer(200, "<html>");
const THROTTLED: Comes = Comes::Answer(400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}"#);
const SHORT: Comes =
    Comes::Answer(400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#);
const FAILING: Comes = Comes::Answer(500, r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}"#);
const DENIED: Comes = Comes::Answer(400, r#"{"__type":"com.amazon.coral.service#AccessDeniedException"}"#);
const LOST: Comes = Comes::Answer(
    400,
    r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","Item":{"pk":{"S":"+15550100"}}}"#,
);
const EXPIRED: &str = r#"{"__type":"com.amazon.coral.service#InvalidSignatureException"}"#;

/// Gives the last answer again and again once the others were given.
#[derive(Clone, Debug)]
struct Script {
    comes: &'static [Comes],
    seen: Arc<Mutex<Vec<HttpRequest>>>,
}

impl Script {
    fn headers(&self, name: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|request| request.headers().get(name).unwrap_or_default().to_owned()).collect()
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut seen = self.seen.lock().unwrap();
        let comes = self.comes[seen.len().min(self.comes.len() - 1)];
        seen.push(request);
        HttpConnectorFuture::new(async move {
            // As over a network: whoever else calls gets in between.
            tokio::task::yield_now().await;
            let answer = |status: u16, body| HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            match comes {
                Comes::Answer(status, body) => Ok(answer(status, body)),
                Comes::With(status, body, (name, value)) => {
                    let mut answer = answer(status, body);
                    answer.headers_mut().insert(name, value);
                    Ok(answer)
                }
                Comes::Broken => Err(ConnectorError::io("the connection broke".into())),
                Comes::Unwritable => Err(ConnectorError::user("no request".into())),
                Comes::Silence => pending().await,
            }
        })
    }
}

/// 2026-11-23T03:00:00Z
fn morning() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(498_723)
}

fn connection(http: &Script, token: Option<&str>) -> Connection {
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    Connection {
        region: "eu-west-1".to_owned(),
        identity: Credentials::new("AKIDEXAMPLE", secret, token.map(str::to_owned), None, "test").into(),
        endpoint: None,
        http: SharedHttpConnector::new(http.clone()),
        now: morning,
    }
}

fn script(comes: &'static [Comes]) -> Script {
    Script { comes, seen: Arc::default() }
}

fn client(comes: &'static [Comes]) -> (Client, Script) {
    let script = script(comes);
    (Client::new("dynamodb", connection(&script, None)), script)
}

fn get() -> GetItemInputBuilder {
    GetItemInputBuilder::default().table_name("frontdesk-events").key("pk", AttributeValue::S("acme".to_owned()))
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
        let script = script(&[DONE]);
        let client = Client::new("dynamodb", connection(&script, token)).named("slots-api");
        let answer = get().sent_by(&client).await.unwrap();
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
        assert_eq!(header("user-agent"), Some("frontdesk/0.1.0 app/slots-api"));
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-west-1/dynamodb/aws4_request, \
             SignedHeaders=content-length;content-type;host;x-amz-date;{signed}x-amz-target, Signature={signature}"
        );
        assert_eq!(header("authorization"), Some(expected.as_str()));
    }
}

/// How it ended, after how many attempts.
async fn ended(comes: &'static [Comes]) -> (String, usize) {
    let (client, script) = client(comes);
    let how = get().sent_by(&client).await.map_or_else(|failure| format!("{failure:?}"), |_| "done".to_owned());
    let attempts = script.seen.lock().unwrap().len();
    (how, attempts)
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_four_times_and_what_will_not_once() {
    for (comes, how, attempts) in [
        (&[DONE] as &[Comes], "done", 1),
        (&[FAILING, THROTTLED, Comes::Broken, DONE], "done", 4),
        (&[SHORT, DONE], "done", 2),
        (&[PAGE, DONE], "done", 2),
        (&[Comes::Silence, DONE], "done", 2),
        (&[Comes::Answer(502, "<html>"), Comes::Answer(503, ""), Comes::Answer(504, ""), DONE], "done", 4),
        (&[Comes::With(400, "{}", ("x-amzn-errortype", "RequestTimeout:http://x/")), DONE], "done", 2),
        (&[THROTTLED], "ThrottlingException", 4),
        (&[FAILING], "InternalServerError", 4),
        (&[Comes::Broken], "not reached", 4),
        (&[PAGE], "unreadable", 4),
        (&[DENIED, DONE], "AccessDeniedException", 1),
        (&[LOST, DONE], "ConditionalCheckFailedException", 1),
        (&[Comes::Answer(400, "<html>"), DONE], "service error", 1),
        (&[Comes::Answer(501, "{}"), DONE], "service error", 1),
        (&[Comes::Unwritable, DONE], "not built", 1),
    ] {
        assert_eq!(ended(comes).await, (how.to_owned(), attempts), "{comes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_waited_for_nine_seconds() {
    let began = Instant::now();
    assert_eq!(ended(&[Comes::Silence]).await, ("timed out".to_owned(), 3));
    // To the timer's own millisecond.
    assert_eq!(began.elapsed().as_millis() / 10, 900);
}

/// Up to 50, 100 and 200 ms, drawn: the same seed draws the same.
#[tokio::test(start_paused = true)]
async fn there_is_a_pause_before_each_further_attempt() {
    fastrand::seed(7);
    let drawn: f64 = [50.0, 100.0, 200.0].map(|most| most * fastrand::f64()).iter().sum();
    fastrand::seed(7);
    let began = Instant::now();
    ended(&[THROTTLED]).await;
    let waited = began.elapsed().as_secs_f64() * 1000.0;
    // The timer wakes at whole milliseconds, never before its time.
    assert!(waited >= drawn && waited <= drawn + 6.0, "{waited} of {drawn}");
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_the_same_request_signed_anew() {
    static SECONDS: AtomicU64 = AtomicU64::new(0);
    let script = script(&[FAILING, DONE]);
    let now = || morning() + Duration::from_secs(SECONDS.fetch_add(1, Ordering::Relaxed));
    let client = Client::new("dynamodb", Connection { now, ..connection(&script, None) });
    get().sent_by(&client).await.unwrap();
    assert_eq!(script.headers("x-amz-date"), ["20261123T030000Z", "20261123T030001Z"]);
    let authorized = script.headers("authorization");
    assert_ne!(authorized[0], authorized[1]);
    let seen = script.seen.lock().unwrap();
    assert_eq!(seen[0].body().bytes(), seen[1].body().bytes());
    assert_eq!(seen[0].headers().len(), seen[1].headers().len());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_is_set_right_by_the_date_of_the_refusal() {
    let refused = |date| Comes::With(400, EXPIRED, ("date", date));
    let wrong = refused("Mon, 23 Nov 2026 02:00:00 GMT");
    let (client, script) = client([wrong, DONE].to_vec().leak());
    for _ in 0..2 {
        get().sent_by(&client).await.unwrap();
    }
    // Known from then on.
    assert_eq!(script.headers("x-amz-date"), ["20261123T030000Z", "20261123T020000Z", "20261123T020000Z"]);
    // Each of two that were under way.
    let (client, _) = self::client([wrong, wrong, DONE].to_vec().leak());
    let (one, other) = tokio::join!(get().sent_by(&client), get().sent_by(&client));
    assert!(one.is_ok() && other.is_ok());
    // No clock of ours: its key is wrong, say. And what AWS still does not take then.
    for (date, attempts) in [("Mon, 23 Nov 2026 03:03:59 GMT", 1), ("Mon, 23 Nov 2026 03:04:00 GMT", 2), ("soon", 1)] {
        let comes = ended([refused(date), refused(date)].to_vec().leak()).await;
        assert_eq!(comes, ("InvalidSignatureException".to_owned(), attempts), "{date}");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_to_be_not_built() {
    for (endpoint, asked) in [
        ("", None),
        ("dynamodb.test", None),
        ("http://", None),
        ("http://127.0.0.1:8000", Some("http://127.0.0.1:8000/")),
        ("https://proxy.test/dynamodb", Some("https://proxy.test/dynamodb")),
    ] {
        let script = script(&[DONE]);
        let place = Some(endpoint.to_owned());
        let client = Client::new("dynamodb", Connection { endpoint: place, ..connection(&script, None) });
        let sent = get().sent_by(&client).await;
        assert_eq!(matches!(sent, Err(Failure::NotBuilt)), asked.is_none(), "{endpoint}");
        let seen = script.seen.lock().unwrap();
        assert_eq!(seen.first().map(|request| request.uri().to_owned()).as_deref(), asked);
    }
}

#[tokio::test]
async fn neither_a_client_nor_a_failure_tells_what_is_nobodys_business() {
    let script = script(&[LOST]);
    let client = Client::new("dynamodb", connection(&script, Some("a-session/token+")));
    let told = format!("{client:?}");
    assert!(!told.contains("wJalrXUtnFEMI") && !told.contains("a-session"), "{told}");
    let failure = PutItemInputBuilder::default().table_name("frontdesk-events").sent_by(&client).await.unwrap_err();
    assert_eq!(format!("{failure:?}"), "ConditionalCheckFailedException");
    // Whoever asks for it by its name has it.
    let Failure::Refused { error: PutItemError::ConditionalCheckFailedException(lost), status: 400 } = failure else {
        panic!("{failure:?}")
    };
    assert_eq!(lost.item.unwrap()["pk"], AttributeValue::S("+15550100".to_owned()));
}

#[tokio::test]
async fn endpoints_are_the_sdks_own() {
    for region in [
        "us-east-1",
        "eu-west-1",
        "ap-south-1",
        "mx-central-1",
        "us-gov-west-1",
        "cn-north-1",
        "eusc-de-east-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "us-isof-south-1",
        "eu-isoe-west-1",
    ] {
        let params = Params::builder().region(region).build().unwrap();
        let theirs = DefaultResolver::new().resolve_endpoint(&params).await.unwrap();
        assert_eq!(endpoint("dynamodb", region), theirs.url(), "{region}");
        let params = of_secrets::Params::builder().region(region).build().unwrap();
        let theirs = of_secrets::DefaultResolver::new().resolve_endpoint(&params).await.unwrap();
        assert_eq!(endpoint("secretsmanager", region), theirs.url(), "{region}");
    }
}

/// Its future is moved about by everything that waits for it.
#[test]
fn a_call_is_a_small_future() {
    let (client, _) = client(&[DONE]);
    let put = PutItemInputBuilder::default().sent_by(&client);
    assert!(size_of_val(&put) <= 64, "{}", size_of_val(&put));
}
