//! Cases computed by hand, in the language of scripts.

use super::script::{Outcome, Runner};
use crate::Engine;

fn agree(script: &str) {
    let mut runner = Runner::new(Engine::default());
    let outcomes = runner.run(script);
    assert!(!outcomes.is_empty());
    for (line, outcome) in outcomes {
        assert!(
            matches!(outcome, Outcome::Agreed),
            "line {line}: {outcome:?}"
        );
    }
}

#[test]
fn a_sample_counts_until_the_lookback_delta_and_ends_with_a_stale_marker() {
    agree(
        "load 1m
            old 7 _x20
            gone 1 2 stale _ 5

        eval range from 0 to 7m step 1m old
            old 7 7 7 7 7 _ _ _

        eval instant at 299999ms old
            old 7

        eval instant at 5m old

        eval range from 0 to 5m step 1m gone
            gone 1 2 _ _ 5 5

        eval instant at 6m old offset 4m
            old 7

        eval instant at 100m old @ 60
            old 7

        eval range from 5m to 6m step 1m old @ start()

        eval range from 4m to 6m step 1m old @ start()
            old 7 7 7
        ",
    );
}

#[test]
fn windows_are_open_on_the_left_and_hold_no_stale_markers() {
    agree(
        "load 1m
            metric 1 2 stale 4 5

        eval instant at 3m count_over_time(metric[2m])
            {} 1

        eval instant at 3m count_over_time(metric[121s])
            {} 2

        eval instant at 4m sum_over_time(metric[10m])
            {} 12

        eval instant at 2m metric[2m]
            expect range vector from 1m to 1m step 1m
            metric 2
        ",
    );
}

#[test]
fn names_go_where_values_change_their_meaning() {
    agree(
        r#"load 1m
            a_total{x="1"} 1 2 3
            b_total{x="1"} 4 5 6

        eval instant at 2m -a_total
            {x="1"} -3

        eval instant at 2m last_over_time(a_total[1m])
            a_total{x="1"} 3

        eval instant at 2m a_total < 4
            a_total{x="1"} 3

        eval instant at 2m a_total < bool 4
            {x="1"} 1

        eval instant at 2m a_total < ignoring() b_total
            a_total{x="1"} 3

        eval instant at 2m a_total < on(x) b_total
            {x="1"} 3

        eval instant at 2m sum by (__name__) ({__name__=~"._total"})
            a_total 3
            b_total 6

        eval instant at 2m rate({__name__=~"._total"}[2m])
            expect fail msg: vector cannot contain metrics with the same labelset

        eval instant at 2m sum(rate({__name__=~"._total"}[2m]))
            expect fail msg: vector cannot contain metrics with the same labelset

        eval instant at 2m abs({__name__=~"._total"})
            expect fail msg: vector cannot contain metrics with the same labelset
        "#,
    );
}

#[test]
fn series_that_take_turns_become_one_without_their_names() {
    agree(
        "load 1m
            first 1 2 stale
            second _ _ 3 4

        eval range from 0 to 3m step 1m -{__name__=~\"first|second\"}
            {} -1 -2 -3 -4

        eval range from 0 to 3m step 1m first + 0 or second + 0
            {} 1 2 3 4
        ",
    );
}

#[test]
fn matching_is_refused_only_where_both_elements_are_there() {
    agree(
        r#"load 1m
            use{pod="a", node="1"} 1 1 stale
            use{pod="b", node="1"} _ _ 2 2
            size{node="1"} 10 20 30 40

        # Pods that take turns match one to one.
        eval range from 0 to 3m step 1m use / on(node) size
            {node="1"} 0.1 0.05 0.0666666666666 0.05

        eval range from 0 to 3m step 1m size / on(node) use
            {node="1"} 10 20 15 20

        eval range from 0 to 3m step 1m use / on(node) group_left size
            {pod="a", node="1"} 0.1 0.05 _ _
            {pod="b", node="1"} _ _ 0.0666666666666 0.05

        clear
        load 1m
            use{pod="a", node="1"} 1 1 1
            use{pod="b", node="1"} _ _ 2
            size{node="1"} 10 20 30

        eval range from 0 to 1m step 1m use / on(node) size
            {node="1"} 0.1 0.05

        eval range from 0 to 2m step 1m use / on(node) size
            expect fail msg: multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)

        eval range from 0 to 2m step 1m size / on(node) use
            expect fail msg: found duplicate series for the match group {node="1"} on the right hand-side of the operation: [{__name__="use", node="1", pod="a"}, {__name__="use", node="1", pod="b"}];many-to-many matching not allowed: matching labels must be unique on one side

        # Nothing on the other side: nothing is refused.
        eval range from 0 to 2m step 1m none / on(node) use

        # Kept or not, two results must not have the same labels.
        eval instant at 2m use > on(node) group_left(pod) label_replace(size, "pod", "x", "", "")
            expect fail msg: multiple matches for labels: grouping labels must ensure unique matches
        "#,
    );
}

#[test]
fn set_operators_look_at_each_step() {
    agree(
        r#"load 1m
            a{x="1"} 1 2 3 4
            a{x="2"} 5 6 7 8
            b{x="1"} _ 1 stale 1
            b{x="1", y="z"} 9 stale

        eval range from 0 to 3m step 1m a and on(x) b
            a{x="1"} 1 2 _ 4

        eval range from 0 to 3m step 1m a unless on(x) b
            a{x="1"} _ _ 3
            a{x="2"} 5 6 7 8

        eval range from 0 to 3m step 1m b or on(x) a
            a{x="1"} _ _ 3
            a{x="2"} 5 6 7 8
            b{x="1"} _ 1 _ 1
            b{x="1", y="z"} 9
        "#,
    );
}

#[test]
fn groups_follow_labels_and_steps() {
    agree(
        r#"load 1m
            m{job="a", i="1"} 1 2 stale
            m{job="a", i="2"} 3 4 5
            m{job="b"} _ _ NaN 8
            m{i="9"} 7

        eval range from 0 to 3m step 1m sum by (job) (m)
            {job="a"} 4 6 5 5
            {job="b"} _ _ NaN 8
            {} 7 7 7 7

        eval range from 0 to 3m step 1m max without (i) (m)
            {job="a"} 3 4 5 5
            {job="b"} _ _ NaN 8
            {} 7 7 7 7

        eval range from 0 to 3m step 1m topk by (job) (1, m)
            m{job="a", i="2"} 3 4 5 5
            m{job="b"} _ _ NaN 8
            m{i="9"} 7 7 7 7

        eval range from 0 to 3m step 1m count(rate(m[2m]))
            {} _ 2 1 1

        eval range from 0 to 3m step 1m count_values by (job) ("v", m{job="a"})
            {job="a", v="1"} 1
            {job="a", v="3"} 1
            {job="a", v="2"} _ 1
            {job="a", v="4"} _ 1
            {job="a", v="5"} _ _ 1 1

        eval instant at 1m topk(2, m)
            expect ordered
            m{i="9"} 7
            m{job="a", i="2"} 4

        eval instant at 1m bottomk(2, m)
            expect ordered
            m{job="a", i="1"} 2
            m{job="a", i="2"} 4

        eval instant at 0 topk(NaN, m)
            expect fail msg: Parameter value is NaN

        eval instant at 0 topk(1e20, m)
            expect fail msg: Scalar value 1e+20 overflows int64

        eval range from 0 to 1m step 1m quantile(scalar(m{job="a", i="1"}) / 4, m)
            {} 2 4

        eval instant at 0 quantile(2, m)
            expect warn msg: PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)
            {} Inf
        "#,
    );
}

#[test]
fn what_does_not_depend_on_the_step_is_the_same_at_each() {
    agree(
        r#"load 1m
            m 1 2 3 4

        eval range from 0 to 3m step 1m sum(m @ end()) / m
            {} 4 2 1.3333333333333333 1

        eval range from 0 to 3m step 1m vector(scalar(m @ 60))
            {} 2 2 2 2

        eval range from 0 to 2m step 1m timestamp(m @ 60)
            {} 60 60 60

        eval range from 0 to 2m step 1m predict_linear(m[2m] @ 60, 0)
            {} 1 2 3
        "#,
    );
}

#[test]
fn notes_say_where() {
    agree(
        r#"load 1m
            requests 1 2 3
            requests_total 1 2 3
            h_bucket{le="1"} 5 5 5
            h_bucket{le="2"} 4 4 4
            h_bucket{le="+Inf"} 9 9 9

        eval instant at 2m sum(rate(requests[2m]))
            expect info msg: PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "requests" (1:10)
            {} 0.016666666666666666

        eval instant at 2m rate(requests_total[2m])
            expect no_info
            {} 0.016666666666666666

        eval instant at 2m irate(requests[2m])
            expect no_info
            {} 0.016666666666666666

        eval instant at 1m histogram_quantile(0.9, h_bucket)
            expect info msg: PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets 2 to 2, with a max diff of 1, over 1 samples from 1970-01-01T00:01:00Z to 1970-01-01T00:01:00Z (1:25)
            {} 2

        eval instant at 2m histogram_quantile(0.9, requests)
            expect warn msg: PromQL warning: bucket label "le" is missing or has a malformed value of "" (1:25)

        eval range from 0 to 1m step 1m sort(requests)
            expect warn msg: PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:1)
            requests 1 2
        "#,
    );
}

#[test]
fn labels_are_made_and_collisions_refused() {
    agree(
        r#"load 1m
            m{a="x-1", b="y"} 1
            m{a="x-2", b="y"} 2

        eval instant at 0 label_replace(m, "c", "${n}/$2", "a", "(?P<n>.)-(\\d)")
            m{a="x-1", b="y", c="x/1"} 1
            m{a="x-2", b="y", c="x/2"} 2

        eval instant at 0 label_replace(m, "a", "", "a", ".*")
            expect fail msg: vector cannot contain metrics with the same labelset

        eval instant at 0 label_replace(m, "c", "$1", "a", "(")
            expect fail msg: invalid regular expression in label_replace(): (

        eval instant at 0 label_join(m, "c", "+", "b", "a", "none")
            m{a="x-1", b="y", c="y+x-1+"} 1
            m{a="x-2", b="y", c="y+x-2+"} 2
        "#,
    );
}
