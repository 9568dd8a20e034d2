//! A stream that must take what is written to it within a limit.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The stream of a client who must read: one who takes an answer slowly, or not at all, would hold the connection for ever.
pub(super) struct Patience<S> {
    stream: S,
    limit: Duration,
    /// Ends the connection. It runs from the first write that was not taken whole until one is: a client who reads a byte now and
    /// then gains nothing.
    end: Option<Pin<Box<Sleep>>>,
}

impl<S> Patience<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        let end = None;
        Self { stream, limit, end }
    }

    /// What came of a write of so many bytes, unless the patience is at its end.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        bytes: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(taken)) if taken == bytes => self.end = None,
            Poll::Ready(Err(_)) => {}
            Poll::Ready(Ok(_)) | Poll::Pending => {
                let limit = self.limit;
                let end = self.end.get_or_insert_with(|| Box::pin(sleep(limit)));
                if end.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, bytes.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        self.judge(context, bytes, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::future::poll_fn;
    use std::task::ready;

    use tokio::time::{Interval, interval};

    use super::*;

    /// A client who takes a byte at each tick.
    struct Slow(Interval);

    impl AsyncWrite for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            ready!(self.0.poll_tick(context));
            Poll::Ready(Ok(1))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn slow(limit: u64) -> Patience<Slow> {
        let ticks = interval(Duration::from_millis(10));
        Patience::new(Slow(ticks), Duration::from_millis(limit))
    }

    async fn write(stream: &mut Patience<Slow>, mut answer: &[u8]) -> io::Result<()> {
        while !answer.is_empty() {
            let written =
                poll_fn(|context| Pin::new(&mut *stream).poll_write(context, answer)).await?;
            answer = &answer[written..];
        }
        Ok(())
    }

    #[tokio::test]
    async fn who_takes_a_byte_now_and_then_is_left() {
        let error = write(&mut slow(100), &[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_takes_each_answer_in_time_may_stay() {
        let mut stream = slow(1000);
        for _ in 0..60 {
            write(&mut stream, &[0; 2]).await.unwrap();
        }
    }
}
