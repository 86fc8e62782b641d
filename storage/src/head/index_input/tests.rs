use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::index::evaluate;
use crate::index::stored::{IndexRefs, StoredIndex, write};
use crate::model::{Batch, Labels, MatchOp, Matcher, ReadBounds, SeriesDefinition};
use crate::section::FileWriter;
use crate::sys::sim::SimDisk;
use crate::sys::{File, Sys};

mod fleet;
mod measure;

/// Registers series and applies the definitions of those that `is_applied`.
fn head_of(series: impl Iterator<Item = Labels>, is_applied: impl Fn(u32) -> bool) -> Head {
    let head = Head::new();
    let mut seq = head.visible_seq();
    let mut definitions = Vec::new();
    let mut apply = |definitions: &mut Vec<SeriesDefinition>| {
        seq = seq.next();
        head.apply(&[Batch {
            seq,
            definitions: std::mem::take(definitions),
            ..Batch::default()
        }]);
    };
    for labels in series {
        let id = head.register(labels.as_ref()).unwrap();
        if is_applied(id.0) {
            definitions.push(SeriesDefinition { id, labels });
        }
        if definitions.len() == 10_000 {
            apply(&mut definitions);
        }
    }
    apply(&mut definitions);
    head
}

/// Writes the index of a head to a file.
fn written(sys: &Sys, path: &Path, head: &Head) -> (Arc<dyn File>, IndexRefs) {
    let mut file = FileWriter::new(sys.disk.create_new(path).unwrap());
    let refs = write(&HeadInput::new(head, &|| ()), &mut file).unwrap();
    let (file, _) = file.finish().unwrap();
    (Arc::from(file), refs)
}

#[test]
fn the_index_of_a_head_answers_as_the_head() {
    // Some were registered and never applied, the last ones among them.
    let is_applied = |id: u32| id % 7 != 3 && id < 2000;
    let head = head_of(fleet::series(3).take(2010), is_applied);
    let (file, refs) = written(&SimDisk::new(1).sys(0), Path::new("/index"), &head);
    let index = StoredIndex::open(&file, &refs).unwrap();
    assert_eq!(index.rows(), 2000);
    for row in 0..index.rows() {
        let mut symbols = Vec::new();
        index.symbols_of(row, &mut symbols).unwrap();
        let text = |symbol| index.text(symbol).unwrap();
        let pairs = symbols
            .iter()
            .map(|&(name, value)| (text(name), text(value)))
            .collect::<Vec<_>>();
        let labels =
            Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
        let expected = is_applied(row).then(|| head.labels(SeriesId(row)).unwrap());
        assert_eq!(labels, expected.unwrap_or_default());
    }
    for (op, name, value) in [
        (MatchOp::Equal, "job", "node"),
        (MatchOp::NotEqual, "code", "200"),
        (MatchOp::Regex, "__name__", "http_.*_bucket"),
        (MatchOp::NotRegex, "instance", "10\\.0\\.0\\.1:.*"),
        (MatchOp::Equal, "le", ""),
    ] {
        let matchers = [Matcher::new(op, name, value).unwrap()];
        let expected = evaluate(&head, &matchers, ReadBounds::NONE).unwrap();
        assert!(!expected.is_empty());
        assert_eq!(index.evaluate(&matchers).unwrap(), expected);
    }
    let pin = head.pin();
    let all = crate::model::TimeRange::ALL;
    assert_eq!(
        head.label_names(&pin, &[], all).unwrap(),
        [""; 0],
        "no samples"
    );
    let names = index.label_names(None).unwrap();
    assert!(names.contains(&"instance".to_owned()) && names.is_sorted());
    assert_eq!(index.label_values("job", None).unwrap(), ["api", "node"]);
}

#[test]
fn strings_that_begin_alike_are_sorted() {
    let ends = [
        "",
        "a",
        "b",
        "ab",
        "\0",
        "\0\0",
        "a\0",
        "\u{e9}",
        "zzzzzzzzz",
        "aaaaaaaaaaaaaaaaaa",
    ];
    let starts = [String::new(), "x".repeat(8), "x".repeat(300)];
    let texts: Vec<String> = starts
        .iter()
        .flat_map(|start| ends.map(|end| format!("{start}{end}")))
        .collect();
    let mut symbols = SymbolTable::default();
    let interned = texts.iter().rev().map(|text| symbols.intern(text).unwrap());
    let mut sorted: Vec<_> = interned.map(|symbol| (0, symbol)).collect();
    sort_from(&mut sorted, &symbols, 0);
    let found: Vec<&str> = sorted
        .iter()
        .map(|&(_, symbol)| symbols.text(symbol))
        .collect();
    let mut expected = texts.clone();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
