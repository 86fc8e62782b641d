//! What there is most of is the same wherever it stands.

use crate::Options;
use crate::db::{Db, WriteBatch};
use crate::model::{Cardinality, Count, TimeRange};
use crate::sys::sim::SimDisk;

fn write(db: &Db, series: std::ops::Range<u32>, timestamp_ms: i64) {
    let mut batch = WriteBatch::new();
    for n in series {
        let (own, metric) = (n.to_string(), format!("metric_{}", n % 3));
        let labels = [("__name__", metric.as_str()), ("job", "j"), ("own", &own)];
        let series = batch.series(&labels).unwrap();
        batch.float(series, timestamp_ms, 1.0);
    }
    db.write(&batch).unwrap();
}

fn ask(db: &Db, start_ms: i64) -> Cardinality {
    let range = TimeRange::new(start_ms, i64::MAX);
    let found = db.view().cardinality(range, 3).unwrap();
    assert_eq!(found, db.view().cardinality(range, 3).unwrap());
    found
}

fn list(counts: &[Count]) -> Vec<String> {
    let counts = counts.iter();
    counts
        .map(|of| format!("{} {}", of.name, of.count))
        .collect()
}

#[test]
fn a_series_of_several_sources_is_counted_once() {
    let options = Options {
        max_future: None,
        ..Options::default()
    };
    let db = Db::open_with(SimDisk::new(1).sys(0), "/data", options).unwrap();
    assert_eq!(ask(&db, 0), Cardinality::default());
    write(&db, 0..10, 1000);
    let in_head = ask(&db, 0);
    assert_eq!((in_head.series, in_head.label_pairs), (10, 14));
    assert_eq!(in_head.range, Some(TimeRange::new(1000, 1000)));
    assert_eq!(
        list(&in_head.series_by_metric),
        ["metric_0 4", "metric_1 3", "metric_2 3"]
    );
    assert_eq!(
        list(&in_head.values_by_label),
        ["own 10", "__name__ 3", "job 1"]
    );
    assert_eq!(
        list(&in_head.bytes_by_label),
        ["__name__ 180", "job 60", "own 60"]
    );
    assert_eq!(
        list(&in_head.series_by_pair),
        ["job=j 10", "__name__=metric_0 4", "__name__=metric_1 3"]
    );

    db.flush().unwrap();
    assert_eq!(ask(&db, 0), in_head, "a segment");
    write(&db, 0..10, 1000);
    assert_eq!(ask(&db, 0), in_head, "a segment and a head");
    db.flush().unwrap();
    db.compact().unwrap();
    assert_eq!(ask(&db, 0), in_head, "a block");

    // Others later: each figure is that of the source that has most.
    write(&db, 6..18, 2000);
    let both = ask(&db, 0);
    assert_eq!(
        (both.series, both.range),
        (12, Some(TimeRange::new(1000, 2000)))
    );
    assert_eq!(
        list(&both.series_by_metric),
        ["metric_0 4", "metric_1 4", "metric_2 4"]
    );
    let later = ask(&db, 1500);
    assert_eq!(
        (later.series, later.range),
        (12, Some(TimeRange::new(2000, 2000)))
    );
    assert_eq!(ask(&db, 2001), Cardinality::default());
}
