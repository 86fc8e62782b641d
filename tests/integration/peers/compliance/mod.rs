//! Queries over the series of a demo service, asked of a real Prometheus and of Silverback,
//! which were written the same: the public compliance queries, where they lie beside the
//! project, and a set of our own that has every function, operator and aggregation.
//!
//! Series, labels, timestamps and errors must be the same. Values may differ by 1e-12 at most,
//! where the libraries that compute them do; how many do, and by how much, is printed.

mod asked;
mod demo;
mod queries;

use std::io::Write;
use std::path::{Path, PathBuf};

use silverback_query::functions::signatures;
use silverback_tests::Result;
use silverback_tests::api::Api;
use silverback_tests::peers::{Prometheus, PrometheusConfig};
use silverback_tests::remote_write;
use silverback_tests::server::Server;

use asked::{Outcome, ask};
use queries::Query;

/// How many there are of the public ones.
const COMPLIANCE_QUERIES: usize = 539;

/// Public queries that Prometheus refused when they were written: since 3.0 any UTF-8 is a
/// label's name.
const NO_LONGER_REFUSED: [&str; 2] = [
    r#"label_replace(demo_num_cpus, "~invalid", "", "src", "(.*)")"#,
    r#"label_join(demo_num_cpus, "~invalid", "-", "instance")"#,
];

/// Functions that our own queries leave out: they came after the peer's version, or are of
/// native histograms alone.
const LATER: [&str; 15] = [
    "end",
    "first_over_time",
    "histogram_avg",
    "histogram_count",
    "histogram_quantiles",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_sum",
    "max_of",
    "min_of",
    "range",
    "start",
    "start_timestamp",
    "step",
    "ts_of_first_over_time",
];

/// Two servers with the same in them.
struct Pair {
    prometheus: Prometheus,
    silverback: Server,
}

impl Pair {
    fn start() -> Result<Self> {
        let features = "--enable-feature=promql-experimental-functions";
        let config = PrometheusConfig::default();
        let prometheus = Prometheus::start_with(&config, &[features])?;
        // What is written is years old, and lost with the test.
        let args = ["--retention-time", "0", "--wal-sync", "never", features];
        let silverback = Server::start_with(&args)?;
        let pair = Self {
            prometheus,
            silverback,
        };
        for request in demo::requests() {
            let body = remote_write::compress(&remote_write::encode(&request))?;
            for api in pair.apis() {
                let reply = api.post("/api/v1/write", &remote_write::HEADERS, &body)?;
                assert_eq!(reply.status, 204, "{}", reply.body);
            }
        }
        Ok(pair)
    }

    fn apis(&self) -> [Api; 2] {
        [self.prometheus.api(), self.silverback.api()]
    }

    /// Asks all, prints how it went, and fails where anything differs.
    fn check(&self, queries: &[Query]) -> Result<()> {
        let [prometheus, silverback] = self.apis();
        let (mut passed, mut total) = (0, Outcome::default());
        for query in queries {
            let outcome = ask(query, &prometheus, &silverback)?;
            if outcome.close > 0 {
                println!(
                    "close: {} of {} points, by {:.1e} at most: {}",
                    outcome.close,
                    outcome.close + outcome.exact,
                    outcome.distance_max,
                    query.expr
                );
            }
            for wrong in &outcome.wrong {
                println!("WRONG: {}: {wrong}", query.expr);
            }
            passed += usize::from(outcome.wrong.is_empty());
            total.exact += outcome.exact;
            total.close += outcome.close;
        }
        println!(
            "{passed} of {} queries agree; {} points the same, {} close",
            queries.len(),
            total.exact,
            total.close
        );
        assert_eq!(passed, queries.len());
        Ok(())
    }
}

/// A file beside the project: no part of it, so it may be missing.
fn shared(name: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("SILVERBACK_PROMQL_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/promql"),
    };
    let path = folder.join(name);
    if path.is_file() {
        return Some(path);
    }
    let said = writeln!(
        std::io::stderr(),
        "\n!!! SKIPPED: no {}; SILVERBACK_PROMQL_DIR names its folder !!!\n",
        path.display()
    );
    said.ok().and(None)
}

#[test]
#[ignore = "needs peers: scripts/peers.sh target/peers, then SILVERBACK_PEERS=target/peers"]
fn the_compliance_queries_are_answered_as_prometheus_does() -> Result<()> {
    let Some(path) = shared("compliance_queries.yml") else {
        return Ok(());
    };
    let mut queries = queries::compliance(&std::fs::read_to_string(path)?)?;
    assert_eq!(queries.len(), COMPLIANCE_QUERIES);
    for expr in NO_LONGER_REFUSED {
        let query = queries.iter_mut().find(|query| query.expr == expr);
        query.unwrap().fails = false;
    }
    Pair::start()?.check(&queries)
}

/// The queries of `tests/promql/peers`.
fn own() -> Result<Vec<Query>> {
    queries::own(include_str!("../../../promql/peers/demo.promql"))
}

#[test]
#[ignore = "needs peers: scripts/peers.sh target/peers, then SILVERBACK_PEERS=target/peers"]
fn our_own_queries_are_answered_as_prometheus_does() -> Result<()> {
    Pair::start()?.check(&own()?)
}

#[test]
fn our_own_queries_have_every_function_operator_and_aggregation() -> Result<()> {
    let all: Vec<String> = own()?.into_iter().map(|query| query.expr).collect();
    let has = |what: &str| all.iter().any(|expr| expr.contains(what));
    for signature in signatures() {
        let is_there = has(&format!("{}(", signature.name));
        let is_later = LATER.contains(&signature.name);
        // Some of them are also a part of a longer name, or a word of selectors.
        assert!(is_there || is_later, "{} is not asked", signature.name);
    }
    for aggregation in [
        "sum",
        "avg",
        "min",
        "max",
        "count",
        "group",
        "stddev",
        "stdvar",
        "topk",
        "bottomk",
        "quantile",
        "count_values",
        "limitk",
        "limit_ratio",
    ] {
        for part in ["(", " by (", " without ("] {
            let is_plain = ["limitk", "limit_ratio"].contains(&aggregation);
            let is_there = has(&format!("{aggregation}{part}"));
            assert!(is_there || is_plain && part != "(", "{aggregation}{part}");
        }
    }
    for operator in [
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "atan2",
        "==",
        "!=",
        ">",
        "<",
        ">=",
        "<=",
        "and",
        "or",
        "unless",
        "== bool",
        "=~",
        "!~",
        "offset",
        "@",
        "group_left",
        "group_right",
        "ignoring",
    ] {
        assert!(has(&format!(" {operator} ")) || has(operator), "{operator}");
    }
    Ok(())
}
