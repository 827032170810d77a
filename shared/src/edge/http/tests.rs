//! Tests of the HTTP clients over real sockets on this machine.

use super::*;
use crate::edge::aws;
use aws_sdk_dynamodb::{config::Credentials, error::SdkError};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::Instant,
};

/// A server that answers each connection with these bytes and closes it; none is silence. Counts the connections.
async fn server(answer: Option<Vec<u8>>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, count) = (format!("http://{}", listener.local_addr().unwrap()), Arc::new(AtomicUsize::new(0)));
    let counter = count.clone();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
            let Some(answer) = &answer else {
                silent.push(stream);
                continue;
            };
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0, "no request came");
            stream.write_all(answer).await.unwrap();
        }
    });
    (url, count)
}

async fn send(url: &str) -> Result<Response<Bytes>, TransportError> {
    let popin = HttpClients::new().unwrap().transport(Reach::Local).unwrap();
    popin.send(Request::get(url).body(Bytes::new()).unwrap(), Duration::from_secs(5)).await
}

#[tokio::test]
async fn refused_connection_was_not_sent() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(send(&format!("http://{free}/")).await.map(drop), Err(TransportError::NotSent));
    assert_eq!(send("/relative").await.map(drop), Err(TransportError::NotSent));
}

#[tokio::test]
async fn whatever_ends_early_is_unanswered() {
    let long = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; MAX_VENDOR_RESPONSE + 1]].concat();
    for answer in
        [b"".to_vec(), b"HTTP/1.1 200".to_vec(), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort".to_vec(), long]
    {
        let (url, count) = server(Some(answer)).await;
        assert_eq!(send(&url).await.map(drop), Err(TransportError::Unanswered));
        assert_eq!(count.load(Ordering::Relaxed), 1, "it was sent again");
    }
}

#[tokio::test]
async fn redirect_is_returned_and_not_followed() {
    let (elsewhere, visits) = server(Some(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
    let (url, _) = server(Some(format!("HTTP/1.1 307 Go\r\nlocation: {elsewhere}/\r\n\r\n").into_bytes())).await;
    let answer = send(&url).await.unwrap();
    assert_eq!((answer.status().as_u16(), visits.load(Ordering::Relaxed)), (307, 0));
}

fn dynamodb(endpoint: &str) -> aws_sdk_dynamodb::Client {
    let credentials = Credentials::new("local", "local", None, None, "test");
    let http = HttpClients::new().unwrap().aws().unwrap();
    aws::dynamodb(&aws::at(http, endpoint, "us-east-1".to_owned(), credentials))
}

#[tokio::test]
async fn aws_call_is_attempted_four_times() {
    let (url, count) = server(Some(b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\n{}".to_vec())).await;
    dynamodb(&url).list_tables().send().await.unwrap_err();
    assert_eq!(count.load(Ordering::Relaxed), 4);
}

/// Time is simulated: it jumps to the next timer while the server is silent.
#[tokio::test(start_paused = true)]
async fn aws_call_ends_after_nine_seconds() {
    let (url, _) = server(None).await;
    let (client, began) = (dynamodb(&url), Instant::now());
    let error = client.list_tables().send().await.unwrap_err();
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    assert_eq!(began.elapsed().as_secs(), 9);
}

/// Names are resolved by this machine's own hosts file; no packet leaves it.
#[tokio::test]
async fn private_addresses_are_never_called() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let guarded = HttpClients::new().unwrap().transport(Reach::Public).unwrap();
    for url in [
        format!("https://127.0.0.1:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://0x7f.1:{port}/"),
        format!("https://0177.0.0.1:{port}/"),
        format!("https://127.1.:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://localhost:{port}/"),
        format!("http://localhost:{port}/"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
    ] {
        let request = Request::get(&url).body(Bytes::new()).unwrap();
        let sent = guarded.send(request, Duration::from_secs(5)).await;
        assert_eq!(sent.map(drop), Err(TransportError::NotAllowed), "{url}");
    }
    assert!(listener.accept().is_err(), "somebody connected");
}
