//! Stands in for DynamoDB and Popin over TLS when `infra/measure/run` measures: fixed answers, without delay.
//!
//! `standin CERTIFICATE KEY QUERY GET`: two PEM files, the answer to a DynamoDB query, the answer to any request that is not
//! DynamoDB's. Prints its port, and serves until its standard input ends.

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    error::Error,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

enum Call {
    /// The operation's name, and whether it requires that the item exists: none does.
    DynamoDb(String, bool),
    Popin,
}

/// The condition of the write that a function probes its table with at start.
const MUST_EXIST: &str = r#""ConditionExpression":"attribute_exists(pk)""#;
const NOT_FOUND: &[u8] = br#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}"#;

struct Answers {
    query: Vec<u8>,
    get: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, query, get] = files.as_slice() else {
        return Err("standin CERTIFICATE KEY QUERY GET".into());
    };
    let answers = Arc::new(Answers { query: fs::read(query)?, get: fs::read(get)? });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    let tls = Arc::new(tls);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(io::stdout(), "{}", listener.local_addr()?.port())?;
    thread::spawn(move || {
        for caller in listener.incoming().flatten() {
            let (tls, answers) = (tls.clone(), answers.clone());
            // A killed process closes its connection mid-request.
            thread::spawn(move || serve(caller, tls, &answers).ok());
        }
    });
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn serve(caller: TcpStream, tls: Arc<ServerConfig>, answers: &Answers) -> Result<(), Box<dyn Error>> {
    caller.set_nodelay(true)?;
    let mut caller = BufReader::new(StreamOwned::new(ServerConnection::new(tls)?, caller));
    while let Some(call) = read(&mut caller)? {
        let (status, body): (&str, &[u8]) = match &call {
            Call::Popin => ("200 OK", &answers.get),
            Call::DynamoDb(_, true) => ("400 Bad Request", NOT_FOUND),
            Call::DynamoDb(name, _) if name == "Query" => ("200 OK", &answers.query),
            Call::DynamoDb(name, _) if name == "UpdateItem" => ("200 OK", br#"{"Attributes":{}}"#),
            Call::DynamoDb(..) => ("200 OK", b"{}"),
        };
        // One write: each further one would wake the caller again.
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        caller.get_mut().write_all(&[head.as_bytes(), body].concat())?;
    }
    Ok(())
}

/// Reads one request. `None` when the connection has ended.
fn read(caller: &mut impl BufRead) -> io::Result<Option<Call>> {
    let (mut operation, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if caller.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            let mut body = String::new();
            caller.take(length).read_to_string(&mut body)?;
            return Ok(Some(operation.map_or(Call::Popin, |name| Call::DynamoDb(name, body.contains(MUST_EXIST)))));
        }
        match line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim())) {
            Some((name, value)) if name == "x-amz-target" => {
                operation = value.rsplit('.').next().map(str::to_owned);
            }
            Some((name, value)) if name == "content-length" => length = value.parse().map_err(io::Error::other)?,
            _ => {}
        }
    }
}
