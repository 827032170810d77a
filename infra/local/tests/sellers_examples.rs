//! Each example of a sellers document starts the real `local`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running `local`, ended with the test.
struct Local(Child);

impl Drop for Local {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts `local` with a document of this repository; returns it with the address of its API.
fn start(document: &str) -> (Local, String) {
    let sellers = format!("{}/../{document}", env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["--port", "0", "--dynamodb-port", "0", "--sim-port", "0", "--sellers", &sellers])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary was built for this test");
    let stdout = child.stdout.take().expect("stdout is piped");
    let local = Local(child);
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let ready = lines.find_map(|line| line.strip_prefix("ready http://").map(str::to_owned));
    let address = ready.unwrap_or_else(|| panic!("local did not get ready with {document}"));
    // The rest is read, so that the process never waits for us.
    std::thread::spawn(move || lines.count());
    (local, address)
}

/// The status of one request.
fn get(address: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).expect("local listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("local reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("local answers");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer has a status")
}

#[test]
fn local_starts_with_each_example_document() {
    for document in ["sellers.example.json", "sellers.full.example.json"] {
        let since = Instant::now();
        let (_local, address) = start(document);
        // The Popin of the examples is nowhere: the start must not wait for it.
        assert!(since.elapsed() < Duration::from_secs(20), "{document} took {:?}", since.elapsed());
        assert_eq!(get(&address, "/v1/health"), 200, "{document}");
    }
}
