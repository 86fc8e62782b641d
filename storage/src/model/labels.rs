//! Label sets.

use std::fmt;
use std::hash::{Hash, Hasher};

use thiserror::Error;

/// The label that holds the metric name.
pub const METRIC_NAME: &str = "__name__";

/// A label set: names unique, sorted by their bytes, no empty value.
///
/// All strings stand in one buffer, so that a set costs two allocations however many labels
/// it has. Sets are ordered label by label, name before value, as Prometheus sorts them.
///
/// Equality, order and hash are those of the [`LabelsRef`] that [`Labels::as_ref`] gives.
#[derive(Clone, Default)]
pub struct Labels {
    /// Names and values, one after the other, without separators.
    text: Box<str>,
    /// For each name and each value in turn, where it ends in `text`.
    ends: Box<[u32]>,
}

/// Why a list of names and values is not a label set.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LabelError {
    /// A label without a name.
    #[error("label name is empty (value {value:?})")]
    EmptyName {
        /// The value that stood beside it.
        value: String,
    },
    /// The same name twice.
    #[error("label name {name:?} is not unique")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// Where a metric name is needed and there is none.
    #[error("label __name__ is missing or empty")]
    MissingMetricName,
    /// More bytes of names and values than a u32 counts.
    #[error("label set has {bytes} bytes, more than {}", u32::MAX)]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
}

impl Labels {
    /// Makes a label set of pairs in any order. Empty values are dropped: to Prometheus a label
    /// with an empty value is a label that is not there.
    ///
    /// # Errors
    /// An empty name, a name that appears twice (even with equal values), more than 4 GiB.
    ///
    /// # Examples
    /// ```
    /// use silverback_storage::Labels;
    /// let labels = Labels::from_pairs([("job", "node"), ("__name__", "up"), ("zone", "")])?;
    /// assert_eq!(labels.to_string(), r#"up{job="node"}"#);
    /// assert_eq!(labels.get("zone"), None);
    /// # Ok::<(), silverback_storage::LabelError>(())
    /// ```
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, LabelError> {
        let mut pairs: Vec<(&str, &str)> = pairs.into_iter().collect();
        if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
            pairs.sort_by_key(|&(name, _)| name);
        }
        if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(LabelError::DuplicateName {
                name: pair[0].0.to_owned(),
            });
        }
        if let Some(&(_, value)) = pairs.first().filter(|(name, _)| name.is_empty()) {
            return Err(LabelError::EmptyName {
                value: value.to_owned(),
            });
        }
        pairs.retain(|(_, value)| !value.is_empty());
        Self::from_sorted(&pairs)
    }

    fn from_sorted(pairs: &[(&str, &str)]) -> Result<Self, LabelError> {
        let bytes = pairs
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if u32::try_from(bytes).is_err() {
            return Err(LabelError::TooLarge { bytes });
        }
        Ok(Self::from_label_set(pairs.iter().copied()))
    }

    /// A label set of pairs known to be one: sorted, unique, no empty value, below 4 GiB.
    pub(crate) fn from_label_set<'a>(
        pairs: impl ExactSizeIterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Self {
        let bytes = pairs.clone().map(|(name, value)| name.len() + value.len());
        let mut text = String::with_capacity(bytes.sum());
        let mut ends = Vec::with_capacity(pairs.len() * 2);
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

    /// The same set, borrowed.
    pub fn as_ref(&self) -> LabelsRef<'_> {
        LabelsRef {
            text: &self.text,
            ends: &self.ends,
            start: 0,
        }
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.as_ref().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all names and values.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Names and values in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + '_ {
        self.as_ref().iter()
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.as_ref().get(name)
    }

    /// The value of `__name__`.
    pub fn metric_name(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_ref().cmp(&other.as_ref())
    }
}

/// A borrowed label set: names unique, sorted by their bytes, no empty value.
///
/// Many sets can share one text buffer and one list of ends, so that a request's series cost
/// no allocation each.
///
/// # Examples
/// ```
/// use silverback_storage::{Labels, LabelsRef};
/// // {job="node"} and {zone="eu"} in one buffer.
/// let (text, ends) = ("jobnodezoneeu", [3, 7, 11, 13]);
/// let zone = LabelsRef::new(text, &ends[2..], 7);
/// assert_eq!(zone, Labels::from_pairs([("zone", "eu")])?.as_ref());
/// # Ok::<(), silverback_storage::LabelError>(())
/// ```
#[derive(Clone, Copy)]
pub struct LabelsRef<'a> {
    /// A buffer that holds this set's names and values, one after the other.
    text: &'a str,
    /// For each name and each value in turn, where it ends in `text`.
    ends: &'a [u32],
    /// Where the first name starts in `text`.
    start: u32,
}

impl<'a> LabelsRef<'a> {
    /// The set whose first name starts at byte `start` of `text` and whose names and values end,
    /// in turn, at the bytes `ends` of `text`.
    ///
    /// The caller answers for the rules of a label set (order, no name twice, no empty value)
    /// and for the ends: even in number, never falling, within the text and between characters.
    /// Ends that are not are a bug of the caller, on which the other methods panic.
    pub fn new(text: &'a str, ends: &'a [u32], start: u32) -> Self {
        debug_assert!(ends.len().is_multiple_of(2), "a name without a value");
        debug_assert!(ends.is_sorted() && ends.first().is_none_or(|&end| start <= end));
        Self { text, ends, start }
    }

    /// How many labels there are.
    pub fn len(self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.ends.is_empty()
    }

    /// Names and values in order of name.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> + use<'a> {
        let Self { text, ends, start } = self;
        (0..ends.len() / 2).map(move |i| {
            let name_start = if i == 0 { start } else { ends[2 * i - 1] };
            let name_end = ends[2 * i] as usize;
            let value_end = ends[2 * i + 1] as usize;
            (
                &text[name_start as usize..name_end],
                &text[name_end..value_end],
            )
        })
    }

    /// The value of a label.
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.iter()
            .find_map(|(n, value)| (n == name).then_some(value))
    }

    /// The value of `__name__`.
    pub fn metric_name(self) -> Option<&'a str> {
        self.get(METRIC_NAME)
    }

    /// The same set with its own memory.
    pub fn to_owned(self) -> Labels {
        Labels {
            text: self.own_text().into(),
            ends: self.own_ends().collect(),
        }
    }

    /// The part of the buffer that is this set's.
    fn own_text(self) -> &'a str {
        let end = self.ends.last().map_or(self.start, |&end| end);
        &self.text[self.start as usize..end as usize]
    }

    /// The ends as offsets into [`LabelsRef::own_text`].
    fn own_ends(self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        let start = self.start;
        self.ends.iter().map(move |end| end - start)
    }
}

impl PartialEq for LabelsRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.own_text() == other.own_text() && self.own_ends().eq(other.own_ends())
    }
}

impl Eq for LabelsRef<'_> {}

impl Hash for LabelsRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.own_text().hash(state);
        for end in self.own_ends() {
            state.write_u32(end);
        }
        state.write_usize(self.ends.len());
    }
}

impl PartialOrd for LabelsRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LabelsRef<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.iter().cmp(other.iter())
    }
}

/// In the syntax of PromQL: `up{job="node"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), f)
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// In the syntax of PromQL: `up{job="node"}`.
impl fmt::Display for LabelsRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name();
        if let Some(name) = name {
            f.write_str(name)?;
        }
        let mut rest = self
            .iter()
            .filter(|(name, _)| *name != METRIC_NAME)
            .peekable();
        if rest.peek().is_none() && name.is_some() {
            return Ok(());
        }
        f.write_str("{")?;
        let mut separator = "";
        for (name, value) in rest {
            write!(f, "{separator}{name}={value:?}")?;
            separator = ", ";
        }
        f.write_str("}")
    }
}

impl fmt::Debug for LabelsRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_and_empty_values_dropped() {
        let labels =
            Labels::from_pairs([("z", "1"), ("a", ""), ("__name__", "m"), ("b", "x\"y")]).unwrap();
        let pairs: Vec<_> = labels.iter().collect();
        assert_eq!(pairs, [("__name__", "m"), ("b", "x\"y"), ("z", "1")]);
        assert_eq!(labels.to_string(), r#"m{b="x\"y", z="1"}"#);
        assert_eq!(labels.get("b"), Some("x\"y"));
    }

    #[test]
    fn broken_label_rules_are_named() {
        assert_eq!(
            Labels::from_pairs([("a", "1"), ("b", "2"), ("a", "1")])
                .unwrap_err()
                .to_string(),
            "label name \"a\" is not unique"
        );
        assert_eq!(
            Labels::from_pairs([("a", "1"), ("", "2")])
                .unwrap_err()
                .to_string(),
            "label name is empty (value \"2\")"
        );
        // An empty value does not hide that its name is there twice.
        assert!(Labels::from_pairs([("a", "1"), ("a", "")]).is_err());
    }

    #[test]
    fn the_same_text_cut_elsewhere_is_another_set() {
        let one = Labels::from_pairs([("ab", "c")]).unwrap();
        let two = Labels::from_pairs([("a", "bc")]).unwrap();
        assert_ne!(one, two);
        assert!(two < one);
    }

    #[test]
    fn sets_that_share_a_buffer_equal_sets_that_do_not() {
        use std::hash::BuildHasher;
        let (text, ends) = ("ab".repeat(3), [1, 2, 3, 4, 5, 6]);
        let hasher = foldhash::fast::RandomState::default();
        let empty = LabelsRef::new(&text, &[], 3);
        assert!(empty.is_empty() && empty == Labels::default().as_ref());
        for start in [0, 2, 4] {
            let shared = LabelsRef::new(&text, &ends[start..start + 2], start as u32);
            let own = Labels::from_pairs([("a", "b")]).unwrap();
            assert_eq!(shared, own.as_ref());
            assert_eq!(shared.to_owned(), own);
            assert_eq!(shared.cmp(&own.as_ref()), std::cmp::Ordering::Equal);
            assert_eq!(hasher.hash_one(shared), hasher.hash_one(&own));
            assert_eq!(shared.get("a"), Some("b"));
            assert_eq!(shared.len(), 1);
        }
    }
}
