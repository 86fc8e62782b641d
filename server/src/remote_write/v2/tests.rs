use proptest::prelude::*;
use silverback_storage::model::Exemplar;

use super::super::test_encoder::v2::{Request, histogram_field, sample};
use super::super::test_encoder::{bytes_field, varint, varint_field};
use super::*;

/// A series as the walk showed it.
#[derive(Clone, PartialEq, Debug)]
struct Seen {
    labels: Vec<(String, String)>,
    flaw: Option<String>,
    samples: Vec<Sample>,
    histograms: usize,
    exemplars: Vec<Result<String, String>>,
    metadata: Result<(MetricType, String, String), String>,
}

/// An exemplar as OpenMetrics writes it, nearly.
fn exemplar_of(exemplar: &Result<Exemplar, String>) -> Result<String, String> {
    let shown = |it: &Exemplar| format!("{} {} {}", it.labels, it.value, it.timestamp_ms);
    exemplar.as_ref().map(shown).map_err(Clone::clone)
}

fn decoded(body: &[u8]) -> Result<Vec<Seen>, String> {
    let mut seen = Vec::new();
    let walked = decode(body, |series| {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let exemplars = series.beside.exemplars.iter();
        seen.push(Seen {
            labels: series.labels.iter().map(own).collect(),
            flaw: series.flaw,
            samples: series.samples.to_vec(),
            histograms: series.beside.histograms.len(),
            exemplars: exemplars.map(exemplar_of).collect(),
            metadata: series
                .metadata
                .map(|it| (it.metric_type, it.unit.to_owned(), it.help.to_owned())),
        });
    });
    walked.map_err(|error| error.to_string())?;
    Ok(seen)
}

fn labels(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    pairs.iter().map(own).collect()
}

/// A series with one of everything.
fn full() -> Request {
    let mut request = Request::default();
    let fields = [
        request.refs(&[("job", "a"), ("__name__", "m")]),
        sample(5, 0, 1.5),
        sample(6, 3, -0.0),
        histogram_field(&super::super::test_encoder::empty_histogram(), 7, 2),
        request.exemplar(&[("trace_id", "x")], 4, 0.25),
        request.metadata(1, "what it is", "bytes"),
        // Reserved, and once the created timestamp.
        varint_field(6, 99),
    ];
    request.series(&fields);
    request
}

#[test]
fn all_kinds_are_read_wherever_the_strings_are() {
    let request = full();
    let seen = decoded(&request.encode()).unwrap();
    assert_eq!(decoded(&request.encode_backwards()).unwrap(), seen);
    let of = |timestamp_ms, start_timestamp_ms, value| Sample {
        timestamp_ms,
        start_timestamp_ms,
        value,
    };
    let expected = Seen {
        labels: labels(&[("job", "a"), ("__name__", "m")]),
        flaw: None,
        samples: vec![of(5, None, 1.5), of(6, Some(3), -0.0)],
        histograms: 1,
        exemplars: vec![Ok("{trace_id=\"x\"} 0.25 4".to_owned())],
        metadata: Ok((
            MetricType::Counter,
            "bytes".to_owned(),
            "what it is".to_owned(),
        )),
    };
    assert_eq!(seen, [expected]);
}

#[test]
fn lists_of_one_series_are_not_those_of_the_next() {
    let mut request = full();
    let refs = request.refs(&[("__name__", "next")]);
    request.series(&[refs]);
    let seen = decoded(&request.encode()).unwrap();
    assert_eq!(
        (
            seen[1].labels.len(),
            seen[1].samples.len(),
            seen[1].histograms,
            seen[1].exemplars.len()
        ),
        (1, 0, 0, 0)
    );
    assert_eq!(
        seen[1].metadata,
        Ok((MetricType::Unknown, String::new(), String::new()))
    );
}

#[test]
fn references_may_come_one_by_one() {
    let mut request = Request::default();
    let (name, value) = (request.symbol(b"__name__"), request.symbol(b"m"));
    request.series(&[varint_field(1, name), varint_field(1, value)]);
    assert_eq!(
        decoded(&request.encode()).unwrap()[0].labels,
        labels(&[("__name__", "m")])
    );
}

#[test]
fn references_that_lead_nowhere_are_told_with_the_series() {
    let mut request = Request::default();
    let name = request.symbol(b"__name__");
    let broken = request.symbol(b"\xff");
    let packed = |refs: &[u64]| {
        bytes_field(
            1,
            &refs.iter().flat_map(|&at| varint(at)).collect::<Vec<u8>>(),
        )
    };
    request.series(&[packed(&[name])]);
    request.series(&[packed(&[name, 7])]);
    request.series(&[packed(&[9, name])]);
    request.series(&[packed(&[name, name, name, broken])]);
    request.series(&[bytes_field(5, &varint_field(3, 8))]);
    request.series(&[bytes_field(5, &varint_field(4, broken))]);
    request.series(&[bytes_field(4, &packed(&[name]))]);
    let seen = decoded(&request.encode()).unwrap();
    for (series, text) in seen.iter().zip([
        "its labels are 1 references: names and values make an even number",
        "a label value is symbol 7, and there are 3",
        "a label name is symbol 9, and there are 3",
        "a label value is symbol 2, \"\u{fffd}\", which is not UTF-8",
    ]) {
        assert_eq!(series.flaw.as_deref(), Some(text));
    }
    // What can be shown of it is.
    assert_eq!(seen[3].labels, labels(&[("__name__", "__name__")]));
    let metadata: Vec<_> = seen[4..6]
        .iter()
        .map(|one| one.metadata.clone().unwrap_err())
        .collect();
    assert_eq!(metadata[0], "the help text is symbol 8, and there are 3");
    assert!(
        metadata[1].starts_with("the unit is symbol 2"),
        "{}",
        metadata[1]
    );
    assert!(
        seen[6].exemplars[0]
            .as_ref()
            .unwrap_err()
            .contains("an even number")
    );
}

#[test]
fn a_request_without_strings_has_the_empty_one() {
    let seen = decoded(&bytes_field(5, &bytes_field(1, &[0, 0]))).unwrap();
    assert_eq!(seen[0].labels, labels(&[("", "")]));
}

#[test]
fn errors_name_the_field_and_the_byte() {
    let table = [bytes_field(4, b""), bytes_field(4, b"a")].concat();
    let series = |fields: &[u8]| [table.clone(), bytes_field(5, fields)].concat();
    for (body, text) in [
        (
            bytes_field(4, b"a"),
            "Request.symbols at byte 0: the first string is not empty",
        ),
        (
            varint_field(4, 1),
            "Request.symbols at byte 0: it has the wrong type",
        ),
        (
            varint_field(5, 1),
            "Request.timeseries at byte 0: it has the wrong type",
        ),
        (vec![0x2a, 9], "Request at byte 0: it ends too early"),
        (
            series(&varint_field(1, 1 << 32)),
            "TimeSeries.labels_refs at byte 7: a number does not fit",
        ),
        (
            series(&bytes_field(1, &[0x80])),
            "TimeSeries.labels_refs at byte 9: it ends too early",
        ),
        (
            series(&bytes_field(1, &vec![1; 2 * LABELS_MAX + 1])),
            "TimeSeries.labels_refs at byte 9: there are more than 131072 references",
        ),
        (
            series(&bytes_field(4, &bytes_field(1, &[1; 257]))),
            "Exemplar.labels_refs at byte 11: there are more than 256 references",
        ),
        (
            series(&bytes_field(2, b"").repeat(SAMPLES_MAX + 1)),
            "TimeSeries.samples at byte 2097162: there are more than 1048576 samples",
        ),
        (
            series(&bytes_field(5, &varint_field(3, 1 << 40))),
            "Metadata.help_ref at byte 9: a number does not fit",
        ),
        (
            bytes_field(4, b"").repeat((1 << 20) + 1),
            "Request.symbols at byte 2097152: there are more than 1048576 strings",
        ),
        (
            series(&bytes_field(3, b"").repeat(1 << 17)),
            "TimeSeries.histograms",
        ),
        (
            series(&bytes_field(4, b"").repeat(1 << 18)),
            "TimeSeries.exemplars",
        ),
    ] {
        let error = decoded(&body).unwrap_err();
        assert!(error.starts_with(text), "{error}");
    }
}

#[test]
fn an_exemplar_of_long_strings_is_not_copied() {
    let mut request = Request::default();
    let long = "x".repeat(1 << 20);
    let names: Vec<String> = (0..17).map(|i| format!("{i}")).collect();
    let pairs: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), long.as_str()))
        .collect();
    let exemplar = request.exemplar(&pairs, 1, 1.0);
    request.series(&[exemplar]);
    let error = decoded(&request.encode()).unwrap_err();
    assert!(
        error.contains("there are more than 16777216 bytes of histograms and exemplars"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        pairs in prop::collection::vec(("\\PC{0,4}", "\\PC{0,9}"), 0..5),
        points in prop::collection::vec((any::<i64>(), any::<i64>(), any::<u64>()), 0..5),
    ) {
        let mut request = Request::default();
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let mut fields = vec![request.refs(&pairs)];
        fields.extend(points.iter().map(|&(at, start, bits)| sample(at, start, f64::from_bits(bits))));
        request.series(&fields);
        let seen = decoded(&request.encode()).unwrap().remove(0);
        prop_assert_eq!((seen.labels, seen.flaw), (labels(&pairs), None));
        let got = seen.samples.iter().map(|s| {
            (s.timestamp_ms, s.start_timestamp_ms.unwrap_or(0), s.value.to_bits())
        });
        prop_assert_eq!(got.collect::<Vec<_>>(), points);
    }

    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decoded(&body);
    }

    #[test]
    fn damage_never_panics(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = full().encode();
        let at = at.index(body.len());
        body[at] = byte;
        let _ = decoded(&body);
        let _ = decoded(&body[..at]);
    }
}
