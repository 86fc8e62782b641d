//! Which group a row belongs to.

use crate::eval::keys::{KeyTable, key_bytes};
use crate::eval::rows::{MetadataSymbols, Origin, RowLabels};
use crate::labels::METRIC_NAME;
use crate::limits::{Limits, Loan, Swept};
use crate::parse::ast::Grouping;
use crate::source::{SeriesSet, Symbol};
use crate::{Error, Labels};

/// The groups of an aggregation, numbered in the order in which they were met.
///
/// Rows of a selection find theirs by symbols; label strings are made once a group.
pub(super) struct Groups<'g> {
    grouping: &'g Grouping,
    /// Found by the symbols of the labels that count.
    by_symbols: KeyTable<'g, Box<[Symbol]>>,
    by_labels: KeyTable<'g, Labels>,
    /// Labels of each group, and whether a row of it drops its name later.
    labels: Swept<'g, Vec<(Labels, bool)>>,
    symbols: Option<GroupingSymbols>,
    row: Vec<(Symbol, Symbol)>,
    key: Vec<Symbol>,
    loan: Loan<'g>,
}

/// What a group takes beside its labels: its place in the list and in the table, each of which
/// may have room for as many again.
const GROUP_BYTES: usize = key_bytes::<Labels>() + 2 * size_of::<(Labels, bool)>();

/// The grouping labels in one selection.
struct GroupingSymbols {
    names: Vec<Symbol>,
    metric_name: Option<Symbol>,
    metadata: MetadataSymbols,
}

impl<'g> Groups<'g> {
    pub(super) fn new(grouping: &'g Grouping, limits: &'g Limits<'g>) -> Self {
        Self {
            grouping,
            by_symbols: KeyTable::new(limits),
            by_labels: KeyTable::new(limits),
            labels: Swept::new(Vec::new(), limits),
            symbols: None,
            row: Vec::new(),
            key: Vec::new(),
            loan: Loan::new(limits),
        }
    }

    /// The number of a row's group; the next free one for a new group. All rows asked for are
    /// of one stream, so that all that are stored are of one selection.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Execution`] where the query may not hold another group.
    pub(super) fn of(&mut self, labels: RowLabels<'_>) -> Result<usize, Error> {
        let group = match labels.origin {
            Origin::Stored(set, series) => {
                self.fill_key(set, series, labels.without_metadata);
                let Self {
                    by_symbols,
                    key,
                    labels: all,
                    loan,
                    ..
                } = self;
                by_symbols.get_or_make(key.as_slice(), || {
                    let labels = group_labels(self.grouping, &labels.to_labels());
                    let group = push(all, loan, labels)?;
                    Ok::<_, Error>((key.as_slice().into(), group))
                })?
            }
            Origin::Made(made) => {
                let made = group_labels(self.grouping, made);
                let Self {
                    by_labels,
                    labels: all,
                    loan,
                    ..
                } = self;
                by_labels.get_or_make(&made, || {
                    let group = push(all, loan, made.clone())?;
                    Ok::<_, Error>((made.clone(), group))
                })?
            }
        };
        self.labels[group].1 |= labels.drop_name;
        Ok(group)
    }

    /// Labels of the groups in their order, each with whether its name is dropped later.
    pub(super) fn into_labels(self) -> impl ExactSizeIterator<Item = (Labels, bool)> {
        self.labels.into_iter()
    }

    /// Puts the symbols of the labels that tell groups apart into `key`, with their names, in
    /// the order of the series' labels.
    fn fill_key(&mut self, set: &dyn SeriesSet, series: usize, without_metadata: bool) {
        let Self { row, key, .. } = self;
        key.clear();
        let (names, by) = match self.grouping {
            Grouping::By(names) => (names, true),
            Grouping::Without(names) => (names, false),
        };
        if by && names.is_empty() {
            return;
        }
        let symbols = self.symbols.get_or_insert_with(|| GroupingSymbols {
            names: names.iter().filter_map(|name| set.symbol(name)).collect(),
            metric_name: set.symbol(METRIC_NAME),
            metadata: MetadataSymbols::of(set),
        });
        set.label_symbols(series, row);
        for &(name, value) in &*row {
            let listed = symbols.names.contains(&name);
            let kept = if by {
                listed
            } else {
                !listed && symbols.metric_name != Some(name)
            };
            if kept && !(without_metadata && symbols.metadata.contains(name)) {
                key.extend([name, value]);
            }
        }
    }
}

fn push(
    all: &mut Vec<(Labels, bool)>,
    loan: &mut Loan<'_>,
    labels: Labels,
) -> Result<usize, Error> {
    // The key in the table is no longer than the labels.
    loan.add(0, GROUP_BYTES + 2 * labels.heap_bytes())?;
    all.push((labels, false));
    Ok(all.len() - 1)
}

fn group_labels(grouping: &Grouping, labels: &Labels) -> Labels {
    match grouping {
        Grouping::By(names) => labels.matching(true, names),
        Grouping::Without(names) => labels.matching(false, names),
    }
}
