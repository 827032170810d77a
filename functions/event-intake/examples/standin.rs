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
    /// One of DynamoDB's operations, by its name.
    Database(String),
    Vendor,
}

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
        let body: &[u8] = match &call {
            Call::Vendor => &answers.get,
            Call::Database(name) if name == "Query" => &answers.query,
            Call::Database(name) if name == "UpdateItem" => br#"{"Attributes":{}}"#,
            Call::Database(_) => b"{}",
        };
        // In one piece: each further one would wake the caller again.
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        caller.get_mut().write_all(&[head.as_bytes(), body].concat())?;
    }
    Ok(())
}

/// One request. `None` at the end.
fn read(caller: &mut impl BufRead) -> io::Result<Option<Call>> {
    let (mut call, mut length, mut first) = (Call::Vendor, 0, true);
    loop {
        let mut line = String::new();
        if caller.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() && !first {
            io::copy(&mut caller.take(length), &mut io::sink())?;
            return Ok(Some(call));
        }
        first = false;
        match line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim())) {
            Some((name, value)) if name == "x-amz-target" => {
                call = Call::Database(value.rsplit('.').next().unwrap_or_default().to_owned());
            }
            Some((name, value)) if name == "content-length" => length = value.parse().map_err(io::Error::other)?,
            _ => {}
        }
    }
}
