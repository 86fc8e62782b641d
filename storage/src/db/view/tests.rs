//! A view of several heads against one head that got all writes.

mod bounds;
mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::Options;
use crate::db::epoch::{Epoch, Frozen};
use crate::db::{Db, WriteBatch};
use crate::head::{Applied, Head};
use crate::model::{Batch, FloatRow, Labels, MatchOp, Samples, Seq, SeriesDefinition, SymbolId};
use crate::sys::sim::SimDisk;

/// Series, timestamp, bits of the value.
type Write = (usize, i64, u64);
/// Samples by labels, floats by their bits.
type Content = BTreeMap<Labels, Vec<(i64, u64)>>;

/// Label sets that share names, values and lists of names, one that has none, and one whose
/// names are values of others.
const SETS: [&[(&str, &str)]; 9] = [
    &[("__name__", "m"), ("n", "0")],
    &[("__name__", "m"), ("n", "1")],
    &[("__name__", "m"), ("n", "1"), ("zone", "a")],
    &[("__name__", "m"), ("n", "1"), ("zone", "b")],
    &[("__name__", "other"), ("n", "a")],
    &[("m", "n"), ("zone", "__name__")],
    &[("zone", "a")],
    &[("n", "a")],
    &[],
];

fn labels_of(series: usize) -> Labels {
    Labels::from_pairs(SETS[series].iter().copied()).unwrap()
}

/// Applies writes, one batch each, the first of which has the seq after `seqs.start`.
fn write(head: &Head, seqs: Range<usize>, writes: &[Write]) {
    for (seq, &(series, timestamp_ms, bits)) in seqs.zip(writes) {
        write_one(head, seq, labels_of(series), timestamp_ms, bits);
    }
}

fn write_one(head: &Head, seq: usize, labels: Labels, timestamp_ms: i64, bits: u64) {
    let known = head.resolve(labels.as_ref());
    let id = known.unwrap_or_else(|| head.register(labels.as_ref()).unwrap());
    head.apply(&[Batch {
        seq: Seq(seq as u64 + 1),
        definitions: vec![SeriesDefinition { id, labels }],
        floats: vec![FloatRow {
            series: id,
            timestamp_ms,
            value: f64::from_bits(bits),
        }],
        ..Batch::default()
    }]);
}

fn view(db: &Db, parts: Vec<Part>, earliest_ms: i64) -> View {
    View {
        parts,
        earliest_ms,
        damage: Damage::new(Arc::clone(&db.0.shared)),
    }
}

fn open() -> Db {
    Db::open_with(SimDisk::new(1).sys(0), "/data", Options::default()).unwrap()
}

fn series_of(selection: &Selection<'_>, series: usize) -> (Labels, Vec<(i64, u64)>) {
    let mut samples = Samples::default();
    selection.samples(series, &mut samples).unwrap();
    assert!(samples.timestamps_ms.is_sorted_by(|a, b| a < b));
    assert!(!samples.is_empty(), "selected without a sample");
    let samples = samples.iter().map(|(t, v)| (t, v.to_bits())).collect();
    (selection.labels(series), samples)
}

fn content(selection: &Selection<'_>) -> Content {
    let all = (0..selection.len()).map(|series| series_of(selection, series));
    let content: Content = all.collect();
    assert_eq!(content.len(), selection.len(), "the same series twice");
    content
}

fn order(selection: &Selection<'_>) -> Vec<Labels> {
    (0..selection.len()).map(|i| selection.labels(i)).collect()
}

/// Strings and symbols of a selection stand for each other, series by series.
fn check_symbols(selection: &Selection<'_>) {
    let mut texts: BTreeMap<SymbolId, String> = BTreeMap::new();
    for series in 0..selection.len() {
        let mut symbols = Vec::new();
        selection.for_each_label_symbol(series, |name, value| symbols.extend([name, value]));
        let labels = selection.labels(series);
        let strings: Vec<&str> = labels.iter().flat_map(|(n, v)| [n, v]).collect();
        assert_eq!(symbols.len(), strings.len());
        for (symbol, text) in symbols.into_iter().zip(strings) {
            assert_eq!(selection.symbol(text), Some(symbol));
            assert_eq!(texts.entry(symbol).or_insert(text.to_owned()), text);
        }
    }
}

fn matchers() -> impl Strategy<Value = Vec<Matcher>> {
    let ops = [
        MatchOp::Equal,
        MatchOp::NotEqual,
        MatchOp::Regex,
        MatchOp::NotRegex,
    ];
    let names = ["__name__", "n", "zone", "absent"];
    let values = ["", "m", "1", "a", "a|b|0", ".*", ".+", "o.*"];
    let one = (
        prop::sample::select(ops.to_vec()),
        prop::sample::select(names.to_vec()),
        prop::sample::select(values.to_vec()),
    );
    let one = one.prop_map(|(op, name, value)| Matcher::new(op, name, value).unwrap());
    prop::collection::vec(one, 0..3)
}

/// Few timestamps, so that sources overlap and agree, and in half of the cases sources that
/// follow each other in time.
fn writes() -> impl Strategy<Value = Vec<Write>> {
    let one = (0..SETS.len(), -10i64..10, any::<u64>());
    (prop::collection::vec(one, 0..60), any::<bool>()).prop_map(|(mut writes, rises)| {
        if rises {
            for (at, write) in (0..).zip(&mut writes) {
                write.1 += at * 2 - 60;
            }
        }
        writes
    })
}

fn range() -> impl Strategy<Value = TimeRange> {
    let some = (-80i64..80, 0i64..100);
    prop_oneof![
        Just(TimeRange::ALL),
        some.prop_map(|(start_ms, length)| TimeRange::new(start_ms, start_ms + length)),
    ]
}

/// What is asked of a view.
#[derive(Clone, Debug)]
struct Question {
    matchers: Vec<Matcher>,
    range: TimeRange,
}

fn question() -> impl Strategy<Value = Question> {
    (matchers(), range()).prop_map(|(matchers, range)| Question { matchers, range })
}

/// Names and values of `zone` as [`View::label_names`] and [`View::label_values`] give them.
fn listed(view: &View, asked: &Question) -> [Vec<String>; 2] {
    let Question { matchers, range } = asked;
    [
        view.label_names(matchers, *range).unwrap(),
        view.label_values("zone", matchers, *range).unwrap(),
    ]
}

/// The same without a matcher, of all series of those heads that the range touches.
fn listed_without_matcher(heads: &[&[Write]], range: TimeRange) -> [Vec<String>; 2] {
    let [mut names, mut zones] = [BTreeSet::new(), BTreeSet::new()];
    for writes in heads {
        let times = || writes.iter().map(|&(_, timestamp_ms, _)| timestamp_ms);
        let Some((start_ms, end_ms)) = times().min().zip(times().max()) else {
            continue;
        };
        if !TimeRange::new(start_ms, end_ms).overlaps(range) {
            continue;
        }
        for &(series, ..) in *writes {
            names.extend(SETS[series].iter().map(|&(name, _)| name.to_owned()));
            zones.extend(labels_of(series).get("zone").map(str::to_owned));
        }
    }
    [names, zones].map(|texts| texts.into_iter().collect())
}

proptest! {
    #[test]
    fn several_heads_answer_as_one_would(
        (writes, cuts) in writes().prop_flat_map(|writes| {
            let cut = 0..=writes.len();
            (Just(writes), [cut.clone(), cut])
        }),
        later in writes(),
        earliest_ms in prop_oneof![Just(i64::MIN), -20i64..20],
        questions in prop::collection::vec(question(), 1..6),
    ) {
        let db = open();
        let [first, second] = [cuts[0].min(cuts[1]), cuts[0].max(cuts[1])];
        let seqs = [0..first, first..second, second..writes.len()];
        let pieces: Vec<&[Write]> = seqs.iter().map(|seqs| &writes[seqs.clone()]).collect();
        let heads: Vec<Arc<Head>> = seqs.iter().map(|seqs| {
            let head = Head::new();
            // A series that is registered and never written moves ids and symbols apart.
            head.register(labels_of(seqs.start % SETS.len()).as_ref()).unwrap();
            write(&head, seqs.clone(), &writes[seqs.clone()]);
            Arc::new(head)
        }).collect();
        let one = Arc::new(Head::new());
        write(&one, 0..writes.len(), &writes);

        let joined = view(&db, heads.iter().map(Part::pinned).collect(), earliest_ms);
        let single = view(&db, vec![Part::pinned(&one)], earliest_ms);
        // Not seen: the view was made before.
        write(&heads[2], writes.len()..1000, &later);

        for asked in &questions {
            let ours = joined.select(&asked.matchers, asked.range).unwrap();
            let theirs = single.select(&asked.matchers, asked.range).unwrap();
            prop_assert_eq!(content(&ours), content(&theirs), "{:?}", asked);
            check_symbols(&ours);
            let again = joined.select(&asked.matchers, asked.range).unwrap();
            prop_assert_eq!(order(&ours), order(&again));
            let range = joined.within_retention(asked.range);
            let expected = match asked.matchers.is_empty() {
                true => listed_without_matcher(&pieces, range),
                false => listed(&single, asked),
            };
            prop_assert_eq!(listed(&joined, asked), expected, "{:?}", asked);
        }
    }
}

#[test]
fn series_stand_in_the_order_of_the_sources_and_then_of_their_rows() {
    let db = open();
    let heads = [Head::new(), Head::new(), Head::new()].map(Arc::new);
    write(&heads[0], 0..9, &[(3, 0, 0), (0, 0, 0)]);
    write(&heads[1], 10..19, &[(4, 1, 0), (0, 1, 0), (3, 1, 0)]);
    write(&heads[2], 20..29, &[(1, 2, 0), (4, 2, 0)]);
    let view = view(&db, heads.iter().map(Part::pinned).collect(), i64::MIN);
    let selection = view.select(&[], TimeRange::ALL).unwrap();
    assert_eq!(order(&selection), [3, 0, 4, 1].map(labels_of));
    let times = (0..4).map(|i| series_of(&selection, i).1);
    let times: Vec<Vec<i64>> = times
        .map(|samples| samples.into_iter().map(|(t, _)| t).collect())
        .collect();
    assert_eq!(times, [vec![0, 1], vec![0, 1], vec![1, 2], vec![2]]);
    // One source holds the range: its own order.
    let narrow = view.select(&[], TimeRange::new(1, 1)).unwrap();
    assert_eq!(order(&narrow), [4, 0, 3].map(labels_of));
}

#[test]
fn many_series_are_joined_in_whatever_order_sources_have_them() {
    let db = open();
    let heads = [Head::new(), Head::new()].map(Arc::new);
    let labels = |series: usize| {
        let own = series.to_string();
        Labels::from_pairs([("__name__", "m"), ("own", &own), ("zone", &own[..1])]).unwrap()
    };
    // 3000 series are in both, and each source is asked for its labels more than once.
    for i in 0..6000 {
        write_one(&heads[0], i, labels(i), 0, i as u64);
        let series = 3000 + i * 7919 % 6000;
        write_one(&heads[1], 6000 + i, labels(series), 1, series as u64);
    }
    let view = view(&db, heads.iter().map(Part::pinned).collect(), i64::MIN);
    let selection = view.select(&[], TimeRange::ALL).unwrap();
    assert_eq!(selection.len(), 9000);
    check_symbols(&selection);
    let content = content(&selection);
    for series in 0..9000 {
        let value = series as u64;
        let expected = match series {
            0..3000 => vec![(0, value)],
            3000..6000 => vec![(0, value), (1, value)],
            _ => vec![(1, value)],
        };
        assert_eq!(content[&labels(series)], expected, "series {series}");
    }
}

#[test]
fn the_active_head_lies_over_the_frozen_one() {
    let db = open();
    let frozen = Arc::new(Head::new());
    let active = Arc::new(Head::new());
    write(&frozen, 0..9, &[(0, 5, 1), (0, 6, 2), (1, 5, 3)]);
    write(&active, 10..19, &[(1, 4, 4), (0, 6, 5), (0, 2, 6)]);
    let sources = Sources {
        files: Vec::new(),
        frozen: vec![Arc::new(Frozen::new(&Epoch {
            head: frozen,
            ..Epoch::new(1)
        }))],
        active,
        earlier_rows: Applied::default(),
    };
    assert_eq!(sources.range(), Some(TimeRange::new(2, 6)));
    let view = view(&db, pin(&sources), i64::MIN);
    let selection = view.select(&[], TimeRange::ALL).unwrap();
    let expected = [
        (labels_of(0), vec![(2, 6), (5, 1), (6, 5)]),
        (labels_of(1), vec![(4, 4), (5, 3)]),
    ];
    assert_eq!(content(&selection), Content::from(expected));
}

#[test]
fn a_view_keeps_the_sources_of_its_moment() {
    let db = open();
    let put = |timestamp_ms: i64| {
        let mut batch = WriteBatch::new();
        let series = batch.series(SETS[0]).unwrap();
        batch.float(series, timestamp_ms, 1.5);
        db.write(&batch).unwrap();
    };
    let shown = |view: &View| {
        let selection = view.select(&[], TimeRange::ALL).unwrap();
        let (labels, samples) = series_of(&selection, 0);
        assert_eq!((selection.len(), labels), (1, labels_of(0)));
        samples.into_iter().map(|(t, _)| t).collect::<Vec<_>>()
    };
    put(0);
    let before = db.view();
    db.flush().unwrap();
    put(1);
    let between = db.view();
    put(2);
    db.flush().unwrap();
    assert_eq!(db.stats().segments, 2);
    assert_eq!(shown(&before), [0]);
    assert_eq!(shown(&between), [0, 1]);
    assert_eq!(shown(&db.view()), [0, 1, 2]);
}

#[test]
fn several_threads_read_one_selection() {
    let db = open();
    let heads = [Head::new(), Head::new()].map(Arc::new);
    let writes = |from: usize| -> Vec<Write> {
        (from..from + 4000)
            .map(|i| (i % SETS.len(), (i / 2) as i64, i as u64))
            .collect()
    };
    write(&heads[0], 0..4000, &writes(0));
    // Half of them lie over samples of the first head.
    write(&heads[1], 4000..8000, &writes(2000));
    let view = view(&db, heads.iter().map(Part::pinned).collect(), i64::MIN);
    let selection = view.select(&[], TimeRange::ALL).unwrap();
    let expected = content(&selection);
    assert_eq!(expected.len(), SETS.len());
    std::thread::scope(|scope| {
        let readers = [(); 4].map(|()| scope.spawn(|| content(&selection)));
        for reader in readers {
            assert_eq!(reader.join().unwrap(), expected);
        }
    });
}
