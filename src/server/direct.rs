//! Verifications, from the socket and to it. What comes on a connection is looked at here first: plain calls
//! of `/verify`, as gateways send them, are answered. With whatever else comes, the connection and all that is
//! not answered belong to actix, which reads it as if nobody had before: bodies, other versions, long and
//! malformed heads are parted by it alone, and it gives the same answers ([`super::first`]).
//!
//! To take a call through actix costs more than to judge it: a map of what is asked, one of what is told, and
//! what could wait for a body.
use std::{
    cell::RefCell,
    io::{self, Cursor, ErrorKind},
    mem::MaybeUninit,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, SystemTime},
};

use actix_http::error::DispatchError;
use actix_server::GracefulShutdownSignal;
use actix_service::Service;
use actix_web::{http::header::HttpDate, web::Data};
use chrono::{DateTime, Utc};
use futures_util::future::poll_fn;
use httparse::{Header, Status};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Chain, Join, join},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{Instant, sleep, timeout},
};

use super::routes::VERIFY;
use crate::{
    http::{App, headers::Headers},
    verify::gateway::{self, Request},
};

/// How long the rest of a head, and the first one of a connection, may take to come; and an answer to be taken.
pub const HEAD_LATEST: Duration = Duration::from_secs(5);
/// How long a connection may be idle at least; at most twice as long.
pub const IDLE_LATEST: Duration = Duration::from_secs(75);
/// Bytes that are read at once. Longer heads belong to actix.
const ROOM: usize = 4_096;
/// Lines of a head. Longer ones belong to actix.
const LINES: usize = 48;

/// A connection that is given to actix: first what came already, then what comes.
pub type Rest = Join<Chain<Cursor<Vec<u8>>, OwnedReadHalf>, OwnedWriteHalf>;

/// What the connections of a thread share.
pub struct Worker {
    app: Data<App>,
    stop: GracefulShutdownSignal,
    date: RefCell<Date>,
}

impl Worker {
    pub fn new(app: Data<App>, stop: GracefulShutdownSignal) -> Self {
        Self { app, stop, date: RefCell::default() }
    }

    /// Until either side closes it, or `rest` has served it. That a client is gone is no error.
    pub async fn serve<S>(self: Rc<Self>, io: TcpStream, rest: Rc<S>) -> Result<(), DispatchError>
    where
        S: Service<(Rest, Option<SocketAddr>), Response = (), Error = DispatchError>,
    {
        let mut connection = Connection::new(io);
        match connection.answer(&self).await {
            Ok(End::Other) => {
                poll_fn(|context| rest.poll_ready(context)).await?;
                rest.call(connection.into_rest()).await
            }
            Ok(End::Closed) | Err(_) => Ok(()),
        }
    }
}

/// A time as a header has it, written once a second.
#[derive(Default)]
struct Date {
    second: i64,
    text: String,
}

impl Date {
    fn text(&mut self, now: DateTime<Utc>) -> &str {
        if self.second != now.timestamp() || self.text.is_empty() {
            let text = HttpDate::from(SystemTime::from(now)).to_string();
            *self = Self { second: now.timestamp(), text };
        }
        &self.text
    }
}

/// How it goes on with a connection.
enum End {
    Closed,
    /// Something came that is not for us.
    Other,
}

struct Connection {
    io: TcpStream,
    peer: Option<SocketAddr>,
    /// What came and is not answered.
    came: Vec<u8>,
    /// What is to be sent.
    told: Vec<u8>,
}

impl Connection {
    fn new(io: TcpStream) -> Self {
        let peer = io.peer_addr().ok();
        // Answers to calls that were sent together do not wait for receipts. It is only slower without.
        let _ = io.set_nodelay(true);
        Self { io, peer, came: Vec::with_capacity(ROOM), told: Vec::new() }
    }

    fn into_rest(mut self) -> (Rest, Option<SocketAddr>) {
        self.came.shrink_to_fit();
        let (read, write) = self.io.into_split();
        (join(Cursor::new(self.came).chain(read), write), self.peer)
    }

    async fn answer(&mut self, worker: &Worker) -> io::Result<End> {
        let mut stopped = std::pin::pin!(worker.stop.notified());
        let mut limit = std::pin::pin!(sleep(HEAD_LATEST));
        // A head has to come before the limit; else one came since the limit was set, or none.
        let (mut is_awaited, mut was_used) = (true, false);
        loop {
            let mut closes = false;
            tokio::select! {
                biased;
                () = &mut stopped => {
                    closes = true;
                    // Of what has come already, one call is answered.
                    let nothing = !matches!(self.io.try_read_buf(&mut self.came), Ok(1..));
                    if nothing && self.came.is_empty() {
                        return Ok(End::Closed);
                    }
                }
                read = self.io.read_buf(&mut self.came) => if read? == 0 {
                    return Ok(End::Closed);
                },
                () = &mut limit => {
                    if is_awaited || !was_used {
                        return self.cut();
                    }
                    was_used = false;
                    limit.as_mut().reset(Instant::now() + IDLE_LATEST);
                    continue;
                }
            }
            let (answered, end) = self.answer_what_came(worker, closes).await;
            self.send().await?;
            if let Some(end) = end {
                return Ok(end);
            }
            let is_part = !self.came.is_empty();
            if is_part && (answered > 0 || !is_awaited) {
                limit.as_mut().reset(Instant::now() + HEAD_LATEST);
            } else if !is_part && is_awaited {
                limit.as_mut().reset(Instant::now() + IDLE_LATEST);
            }
            was_used = !is_awaited;
            is_awaited = is_part;
        }
    }

    /// How many calls were answered, and whether that was all.
    async fn answer_what_came(&mut self, worker: &Worker, closes: bool) -> (usize, Option<End>) {
        let (mut answered, mut read) = (0, 0);
        let end = loop {
            let (_, came) = self.came.split_at(read);
            let mut lines = [const { MaybeUninit::uninit() }; LINES];
            let call = match Came::read(came, &mut lines) {
                Came::Call(call) => call,
                Came::Part if closes => break Some(End::Closed),
                Came::Part => break None,
                Came::Other => break Some(End::Other),
            };
            let headers = Headers::Lines(call.lines);
            let asked = Request { query: call.query, headers, peer: self.peer };
            let answer = match gateway::check_at_once(&worker.app, asked) {
                Some(answer) => answer,
                None => Box::pin(gateway::check(&worker.app, asked)).await,
            };
            let now = worker.app.clock.now();
            answer.write(worker.date.borrow_mut().text(now), closes, &mut self.told);
            answered += 1;
            read += call.length;
            if closes {
                break Some(End::Closed);
            }
        };
        self.came.drain(..read);
        (answered, end)
    }

    /// A client that takes nothing is not waited for.
    async fn send(&mut self) -> io::Result<()> {
        let sent = match self.io.try_write(&self.told) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            sent => sent.unwrap_or(0),
        };
        let (_, unsent) = self.told.split_at(sent);
        if !unsent.is_empty() {
            timeout(HEAD_LATEST, self.io.write_all(unsent)).await??;
        }
        self.told.clear();
        self.told.shrink_to(ROOM);
        Ok(())
    }

    /// A head began and did not end in time; or nothing came at all, which needs no answer.
    fn cut(&mut self) -> io::Result<End> {
        if !self.came.is_empty() {
            self.io.try_write(
                b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            )?;
        }
        Ok(End::Closed)
    }
}

/// What came first of what is not answered.
enum Came<'a> {
    Call(Call<'a>),
    /// The beginning of a call.
    Part,
    Other,
}

/// `GET /verify`, and nothing about it that is not plain.
struct Call<'a> {
    query: &'a str,
    lines: &'a [Header<'a>],
    /// In bytes.
    length: usize,
}

impl<'a> Came<'a> {
    fn read(came: &'a [u8], lines: &'a mut [MaybeUninit<Header<'a>>]) -> Self {
        if came.is_empty() {
            return Self::Part;
        }
        let after = came.strip_prefix(b"GET ").and_then(|it| it.strip_prefix(VERIFY.as_bytes()));
        if !matches!(after, Some([b' ' | b'?', ..])) {
            return Self::Other;
        }
        let mut request = httparse::Request::new(&mut []);
        let length = match request.parse_with_uninit_headers(came, lines) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) if came.len() < ROOM => return Self::Part,
            _ => return Self::Other,
        };
        let path = request.path.unwrap_or_default();
        let query = path.split_once('?').map_or("", |it| it.1);
        match request.version == Some(1) && is_plain(query) && is_alone(request.headers) {
            true => Self::Call(Call { query, lines: request.headers, length }),
            false => Self::Other,
        }
    }
}

/// Of what every URI may have (RFC 3986, section 3.4).
fn is_plain(query: &str) -> bool {
    query.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&it))
}

/// Nothing of the request follows its head, the connection goes on, and the request says to whom it is.
fn is_alone(lines: &[Header<'_>]) -> bool {
    let mut hosts = 0;
    for line in lines {
        let is = |it: &str| line.name.eq_ignore_ascii_case(it);
        if is("host") {
            hosts += 1;
        } else if is("connection") && !line.value.eq_ignore_ascii_case(b"keep-alive")
            || ["content-length", "transfer-encoding", "upgrade", "expect"].into_iter().any(is)
        {
            return false;
        }
    }
    hosts == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(came: &[u8]) -> (&'static str, usize) {
        let mut lines = [const { MaybeUninit::uninit() }; LINES];
        match Came::read(came, &mut lines) {
            Came::Call(call) => ("call", call.length),
            Came::Part => ("part", 0),
            Came::Other => ("other", 0),
        }
    }

    proptest! {
        /// Wherever a head is cut, its beginning is no call, and what follows it is not of it.
        #[test]
        fn a_call_ends_where_its_head_ends(
            query in "(\\?[a-z=&.%0-9:]{0,20})?",
            lines in proptest::collection::vec(("X-[A-Za-z]{1,10}", "[ -~]{0,40}"), 0..8),
            follows in "[ -~\r\n]{0,60}",
        ) {
            let lines: String = lines.iter().map(|(name, it)| format!("{name}: {it}\r\n")).collect();
            let head = format!("GET {VERIFY}{query} HTTP/1.1\r\n{lines}Host: a\r\n\r\n");
            let whole = format!("{head}{follows}");
            prop_assert_eq!(read(whole.as_bytes()), ("call", head.len()));
            for length in 0..head.len() {
                let (part, _) = head.as_bytes().split_at(length);
                prop_assert_ne!(read(part).0, "call");
            }
        }

        #[test]
        fn anything_may_come(came in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_ne!(read(&came).0, "call");
            let came = [b"GET /verify ", came.as_slice()].concat();
            prop_assert_ne!(read(&came).0, "call");
        }
    }

    #[test]
    fn a_head_that_fills_the_room_is_for_actix() {
        let start = format!("GET {VERIFY} HTTP/1.1\r\nHost: a\r\nX: ");
        let long = |length: usize| format!("{start}{}", "a".repeat(length - start.len()));
        assert_eq!(read(long(ROOM - 1).as_bytes()).0, "part");
        assert_eq!(read(long(ROOM).as_bytes()).0, "other");
    }

    #[test]
    fn the_date_is_that_of_now() {
        let mut date = Date::default();
        for (now, text) in [
            ("2026-11-30T20:00:00.100Z", "Mon, 30 Nov 2026 20:00:00 GMT"),
            ("2026-11-30T20:00:00.900Z", "Mon, 30 Nov 2026 20:00:00 GMT"),
            ("2026-11-30T20:00:01Z", "Mon, 30 Nov 2026 20:00:01 GMT"),
            ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            assert_eq!(date.text(now.parse().unwrap()), text);
        }
    }
}
