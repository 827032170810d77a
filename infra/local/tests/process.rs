//! The real process: killed at any moment, it goes on where it was; and the real bootstraps do what the handlers do.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Where a machine is: its ports, its sellers and, if it keeps them, its data. It outlives its processes.
struct Machine {
    ports: [u16; 3],
    folder: tempfile::TempDir,
}

impl Machine {
    /// The demo shop, whose workers' leases end soon.
    fn new() -> Self {
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
            listener.local_addr().expect("a bound socket has an address").port()
        };
        let (ports, folder) = ([free(), free(), free()], tempfile::tempdir().expect("there is a temporary folder"));
        let mut sellers = local::demo::sellers(ports[0], ports[2]);
        for seller in sellers.as_object_mut().expect("the document is an object").values_mut() {
            seller["booking"]["lease_seconds"] = json!(3);
        }
        std::fs::write(folder.path().join("sellers.json"), sellers.to_string()).expect("the folder can be written");
        Self { ports, folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("the temporary folder's name is UTF-8").to_owned()
    }

    /// Starts a process that keeps its data here, with schedules that fire every second.
    fn start(&self) -> Local {
        Local::start(self, &["--data", &self.path("data"), "--tick", "1"])
    }
}

/// A running `local`.
struct Local {
    child: Child,
    api: String,
    sim: String,
}

impl Local {
    fn start(machine: &Machine, arguments: &[&str]) -> Self {
        Self::told_to(machine, arguments, Stdio::null())
    }

    /// With the functions' log lines somewhere.
    fn told_to(machine: &Machine, arguments: &[&str], log: Stdio) -> Self {
        let [api, dynamodb, sim] = machine.ports.map(|port| port.to_string());
        let mut child = Command::new(env!("CARGO_BIN_EXE_local"))
            .args([
                "--port",
                &api,
                "--dynamodb-port",
                &dynamodb,
                "--sim-port",
                &sim,
                "--sellers",
                &machine.path("sellers.json"),
            ])
            .args(arguments)
            .stdout(Stdio::piped())
            .env("LOG_LEVEL", "info")
            .stderr(log)
            .spawn()
            .expect("the binary was built for this test");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == format!("ready http://127.0.0.1:{api}")), "local did not get ready");
        // The rest is read, so that the process never waits for us.
        std::thread::spawn(move || lines.count());
        Self { child, api: format!("127.0.0.1:{api}"), sim: format!("127.0.0.1:{sim}") }
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().expect("the process runs");
        self.child.wait().expect("the process is ours");
    }

    fn book(&self, key: &str, number: u32, wait: bool) -> (u16, Value) {
        let prefer = if wait { "Prefer: wait=10\r\n" } else { "" };
        let headers = format!("Authorization: Bearer demo-api-key-not-a-secret\r\nIdempotency-Key: {key}\r\n{prefer}");
        let body = json!({"lead": {"name": "Asha Example", "mobile": format!("+9190000{number:05}")}});
        http(&self.api, "POST", "/v1/bookings/demo", &headers, &body.to_string()).expect("local answers")
    }

    fn booking(&self, id: &str) -> Value {
        let headers = "Authorization: Bearer demo-api-key-not-a-secret\r\n";
        http(&self.api, "GET", &format!("/v1/bookings/demo/{id}"), headers, "").expect("local answers").1
    }

    fn sim(&self, method: &str, path: &str, body: &Value) -> Value {
        http(&self.sim, method, path, "", &body.to_string()).expect("the simulator answers").1
    }

    /// Waits for a condition that will come true, and says which did not.
    fn until(what: &str, mut holds: impl FnMut() -> bool) {
        let since = Instant::now();
        while !holds() {
            assert!(since.elapsed() < Duration::from_secs(90), "{what} never came true");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One request over a socket of its own; `None` when the other side is gone.
fn http(address: &str, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: https://shop.example.com\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

fn id(body: &Value) -> String {
    body["id"].as_str().unwrap_or_else(|| panic!("no booking in {body}")).to_owned()
}

#[test]
fn a_killed_process_finds_everything_that_it_had_acknowledged_and_goes_on() {
    let machine = Machine::new();
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let local = machine.start();
        // Open bookings at the moment of death, at whatever step each of them is.
        for n in 0..5 {
            let number = round * 5 + n;
            let (status, body) = local.book(&format!("k{number}"), number, false);
            assert_eq!(status, 202, "{body}");
            acknowledged.push((number, id(&body)));
        }
        let event = json!({"events": [{"id": format!("018f2b6e-7c1a-7e3b-9d0a-{round:012x}"), "source": "popin", "name": "popin_open", "data": {"uid": "u"}}]});
        let (status, body) =
            http(&local.api, "POST", "/v1/collect/demo", "", &event.to_string()).expect("local answers");
        assert_eq!((status, &body["accepted"]), (202, &json!(1)));
        local.kill();
    }
    let local = machine.start();
    for (number, booking) in &acknowledged {
        let (status, again) = local.book(&format!("k{number}"), *number, false);
        assert_eq!((status, &id(&again)), (202, booking), "the key is remembered");
        // A worker that died in the middle is waited for until its lease ends.
        Local::until("a booking at rest", || {
            matches!(local.booking(booking)["state"].as_str(), Some("scheduled" | "in_doubt" | "needs_human"))
        });
    }
    let schedules = local.sim("GET", "/_sim/schedules", &Value::Null);
    let mut mobiles: Vec<_> = schedules.as_array().expect("a list").iter().map(|call| call["mobile"].clone()).collect();
    let all = mobiles.len();
    mobiles.sort_by_key(ToString::to_string);
    mobiles.dedup();
    assert_eq!(mobiles.len(), all, "nobody is called twice");
    let events = local.sim("GET", "/_local/tables/events?limit=1000", &Value::Null);
    let pages = events.as_array().expect("a list").iter().filter(|item| item["name"] == "popin_open").count();
    assert_eq!(pages, 4, "every acknowledged event is there, once");
}

#[test]
fn killed_while_popin_holds_the_reply_there_is_one_effect_and_a_witness() {
    let machine = Machine::new();
    let local = machine.start();
    local.sim("POST", "/_sim/webhooks", &json!({"delay_ms": 2000}));
    local.sim("POST", "/_sim/faults", &json!({"endpoint": "schedule", "fault": "held", "times": 1}));
    let (_, body) = local.book("k1", 1, false);
    let booking = id(&body);
    Local::until("the call at Popin", || {
        local.sim("GET", "/_sim/schedules", &Value::Null).as_array().is_some_and(|all| all.len() == 1)
    });
    assert_eq!(local.booking(&booking)["state"], "scheduling");
    local.kill();
    let local = machine.start();
    Local::until("the witness", || local.booking(&booking)["state"] == "scheduled");
    assert_eq!(local.booking(&booking)["confirmed_by"], "webhook");
    assert_eq!(local.sim("GET", "/_sim/schedules", &Value::Null).as_array().map(Vec::len), Some(1));
}

const FUNCTIONS: [&str; 5] = ["event-intake", "slot-cache", "slots-api", "crm-intake", "booking-worker"];

fn build_functions() {
    let packages = FUNCTIONS.iter().flat_map(|name| ["-p", name]);
    let built = Command::new(env!("CARGO")).arg("build").args(packages).stderr(Stdio::inherit()).status();
    assert!(built.expect("cargo runs").success(), "the functions do not build");
}

#[test]
fn a_function_that_cannot_start_says_why_in_a_line_of_json() {
    build_functions();
    for name in FUNCTIONS {
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_local")).with_file_name(name);
        let ended = Command::new(binary).env_clear().output().expect("the binary was built just now");
        assert!(!ended.status.success(), "{ended:?}");
        let line: Value = serde_json::from_slice(&ended.stdout).expect("one line of JSON");
        assert_eq!((&line["level"], &line["message"]), (&json!("ERROR"), &json!("function.not_started")), "{line}");
        let error = line["error"].as_str().expect("it says why");
        assert!(error.starts_with("cannot start: ") && error.contains("AWS_REGION is not set"), "{error}");
    }
}

#[test]
fn the_real_bootstraps_take_an_event_fill_the_diary_and_book() {
    build_functions();
    let machine = Machine::new();
    let log = std::fs::File::create(machine.path("log")).expect("the folder can be written");
    let local = Local::told_to(&machine, &["--bootstraps"], Stdio::from(log));
    let event = json!({"events": [{"id": "018f2b6e-7c1a-7e3b-9d0a-000000000001", "source": "popin", "name": "popin_open", "data": {"uid": "u"}}]});
    for (accepted, duplicate) in [(1, 0), (0, 1)] {
        let (status, body) =
            http(&local.api, "POST", "/v1/collect/demo", "", &event.to_string()).expect("local answers");
        assert_eq!(
            (status, &body["accepted"], &body["duplicate"]),
            (202, &json!(accepted), &json!(duplicate)),
            "{body}"
        );
    }
    let (status, slots) = http(&local.api, "GET", "/v1/slots/demo?limit=1", "", "").expect("local answers");
    assert_eq!((status, slots["slots"].as_array().map(Vec::len)), (200, Some(1)), "{slots}");
    let (status, waited) = local.book("k1", 1, true);
    assert_eq!((status, &waited["state"]), (201, &json!("scheduled")), "{waited}");
    let (status, streamed) = local.book("k2", 2, false);
    assert_eq!(status, 202);
    Local::until("the stream's booking", || local.booking(&id(&streamed))["witnessed_at"].is_string());
    assert_eq!(local.sim("GET", "/_sim/schedules", &Value::Null).as_array().map(Vec::len), Some(2));
    drop(local);
    // The runtime's lines too. Plain text is only a function's last word when its Runtime API is gone.
    let told = std::fs::read_to_string(machine.path("log")).expect("it was written");
    let lines: Vec<Value> = told
        .lines()
        .filter(|line| !line.starts_with("Error: "))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect();
    for name in FUNCTIONS {
        let mut own = lines.iter().filter(|line| line["function"] == name);
        assert!(own.any(|line| line.get("_aws").is_some()), "{name} tells no metric: {told}");
    }
    assert!(!told.contains("Asha") && !told.contains("90000") && !told.contains("not-a-secret"), "{told}");
}
