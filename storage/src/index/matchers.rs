//! Which series pass a list of matchers.

use std::borrow::Cow;

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::results::{MatcherResult, Memory, is_costly};
use crate::model::{Ended, MatchOp, Matcher, ReadBounds, SymbolId, Tally};

/// An index that matchers are evaluated over: that of a head, or that of a file.
pub trait Searchable {
    /// Why a question may have no answer.
    type Error: From<Ended>;

    /// The symbol of a string; none where no series has it.
    fn lookup(&self, text: &str) -> Result<Option<SymbolId>, Self::Error>;

    /// The values of a label that `pick` takes, in any order. Where there is a `pattern`, a
    /// regular expression anchored at both ends, `pick` takes no value but those it matches.
    fn pick_values(
        &self,
        name: SymbolId,
        pattern: Option<&str>,
        pick: &dyn Fn(&str) -> bool,
        bounds: ReadBounds<'_>,
    ) -> Result<Vec<SymbolId>, Self::Error>;

    /// Calls `read` with the lists of series, all of one moment.
    fn with_lists<R>(&self, read: impl FnOnce(&dyn SeriesLists<Self::Error>) -> R) -> R;
}

/// The lists of series that an index keeps.
pub trait SeriesLists<E> {
    /// Every series.
    fn all(&self) -> Result<Cow<'_, RoaringBitmap>, E>;

    /// The series that have a label of this name.
    fn present(&self, name: SymbolId) -> Result<Cow<'_, RoaringBitmap>, E>;

    /// The series with a label.
    fn postings(&self, name: SymbolId, value: SymbolId) -> Result<Cow<'_, RoaringBitmap>, E>;

    /// The series whose label `name` has one of `values`, which may be in any order and repeat.
    fn union(
        &self,
        name: SymbolId,
        values: &[SymbolId],
        bounds: ReadBounds<'_>,
    ) -> Result<RoaringBitmap, E>;
}

/// The series that pass all of `matchers`; every series if there is none.
///
/// A label that a series lacks has the value `""`, so a matcher that passes `""` takes away the
/// series whose value it refuses, and another matcher picks those whose value it passes: the
/// same answer as Prometheus's `PostingsForMatchers`. Series added to the index meanwhile may or
/// may not be among the answer.
///
/// # Errors
/// Those of the index; the read was ended.
pub fn evaluate<I: Searchable>(
    index: &I,
    matchers: &[Matcher],
    bounds: ReadBounds<'_>,
) -> Result<RoaringBitmap, I::Error> {
    evaluate_with(index, matchers, None, bounds)
}

/// As [`evaluate`], with what is known of the matchers, to which it adds what it finds out.
///
/// # Errors
/// Those of the index; the read was ended.
pub fn evaluate_with<I: Searchable>(
    index: &I,
    matchers: &[Matcher],
    mut memory: Option<&mut Memory<'_>>,
    bounds: ReadBounds<'_>,
) -> Result<RoaringBitmap, I::Error> {
    let mut tally = Tally::new(bounds);
    let mut terms = Vec::with_capacity(matchers.len());
    for (place, matcher) in matchers.iter().enumerate() {
        bounds.check()?;
        let known = memory.as_ref().and_then(|memory| memory.known_at(place));
        let is_new = memory.is_some() && known.is_none() && is_costly(matcher);
        let term = match known {
            Some(result) => {
                // Held here as well: it may be dropped elsewhere meanwhile.
                tally.grow(result.bytes())?;
                Term::known(result)
            }
            None => Term::of(index, matcher, bounds)?,
        };
        if let (true, Some(memory), Term::All | Term::Nothing) = (is_new, &mut memory, &term) {
            memory.note(place, &RoaringBitmap::new(), matches!(term, Term::All));
        }
        match term {
            Term::All => {}
            Term::Nothing => return Ok(RoaringBitmap::new()),
            term => terms.push((is_new.then_some(place), term)),
        }
    }
    index.with_lists(|lists| combine(lists, &terms, memory, &mut tally, bounds))
}

/// What passes all terms. Those with a place are noted there once they are known.
fn combine<E: From<Ended>>(
    lists: &dyn SeriesLists<E>,
    terms: &[(Option<usize>, Term)],
    mut memory: Option<&mut Memory<'_>>,
    tally: &mut Tally<'_>,
    bounds: ReadBounds<'_>,
) -> Result<RoaringBitmap, E> {
    let mut resolve = |place: Option<usize>, set, is_excluded| {
        let series = Set::resolve(set, lists, bounds)?;
        if let (Some(place), Some(memory)) = (place, memory.as_deref_mut()) {
            tally.grow(memory.note(place, &series, is_excluded))?;
        }
        Ok::<_, E>(series)
    };
    let mut included = Vec::new();
    let mut excluded = Vec::new();
    for (place, term) in terms {
        match term {
            Term::Include(series) => included.push(resolve(*place, series, false)?),
            Term::Exclude(series) => excluded.push((*place, series)),
            Term::All | Term::Nothing => {}
        }
    }
    included.sort_by_cached_key(|bitmap| bitmap.len());
    let mut included = included.into_iter();
    let mut result = match included.next() {
        Some(smallest) => smallest.into_owned(),
        None => lists.all()?.into_owned(),
    };
    for bitmap in included {
        bounds.check()?;
        result &= &*bitmap;
    }
    for (place, series) in excluded {
        if result.is_empty() {
            return Ok(result);
        }
        result -= &*resolve(place, series, true)?;
    }
    Ok(result)
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
    /// Those of a result that was known.
    Known(Arc<MatcherResult>),
}

impl Set {
    fn resolve<'a, E: From<Ended>>(
        &'a self,
        lists: &'a dyn SeriesLists<E>,
        bounds: ReadBounds<'_>,
    ) -> Result<Cow<'a, RoaringBitmap>, E> {
        bounds.check()?;
        Ok(match self {
            Self::Present(name) => lists.present(*name)?,
            Self::Value(name, value) => lists.postings(*name, *value)?,
            Self::Values(name, values) => Cow::Owned(lists.union(*name, values, bounds)?),
            Self::PresentExcept(name, values) => {
                Cow::Owned(&*lists.present(*name)? - lists.union(*name, values, bounds)?)
            }
            Self::Known(result) => Cow::Borrowed(result.series()),
        })
    }
}

impl Term {
    fn known(result: Arc<MatcherResult>) -> Self {
        match (result.is_excluded(), result.series().is_empty()) {
            (true, true) => Self::All,
            (true, false) => Self::Exclude(Set::Known(result)),
            (false, true) => Self::Nothing,
            (false, false) => Self::Include(Set::Known(result)),
        }
    }

    fn of<I: Searchable>(
        index: &I,
        matcher: &Matcher,
        bounds: ReadBounds<'_>,
    ) -> Result<Self, I::Error> {
        let negated = matches!(matcher.op(), MatchOp::NotEqual | MatchOp::NotRegex);
        let is_regex = matches!(matcher.op(), MatchOp::Regex | MatchOp::NotRegex);
        if is_regex && matcher.value() == ".*" {
            return Ok(if negated { Self::Nothing } else { Self::All });
        }
        let passes_absent = matcher.matches("");
        let Some(name) = index.lookup(matcher.name())? else {
            return Ok(if passes_absent {
                Self::All
            } else {
                Self::Nothing
            });
        };
        if is_regex && matcher.value() == ".+" {
            return Ok(match negated {
                true => Self::Exclude(Set::Present(name)),
                false => Self::Include(Set::Present(name)),
            });
        }
        if let Some(literals) = matcher.literals() {
            return Self::of_literals(index, name, literals, negated, passes_absent);
        }
        // A regular expression: `matches` already turns `!~` around. Unless it matches `""`, the
        // values that count are those it matches.
        let pattern = (negated == passes_absent).then(|| matcher.value());
        let pick = |text: &str| matcher.matches(text) != passes_absent;
        let picked = index.pick_values(name, pattern, &pick, bounds)?;
        Ok(match passes_absent {
            true => Self::Exclude(Set::Values(name, picked)),
            false => Self::Include(Set::Values(name, picked)),
        })
    }

    /// The term of a matcher that compares with a list of strings, one of which may be `""`.
    fn of_literals<'a, I: Searchable>(
        index: &I,
        name: SymbolId,
        literals: impl Iterator<Item = &'a str>,
        negated: bool,
        passes_absent: bool,
    ) -> Result<Self, I::Error> {
        let mut values = Vec::new();
        for text in literals.filter(|text| !text.is_empty()) {
            values.extend(index.lookup(text)?);
        }
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
        Ok(match passes_absent {
            true => Self::Exclude(set),
            false => Self::Include(set),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::access::{SCAN_PACE, SCAN_WORK};
    use crate::index::{PostingsIndex, SymbolTable};
    use crate::model::SeriesId;
    use crate::model::allowance::tests::Counted;

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
        let found = evaluate(&(&index.0, &index.1), &matchers, ReadBounds::NONE).unwrap();
        found.iter().collect()
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

    /// However long the list of values, an expression is tried on few of them once it is over.
    #[test]
    fn evaluation_ends_soon_after_it_is_told() {
        const VALUES: u32 = 20_000;
        let (mut index, mut symbols) = (PostingsIndex::default(), SymbolTable::default());
        let name = symbols.intern("n").unwrap();
        for id in 0..VALUES {
            let value = symbols.intern(&format!("{id:0100}")).unwrap();
            index.insert(SeriesId(id), [(name, value)]);
        }
        let searched = (&index, &symbols);
        let tried = std::cell::Cell::new(0);
        let pick = |_: &str| {
            tried.set(tried.get() + 1);
            true
        };
        for asks_max in [0, 1, 5, 20] {
            let allowance = Counted::new(asks_max, usize::MAX);
            tried.set(0);
            let picked = searched.pick_values(name, None, &pick, ReadBounds::new(&allowance));
            assert_eq!(picked.unwrap_err(), Ended);
            let most = (asks_max + 1) * (SCAN_PACE / (100 + SCAN_WORK) + 1);
            assert!(tried.get() <= most, "{} of {most}", tried.get());
        }
        let matcher = Matcher::new(MatchOp::Regex, "n", "0.*").unwrap();
        let whole = Counted::new(usize::MAX, usize::MAX);
        let found = evaluate(
            &searched,
            std::slice::from_ref(&matcher),
            ReadBounds::new(&whole),
        );
        assert_eq!(found.unwrap().len(), u64::from(VALUES));
        let asked = whole.asked.into_inner();
        assert!(asked as u32 > VALUES * 132 / SCAN_PACE as u32, "{asked}");
        for asks_max in 0..asked {
            let allowance = Counted::new(asks_max, usize::MAX);
            let bounds = ReadBounds::new(&allowance);
            let found = evaluate(&searched, std::slice::from_ref(&matcher), bounds);
            assert_eq!(found.unwrap_err(), Ended, "{asks_max}");
            assert_eq!(allowance.asked.into_inner(), asks_max + 1);
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
            let (index, symbols) = index_of(&series);
            let evaluate = |memory: &mut Memory<'_>| {
                let found = evaluate_with(&(&index, &symbols), &compiled, Some(memory), ReadBounds::NONE);
                found.unwrap().iter().collect::<Vec<u32>>()
            };
            let mut memory = Memory::default();
            prop_assert_eq!(&evaluate(&mut memory), &expected);
            // With what was found out, and with each of it by itself.
            let mut known = vec![None; compiled.len()];
            for (place, result) in memory.into_found() {
                prop_assert!(is_costly(&compiled[place]) && known[place].is_none());
                let result = Some(Arc::new(result));
                let mut only = vec![None; compiled.len()];
                only[place].clone_from(&result);
                prop_assert_eq!(&evaluate(&mut Memory::new(&only)), &expected);
                known[place] = result;
            }
            prop_assert_eq!(&evaluate(&mut Memory::new(&known)), &expected);
            prop_assert_eq!(ids(&(index, symbols), &matchers), expected);
        }
    }
}
