//! One connection: HTTP around the answers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::Limits;
use super::patience::Patience;
use super::protocol::{Protocol, Refusal};
use super::scoring::Service;

type Answer = Response<Full<Bytes>>;

/// What a client may take to send the rest of its body where its time is over.
const GRACE: Duration = Duration::from_secs(1);

/// Answers the requests of a connection until it is closed; `place` is held until then.
pub(super) async fn serve(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    service: Arc<Service>,
    limits: Limits,
    watcher: Watcher,
) {
    // Answers are small, and each is waited for.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(answer(&service, limits, request).await) }
    });
    let mut http = http1::Builder::new();
    // Between requests too, so that idle connections do not hold their places for ever.
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.timeout);
    let connection =
        http.serve_connection(TokioIo::new(Patience::new(stream, limits.timeout)), answer);
    // What ends a connection early is the client's business.
    let _ = watcher.watch(connection).await;
    drop(place);
}

async fn answer(service: &Arc<Service>, limits: Limits, request: Request<Incoming>) -> Answer {
    let deadline = Instant::now() + limits.timeout;
    let (head, mut body) = request.into_parts();
    let (path, method) = (head.uri.path(), &head.method);
    let answer = respond(service, limits, method, path, &mut body, deadline).await;
    discard(&mut body, deadline).await;
    answer
}

/// Reads what is left of a body and keeps none of it: a client that is still sending reads no answer, and finds its connection broken
/// if that is closed.
async fn discard(body: &mut Incoming, deadline: Instant) {
    let deadline = deadline.max(Instant::now() + GRACE);
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    // Who has not sent everything by then may miss the answer.
    let _ = timeout_at(deadline, rest).await;
}

async fn respond(
    service: &Arc<Service>,
    limits: Limits,
    method: &Method,
    path: &str,
    body: &mut Incoming,
    deadline: Instant,
) -> Answer {
    let protocol = match path {
        "/health" if method == Method::GET || method == Method::HEAD => {
            return json(StatusCode::OK, service.health());
        }
        "/health" => return not_allowed("GET"),
        "/openrlhf" => Protocol::OpenRlhf,
        "/slime" => Protocol::Slime,
        _ => {
            let message = format!("there is no {path}: POST /openrlhf, POST /slime or GET /health");
            return refuse(StatusCode::NOT_FOUND, &message);
        }
    };
    if method != Method::POST {
        return not_allowed("POST");
    }
    match score(service, limits, protocol, body, deadline).await {
        Ok(body) => json(StatusCode::OK, body),
        Err(answer) => {
            service.count_refused();
            *answer
        }
    }
}

async fn score(
    service: &Arc<Service>,
    limits: Limits,
    protocol: Protocol,
    body: &mut Incoming,
    deadline: Instant,
) -> Result<String, Box<Answer>> {
    // Waited for before the body is read: what waits holds no memory.
    let Ok(Some(turn)) = timeout_at(deadline, service.turn()).await else {
        return Err(Box::new(too_many()));
    };
    let body = read(body, limits, deadline).await;
    let body = body.map_err(|(status, message)| Box::new(refuse(status, &message)))?;
    let answered = service.score(protocol, body, turn).await;
    answered.map_err(|refusal| {
        let (status, message) = match refusal {
            Refusal::Malformed(message) => (StatusCode::BAD_REQUEST, message),
            Refusal::Data(message) => (StatusCode::UNPROCESSABLE_ENTITY, message),
            Refusal::Fault(message) => (StatusCode::INTERNAL_SERVER_ERROR, message),
        };
        Box::new(refuse(status, &message))
    })
}

/// The body of a request, if it is within the limits.
async fn read(
    body: &mut Incoming,
    limits: Limits,
    deadline: Instant,
) -> Result<Bytes, (StatusCode, String)> {
    let body = Limited::new(body, limits.max_body).collect();
    match timeout_at(deadline, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("a body must have at most {} bytes", limits.max_body);
            Err((StatusCode::PAYLOAD_TOO_LARGE, message))
        }
        Ok(Err(error)) => Err((StatusCode::BAD_REQUEST, error.to_string())),
        Err(_) => {
            let seconds = limits.timeout.as_secs();
            let message = format!("the body did not arrive within {seconds} seconds");
            Err((StatusCode::REQUEST_TIMEOUT, message))
        }
    }
}

fn json(status: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

fn refuse(status: StatusCode, message: &str) -> Answer {
    json(status, serde_json::json!({ "error": message }).to_string())
}

fn not_allowed(method: &'static str) -> Answer {
    let mut answer = refuse(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("the method must be {method}"),
    );
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(method));
    answer
}

fn too_many() -> Answer {
    let message = "too many requests at once: try again, or raise --at-once and --waiting";
    let mut answer = refuse(StatusCode::SERVICE_UNAVAILABLE, message);
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
