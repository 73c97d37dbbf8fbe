//! A connection as it is given to actix.
use std::{
    io::{self, ErrorKind},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use super::patience::IDLE_LATEST;

/// First what came already, then what comes. Of whoever takes no answers nothing more is read: actix would
/// answer that too, and keep it.
///
/// It is over when nothing came and nothing was taken for [`IDLE_LATEST`], which no answer takes to be made, or
/// for twice as long at most. Actix waits without end for the rest of a head, unless it is the first one, and for
/// who takes no answers.
pub struct Rest<S = TcpStream> {
    came: Vec<u8>,
    io: S,
    /// Nothing more is taken now.
    is_full: bool,
    /// Who wanted to read meanwhile.
    reader: Option<Waker>,
    limit: Pin<Box<Sleep>>,
    /// Something came or was taken since the limit was set.
    has_moved: bool,
}

impl<S> Rest<S> {
    pub fn new(came: Vec<u8>, io: S) -> Self {
        Self::waiting(came, io, IDLE_LATEST)
    }

    fn waiting(mut came: Vec<u8>, io: S, limit: Duration) -> Self {
        came.shrink_to_fit();
        let limit = Box::pin(sleep(limit));
        Self { came, io, is_full: false, reader: None, limit, has_moved: false }
    }

    /// Whether it is over is asked where it would have to wait.
    fn until_over<T>(
        &mut self,
        cx: &mut Context<'_>,
        moved: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            self.has_moved = true;
            return moved;
        }
        loop {
            ready!(self.limit.as_mut().poll(cx));
            if !std::mem::take(&mut self.has_moved) {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            self.limit.as_mut().reset(Instant::now() + IDLE_LATEST);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rest<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.came.is_empty() {
            let length = self.came.len().min(to.remaining());
            to.put_slice(self.came.split_at(length).0);
            self.came.drain(..length);
            return Poll::Ready(Ok(()));
        }
        let read = if self.is_full {
            self.reader = Some(cx.waker().clone());
            Poll::Pending
        } else {
            Pin::new(&mut self.io).poll_read(cx, to)
        };
        self.until_over(cx, read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rest<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.is_full = written.is_pending();
        if !self.is_full
            && let Some(reader) = self.reader.take()
        {
            reader.wake();
        }
        self.until_over(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, task::noop_waker_ref};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::timeout,
    };

    use super::*;

    #[tokio::test]
    async fn what_came_already_is_read_first() {
        let (io, mut client) = duplex(64);
        client.write_all(b" world").await.unwrap();
        client.shutdown().await.unwrap();
        let mut text = String::new();
        Rest::new(b"hello".to_vec(), io).read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello world");
    }

    #[tokio::test]
    async fn nothing_is_read_of_whom_takes_nothing() {
        let (io, mut client) = duplex(64);
        let mut rest = Rest::new(Vec::new(), io);
        client.write_all(b"more").await.unwrap();
        let cx = &mut Context::from_waker(noop_waker_ref());
        while Pin::new(&mut rest).poll_write(cx, b"answer").is_ready() {}
        let mut came = [0; 4];
        assert!(rest.read(&mut came).now_or_never().is_none(), "it is there, and is not read");
        let (mut reader, mut writer) = tokio::io::split(rest);
        let read = async { reader.read(&mut came).await.unwrap() };
        let take = async {
            // Then there is room, whoever waited for it writes, and who waited to read goes on.
            client.read_exact(&mut [0; 60]).await.unwrap();
            writer.write_all(b"answer").await.unwrap();
        };
        let (length, ()) = tokio::join!(read, take);
        assert_eq!((length, &came), (4, b"more"));
    }

    #[tokio::test]
    async fn it_is_over_when_nothing_moves() {
        let limit = Duration::from_millis(5);
        let (io, _client) = duplex(64);
        let mut rest = Rest::waiting(Vec::new(), io, limit);
        let over = rest.read(&mut [0; 4]).await.unwrap_err();
        assert_eq!(over.kind(), ErrorKind::TimedOut);
        let (io, _client) = duplex(8);
        let mut rest = Rest::waiting(Vec::new(), io, limit);
        // The first eight bytes moved, which gives it the whole limit.
        let taken = timeout(limit * 20, rest.write_all(b"an answer that nobody takes"));
        assert!(taken.await.is_err(), "it is waited for once more");
        let (io, mut taking) = duplex(8);
        let mut rest = Rest::waiting(Vec::new(), io, limit);
        rest.write_all(b"answer").await.unwrap();
        taking.read_exact(&mut [0; 6]).await.unwrap();
        let mut came = [0; 4];
        let read = timeout(limit * 20, rest.read(&mut came));
        assert!(read.await.is_err(), "who takes something slowly may be silent");
    }
}
