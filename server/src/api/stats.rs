//! `stats` and `explain`: what a query took and what was done for it, beside its answer.

use std::io::Write;
use std::time::Duration;

use silverback_query::{PlanNode, QueryStats};

use super::json;
use super::params::StatsWanted;

/// The statistics of a query that waited for its turn so long, as Prometheus gives them.
pub(super) fn json(stats: &QueryStats, queued: Duration, wanted: StatsWanted) -> Vec<u8> {
    let evaluated = stats.preparation + stats.evaluation + stats.sorting;
    let timings = [
        ("evalTotalTime", evaluated),
        ("resultSortTime", stats.sorting),
        ("queryPreparationTime", stats.preparation),
        ("innerEvalTime", stats.evaluation),
        ("execQueueTime", queued),
        ("execTotalTime", queued + evaluated),
    ];
    let mut out = br#"{"timings":{"#.to_vec();
    for (at, (name, duration)) in timings.into_iter().enumerate() {
        let separator = if at == 0 { "" } else { "," };
        // A vector takes all that is written to it.
        let _ = write!(out, r#"{separator}"{name}":{}"#, duration.as_secs_f64());
    }
    out.extend_from_slice(br#"},"samples":{"#);
    if wanted == StatsWanted::PerStep {
        per_step(
            &mut out,
            "totalQueryableSamplesPerStep",
            &stats.queryable_per_step,
        );
    }
    let _ = write!(out, r#""totalQueryableSamples":{},"#, stats.queryable());
    if wanted == StatsWanted::PerStep {
        per_step(&mut out, "samplesReadPerStep", &stats.read_per_step);
    }
    let _ = write!(
        out,
        r#""samplesRead":{},"peakSamples":{}}}}}"#,
        stats.read(),
        stats.samples_peak
    );
    out
}

fn per_step(out: &mut Vec<u8>, name: &str, steps: &[(i64, u64)]) {
    let _ = write!(out, r#""{name}":["#);
    for (at, (time_ms, samples)) in steps.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.push(b'[');
        json::float_timestamp(out, *time_ms);
        let _ = write!(out, ",{samples}]");
    }
    out.extend_from_slice(b"],");
}

/// What was done for a query, each node with what it asked for.
pub(super) fn explain(nodes: &[PlanNode]) -> Vec<u8> {
    let mut out = Vec::new();
    list(&mut out, nodes);
    out
}

/// As deep as an expression may be, which is not very.
fn list(out: &mut Vec<u8>, nodes: &[PlanNode]) {
    out.push(b'[');
    for (at, node) in nodes.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"operation":"#);
        json::html_string(out, &node.operation);
        let _ = write!(
            out,
            r#","series":{},"samples":{},"samplesRead":{},"bytes":{},"seconds":{},"children":"#,
            node.series,
            node.samples,
            node.samples_read,
            node.bytes,
            node.time.as_secs_f64()
        );
        list(out, &node.children);
        out.push(b'}');
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_a_plan_stand_in_what_asked_for_them() {
        let child = PlanNode {
            operation: "select {a=\"<\"}".to_owned(),
            series: 2,
            samples: 3,
            samples_read: 4,
            bytes: 5,
            time: Duration::from_millis(6),
            children: Vec::new(),
        };
        let root = PlanNode {
            operation: "sum".to_owned(),
            children: vec![child.clone(), child],
            ..PlanNode::default()
        };
        let child = r#"{"operation":"select {a=\"\u003c\"}","series":2,"samples":3,"samplesRead":4,"bytes":5,"seconds":0.006,"children":[]}"#;
        assert_eq!(
            String::from_utf8(explain(&[root])).unwrap(),
            format!(
                r#"[{{"operation":"sum","series":0,"samples":0,"samplesRead":0,"bytes":0,"seconds":0,"children":[{child},{child}]}}]"#
            )
        );
    }

    #[test]
    fn fields_are_those_of_prometheus() {
        let stats = QueryStats {
            queryable_per_step: vec![(1000, 5), (2500, 7)],
            read_per_step: vec![(1000, 5), (2500, 2)],
            samples_peak: 9,
            bytes_peak: 100,
            preparation: Duration::from_millis(1),
            evaluation: Duration::from_millis(20),
            sorting: Duration::from_millis(300),
        };
        let text =
            |wanted| String::from_utf8(json(&stats, Duration::from_secs(4), wanted)).unwrap();
        let timings = r#"{"timings":{"evalTotalTime":0.321,"resultSortTime":0.3,"queryPreparationTime":0.001,"innerEvalTime":0.02,"execQueueTime":4,"execTotalTime":4.321},"#;
        assert_eq!(
            text(StatsWanted::Totals),
            format!(
                r#"{timings}"samples":{{"totalQueryableSamples":12,"samplesRead":7,"peakSamples":9}}}}"#
            )
        );
        assert_eq!(
            text(StatsWanted::PerStep),
            format!(
                r#"{timings}"samples":{{"totalQueryableSamplesPerStep":[[1,5],[2.5,7]],"totalQueryableSamples":12,"samplesReadPerStep":[[1,5],[2.5,2]],"samplesRead":7,"peakSamples":9}}}}"#
            )
        );
    }
}
