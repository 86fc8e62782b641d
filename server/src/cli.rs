//! The command line. Every flag has an environment variable too: `--data-dir` is
//! `SILVERBACK_DATA_DIR`.

mod write;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use silverback_storage::WalSync;

use self::write::WriteArgs;
use crate::config::Config;
use crate::logging::Format;
use crate::units;

/// A Prometheus-compatible time-series database: remote-write target and Grafana data source.
#[derive(Debug, Parser)]
#[command(name = "silverback", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (the default).
    Serve(Serve),
}

/// Flags of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Directory of the data; created if it is not there.
    #[arg(long, env = "SILVERBACK_DATA_DIR", default_value = "./silverback-data")]
    data_dir: PathBuf,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, env = "SILVERBACK_LISTEN", default_value = "127.0.0.1:9494", value_parser = parse_listen)]
    listen: SocketAddr,
    /// When a write is acknowledged: once the disk has it (always), or before, with a sync every
    /// so often (interval, see --wal-sync-interval) or when the system likes (never).
    #[arg(long, env = "SILVERBACK_WAL_SYNC", default_value = "always")]
    wal_sync: SyncMode,
    /// How often the WAL is synced with --wal-sync interval.
    #[arg(long, env = "SILVERBACK_WAL_SYNC_INTERVAL", default_value = "1s", value_parser = parse_positive)]
    wal_sync_interval: Duration,
    /// Size of the WAL at which what is in memory is written to a segment and the WAL dropped.
    /// Bounds what a restart has to read, and how long it takes.
    #[arg(long, env = "SILVERBACK_WAL_SIZE", default_value = "128MiB", value_parser = units::parse_size)]
    wal_size: u64,
    /// How many series are taken between two flushes; further new ones are refused. 0 for no
    /// limit.
    #[arg(long, env = "SILVERBACK_MAX_SERIES", default_value = "0")]
    max_series: u64,
    /// The same of each metric name. 0 for no limit.
    #[arg(long, env = "SILVERBACK_MAX_SERIES_PER_METRIC", default_value = "0")]
    max_series_per_metric: u64,
    /// How long samples are kept; 0 keeps everything.
    #[arg(long, env = "SILVERBACK_RETENTION_TIME", default_value = "30d", value_parser = units::parse_duration)]
    retention_time: Duration,
    /// How far in the future a sample may lie; 0 takes any.
    #[arg(long, env = "SILVERBACK_MAX_FUTURE", default_value = "10m", value_parser = units::parse_duration)]
    max_future: Duration,
    /// How often the server stores its own metrics; 0 for never.
    #[arg(long, env = "SILVERBACK_SELF_SCRAPE_INTERVAL", default_value = "15s", value_parser = units::parse_duration)]
    self_scrape_interval: Duration,
    /// Experimental parts to enable, by Prometheus's names, separated by commas:
    /// promql-experimental-functions, promql-extended-range-selectors,
    /// promql-binop-fill-modifiers, promql-delayed-name-removal, type-and-unit-labels.
    #[arg(long, env = "SILVERBACK_ENABLE_FEATURE", value_delimiter = ',')]
    enable_feature: Vec<String>,
    /// How much memory all queries together may use: a query that needs more fails.
    #[arg(long, env = "SILVERBACK_QUERY_MAX_BYTES", default_value = "1GiB", value_parser = units::parse_size)]
    query_max_bytes: u64,
    /// How many samples a query may hold in memory.
    #[arg(
        long,
        alias = "query.max-samples",
        env = "SILVERBACK_QUERY_MAX_SAMPLES",
        default_value = "50000000"
    )]
    query_max_samples: u64,
    /// How long a query may take, its wait in the queue included.
    #[arg(long, alias = "query.timeout", env = "SILVERBACK_QUERY_TIMEOUT", default_value = "2m", value_parser = parse_positive)]
    query_timeout: Duration,
    /// How many queries run at once; the others wait in a queue.
    #[arg(long, alias = "query.max-concurrency", env = "SILVERBACK_QUERY_CONCURRENCY", default_value = "20", value_parser = parse_concurrency)]
    query_concurrency: usize,
    /// How old a sample may be and still count at a moment.
    #[arg(long, alias = "query.lookback-delta", env = "SILVERBACK_QUERY_LOOKBACK_DELTA", default_value = "5m", value_parser = parse_positive)]
    query_lookback_delta: Duration,
    /// How much memory is for what matchers were found to match in files, so that the next query
    /// need not find it out again. 0 for none.
    #[arg(long, env = "SILVERBACK_MATCHER_CACHE_BYTES", default_value = "32MiB", value_parser = units::parse_size)]
    matcher_cache_bytes: u64,
    /// Serve the endpoints that change or delete data.
    #[arg(long, env = "SILVERBACK_ENABLE_ADMIN_API")]
    enable_admin_api: bool,
    #[command(flatten)]
    write: WriteArgs,
    /// How the log is written to standard error.
    #[arg(long, env = "SILVERBACK_LOG_FORMAT", default_value = "text")]
    log_format: Format,
    /// What is logged: error, warn, info, debug or trace, for parts too (info,silverback=debug).
    #[arg(long, env = "SILVERBACK_LOG_LEVEL", default_value = "info")]
    log_level: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SyncMode {
    Always,
    Interval,
    Never,
}

impl Cli {
    /// The flags of `serve`, whether or not the word was there.
    pub(crate) fn into_serve(self) -> Serve {
        match self.command {
            Some(Command::Serve(serve)) => serve,
            None => self.serve,
        }
    }
}

impl Serve {
    /// How to log.
    pub(crate) fn log_format(&self) -> Format {
        self.log_format
    }

    /// What to log, as a filter of the `tracing-subscriber` crate.
    pub(crate) fn log_level(&self) -> &str {
        &self.log_level
    }

    /// The configuration that the flags ask for.
    pub(crate) fn into_config(self) -> Config {
        let unless_zero = |duration: Duration| (!duration.is_zero()).then_some(duration);
        let mut config = Config {
            data_dir: self.data_dir,
            listen: self.listen,
            wal_sync: match self.wal_sync {
                SyncMode::Always => WalSync::Always,
                SyncMode::Interval => WalSync::Interval(self.wal_sync_interval),
                SyncMode::Never => WalSync::Never,
            },
            wal_bytes_max: self.wal_size,
            series_max: (self.max_series > 0).then_some(self.max_series),
            series_of_metric_max: (self.max_series_per_metric > 0)
                .then_some(self.max_series_per_metric),
            retention: unless_zero(self.retention_time),
            max_future: unless_zero(self.max_future),
            self_scrape_interval: unless_zero(self.self_scrape_interval),
            features: self.enable_feature,
            query_bytes_max: self.query_max_bytes,
            query_samples_max: self.query_max_samples,
            query_timeout: self.query_timeout,
            query_concurrency: self.query_concurrency,
            // The longest duration there is has fewer milliseconds than an i64 counts.
            query_lookback_delta_ms: self.query_lookback_delta.as_millis() as i64,
            matcher_cache_bytes_max: self.matcher_cache_bytes,
            enable_admin_api: self.enable_admin_api,
            ..Config::default()
        };
        self.write.apply(&mut config);
        config
    }
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    // ":9494" is how Prometheus writes "every address".
    let full = match text.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => text.replacen("localhost:", "127.0.0.1:", 1),
    };
    full.parse().map_err(|_| {
        format!("{text:?} is not an address and a port; write it like 127.0.0.1:9494 or :9494")
    })
}

fn parse_positive(text: &str) -> Result<Duration, String> {
    let duration = units::parse_duration(text)?;
    if duration.is_zero() {
        return Err("must be longer than 0".to_owned());
    }
    Ok(duration)
}

/// Queries that may run at once: each may have a thread to itself.
const CONCURRENCY_MAX: usize = 256;

fn parse_concurrency(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| (1..=CONCURRENCY_MAX).contains(count))
        .ok_or_else(|| format!("{text:?} is not a number from 1 to {CONCURRENCY_MAX}"))
}

#[cfg(test)]
pub(super) mod tests {
    use clap::CommandFactory;

    use super::*;

    pub(super) fn config(args: &[&str]) -> Result<Config, clap::Error> {
        let args = std::iter::once("silverback").chain(args.iter().copied());
        Ok(Cli::try_parse_from(args)?.into_serve().into_config())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_flags_give_the_default_configuration() {
        let expected = format!("{:?}", Config::default());
        assert_eq!(format!("{:?}", config(&[]).unwrap()), expected);
        assert_eq!(format!("{:?}", config(&["serve"]).unwrap()), expected);
    }

    #[test]
    fn flags_stand_with_and_without_the_subcommand() {
        for prefix in [&[][..], &["serve"]] {
            let flags = [
                "--data-dir",
                "/x",
                "--listen",
                ":1",
                "--wal-sync",
                "interval",
                "--wal-sync-interval",
                "200ms",
                "--wal-size",
                "1GiB",
                "--max-series-per-metric=3",
                "--retention-time",
                "0",
                "--max-future",
                "1h",
                "--self-scrape-interval",
                "0",
                "--enable-feature",
                "a,b",
                "--enable-feature=c",
                "--matcher-cache-bytes",
                "0",
                "--enable-admin-api",
            ];
            let config = config(&[prefix, &flags].concat()).unwrap();
            assert_eq!(config.data_dir, PathBuf::from("/x"));
            assert_eq!(config.listen.to_string(), "0.0.0.0:1");
            assert_eq!(
                config.wal_sync,
                WalSync::Interval(Duration::from_millis(200))
            );
            assert_eq!(config.wal_bytes_max, 1 << 30);
            assert_eq!(config.series_of_metric_max, Some(3));
            assert_eq!(config.retention, None);
            assert_eq!(config.max_future, Some(Duration::from_secs(3600)));
            assert_eq!(config.self_scrape_interval, None);
            assert_eq!(config.features, ["a", "b", "c"]);
            assert_eq!(config.storage_options().matcher_cache_bytes_max, 0);
            assert!(config.enable_admin_api);
        }
    }

    #[test]
    fn limits_of_queries_have_prometheus_names_too() {
        for names in [
            [
                "--query-max-samples",
                "--query-timeout",
                "--query-concurrency",
                "--query-lookback-delta",
            ],
            [
                "--query.max-samples",
                "--query.timeout",
                "--query.max-concurrency",
                "--query.lookback-delta",
            ],
        ] {
            let values = ["7", "3s", "2", "1m"];
            let flags: Vec<&str> = names
                .into_iter()
                .zip(values)
                .flat_map(|(a, b)| [a, b])
                .collect();
            let config = config(&flags).unwrap();
            assert_eq!(config.query_samples_max, 7);
            assert_eq!(config.query_timeout, Duration::from_secs(3));
            assert_eq!(config.query_concurrency, 2);
            assert_eq!(config.query_lookback_delta_ms, 60_000);
        }
        let config = config(&["--query-max-bytes", "64MiB"]).unwrap();
        assert_eq!(config.query_bytes_max, 64 << 20);
    }

    #[test]
    fn wrong_values_say_what_is_right() {
        for (args, hint) in [
            (["--listen", "9494"], "write it like 127.0.0.1:9494"),
            (["--retention-time", "1 day"], "write it like 30d"),
            (["--wal-size", "lots"], "write it like 256MiB"),
            (
                ["--wal-sync", "sometimes"],
                "possible values: always, interval, never",
            ),
            (["--wal-sync-interval", "0"], "must be longer than 0"),
            (
                ["--query-concurrency", "0"],
                "is not a number from 1 to 256",
            ),
            (["--query-timeout", "0"], "must be longer than 0"),
        ] {
            let error = config(&args).unwrap_err();
            assert!(error.to_string().contains(hint), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
