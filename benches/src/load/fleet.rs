//! A fleet of targets, scraped through hours, made from a recording of real exporters.

use std::collections::BTreeMap;

use super::recording::{Exporter, Recording, metric_name};
use super::remote_write::EncodedLabels;
use super::target::Target;
use super::{Labels, Lanes, Load, Output, Part};
use crate::error::{Error, Result};

/// What a fleet is like.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// Number of targets: 70 % node exporters, 15 % Prometheus, 15 % VictoriaMetrics.
    pub targets: usize,
    /// Scrapes of each target. Once the recording is through, it is played in another order.
    pub scrapes: usize,
    /// Milliseconds between scrapes; above the recorded jitter.
    pub interval_ms: u32,
    /// When the first scrape is, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// After how many scrapes a target's pod gets another name; never where there is none. Not
    /// all targets at once.
    pub churn_scrapes: Option<usize>,
    /// Which share of the scrapes, from 0 to 1, is sent late.
    pub late_share: f64,
    /// By how many scrapes these are late at most; at least by 1.
    pub late_scrapes: usize,
    /// What the random orders begin with.
    pub seed: u64,
}

/// A scrape that is sent after others that came later.
#[derive(Debug)]
struct Late {
    /// The scrape with which it is sent.
    due: usize,
    target: usize,
    timestamp_ms: i64,
    series: Vec<EncodedLabels>,
    values: Vec<f64>,
}

/// The samples of each metric.
#[derive(Debug, Default)]
struct Parts<'a>(BTreeMap<&'a str, (u64, u64)>);

impl<'a> Parts<'a> {
    fn add(&mut self, series: &'a [Labels], values: &[f64]) {
        for (labels, value) in series.iter().zip(values) {
            let (samples, nans) = self.0.entry(metric_name(labels)).or_default();
            *samples += 1;
            *nans += u64::from(value.is_nan());
        }
    }

    fn into_vec(self) -> Vec<Part> {
        let parts = self.0.into_iter().map(|(metric, (samples, nans))| Part {
            selector: metric.to_owned(),
            samples,
            nans,
        });
        parts.collect()
    }
}

/// Writes the requests of a fleet to files.
///
/// # Errors
/// Options out of their ranges; those of the files.
pub fn write(recording: &Recording, options: &FleetOptions, output: &Output) -> Result<Load> {
    check(recording, options)?;
    let mut targets = targets(recording, options);
    // In the order in which they are scraped.
    targets.sort_by_key(Target::offset_ms);
    if is_repeated(options, output) {
        for target in &mut targets {
            advance(target, options);
        }
    }

    let mut lanes = Lanes::create(output)?;
    let mut parts = Parts::default();
    let mut late: Vec<Late> = Vec::new();
    let mut values = Vec::new();
    let mut series: u64 = targets
        .iter()
        .map(|target| target.series().len() as u64)
        .sum();
    for scrape in 0..options.scrapes {
        for target in &mut targets {
            if is_renamed(options, target.number(), scrape) {
                target.rename();
                series += target.series().len() as u64;
            }
            let is_through = scrape + ahead(target, options) == options.scrapes;
            if is_through && is_repeated(options, output) {
                target.restart();
            }
            let row = target.scrape(&mut values);
            parts.add(target.exposed(), &values);
            let jitter_ms = recording.jitter_ms.get(row).copied().unwrap_or(0);
            let timestamp_ms = options.start_ms
                + scrape as i64 * i64::from(options.interval_ms)
                + target.offset_ms()
                + i64::from(jitter_ms);
            if target.chance(options.late_share) {
                late.push(Late {
                    due: scrape + 1 + target.below(options.late_scrapes),
                    target: target.number(),
                    timestamp_ms,
                    series: target.series().to_vec(),
                    values: values.clone(),
                });
            } else {
                send(
                    &mut lanes,
                    target.number(),
                    target.series(),
                    timestamp_ms,
                    &values,
                )?;
            }
        }
        for late in late.extract_if(.., |late| late.due <= scrape) {
            send_late(&mut lanes, &late)?;
        }
    }
    for late in &late {
        send_late(&mut lanes, late)?;
    }
    let span_ms = (options.scrapes as i64 + 1) * i64::from(options.interval_ms);
    lanes.finish(
        series,
        (options.start_ms, options.start_ms + span_ms),
        parts.into_vec(),
    )
}

fn check(recording: &Recording, options: &FleetOptions) -> Result<()> {
    let latest_ms = recording.jitter_ms.iter().copied().max().unwrap_or(0);
    let earliest_ms = recording.jitter_ms.iter().copied().min().unwrap_or(0);
    let wrong = if options.targets == 0 || options.targets > 1 << 24 {
        format!(
            "{} targets: 1 to {} can have addresses",
            options.targets,
            1 << 24
        )
    } else if options.scrapes == 0 {
        "0 scrapes: a load has at least 1".to_owned()
    } else if i64::from(options.interval_ms) <= i64::from(latest_ms) - i64::from(earliest_ms) {
        let (interval, jitter) = (options.interval_ms, latest_ms - earliest_ms);
        format!("an interval of {interval} ms is within the jitter of {jitter} ms")
    } else if options.churn_scrapes == Some(0) {
        "renamed every 0 scrapes: at least every 1".to_owned()
    } else if options.late_scrapes == 0 {
        "late by 0 scrapes: at least by 1".to_owned()
    } else if !(0.0..=1.0).contains(&options.late_share) {
        format!("a late share of {}: it is from 0 to 1", options.late_share)
    } else {
        return Ok(());
    };
    Err(Error::new(wrong))
}

/// The targets, each kind in its share, by number.
fn targets<'a>(recording: &'a Recording, options: &FleetOptions) -> Vec<Target<'a>> {
    let mut kinds: Vec<&Exporter> = Vec::new();
    let mut shares = 0;
    for exporter in &recording.exporters {
        shares += exporter.share;
        // Up to the sum of the shares, so that rounding loses no target.
        kinds.resize((options.targets * shares + 50) / 100, exporter);
    }
    let targets = kinds.into_iter().enumerate();
    let pod = options.churn_scrapes.is_some();
    targets
        .map(|(number, exporter)| {
            Target::new(exporter, number, options.interval_ms, pod, options.seed)
        })
        .collect()
}

/// Whether the load is sent again and again, from its beginning each time. In a fleet no two
/// targets are restarted at once: here each begins anew at a scrape of its own, and goes on as if
/// nothing were from the last scrape of a round to the first of the next. Pods that are renamed do
/// so anyway.
fn is_repeated(options: &FleetOptions, output: &Output) -> bool {
    output.movable && options.churn_scrapes.is_none()
}

/// How many scrapes a target of a load that is repeated has behind it when a round begins.
fn ahead(target: &Target<'_>, options: &FleetOptions) -> usize {
    target.number() * options.scrapes / options.targets
}

/// Plays what is behind a target when a round begins.
fn advance(target: &mut Target<'_>, options: &FleetOptions) {
    let mut values = Vec::new();
    for _ in 0..ahead(target, options) {
        target.scrape(&mut values);
        // Drawn as in `write`, so that the next numbers are the same.
        if target.chance(options.late_share) {
            target.below(options.late_scrapes);
        }
    }
}

fn is_renamed(options: &FleetOptions, target: usize, scrape: usize) -> bool {
    options.churn_scrapes.is_some_and(|every| {
        let spread = target * every / options.targets;
        scrape > 0 && (scrape + spread).is_multiple_of(every)
    })
}

fn send_late(lanes: &mut Lanes, late: &Late) -> Result<()> {
    send(
        lanes,
        late.target,
        &late.series,
        late.timestamp_ms,
        &late.values,
    )
}

fn send(
    lanes: &mut Lanes,
    target: usize,
    series: &[EncodedLabels],
    timestamp_ms: i64,
    values: &[f64],
) -> Result<()> {
    let lane = lanes.of(target);
    for (labels, value) in series.iter().zip(values) {
        lane.push(labels, timestamp_ms, *value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;

    use super::super::{recording, remote_write};
    use super::*;
    use crate::error::About;

    const OPTIONS: FleetOptions = FleetOptions {
        targets: 20,
        scrapes: 150,
        interval_ms: 15_000,
        start_ms: 1_700_000_000_000,
        churn_scrapes: None,
        late_share: 0.0,
        late_scrapes: 40,
        seed: 7,
    };

    type Columns = BTreeMap<String, Vec<(i64, f64)>>;

    /// The load, and what is in its files: by lane, by series, in the order of sending.
    fn made(options: &FleetOptions) -> Result<(Load, Vec<Columns>)> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        recording::tests::write(dir.path(), 100);
        let recording = Recording::read(dir.path(), 1)?;
        let output = Output {
            dir: dir.path(),
            connections: 3,
            movable: false,
        };
        let load = write(&recording, options, &output)?;
        let mut lanes = Vec::new();
        for file in &load.files {
            let mut columns = Columns::new();
            for (series, timestamp_ms, value) in remote_write::tests::decode_file(file)?.concat() {
                columns
                    .entry(series)
                    .or_default()
                    .push((timestamp_ms, value));
            }
            lanes.push(columns);
        }
        Ok((load, lanes))
    }

    #[test]
    fn the_same_seed_gives_the_same_files() -> Result<()> {
        let bytes = |seed: u64| -> Result<Vec<u8>> {
            let dir = tempfile::tempdir().about("temporary directory")?;
            recording::tests::write(dir.path(), 100);
            let recording = Recording::read(dir.path(), 1)?;
            let options = FleetOptions {
                seed,
                late_share: 0.2,
                ..OPTIONS
            };
            let output = Output {
                dir: dir.path(),
                connections: 1,
                movable: false,
            };
            let load = write(&recording, &options, &output)?;
            fs::read(&load.files[0]).about("read")
        };
        let same = bytes(1)? == bytes(1)?;
        assert!(same);
        let other = bytes(1)? != bytes(2)?;
        assert!(other);
        Ok(())
    }

    #[test]
    fn shares_labels_and_totals() -> Result<()> {
        let (load, lanes) = made(&OPTIONS)?;
        let names: Vec<&String> = lanes.iter().flatten().map(|(name, _)| name).collect();
        let of = |job: &str| names.iter().filter(|name| name.contains(job)).count();
        assert_eq!(of("job=node"), 14 * 4);
        assert_eq!(of("job=prometheus"), 3 * 4);
        assert_eq!(of("job=victoriametrics"), 3 * 4);
        assert!(names.iter().any(|name| **name
            == "__name__=requests_total,cluster=production-1,code=200,\
                instance=10.0.0.1:9104,job=node,zone=eu-west-1b"));
        assert_eq!((load.series, load.samples), (80, 80 * 150));
        let parts: Vec<&str> = load
            .parts
            .iter()
            .map(|part| part.selector.as_str())
            .collect();
        assert_eq!(
            parts,
            [
                "busy_seconds_total",
                "limit",
                "requests_total",
                "temperature"
            ]
        );
        assert!(
            load.parts
                .iter()
                .all(|part| part.samples == 20 * 150 && part.nans == 0)
        );
        // A series is in one lane.
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 80);
        let times = lanes
            .iter()
            .flatten()
            .flat_map(|(_, column)| column)
            .map(|(t, _)| *t);
        assert!(times.clone().min() >= Some(load.start_ms));
        assert!(times.max() <= Some(load.end_ms));
        Ok(())
    }

    #[test]
    fn no_two_targets_hold_the_same_column() -> Result<()> {
        let (_, lanes) = made(&OPTIONS)?;
        let varying = lanes
            .iter()
            .flatten()
            .filter(|(name, _)| !name.contains("=limit"));
        let columns: Vec<Vec<u64>> = varying
            .map(|(_, column)| column.iter().map(|(_, value)| value.to_bits()).collect())
            .collect();
        assert_eq!(columns.len(), 60);
        assert_eq!(columns.iter().collect::<BTreeSet<_>>().len(), 60);
        Ok(())
    }

    #[test]
    fn counters_rise_and_keep_their_decimals() -> Result<()> {
        let (_, lanes) = made(&OPTIONS)?;
        for (name, column) in lanes.iter().flatten() {
            assert!(
                column.is_sorted_by_key(|(timestamp_ms, _)| *timestamp_ms),
                "{name}"
            );
            if name.contains("_total") {
                assert!(column.is_sorted_by_key(|(_, value)| *value), "{name}");
                let decimals = if name.contains("seconds") { 2 } else { 0 };
                let long = column.iter().map(|(_, value)| format!("{value}"));
                let long = long.filter(|text| {
                    text.split_once('.')
                        .is_some_and(|(_, d)| d.len() > decimals)
                });
                assert_eq!(long.collect::<Vec<_>>(), [""; 0], "{name}");
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_repeated_begins_anew_target_by_target() -> Result<()> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        recording::tests::write(dir.path(), 100);
        let recording = Recording::read(dir.path(), 1)?;
        let output = Output {
            dir: dir.path(),
            connections: 1,
            movable: true,
        };
        let load = write(&recording, &OPTIONS, &output)?;
        let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (series, _, value) in remote_write::tests::decode_file(&load.files[0])?.concat() {
            columns.entry(series).or_default().push(value);
        }
        columns.retain(|name, _| name.contains("requests_total"));
        assert_eq!(columns.len(), 20);
        let mut resets = BTreeSet::new();
        for (name, column) in &columns {
            // Round and round: one reset, and it may be where one round follows another.
            let twice = column.iter().chain(column).collect::<Vec<_>>();
            let falls = twice.windows(2).take(column.len());
            let at: Vec<usize> = falls
                .enumerate()
                .filter_map(|(at, pair)| (pair[1] < pair[0]).then_some(at))
                .collect();
            assert_eq!(at.len(), 1, "{name}: {at:?}");
            resets.extend(at);
        }
        assert_eq!(resets.len(), 20, "{resets:?}");
        Ok(())
    }

    #[test]
    fn churn_renames_all_targets_but_not_at_once() -> Result<()> {
        let options = FleetOptions {
            churn_scrapes: Some(50),
            ..OPTIONS
        };
        let (load, lanes) = made(&options)?;
        let columns: Vec<_> = lanes.iter().flatten().collect();
        assert_eq!(columns.len() as u64, load.series);
        // 150 scrapes have two renames within them, or three for whom the first comes early.
        assert!(
            (80 * 3..=80 * 4).contains(&columns.len()),
            "{}",
            columns.len()
        );
        assert_eq!(load.samples, 80 * 150);
        let ends: BTreeSet<i64> = columns
            .iter()
            .filter_map(|(_, column)| column.last())
            .map(|(timestamp_ms, _)| (timestamp_ms - load.start_ms) / 15_000)
            .collect();
        assert!(ends.len() > 20, "{ends:?}");
        // Each begins where the recording does.
        let first = columns
            .iter()
            .filter(|(series, _)| series.contains("requests_total"))
            .map(|(_, column)| column[0].1);
        assert!(first.into_iter().all(|value| value < 1_040.0));
        Ok(())
    }

    #[test]
    fn late_samples_are_all_sent_out_of_order() -> Result<()> {
        let options = FleetOptions {
            late_share: 0.1,
            ..OPTIONS
        };
        let (load, lanes) = made(&options)?;
        let (_, punctual) = made(&OPTIONS)?;
        let mut behind = 0;
        for (name, column) in lanes.iter().flatten() {
            behind += column
                .windows(2)
                .filter(|pair| pair[1].0 < pair[0].0)
                .count();
            let distinct: BTreeSet<i64> = column.iter().map(|(t, _)| *t).collect();
            assert_eq!(distinct.len(), 150, "{name}");
        }
        let share = behind as f64 / load.samples as f64;
        assert!((0.03..0.15).contains(&share), "{share}");
        assert_eq!(punctual.iter().flatten().count(), 80);
        Ok(())
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let error = |options: FleetOptions| made(&options).err().map(|e| e.to_string());
        let has = |error: Option<String>, text: &str| error.is_some_and(|e| e.contains(text));
        assert!(has(
            error(FleetOptions {
                targets: 0,
                ..OPTIONS
            }),
            "0 targets"
        ));
        assert!(has(
            error(FleetOptions {
                scrapes: 0,
                ..OPTIONS
            }),
            "0 scrapes"
        ));
        assert!(has(
            error(FleetOptions {
                interval_ms: 6,
                ..OPTIONS
            }),
            "jitter of 6 ms"
        ));
        let churn_scrapes = Some(0);
        assert!(has(
            error(FleetOptions {
                churn_scrapes,
                ..OPTIONS
            }),
            "every 0"
        ));
        let late_scrapes = 0;
        assert!(has(
            error(FleetOptions {
                late_scrapes,
                ..OPTIONS
            }),
            "late by 0"
        ));
        assert!(has(
            error(FleetOptions {
                late_share: 1.5,
                ..OPTIONS
            }),
            "1.5"
        ));
        assert!(has(
            error(FleetOptions {
                late_share: f64::NAN,
                ..OPTIONS
            }),
            "NaN"
        ));
    }
}
