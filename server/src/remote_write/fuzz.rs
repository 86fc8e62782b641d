//! What holds of write requests of any bytes.

use std::cell::RefCell;

use silverback_storage::sys::sim::SimDisk;
use silverback_storage::{Db, Options, WriteBatch};

use super::compression::Compression;
use super::receive::fill;
use super::rules::Rules;
use super::tally::Tally;
use super::test_encoder::v2::{Request, histogram_field, sample};
use super::test_encoder::{
    TestSeries, empty_histogram, exemplar, histogram, metadata, write_request,
};
use super::v1::{Part, Sample, Taker};
use super::{LeftOut, Version};
use crate::config::LabelLimits;

pub(crate) use super::relabel::fuzz::{run as relabel, seeds as relabel_seeds};

/// The most bytes that a body may decode to.
const DECODED_BYTES_MAX: usize = 1 << 20;
/// The most bytes that the rows of a request may take in memory.
const ROW_BYTES_MAX: usize = 4 << 20;
/// After so many requests a database is put in the place of the one that took them.
const REQUESTS_MAX: usize = 200;

/// A compressed body. It is refused, or decoded to no more bytes than it said and than is taken, and
/// to what another decoder of snappy makes of it; whatever is compressed comes back.
pub(crate) fn compression(data: &[u8]) -> bool {
    let decoded = decoded(data);
    assert!(
        decoded
            .as_ref()
            .is_none_or(|decoded| decoded.len() <= DECODED_BYTES_MAX)
    );
    if Compression::of(data) == Compression::Snappy
        && snap::raw::decompress_len(data).is_ok_and(|bytes| bytes <= DECODED_BYTES_MAX)
    {
        let theirs = snap::raw::Decoder::new().decompress_vec(data);
        assert_eq!(decoded, theirs.ok());
    }
    if data.len() <= DECODED_BYTES_MAX {
        let bodies = [
            snap::raw::Encoder::new().compress_vec(data).ok(),
            zstd::bulk::compress(data, 1).ok(),
            zstd::stream::encode_all(data, 1).ok(),
        ];
        for body in bodies {
            let again = body.and_then(|body| self::decoded(&body));
            assert_eq!(again.as_deref(), Some(data));
        }
    }
    decoded.is_some()
}

fn decoded(body: &[u8]) -> Option<Vec<u8>> {
    let compression = Compression::of(body);
    let bytes = compression.decoded_len(body, DECODED_BYTES_MAX).ok()?;
    let mut buffer = Vec::new();
    let message = compression.decode(body, bytes, &mut buffer).ok()?;
    assert!(message.len() <= bytes);
    Some(message.to_vec())
}

/// A message of version 1.0. What is read of its series comes back from what it is encoded to, and
/// the batch is the same whether its series are known or not.
pub(crate) fn v1(data: &[u8]) -> bool {
    let (series, is_whole) = series_of(data);
    let (again, is_whole_again) = series_of(&write_request(&series, 0));
    assert!(is_whole_again);
    assert_same(&again, &series);
    assert_eq!(filled(Version::V1, data), is_whole);
    is_whole
}

/// A message of version 2.0. The batch is the same whether its series are known or not.
pub(crate) fn v2(data: &[u8]) -> bool {
    filled(Version::V2, data)
}

/// Keeps the labels and samples of series.
#[derive(Default)]
struct Keeper(Vec<TestSeries>);

impl<'a> Taker<'a> for Keeper {
    fn take_known(&mut self, _fields: &[u8], _sample: Sample) -> bool {
        false
    }

    fn take(&mut self, part: Part<'a, '_>) {
        if let Part::Series(series) = part {
            let labels = series.labels.iter();
            self.0.push(TestSeries {
                labels: labels
                    .map(|(name, value)| ((*name).into(), (*value).into()))
                    .collect(),
                samples: series.samples.to_vec(),
                ..TestSeries::default()
            });
        }
    }
}

fn series_of(message: &[u8]) -> (Vec<TestSeries>, bool) {
    let mut keeper = Keeper::default();
    let decoded = super::v1::decode(message, &mut keeper);
    if let Err(error) = &decoded {
        assert!(!error.to_string().is_empty());
    }
    (keeper.0, decoded.is_ok())
}

fn assert_same(some: &[TestSeries], others: &[TestSeries]) {
    assert_eq!(some.len(), others.len());
    for (one, other) in some.iter().zip(others) {
        assert_eq!(one.labels, other.labels);
        let samples = |series: &TestSeries| -> Vec<(i64, u64)> {
            let samples = series.samples.iter();
            samples
                .map(|sample| (sample.timestamp_ms, sample.value.to_bits()))
                .collect()
        };
        assert_eq!(samples(one), samples(other));
    }
}

thread_local! {
    static DATABASE: RefCell<(usize, Option<Db>)> = const { RefCell::new((0, None)) };
}

/// A database that took some of the requests before.
fn database() -> Db {
    DATABASE.with_borrow_mut(|(requests, db)| {
        *requests += 1;
        if *requests % REQUESTS_MAX == 0 {
            *db = None;
        }
        let db = db.get_or_insert_with(|| {
            let options = Options {
                max_future: None,
                ..Options::default()
            };
            let db = Db::open_with(SimDisk::new(0).sys(0), "/data", options);
            let Ok(db) = db else {
                unreachable!("a simulated disk does not fail");
            };
            db
        });
        db.clone()
    })
}

/// Fills a batch, stores it, and fills it again: now the series are known. Whether the message was
/// one.
fn filled(version: Version, message: &[u8]) -> bool {
    let (db, rules) = (
        database(),
        Rules::new(LabelLimits::default(), ROW_BYTES_MAX),
    );
    let mut batch = WriteBatch::new();
    let (first, is_whole) = fill_once(&db, &rules, version, message, &mut batch);
    if !is_whole || first.1 > ROW_BYTES_MAX {
        return is_whole;
    }
    let written = db.write(&batch);
    assert!(written.is_ok(), "{written:?}");
    let (second, is_whole) = fill_once(&db, &rules, version, message, &mut batch);
    assert!(is_whole);
    assert_eq!((first.0, first.2), (second.0, second.2));
    true
}

/// Samples in the batch, bytes of its rows, what was left out.
type Filled = (usize, usize, LeftOut);

fn fill_once(
    db: &Db,
    rules: &Rules,
    version: Version,
    message: &[u8],
    batch: &mut WriteBatch,
) -> (Filled, bool) {
    let mut tally = Tally::default();
    let filled = fill(db, rules, version, message, batch, &mut tally);
    let told = (batch.sample_count(), tally.row_bytes, tally.left_out);
    (told, filled.is_ok())
}

const AT_MS: i64 = 1_700_000_000_000;

pub(crate) fn compression_seeds() -> Vec<Vec<u8>> {
    let messages = [v1_seeds(), v2_seeds()].concat();
    let bodies = messages.iter().flat_map(|message| {
        [
            snap::raw::Encoder::new().compress_vec(message).ok(),
            zstd::bulk::compress(message, 1).ok(),
            zstd::stream::encode_all(message.as_slice(), 1).ok(),
        ]
    });
    bodies.flatten().collect()
}

pub(crate) fn v1_seeds() -> Vec<Vec<u8>> {
    let labels = |instance| [("__name__", "up"), ("instance", instance), ("job", "node")];
    let plain = TestSeries::new(&labels("host-1:9100"), &[(AT_MS, 1.0)]);
    let many = TestSeries::new(
        &labels("é"),
        &[(AT_MS, f64::NAN), (AT_MS + 1, -0.0), (-1, 1e300)],
    );
    let mut full = TestSeries::new(&[("job", "x"), ("__name__", "h"), ("a", "")], &[]);
    full.exemplars
        .push(exemplar(&[("trace_id", "abc")], AT_MS, 0.25));
    full.histograms
        .push(histogram(&empty_histogram(), AT_MS, 17));
    let said = metadata("rpc_seconds", 3, "How long calls take.", "seconds");
    vec![
        vec![],
        write_request(&[plain.clone(), many], 0),
        write_request(&[plain, full], 2),
        said,
    ]
}

pub(crate) fn v2_seeds() -> Vec<Vec<u8>> {
    let mut request = Request::default();
    let labels = request.refs(&[("__name__", "rpc_seconds"), ("instance", "host-1:9100")]);
    let example = request.exemplar(&[("trace_id", "abc")], AT_MS, 0.25);
    let said = request.metadata(3, "How long calls take.", "seconds");
    request.series(&[
        labels.clone(),
        histogram_field(&empty_histogram(), AT_MS, 5),
        example,
        said,
    ]);
    request.series(&[labels, sample(AT_MS, 0, 1.5), sample(AT_MS + 1, AT_MS, 2.5)]);
    vec![vec![], request.encode(), request.encode_backwards()]
}
