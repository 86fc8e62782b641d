use super::*;

fn rules(text: &str) -> Relabeling {
    Relabeling::parse(text).unwrap()
}

/// The labels after the rules, sorted; none where they drop the series.
fn relabeled(text: &str, labels: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    let borrowed = |&(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value));
    let mut pairs: Pairs<'_> = labels.iter().map(borrowed).collect();
    let is_kept = rules(text).apply(&mut pairs);
    let mut pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    pairs.sort_unstable();
    is_kept.then_some(pairs)
}

fn own(labels: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    Some(labels.iter().map(own).collect())
}

/// Labels before the rules, and after them where they keep the series.
type Case = (&'static str, Labels, Option<Labels>);
type Labels = &'static [(&'static str, &'static str)];

const ABC: Labels = &[("a", "foo"), ("b", "bar"), ("c", "baz")];

/// After Prometheus's own tests (model/relabel/relabel_test.go): one of each action, and what is
/// special about it.
const CASES: &[Case] = &[
    (
        "[{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-ch${1}'}]",
        ABC,
        Some(&[("a", "foo"), ("b", "bar"), ("c", "baz"), ("d", "choo-choo")]),
    ),
    (
        "[{source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'},\n\
             {source_labels: [c, a], regex: '(b).*b(.*)ba(.*)', target_label: d, replacement: '$1$2$2$3'}]",
        ABC,
        Some(&[("a", "boobam"), ("b", "bar"), ("c", "baz"), ("d", "boooom")]),
    ),
    (
        "[{source_labels: [a], regex: '.*o.*', action: drop}]",
        ABC,
        None,
    ),
    // Anchored at both ends.
    (
        "[{source_labels: [a], regex: 'f|o', action: drop}]",
        ABC,
        Some(ABC),
    ),
    (
        "[{source_labels: [a], regex: no-match, action: keep}]",
        ABC,
        None,
    ),
    (
        "[{source_labels: [a], regex: 'f.*', action: Keep}]",
        ABC,
        Some(ABC),
    ),
    // A label that is not there is empty, and keeps its place.
    (
        "[{source_labels: [a, none, c], regex: 'foo;;baz', action: keep}]",
        ABC,
        Some(ABC),
    ),
    // A line feed is a character like another.
    (
        "[{source_labels: [a], regex: 'x.y', action: drop}]",
        &[("a", "x\ny")],
        None,
    ),
    // Nothing is taken away, and so nothing is there.
    (
        "[{source_labels: [a], regex: 'f(.*)', target_label: a, replacement: ''}]",
        ABC,
        Some(&[("b", "bar"), ("c", "baz")]),
    ),
    // The name of a label may be made too; an empty one makes none.
    (
        "[{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', replacement: '${2}'}]",
        &[("a", "some-name-value")],
        Some(&[("a", "some-name-value"), ("name", "value")]),
    ),
    (
        "[{source_labels: [a], regex: 'some-([^-]*)-([^,]+)', target_label: '${1}', replacement: '${2}'}]",
        &[("a", "some--value")],
        Some(&[("a", "some--value")]),
    ),
    // A group that is not there is empty.
    (
        "[{source_labels: [a], target_label: b, replacement: 'x${7}y$$z'}]",
        &[("a", "1")],
        Some(&[("a", "1"), ("b", "xy$z")]),
    ),
    // A constant, whatever the labels are.
    (
        "[{target_label: site, replacement: here}]",
        &[],
        Some(&[("site", "here")]),
    ),
    (
        "[{source_labels: [c], target_label: d, action: hashmod, modulus: 1000}]",
        ABC,
        Some(&[("a", "foo"), ("b", "bar"), ("c", "baz"), ("d", "976")]),
    ),
    (
        "[{source_labels: [a], target_label: d, action: hashmod, modulus: 1000}]",
        &[("a", "foo\nbar")],
        Some(&[("a", "foo\nbar"), ("d", "734")]),
    ),
    (
        "[{regex: '(b.*)', action: labelmap, replacement: 'bar_${1}'}]",
        &[("a", "foo"), ("b1", "bar"), ("b2", "baz")],
        Some(&[
            ("a", "foo"),
            ("b1", "bar"),
            ("b2", "baz"),
            ("bar_b1", "bar"),
            ("bar_b2", "baz"),
        ]),
    ),
    // Of two that become one, the later one by name counts.
    (
        "[{regex: 'b.', action: labelmap, replacement: x}]",
        &[("b1", "bar"), ("b2", "baz")],
        Some(&[("b1", "bar"), ("b2", "baz"), ("x", "baz")]),
    ),
    (
        "[{regex: 'b.*', action: labeldrop}]",
        &[("a", "foo"), ("b1", "bar"), ("b2", "baz")],
        Some(&[("a", "foo")]),
    ),
    (
        "[{regex: 'b.*', action: labelkeep}]",
        &[("a", "foo"), ("b1", "bar"), ("b2", "baz")],
        Some(&[("b1", "bar"), ("b2", "baz")]),
    ),
    (
        "[{source_labels: [a], target_label: l, action: lowercase},\n\
             {source_labels: [a], target_label: u, action: uppercase}]",
        &[("a", "bÄr123Foo")],
        Some(&[("a", "bÄr123Foo"), ("l", "bär123foo"), ("u", "BÄR123FOO")]),
    ),
    (
        "[{source_labels: [a], target_label: b, action: keepequal}]",
        &[("a", "x"), ("b", "x")],
        Some(&[("a", "x"), ("b", "x")]),
    ),
    (
        "[{source_labels: [a], target_label: b, action: keepequal}]",
        ABC,
        None,
    ),
    (
        "[{source_labels: [a], target_label: b, action: dropequal}]",
        ABC,
        Some(ABC),
    ),
    (
        "[{source_labels: [a], target_label: b, action: dropequal}]",
        &[("a", "x"), ("b", "x")],
        None,
    ),
];

#[test]
fn actions_do_what_they_do_in_prometheus() {
    for (text, labels, expected) in CASES {
        assert_eq!(relabeled(text, labels), expected.and_then(own), "{text}");
    }
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() {
    for (text, error) in [
        (
            "[{}, {target_label: a, action: explode}]",
            "rule 1: relabel configuration for replace action requires 'target_label' value",
        ),
        (
            "[{target_label: a, action: explode}]",
            "rule 1: unknown relabel action \"explode\"",
        ),
        (
            "[{target_label: a}, {target_label: a, action: hashmod}]",
            "rule 2: relabel configuration for hashmod requires non-zero modulus",
        ),
        (
            "[{target_label: a, action: lowercase, replacement: x}]",
            "rule 1: 'replacement' can not be set for lowercase action",
        ),
        (
            "[{target_label: a, action: keepequal, regex: x}]",
            "keepequal action requires only 'source_labels' and `target_label`",
        ),
        (
            "[{action: labeldrop, source_labels: [a]}]",
            "labeldrop action requires only 'regex'",
        ),
        (
            "[{action: labelmap, replacement: ''}]",
            "\"\" is invalid 'replacement' for labelmap action",
        ),
        (
            "[{target_label: a, regex: '('}]",
            "rule 1: error parsing regexp",
        ),
        (
            "- target_label: a\n  regexp: x\n",
            "line 2 column 3: unknown field `regexp`",
        ),
        ("- target_label: a\n- target_label: [b]\n", "line 2"),
        ("rules: []", "expected sequence start"),
    ] {
        let told = Relabeling::parse(text).unwrap_err();
        assert!(told.contains(error), "{told}");
    }
}

#[test]
fn a_file_is_read_and_its_name_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.yml");
    let missing = Relabeling::load(&path).unwrap_err();
    assert!(missing.contains("rules.yml cannot be read"), "{missing}");
    std::fs::write(&path, "# nothing yet\n").unwrap();
    assert!(Relabeling::load(&path).unwrap().is_empty());
    std::fs::write(&path, "- {target_label: a, replacement: b}\n").unwrap();
    assert!(!Relabeling::load(&path).unwrap().is_empty());
}
