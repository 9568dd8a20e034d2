//! `rerec serve-reward` as a server on a free port.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A server that ends with its test.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rerec"));
        command
            .args(["serve-reward", "--address", "127.0.0.1:0"])
            .args(args);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut errors = BufReader::new(process.stderr.take().unwrap());
        errors.read_line(&mut line).unwrap();
        // Whoever writes to a closed pipe would fail.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        let address = line.trim().rsplit("http://").next().unwrap();
        let address = address.parse().unwrap_or_else(|_| panic!("{line}"));
        Self { process, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
    }

    /// Status, head and body of the answer to what is sent as it stands.
    fn send(&self, request: &[u8]) -> (u16, String, Value) {
        let mut stream = self.connect();
        // A server that refuses may close before it has read everything.
        let _ = stream.write_all(request);
        read(stream)
    }

    fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let (status, _, body) = self.send(request.as_bytes());
        (status, body)
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let (status, _, body) = self.send(request.as_bytes());
        (status, body)
    }

    fn under_way(&self) -> Value {
        self.get("/health").1["under_way"].clone()
    }

    /// Holds a turn until it is dropped: its body stays away.
    fn hold_a_turn(&self) -> TcpStream {
        let mut stream = self.connect();
        stream
            .write_all(b"POST /slime HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")
            .unwrap();
        until("a request is under way", || self.under_way() == 1);
        stream
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until nobody else is let in.
    fn until_closed(&self) {
        until("the server is closed", || {
            TcpStream::connect(self.address).is_err()
        });
    }

    /// Waits for the process to end by itself.
    fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the server has ended", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

/// Waits until a condition holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "not within a minute: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read(mut stream: TcpStream) -> (u16, String, Value) {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (
        status,
        head.to_owned(),
        serde_json::from_str(body).unwrap_or(Value::Null),
    )
}

fn slime(response: &str, label: Value) -> String {
    json!({ "prompt": "?", "response": response, "label": label }).to_string()
}

#[test]
fn openrlhf_and_slime_are_answered_in_their_forms() {
    let server = Server::start(&[]);
    let body = json!({"query": ["Up? so \\boxed{up}", "Up? \\boxed{Heat}"], "prompts": ["Up?", "Up?"],
                      "labels": ["Up (2009)", {"ground_truth": ["Up"], "candidates": ["Up", "Heat"]}]});
    let (status, answer) = server.post("/openrlhf", &body.to_string());
    assert_eq!(status, 200, "{answer}");
    let expected = json!({"rewards": [1.05, 0.05], "scores": [1.0, 0.0],
                          "extra_logs": {"hit": [1.0, 0.0], "ndcg": [1.0, 0.0], "format": [0.5, 0.5]}});
    assert_eq!(answer, expected);
    let right = slime("so \\boxed{heat}", json!("Heat (1995)"));
    assert_eq!(server.post("/slime", &right), (200, json!(1.05)));
    let (status, health) = server.get("/health");
    assert_eq!((status, &health["status"]), (200, &json!("ok")));
    assert_eq!(
        (&health["requests"], &health["responses"]),
        (&json!(2), &json!(3))
    );
}

#[test]
fn a_catalogue_of_files_is_shared_by_all_requests() {
    let folder = tempfile::tempdir().unwrap();
    let graph = folder.path().join("graph.tsv");
    std::fs::write(&graph, "Heat\tgenre\tcrime\nThief\tgenre\tcrime\n").unwrap();
    let server = Server::start(&["--graph", graph.to_str().unwrap()]);
    // Wrong, of the same genre: 0.1 · 0.5 + 0 + 0.01 · 1.
    let (status, total) = server.post("/slime", &slime("\\boxed{Thief}", json!(["Heat"])));
    assert_eq!(status, 200);
    assert!((total.as_f64().unwrap() - 0.06).abs() < 1e-12, "{total}");
    let unknown = server.post("/slime", &slime("\\boxed{Thief}", json!(["Alien"])));
    assert_eq!(
        unknown,
        (
            422,
            json!({"error": "label: `Alien` is not in the catalogue"})
        )
    );
}

#[test]
fn broken_requests_are_refused_by_name_and_harm_nobody() {
    let server = Server::start(&["--max-body", "2000", "--timeout", "1"]);
    let error = |(status, body): (u16, Value)| {
        (
            status,
            body["error"].as_str().unwrap_or_default().to_owned(),
        )
    };
    for ((status, message), expected, part) in [
        (error(server.post("/slime", "{")), 400, "EOF"),
        (
            error(server.post("/slime", "{\"response\": \"x\"}")),
            400,
            "missing field `label`",
        ),
        (
            error(server.post("/slime", "{\"response\": 3, \"label\": \"x\"}")),
            400,
            "response: invalid type",
        ),
        (
            error(server.post("/slime", "{\"response\": \"\\ud800\", \"label\": \"x\"}")),
            400,
            "lone surrogate",
        ),
        (
            error(server.post("/slime", &slime("x", json!("  ")))),
            422,
            "label: ",
        ),
        (
            error(server.post(
                "/openrlhf",
                "{\"query\": [\"a\"], \"prompts\": [], \"labels\": []}",
            )),
            400,
            "of one length, got 1, 0 and 0",
        ),
        (
            error(server.post("/slime", &slime(&"x".repeat(3000), json!("Up")))),
            413,
            "at most 2000 bytes",
        ),
        (
            error(server.post("/elsewhere", "{}")),
            404,
            "there is no /elsewhere",
        ),
        (error(server.get("/slime")), 405, "the method must be POST"),
    ] {
        assert_eq!(status, expected, "{message}");
        assert!(message.contains(part), "{message}");
    }
    // No HTTP at all, a body that never comes, bytes that are no text.
    assert_eq!(server.send(b"nonsense\r\n\r\n").0, 400);
    let (status, _, body) = server.send(
        b"POST /slime HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{",
    );
    assert_eq!(
        (status, &body["error"]),
        (408, &json!("the body did not arrive within 1 seconds"))
    );
    let (status, ..) = server.send(b"POST /slime HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd");
    assert_eq!(status, 400);
    assert_eq!(
        server.post("/slime", &slime("\\boxed{Up}", json!("Up"))).0,
        200
    );
    assert_eq!(server.get("/health").1["refused"], 9);
}

#[test]
fn what_is_too_much_at_once_is_told_to_come_back() {
    let server = Server::start(&["--at-once", "1", "--waiting", "0"]);
    let slow = server.hold_a_turn();
    let body = slime("\\boxed{Up}", json!("Up"));
    let length = body.len();
    let request = format!(
        "POST /slime HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let (status, head, answer) = server.send(request.as_bytes());
    assert_eq!(status, 503, "{answer}");
    assert!(head.to_lowercase().contains("retry-after: 1"), "{head}");
    // A client that goes away gives its turn back.
    drop(slow);
    until("nothing is under way", || server.under_way() == 0);
    assert_eq!(server.post("/slime", &body).0, 200);
}

/// A client that sends everything before it reads, as most do.
fn sends_all(server: &Server, path: &str, bytes: usize) -> u16 {
    let mut stream = server.connect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![b' '; bytes]).unwrap();
    read(stream).0
}

#[test]
fn refusals_reach_those_who_send_much() {
    let server = Server::start(&["--at-once", "1", "--waiting", "0", "--max-body", "2000"]);
    let bytes = 8 << 20;
    assert_eq!(sends_all(&server, "/slime", bytes), 413);
    assert_eq!(sends_all(&server, "/elsewhere", bytes), 404);
    let _slow = server.hold_a_turn();
    assert_eq!(sends_all(&server, "/slime", bytes), 503);
}

#[test]
fn who_does_not_read_loses_the_connection() {
    let server = Server::start(&["--connections", "1", "--timeout", "1"]);
    let mut stream = server.connect();
    let limit = Some(Duration::from_secs(30));
    stream.set_write_timeout(limit).unwrap();
    // Each answer repeats the path: soon there are more than the system keeps for a connection.
    let path = "x".repeat(60_000);
    let request = format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let sent = (0..10_000).find(|_| stream.write_all(request.as_bytes()).is_err());
    assert!(sent.is_some());
    // There is one place, and its client has not gone.
    assert_eq!(server.get("/health").0, 200);
    drop(stream);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // Without it the server would wait for a request that stays away.
    let mut server = Server::start(&["--timeout", "600"]);
    let _slow = server.hold_a_turn();
    server.signal("-INT");
    server.until_closed();
    assert!(server.process.try_wait().unwrap().is_none());
    server.signal("-INT");
    server.ended();
}

#[test]
fn sigterm_ends_it_when_what_is_under_way_is_answered() {
    let mut server = Server::start(&[]);
    let body = slime("\\boxed{Up}", json!("Up"));
    let mut stream = server.connect();
    let head = format!(
        "POST /slime HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    until("a request is under way", || server.under_way() == 1);
    server.signal("-TERM");
    server.until_closed();
    stream.write_all(body.as_bytes()).unwrap();
    let (status, _, answer) = read(stream);
    assert_eq!((status, answer), (200, json!(1.05)));
    let ended = server.ended();
    assert!(ended.success());
}

#[test]
fn a_taken_address_is_an_error() {
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let second = assert_cmd::Command::cargo_bin("rerec")
        .unwrap()
        .args(["serve-reward", "--address", &address])
        .assert()
        .code(2);
    let said = String::from_utf8(second.get_output().stderr.clone()).unwrap();
    assert!(
        said.contains(&format!("cannot listen on {address}")),
        "{said}"
    );
}
