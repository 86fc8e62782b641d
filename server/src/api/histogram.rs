//! Native histograms as Prometheus writes them.

use silverback_query::FloatHistogram;

use super::json;

/// `{"count":"3","sum":"4.5","buckets":[[0,"1","2","3"]]}`: of buckets that hold something
/// whether their bounds belong to them (0: the upper one, 1: the lower one, 2: neither, 3: both),
/// the bounds and the count.
pub(super) fn write(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    out.extend_from_slice(br#"{"count":"#);
    json::float(out, histogram.count);
    out.extend_from_slice(br#","sum":"#);
    json::float(out, histogram.sum);
    let buckets = histogram.buckets();
    let mut any = false;
    for bucket in buckets.iter().filter(|bucket| bucket.count != 0.0) {
        out.extend_from_slice(if any { b"," } else { br#","buckets":["# });
        any = true;
        out.extend_from_slice(match (bucket.lower_inclusive, bucket.upper_inclusive) {
            (true, true) => b"[3,",
            (true, false) => b"[1,",
            (false, true) => b"[0,",
            (false, false) => b"[2,",
        });
        json::float(out, bucket.lower);
        out.push(b',');
        json::float(out, bucket.upper);
        out.push(b',');
        json::float(out, bucket.count);
        out.push(b']');
    }
    out.extend_from_slice(if any { b"]}" } else { b"}" });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(histogram: &FloatHistogram) -> String {
        let mut out = Vec::new();
        write(&mut out, histogram);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_histogram_is_written_with_its_bounds() {
        let histogram = FloatHistogram {
            zero_threshold: 0.001,
            zero_count: 2.0,
            count: 12.5,
            sum: 18.4,
            positive: vec![(0, 1.0), (1, 0.0), (2, 1.5)],
            negative: vec![(0, 3.0), (1, 5.0)],
            ..FloatHistogram::default()
        };
        assert_eq!(
            written(&histogram),
            r#"{"count":"12.5","sum":"18.4","buckets":[[1,"-2","-1","5"],[1,"-1","-0.5","3"],[3,"-0.001","0.001","2"],[0,"0.5","1","1"],[0,"2","4","1.5"]]}"#
        );
        assert_eq!(
            written(&FloatHistogram::default()),
            r#"{"count":"0","sum":"0"}"#
        );
    }
}
