//! The series that the compliance queries ask for: three instances of a demo service, scraped
//! every five seconds for an hour and three quarters, one of them down for a while, one
//! restarted. The same at each run.

use silverback_tests::remote_write::TimeSeries;

/// The first scrape, in milliseconds: a time of no meaning, late in a leap year's February so
/// that date functions see a month end.
pub(super) const START_MS: i64 = 1_709_162_100_000;
/// No scrape after this.
pub(super) const END_MS: i64 = START_MS + 105 * 60_000;
/// From one scrape to the next.
const INTERVAL_MS: i64 = 5_000;
/// When the last instance is down.
pub(super) const DOWN_MS: std::ops::Range<i64> = START_MS + 3_500_000..START_MS + 3_800_000;
/// When the second instance is started anew: its counters begin at 0.
const RESTART_MS: i64 = START_MS + 5_000_000;
/// How much of a request is sent at once.
const REQUEST_MS: i64 = 5 * 60_000;
/// What stands for the end of a series (`model/value` of Prometheus).
const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Upper bounds of the buckets, as texts.
const BOUNDS: [&str; 13] = [
    "0.0001", "0.00025", "0.001", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1",
    "10", "+Inf",
];
/// Requests that the service answers, and how often a second.
const REQUESTS: [(&str, &str, &str, f64); 5] = [
    ("GET", "/api/foo", "200", 60.0),
    ("GET", "/api/foo", "500", 0.4),
    ("GET", "/api/bar", "200", 25.0),
    ("POST", "/api/bar", "200", 3.5),
    ("POST", "/api/bar", "500", 0.0),
];

/// Numbers that look random (splitmix64).
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.roll()
    }
}

/// One instance, and what it has counted.
struct Instance {
    name: String,
    index: i64,
    dice: Dice,
    series: Vec<TimeSeries>,
    /// What the next values of this scrape belong to.
    next: usize,
    cpu_s: [f64; 3],
    shipped: f64,
    batch_ms: i64,
    /// For each kind of request: counts by bucket, not yet cumulative, and the sum.
    requests: Vec<([f64; BOUNDS.len()], f64)>,
}

/// The requests of remote write that bring them all.
pub(super) fn requests() -> Vec<Vec<TimeSeries>> {
    let all: Vec<TimeSeries> = (0..3)
        .flat_map(|index| Instance::new(index).run())
        .collect();
    let mut requests = Vec::new();
    let mut from_ms = START_MS;
    while from_ms <= END_MS {
        let within = |&(at, _): &(i64, f64)| (from_ms..from_ms + REQUEST_MS).contains(&at);
        let cut = all.iter().map(|series| TimeSeries {
            labels: series.labels.clone(),
            samples: series.samples.iter().copied().filter(within).collect(),
        });
        requests.push(cut.filter(|series| !series.samples.is_empty()).collect());
        from_ms += REQUEST_MS;
    }
    requests
}

impl Instance {
    fn new(index: i64) -> Self {
        Self {
            name: format!("demo.promlabs.com:{}", 10_000 + index),
            index,
            dice: Dice(index.cast_unsigned()),
            series: Vec::new(),
            next: 0,
            cpu_s: [0.0; 3],
            shipped: 0.0,
            batch_ms: START_MS,
            requests: vec![([0.0; BOUNDS.len()], 0.0); REQUESTS.len()],
        }
    }

    /// All scrapes of it.
    fn run(mut self) -> Vec<TimeSeries> {
        let mut at_ms = START_MS + self.index * 1_733;
        let mut was_down = false;
        while at_ms <= END_MS {
            // A scrape now and then comes a little late.
            let late_ms = if self.dice.roll() < 0.1 { 3 } else { 0 };
            let is_down = self.index == 2 && DOWN_MS.contains(&at_ms);
            if is_down && !was_down {
                // All but `up`, which says that it is down.
                for series in self.series.iter_mut().skip(1) {
                    let marker = f64::from_bits(STALE_MARKER_BITS);
                    series.samples.push((at_ms + late_ms, marker));
                }
            }
            self.next = 0;
            self.set(at_ms + late_ms, "up", &[], if is_down { 0.0 } else { 1.0 });
            if !is_down {
                self.count(at_ms);
                self.gauges(at_ms + late_ms);
                self.counters(at_ms + late_ms);
                self.histogram(at_ms + late_ms);
            }
            was_down = is_down;
            at_ms += INTERVAL_MS;
        }
        self.series
    }

    /// What happened since the last scrape.
    fn count(&mut self, at_ms: i64) {
        if self.index == 1 && (RESTART_MS..RESTART_MS + INTERVAL_MS).contains(&at_ms) {
            self.cpu_s = [0.0; 3];
            self.shipped = 0.0;
            self.requests.fill(([0.0; BOUNDS.len()], 0.0));
        }
        let elapsed_s = INTERVAL_MS as f64 / 1000.0;
        for (mode, share) in [0.2, 0.05, 0.75].into_iter().enumerate() {
            self.cpu_s[mode] += 4.0 * elapsed_s * share * self.dice.between(0.8, 1.2);
        }
        self.shipped += (self.dice.roll() * 40.0).floor();
        if self.dice.roll() < 0.07 {
            self.batch_ms = at_ms - (self.dice.roll() * 4000.0) as i64;
        }
        for (kind, (_, _, _, rate)) in REQUESTS.into_iter().enumerate() {
            let (buckets, sum) = &mut self.requests[kind];
            let center = self.dice.between(3.0, 8.0);
            for (at, bucket) in buckets.iter_mut().enumerate() {
                let distance = at as f64 - center;
                let share = (-distance * distance / 6.0).exp() / 4.3;
                let added = (rate * elapsed_s * share * self.dice.between(0.5, 1.5)).round();
                *bucket += added;
                *sum += added * 0.0002 * 2.7_f64.powi(at as i32) * self.dice.between(0.7, 1.0);
            }
        }
    }

    fn gauges(&mut self, at_ms: i64) {
        let since_s = (at_ms - START_MS) as f64 / 1000.0;
        for (kind, mean) in [
            ("buffers", 1.5e8),
            ("cached", 9.5e8),
            ("free", 4.1e9),
            ("used", 2.9e9),
        ] {
            let wave = (since_s / (300.0 + mean / 1e7)).sin() * 0.2;
            let value = mean * (1.0 + wave + self.dice.between(-0.05, 0.05));
            self.set(at_ms, "demo_memory_usage_bytes", &[("type", kind)], value);
        }
        let disk = 5e10 + 1e10 * self.index as f64 + since_s * 2.1e6 + self.dice.between(0.0, 3e6);
        self.set(at_ms, "demo_disk_usage_bytes", &[], disk.floor());
        self.set(at_ms, "demo_disk_total_bytes", &[], 1.6e11);
        self.set(at_ms, "target_info", &[("version", "1.2")], 1.0);
        self.set(at_ms, "demo_num_cpus", &[], 4.0 + 2.0 * self.index as f64);
        let holiday = f64::from(since_s % 900.0 < 450.0);
        self.set(at_ms, "demo_is_holiday", &[], holiday);
        let temperature = self.dice.between(-2.5, 2.5);
        self.set(at_ms, "demo_unit_interval", &[], temperature / 2.5);
        self.set(at_ms, "demo_temperature_celsius", &[], temperature);
        let odd = match (since_s as i64 / 40) % 6 {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => -0.0,
            _ => self.dice.between(-1.0, 1.0),
        };
        self.set(at_ms, "demo_odd_values", &[], odd);
        // There for some scrapes, then gone for some.
        let phase = (at_ms - START_MS) / INTERVAL_MS % 40;
        let marker = f64::from_bits(STALE_MARKER_BITS);
        let value = if phase < 20 { phase as f64 } else { marker };
        if phase <= 20 {
            self.set(at_ms, "demo_intermittent_metric", &[], value);
        } else {
            self.next += usize::from(self.series.len() > self.next);
        }
    }

    fn counters(&mut self, at_ms: i64) {
        for (mode, value) in ["user", "system", "idle"].into_iter().zip(self.cpu_s) {
            self.set(
                at_ms,
                "demo_cpu_usage_seconds_total",
                &[("mode", mode)],
                value,
            );
        }
        self.set(at_ms, "demo_items_shipped_total", &[], self.shipped);
        let batch_s = self.batch_ms as f64 / 1000.0;
        self.set(
            at_ms,
            "demo_batch_last_success_timestamp_seconds",
            &[],
            batch_s,
        );
    }

    fn histogram(&mut self, at_ms: i64) {
        for (kind, (method, path, status, _)) in REQUESTS.into_iter().enumerate() {
            let labels = [("method", method), ("path", path), ("status", status)];
            let (buckets, sum) = self.requests[kind];
            let mut total = 0.0;
            for (bound, count) in BOUNDS.into_iter().zip(buckets) {
                total += count;
                let [method, path, status] = labels;
                let labels = [("le", bound), method, path, status];
                let name = "demo_api_request_duration_seconds_bucket";
                self.set(at_ms, name, &labels, total);
            }
            self.set(
                at_ms,
                "demo_api_request_duration_seconds_count",
                &labels,
                total,
            );
            self.set(at_ms, "demo_api_request_duration_seconds_sum", &labels, sum);
        }
    }

    /// Adds a sample to the series whose turn it is: each scrape has them in the same order.
    fn set(&mut self, at_ms: i64, name: &str, more: &[(&str, &str)], value: f64) {
        if self.series.len() == self.next {
            let mut labels = vec![
                ("__name__", name),
                ("instance", self.name.as_str()),
                ("job", "demo"),
            ];
            labels.extend(more);
            labels.sort_unstable();
            self.series.push(TimeSeries::new(&labels));
        }
        self.series[self.next].samples.push((at_ms, value));
        self.next += 1;
    }
}

#[test]
fn scrapes_rise_in_time_and_counters_in_value() {
    let mut last = std::collections::BTreeMap::new();
    let mut resets = 0;
    for series in requests().concat() {
        let is_counter = series.labels[0].1.ends_with("_total");
        for (at_ms, value) in series.samples {
            let before = last.insert(series.labels.clone(), (at_ms, value));
            let (before_ms, before) = before.unwrap_or((0, value));
            assert!(before_ms < at_ms, "{:?} at {at_ms}", series.labels);
            resets += usize::from(is_counter && value < before);
        }
    }
    // Three CPU modes and the items of the instance that was restarted.
    assert_eq!(resets, 4);
    assert!(last.len() > 200, "{} series", last.len());
}
