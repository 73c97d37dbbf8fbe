//! Requests that no HTTP client would send, byte by byte.
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
