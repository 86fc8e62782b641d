//! What holds of stored indexes of any bytes, and of regular expressions.

use roaring::RoaringBitmap;

use super::prefixes::{after_prefix, prefixes};
use super::stored::{IndexRefs, StoredIndex};
use crate::fuzz::{Input, Raw, join, parts};
use crate::model::{MatchOp, Matcher, ReadBounds, SymbolId};
use crate::section::{Bytes, SectionRef};

/// How many rows, symbols and values are asked about.
const ASKED_MAX: u32 = 300;

/// Five parts: symbols, names, postings, series, and the counts of the references. Whatever is
/// asked, there is an answer or an error.
pub(crate) fn stored(data: &[u8]) -> bool {
    let parts = parts(data);
    let &[symbols, names, postings, series, counts] = parts.as_slice() else {
        return false;
    };
    let mut refs = vec![0; 4 * SectionRef::ENCODED_BYTES];
    refs.extend_from_slice(counts);
    let refs = refs
        .try_into()
        .ok()
        .and_then(|refs| IndexRefs::decode(&refs));
    let Some(refs) = refs else {
        return false;
    };
    let sections = [symbols, names, postings, series];
    let sections = sections.map(|bytes| Box::new(Raw(bytes.to_vec())) as Box<dyn Bytes>);
    match StoredIndex::from_bytes(sections, &refs) {
        Ok(index) => ask(&index),
        Err(_) => false,
    }
}

/// Asks an index all there is to ask; whether there was an answer to everything.
pub(crate) fn ask(index: &StoredIndex) -> bool {
    let mut is_whole = true;
    let mut note = |is_ok: bool| is_whole &= is_ok;
    let asked: RoaringBitmap = (0..index.rows().min(ASKED_MAX)).collect();
    let names = index.label_names_within(None, ReadBounds::NONE);
    note(
        names.is_ok()
            && index
                .label_names_within(Some(&asked), ReadBounds::NONE)
                .is_ok(),
    );
    for name in names.unwrap_or_default().iter().take(4) {
        note(
            index
                .label_values_within(name, None, ReadBounds::NONE)
                .is_ok(),
        );
        note(
            index
                .label_values_within(name, Some(&asked), ReadBounds::NONE)
                .is_ok(),
        );
        for (op, value) in [
            (MatchOp::Equal, "node"),
            (MatchOp::NotEqual, ""),
            (MatchOp::Regex, "node|up"),
        ] {
            if let Ok(matcher) = Matcher::new(op, name, value) {
                note(
                    index
                        .evaluate_with(&[matcher], None, ReadBounds::NONE)
                        .is_ok(),
                );
            }
        }
        let symbol = index.lookup(name);
        note(symbol.is_ok());
        if let Ok(Some(symbol)) = symbol {
            note(ask_values(index, symbol));
        }
    }
    // To compile these takes longer than all the rest, so one name has to do.
    for (op, value) in [(MatchOp::Regex, "host-1.*|x"), (MatchOp::NotRegex, ".*1|")] {
        if let Ok(matcher) = Matcher::new(op, "instance", value) {
            note(
                index
                    .evaluate_with(&[matcher], None, ReadBounds::NONE)
                    .is_ok(),
            );
        }
    }
    note(
        index.evaluate_with(&[], None, ReadBounds::NONE).is_ok()
            && index.rows_without(None).is_ok(),
    );
    note(ask_rows(index, &asked));
    is_whole
}

fn ask_values(index: &StoredIndex, name: SymbolId) -> bool {
    let mut rows = Vec::new();
    let values = index.value_rows(name);
    let read = values.as_ref().map(|values| {
        values.iter().take(ASKED_MAX as usize).all(|value| {
            rows.clear();
            index.rows_of(value, &mut rows).is_ok()
        })
    });
    read.unwrap_or(false) && index.rows_without(Some(name)).is_ok()
}

fn ask_rows(index: &StoredIndex, asked: &RoaringBitmap) -> bool {
    let rows: Vec<u32> = asked.iter().collect();
    let mut together = Vec::new();
    let all = index.symbols_of_rows(&rows, |row, labels| together.push((row, labels.to_vec())));
    let mut is_whole = all.is_ok();
    for &row in &rows {
        let mut labels = Vec::new();
        let own = index.symbols_of_rows(&[row], |_, own| labels.extend_from_slice(own));
        is_whole &= own.is_ok();
        // What is read of many rows is what is read of one.
        if all.is_ok() && own.is_ok() {
            let found = together.iter().find(|(other, _)| *other == row);
            assert_eq!(found.map_or(&[][..], |(_, labels)| labels), labels);
        }
    }
    let symbols: Vec<SymbolId> = (0..index.symbols().min(ASKED_MAX)).map(SymbolId).collect();
    let mut texts = Vec::new();
    is_whole &= index
        .texts(&symbols, |_, text| texts.push(text.to_owned()))
        .is_ok();
    // Whether they are found depends on the order of all, which is not checked.
    is_whole & texts.iter().all(|text| index.lookup(text).is_ok())
}

/// The index of a file that is the input of a segment or a block: see [`stored`].
pub(crate) fn stored_seed(file: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = parts(file);
    let footer = parts.pop()?;
    let counts =
        footer.len().checked_sub(IndexRefs::ENCODED_BYTES)? + 4 * SectionRef::ENCODED_BYTES;
    let mut index = parts.split_off(parts.len().checked_sub(4)?);
    index.push(footer.get(counts..)?);
    Some(join(&index))
}

/// A byte for the operator, then lines: a pattern, and texts. A matcher passes exactly the texts
/// that the plain expression matches; what it says its literals are is all it passes; and nothing
/// passes that does not begin with one of its prefixes.
pub(crate) fn matcher(data: &[u8]) -> bool {
    let mut input = Input(data);
    let negated = input.byte() & 1 == 1;
    let Ok(text) = std::str::from_utf8(input.0) else {
        return false;
    };
    let mut lines = text.split('\n');
    let pattern = lines.next().unwrap_or_default();
    // A pattern that repeats itself may take seconds to compile up to its limit.
    if pattern.len() > 200 || has_long_repetition(pattern) {
        return false;
    }
    let op = if negated {
        MatchOp::NotRegex
    } else {
        MatchOp::Regex
    };
    let Ok(matcher) = Matcher::new(op, "name", pattern) else {
        return false;
    };
    let plain = plain(pattern);
    let literals: Option<Vec<&str>> = matcher.literals().map(Iterator::collect);
    let begins = prefixes(pattern);
    let own = pattern.split('|').chain(["", "a", "\n", "é"]);
    for text in lines.take(20).chain(own) {
        let passes = matcher.matches(text);
        let is_match = passes != negated;
        if let Some(plain) = &plain {
            assert_eq!(
                is_match,
                plain.is_match(text.as_bytes()),
                "{pattern:?} {text:?}"
            );
        }
        if let Some(literals) = &literals {
            assert_eq!(is_match, literals.contains(&text), "{pattern:?} {text:?}");
        }
        let Some(begins) = begins.as_ref().filter(|_| is_match) else {
            continue;
        };
        let text = text.as_bytes();
        let begin = begins.iter().find(|prefix| text.starts_with(prefix));
        assert!(begin.is_some(), "{pattern:?} {text:?} {begins:?}");
        if let Some(after) = begin.and_then(|prefix| after_prefix(prefix)) {
            assert!(text < after.as_slice(), "{text:?} {after:?}");
        }
    }
    true
}

/// The pattern, anchored by a group of another kind than the matcher's.
fn plain(pattern: &str) -> Option<regex::bytes::Regex> {
    let mut builder = regex::bytes::RegexBuilder::new(&format!(r"\A(?:{pattern})\z"));
    builder.dot_matches_new_line(true).build().ok()
}

/// Whether it repeats something more than 99 times, or several things: `a{1000}`.
fn has_long_repetition(pattern: &str) -> bool {
    let mut braces = pattern.split('{').skip(1);
    let is_long = |text: &str| {
        let numbers = text.split(|c: char| !c.is_ascii_digit());
        numbers.take(2).any(|number| number.len() > 2)
    };
    braces.any(is_long) || pattern.matches('{').count() > 3
}

pub(crate) fn matcher_seeds() -> Vec<Vec<u8>> {
    [
        "",
        "a|b|c\na\nb\nd",
        "node-1.*\nnode-1\nnode-12\nnode",
        ".*:9100\nhost:9100\n:9100\nhost:91000",
        "(?i)Get|POST\nget\nPost\nput",
        "[0-9]{1,3}\\.[0-9]+\n10.5\n1.",
        "(b|a).+|\nax\nb\n",
        "a.*|ab|c\nab\nc\nd",
        "^a$|x\na\nx",
        "\\d+(?:\\.\\d+)?\n1.5\n.5",
        "é|\\x{e8}\né\nè",
    ]
    .map(|text| [&[text.len() as u8 & 1][..], text.as_bytes()].concat())
    .to_vec()
}
