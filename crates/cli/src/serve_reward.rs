//! `rerec serve-reward`: the reward over HTTP, for trainers that ask a remote one.

mod connection;
mod patience;
mod protocol;
mod scoring;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::connection::serve;
use self::scoring::Service;
use crate::error::Failure;
use crate::score::{RewardArgs, Scorer};

/// Answer reward requests of OpenRLHF and slime over HTTP
///
/// POST /openrlhf takes {"query": [...], "prompts": [...], "labels": [...]} and answers {"rewards": [...], "scores": [...],
/// "extra_logs": {...}}: what follows the prompt in a query is scored, and scores are 1 for a right answer and 0 for another. POST /slime takes {"response": "...",
/// "label": ...} and answers one number. A label is a title, several with separators, a list of titles, or {"ground_truth": ...,
/// "candidates": [...]}. GET /health says how much was answered. A request that cannot be answered gets {"error": "..."} with status 400
/// (no such form), 408 (too slow), 413 (too large), 422 (its data are at fault) or 503 (too many at once; with Retry-After). SIGTERM and
/// Ctrl-C end the server once the requests under way are answered, a second one at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  rerec serve-reward --address 127.0.0.1:8700 &
  curl -s http://127.0.0.1:8700/slime -d '{\"prompt\":\"A heist film?\",\"response\":\"so \\\\boxed{heat}\",\"label\":\"Heat (1995)\"}'
  1.05")]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one, which is said on standard error
    #[arg(long, default_value = "127.0.0.1:8700")]
    address: SocketAddr,
    /// Requests that are read and scored at a time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    at_once: u32,
    /// Requests that wait for their turn, until the time limit; further ones are told to come back
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(..=65_536))]
    waiting: u32,
    /// Most connections open at once; others wait until one closes
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    connections: u32,
    /// Largest body of a request in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20, value_parser = clap::value_parser!(u32).range(1..))]
    max_body: u32,
    /// Seconds within which a request must be read and get its turn, and its answer must be taken
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    timeout: u32,
    #[command(flatten)]
    reward: RewardArgs,
}

/// What every connection is held to.
#[derive(Clone, Copy, Debug)]
struct Limits {
    at_once: usize,
    waiting: usize,
    max_body: usize,
    timeout: Duration,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let scorer = Scorer::new(&args.reward)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(failed(args.address))?;
    let ended = runtime.block_on(listen(args, scorer));
    // Threads that still score are not waited for longer: nobody gets their answers.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

fn failed(address: SocketAddr) -> impl Fn(std::io::Error) -> Failure {
    move |source| Failure::Listen { address, source }
}

async fn listen(args: &Args, scorer: Scorer) -> Result<(), Failure> {
    let failed = failed(args.address);
    let listener = TcpListener::bind(args.address).await.map_err(&failed)?;
    let address = listener.local_addr().map_err(&failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(&failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(&failed)?;
    eprintln!("rerec: listening on http://{address}");
    let limits = Limits {
        at_once: args.at_once as usize,
        waiting: args.waiting as usize,
        max_body: args.max_body as usize,
        timeout: Duration::from_secs(args.timeout.into()),
    };
    let service = Arc::new(Service::new(scorer, limits));
    let places = Arc::new(Semaphore::new(args.connections as usize));
    let open = GracefulShutdown::new();
    loop {
        tokio::select! {
            (stream, place) = next(&listener, &places) => {
                tokio::spawn(serve(stream, place, service.clone(), limits, open.watcher()));
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    // Closed before the last answers are waited for, so that nobody else connects.
    drop(listener);
    eprintln!(
        "rerec: answering the requests under way, then ending; press Ctrl-C again to end at once"
    );
    // A request is read within the limit, and scored within moments.
    let longest = limits.timeout + Duration::from_secs(5);
    tokio::select! {
        _ = tokio::time::timeout(longest, open.shutdown()) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// The next connection, once there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let place = match places.clone().acquire_owned().await {
            Ok(place) => place,
            // The semaphore is never closed.
            Err(_) => return std::future::pending().await,
        };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            // Out of file descriptors, or a client that went away: others may come.
            Err(error) => {
                eprintln!("rerec: cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
