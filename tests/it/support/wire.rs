//! Requests that no HTTP client would send, byte by byte.
use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::TestApp;

/// What came back before the server closed, or answered completely, and how long that took.
#[derive(Debug)]
pub(crate) struct Reply {
    /// `None`: closed without an answer.
    pub(crate) status: Option<u16>,
    /// As far as it was read with the status.
    pub(crate) text: String,
    pub(crate) after: Duration,
}

/// Sends `head` at once, then `drop` again and again, each after `pause` without an answer, until
/// the server has enough of it. Gives up after a minute.
pub(crate) async fn drip(
    address: SocketAddr,
    head: String,
    drop: Vec<u8>,
    pause: Duration,
) -> Reply {
    tokio::task::spawn_blocking(move || drip_now(address, &head, &drop, pause)).await.unwrap()
}

/// Sends `begin`, and `end` when `meanwhile` is over. Gives the answer, whose connection the server closes.
pub(crate) async fn in_two_parts(
    address: SocketAddr,
    (begin, end): (String, &str),
    meanwhile: impl Future<Output = ()>,
) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(begin.as_bytes()).await.unwrap();
    meanwhile.await;
    stream.write_all(end.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Sends these bytes and reads the answer.
pub(crate) async fn send(address: SocketAddr, bytes: String) -> Reply {
    drip(address, bytes, Vec::new(), Duration::from_secs(1)).await
}

fn drip_now(address: SocketAddr, head: &str, drop: &[u8], pause: Duration) -> Reply {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(pause)).unwrap();
    let mut answer = Vec::new();
    let mut open = stream.write_all(head.as_bytes()).is_ok();
    while status(&answer).is_none() && started.elapsed() < Duration::from_secs(60) {
        let mut part = [0; 4096];
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&part[..n]),
            // Nothing yet: the next drop. What cannot be sent any more may still be answered.
            Err(it) if matches!(it.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                open = open && stream.write_all(drop).is_ok();
            }
            Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    Reply { status: status(&answer), text, after: started.elapsed() }
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(answer.split(|it| *it == b'\r').next()?).ok()?;
    line.strip_prefix("HTTP/1.1 ").or(line.strip_prefix("HTTP/1.0 "))?.get(..3)?.parse().ok()
}

/// A connection to a server, byte by byte.
pub(crate) struct Wire {
    pub(crate) stream: tokio::net::TcpStream,
    host: String,
    came: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    /// But the date.
    pub(crate) lines: BTreeSet<String>,
    pub(crate) body: String,
}

impl Wire {
    pub(crate) async fn to(app: &TestApp) -> Self {
        let stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, host: app.site.hosts[0].clone(), came: Vec::new() }
    }

    /// A call with these lines in its head.
    pub(crate) fn call(&self, path: &str, lines: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{lines}\r\n", self.host)
    }

    pub(crate) fn key(&self, key: &str) -> String {
        self.call("/verify", &bearer(key))
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next answer; `None` where the server closes instead.
    pub(crate) async fn told(&mut self) -> Option<Told> {
        loop {
            if let Some((told, length)) = self.first() {
                self.came.drain(..length);
                return Some(told);
            }
            if !matches!(self.stream.read_buf(&mut self.came).await, Ok(1..)) {
                return None;
            }
        }
    }

    pub(crate) async fn asks(&mut self, text: &str) -> Told {
        self.send(text).await;
        self.told().await.unwrap_or_else(|| panic!("no answer to {text}"))
    }

    fn first(&self) -> Option<(Told, usize)> {
        let text = str::from_utf8(&self.came).unwrap();
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let lines: BTreeSet<String> = lines.map(str::to_owned).collect();
        assert!(lines.iter().any(|it| it.starts_with("date: ")), "{head}");
        let length = lines.iter().find_map(|it| it.strip_prefix("content-length: "));
        let body = rest.get(..length.map_or(0, |it| it.parse().unwrap()))?.to_owned();
        let taken = head.len() + 4 + body.len();
        let lines = lines.into_iter().filter(|it| !it.starts_with("date: ")).collect();
        Some((Told { status, lines, body }, taken))
    }
}

/// A line of a head.
pub(crate) fn bearer(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}
