//! When a head is put aside.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::Options;
use crate::db::recovery::{Recovered, recover};
use crate::db::{Db, Handle, WriteBatch};
use crate::sys::sim::SimDisk;

const NOW_MS: i64 = 1_700_000_000_000;
/// Series of a scrape.
const SERIES: usize = 200;

/// A scrape of series that are named anew every `life` scrapes.
fn scrape(number: usize, life: usize) -> WriteBatch {
    let mut batch = WriteBatch::new();
    let pod = format!("{:0100}", number / life);
    for series in 0..SERIES {
        let text = series.to_string();
        let labels = [("__name__", "m"), ("pod", &pod), ("series", &text)];
        let series = batch.series(&labels).unwrap();
        batch.float(series, NOW_MS + 15_000 * number as i64, number as f64);
    }
    batch
}

/// Scrapes before the one with which a head is put aside.
fn scrapes_before_freeze(head_bytes_max: u64, life: usize) -> Option<usize> {
    let disk = SimDisk::new(1);
    let options = Options {
        head_bytes_max,
        max_future: None,
        ..Options::default()
    };
    let recovered = recover(disk.sys(NOW_MS), "/data".as_ref(), &options).unwrap();
    let Recovered {
        shared,
        mut committer,
        flusher: _,
        compactor: _,
    } = recovered;
    let db = Db(Arc::new(Handle {
        shared,
        threads: Mutex::default(),
    }));
    (0..1_000).find(|&number| {
        let commit = db.submit(&scrape(number, life)).unwrap().commit;
        let work = committer.take(&mut db.0.shared.sequencer.lock());
        committer.perform(work);
        commit.wait().unwrap();
        db.stats().heads_frozen > 0
    })
}

#[test]
fn a_head_of_series_that_are_gone_is_put_aside() {
    // Half the size is reached with some 1,000 series, of which 200 are live: there are 32 samples
    // for each of them, those of earlier names included, and they are counted in one more round.
    let scrapes = scrapes_before_freeze(256 << 10, 10).expect("it grows without end");
    assert!((32..150).contains(&scrapes), "{scrapes}");
}

#[test]
fn a_head_of_live_series_waits_for_samples_enough() {
    // Large from the first sample on.
    assert_eq!(scrapes_before_freeze(1, usize::MAX), Some(32));
}
