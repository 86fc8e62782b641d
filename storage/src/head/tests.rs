//! The head against a model of it, and against itself with threads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

pub(crate) mod mixed;
mod unbounded;

use super::*;
use crate::model::{
    Batch, FloatRow, MatchOp, Matcher, STALE_NAN_BITS, Samples, SeriesDefinition, TimeRange,
};

/// Series 0 to 3, with labels that tell them apart and one that two of them share.
const SERIES: u32 = 4;

fn labels_of(series: u32) -> Labels {
    let zone = if series < 2 { "a" } else { "b" };
    Labels::from_pairs([
        ("__name__", "m"),
        ("n", series.to_string().as_str()),
        ("zone", zone),
    ])
    .unwrap()
}

/// Rows as a test writes them: series, timestamp, bits of the value.
type Row = (u32, i64, u64);

/// Writes batches as a database would: new series are registered and defined in the batch that
/// uses them first.
struct Writer<'a> {
    head: &'a Head,
    ids: BTreeMap<u32, SeriesId>,
    seq: Seq,
}

impl<'a> Writer<'a> {
    fn new(head: &'a Head) -> Self {
        Self {
            head,
            ids: BTreeMap::new(),
            seq: Seq::ZERO,
        }
    }

    fn batch(&mut self, rows: &[Row]) -> Batch {
        self.seq = self.seq.next();
        let mut batch = Batch {
            seq: self.seq,
            ..Batch::default()
        };
        for &(series, timestamp_ms, bits) in rows {
            let id = *self.ids.entry(series).or_insert_with(|| {
                let labels = labels_of(series);
                let id = self.head.register(labels.as_ref()).unwrap();
                batch.definitions.push(SeriesDefinition { id, labels });
                id
            });
            batch.floats.push(FloatRow {
                series: id,
                timestamp_ms,
                value: f64::from_bits(bits),
            });
        }
        batch
    }

    fn write(&mut self, rows: &[Row]) -> Applied {
        let batch = self.batch(rows);
        self.head.apply(&[batch])
    }
}

fn read_bits(head: &Head, pin: &Pin, id: SeriesId, range: TimeRange) -> Vec<(i64, u64)> {
    let mut samples = Samples::default();
    head.read(pin, id, range, &mut samples).unwrap();
    assert!(samples.timestamps_ms.is_sorted_by(|a, b| a < b));
    samples.iter().map(|(t, v)| (t, v.to_bits())).collect()
}

fn ints(values: &[(i64, u64)]) -> Vec<(i64, f64)> {
    values
        .iter()
        .map(|&(t, v)| (t, f64::from_bits(v)))
        .collect()
}

fn bits(value: f64) -> u64 {
    value.to_bits()
}

#[test]
fn late_samples_lie_over_earlier_ones() {
    let head = Head::new();
    let mut writer = Writer::new(&head);
    writer.write(&[(0, 10, bits(1.0)), (0, 20, bits(2.0)), (0, 30, bits(3.0))]);
    let old = head.pin();
    // A gap is filled, a conflict won, and won again by the value that was there first.
    let applied = writer.write(&[(0, 15, bits(1.5)), (0, 20, bits(9.0)), (0, 30, bits(8.0))]);
    assert_eq!((applied.samples, applied.late), (3, 3));
    writer.write(&[(0, 30, bits(3.0)), (0, 40, bits(4.0))]);
    let new = head.pin();
    let id = SeriesId(0);
    assert_eq!(
        ints(&read_bits(&head, &old, id, TimeRange::ALL)),
        [(10, 1.0), (20, 2.0), (30, 3.0)]
    );
    assert_eq!(
        ints(&read_bits(&head, &new, id, TimeRange::ALL)),
        [(10, 1.0), (15, 1.5), (20, 9.0), (30, 3.0), (40, 4.0)]
    );
    assert_eq!(
        ints(&read_bits(&head, &new, id, TimeRange::new(15, 20))),
        [(15, 1.5), (20, 9.0)]
    );
    let stats = head.stats();
    assert_eq!((stats.series, stats.pins), (1, 2));
    assert_eq!(head.time_range(), Some(TimeRange::new(10, 40)));
    assert_eq!(stats.rows.late, 4);
}

#[test]
fn the_same_sample_again_is_dropped_but_not_over_a_conflict() {
    let head = Head::new();
    let mut writer = Writer::new(&head);
    writer.write(&[(0, 10, STALE_NAN_BITS)]);
    assert_eq!(writer.write(&[(0, 10, STALE_NAN_BITS)]).duplicates, 1);
    // Another NaN is another value.
    assert_eq!(writer.write(&[(0, 10, bits(f64::NAN))]).duplicates, 0);
    assert_eq!(writer.write(&[(0, 10, STALE_NAN_BITS)]).duplicates, 0);
    let read = read_bits(&head, &head.pin(), SeriesId(0), TimeRange::ALL);
    assert_eq!(read, [(10, STALE_NAN_BITS)]);
}

#[test]
fn rows_without_a_definition_are_counted_and_their_id_not_used_again() {
    let head = Head::new();
    let (a, b) = (labels_of(0), labels_of(1));
    head.define(SeriesId(2), &a).unwrap();
    let definitions = vec![SeriesDefinition {
        id: SeriesId(2),
        labels: a.clone(),
    }];
    let floats = [2, 5000, 3].map(|id| FloatRow {
        series: SeriesId(id),
        timestamp_ms: 1,
        value: 1.0,
    });
    let applied = head.apply(&[Batch {
        seq: Seq(4),
        definitions,
        floats: floats.to_vec(),
        ..Batch::default()
    }]);
    assert_eq!((applied.samples, applied.undefined_rows), (1, 2));
    assert_eq!(head.register(b.as_ref()), Ok(SeriesId(5001)));
    assert_eq!(head.resolve(a.as_ref()), Some(SeriesId(2)));
    let pin = head.pin();
    assert_eq!(pin.seq(), Seq(4));
    assert_eq!(
        head.select(&pin, &[], TimeRange::ALL),
        Ok(vec![SeriesId(2)])
    );
    // Registered is not enough to be found.
    assert_eq!(
        head.label_values(&pin, "n", &[], TimeRange::ALL).unwrap(),
        ["0"]
    );
}

#[test]
fn labels_are_those_of_what_the_pin_sees() {
    let head = Head::new();
    let mut writer = Writer::new(&head);
    let empty = head.pin();
    writer.write(&[(0, 10, bits(1.0)), (1, 1000, bits(1.0))]);
    let old = head.pin();
    writer.write(&[(2, 10, bits(1.0))]);
    let new = head.pin();
    let values =
        |pin, matchers: &[Matcher], range| head.label_values(pin, "n", matchers, range).unwrap();
    let zone_a = [Matcher::new(MatchOp::Equal, "zone", "a").unwrap()];
    assert!(values(&empty, &[], TimeRange::ALL).is_empty());
    // From the index where there is nothing to match; the range is asked of the head alone.
    assert_eq!(values(&old, &[], TimeRange::new(0, 10)), ["0", "1"]);
    assert_eq!(values(&new, &[], TimeRange::new(0, 10)), ["0", "1", "2"]);
    assert!(values(&new, &[], TimeRange::new(1001, 2000)).is_empty());
    assert_eq!(values(&new, &zone_a, TimeRange::ALL), ["0", "1"]);
    assert_eq!(values(&new, &zone_a, TimeRange::new(0, 10)), ["0"]);
    let names = head.label_names(&new, &zone_a, TimeRange::ALL).unwrap();
    assert_eq!(names, ["__name__", "n", "zone"]);
    assert_eq!(head.label_names(&old, &[], TimeRange::ALL).unwrap(), names);

    let labels = labels_of(1);
    let view = head.labels_view();
    let texts: Vec<_> = view
        .symbols_of(SeriesId(1))
        .into_iter()
        .flatten()
        .map(|(name, value)| (view.symbols().text(name), view.symbols().text(value)))
        .collect();
    assert!(texts.into_iter().eq(labels.iter()));
    assert_eq!(view.labels(SeriesId(1)), Some(labels));
}

#[test]
fn a_long_pin_costs_one_boundary_a_series() {
    let head = Head::new();
    let mut writer = Writer::new(&head);
    writer.write(&[(0, 0, bits(0.0)), (1, 0, bits(0.0))]);
    let boundaries = |head: &Head| -> usize {
        head.shards
            .iter()
            .map(|(_, shard)| shard.read().boundaries())
            .sum()
    };
    let pin = head.pin();
    for timestamp_ms in 1..100 {
        writer.write(&[(0, timestamp_ms, bits(1.0)), (1, timestamp_ms, bits(1.0))]);
        assert!(boundaries(&head) <= 2);
    }
    assert_eq!(boundaries(&head), 2);
    assert_eq!(read_bits(&head, &pin, SeriesId(1), TimeRange::ALL).len(), 1);
    drop(pin);
    // Any write to the shard lets all of it go.
    writer.write(&[(0, 100, bits(1.0))]);
    assert_eq!(boundaries(&head), 0);
}

/// What a random test does next.
#[derive(Clone, Debug)]
enum Step {
    /// Applies batches as one group.
    Apply(Vec<Vec<Row>>),
    Pin,
    /// Drops one of the pins.
    Unpin(prop::sample::Index),
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let value = prop_oneof![
        6 => (0..4u32).prop_map(|value| bits(f64::from(value))),
        1 => Just(STALE_NAN_BITS),
        1 => Just(bits(f64::NAN) | 0xabc),
        1 => any::<u64>(),
    ];
    let single = (0..SERIES, -50..400i64, value.clone()).prop_map(|row| vec![row]);
    // Long enough to fill chunks, in order or late.
    let run = (0..SERIES, -50..300i64, 1..4i64, 1..150i64, value).prop_map(
        |(series, start, step, count, value)| {
            let at = |i: i64| (series, start + step * i, value.wrapping_add((i % 3) as u64));
            (0..count).map(at).collect()
        },
    );
    let extreme = (
        0..SERIES,
        prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>()],
    )
        .prop_map(|(series, timestamp_ms)| vec![(series, timestamp_ms, 7)]);
    let part = prop_oneof![8 => single, 3 => run, 1 => extreme];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(rows(), 1..3).prop_map(Step::Apply),
        2 => Just(Step::Pin),
        1 => any::<prop::sample::Index>().prop_map(Step::Unpin),
    ];
    prop::collection::vec(step, 1..25)
}

/// Every row ever written, with the seq of its batch.
#[derive(Default)]
struct Model(Vec<(Seq, Row)>);

impl Model {
    fn read(&self, seq: Seq, series: u32, range: TimeRange) -> Vec<(i64, u64)> {
        let mut samples = BTreeMap::new();
        for &(at, (of, timestamp_ms, value)) in &self.0 {
            if at <= seq && of == series && range.contains(timestamp_ms) {
                samples.insert(timestamp_ms, value);
            }
        }
        samples.into_iter().collect()
    }
}

fn check(writer: &Writer<'_>, model: &Model, pin: &Pin, ranges: &[TimeRange]) {
    for &range in ranges.iter().chain(&[TimeRange::ALL]) {
        let mut expected = BTreeSet::new();
        for (&series, &id) in &writer.ids {
            let samples = model.read(pin.seq(), series, range);
            if !samples.is_empty() {
                expected.insert(id);
            }
            let read = read_bits(writer.head, pin, id, range);
            assert_eq!(read, samples, "series {series}, {:?}, {range:?}", pin.seq());
        }
        let selected = writer.head.select(pin, &[], range).unwrap();
        assert_eq!(
            selected,
            Vec::from_iter(expected),
            "{:?}, {range:?}",
            pin.seq()
        );
    }
}

proptest! {
    #[test]
    fn every_pin_sees_its_state_for_ever(
        steps in steps(),
        ranges in prop::collection::vec((-60..700i64, 0..200i64), 2),
    ) {
        let ranges: Vec<_> = ranges
            .iter()
            .map(|&(start, length)| TimeRange::new(start, start + length))
            .collect();
        let head = Head::new();
        let mut writer = Writer::new(&head);
        let mut model = Model::default();
        let mut pins = vec![head.pin()];
        for step in &steps {
            match step {
                Step::Apply(batches) => {
                    let mut group = Vec::new();
                    for rows in batches {
                        let batch = writer.batch(rows);
                        model.0.extend(rows.iter().map(|&row| (batch.seq, row)));
                        group.push(batch);
                    }
                    let applied = head.apply(&group);
                    let rows: usize = batches.iter().map(Vec::len).sum();
                    prop_assert_eq!(applied.samples + applied.duplicates, rows as u64);
                }
                Step::Pin => pins.push(head.pin()),
                Step::Unpin(at) if !pins.is_empty() => {
                    pins.swap_remove(at.index(pins.len()));
                }
                Step::Unpin(_) => {}
            }
            for pin in &pins {
                check(&writer, &model, pin, &ranges);
            }
        }
        let now = head.pin();
        prop_assert_eq!(now.seq(), writer.seq);
        check(&writer, &model, &now, &ranges);
        drop((now, pins));
        prop_assert_eq!(head.stats().pins, 0);
    }
}

/// Each batch adds one sample to every series; late ones among them. Readers see as many samples
/// of each series as there are batches, whenever they look.
#[test]
fn readers_see_all_of_a_batch_or_none_while_it_is_applied() {
    const READERS: usize = 3;
    const BATCHES: u64 = 600;
    // More than one shard.
    const WIDTH: u32 = 1500;
    let head = Head::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| scope.spawn(|| read_until(&head, &done, WIDTH)))
            .collect();
        let mut writer = Writer::new(&head);
        let mut batches = (0..BATCHES).map(|i| {
            // Every fourth batch comes late; no timestamp comes twice.
            let timestamp_ms = if i % 4 == 3 {
                i as i64 - 1_000_000
            } else {
                i as i64
            };
            let rows: Vec<Row> = (0..WIDTH)
                .map(|s| (s, timestamp_ms, bits(i as f64)))
                .collect();
            writer.batch(&rows)
        });
        loop {
            let group: Vec<_> = batches.by_ref().take(3).collect();
            if group.is_empty() {
                break;
            }
            head.apply(&group);
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
    let pin = head.pin();
    for id in 0..WIDTH {
        let samples = read_bits(&head, &pin, SeriesId(id), TimeRange::ALL);
        assert_eq!(samples.len() as u64, BATCHES);
    }
    assert_eq!(head.stats().pins, 1);
}

/// Pins and reads, until told to stop; returns how many pins it took.
fn read_until(head: &Head, done: &AtomicBool, width: u32) -> usize {
    let mut rounds = 0;
    let mut last = Seq::ZERO;
    while !done.load(Ordering::Acquire) || rounds == 0 {
        let pin = head.pin();
        assert!(last <= pin.seq());
        last = pin.seq();
        // Mostly the first and the last series, to pin often; all of them now and then.
        let ids: Vec<_> = match rounds % 32 {
            0 => (0..width).map(SeriesId).collect(),
            _ => vec![SeriesId(0), SeriesId(width - 1), SeriesId(0)],
        };
        let samples: Vec<_> = ids
            .iter()
            .map(|&id| read_bits(head, &pin, id, TimeRange::ALL))
            .collect();
        assert_eq!(samples[0].len() as u64, pin.seq().0);
        assert!(samples.windows(2).all(|pair| pair[0] == pair[1]));
        if rounds % 32 == 0 {
            let selected = head.select(&pin, &[], TimeRange::ALL).unwrap();
            let expected = if pin.seq() == Seq::ZERO { vec![] } else { ids };
            assert_eq!(selected, expected);
        }
        rounds += 1;
    }
    rounds
}
