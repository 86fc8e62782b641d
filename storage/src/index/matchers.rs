//! Which series pass a list of matchers.

use std::borrow::Cow;

use roaring::RoaringBitmap;

use super::{PostingsIndex, SymbolTable};
use crate::model::{MatchOp, Matcher, SymbolId};

/// How many values a regular expression is tried on while the symbols are borrowed once.
const SCAN_BATCH: usize = 1024;

/// An index and its symbols, borrowed for a short time at a time: where they stand behind locks,
/// a regular expression over a million values must not keep writers out for as long as it runs.
pub trait IndexAccess {
    /// Calls `read` with the postings.
    fn with_postings<R>(&self, read: impl FnOnce(&PostingsIndex) -> R) -> R;
    /// Calls `read` with the symbols that the postings are kept by.
    fn with_symbols<R>(&self, read: impl FnOnce(&SymbolTable) -> R) -> R;
}

impl IndexAccess for (&PostingsIndex, &SymbolTable) {
    fn with_postings<R>(&self, read: impl FnOnce(&PostingsIndex) -> R) -> R {
        read(self.0)
    }

    fn with_symbols<R>(&self, read: impl FnOnce(&SymbolTable) -> R) -> R {
        read(self.1)
    }
}

/// The series that pass all of `matchers`; every series if there is none.
///
/// A label that a series lacks has the value `""`, so a matcher that passes `""` takes away the
/// series whose value it refuses, and another matcher picks those whose value it passes: the
/// same answer as Prometheus's `PostingsForMatchers`. Series added to the index meanwhile may or
/// may not be among the answer.
pub fn evaluate(access: &impl IndexAccess, matchers: &[Matcher]) -> RoaringBitmap {
    let mut terms = Vec::with_capacity(matchers.len());
    for matcher in matchers {
        match Term::of(access, matcher) {
            Term::All => {}
            Term::Nothing => return RoaringBitmap::new(),
            term => terms.push(term),
        }
    }
    access.with_postings(|index| combine(index, &terms))
}

fn combine(index: &PostingsIndex, terms: &[Term]) -> RoaringBitmap {
    let mut included = Vec::new();
    let mut excluded = Vec::new();
    for term in terms {
        match term {
            Term::Include(series) => included.push(series.resolve(index)),
            Term::Exclude(series) => excluded.push(series.resolve(index)),
            Term::All | Term::Nothing => {}
        }
    }
    included.sort_by_cached_key(|bitmap| bitmap.len());
    let mut included = included.into_iter();
    let mut result = match included.next() {
        Some(smallest) => smallest.into_owned(),
        None => index.all().clone(),
    };
    for bitmap in included {
        if result.is_empty() {
            return result;
        }
        result &= &*bitmap;
    }
    for bitmap in excluded {
        result -= &*bitmap;
    }
    result
}

/// What a matcher does to the answer.
enum Term {
    /// Every series passes.
    All,
    /// No series passes.
    Nothing,
    /// Only these series pass.
    Include(Set),
    /// All but these series pass.
    Exclude(Set),
}

/// Series by the value of one label.
enum Set {
    /// Those with any value.
    Present(SymbolId),
    /// Those with this value.
    Value(SymbolId, SymbolId),
    /// Those with one of these values.
    Values(SymbolId, Vec<SymbolId>),
    /// Those with any value but these.
    PresentExcept(SymbolId, Vec<SymbolId>),
}

impl Set {
    fn resolve<'a>(&self, index: &'a PostingsIndex) -> Cow<'a, RoaringBitmap> {
        let present = |name| match index.present(name) {
            Some(bitmap) => Cow::Borrowed(bitmap),
            None => Cow::default(),
        };
        match self {
            Self::Present(name) => present(*name),
            Self::Value(name, value) => match index.postings(*name, *value) {
                Some(postings) => postings.to_bitmap(),
                None => Cow::default(),
            },
            Self::Values(name, values) => Cow::Owned(index.union(*name, values.iter().copied())),
            Self::PresentExcept(name, values) => {
                Cow::Owned(&*present(*name) - index.union(*name, values.iter().copied()))
            }
        }
    }
}

impl Term {
    fn of(access: &impl IndexAccess, matcher: &Matcher) -> Self {
        let negated = matches!(matcher.op(), MatchOp::NotEqual | MatchOp::NotRegex);
        let is_regex = matches!(matcher.op(), MatchOp::Regex | MatchOp::NotRegex);
        if is_regex && matcher.value() == ".*" {
            return if negated { Self::Nothing } else { Self::All };
        }
        let passes_absent = matcher.matches("");
        let Some(name) = access.with_symbols(|symbols| symbols.get(matcher.name())) else {
            return if passes_absent {
                Self::All
            } else {
                Self::Nothing
            };
        };
        if is_regex && matcher.value() == ".+" {
            return match negated {
                true => Self::Exclude(Set::Present(name)),
                false => Self::Include(Set::Present(name)),
            };
        }
        if let Some(literals) = matcher.literals() {
            return Self::of_literals(access, name, literals, negated, passes_absent);
        }
        // A regular expression: `matches` already turns `!~` around.
        let picked = scan(access, name, |text| matcher.matches(text) != passes_absent);
        match passes_absent {
            true => Self::Exclude(Set::Values(name, picked)),
            false => Self::Include(Set::Values(name, picked)),
        }
    }

    /// The term of a matcher that compares with a list of strings, one of which may be `""`.
    fn of_literals<'a>(
        access: &impl IndexAccess,
        name: SymbolId,
        literals: impl Iterator<Item = &'a str>,
        negated: bool,
        passes_absent: bool,
    ) -> Self {
        let mut values: Vec<SymbolId> = access.with_symbols(|symbols| {
            literals
                .filter(|text| !text.is_empty())
                .filter_map(|text| symbols.get(text))
                .collect()
        });
        // `""` is in the list exactly if absence passes `=~`, or does not pass `!~`.
        let set = if negated != passes_absent {
            match values.len() {
                0 => Set::Present(name),
                _ => Set::PresentExcept(name, values),
            }
        } else {
            match values.len() {
                1 => Set::Value(name, values.remove(0)),
                _ => Set::Values(name, values),
            }
        };
        match passes_absent {
            true => Self::Exclude(set),
            false => Self::Include(set),
        }
    }
}

/// The values of a label that `pick` takes.
fn scan(access: &impl IndexAccess, name: SymbolId, pick: impl Fn(&str) -> bool) -> Vec<SymbolId> {
    let values: Vec<SymbolId> = access.with_postings(|index| index.values(name).collect());
    let mut picked = Vec::new();
    for batch in values.chunks(SCAN_BATCH) {
        access.with_symbols(|symbols| {
            let taken = batch.iter().filter(|&&value| pick(symbols.text(value)));
            picked.extend(taken.copied());
        });
    }
    picked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::SeriesId;

    /// Series by id, each as its labels.
    fn index_of(series: &[Vec<(&str, &str)>]) -> (PostingsIndex, SymbolTable) {
        let (mut index, mut symbols) = (PostingsIndex::default(), SymbolTable::default());
        for (id, labels) in (0u32..).zip(series) {
            let labels: Vec<_> = labels
                .iter()
                .map(|(name, value)| {
                    (
                        symbols.intern(name).unwrap(),
                        symbols.intern(value).unwrap(),
                    )
                })
                .collect();
            index.insert(SeriesId(id), labels);
        }
        (index, symbols)
    }

    type Conditions<'a> = &'a [(MatchOp, &'a str, &'a str)];

    fn ids(index: &(PostingsIndex, SymbolTable), matchers: Conditions<'_>) -> Vec<u32> {
        let matchers: Vec<_> = matchers
            .iter()
            .map(|&(op, name, value)| Matcher::new(op, name, value).unwrap())
            .collect();
        evaluate(&(&index.0, &index.1), &matchers).iter().collect()
    }

    #[test]
    fn absence_is_the_empty_value() {
        use MatchOp::{Equal, NotEqual, NotRegex, Regex};
        // After the cases of Prometheus's TestPostingsForMatchers (tsdb/querier_test.go).
        let index = index_of(&[
            vec![("n", "1")],
            vec![("i", "a"), ("n", "1")],
            vec![("i", "b"), ("n", "1")],
            vec![("i", "\n"), ("n", "1")],
            vec![("n", "2")],
            vec![("n", "2.5")],
        ]);
        let cases: &[(Conditions<'_>, &[u32])] = &[
            (&[], &[0, 1, 2, 3, 4, 5]),
            (&[(Equal, "n", "1")], &[0, 1, 2, 3]),
            (&[(Equal, "missing", "")], &[0, 1, 2, 3, 4, 5]),
            (&[(Equal, "missing", "x")], &[]),
            (&[(NotEqual, "missing", "")], &[]),
            (&[(Equal, "n", "1"), (Equal, "i", "a")], &[1]),
            (&[(Equal, "n", "1"), (Equal, "i", "")], &[0]),
            (&[(Equal, "n", "1"), (NotEqual, "i", "")], &[1, 2, 3]),
            (&[(NotEqual, "n", "1")], &[4, 5]),
            (&[(Equal, "n", "1"), (NotEqual, "i", "a")], &[0, 2, 3]),
            (&[(NotEqual, "n", "none")], &[0, 1, 2, 3, 4, 5]),
            (&[(Regex, "n", "^1$")], &[0, 1, 2, 3]),
            (&[(Regex, "i", "")], &[0, 4, 5]),
            (&[(NotRegex, "i", "")], &[1, 2, 3]),
            (&[(Equal, "n", "1"), (Regex, "i", "a?")], &[0, 1]),
            (&[(Regex, "i", "a|")], &[0, 1, 4, 5]),
            (&[(NotRegex, "i", "a|")], &[2, 3]),
            (&[(Regex, "i", "a|b|zzz")], &[1, 2]),
            (&[(NotRegex, "i", "a|b")], &[0, 3, 4, 5]),
            (&[(NotRegex, "i", "zzz|yyy")], &[0, 1, 2, 3, 4, 5]),
            (&[(Regex, "i", ".*")], &[0, 1, 2, 3, 4, 5]),
            (&[(NotRegex, "i", ".*")], &[]),
            (&[(Regex, "i", ".+")], &[1, 2, 3]),
            (&[(NotRegex, "i", ".+")], &[0, 4, 5]),
            (&[(Regex, "n", "2.*"), (NotRegex, "n", "2")], &[5]),
            (&[(NotEqual, "i", ""), (NotEqual, "i", "a")], &[2, 3]),
            (
                &[(NotRegex, "i", "a|b"), (Regex, "i", "[^x]*")],
                &[0, 3, 4, 5],
            ),
            (&[(Regex, "n", "1"), (Regex, "n", "2")], &[]),
        ];
        for (matchers, expected) in cases {
            assert_eq!(&ids(&index, matchers), expected, "{matchers:?}");
        }
    }

    proptest! {
        #[test]
        fn as_if_every_series_were_asked(
            series in prop::collection::vec((0..4usize, 0..4usize), 1..40),
            matchers in prop::collection::vec((0..4usize, 0..3usize, 0..12usize), 0..4),
        ) {
            const VALUES: [&str; 4] = ["", "a", "b", "ab"];
            const NAMES: [&str; 3] = ["x", "y", "unknown"];
            const PATTERNS: [&str; 12] =
                ["", "a", "b", "a|b", "a|", ".*", ".+", "a.*", "[ab]", "zz", "(a|b)?", "|"];
            const OPS: [MatchOp; 4] =
                [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
            let series: Vec<Vec<_>> = series
                .iter()
                .map(|&(x, y)| [("x", VALUES[x]), ("y", VALUES[y])])
                .map(|labels| labels.into_iter().filter(|(_, value)| !value.is_empty()).collect())
                .collect();
            let matchers: Vec<_> = matchers
                .iter()
                .map(|&(op, name, value)| (OPS[op], NAMES[name], PATTERNS[value]))
                .collect();
            let compiled: Vec<_> = matchers
                .iter()
                .map(|&(op, name, value)| Matcher::new(op, name, value).unwrap())
                .collect();
            let expected: Vec<u32> = (0u32..)
                .zip(&series)
                .filter(|(_, labels)| {
                    compiled.iter().all(|matcher| {
                        let label = labels.iter().find(|(name, _)| *name == matcher.name());
                        matcher.matches(label.map_or("", |(_, value)| value))
                    })
                })
                .map(|(id, _)| id)
                .collect();
            prop_assert_eq!(ids(&index_of(&series), &matchers), expected);
        }
    }
}
