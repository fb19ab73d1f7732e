//! `/metrics`, `/healthz` and `/readyz`, on a thread of their own: a busy engine still answers.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::oneshot;

use super::{Observer, Verdict, page};

/// How long answers that are being written may take when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

const INDEX: &str =
    "livemart\n\n/metrics  for Prometheus\n/healthz  does the loop turn?\n/readyz   may one rely on the tables?\n";

/// Answers on a thread of its own until it is stopped or dropped.
pub(super) struct Listener {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens at `listen`; port 0 takes any free one, which `address` then tells.
    pub fn start(router: Router, listen: SocketAddr) -> io::Result<Listener> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("livemart-http".into()).spawn(move || {
            let (drain, draining) = oneshot::channel::<()>();
            let server = axum::serve(listener, router).with_graceful_shutdown(async move {
                let _ = draining.await;
            });
            runtime.block_on(async {
                let server = tokio::spawn(server.into_future());
                let _ = stopped.await;
                let _ = drain.send(());
                // A client that keeps its connection open must not keep us.
                let _ = tokio::time::timeout(STOP_TIMEOUT, server).await;
            });
            runtime.shutdown_background();
        })?;
        Ok(Listener { address, stop: Some(stop), thread: Some(thread) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, lets answers that are being written finish, and joins the thread.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the HTTP thread panicked");
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.join();
    }
}

/// Metrics, health and, once there is one, the project's page.
pub struct HttpServer(Listener);

impl HttpServer {
    /// Listens at `listen`; port 0 takes any free one, which `address` then tells.
    pub fn start(observer: Observer, listen: SocketAddr) -> io::Result<HttpServer> {
        let listener = Listener::start(router(observer), listen)?;
        tracing::info!(address = %listener.address(), "serving /metrics, /healthz and /readyz");
        Ok(HttpServer(listener))
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    pub fn stop(self) {
        self.0.stop();
    }
}

fn router(observer: Observer) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/live.json", get(live))
        .route("/metrics", get(metrics))
        .route("/healthz", get(async |State(observer): State<Observer>| answer(observer.live())))
        .route("/readyz", get(async |State(observer): State<Observer>| answer(observer.ready())))
        .with_state(observer)
}

/// The project's page, or what there is while it is being planned.
async fn index(State(observer): State<Observer>) -> Response {
    match observer.page() {
        Some(page) => page::index(State(page)).await,
        None => plain(StatusCode::OK, INDEX.to_string()),
    }
}

async fn live(State(observer): State<Observer>) -> Response {
    match observer.page() {
        Some(page) => page::live(State(page)).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn metrics(State(observer): State<Observer>) -> Response {
    ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], observer.metrics_text()).into_response()
}

fn answer(verdict: Verdict) -> Response {
    plain(if verdict.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, verdict.text)
}

fn plain(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text)
        .into_response()
}
