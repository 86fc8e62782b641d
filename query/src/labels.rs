//! Label sets of results.

pub(crate) mod hash;

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::limits::meter::work;
use crate::limits::{bytes_of, heap_bytes};
use crate::parse::strings::quote;

/// The label that holds the metric name.
pub(crate) const METRIC_NAME: &str = "__name__";

/// The label that says what kind of metric a series is of.
pub(crate) const METRIC_TYPE: &str = "__type__";

/// The label that holds the upper bound of a classic histogram's bucket.
pub(crate) const BUCKET: &str = "le";

/// Labels that say what a series measures. What changes the meaning of a value drops them.
pub(crate) const METADATA: [&str; 3] = [METRIC_NAME, METRIC_TYPE, "__unit__"];

/// A label set: names unique and sorted by their bytes, values never empty.
///
/// Unlike a stored series a result may have no metric name, and no label at all. Sets are
/// ordered label by label, name before value, as Prometheus sorts the series of a matrix.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// Names and values, one after the other, without separators.
    text: Box<str>,
    /// For each name and each value in turn, where it ends in `text`.
    ends: Box<[u32]>,
}

impl Labels {
    /// Makes a label set of pairs in any order; of a name given twice the last one counts, and
    /// an empty value is no label.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut pairs: Vec<(N, V)> = pairs.into_iter().collect();
        if !pairs.is_sorted_by(|a, b| a.0.as_ref() < b.0.as_ref()) {
            // Stable, and kept from the back: the last of equal names wins.
            pairs.reverse();
            pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
            pairs.dedup_by(|later, kept| later.0.as_ref() == kept.0.as_ref());
        }
        Self::from_sorted(
            pairs
                .iter()
                .map(|(name, value)| (name.as_ref(), value.as_ref())),
        )
    }

    /// Of pairs that rise in name; those without a value are left out.
    fn from_sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let pairs = pairs.filter(|(_, value)| !value.is_empty());
        let (mut bytes, mut count) = (0, 0);
        for (name, value) in pairs.clone() {
            bytes += name.len() + value.len();
            count += 2;
        }
        work(WORK_A_LABEL_SET);
        let mut text = String::with_capacity(bytes);
        let mut ends = Vec::with_capacity(count);
        for (name, value) in pairs {
            text.push_str(name);
            ends.push(text.len() as u32);
            text.push_str(value);
            ends.push(text.len() as u32);
        }
        Self {
            text: text.into_boxed_str(),
            ends: ends.into_boxed_slice(),
        }
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Names and values in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone + '_ {
        (0..self.len()).map(|i| {
            let start = if i == 0 {
                0
            } else {
                self.ends[2 * i - 1] as usize
            };
            let middle = self.ends[2 * i] as usize;
            let end = self.ends[2 * i + 1] as usize;
            (&self.text[start..middle], &self.text[middle..end])
        })
    }

    /// The value of a label, `""` where it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.iter()
            .find_map(|(n, value)| (n == name).then_some(value))
            .unwrap_or("")
    }

    /// Bytes of all names and values.
    pub(crate) fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Bytes that the set takes beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        heap_bytes(self.text.len()) + bytes_of::<u32>(self.ends.len())
    }

    /// The set with `name` set to `value`; an empty value takes the label away.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let at = self.iter().take_while(|(n, _)| *n < name).count();
        let rest = self.iter().skip(at).filter(move |(n, _)| *n != name);
        Self::from_sorted(
            self.iter()
                .take(at)
                .chain(std::iter::once((name, value)))
                .chain(rest),
        )
    }

    /// The labels whose names `keep` accepts.
    pub(crate) fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self::from_sorted(self.iter().filter(|(name, _)| keep(name)))
    }

    /// The labels that are not metadata: without the metric name, type and unit.
    pub(crate) fn without_metadata(&self) -> Self {
        self.filtered(|name| !METADATA.contains(&name))
    }

    /// The labels that matching looks at: those listed, or all but those and the metric name.
    pub(crate) fn matching(&self, on: bool, names: &[String]) -> Self {
        self.filtered(|name| {
            let listed = names.iter().any(|listed| listed == name);
            if on {
                listed
            } else {
                !listed && name != METRIC_NAME
            }
        })
    }
}

/// How long it takes to make, hash, compare or free a label set, in samples looked at.
const WORK_A_LABEL_SET: usize = 32;

impl Hash for Labels {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        work(WORK_A_LABEL_SET);
        self.text.hash(state);
        self.ends.hash(state);
    }
}

#[cfg(test)]
impl Drop for Labels {
    fn drop(&mut self) {
        work(WORK_A_LABEL_SET);
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        work(WORK_A_LABEL_SET);
        self.iter().cmp(other.iter())
    }
}

/// In the syntax of Prometheus's messages: `{__name__="up", job="node"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            let value = quote(value);
            if is_plain_name(name) {
                write!(f, "{separator}{name}={value}")?;
            } else {
                write!(f, "{separator}{}={value}", quote(name))?;
            }
        }
        f.write_str("}")
    }
}

/// Whether a label name needs no quotes: `[a-zA-Z_][a-zA-Z0-9_]*`.
fn is_plain_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_in_any_order_become_a_sorted_set() {
        let labels = Labels::from_pairs([("z", "1"), ("a", ""), ("b", "old"), ("b", "new")]);
        assert_eq!(labels.to_string(), r#"{b="new", z="1"}"#);
        assert_eq!(labels.get("b"), "new");
        assert_eq!(labels.get("a"), "");
        assert_eq!(labels, Labels::from_pairs([("b", "new"), ("z", "1")]));
    }

    #[test]
    fn one_label_is_set_replaced_and_taken_away() {
        let labels = Labels::from_pairs([("a", "1"), ("c", "3")]);
        assert_eq!(
            labels.with("b", "2").to_string(),
            r#"{a="1", b="2", c="3"}"#
        );
        assert_eq!(labels.with("c", "x").to_string(), r#"{a="1", c="x"}"#);
        assert_eq!(
            labels.with("z", "x").to_string(),
            r#"{a="1", c="3", z="x"}"#
        );
        assert_eq!(labels.with("a", "").to_string(), r#"{c="3"}"#);
    }

    #[test]
    fn matching_labels_leave_the_metric_name_out_unless_listed() {
        let labels = Labels::from_pairs([("__name__", "up"), ("a", "1"), ("b", "2")]);
        let names = ["a".to_owned()];
        assert_eq!(labels.matching(true, &names).to_string(), r#"{a="1"}"#);
        assert_eq!(labels.matching(false, &names).to_string(), r#"{b="2"}"#);
    }

    #[test]
    fn the_same_text_cut_elsewhere_is_another_set() {
        let one = Labels::from_pairs([("ab", "c")]);
        let two = Labels::from_pairs([("a", "bc")]);
        assert_ne!(one, two);
        assert!(two < one);
    }

    #[test]
    fn names_that_are_not_plain_are_quoted() {
        let labels = Labels::from_pairs([("a b", "1"), ("a.c", "2")]);
        assert_eq!(labels.to_string(), r#"{"a b"="1", "a.c"="2"}"#);
    }
}
