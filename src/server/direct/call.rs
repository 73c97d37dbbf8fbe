//! Parts the calls that are plain from each other, and from all else.
use std::{mem::MaybeUninit, net::SocketAddr};

use chrono::{DateTime, Utc};
use httparse::{Header, Status};

use crate::{http::headers::Headers, verify::gateway::Request};

/// Bytes that are read at once. Longer heads belong to actix.
pub const ROOM: usize = 4_096;
/// Lines of a head. Longer ones belong to actix.
pub const LINES: usize = 48;
/// How a call begins ([`crate::server::routes::VERIFY`]).
const START: &[u8] = b"GET /verify";

/// What came first of what is not answered.
pub enum Came<'a> {
    Call(Call<'a>),
    /// The beginning of a call.
    Part,
    Other,
}

/// `GET /verify`, and nothing about it that is not plain.
pub struct Call<'a> {
    query: &'a str,
    lines: &'a [Header<'a>],
    /// In bytes.
    pub length: usize,
}

impl Call<'_> {
    pub fn request(&self, peer: Option<SocketAddr>, now: DateTime<Utc>) -> Request<'_> {
        Request { query: self.query, headers: Headers::Lines(self.lines), peer, now }
    }
}

impl<'a> Came<'a> {
    pub fn read(came: &'a [u8], lines: &'a mut [MaybeUninit<Header<'a>>]) -> Self {
        match came.strip_prefix(START) {
            Some([b' ' | b'?', ..]) => {}
            _ if START.starts_with(came) || came == b"\r" => return Self::Part,
            _ => return Self::Other,
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
    let (mut hosts, mut lengths) = (0, 0);
    for line in lines {
        let is = |it: &str| line.name.eq_ignore_ascii_case(it);
        if is("host") {
            hosts += 1;
        } else if is("content-length") && line.value == b"0" {
            // Envoy says so.
            lengths += 1;
        } else if is("connection") && !line.value.eq_ignore_ascii_case(b"keep-alive")
            || ["content-length", "transfer-encoding", "upgrade", "expect"].into_iter().any(is)
        {
            return false;
        }
    }
    hosts == 1 && lengths <= 1
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use actix_http::h1::{Codec, Message, MessageType};
    use actix_web::web::BytesMut;
    use proptest::{collection::vec, prelude::*, sample::select, test_runner::TestRunner};
    use tokio_util::codec::Decoder;

    use super::*;
    use crate::server::routes::VERIFY;

    fn read(came: &[u8]) -> (&'static str, usize) {
        let mut lines = [const { MaybeUninit::uninit() }; LINES];
        match Came::read(came, &mut lines) {
            Came::Call(call) => ("call", call.length),
            Came::Part => ("part", 0),
            Came::Other => ("other", 0),
        }
    }

    /// Of a head: good, odd, wrong, and such as say what follows.
    const PARTS: [&str; 26] = [
        "Host: a",
        "Host: a",
        "host:b",
        "Host:",
        "Authorization: Bearer a",
        "X-Key:  a  ",
        "X:",
        "A b: c",
        ": c",
        " folded",
        "\tfolded",
        "X\u{0}: a",
        "X: a\u{0}",
        "X: \u{e4}",
        "Content-Length: 0",
        "content-length:0",
        "Content-Length: 00",
        "Content-Length: +0",
        "Content-Length: 5",
        "Content-Length: 0, 0",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Connection: Keep-Alive",
        "Connection: keep-alive, close",
        "Upgrade: websocket",
        "Expect: 100-continue",
    ];

    /// What we part, actix parts in the same way: nothing of a call is left, and nothing of the next is taken.
    #[test]
    fn a_call_is_what_actix_takes_for_one() {
        let system = actix_web::rt::System::new();
        let request = (
            select(vec![
                "GET /verify",
                "GET /verify?a=b%20&c",
                "GET /verify?",
                "GET /verify?\"",
                "get /verify",
            ]),
            select(vec![
                " HTTP/1.1",
                " HTTP/1.1",
                " HTTP/1.1",
                " HTTP/1.0",
                " HTTP/2.0",
                "  HTTP/1.1",
            ]),
            any::<bool>(),
            vec(select(PARTS.to_vec()), 0..5),
            select(vec!["\r\n", "\r\n", "\r\n", "\n", "\r"]),
            select(vec!["", "5\r\nabcde\r\n0\r\n\r\n", "GET /verify HTTP/1.1\r\nHost: a\r\n\r\n"]),
        );
        let calls = Cell::new(0);
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 20_000,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let ran = runner.run(&request, |(start, version, has_host, lines, end, follows)| {
            let host = if has_host { format!("Host: a{end}") } else { String::new() };
            let lines: String = lines.iter().map(|it| format!("{it}{end}")).collect();
            let whole = format!("{start}{version}{end}{host}{lines}{end}{follows}");
            let mut kept = [const { MaybeUninit::uninit() }; LINES];
            if let Came::Call(call) = Came::read(whole.as_bytes(), &mut kept) {
                calls.set(calls.get() + 1);
                system.block_on(async { is_the_same(&call, &whole) })?;
            }
            Ok(())
        });
        ran.unwrap();
        assert!(calls.get() > 100, "{calls:?}");
    }

    fn is_the_same(call: &Call<'_>, whole: &str) -> Result<(), TestCaseError> {
        let mut left = BytesMut::from(whole.as_bytes());
        let mut codec = Codec::default();
        let Ok(Some(Message::Item(request))) = codec.decode(&mut left) else {
            return Err(TestCaseError::fail(format!("actix takes no request of {whole:?}")));
        };
        prop_assert_eq!(whole.len() - left.len(), call.length);
        prop_assert_eq!(codec.message_type(), MessageType::None);
        prop_assert!(codec.keep_alive());
        prop_assert!(!request.head().expect());
        prop_assert_eq!(request.method().as_str(), "GET");
        prop_assert_eq!(request.path(), VERIFY);
        prop_assert_eq!(request.uri().query().unwrap_or_default(), call.query);
        let values = |headers: Headers<'_>, name: &str| -> Vec<Vec<u8>> {
            headers.named(name).map(<[u8]>::to_vec).collect()
        };
        for name in ["host", "authorization", "x-key", "x"] {
            let ours = values(Headers::Lines(call.lines), name);
            prop_assert_eq!(ours, values(Headers::Map(&request.head().headers), name));
        }
        Ok(())
    }

    proptest! {
        /// Wherever a head is cut, its beginning is no call, and what follows it is not of it.
        #[test]
        fn a_call_ends_where_its_head_ends(
            query in "(\\?[a-z=&.%0-9:]{0,20})?",
            lines in vec(("X-[A-Za-z]{1,10}", "[ -~]{0,40}"), 0..8),
            follows in "[ -~\r\n]{0,60}",
        ) {
            let lines: String = lines.iter().map(|(name, it)| format!("{name}: {it}\r\n")).collect();
            let head = format!("GET {VERIFY}{query} HTTP/1.1\r\n{lines}Host: a\r\n\r\n");
            let whole = format!("{head}{follows}");
            prop_assert_eq!(read(whole.as_bytes()), ("call", head.len()));
            for length in 0..head.len() {
                prop_assert_eq!(read(head.as_bytes().split_at(length).0).0, "part");
            }
        }
    }

    #[test]
    fn only_what_is_plain_is_ours() {
        let with = |lines: &str| read(format!("GET {VERIFY} HTTP/1.1\r\n{lines}\r\n").as_bytes()).0;
        let host = "Host: a\r\n";
        for more in
            ["", "Connection: keep-alive\r\n", "connection:KEEP-ALIVE\r\n", "Content-Length: 0\r\n"]
        {
            assert_eq!(with(&format!("{host}{more}")), "call", "{more}");
        }
        for more in [
            host,
            "Connection: close\r\n",
            "Connection: keep-alive, close\r\n",
            "Connection: x\r\n",
            "Content-Length: 1\r\n",
            "Content-Length: 0\r\nContent-Length: 0\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Upgrade: h2c\r\n",
            "Expect: 100-continue\r\n",
        ] {
            assert_eq!(with(&format!("{host}{more}")), "other", "{more}");
        }
        assert_eq!(with(""), "other", "to nobody");
        assert_eq!(with(&format!("{host}{}", "A: b\r\n".repeat(LINES - 1))), "call");
        assert_eq!(with(&format!("{host}{}", "A: b\r\n".repeat(LINES))), "other");
    }

    #[test]
    fn a_head_that_fills_the_room_is_for_actix() {
        assert_eq!(START, format!("GET {VERIFY}").as_bytes());
        let start = format!("GET {VERIFY} HTTP/1.1\r\nHost: a\r\nX: ");
        let long = |length: usize| format!("{start}{}", "a".repeat(length - start.len()));
        assert_eq!(read(long(ROOM - 1).as_bytes()).0, "part");
        assert_eq!(read(long(ROOM).as_bytes()).0, "other");
    }
}
