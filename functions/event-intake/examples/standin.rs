//! DynamoDB and a vendor over TLS, as `infra/measure/run` stands in for them: always the same answer, and at once.
//!
//! `standin CERTIFICATE KEY QUERY GET`: PEM files, the answer to a query, the answer to whatever is no call of DynamoDB's.
//! Prints its port, and serves until its own input ends.

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

/// What a request asks for.
enum Call {
    /// One of DynamoDB's operations by its name, and whether it changes only what is there: nothing is.
    Database(String, bool),
    Vendor,
}

/// The condition of what starts a function by a write that changes nothing.
const ONLY_THERE: &str = r#""ConditionExpression":"attribute_exists(pk)""#;
const NOTHING_THERE: &[u8] = br#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}"#;

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
            // Whoever is killed hangs up on us.
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
            Call::Vendor => ("200 OK", &answers.get),
            Call::Database(_, true) => ("400 Bad Request", NOTHING_THERE),
            Call::Database(name, _) if name == "Query" => ("200 OK", &answers.query),
            Call::Database(name, _) if name == "UpdateItem" => ("200 OK", br#"{"Attributes":{}}"#),
            Call::Database(..) => ("200 OK", b"{}"),
        };
        // In one piece: each further one would wake the caller again.
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        caller.get_mut().write_all(&[head.as_bytes(), body].concat())?;
    }
    Ok(())
}

/// One request. `None` at the end.
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
            return Ok(Some(operation.map_or(Call::Vendor, |name| Call::Database(name, body.contains(ONLY_THERE)))));
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
