//! The walk over a `prometheus.WriteRequest` (prompb/remote.proto, prompb/types.proto) where it
//! lies: labels are borrowed from the body, and the lists of one series serve the next one too.

mod beside;

use super::beside::{Beside, FamilyMetadata};
use super::decode_error::{DecodeError, within};
use super::protobuf::{Field, Malformed, Reader};
use super::{histogram, shape};

/// What is read of one series at most, so that a body costs no more memory than a few times its
/// size. The limits that a user sets are lower.
const LABELS_MAX: usize = 1 << 16;
const SAMPLES_MAX: usize = 1 << 20;

/// A float sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Sample {
    /// Milliseconds since the Unix epoch.
    pub(crate) timestamp_ms: i64,
    /// The value, to the bit.
    pub(crate) value: f64,
}

/// One series of a request. Nothing of it has been checked but that it is well-formed.
#[derive(Debug)]
pub(super) struct TimeSeries<'a, 's> {
    /// The bytes of the labels' fields, where they come before all others.
    pub(super) fields: Option<&'a [u8]>,
    /// Names and values in the order of the request.
    pub(super) labels: &'s [(&'a str, &'a str)],
    /// The first label that is not UTF-8, and so not among `labels`, as far as it can be read.
    pub(super) not_utf8: Option<String>,
    /// Float samples in the order of the request.
    pub(super) samples: &'s [Sample],
    /// Its histograms and exemplars, for the taking.
    pub(super) beside: &'s mut Beside,
}

/// A part of a request.
#[derive(Debug)]
pub(super) enum Part<'a, 's> {
    Series(TimeSeries<'a, 's>),
    /// What is said of a metric family, or what is wrong with it.
    Metadata(Result<FamilyMetadata<'a>, String>),
}

/// Who takes what a request says.
pub(super) trait Taker<'a> {
    /// Takes a sample of a series by the bytes of its labels' fields, if it knows those. Bytes
    /// that are not such fields it never knows.
    fn take_known(&mut self, fields: &[u8], sample: Sample) -> bool;

    /// Takes a series, or what is said of a metric family.
    fn take(&mut self, part: Part<'a, '_>);
}

/// Hands each series of the request, and all that is said of metrics, to `taker` in turn.
/// Unknown fields are skipped, as protobuf asks.
///
/// # Errors
/// Bytes that are not a WriteRequest. What comes before them was taken already.
pub(super) fn decode<'a>(body: &'a [u8], taker: &mut impl Taker<'a>) -> Result<(), DecodeError> {
    let mut request = Reader::new(body);
    let mut scratch = Scratch::default();
    loop {
        // Nearly all of a request.
        while let Some(series) = request.next_message(1) {
            take_series(series, &mut scratch, taker)?;
        }
        let Some(field) = within("WriteRequest", request.next())? else {
            return Ok(());
        };
        match field.number {
            1 => {
                let series = within("WriteRequest.timeseries", field.message())?;
                take_series(series, &mut scratch, taker)?;
            }
            3 => {
                let metadata = within("WriteRequest.metadata", field.message())?;
                taker.take(Part::Metadata(beside::metadata(metadata)?));
            }
            _ => {}
        }
    }
}

#[inline(always)]
fn take_series<'a>(
    series: Reader<'a>,
    scratch: &mut Scratch<'a>,
    taker: &mut impl Taker<'a>,
) -> Result<(), DecodeError> {
    let is_known = shape::last_sample(series.bytes())
        .is_some_and(|(fields, sample)| taker.take_known(fields, sample));
    if !is_known {
        taker.take(Part::Series(scratch.read(series)?));
    }
    Ok(())
}

/// The lists of a series, used again for the next one.
#[derive(Default)]
struct Scratch<'a> {
    labels: Vec<(&'a str, &'a str)>,
    samples: Vec<Sample>,
    beside: Beside,
}

impl<'a> Scratch<'a> {
    fn read(&mut self, mut series: Reader<'a>) -> Result<TimeSeries<'a, '_>, DecodeError> {
        self.labels.clear();
        self.samples.clear();
        self.beside.clear();
        let mut not_utf8 = None;
        // Where the labels end that come first, and where those end that were read.
        let (mut first_end, mut labels_end, mut field_start) = (0, 0, 0);
        while let Some(field) = within("TimeSeries", series.next())? {
            let start = std::mem::replace(&mut field_start, series.position());
            match field.number {
                1 if self.labels.len() == LABELS_MAX => {
                    let error = Malformed::TooMany("labels of a series", LABELS_MAX);
                    return within("TimeSeries.labels", Err(error.at(field.offset)));
                }
                1 => {
                    labels_end = series.position();
                    if start == first_end {
                        first_end = labels_end;
                    }
                    match read_label(field)? {
                        Ok(label) => self.labels.push(label),
                        Err(shown) => not_utf8 = not_utf8.or(Some(shown)),
                    }
                }
                2 if self.samples.len() == SAMPLES_MAX => {
                    let error = Malformed::TooMany("samples of a series", SAMPLES_MAX);
                    return within("TimeSeries.samples", Err(error.at(field.offset)));
                }
                2 => self.samples.push(read_sample(field)?),
                3 => {
                    let (name, offset) = ("TimeSeries.exemplars", field.offset);
                    let exemplar = beside::exemplar(within(name, field.message())?)?;
                    within(name, self.beside.exemplar(&exemplar, offset))?;
                }
                4 => {
                    let (name, offset) = ("TimeSeries.histograms", field.offset);
                    let sample = histogram::read(within(name, field.message())?)?;
                    within(name, self.beside.histogram(sample, offset))?;
                }
                _ => {}
            }
        }
        let are_first = first_end == labels_end;
        Ok(TimeSeries {
            fields: series.bytes().get(..first_end).filter(|_| are_first),
            labels: &self.labels,
            not_utf8,
            samples: &self.samples,
            beside: &mut self.beside,
        })
    }
}

/// A label, or what can be shown of one that is not UTF-8.
type Label<'a> = Result<(&'a str, &'a str), String>;

fn read_label(field: Field<'_>) -> Result<Label<'_>, DecodeError> {
    let label = within("TimeSeries.labels", field.message())?;
    let (name, value) = match shape::label(label.bytes()) {
        Some(label) => label,
        None => walk_label(label)?,
    };
    Ok(
        match (std::str::from_utf8(name), std::str::from_utf8(value)) {
            (Ok(name), Ok(value)) => Ok((name, value)),
            _ => Err(format!(
                "{}={:?}",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value)
            )),
        },
    )
}

fn walk_label(mut label: Reader<'_>) -> Result<(&[u8], &[u8]), DecodeError> {
    // What proto3 leaves out is empty.
    let (mut name, mut value) = (&[][..], &[][..]);
    while let Some(field) = within("Label", label.next())? {
        match field.number {
            1 => name = within("Label.name", field.message())?.bytes(),
            2 => value = within("Label.value", field.message())?.bytes(),
            _ => {}
        }
    }
    Ok((name, value))
}

fn read_sample(field: Field<'_>) -> Result<Sample, DecodeError> {
    let message = within("TimeSeries.samples", field.message())?;
    match shape::sample(message.bytes()) {
        Some(sample) => Ok(sample),
        None => walk_sample(message),
    }
}

fn walk_sample(mut message: Reader<'_>) -> Result<Sample, DecodeError> {
    // What proto3 leaves out is 0.
    let mut sample = Sample {
        timestamp_ms: 0,
        value: 0.0,
    };
    while let Some(field) = within("Sample", message.next())? {
        match field.number {
            1 => sample.value = within("Sample.value", field.double())?,
            2 => sample.timestamp_ms = within("Sample.timestamp", field.int64())?,
            _ => {}
        }
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use silverback_storage::model::MetricType;

    use super::super::test_encoder::{
        TestSeries, bytes_field, exemplar, fixed64_field, metadata, varint_field, write_request,
    };
    use super::*;

    /// One that knows no series.
    impl<'a, F: FnMut(Part<'a, '_>)> Taker<'a> for F {
        fn take_known(&mut self, _: &[u8], _: Sample) -> bool {
            false
        }

        fn take(&mut self, part: Part<'a, '_>) {
            self(part);
        }
    }

    /// What the walk saw: labels, samples as bits, exemplars, histograms.
    type Seen = (Vec<(String, String)>, Vec<(i64, u64)>, usize, usize);

    fn decoded(body: &[u8]) -> Result<(Vec<Seen>, usize), DecodeError> {
        let (mut seen, mut metadata) = (Vec::new(), 0);
        decode(body, &mut |part: Part<'_, '_>| {
            let Part::Series(series) = part else {
                metadata += 1;
                return;
            };
            let labels = series
                .labels
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            let samples = series
                .samples
                .iter()
                .map(|s| (s.timestamp_ms, s.value.to_bits()));
            seen.push((
                labels.collect(),
                samples.collect(),
                series.beside.exemplars.len(),
                series.beside.histograms.len(),
            ));
        })?;
        Ok((seen, metadata))
    }

    #[test]
    fn fields_in_any_order_and_unknown_ones() {
        let label = [
            bytes_field(2, b"up"),
            varint_field(9, 1),
            bytes_field(1, b"__name__"),
        ];
        let sample = [
            varint_field(2, 5),
            varint_field(3, 1),
            fixed64_field(1, 2.5f64.to_bits()),
        ];
        let series = [
            bytes_field(2, &sample.concat()),
            fixed64_field(7, 1),
            bytes_field(1, &label.concat()),
            bytes_field(2, b""),
        ];
        let body = [bytes_field(15, b"?"), bytes_field(1, &series.concat())].concat();
        let (seen, metadata) = decoded(&body).unwrap();
        assert_eq!(metadata, 0);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].0, [("__name__".to_owned(), "up".to_owned())]);
        assert_eq!(seen[0].1, [(5, 2.5f64.to_bits()), (0, 0)]);
    }

    #[test]
    fn errors_name_the_field_and_the_byte() {
        let label = bytes_field(1, &bytes_field(1, &varint_field(1, 3)));
        let sample = bytes_field(1, &bytes_field(2, &varint_field(1, 3)));
        for (body, text) in [
            (label, "Label.name at byte 4: it has the wrong type"),
            (sample, "Sample.value at byte 4: it has the wrong type"),
            (
                varint_field(1, 3),
                "WriteRequest.timeseries at byte 0: it has the wrong type",
            ),
            (
                vec![0x0a, 0x7f],
                "WriteRequest at byte 0: it ends too early",
            ),
            (
                vec![0x0b],
                "WriteRequest at byte 0: wire type 3 is not supported",
            ),
        ] {
            let error = decoded(&body).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_label_that_is_not_utf8_is_set_apart() {
        let mut series = TestSeries::new(&[("__name__", "up")], &[(1, 1.0)]);
        series.labels.push((b"zone".to_vec(), b"a\xff".to_vec()));
        let mut shown = None;
        decode(&write_request(&[series], 0), &mut |part: Part<'_, '_>| {
            let Part::Series(series) = part else {
                panic!("no series: {part:?}");
            };
            assert_eq!(series.labels, [("__name__", "up")]);
            shown = series.not_utf8;
        })
        .unwrap();
        assert_eq!(shown.unwrap(), "zone=\"a\u{fffd}\"");
    }

    #[test]
    fn exemplars_and_metadata_are_read_whole() {
        let mut series = TestSeries::new(&[("__name__", "h")], &[]);
        series.exemplars = vec![exemplar(&[("trace_id", "a"), ("b", "c")], -5, 0.25)];
        let body = [
            write_request(&[series], 0),
            metadata("h", 3, "what", "seconds"),
        ]
        .concat();
        let (mut exemplars, mut said) = (Vec::new(), Vec::new());
        decode(&body, &mut |part: Part<'_, '_>| match part {
            Part::Series(series) => exemplars.append(&mut series.beside.exemplars),
            Part::Metadata(metadata) => {
                let FamilyMetadata {
                    metric,
                    metric_type,
                    unit,
                    help,
                } = metadata.unwrap();
                said.push((
                    metric.to_owned(),
                    metric_type,
                    unit.to_owned(),
                    help.to_owned(),
                ));
            }
        })
        .unwrap();
        let exemplar = exemplars.remove(0).unwrap();
        assert_eq!(exemplar.labels.to_string(), r#"{b="c", trace_id="a"}"#);
        assert_eq!((exemplar.timestamp_ms, exemplar.value), (-5, 0.25));
        let text = str::to_owned;
        let expected = (
            text("h"),
            MetricType::Histogram,
            text("seconds"),
            text("what"),
        );
        assert_eq!(said, [expected]);
    }

    #[test]
    fn what_is_not_utf8_beside_the_samples_is_told() {
        let label = [bytes_field(1, b"a"), bytes_field(2, b"\xff")].concat();
        let exemplar = bytes_field(3, &bytes_field(1, &label));
        let metadata = [bytes_field(2, b"m"), bytes_field(4, b"\xff")].concat();
        let body = [bytes_field(1, &exemplar), bytes_field(3, &metadata)].concat();
        let mut told = Vec::new();
        decode(&body, &mut |part: Part<'_, '_>| match part {
            Part::Series(series) => told.push(series.beside.exemplars.remove(0).unwrap_err()),
            Part::Metadata(metadata) => told.push(metadata.unwrap_err()),
        })
        .unwrap();
        assert_eq!(
            told,
            [
                "label a=\"\u{fffd}\" is not UTF-8",
                "the help of the metadata of \"m\" is not UTF-8"
            ]
        );
    }

    #[test]
    fn a_series_has_an_end() {
        for (field, what) in [
            (1, "labels"),
            (2, "samples"),
            (3, "bytes of"),
            (4, "bytes of"),
        ] {
            let body = bytes_field(1, &bytes_field(field, b"").repeat((1 << 20) + 1));
            let error = decoded(&body).unwrap_err().to_string();
            assert!(
                error.contains("there are more than") && error.contains(what),
                "{error}"
            );
        }
    }

    fn series() -> impl Strategy<Value = TestSeries> {
        let label = ("[a-zé_]{0,6}", "\\PC{0,6}|x{120,140}")
            .prop_map(|(n, v)| (n.into_bytes(), v.into_bytes()));
        let sample = (any::<i64>(), any::<u64>()).prop_map(|(timestamp_ms, bits)| Sample {
            timestamp_ms,
            value: f64::from_bits(bits),
        });
        let zero = Just(Sample {
            timestamp_ms: 0,
            value: 0.0,
        });
        (
            prop::collection::vec(label, 0..5),
            prop::collection::vec(prop_oneof![4 => sample, 1 => zero], 0..5),
            0usize..3,
            0usize..3,
        )
            .prop_map(|(labels, samples, exemplars, histograms)| TestSeries {
                labels,
                samples,
                exemplars: vec![exemplar(&[("trace_id", "a")], 1, 1.0); exemplars],
                histograms: vec![varint_field(1, 3); histograms],
            })
    }

    proptest! {
        #[test]
        fn shapes_say_what_the_walk_says(
            body in prop_oneof![
                // Bytes that are nearly of the shape, and ones that are not.
                prop::collection::vec(
                    prop::sample::select(&[0x0a, 0x12, 0x09, 0x10, 1, 2, 8, 0x80, b'a'][..]),
                    0..24,
                ),
                prop::collection::vec(any::<u8>(), 0..24),
            ]
        ) {
            if let Some(label) = shape::label(&body) {
                prop_assert_eq!(label, walk_label(Reader::new(&body)).unwrap());
            }
            if let Some(sample) = shape::sample(&body) {
                let walked = walk_sample(Reader::new(&body)).unwrap();
                prop_assert_eq!(sample.timestamp_ms, walked.timestamp_ms);
                prop_assert_eq!(sample.value.to_bits(), walked.value.to_bits());
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decoded(&body);
        }

        #[test]
        fn damaged_requests_never_panic(
            series in prop::collection::vec(series(), 1..4),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut body = write_request(&series, 1);
            let at = at.index(body.len());
            body[at] = byte;
            let _ = decoded(&body);
            let _ = decoded(&body[..cut.index(body.len())]);
        }

        #[test]
        fn what_is_written_is_read(
            series in prop::collection::vec(series(), 0..5),
            metadata in 0usize..3,
        ) {
            let (seen, counted) = decoded(&write_request(&series, metadata)).unwrap();
            prop_assert_eq!(counted, metadata);
            prop_assert_eq!(seen.len(), series.len());
            for (seen, sent) in seen.iter().zip(&series) {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let labels: Vec<_> = sent.labels.iter().map(|(n, v)| (text(n), text(v))).collect();
                let samples: Vec<_> =
                    sent.samples.iter().map(|s| (s.timestamp_ms, s.value.to_bits())).collect();
                prop_assert_eq!(&seen.0, &labels);
                prop_assert_eq!(&seen.1, &samples);
                prop_assert_eq!((seen.2, seen.3), (sent.exemplars.len(), sent.histograms.len()));
            }
        }
    }
}
