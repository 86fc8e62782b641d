//! Label sets of results.

use std::fmt;

/// A label set: names unique and sorted by their bytes, values never empty.
///
/// Unlike a stored series a result may have no metric name, and no label at all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

impl Labels {
    /// Makes a label set of pairs in any order; of a name given twice the last one counts, and
    /// an empty value is no label.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<Box<str>>,
        V: Into<Box<str>>,
    {
        let mut pairs: Vec<(Box<str>, Box<str>)> = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        // Stable, and kept from the back: the last of equal names wins.
        pairs.reverse();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, kept| later.0 == kept.0);
        pairs.retain(|(_, value)| !value.is_empty());
        Self(pairs.into_boxed_slice())
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + '_ {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of a label, `""` where it is not there.
    pub fn get(&self, name: &str) -> &str {
        match self.0.binary_search_by(|(n, _)| (**n).cmp(name)) {
            Ok(at) => &self.0[at].1,
            Err(_) => "",
        }
    }
}

/// In the syntax of Prometheus's messages: `{__name__="up", job="node"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
