//! Flags that bound what remote write takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse_positive;
use crate::config::{Config, HaConfig, LabelLimits, SizeLimits};
use crate::units;

/// The largest size that a flag may set for a request, in bytes.
const REQUEST_BYTES_MAX: u64 = 1 << 30;

/// Limits of remote write.
#[derive(Debug, Args)]
pub(super) struct WriteArgs {
    /// Largest remote-write request as it comes over the wire; larger ones are answered with 413.
    #[arg(long, env = "SILVERBACK_REMOTE_WRITE_MAX_BODY_SIZE", default_value = "32MiB", value_parser = parse_request_size)]
    remote_write_max_body_size: usize,
    /// Largest remote-write request once it is decompressed; larger ones are answered with 413.
    #[arg(long, env = "SILVERBACK_REMOTE_WRITE_MAX_DECODED_SIZE", default_value = "32MiB", value_parser = parse_request_size)]
    remote_write_max_decoded_size: usize,
    /// Memory for all requests in flight, once for their bodies and once for what is made of
    /// them; beyond it requests are answered with 503, to be sent again.
    #[arg(long, env = "SILVERBACK_REMOTE_WRITE_MAX_IN_FLIGHT", default_value = "256MiB", value_parser = parse_memory_size)]
    remote_write_max_in_flight: usize,
    /// How long a client may take to send the body of a request.
    #[arg(long, env = "SILVERBACK_REMOTE_WRITE_BODY_TIMEOUT", default_value = "30s", value_parser = parse_positive)]
    remote_write_body_timeout: Duration,
    /// How many labels a series may have; samples of others are refused.
    #[arg(long, env = "SILVERBACK_MAX_LABELS_PER_SERIES", default_value = "256", value_parser = parse_count)]
    max_labels_per_series: usize,
    /// How many bytes a label name may have.
    #[arg(long, env = "SILVERBACK_MAX_LABEL_NAME_LENGTH", default_value = "1KiB", value_parser = parse_request_size)]
    max_label_name_length: usize,
    /// How many bytes a label value may have, and the help text of a metric.
    #[arg(long, env = "SILVERBACK_MAX_LABEL_VALUE_LENGTH", default_value = "16KiB", value_parser = parse_request_size)]
    max_label_value_length: usize,
    /// YAML file of rules that change or drop series as they are written, as under Prometheus's
    /// write_relabel_configs.
    #[arg(long, env = "SILVERBACK_RELABEL_CONFIG")]
    relabel_config: Option<PathBuf>,
    /// Label that names one of two senders that send the same (Mimir: __replica__). With it one
    /// replica of each cluster is taken, and the label is taken off.
    #[arg(long, env = "SILVERBACK_HA_REPLICA_LABEL", value_parser = parse_label)]
    ha_replica_label: Option<String>,
    /// Label that names the pair, with --ha-replica-label.
    #[arg(long, env = "SILVERBACK_HA_CLUSTER_LABEL", default_value = "cluster", value_parser = parse_label)]
    ha_cluster_label: String,
    /// How long the replica that is taken may be silent before another one is.
    #[arg(long, env = "SILVERBACK_HA_FAILOVER_TIMEOUT", default_value = "30s", value_parser = parse_positive)]
    ha_failover_timeout: Duration,
    /// How many clusters there may be; samples of further ones are refused.
    #[arg(long, env = "SILVERBACK_HA_MAX_CLUSTERS", default_value = "100", value_parser = parse_count)]
    ha_max_clusters: usize,
    /// How many connections are open at once; beyond it the one that has waited longest for its
    /// client is closed.
    #[arg(long, env = "SILVERBACK_MAX_CONNECTIONS", default_value = "1024", value_parser = parse_count)]
    max_connections: usize,
    /// How long a client may take to send the headers of a request, and how long a connection may
    /// be idle.
    #[arg(long, env = "SILVERBACK_HTTP_IDLE_TIMEOUT", default_value = "60s", value_parser = parse_positive)]
    http_idle_timeout: Duration,
}

impl WriteArgs {
    /// Sets what these flags say.
    pub(super) fn apply(self, config: &mut Config) {
        config.sizes = self.sizes();
        config.labels = self.labels();
        config.connections_max = self.max_connections;
        config.idle_timeout = self.http_idle_timeout;
        config.relabel_config = self.relabel_config;
        let (failover_timeout, clusters_max) = (self.ha_failover_timeout, self.ha_max_clusters);
        let cluster_label = self.ha_cluster_label;
        config.ha = self.ha_replica_label.map(|replica_label| HaConfig {
            cluster_label,
            replica_label,
            failover_timeout,
            clusters_max,
        });
    }

    fn sizes(&self) -> SizeLimits {
        SizeLimits {
            body_bytes_max: self.remote_write_max_body_size,
            decoded_bytes_max: self.remote_write_max_decoded_size,
            in_flight_bytes_max: self.remote_write_max_in_flight,
            body_deadline: self.remote_write_body_timeout,
        }
    }

    fn labels(&self) -> LabelLimits {
        LabelLimits {
            labels_max: self.max_labels_per_series,
            name_bytes_max: self.max_label_name_length,
            value_bytes_max: self.max_label_value_length,
        }
    }
}

/// A size of what one request holds.
fn parse_request_size(text: &str) -> Result<usize, String> {
    let bytes = units::parse_size(text)?;
    if !(1..=REQUEST_BYTES_MAX).contains(&bytes) {
        return Err("must be at least 1 byte and at most 1GiB".to_owned());
    }
    usize::try_from(bytes).map_err(|error| error.to_string())
}

fn parse_memory_size(text: &str) -> Result<usize, String> {
    usize::try_from(units::parse_size(text)?).map_err(|error| error.to_string())
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a whole number, 1 at least".to_owned()),
        Ok(count) => Ok(count),
    }
}

fn parse_label(text: &str) -> Result<String, String> {
    match text {
        "" | "__name__" => Err(format!("{text:?} cannot be this label")),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;
    use super::*;

    #[test]
    fn every_flag_sets_its_limit() {
        let flags = [
            "--remote-write-max-body-size=1MiB",
            "--remote-write-max-decoded-size=2MiB",
            "--remote-write-max-in-flight=3MiB",
            "--remote-write-body-timeout=4s",
            "--max-labels-per-series=5",
            "--max-label-name-length=6",
            "--max-label-value-length=7KiB",
            "--relabel-config=r.yml",
            "--ha-replica-label=r",
            "--ha-cluster-label=c",
            "--ha-failover-timeout=8s",
            "--ha-max-clusters=9",
            "--max-connections=10",
            "--http-idle-timeout=11s",
        ];
        let config = config(&flags).unwrap();
        let sizes = SizeLimits {
            body_bytes_max: 1 << 20,
            decoded_bytes_max: 2 << 20,
            in_flight_bytes_max: 3 << 20,
            body_deadline: Duration::from_secs(4),
        };
        assert_eq!(config.sizes, sizes);
        let labels = LabelLimits {
            labels_max: 5,
            name_bytes_max: 6,
            value_bytes_max: 7 << 10,
        };
        assert_eq!(config.labels, labels);
        assert_eq!(config.relabel_config, Some(PathBuf::from("r.yml")));
        let ha = HaConfig {
            cluster_label: "c".to_owned(),
            replica_label: "r".to_owned(),
            failover_timeout: Duration::from_secs(8),
            clusters_max: 9,
        };
        assert_eq!(config.ha, Some(ha));
        assert_eq!(config.connections_max, 10);
        assert_eq!(config.idle_timeout, Duration::from_secs(11));
    }

    #[test]
    fn wrong_values_say_what_is_right() {
        for (args, hint) in [
            (["--max-labels-per-series", "0"], "1 at least"),
            (["--ha-replica-label", "__name__"], "cannot be this label"),
            (["--remote-write-max-body-size", "2GiB"], "at most 1GiB"),
            (["--remote-write-body-timeout", "0"], "longer than 0"),
        ] {
            let error = config(&args).unwrap_err();
            assert!(error.to_string().contains(hint), "{error}");
        }
    }
}
