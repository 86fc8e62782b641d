//! When a head is put aside.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::db::bounds::sift;
use crate::db::committer::Committer;
use crate::db::flusher::Flusher;
use crate::db::recovery::{Recovered, recover};
use crate::db::sequencer::Unplaced;
use crate::db::successor::Request;
use crate::db::{Db, Handle, WriteBatch};
use crate::error::{Error, ErrorKind};
use crate::model::Seq;
use crate::sys::sim::SimDisk;
use crate::{Options, Samples, TimeRange};

const NOW_MS: i64 = 1_700_000_000_000;
/// Scrapes before a pod is gone.
const GONE: usize = 5;
/// Series of a scrape.
const SERIES: usize = 200;

/// A scrape of series that are named anew every `life` scrapes.
fn scrape(number: usize, life: usize) -> WriteBatch {
    scrape_of(number / life, number)
}

/// A scrape of the pod `pod`.
fn scrape_of(pod: usize, number: usize) -> WriteBatch {
    let mut batch = WriteBatch::new();
    let pod = format!("{pod:0100}");
    for series in 0..SERIES {
        let text = series.to_string();
        let labels = [("__name__", "m"), ("pod", &pod), ("series", &text)];
        let series = batch.series(&labels).unwrap();
        batch.float(series, NOW_MS + 15_000 * number as i64, number as f64);
    }
    batch
}

/// A database that does what it is told to.
struct Driven {
    db: Db,
    committer: Committer,
    flusher: Flusher,
}

impl Driven {
    fn open(disk: &SimDisk, options: &Options) -> Self {
        let Recovered {
            shared,
            committer,
            flusher,
            compactor: _,
        } = recover(disk.sys(NOW_MS), "/data".as_ref(), options).unwrap();
        Self {
            db: Db(Arc::new(Handle {
                shared,
                threads: Mutex::default(),
            })),
            committer,
            flusher,
        }
    }

    fn write(&mut self, batch: &WriteBatch) -> Result<(), Error> {
        let commit = self.db.submit(batch).unwrap().commit;
        let shared = &self.db.0.shared;
        let work = self.committer.take(&mut shared.sequencer.lock());
        self.committer.perform(work);
        let written = commit.wait();
        if let Some(request) = shared.flushing.take_request() {
            self.flusher.prepare(&request);
        }
        written
    }

    /// Series of the head that takes writes.
    fn series(&self) -> u64 {
        self.db.stats().series
    }

    /// Series with samples, and how many samples.
    fn count(&self) -> (usize, usize) {
        let view = self.db.view();
        let selection = view.select(&[], TimeRange::ALL).unwrap();
        let mut samples = Samples::default();
        let counts = (0..selection.len()).map(|series| {
            selection.samples(series, &mut samples).unwrap();
            samples.values.len()
        });
        (selection.len(), counts.sum())
    }
}

/// Writes scrapes of the pod 1 until a head is frozen, and [`GONE`] of the pod 0 before. Returns
/// how many there were.
fn write_until_frozen(driven: &mut Driven) -> usize {
    for number in 0..1_000 {
        let pod = usize::from(number >= GONE);
        driven.write(&scrape_of(pod, number)).unwrap();
        if driven.db.stats().heads_frozen > 0 {
            return number + 1;
        }
    }
    panic!("it grows without end");
}

/// A head that is large from the first sample on, and ends when there are enough of them.
fn small() -> Options {
    Options {
        head_bytes_max: 1,
        max_future: None,
        ..Options::default()
    }
}

/// Scrapes before the one with which a head is put aside.
fn scrapes_before_freeze(head_bytes_max: u64, life: usize) -> Option<usize> {
    let disk = SimDisk::new(1);
    let options = Options {
        head_bytes_max,
        max_future: None,
        ..Options::default()
    };
    let mut driven = Driven::open(&disk, &options);
    (0..1_000).find(|&number| {
        driven.write(&scrape(number, life)).unwrap();
        driven.db.stats().heads_frozen > 0
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

/// Whether all series of a scrape are known to the epoch that takes writes.
fn is_known(driven: &Driven, batch: &WriteBatch) -> bool {
    let shared = &driven.db.0.shared;
    let (accepted, _) = sift(batch, shared.bounds.window(shared.newest_ms()));
    let epoch = Arc::clone(&shared.epoch.read());
    let encoded = Unplaced::new(batch, &accepted).encode_if_known(&epoch);
    encoded.unwrap().is_some()
}

#[test]
fn the_next_head_knows_the_series_that_go_on() {
    let disk = SimDisk::new(1);
    let mut driven = Driven::open(&disk, &small());
    let scrapes = write_until_frozen(&mut driven);
    assert!((32..50).contains(&scrapes), "{scrapes}");
    assert_eq!(driven.series(), SERIES as u64);
    assert!(is_known(&driven, &scrape_of(1, scrapes)));
    assert!(!is_known(&driven, &scrape_of(0, scrapes)));
    assert_eq!(driven.count(), (2 * SERIES, scrapes * SERIES));
    // New series beside them.
    for pod in 1..3 {
        driven.write(&scrape_of(pod, scrapes)).unwrap();
    }
    let written = (3 * SERIES, (scrapes + 2) * SERIES);
    disk.crash();
    drop(driven);
    let mut driven = Driven::open(&disk, &small());
    assert_eq!(driven.count(), written);
    assert_eq!(driven.series(), 2 * SERIES as u64);
    driven.flusher.flush().unwrap();
    assert_eq!(driven.db.stats().heads_frozen, 0);
    assert_eq!(driven.count(), written);
}

#[test]
fn series_are_defined_by_writes_where_their_records_do_not_fit_on_the_disk() {
    let disk = SimDisk::new(1);
    let mut driven = Driven::open(&disk, &small());
    let scrapes = write_until_frozen(&mut driven);
    assert!(is_known(&driven, &scrape_of(1, scrapes)));
    disk.set_full(true);
    let refused = driven.write(&scrape_of(1, scrapes));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Full);
    disk.set_full(false);
    driven.write(&scrape_of(1, scrapes)).unwrap();
    let count = driven.count();
    assert_eq!(count.1, (scrapes + 1) * SERIES);
    disk.crash();
    drop(driven);
    let driven = Driven::open(&disk, &small());
    assert_eq!(driven.count(), count);
    assert_eq!(driven.db.stats().replay_damage, 0);
}

#[test]
fn for_an_epoch_that_has_ended_there_is_no_successor() {
    let disk = SimDisk::new(1);
    let mut driven = Driven::open(&disk, &small());
    driven.write(&scrape_of(1, 0)).unwrap();
    let shared = Arc::clone(&driven.db.0.shared);
    let request = || {
        let epoch = Arc::clone(&shared.epoch.read());
        Request {
            epoch: epoch.number,
            head: Arc::clone(&epoch.head),
            live_since: Seq::ZERO,
        }
    };
    let early = request();
    shared.flushing.ask_for_successor(request());
    shared.flushing.request();
    driven.write(&scrape_of(1, 1)).unwrap();
    assert_eq!(driven.db.stats().heads_frozen, 1);
    assert!(shared.flushing.take_request().is_none());
    driven.flusher.flush().unwrap();
    driven.flusher.prepare(&early);
    assert!(shared.successor.lock().is_none());
    driven.write(&scrape_of(1, 2)).unwrap();
    driven.flusher.prepare(&request());
    assert!(shared.successor.lock().is_some());
}
