//! Verifications, from the socket and to it. What comes on a connection is looked at here first: plain calls
//! of `/verify`, as gateways send them, are answered. With whatever else comes, the connection and all that is
//! not answered belong to actix, which reads it as if nobody had before: bodies, other versions, long and
//! malformed heads are parted by it alone, and the same answers are given ([`super::verifications`]).
//!
//! To take a call through actix costs more than to judge it: a map of what is asked, one of what is told, and
//! what could wait for a body.
mod call;
mod patience;
mod rest;

use std::{
    cell::{Ref, RefCell},
    future::poll_fn,
    io::{self, ErrorKind},
    mem::MaybeUninit,
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    time::{Duration, SystemTime},
};

use actix_http::error::DispatchError;
use actix_server::GracefulShutdownSignal;
use actix_service::Service;
use actix_web::{http::header::HttpDate, web::Data};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use self::{
    call::{Came, LINES, ROOM},
    patience::Patience,
};
pub use self::{
    patience::{HEAD_LATEST, IDLE_LATEST},
    rest::Rest,
};
use crate::{
    http::App,
    verify::gateway::{self, Answer},
};

/// How long it is waited for calls that are on their way when the server stops.
const LAST_CALL: Duration = Duration::from_millis(100);

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

    /// As a header has it.
    fn date(&self, now: DateTime<Utc>) -> Ref<'_, str> {
        self.date.borrow_mut().bring_to(now);
        Ref::map(self.date.borrow(), |it| &*it.text)
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
                rest.call((Rest::new(connection.came, connection.io), connection.peer)).await
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
    fn bring_to(&mut self, now: DateTime<Utc>) {
        if self.second != now.timestamp() || self.text.is_empty() {
            let text = HttpDate::from(SystemTime::from(now)).to_string();
            *self = Self { second: now.timestamp(), text };
        }
    }
}

/// How it ends with a connection.
enum End {
    Closed,
    /// Something came that is not for us.
    Other,
}

/// How it goes on with what came.
enum Next {
    /// All is answered, but perhaps a beginning.
    Waits,
    /// Memory does not know the answer to the next call.
    Asks,
    Ends(End),
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

    async fn answer(&mut self, worker: &Worker) -> io::Result<End> {
        let mut stopped = pin!(worker.stop.notified());
        let mut limit = pin!(sleep(HEAD_LATEST));
        let mut patience = Patience::NEW;
        // From now on; then one more call is answered at most.
        let mut closes = false;
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => {
                    closes = true;
                    match timeout(LAST_CALL, self.io.read_buf(&mut self.came)).await {
                        Ok(Ok(1..)) => {}
                        _ => return Ok(End::Closed),
                    }
                }
                read = self.io.read_buf(&mut self.came) => if read? == 0 {
                    return Ok(End::Closed);
                },
                () = &mut limit => match patience.over() {
                    Some(more) => {
                        limit.as_mut().reset(Instant::now() + more);
                        continue;
                    }
                    None => return self.cut(worker, patience),
                },
            }
            let mut answered = 0;
            loop {
                let (more, next) = self.answer_at_once(worker, closes);
                answered += more;
                self.send().await?;
                match next {
                    Next::Ends(end) => return Ok(end),
                    Next::Waits => break,
                    Next::Asks => {}
                }
                let Some((answer, length)) = Box::pin(self.ask(worker)).await else { break };
                closes = closes || (&mut stopped).now_or_never().is_some();
                answer.write(&worker.date(worker.app.clock.now()), closes, &mut self.told);
                self.came.drain(..length);
                answered += 1;
                if closes {
                    self.send().await?;
                    return Ok(End::Closed);
                }
            }
            if let Some(new) = patience.after(answered, !self.came.is_empty()) {
                limit.as_mut().reset(Instant::now() + new);
            }
            if answered > 1 {
                // Who sends many calls at once gives the others of this thread their turn.
                yield_now().await;
            }
        }
    }

    /// Answers what memory knows. Gives how many calls that were.
    fn answer_at_once(&mut self, worker: &Worker, closes: bool) -> (usize, Next) {
        let (mut answered, mut read) = (0, 0);
        let next = loop {
            if closes && answered > 0 {
                break Next::Ends(End::Closed);
            }
            let (_, came) = self.came.split_at(read);
            if came.starts_with(b"\r\n") {
                // No client should send them between calls, and some do (RFC 9112, section 2.2).
                read += 2;
                continue;
            }
            let mut lines = [const { MaybeUninit::uninit() }; LINES];
            let call = match Came::read(came, &mut lines) {
                Came::Call(call) => call,
                Came::Part | Came::Other if closes => break Next::Ends(End::Closed),
                Came::Part => break Next::Waits,
                Came::Other => break Next::Ends(End::Other),
            };
            let now = worker.app.clock.now();
            match gateway::check_at_once(&worker.app, call.request(self.peer, now)) {
                Some(answer) => answer.write(&worker.date(now), closes, &mut self.told),
                None => break Next::Asks,
            }
            answered += 1;
            read += call.length;
        };
        self.came.drain(..read);
        (answered, next)
    }

    /// The answer to the first call of what came, and its length.
    async fn ask(&self, worker: &Worker) -> Option<(Answer, usize)> {
        let mut lines = [const { MaybeUninit::uninit() }; LINES];
        let Came::Call(call) = Came::read(&self.came, &mut lines) else { return None };
        let asked = call.request(self.peer, worker.app.clock.now());
        Some((gateway::check(&worker.app, asked).await, call.length))
    }

    /// Who takes nothing for a while is not waited for.
    async fn send(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.told.len() {
            let (_, rest) = self.told.split_at(sent);
            match self.io.try_write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(more) => sent += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    timeout(HEAD_LATEST, self.io.writable()).await??;
                }
                Err(error) => return Err(error),
            }
        }
        self.told.clear();
        self.told.shrink_to(ROOM);
        Ok(())
    }

    /// Nothing more is waited for. Whose head did not come, or not all of it, is told so.
    fn cut(&mut self, worker: &Worker, patience: Patience) -> io::Result<End> {
        if patience.is_awaited {
            let answer = format!(
                "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\
                 date: {}\r\n\r\n",
                worker.date(worker.app.clock.now())
            );
            self.io.try_write(answer.as_bytes())?;
        }
        Ok(End::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_that_of_now() {
        let mut date = Date::default();
        for (now, text) in [
            ("2026-11-30T20:00:00.100Z", "Mon, 30 Nov 2026 20:00:00 GMT"),
            ("2026-11-30T20:00:00.900Z", "Mon, 30 Nov 2026 20:00:00 GMT"),
            ("2026-11-30T20:00:01Z", "Mon, 30 Nov 2026 20:00:01 GMT"),
            ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            date.bring_to(now.parse().unwrap());
            assert_eq!(date.text, text);
        }
    }
}
