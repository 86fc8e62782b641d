//! What holds of relabeling rules of any text, and of what they make of labels.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Pairs, Relabeling};

/// What stands between the rules and the labels.
const CUT: &str = "\n---\n";

/// A file of rules, then labels, name and value on lines of their own. Rules that are taken leave
/// labels without empty values, no name twice, and do the same each time.
pub(crate) fn run(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let (rules, labels) = text
        .split_once(CUT)
        .unwrap_or((text, "__name__\nup\njob\nnode"));
    let rules = match Relabeling::parse(rules) {
        Ok(rules) => rules,
        Err(why) => {
            assert!(!why.is_empty());
            return false;
        }
    };
    let mut lines = labels.split('\n');
    let mut given = BTreeMap::new();
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        if !name.is_empty() && !value.is_empty() {
            given.insert(name, value);
        }
    }
    let apply = || {
        let pairs = given.iter();
        let pairs = pairs.map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value)));
        let mut pairs: Pairs<'_> = pairs.collect();
        rules.apply(&mut pairs).then_some(pairs)
    };
    let changed = apply();
    assert_eq!(apply(), changed);
    if let Some(mut pairs) = changed {
        pairs.sort();
        assert!(
            pairs.iter().all(|(_, value)| !value.is_empty()),
            "{pairs:?}"
        );
        assert!(
            pairs.is_sorted_by(|one, other| one.0 < other.0),
            "{pairs:?}"
        );
    }
    true
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        "[]",
        "- source_labels: [__name__]\n  regex: 'go_.*'\n  action: drop\n",
        "- source_labels: [job, instance]\n  separator: '@'\n  regex: (.*)@(.*):\\d+\n  target_label: at\n  replacement: ${2}-$1\n\n---\n__name__\nup\njob\nnode\ninstance\nhost:9100",
        "- action: labelmap\n  regex: __meta_(.+)\n- action: labeldrop\n  regex: __meta_.+\n\n---\n__meta_a\nb\na\nc",
        "- action: hashmod\n  source_labels: [a]\n  modulus: 7\n  target_label: shard\n- action: keep\n  source_labels: [shard]\n  regex: '[0-6]'",
        "- {action: lowercase, source_labels: [job], target_label: job}\n- {action: uppercase, source_labels: [job], target_label: \u{e9}}",
        "- {action: keepequal, source_labels: [a], target_label: b}",
        "- {action: dropequal, source_labels: [a], target_label: b}\n---\na\nx\nb\ny",
        "- {action: labelkeep, regex: __name__}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
