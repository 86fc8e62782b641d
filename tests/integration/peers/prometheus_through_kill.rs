//! A real Prometheus sends what it scrapes to Silverback, which is killed in the middle, twice.
//! In the end both hold the same samples, and answer the same.

use std::time::Duration;

use silverback_tests::Result;
use silverback_tests::peers::{Prometheus, PrometheusConfig};
use silverback_tests::server::Server;

use super::expressions;
use super::recording::{Event, Recording, Store};

#[test]
#[ignore = "needs peers: scripts/peers.sh target/peers, then SILVERBACK_PEERS=target/peers"]
fn silverback_holds_and_answers_what_prometheus_does() -> Result<()> {
    let at = Duration::from_secs;
    // Once down for a moment, once long enough that the sender backs off; and a target that
    // goes and comes back, for stale markers and counter resets.
    let plan = [
        (at(14), Event::KillStore),
        (at(14), Event::StartStore),
        (at(24), Event::KillExporter),
        (at(33), Event::StartExporter),
        (at(42), Event::KillStore),
        (at(46), Event::StartStore),
        (at(60), Event::End),
    ];
    let mut store = Server::start()?;
    compare(&mut store, &plan)
}

/// The same with a second Prometheus in Silverback's place, without kills: were this to fail,
/// the comparison itself would ask for what is not so.
#[test]
#[ignore = "needs peers: scripts/peers.sh target/peers, then SILVERBACK_PEERS=target/peers"]
fn a_second_prometheus_does_too() -> Result<()> {
    let at = Duration::from_secs;
    let plan = [
        (at(10), Event::KillExporter),
        (at(16), Event::StartExporter),
        (at(40), Event::End),
    ];
    let mut store = Prometheus::start(&PrometheusConfig::default())?;
    compare(&mut store, &plan)
}

fn compare(store: &mut dyn Store, plan: &[(Duration, Event)]) -> Result<()> {
    let recording = Recording::make(store, plan)?;
    let raw = recording.compare_raw(store)?;
    println!("raw samples: {raw:?}");
    // A second of every series at least, or there was nothing to compare.
    assert!(raw.series > 1000 && raw.points > 10 * raw.series, "{raw:?}");
    let shown = recording.compare_presence(store)?;
    println!("presence: {shown:?}");
    recording.compare_stale_markers(store)?;
    for case in expressions::all(&recording) {
        let count = recording.compare_expression(store, &case)?;
        println!("{}: {count:?}", case.expr);
        assert!(count.points > 0, "{} answers nothing", case.expr);
    }
    Ok(())
}
