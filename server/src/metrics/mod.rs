//! The server's own metrics, in Prometheus's text format at `/metrics`.

mod family;
mod http;
mod process;
mod remote_write;
mod storage;

use std::sync::Arc;

use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Opts, Registry};
use silverback_query::Engine;
use silverback_storage::Db;

pub(crate) use http::HttpMetrics;
pub(crate) use remote_write::RemoteWriteMetrics;

use crate::version;

/// All metrics of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Requests by handler and code.
    pub(crate) http: HttpMetrics,
    /// What remote write took and refused.
    pub(crate) remote_write: RemoteWriteMetrics,
    /// Queries being evaluated right now.
    pub(crate) queries_running: Arc<IntGauge>,
    queries_bytes: IntGauge,
    engine: Engine,
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// Two metrics of one name.
    pub(crate) fn new(db: Db, engine: Engine) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build_info = IntGauge::with_opts(
            Opts::new(
                "silverback_build_info",
                "Always 1; the labels name the build.",
            )
            .const_label("version", version::VERSION)
            .const_label("revision", version::REVISION),
        )?;
        build_info.set(1);
        registry.register(Box::new(build_info))?;
        let queries_running = IntGauge::new(
            "silverback_queries_running",
            "Queries being evaluated right now.",
        )?;
        registry.register(Box::new(queries_running.clone()))?;
        let queries_bytes = IntGauge::new(
            "silverback_queries_memory_bytes",
            "Memory that queries hold, answers still to be sent among it (--query-max-bytes).",
        )?;
        registry.register(Box::new(queries_bytes.clone()))?;
        registry.register(Box::new(storage::StorageCollector::new(db)?))?;
        registry.register(Box::new(process::ProcessCollector::new()?))?;
        Ok(Self {
            http: HttpMetrics::register(&registry)?,
            remote_write: RemoteWriteMetrics::register(&registry)?,
            queries_running: Arc::new(queries_running),
            queries_bytes,
            engine,
            registry,
        })
    }

    /// The metrics as they are now, sorted by name.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        let bytes = self.engine.bytes_held();
        self.queries_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.registry.gather()
    }

    /// The metrics as they are now, in the text format, version 0.0.4.
    ///
    /// # Errors
    /// A metric that the format cannot hold.
    pub(crate) fn render(&self) -> Result<String, prometheus::Error> {
        prometheus::TextEncoder::new().encode_to_string(&self.gather())
    }
}
