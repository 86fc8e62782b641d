use std::collections::BTreeSet;

use super::*;
use crate::index::evaluate;
use crate::model::MatchOp;

const OPS: [MatchOp; 4] = [
    MatchOp::Equal,
    MatchOp::NotEqual,
    MatchOp::Regex,
    MatchOp::NotRegex,
];
const PATTERNS: [&str; 22] = [
    "",
    "v1",
    "v2",
    "value-7",
    "zz",
    "v1|v2|v9",
    "v1|",
    "|",
    ".*",
    ".+",
    "v.*",
    "v[12]",
    "(v1|v2)",
    "value-1.*",
    "value-[2-4].?",
    "value-1.*|b.*",
    "(?i)V1",
    "(v1|a)?",
    ".*1",
    "[^v].*",
    "é.*",
    "[a&&b]",
];

fn any_matchers() -> impl Strategy<Value = Vec<Matcher>> {
    let name = prop::sample::select(vec!["a", "b", "c", "é", "unknown"]);
    let value = prop::sample::select(PATTERNS.to_vec());
    let matcher = (prop::sample::select(OPS.to_vec()), name, value)
        .prop_map(|(op, name, value)| Matcher::new(op, name, value).unwrap());
    prop::collection::vec(matcher, 0..4)
}

/// Names, or values of a name, of some rows, without an index.
fn listed(rows: &[Row], among: &RoaringBitmap, name: Option<&str>) -> Vec<String> {
    let mut found = BTreeSet::new();
    for row in among {
        for (own, value) in rows[row as usize].iter().flatten() {
            match name {
                None => found.insert(own.clone()),
                Some(name) => own == name && found.insert(value.clone()),
            };
        }
    }
    found.into_iter().collect()
}

proptest! {
    #[test]
    fn matchers_find_what_they_find_in_memory(rows in any_rows(), matchers in any_matchers()) {
        let table = Table::new(&rows);
        let expected = evaluate(&table.access(), &matchers, ReadBounds::NONE).unwrap();
        let (file, refs) = written(&table);
        let index = StoredIndex::open(&file, &refs).unwrap();
        prop_assert_eq!(index.evaluate(&matchers).unwrap(), expected);
    }

    #[test]
    fn names_and_values_are_those_of_the_rows(
        rows in any_rows(),
        start in 0..500usize,
        count in 0..500usize,
        step in 1..30usize,
    ) {
        let index = stored(&rows);
        let among: RoaringBitmap = (start..start + count)
            .step_by(step)
            .filter(|&row| row < rows.len())
            .map(|row| row as u32)
            .collect();
        let all: RoaringBitmap = (0..rows.len() as u32).collect();
        prop_assert_eq!(index.label_names(None).unwrap(), listed(&rows, &all, None));
        prop_assert_eq!(index.label_names(Some(&all)).unwrap(), listed(&rows, &all, None));
        prop_assert_eq!(index.label_names(Some(&among)).unwrap(), listed(&rows, &among, None));
        for name in ["a", "b", "é", "unknown", "v1"] {
            let values = |among| index.label_values(name, among).unwrap();
            prop_assert_eq!(values(None), listed(&rows, &all, Some(name)));
            prop_assert_eq!(values(Some(&all)), listed(&rows, &all, Some(name)));
            prop_assert_eq!(values(Some(&among)), listed(&rows, &among, Some(name)));
        }
    }
}

#[test]
fn a_prefix_narrows_what_is_tried() {
    use std::cell::Cell;

    use crate::index::matchers::Searchable;

    let rows: Vec<Row> = (0..1000)
        .map(|n| row(&[("a", &format!("v{n:03}"))]))
        .collect();
    let index = stored(&rows);
    let name = index.lookup("a").unwrap().unwrap();
    let tried = Cell::new(0);
    let pick = |_: &str| {
        tried.set(tried.get() + 1);
        true
    };
    let picked = index
        .pick_values(name, Some("v12.*|v9[01].*"), &pick, ReadBounds::NONE)
        .unwrap();
    assert_eq!((picked.len(), tried.take()), (30, 30));
    let picked = index
        .pick_values(name, Some(".*1"), &pick, ReadBounds::NONE)
        .unwrap();
    assert_eq!((picked.len(), tried.take()), (1000, 1000));
}

#[test]
fn many_values_are_searched_as_few() {
    // More values than are read, scanned or looked up at once, of which some are single rows.
    let rows: Vec<Row> = (0..9000u32)
        .map(|n| {
            let value = format!("v{:04}", n.wrapping_mul(2_654_435_761) >> 20);
            row(&[
                ("a", &value),
                ("b", &format!("{}", n % 700)),
                ("c", &format!("w{n:05}")),
            ])
        })
        .collect();
    let table = Table::new(&rows);
    let (file, refs) = written(&table);
    let index = StoredIndex::open(&file, &refs).unwrap();
    let patterns = [
        "v1.*",
        "v12.*|v30.*7",
        ".*7",
        "v...[05]",
        "w0.*",
        "w01..[13579]",
        "[1-3].*5",
        "x.*",
        "v9.*|w.*",
        "(v1.*)?",
    ];
    for pattern in patterns {
        for name in ["a", "b", "c"] {
            for op in [MatchOp::Regex, MatchOp::NotRegex] {
                let matchers = [Matcher::new(op, name, pattern).unwrap()];
                let expected = evaluate(&table.access(), &matchers, ReadBounds::NONE).unwrap();
                assert_eq!(index.evaluate(&matchers).unwrap(), expected, "{matchers:?}");
            }
        }
    }
    for step in [1, 3, 40, 2000] {
        let among: RoaringBitmap = (5..9000).step_by(step).collect();
        for name in ["a", "b", "c"] {
            let values = index.label_values(name, Some(&among)).unwrap();
            assert_eq!(values, listed(&rows, &among, Some(name)), "{step} {name}");
        }
    }
}
