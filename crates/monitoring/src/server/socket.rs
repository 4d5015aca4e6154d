//! A client's socket, which notes what goes through it, and completes hyper's own answers to what it does not take for a request.
//!
//! Those have neither a body nor the headers that ours have, and no service sees them. They are known by this: the last on their
//! connection, written when nothing was asked, a head alone that says 4xx and no length. What is not just so passes as it is.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Site;
use super::pace::{Doing, Pace};
use super::reply::Reply;

/// How hyper says in a head that there is no body.
const NO_LENGTH: &str = "content-length: 0\r\n";

pub(super) struct Socket {
    stream: TcpStream,
    pace: Arc<Pace>,
    site: Site,
    last_byte: u8,
    /// What is left to write of a completed answer, which hyper takes for written.
    rest: Vec<u8>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, pace: Arc<Pace>, site: Site) -> Self {
        Self { stream, pace, site, last_byte: b'\r', rest: Vec::new() }
    }

    /// The answer in the place of hyper's own one.
    fn completed(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let is_asked = match self.pace.moment().doing() {
            Doing::Answering | Doing::Writing => true,
            Doing::Head | Doing::Idle => false,
        };
        if is_asked {
            return None;
        }
        let head = str::from_utf8(bytes).ok().filter(|head| head.find("\r\n\r\n") == Some(head.len() - 4))?;
        let status = StatusCode::from_bytes(head.strip_prefix("HTTP/1.1 ")?.get(..3)?.as_bytes()).ok()?;
        let (before, after) = head.split_once(NO_LENGTH).filter(|_| status.is_client_error())?;
        let sentence = match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "the header is too large",
            StatusCode::URI_TOO_LONG => "the target is too long",
            _ => "this is no request of HTTP/1.1",
        };
        let reply = Reply::error(status, sentence);
        let body = reply.body().to_vec();
        let mut answer = before.as_bytes().to_vec();
        for (name, value) in self.site.refuse(reply).headers() {
            answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        answer.extend(format!("content-length: {}\r\n{after}", body.len()).into_bytes());
        answer.extend(body);
        Some(answer)
    }

    /// Writes what is left of a completed answer.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &self.rest);
            self.note(&written);
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => drop(self.rest.drain(..bytes)),
            }
        }
        Poll::Ready(Ok(()))
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
            self.pace.heard.store(true, Ordering::Relaxed);
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

// Without vectored writes, so that hyper puts head and body into one piece: most answers are small, and `writev` costs more
// than copying them.
impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(answer) = self.completed(bytes) {
            self.rest = answer;
            self.pace.begins(Doing::Writing);
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(cx))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.pace.moment().doing() == Doing::Writing {
            self.pace.begins(Doing::Idle);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
