//! A connection as it is given to actix.
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_io_timeout::TimeoutStream;

/// How long nothing at all may come: longer than any answer takes. Actix waits without end for the rest of
/// a head, unless it is the first one.
const SILENT_LATEST: Duration = Duration::from_secs(150);
/// How long nothing at all may be taken.
const UNTAKEN_LATEST: Duration = Duration::from_secs(30);

/// First what came already, then what comes. Of whoever takes no answers nothing more is read: actix would
/// answer that too, and keep it.
pub struct Rest<S = TcpStream> {
    came: Vec<u8>,
    io: Pin<Box<TimeoutStream<S>>>,
    is_full: bool,
    /// Who wanted to read meanwhile.
    reader: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite> Rest<S> {
    pub fn new(mut came: Vec<u8>, io: S) -> Self {
        came.shrink_to_fit();
        let mut io = TimeoutStream::new(io);
        io.set_read_timeout(Some(SILENT_LATEST));
        io.set_write_timeout(Some(UNTAKEN_LATEST));
        Self { came, io: Box::pin(io), is_full: false, reader: None }
    }
}

impl<S: AsyncRead + AsyncWrite> AsyncRead for Rest<S> {
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
        if self.is_full {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.io.as_mut().poll_read(cx, to)
    }
}

impl<S: AsyncRead + AsyncWrite> AsyncWrite for Rest<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.io.as_mut().poll_write(cx, bytes);
        self.is_full = written.is_pending();
        if !self.is_full
            && let Some(reader) = self.reader.take()
        {
            reader.wake();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, task::noop_waker_ref};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

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
}
