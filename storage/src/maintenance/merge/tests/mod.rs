//! Sources of all kinds against a model.

mod blocks;
mod measure;
mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;

use self::world::{Model, labels, sources, written};
use super::MergeError;
use super::pass::{self, Output, Part, Row, Sink, Wanted};
use super::source::Input;
use super::symbols::Symbols;
use crate::index::stored::IndexInput;
use crate::model::{Exemplar, Labels, Sample, TimeRange, Value};
use crate::sys::sim::SimDisk;

/// What a row was given.
#[derive(Debug)]
struct Taken {
    samples: Vec<Sample>,
    exemplars: Vec<Exemplar>,
}

/// Keeps rows as they come.
#[derive(Debug, Default)]
struct Kept {
    rows: Vec<Taken>,
}

impl Sink for Kept {
    fn row(&mut self, row: Row<'_>) -> Result<(), MergeError> {
        let samples = match row.samples {
            Part::Points(points) => points.to_vec(),
            Part::Floats { times_ms, values } => {
                assert_eq!(times_ms.len(), values.len());
                let samples = times_ms.iter().zip(values);
                let sample = |(&timestamp_ms, &value)| Sample {
                    timestamp_ms,
                    start_timestamp_ms: None,
                    value: Value::Float(value),
                };
                samples.map(sample).collect()
            }
        };
        self.rows.push(Taken {
            samples,
            exemplars: row.exemplars.to_vec(),
        });
        Ok(())
    }
}

pub(super) fn is_same(one: &Sample, other: &Sample) -> bool {
    let is_same_value = match (&one.value, &other.value) {
        (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
        (Value::Histogram(one), Value::Histogram(other)) => one.is_identical(other),
        _ => false,
    };
    is_same_value
        && one.timestamp_ms == other.timestamp_ms
        && one.start_timestamp_ms == other.start_timestamp_ms
}

/// The order of rows: metric name, then the other labels.
fn order(labels: &Labels) -> (Option<String>, Vec<(String, String)>) {
    let owned = |(n, v): (&str, &str)| (n.to_owned(), v.to_owned());
    let (metric, others): (Vec<_>, Vec<_>) = labels
        .iter()
        .map(owned)
        .partition(|(name, _)| name == "__name__");
    (metric.into_iter().next().map(|(_, value)| value), others)
}

/// The label sets of an output, as its index gives them.
fn label_sets(output: &Output<Kept>, symbols: &Symbols, inputs: &[Input<'_>]) -> Vec<Labels> {
    let index = output.labels.index(symbols, inputs, &|| false);
    let mut texts = BTreeMap::new();
    index
        .for_each_symbol(&mut |symbol, text| {
            texts.insert(symbol, text.to_owned());
            Ok(())
        })
        .unwrap();
    (0..index.rows())
        .map(|row| {
            let mut pairs = Vec::new();
            index.labels(row, &mut pairs).unwrap();
            let text = |symbol| texts[symbol].as_str();
            assert!(pairs.is_sorted_by(|a, b| text(&a.0) < text(&b.0)));
            Labels::from_pairs(pairs.iter().map(|(n, v)| (text(n), text(v)))).unwrap()
        })
        .collect()
}

/// What rows must be in a range: labels, samples, exemplars, in order.
fn expected(model: &Model, range: TimeRange) -> Vec<(Labels, Taken)> {
    let mut rows: Vec<(Labels, Taken)> = Vec::new();
    for series in 0..12 {
        let samples = model.samples.get(&series).into_iter().flatten();
        let exemplars = model.exemplars.get(&series).into_iter().flatten();
        let taken = Taken {
            samples: samples
                .filter(|(at, _)| range.contains(**at))
                .map(|(_, sample)| sample.clone())
                .collect(),
            exemplars: exemplars
                .filter(|one| range.contains(one.timestamp_ms))
                .cloned()
                .collect(),
        };
        if !taken.samples.is_empty() || !taken.exemplars.is_empty() {
            rows.push((labels(series), taken));
        }
    }
    rows.sort_by_key(|(labels, _)| order(labels));
    rows
}

fn assert_same(taken: &Taken, want: &Taken, labels: &Labels) {
    let is_same = taken.samples.len() == want.samples.len()
        && taken
            .samples
            .iter()
            .zip(&want.samples)
            .all(|(a, b)| is_same(a, b));
    assert!(
        is_same,
        "{labels:?}: {:?} {:?}",
        taken.samples, want.samples
    );
    assert_eq!(taken.exemplars, want.exemplars, "{labels:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rows_are_those_of_the_sources(
        written in written(),
        width_ms in prop_oneof![Just(100i64), Just(1 << 40), Just(37)],
    ) {
        let sys = SimDisk::new(1).sys(0);
        let model = Model::of(&written);
        let sources = sources(&sys, &written);
        let inputs: Vec<Input<'_>> =
            (0..).zip(&sources).map(|(number, source)| Input { number, source }).collect();
        let symbols = Symbols::join(&inputs, &|| false).unwrap();
        let ranges = model.ranges(width_ms);
        let wanted = Wanted { ranges: &ranges, span: TimeRange::ALL };
        let open = |_| Ok(Kept::default());
        let outputs = pass::run(&inputs, &symbols, wanted, &|| false, open).unwrap();
        prop_assert_eq!(outputs.len(), ranges.len());
        for (output, range) in outputs.iter().zip(ranges) {
            let output = output.as_ref().unwrap();
            let want = expected(&model, range);
            let sets = label_sets(output, &symbols, &inputs);
            prop_assert!(sets.iter().eq(want.iter().map(|(labels, _)| labels)), "{:?} {:?}", sets, want);
            for (taken, (labels, want)) in output.sink.rows.iter().zip(&want) {
                assert_same(taken, want, labels);
            }
        }
    }
}
