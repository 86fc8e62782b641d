//! What the server can be told, checked and with its units.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use silverback_query::{EngineOptions, LOOKBACK_DELTA_MS_DEFAULT};
use silverback_storage::{Options, WalSync};

use crate::features;

/// The configuration of a server. [`Config::default`] is what the program runs with when it
/// gets no flags.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where the data lives.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// When a write is acknowledged.
    pub wal_sync: WalSync,
    /// Bytes of WAL at which the head is flushed; see [`Options::wal_bytes_max`].
    pub wal_bytes_max: u64,
    /// How many series the head takes; `None` for no limit.
    pub series_max: Option<u64>,
    /// The same of each metric name.
    pub series_of_metric_max: Option<u64>,
    /// How old a sample may be; `None` keeps everything.
    pub retention: Option<Duration>,
    /// How far in the future a sample may lie; `None` takes any.
    pub max_future: Option<Duration>,
    /// How often the server writes its own metrics to its own database; `None` for never.
    pub self_scrape_interval: Option<Duration>,
    /// Experimental parts to enable, by the names of Prometheus's `--enable-feature`.
    pub features: Vec<String>,
    /// How many bytes all queries together may hold; see [`EngineOptions::bytes_max`].
    pub query_bytes_max: u64,
    /// How many samples a query may hold; see [`EngineOptions::samples_max`].
    pub query_samples_max: u64,
    /// How long a query may take, its wait in the queue included.
    pub query_timeout: Duration,
    /// How many queries run at once, at least 1; the others wait in a queue.
    pub query_concurrency: usize,
    /// How old a sample may be and still count, in milliseconds, above 0.
    pub query_lookback_delta_ms: i64,
    /// How many bytes results of matchers may take; see [`Options::matcher_cache_bytes_max`].
    pub matcher_cache_bytes_max: u64,
    /// Whether endpoints that change or delete data are served.
    pub enable_admin_api: bool,
    /// What a request may hold in memory.
    pub sizes: SizeLimits,
    /// What labels may be.
    pub labels: LabelLimits,
    /// A file of rules for the labels of what is written; see `docs/remote-write.md`.
    pub relabel_config: Option<PathBuf>,
    /// Pairs of senders of which one is taken; `None` takes what everybody sends.
    pub ha: Option<HaConfig>,
    /// How many connections are open at once; beyond it the one that has waited longest for its
    /// client makes room.
    pub connections_max: usize,
    /// How long a client may take to send the headers of a request, and how long a connection may
    /// be idle.
    pub idle_timeout: Duration,
}

/// How pairs of senders that send the same are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HaConfig {
    /// The label that names the pair.
    pub cluster_label: String,
    /// The label that names one of the pair; it is taken off what is stored.
    pub replica_label: String,
    /// How long the one that is taken may be silent before the other is.
    pub failover_timeout: Duration,
    /// How many pairs there may be.
    pub clusters_max: usize,
}

impl Default for HaConfig {
    fn default() -> Self {
        Self {
            cluster_label: "cluster".to_owned(),
            replica_label: "__replica__".to_owned(),
            failover_timeout: Duration::from_secs(30),
            clusters_max: 100,
        }
    }
}

/// What write requests may hold in memory, and how long they may take to come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SizeLimits {
    /// Largest body as it comes over the wire, in bytes.
    pub body_bytes_max: usize,
    /// Largest body once it is decompressed, in bytes.
    pub decoded_bytes_max: usize,
    /// All requests in flight together, in bytes: once for their bodies, once for what is made of
    /// them. At least twice the two above.
    pub in_flight_bytes_max: usize,
    /// How long a client may take to send a body.
    pub body_deadline: Duration,
}

impl Default for SizeLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 32 << 20,
            decoded_bytes_max: 32 << 20,
            in_flight_bytes_max: 256 << 20,
            body_deadline: Duration::from_secs(30),
        }
    }
}

/// How many labels a series may have, and how long they may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LabelLimits {
    /// Labels of a series.
    pub labels_max: usize,
    /// Bytes of a label name.
    pub name_bytes_max: usize,
    /// Bytes of a label value.
    pub value_bytes_max: usize,
}

impl Default for LabelLimits {
    fn default() -> Self {
        Self {
            labels_max: 256,
            name_bytes_max: 1 << 10,
            value_bytes_max: 16 << 10,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./silverback-data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 9494)),
            wal_sync: WalSync::Always,
            wal_bytes_max: 128 << 20,
            series_max: None,
            series_of_metric_max: None,
            retention: Some(Duration::from_secs(30 * 24 * 3600)),
            max_future: Some(Duration::from_secs(600)),
            self_scrape_interval: Some(Duration::from_secs(15)),
            features: Vec::new(),
            query_bytes_max: 1 << 30,
            query_samples_max: 50_000_000,
            query_timeout: Duration::from_secs(120),
            query_concurrency: 20,
            query_lookback_delta_ms: LOOKBACK_DELTA_MS_DEFAULT,
            matcher_cache_bytes_max: 32 << 20,
            enable_admin_api: false,
            sizes: SizeLimits::default(),
            labels: LabelLimits::default(),
            relabel_config: None,
            ha: None,
            connections_max: 1024,
            idle_timeout: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// The options of the engine.
    pub(crate) fn engine_options(&self) -> EngineOptions {
        EngineOptions {
            bytes_max: self.query_bytes_max,
            samples_max: self.query_samples_max,
            timeout: Some(self.query_timeout),
            lookback_delta_ms: self.query_lookback_delta_ms,
            ..features::engine_options(&self.features)
        }
    }

    /// The options to open the database with.
    pub fn storage_options(&self) -> Options {
        Options {
            wal_sync: self.wal_sync,
            wal_bytes_max: self.wal_bytes_max,
            series_max: self.series_max,
            series_of_metric_max: self.series_of_metric_max,
            matcher_cache_bytes_max: self.matcher_cache_bytes_max,
            retention: self.retention,
            max_future: self.max_future,
            ..Options::default()
        }
    }
}
