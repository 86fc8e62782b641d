use silverback_query::parse::{DEPTH_MAX, Options, parse};

use super::*;

fn tree(query: &str) -> String {
    let expr = parse(query, &Options::ALL).unwrap();
    let mut out = Vec::new();
    expression(&mut out, &expr);
    String::from_utf8(out).unwrap()
}

fn field(query: &str, name: &str) -> serde_json::Value {
    let tree: serde_json::Value = serde_json::from_str(&tree(query)).unwrap();
    tree[name].clone()
}

const SELECTOR: &str = r#"{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"foo"}],"name":"foo","offset":0,"offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"}"#;

// As Prometheus writes them; 3.5 leaves out what came after it (anchored, smoothed, fillValues
// and the fields that end in Expr).
#[test]
fn whole_trees() {
    assert_eq!(tree("foo"), SELECTOR);
    for (query, json) in [
        (
            "-1.5e3 + 0x10",
            r#"{"bool":false,"lhs":{"type":"numberLiteral","val":"-1500"},"matching":null,"op":"+","rhs":{"type":"numberLiteral","val":"16"},"type":"binaryExpr"}"#.to_owned(),
        ),
        (
            r#""a<b""#,
            r#"{"type":"stringLiteral","val":"a\u003cb"}"#.to_owned(),
        ),
        (
            r#""a\xff""#,
            r#"{"type":"stringLiteral","val":"a\ufffd"}"#.to_owned(),
        ),
        (
            "sum by (a, b) (foo)",
            format!(r#"{{"expr":{SELECTOR},"grouping":["a","b"],"op":"sum","param":null,"type":"aggregation","without":false}}"#),
        ),
        (
            "topk without () (5, (-foo))",
            format!(r#"{{"expr":{{"expr":{{"expr":{SELECTOR},"op":"-","type":"unaryExpr"}},"type":"parenExpr"}},"grouping":[],"op":"topk","param":{{"type":"numberLiteral","val":"5"}},"type":"aggregation","without":true}}"#),
        ),
        (
            "round(foo) <= bool on(x) group_left(y) fill_right(2) foo",
            format!(r#"{{"bool":true,"lhs":{{"args":[{SELECTOR}],"func":{{"argTypes":["vector","scalar"],"name":"round","returnType":"vector","variadic":1}},"type":"call"}},"matching":{{"card":"many-to-one","fillValues":{{"lhs":null,"rhs":2}},"include":["y"],"labels":["x"],"on":true}},"op":"\u003c=","rhs":{SELECTOR},"type":"binaryExpr"}}"#),
        ),
        (
            "foo and foo unless foo",
            format!(r#"{{"bool":false,"lhs":{{"bool":false,"lhs":{SELECTOR},"matching":{0},"op":"and","rhs":{SELECTOR},"type":"binaryExpr"}},"matching":{0},"op":"unless","rhs":{SELECTOR},"type":"binaryExpr"}}"#,
                r#"{"card":"many-to-many","fillValues":{"lhs":null,"rhs":null},"include":[],"labels":[],"on":false}"#),
        ),
        (
            r#"{__name__="foo",a!~"b.*"}[5m] smoothed @ end() offset -1m"#,
            r#"{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"foo"},{"name":"a","type":"!~","value":"b.*"}],"name":"","offset":-60000,"offsetExpr":null,"range":300000,"rangeExpr":null,"smoothed":true,"startOrEnd":"end","timestamp":null,"type":"matrixSelector"}"#.to_owned(),
        ),
        (
            "foo[5m:] @ 1.5",
            format!(r#"{{"expr":{SELECTOR},"offset":0,"offsetExpr":null,"range":300000,"rangeExpr":null,"startOrEnd":null,"step":0,"stepExpr":null,"timestamp":1500,"type":"subquery"}}"#),
        ),
    ] {
        assert_eq!(tree(query), json, "{query}");
    }
}

#[test]
fn durations_that_are_computed() {
    let number = |val: &str, duration: bool| serde_json::json!({"type": "numberLiteral", "val": val, "duration": duration});
    let expr = |op: &str, lhs, rhs, wrapped: bool| {
        serde_json::json!({
            "type": "durationExpr", "op": op, "lhs": lhs, "rhs": rhs, "wrapped": wrapped
        })
    };
    let null = serde_json::Value::Null;
    let step = || expr("step", null.clone(), null.clone(), false);
    let sum = |a, b| expr("+", number(a, true), number(b, true), false);
    for (query, name, expected) in [
        ("foo[5m+1m]", "rangeExpr", sum("300", "60")),
        (
            "foo[5m+1m] offset (10m/2)",
            "offsetExpr",
            expr("/", number("600", true), number("2", false), true),
        ),
        (
            "foo[max_of(step(),5m+3m)]",
            "rangeExpr",
            expr("max_of", step(), sum("300", "180"), false),
        ),
        (
            "foo[range()]",
            "rangeExpr",
            expr("range", null.clone(), null.clone(), false),
        ),
        (
            "foo[4s+4s:1s*2]",
            "stepExpr",
            expr("*", number("1", true), number("2", false), false),
        ),
        (
            "foo offset -min_of(5s,step()+8s)",
            "offsetExpr",
            expr(
                "-",
                null.clone(),
                expr(
                    "min_of",
                    number("5", true),
                    expr("+", step(), number("8", true), false),
                    false,
                ),
                false,
            ),
        ),
        (
            "foo offset +step()",
            "offsetExpr",
            expr("+", null.clone(), step(), false),
        ),
        (
            "foo[(5)]",
            "rangeExpr",
            expr("+", null.clone(), number("5", false), true),
        ),
        ("foo[5m]", "rangeExpr", null.clone()),
        ("foo[5m+1m]", "range", serde_json::json!(0)),
    ] {
        assert_eq!(field(query, name), expected, "{query}");
    }
}

#[test]
fn trees_as_deep_as_they_get_fit_a_small_stack() {
    let test = || {
        let depth = DEPTH_MAX as usize - 1;
        let nested = |levels: usize, open: &str, close: &str| {
            let count = depth / levels;
            format!("{}foo{}", open.repeat(count), close.repeat(count))
        };
        for query in [
            nested(1, "(", ")"),
            nested(1, "-", ""),
            nested(1, "abs(", ")"),
            nested(1, "sum by (a) (", ")"),
            nested(2, "topk(scalar(", "), foo)"),
            nested(2, "max_over_time(", "[5m:1m])"),
            nested(1, "foo ^ ", ""),
            nested(2, "foo or (", ")"),
            format!("{}foo", "foo - ".repeat(80 * depth)),
        ] {
            assert!(tree(&query).contains(SELECTOR));
        }
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    thread.spawn(test).unwrap().join().unwrap();
}
