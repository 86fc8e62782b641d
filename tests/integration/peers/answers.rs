//! The table of answers that Silverback must give, against the program it was taken from.

use silverback_tests::Result;
use silverback_tests::peers::{Prometheus, PrometheusConfig};

use crate::http::answers;

#[test]
#[ignore = "needs peers: scripts/peers.sh target/peers, then SILVERBACK_PEERS=target/peers"]
fn the_table_is_true_of_prometheus() -> Result<()> {
    answers::check(&Prometheus::start(&PrometheusConfig::default())?.api())
}
