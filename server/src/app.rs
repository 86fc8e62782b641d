//! Everything that requests share, and the routes.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use silverback_query::Engine;
use silverback_storage::Db;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::api::{self, ApiError, ErrorType};
use crate::config::Config;
use crate::gathering::Gathering;
use crate::metrics::Metrics;
use crate::remote_write::{self, HaTracker, Limits, Relabeling, Rules, ScratchPool};
use crate::server::StartError;
use crate::{health, ui};

/// What the handlers get.
pub(crate) type AppRef = Arc<App>;

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) engine: Engine,
    pub(crate) metrics: Metrics,
    /// Where the server listens, with the port the system chose.
    pub(crate) local_addr: std::net::SocketAddr,
    pub(crate) started: Instant,
    /// One permit for each read that may run.
    pub(crate) query_turns: Arc<Semaphore>,
    /// What may outlast the request that it was begun for.
    pub(crate) tasks: TaskTracker,
    pub(crate) write_limits: Limits,
    pub(crate) write_rules: Rules,
    pub(crate) write_scratch: ScratchPool,
    pub(crate) gathering: Gathering,
    /// Held while memory is given back to the system after a query.
    pub(crate) giving_back: Mutex<()>,
}

impl App {
    /// # Errors
    /// Two metrics of one name, rules for labels that make no sense.
    pub(crate) fn new(
        config: Config,
        db: Db,
        local_addr: std::net::SocketAddr,
    ) -> Result<Self, StartError> {
        let write_limits = Limits::new(config.sizes.clone());
        let relabeling = match &config.relabel_config {
            Some(path) => Relabeling::load(path).map_err(StartError::Relabel)?,
            None => Relabeling::default(),
        };
        let ha = config.ha.clone().map(HaTracker::new);
        let engine = Engine::new(config.engine_options());
        Ok(Self {
            metrics: Metrics::new(db.clone(), engine.clone())?,
            db,
            engine,
            local_addr,
            started: Instant::now(),
            query_turns: Arc::new(Semaphore::new(config.query_concurrency)),
            tasks: TaskTracker::new(),
            write_rules: Rules::new(config.labels.clone(), write_limits.row_bytes_max())
                .changing(relabeling, ha),
            write_limits,
            write_scratch: ScratchPool::default(),
            gathering: Gathering::default(),
            giving_back: Mutex::new(()),
            config,
        })
    }
}

impl AsRef<Db> for App {
    fn as_ref(&self) -> &Db {
        &self.db
    }
}

/// The routes with all that surrounds them.
pub(crate) fn router(app: &AppRef) -> Router {
    // Reads are compressed and may be asked for by web pages of other origins; writes are not.
    let reads = Router::new()
        .route("/api/v1/query", query(get(api::instant).post(api::instant)))
        .route(
            "/api/v1/query_range",
            query(get(api::range).post(api::range)),
        )
        .route(
            "/api/v1/format_query",
            query(get(api::format_query).post(api::format_query)),
        )
        .route(
            "/api/v1/parse_query",
            query(get(api::parse_query).post(api::parse_query)),
        )
        .route(
            "/api/v1/query_exemplars",
            query(get(api::query_exemplars).post(api::query_exemplars)),
        )
        .route("/api/v1/metadata", query(get(api::metadata)))
        .route(
            "/api/v1/labels",
            query(get(api::label_names).post(api::label_names)),
        )
        .route("/api/v1/series", query(get(api::series).post(api::series)))
        .route("/api/v1/label/{name}/values", query(get(api::label_values)))
        .route("/api/v1/status/buildinfo", query(get(api::build_info)))
        .route("/api/v1/status/tsdb", query(get(api::tsdb_status)))
        .layer(middleware::from_fn(cross_origin));
    // Large answers in gzip's fastest level take a quarter of the CPU of its default level and
    // are a quarter larger.
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
    Router::new()
        .merge(reads)
        .route("/metrics", get(health::metrics))
        .layer(compression)
        .route("/api/v1/admin/tsdb/flush", post(api::flush))
        .route("/api/v1/admin/tsdb/compact", post(api::compact))
        .route(
            "/api/v1/write",
            post(remote_write::write).get(remote_write::handshake),
        )
        .route("/-/healthy", get(health::healthy))
        .route("/-/ready", get(health::ready))
        .route("/", get(ui::page))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(middleware::from_fn_with_state(Arc::clone(app), observe))
        .with_state(Arc::clone(app))
}

/// Adds the answer to a browser's preflight request.
fn query(methods: MethodRouter<AppRef>) -> MethodRouter<AppRef> {
    methods.options(|| async { StatusCode::NO_CONTENT })
}

/// Cross-origin headers as Prometheus sends them: any origin may read.
async fn cross_origin(request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        let fixed = HeaderValue::from_static;
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            fixed("Accept, Authorization, Content-Type, Origin"),
        );
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            fixed("GET, POST, OPTIONS"),
        );
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, fixed("Date"));
    }
    response
}

/// Counts and times every request.
async fn observe(State(app): State<AppRef>, request: Request, next: Next) -> Response {
    let in_flight = app.metrics.http.begin(handler_name(request.uri().path()));
    let response = next.run(request).await;
    in_flight.finish(response.status());
    response
}

/// The handler of a path, as a label value: a bounded number of them.
fn handler_name(path: &str) -> &'static str {
    const HANDLERS: [&str; 15] = [
        "/",
        "/-/healthy",
        "/-/ready",
        "/api/v1/format_query",
        "/api/v1/labels",
        "/api/v1/metadata",
        "/api/v1/parse_query",
        "/api/v1/query",
        "/api/v1/query_exemplars",
        "/api/v1/query_range",
        "/api/v1/series",
        "/api/v1/status/buildinfo",
        "/api/v1/status/tsdb",
        "/api/v1/write",
        "/metrics",
    ];
    match HANDLERS.into_iter().find(|&handler| handler == path) {
        Some(handler) => handler,
        None if path.starts_with("/api/v1/label/") => "/api/v1/label/:name/values",
        None => "other",
    }
}

async fn not_found(request: Request) -> ApiError {
    ApiError::new(
        ErrorType::NotFound,
        format!("there is nothing at {}", request.uri().path()),
    )
}

async fn method_not_allowed(request: Request) -> ApiError {
    ApiError::new(
        ErrorType::MethodNotAllowed,
        format!(
            "method {} is not allowed for {}",
            request.method(),
            request.uri().path()
        ),
    )
}

/// A bug: the request gets an answer and the log gets the place.
fn answer_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = text, "a request handler panicked; this is a bug");
    ApiError::new(
        ErrorType::Internal,
        "internal error: the request handler panicked",
    )
    .into_response()
}

#[cfg(test)]
pub(crate) mod tests;
