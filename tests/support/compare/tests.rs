//! The comparer must see what the tests that use it are there to find.

use super::*;

fn series(name: &str, points: &[(i64, &str)]) -> Series {
    Series {
        labels: BTreeMap::from([("__name__".to_owned(), name.to_owned())]),
        points: points
            .iter()
            .map(|&(timestamp_ms, value)| Point {
                timestamp_ms,
                value: value.to_owned(),
            })
            .collect(),
    }
}

fn two() -> Vec<Series> {
    vec![
        series("a", &[(1000, "1"), (2000, "0.1"), (3000, "NaN")]),
        series("b", &[(1000, "+Inf")]),
    ]
}

/// What `raw` says of a change to the second answer.
fn raw_of(change: impl FnOnce(&mut Vec<Series>)) -> String {
    let mut actual = two();
    change(&mut actual);
    raw(&two(), &actual).unwrap_err().to_string()
}

#[test]
fn equal_samples_are_counted_in_any_order_of_series() {
    let mut actual = two();
    actual.reverse();
    let count = Count {
        series: 2,
        points: 4,
    };
    assert_eq!(raw(&two(), &actual).unwrap(), count);
}

#[test]
fn raw_sees_every_kind_of_damage() {
    let gap = raw_of(|s| {
        s[0].points.remove(1);
    });
    assert!(
        gap.contains(r#"at 2000: expected Some("0.1"), got None"#),
        "{gap}"
    );
    let double = raw_of(|s| {
        let again = s[0].points[0].clone();
        s[0].points.insert(0, again);
    });
    assert!(double.contains("not in order"), "{double}");
    let moved = raw_of(|s| s[0].points[2].timestamp_ms += 1);
    assert!(
        moved.contains(r#"at 3000: expected Some("NaN"), got None"#),
        "{moved}"
    );
    let rounded = raw_of(|s| s[0].points[1].value = "0.10000000000000002".to_owned());
    assert!(rounded.contains("0.10000000000000002"), "{rounded}");
    let lost = raw_of(|s| {
        s.pop();
    });
    assert!(
        lost.contains("missing: {__name__=\"b\"} with +Inf at 1000"),
        "{lost}"
    );
    let more = raw_of(|s| s.push(series("c", &[])));
    assert!(
        more.contains("too much: {__name__=\"c\"} with no points"),
        "{more}"
    );
    let renamed = raw_of(|s| {
        s[1].labels.insert("x".to_owned(), "y".to_owned());
    });
    assert!(
        renamed.contains("missing") && renamed.contains("too much"),
        "{renamed}"
    );
    let twice = raw_of(|s| s.push(series("a", &[])));
    assert!(twice.contains("twice in one answer"), "{twice}");
}

fn answer(value: &str) -> Data {
    Data::Vector(vec![series("a", &[(1000, value)])])
}

fn agree(a: &str, b: &str) -> bool {
    answers(&answer(a), &answer(b), Ties::No).is_ok()
}

#[test]
fn answers_may_differ_by_rounding_alone() {
    assert!(agree("1", "1.0000000000001e0") && agree("NaN", "NaN") && agree("0", "-0"));
    assert!(agree("0.30000000000000004", "0.3"));
    for (a, b) in [
        ("1", "1.00000000001"),
        ("1", "NaN"),
        ("0", "1e-300"),
        ("+Inf", "-Inf"),
        ("+Inf", "1e308"),
        ("1", "-1"),
        ("1", "one"),
    ] {
        assert!(!agree(a, b) && !agree(b, a), "{a} and {b}");
    }
}

#[test]
fn answers_of_other_types_or_steps_differ() {
    let point = |value: &str| Point {
        timestamp_ms: 1000,
        value: value.to_owned(),
    };
    let scalar = Data::Scalar(point("1"));
    assert!(answers(&scalar, &scalar, Ties::No).is_ok());
    assert!(answers(&scalar, &Data::Scalar(point("2")), Ties::No).is_err());
    assert!(answers(&scalar, &answer("1"), Ties::No).is_err());
    assert!(answers(&scalar, &Data::String(point("1")), Ties::No).is_err());
    let matrix = |points: &[(i64, &str)]| Data::Matrix(vec![series("a", points)]);
    let long = matrix(&[(1000, "1"), (2000, "2")]);
    assert!(answers(&long, &matrix(&[(1000, "1")]), Ties::No).is_err());
    assert!(answers(&long, &matrix(&[(1000, "1"), (2001, "2")]), Ties::No).is_err());
}

#[test]
fn tied_points_compare_by_number_and_the_others_by_name() {
    let top = |list: &[(&str, &str)]| {
        Data::Vector(list.iter().map(|(n, v)| series(n, &[(0, *v)])).collect())
    };
    let expected = top(&[("a", "9"), ("b", "5"), ("c", "5")]);
    let compare =
        |list: &[(&str, &str)]| answers(&expected, &top(list), Ties::Lowest).map(|c| c.points);
    assert_eq!(compare(&[("a", "9"), ("d", "5"), ("b", "5")]).unwrap(), 3);
    assert!(compare(&[("d", "9"), ("b", "5"), ("c", "5")]).is_err());
    assert!(compare(&[("a", "9"), ("b", "5")]).is_err());
    assert!(compare(&[("a", "9"), ("b", "5"), ("c", "4")]).is_err());
    assert!(answers(&expected, &expected, Ties::No).is_ok());
    let bottom = top(&[("a", "1"), ("b", "5")]);
    assert!(answers(&bottom, &top(&[("a", "1"), ("x", "5")]), Ties::Highest).is_ok());
    assert!(answers(&bottom, &top(&[("x", "1"), ("b", "5")]), Ties::Highest).is_err());
}
