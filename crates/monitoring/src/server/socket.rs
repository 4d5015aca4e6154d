//! A client's socket, which notes what goes through it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::pace::{Doing, Pace};

pub(super) struct Socket {
    stream: TcpStream,
    pace: Arc<Pace>,
    last_byte: u8,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, pace: Arc<Pace>) -> Self {
        Self { stream, pace, last_byte: b'\r' }
    }

    /// The client's time begins anew with each part that it takes.
    fn note(&self, written: &Poll<io::Result<usize>>) {
        if written.is_ready() || self.pace.moment().doing() != Doing::Writing {
            self.pace.begins(Doing::Writing);
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        if let Some(last) = new.last() {
            if self.pace.moment().doing() == Doing::Idle {
                self.pace.begins(Doing::Head);
            }
            // Who takes a bare LF for the end of a line sees other requests than who does not.
            let before = std::iter::once(&self.last_byte).chain(new);
            if new.iter().zip(before).any(|(byte, before)| *byte == b'\n' && *before != b'\r') {
                self.pace.bare_lf.store(true, Ordering::Relaxed);
            }
            self.last_byte = *last;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.pace.moment().doing() == Doing::Writing {
            self.pace.begins(Doing::Idle);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
