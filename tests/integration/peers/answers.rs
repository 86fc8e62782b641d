//! The table of answers that Silverback must give, against the program it was taken from.

use silverback_tests::Result;
use silverback_tests::peers::{Prometheus, PrometheusConfig};

use crate::http::answers;

#[test]
#[ignore = "needs peers: scripts/peers.sh target/peers, then SILVERBACK_PEERS=target/peers"]
fn the_table_is_true_of_prometheus() -> Result<()> {
    let prometheus = Prometheus::start(&PrometheusConfig::default())?;
    answers::check(&prometheus.api(), answers::Version::V3_5)
}
