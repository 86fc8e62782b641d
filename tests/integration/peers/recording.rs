//! A minute of real metrics in a real Prometheus and in the store it writes to.

use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use silverback_tests::api::{Api, Data, Range, Series};
use silverback_tests::compare::{self, Count};
use silverback_tests::peers::{NodeExporter, Prometheus, PrometheusConfig};
use silverback_tests::server::Server;
use silverback_tests::{Error, Result};

use super::expressions::Case;

/// How long the store may take to hold what Prometheus holds, once the run has ended.
const DRAIN_MAX: Duration = Duration::from_secs(60);
/// How often that is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The first time of which Prometheus is sure to send everything: its sender leaves out what
/// was scraped before it had started itself.
const WARM_UP: Duration = Duration::from_secs(2);
/// Metric names asked for in one query.
const NAMES_PER_QUERY: usize = 50;

/// A database that takes remote write and answers queries.
pub(super) trait Store {
    fn url(&self) -> String;
    fn log_tail(&self) -> String;
    fn kill(&mut self) -> Result<()>;
    fn restart(&mut self) -> Result<()>;
}

impl Store for Server {
    fn url(&self) -> String {
        self.url()
    }
    fn log_tail(&self) -> String {
        self.log_tail()
    }
    fn kill(&mut self) -> Result<()> {
        self.kill()
    }
    fn restart(&mut self) -> Result<()> {
        self.restart()
    }
}

impl Store for Prometheus {
    fn url(&self) -> String {
        self.url()
    }
    fn log_tail(&self) -> String {
        self.log_tail()
    }
    fn kill(&mut self) -> Result<()> {
        self.kill()
    }
    fn restart(&mut self) -> Result<()> {
        self.restart()
    }
}

/// What happens while Prometheus scrapes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    KillStore,
    StartStore,
    KillExporter,
    StartExporter,
    /// The window that is compared ends here.
    End,
}

/// A Prometheus and the window of its samples that is compared.
pub(super) struct Recording {
    prometheus: Prometheus,
    start_ms: i64,
    end_ms: i64,
    // Goes on running, so that the end of the window is nothing special to Prometheus.
    _exporter: NodeExporter,
}

impl Recording {
    /// Scrapes a node exporter and Prometheus itself, each second, into Prometheus and on into
    /// `store`, while the events of `plan` happen at their times.
    pub(super) fn make(store: &mut dyn Store, plan: &[(Duration, Event)]) -> Result<Self> {
        let mut exporter = NodeExporter::start()?;
        let prometheus = Prometheus::start(&PrometheusConfig {
            scrape: vec![("node".to_owned(), exporter.address())],
            remote_write: Some(format!("{}/api/v1/write", store.url())),
            ..PrometheusConfig::default()
        })?;
        let began = Instant::now();
        let start_ms = now_ms() + WARM_UP.as_millis() as i64;
        for (at, event) in plan {
            sleep(at.saturating_sub(began.elapsed()));
            match event {
                Event::KillStore => store.kill()?,
                Event::StartStore => store.restart()?,
                Event::KillExporter => exporter.kill()?,
                Event::StartExporter => exporter.restart()?,
                Event::End => {}
            }
        }
        let recording = Self {
            prometheus,
            start_ms,
            end_ms: now_ms(),
            _exporter: exporter,
        };
        recording.wait_for_end()?;
        Ok(recording)
    }

    /// A time in the middle of the window, in seconds since the Unix epoch.
    pub(super) fn middle_s(&self) -> i64 {
        self.start_ms.midpoint(self.end_ms) / 1000
    }

    /// Compares all raw samples of the window, waiting for the last of them to arrive.
    pub(super) fn compare_raw(&self, store: &dyn Store) -> Result<Count> {
        let expected = self.all_series(&self.prometheus.api(), |api, selector| {
            self.raw(api, selector)
        })?;
        let api = Api::new(&store.url());
        let deadline = Instant::now() + DRAIN_MAX;
        loop {
            let compared = self
                .all_series(&api, |api, selector| self.raw(api, selector))
                .and_then(|actual| compare::raw(&expected, &actual));
            match compared {
                Ok(count) => return Ok(count),
                Err(error) if Instant::now() > deadline => {
                    let log = store.log_tail();
                    let what = format!("raw samples differ after {DRAIN_MAX:?}");
                    return Err(Error::about(
                        what,
                        format!("{error}\n--- store's log ---\n{log}"),
                    ));
                }
                Err(_) => sleep(POLL_INTERVAL),
            }
        }
    }

    /// Compares which series are there at each second, and with which value. A stale marker
    /// that is lost or moved shows: its series would stay for five minutes.
    pub(super) fn compare_presence(&self, store: &dyn Store) -> Result<Count> {
        let range = Range {
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            step_ms: 1000,
        };
        let ask = |api: &Api, selector: &str| match api.query_range(selector, range)? {
            Data::Matrix(series) => Ok(series),
            other => Err(Error::new(format!("no matrix: {other:?}"))),
        };
        let expected = self.all_series(&self.prometheus.api(), ask)?;
        let actual = self.all_series(&Api::new(&store.url()), ask)?;
        compare::raw(&expected, &actual)
    }

    /// Finds the first scrape of the node exporter that failed, where Prometheus wrote a stale
    /// marker into each of its series, and looks at the millisecond before it and at it.
    pub(super) fn compare_stale_markers(&self, store: &dyn Store) -> Result<()> {
        let prometheus = self.prometheus.api();
        let up = self.raw(&prometheus, r#"up{job="node"}"#)?;
        let mut points = up.iter().flat_map(|series| &series.points);
        let marker_ms = points
            .find(|point| point.value == "0")
            .ok_or_else(|| Error::new("no scrape of the node exporter failed"))?
            .timestamp_ms;
        let selector = r#"{__name__=~"node_.+"}"#;
        let store = Api::new(&store.url());
        for (time_ms, there) in [(marker_ms - 1, true), (marker_ms, false)] {
            let expected = prometheus.query(selector, time_ms)?;
            let count = compare::answers(
                &expected,
                &store.query(selector, time_ms)?,
                compare::Ties::No,
            )?;
            assert_eq!(count.series > 100, there, "{count:?} at {time_ms}");
        }
        Ok(())
    }

    /// Compares an expression over the window and at its end. It starts late enough that what
    /// an expression looks back on lies within the window too.
    pub(super) fn compare_expression(&self, store: &dyn Store, case: &Case) -> Result<Count> {
        let range = Range {
            start_ms: self.start_ms + Case::REACH_MAX.as_millis() as i64,
            end_ms: self.end_ms,
            // Not a multiple of the scrape interval: each step falls elsewhere between scrapes.
            step_ms: 1700,
        };
        let (prometheus, store) = (self.prometheus.api(), Api::new(&store.url()));
        let ask = |api: &Api| -> Result<[Data; 2]> {
            Ok([
                api.query_range(&case.expr, range)?,
                api.query(&case.expr, range.end_ms)?,
            ])
        };
        let (expected, actual) = (ask(&prometheus)?, ask(&store)?);
        let mut count = Count::default();
        for (want, got) in expected.iter().zip(&actual) {
            count += compare::answers(want, got, case.ties)
                .map_err(|error| Error::about(&case.expr, error))?;
        }
        Ok(count)
    }

    /// Waits until every target has been scraped after the end of the window. Scrapes of a
    /// target follow one another, so all before the end are in Prometheus then.
    fn wait_for_end(&self) -> Result<()> {
        let api = self.prometheus.api();
        let deadline = Instant::now() + DRAIN_MAX;
        loop {
            let after = format!("count(timestamp(up) > {}.0)", self.end_ms / 1000 + 1);
            if let Data::Vector(series) = api.query(&after, now_ms())?
                && series.iter().any(|one| one.points[0].value == "2")
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                let log = self.prometheus.log_tail();
                return Err(Error::about("Prometheus stopped scraping", log));
            }
            sleep(POLL_INTERVAL);
        }
    }

    /// Asks for the series of every metric that the server has in the window, some metrics at
    /// a time.
    fn all_series(
        &self,
        api: &Api,
        ask: impl Fn(&Api, &str) -> Result<Vec<Series>>,
    ) -> Result<Vec<Series>> {
        let names = api.label_values("__name__", self.start_ms, self.end_ms)?;
        let plain = |name: &String| name.chars().all(|c| c.is_alphanumeric() || c == '_');
        assert!(names.iter().all(plain), "names to be quoted: {names:?}");
        let mut all = Vec::new();
        for chunk in names.chunks(NAMES_PER_QUERY) {
            let selector = format!(r#"{{__name__=~"{}"}}"#, chunk.join("|"));
            all.extend(ask(api, &selector)?);
        }
        Ok(all)
    }

    fn raw(&self, api: &Api, selector: &str) -> Result<Vec<Series>> {
        let window_ms = self.end_ms - self.start_ms;
        match api.query(&format!("{selector}[{window_ms}ms]"), self.end_ms)? {
            Data::Matrix(series) => Ok(series),
            other => Err(Error::new(format!("no matrix: {other:?}"))),
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
