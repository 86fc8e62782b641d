//! Real senders push all kinds that they know, by every form of the protocol that they have, and
//! what Silverback holds then is what they sent.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;
use silverback_storage::model::{HistogramCounts, Value};
use silverback_storage::{Db, MatchOp, Matcher, Options, TimeRange};
use silverback_tests::api::{Api, Data};
use silverback_tests::exporter::Exporter;
use silverback_tests::peers::{Prometheus, PrometheusConfig, Sends};
use silverback_tests::server::Server;
use silverback_tests::vmagent::VmAgent;
use silverback_tests::{Error, Result};

/// How many scrapes make a test.
const SCRAPES: u64 = 12;
/// How long that, and the sending of it, may take.
const WAIT_MAX: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Series of native histograms: Prometheus's own, exponential, and the exporter's, with custom
/// bounds.
const EXPONENTIAL: &str = "prometheus_http_request_duration_seconds";
const CUSTOM: &str = "exporter_seconds";

#[test]
#[ignore = "needs peers: scripts/peers.sh target/peers, then SILVERBACK_PEERS=target/peers"]
fn prometheus_sends_all_kinds_by_1_0() -> Result<()> {
    prometheus(Sends::AllV1)
}

#[test]
#[ignore = "needs peers: scripts/peers.sh target/peers, then SILVERBACK_PEERS=target/peers"]
fn prometheus_sends_all_kinds_by_2_0() -> Result<()> {
    prometheus(Sends::AllV2)
}

fn prometheus(sends: Sends) -> Result<()> {
    let mut server = Server::start()?;
    let exporter = Exporter::start()?;
    let prometheus = Prometheus::start(&PrometheusConfig {
        scrape: vec![("exporter".to_owned(), exporter.address())],
        remote_write: Some(format!("{}/api/v1/write", server.url())),
        sends,
    })?;
    // Its sender leaves out what was scraped before it had started itself.
    let start_ms = now_ms() + 2000;
    wait(|| Ok((exporter.scrapes() >= SCRAPES).then_some(())))?;
    let window = Window {
        start_ms,
        end_ms: now_ms(),
    };
    // What was scraped by then is in it a second later.
    sleep(Duration::from_secs(2));
    let api = prometheus.api();
    let expected = exemplars(&api, window)?;
    assert!(expected.len() >= 10, "{expected:?}");
    let stored = wait(|| Ok(Some(exemplars(&server.api(), window)?).filter(|it| *it == expected)));
    stored.map_err(|error| {
        let stored = exemplars(&server.api(), window);
        Error::about(error, format_args!("expected {expected:?}, got {stored:?}"))
    })?;
    compare_metadata(&server.api(), sends)?;
    let floats = |api: &Api| {
        ranges(
            api,
            "{job=\"exporter\",__name__!~\"scrape.*|exporter_seconds\"}",
            window,
        )
    };
    let (expected, stored) = (floats(&api)?, floats(&server.api())?);
    assert_eq!(stored, expected);

    let names: &[&str] = match sends {
        Sends::AllV2 => &[EXPONENTIAL, CUSTOM],
        _ => &[EXPONENTIAL],
    };
    let mut expected = BTreeMap::new();
    for name in names {
        let found = told_histograms(&api, name, window)?;
        assert!(!found.is_empty(), "{name}");
        expected.extend(found);
    }
    server.stop()?;
    let mut stored = BTreeMap::new();
    let db = told(Db::open(server.data_dir(), Options::default()))?;
    for name in names {
        stored.extend(stored_histograms(&db, name, window)?);
    }
    assert_eq!(stored, expected);
    Ok(())
}

#[test]
#[ignore = "needs peers: scripts/peers.sh target/peers, then SILVERBACK_PEERS=target/peers"]
fn vmagent_sends_zstd() -> Result<()> {
    let server = Server::start()?;
    let exporter = Exporter::start()?;
    let url = format!("{}/api/v1/write", server.url());
    let agent = VmAgent::start("exporter", &exporter.address(), &url)?;
    // It says so once, when it has been told to do without zstd.
    let is_downgraded = || agent.log_tail().contains("owngrading protocol");
    let hits = wait(|| {
        let range = Window {
            start_ms: now_ms() - 60_000,
            end_ms: now_ms(),
        };
        let found = ranges(&server.api(), "exporter_hits_total", range)?;
        let points = found.into_values().next().unwrap_or_default();
        Ok((points.len() as u64 >= SCRAPES).then_some(points))
    });
    let hits = hits.map_err(|error| Error::about(error, agent.log_tail()))?;
    // Each scrape found one more, so none was lost, and none came twice.
    let values: Vec<u64> = hits
        .iter()
        .map(|(_, value)| value.parse().unwrap())
        .collect();
    let expected: Vec<u64> = (values[0]..).take(values.len()).collect();
    assert_eq!(values, expected);
    assert!(values[0] <= 2, "{values:?}");
    assert!(!is_downgraded(), "{}", agent.log_tail());
    let metrics = server.api().get("/metrics", &[])?.body;
    let zstd = "silverback_remote_write_received_total{compression=\"zstd\",version=\"1.0\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(zstd));
    assert!(count.is_some_and(|count| count != "0"), "{metrics}");
    Ok(())
}

#[derive(Clone, Copy)]
struct Window {
    start_ms: i64,
    end_ms: i64,
}

impl Window {
    fn contains(self, timestamp_ms: i64) -> bool {
        (self.start_ms..=self.end_ms).contains(&timestamp_ms)
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

fn told<T, E: std::fmt::Display>(result: std::result::Result<T, E>) -> Result<T> {
    result.map_err(|error| Error::new(error.to_string()))
}

/// Asks until there is an answer.
fn wait<T>(mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(Error::new(format!("nothing after {WAIT_MAX:?}")));
        }
        sleep(POLL_INTERVAL);
    }
}

fn json(api: &Api, path: &str, params: &[(&str, &str)]) -> Result<Json> {
    let reply = api.get(path, params)?;
    let mut json: Json = told(serde_json::from_str(&reply.body))?;
    match json["status"] == "success" {
        true => Ok(json["data"].take()),
        false => Err(Error::about(path, reply.body)),
    }
}

/// The exemplars of the exporter's series in the window, as their JSON: series, then exemplar.
fn exemplars(api: &Api, window: Window) -> Result<BTreeSet<(String, String)>> {
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let params = [
        ("query", "{job=\"exporter\"}"),
        ("start", &seconds(window.start_ms)),
        ("end", &seconds(window.end_ms)),
    ];
    let found = json(api, "/api/v1/query_exemplars", &params)?;
    let mut all = BTreeSet::new();
    for series in found.as_array().into_iter().flatten() {
        for exemplar in series["exemplars"].as_array().into_iter().flatten() {
            all.insert((series["seriesLabels"].to_string(), exemplar.to_string()));
        }
    }
    Ok(all)
}

/// The types and texts of the exporter, and of one metric of Prometheus's own, are there.
fn compare_metadata(api: &Api, sends: Sends) -> Result<()> {
    // 1.0 names the family as it was declared, 2.0 the metric.
    let counter = match sends {
        Sends::AllV2 => "exporter_hits_total",
        _ => "exporter_hits",
    };
    for (family, metric_type, unit, help) in [
        (counter, "counter", "", "Hits, \"counted\"."),
        (
            "exporter_seconds",
            "histogram",
            "seconds",
            "How long a hit took.",
        ),
        ("exporter_level", "gauge", "", "A level."),
    ] {
        let ask = || {
            let said = json(api, "/api/v1/metadata", &[("metric", family)])?;
            Ok(said.get(family).cloned())
        };
        let said = wait(ask).map_err(|error| Error::about(family, error))?;
        let expected = serde_json::json!([{"type": metric_type, "unit": unit, "help": help}]);
        assert_eq!(said, expected, "{family}");
    }
    Ok(())
}

/// Floats of a selector in the window by labels, as texts.
fn ranges(
    api: &Api,
    selector: &str,
    window: Window,
) -> Result<BTreeMap<String, Vec<(i64, String)>>> {
    let range_ms = window.end_ms - window.start_ms;
    let Data::Matrix(found) = api.query(&format!("{selector}[{range_ms}ms]"), window.end_ms)?
    else {
        return Err(Error::new("no matrix"));
    };
    let series = found.into_iter().map(|series| {
        let points = series.points.into_iter();
        let points = points.map(|point| (point.timestamp_ms, point.value));
        (format!("{:?}", series.labels), points.collect())
    });
    // A series of histograms alone has no floats to compare.
    let series = series.filter(|(_, points): &(String, Vec<_>)| !points.is_empty());
    Ok(series.collect())
}

/// A histogram as it can be compared across formats: its count, its sum and its buckets' counts
/// that are not zero, in order.
type Histograms = BTreeMap<(String, i64), (f64, f64, Vec<f64>)>;

/// What Prometheus answers of native histograms.
fn told_histograms(api: &Api, name: &str, window: Window) -> Result<Histograms> {
    let range_ms = window.end_ms - window.start_ms;
    let (query, time) = (
        format!("{name}[{range_ms}ms]"),
        window.end_ms as f64 / 1000.0,
    );
    let params = [("query", query.as_str()), ("time", &time.to_string())];
    let found = json(api, "/api/v1/query", &params)?;
    let number = |text: &Json| text.as_str().and_then(|text| text.parse::<f64>().ok());
    let mut all = Histograms::new();
    for series in found["result"].as_array().into_iter().flatten() {
        let labels: BTreeMap<String, String> =
            told(serde_json::from_value(series["metric"].clone()))?;
        for point in series["histograms"].as_array().into_iter().flatten() {
            let timestamp_ms = (point[0].as_f64().unwrap_or_default() * 1000.0).round() as i64;
            let histogram = &point[1];
            let buckets = histogram["buckets"].as_array().into_iter().flatten();
            let counts = buckets.filter_map(|bucket| number(&bucket[3])).collect();
            let (count, sum) = (number(&histogram["count"]), number(&histogram["sum"]));
            let (Some(count), Some(sum)) = (count, sum) else {
                return Err(Error::about("no histogram", point));
            };
            all.insert((format!("{labels:?}"), timestamp_ms), (count, sum, counts));
        }
    }
    Ok(all)
}

/// What the database holds of them.
fn stored_histograms(db: &Db, name: &str, window: Window) -> Result<Histograms> {
    let view = db.view();
    let matcher = told(Matcher::new(MatchOp::Equal, "__name__", name))?;
    let selection = told(view.select(&[matcher], TimeRange::ALL))?;
    let mut all = Histograms::new();
    for place in 0..selection.len() {
        let labels = selection.labels(place);
        let labels: BTreeMap<&str, &str> = labels.iter().collect();
        let mut points = Vec::new();
        told(selection.points(place, &mut points))?;
        for point in points {
            let Value::Histogram(histogram) = point.value else {
                continue;
            };
            let in_window = window.contains(point.timestamp_ms);
            if in_window && !histogram.is_stale() {
                let key = (format!("{labels:?}"), point.timestamp_ms);
                all.insert(key, comparable(&histogram.counts, histogram.sum));
            }
        }
    }
    Ok(all)
}

fn comparable(counts: &HistogramCounts, sum: f64) -> (f64, f64, Vec<f64>) {
    let absolute = |deltas: &[i64]| {
        let running = deltas.iter().scan(0, |sum, delta| {
            *sum += delta;
            Some(*sum as f64)
        });
        running.collect::<Vec<f64>>()
    };
    let (count, zero, positive, mut negative) = match counts {
        HistogramCounts::Integer {
            count,
            zero_count,
            positive_deltas,
            negative_deltas,
        } => (
            *count as f64,
            *zero_count as f64,
            absolute(positive_deltas),
            absolute(negative_deltas),
        ),
        HistogramCounts::Float {
            count,
            zero_count,
            positive,
            negative,
        } => (*count, *zero_count, positive.clone(), negative.clone()),
    };
    negative.reverse();
    let all = negative.into_iter().chain([zero]).chain(positive);
    (count, sum, all.filter(|count| *count != 0.0).collect())
}
