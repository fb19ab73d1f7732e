//! The documentation page over HTTP: `/` is the page, `/live.json` what moves.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::http::Listener;

/// A page and what moves on it.
#[derive(Clone)]
pub struct Page {
    pub html: String,
    /// Asks the sink; blocks while it does. None while the sink is away.
    pub live: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

/// Routes of a page.
fn routes(page: Page) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/index.html", get(index))
        .route("/live.json", get(live))
        .with_state(Arc::new(page))
}

pub(super) async fn index(State(page): State<Arc<Page>>) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page.html.clone()).into_response()
}

pub(super) async fn live(State(page): State<Arc<Page>>) -> Response {
    let live = Arc::clone(&page.live);
    match tokio::task::spawn_blocking(move || live()).await {
        Ok(Some(json)) => {
            ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json).into_response()
        }
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// A server of nothing but a page.
pub struct PageServer(Listener);

impl PageServer {
    pub fn start(page: Page, listen: SocketAddr) -> io::Result<PageServer> {
        Listener::start(routes(page), listen).map(PageServer)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    pub fn stop(self) {
        self.0.stop();
    }
}
