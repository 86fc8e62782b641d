//! Which tree a text becomes, and where its nodes stand.

use super::normalise;
use crate::parse::ast::{
    AggregateOp, At, BinaryOp, Cardinality, Duration, Expr, Grouping, MatrixSelector, RangeEdges,
    Span, Subquery, ValueType, VectorMatching, VectorSelector,
};
use crate::parse::{Options, parse, parse_metric_selector, prettify};
use crate::source::{MatchOp, Matcher};

fn tree(text: &str) -> Expr {
    parse(text, &Options::ALL).unwrap_or_else(|errors| panic!("{text}: {errors}"))
}

fn vector(text: &str) -> VectorSelector {
    match tree(text) {
        Expr::Vector(selector) => selector,
        other => panic!("{other:?}"),
    }
}

fn matrix(text: &str) -> MatrixSelector {
    match tree(text) {
        Expr::Matrix(selector) => selector,
        other => panic!("{other:?}"),
    }
}

fn subquery(text: &str) -> Subquery {
    match tree(text) {
        Expr::Subquery(subquery) => *subquery,
        other => panic!("{other:?}"),
    }
}

fn matching(text: &str) -> Option<VectorMatching> {
    match tree(text) {
        Expr::Binary(binary) => binary.matching.clone(),
        other => panic!("{other:?}"),
    }
}

/// The canonical text with every operation in square brackets.
fn grouped(expr: &Expr) -> String {
    match expr {
        Expr::Binary(it) => {
            let op = it.op.as_str();
            format!("[{} {op} {}]", grouped(&it.lhs), grouped(&it.rhs))
        }
        Expr::Unary(it) => {
            let sign = if it.negative { "-" } else { "+" };
            format!("[{sign}{}]", grouped(&it.expr))
        }
        Expr::Paren(it) => format!("({})", grouped(&it.expr)),
        other => other.to_string(),
    }
}

fn matcher(name: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher {
        name: name.to_owned(),
        op,
        value: value.to_owned(),
    }
}

#[test]
fn operators_bind_as_in_prometheus() {
    for (text, wanted) in [
        ("a + b * c", "[a + [b * c]]"),
        ("a * b + c", "[[a * b] + c]"),
        ("a - b - c", "[[a - b] - c]"),
        ("a ^ b ^ c", "[a ^ [b ^ c]]"),
        ("a % b atan2 c", "[[a % b] atan2 c]"),
        ("a or b and c unless d", "[a or [[b and c] unless d]]"),
        ("a == b + c", "[a == [b + c]]"),
        ("a < b >= c", "[[a < b] >= c]"),
        ("a </ b >/ c", "[[a </ b] >/ c]"),
        ("-a ^ b", "[-[a ^ b]]"),
        ("-a * b", "[[-a] * b]"),
        ("a ^ -b * c", "[[a ^ [-b]] * c]"),
        ("- + a", "[-[+a]]"),
        ("-1 ^ 2", "[-[1 ^ 2]]"),
        ("-1 * 2", "[-1 * 2]"),
        ("1 - -2", "[1 - -2]"),
        ("- - 2", "2"),
        ("(a + b) * -(c)", "[([a + b]) * [-(c)]]"),
        ("-a offset 1m + b", "[[-a offset 1m] + b]"),
        ("AND and OR", "[AND and OR]"),
        ("a AND b", "[a and b]"),
        ("a # no b\n + # nor here\n c", "[a + c]"),
    ] {
        assert_eq!(grouped(&tree(text)), wanted, "{text}");
    }
}

#[test]
fn keywords_can_be_metrics() {
    for name in [
        "sum",
        "topk",
        "by",
        "without",
        "offset",
        "start",
        "end",
        "step",
        "range",
        "max_of",
        "min_of",
        "anchored",
        "smoothed",
        "fill",
        "fill_left",
        "and",
        "or",
        "unless",
        "SUM",
    ] {
        assert_eq!(vector(name).name.as_deref(), Some(name));
        assert_eq!(vector(&format!("{name}{{a='b'}}")).matchers.len(), 2);
    }
    for keyword in [
        "bool",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "atan2",
    ] {
        assert!(parse(keyword, &Options::ALL).is_err(), "{keyword}");
    }
    assert_eq!(grouped(&tree("fill + fill_left")), "[fill + fill_left]");
    assert!(matches!(tree("inf"), Expr::Number(it) if it.value == f64::INFINITY));
    assert!(matches!(tree("-NaN"), Expr::Number(it) if it.value.is_nan()));
}

#[test]
fn selectors_keep_matchers_in_order_and_the_name_last() {
    let selector = vector("up{job=\"node\", instance!~'a.*', x!=`y`, z=~\"1|2\",}");
    assert_eq!(
        selector.matchers,
        [
            matcher("job", MatchOp::Equal, "node"),
            matcher("instance", MatchOp::NotRegex, "a.*"),
            matcher("x", MatchOp::NotEqual, "y"),
            matcher("z", MatchOp::Regex, "1|2"),
            matcher("__name__", MatchOp::Equal, "up"),
        ]
    );
    assert_eq!(selector.metric_name(), Some("up"));
    let quoted = vector(r#"{"my.metric", "a b"="c", on="1"}"#);
    assert_eq!(quoted.name, None);
    assert_eq!(quoted.metric_name(), Some("my.metric"));
    assert_eq!(
        quoted.to_string(),
        r#"{"a b"="c",__name__="my.metric",on="1"}"#
    );
    assert_eq!(vector("a:b:c").name.as_deref(), Some("a:b:c"));
}

#[test]
fn modifiers_belong_to_the_innermost_selector() {
    let plain = vector("a offset 5m @ 3.5");
    assert_eq!(plain.modifiers.offset, Duration::Fixed(300_000));
    assert_eq!(plain.modifiers.at, Some(At::Timestamp(3500)));
    assert_eq!(
        vector("a offset -1h30m").modifiers.offset,
        Duration::Fixed(-5_400_000)
    );
    assert_eq!(
        vector("a offset 0.0015").modifiers.offset,
        Duration::Fixed(1)
    );
    assert_eq!(
        vector("a offset 0 offset 1s").modifiers.offset,
        Duration::Fixed(1000)
    );
    assert_eq!(vector("a @ -1m").modifiers.at, Some(At::Timestamp(-60_000)));
    assert_eq!(vector("a @ start()").modifiers.at, Some(At::Start));
    let range = matrix("a[1h] @ end() offset 1m");
    assert_eq!(range.range, Duration::Fixed(3_600_000));
    assert_eq!(range.selector.modifiers.at, Some(At::End));
    assert_eq!(range.selector.modifiers.offset, Duration::Fixed(60_000));
    assert_eq!(
        matrix("a[5m] anchored").selector.edges,
        RangeEdges::Anchored
    );
    assert_eq!(vector("a smoothed").edges, RangeEdges::Smoothed);
    let sub = subquery("a offset 1m [1h:5m] @ 7 offset 2m");
    assert_eq!(sub.range, Duration::Fixed(3_600_000));
    assert_eq!(sub.step, Some(Duration::Fixed(300_000)));
    assert_eq!(sub.modifiers.offset, Duration::Fixed(120_000));
    assert_eq!(sub.expr.to_string(), "a offset 1m");
    assert_eq!(subquery("a[1h:]").step, None);
}

#[test]
fn offsets_end_where_prometheus_ends_them() {
    for (text, wanted) in [
        ("a offset 5m - 8", "[a offset 5m - 8]"),
        ("a offset -2 ^ 2", "[a offset -2s ^ 2]"),
        ("a offset (5m - 8)", "a offset (5m - 8)"),
        ("a offset (5m) - 8", "a offset (5m) - 8"),
        ("a offset -(5m) - 8", "[a offset -(5m) - 8]"),
        ("a offset - - 5m - 8", "a offset ++5m - 8"),
        ("a offset step() - 8", "[a offset step() - 8]"),
        ("a offset -min_of(1, 2) - 8", "[a offset -min_of(1, 2) - 8]"),
    ] {
        assert_eq!(grouped(&tree(text)), wanted, "{text}");
    }
}

/// Prometheus prints `a @ 5.000 offset (1m) + b` and `a offset 1m + step()`, which it reads as
/// something else.
#[test]
fn canonical_offsets_read_back_as_they_are() {
    for (text, wanted) in [
        ("a offset (1m) @ 5", "a @ 5.000 offset (1m)"),
        ("a offset (1m) @ 5 > b", "a @ 5.000 offset (1m) > b"),
        ("a offset (1m) @ 5 + b", "a offset (1m) @ 5.000 + b"),
        ("-a offset (1m) @ 5 + b", "-a offset (1m) @ 5.000 + b"),
        (
            "a * b offset (1m) @ 5 - c offset (1m) @ 5",
            "a * b offset (1m) @ 5.000 - c @ 5.000 offset (1m)",
        ),
        (
            "sum(a offset (1m) @ 5) + b",
            "sum(a @ 5.000 offset (1m)) + b",
        ),
        (
            "a offset (1m) anchored @ end() % b",
            "a offset (1m) @ end() anchored % b",
        ),
        ("a offset -(1m) @ 5 + b", "a @ 5.000 offset -(1m) + b"),
        ("a offset step() @ 5 ^ b", "a @ 5.000 offset step() ^ b"),
        ("a offset - -(1m) @ 5 / b", "a offset --(1m) @ 5.000 / b"),
        ("a offset - -1m + step()", "a offset ++1m + step()"),
        ("a offset + -1m + step()", "a offset +-1m + step()"),
        ("a offset + -2 ^ step()", "a offset +-2 ^ step()"),
        ("a offset + -(1m) * 2", "a offset +-(1m) * 2"),
        ("a offset +step()", "a offset step()"),
    ] {
        let mut read = tree(text);
        assert_eq!(read.to_string(), wanted, "{text}");
        assert_eq!(prettify(&read).unwrap(), wanted, "{text}");
        let mut again = tree(wanted);
        normalise(&mut read);
        normalise(&mut again);
        assert_eq!(read, again, "{text}");
    }
    // The same over several lines.
    let a = "a".repeat(90);
    let long = tree(&format!(
        "{a} offset (1m) @ 5 + {a} - b offset (1m) @ 5 * {a}"
    ));
    let pretty = prettify(&long).unwrap();
    assert_eq!(tree(&pretty).to_string(), long.to_string(), "{pretty}");
    assert!(
        pretty.contains(&format!("{a} offset (1m) @ 5.000\n")),
        "{pretty}"
    );
}

#[test]
fn durations_are_expressions() {
    for (text, wanted) in [
        ("a[5m + 10 * 2]", "a[5m + 10 * 2]"),
        ("a[((5m))]", "a[(5m)]"),
        ("a[+(step())]", "a[(step())]"),
        ("a[-step() ^ 2]", "a[-step() ^ 2]"),
        (
            "a[max_of(range(), 1m):min_of(step(), +5s)]",
            "a[max_of(range(), 1m):min_of(step(), 5s)]",
        ),
        ("a[2 ^ -1]", "a[2 ^ -1]"),
        ("a[STEP()]", "a[step()]"),
        ("a[90]", "a[1m30s]"),
        ("a[0x10]", "a[16s]"),
    ] {
        assert_eq!(tree(text).to_string(), wanted, "{text}");
    }
}

#[test]
fn calls_and_aggregations() {
    let Expr::Call(call) = tree("label_join(a, \"x\", ',', `y`, 'z')") else {
        panic!("not a call");
    };
    assert_eq!(call.function.name, "label_join");
    assert_eq!(call.args.len(), 5);
    assert_eq!(call.args[0].value_type(), ValueType::Vector);
    for text in [
        "topk by (job, \"a b\",) (3, a)",
        "topk(3, a) by (job, \"a b\")",
    ] {
        let Expr::Aggregate(it) = tree(text) else {
            panic!("not an aggregation");
        };
        assert_eq!(it.op, AggregateOp::Topk);
        assert_eq!(it.param.unwrap().to_string(), "3");
        assert_eq!(it.expr.to_string(), "a");
        assert_eq!(
            it.grouping,
            Grouping::By(vec!["job".to_owned(), "a b".to_owned()])
        );
    }
    assert_eq!(
        tree("COUNT_VALUES WITHOUT (sum, bool, atan2) ('x', a)").to_string(),
        "count_values without (sum, bool, atan2) (\"x\", a)"
    );
    assert_eq!(tree("time()").value_type(), ValueType::Scalar);
    assert_eq!(tree("'x'").value_type(), ValueType::String);
    assert_eq!(tree("1 + time()").value_type(), ValueType::Scalar);
    assert_eq!(tree("1 + a").value_type(), ValueType::Vector);
    assert_eq!(tree("(a[5m])").value_type(), ValueType::Matrix);
    assert_eq!(tree("info(a, {b=\"\"})").to_string(), "info(a, {b=\"\"})");
}

#[test]
fn vectors_match_by_labels() {
    let plain = matching("a + b").unwrap();
    assert_eq!(plain.cardinality, Cardinality::OneToOne);
    assert!(!plain.on);
    let many = matching("a > bool ignoring(x) group_left(y, \"z z\") b").unwrap();
    assert_eq!(many.cardinality, Cardinality::ManyToOne);
    assert_eq!((many.labels, many.on), (vec!["x".to_owned()], false));
    assert_eq!(many.include, ["y", "z z"]);
    // A bracket behind `group_right` holds labels, never an operand.
    assert!(parse("a * on() group_right (b)", &Options::ALL).is_err());
    let one = matching("a * on() group_right b").unwrap();
    assert_eq!((one.cardinality, one.on), (Cardinality::OneToMany, true));
    let set = matching("a and on(x) b").unwrap();
    assert_eq!(set.cardinality, Cardinality::ManyToMany);
    let filled = matching("a + on(x) fill_right(-1) fill_left(2m) b").unwrap();
    assert_eq!(filled.fill_left, Some(120.0));
    assert_eq!(filled.fill_right, Some(-1.0));
    // Between other things than vectors there is nothing to match.
    assert_eq!(matching("a + 1"), None);
    assert_eq!(matching("1 < bool 2"), None);
}

#[test]
fn nodes_know_where_they_stand() {
    let text = " sum by (x) ( -rate(a{b=\"c\"}[5m] offset 1m) ) * bool_ ";
    let Expr::Binary(product) = tree(text) else {
        panic!("not a product");
    };
    let at = |span: Span| &text[span.start as usize..span.end as usize];
    assert_eq!(at(product.span), text.trim());
    assert_eq!(at(product.op_span), "*");
    assert_eq!(product.op, BinaryOp::Mul);
    assert_eq!(at(product.rhs.span()), "bool_");
    let Expr::Aggregate(sum) = &product.lhs else {
        panic!("not a sum");
    };
    assert_eq!(
        at(sum.span),
        "sum by (x) ( -rate(a{b=\"c\"}[5m] offset 1m) )"
    );
    let Expr::Unary(minus) = &sum.expr else {
        panic!("no sign");
    };
    assert_eq!(at(minus.span), "-rate(a{b=\"c\"}[5m] offset 1m)");
    let Expr::Call(rate) = &minus.expr else {
        panic!("not a call");
    };
    let Expr::Matrix(range) = &rate.args[0] else {
        panic!("not a range");
    };
    assert_eq!(at(range.span), "a{b=\"c\"}[5m] offset 1m");
    assert_eq!(at(range.selector.span), "a{b=\"c\"}");
}

#[test]
fn metric_selectors_stand_alone() {
    let matchers = parse_metric_selector("up{job='x'}").unwrap();
    assert_eq!(matchers.len(), 2);
    assert!(parse_metric_selector("{}").unwrap().is_empty());
    for (text, error) in [
        ("up offset 5m", "1:4: parse error: unexpected <offset>"),
        ("1", "1:1: parse error: unexpected number \"1\""),
        ("", "unknown position: parse error: unexpected end of input"),
        (
            "up{a}",
            "1:5: parse error: unexpected \"}\" in label matching, \
             expected label matching operator",
        ),
    ] {
        assert_eq!(parse_metric_selector(text).unwrap_err().to_string(), error);
    }
}
