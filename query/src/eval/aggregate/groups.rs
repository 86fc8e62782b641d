//! Which group a row belongs to.

use hashbrown::HashMap;

use crate::eval::rows::{MetadataSymbols, Origin, RowLabels};
use crate::labels::METRIC_NAME;
use crate::limits::{Limits, Loan};
use crate::parse::ast::Grouping;
use crate::source::{SeriesSet, Symbol};
use crate::{Error, Labels};

type Map<K> = HashMap<K, usize, foldhash::fast::RandomState>;

/// The groups of an aggregation, numbered in the order in which they were met.
///
/// Rows of a selection find theirs by symbols; label strings are made once a group.
pub(super) struct Groups<'g> {
    grouping: &'g Grouping,
    /// Found by the symbols of the labels that count.
    by_symbols: Map<Box<[Symbol]>>,
    by_labels: Map<Labels>,
    /// Labels of each group, and whether a row of it drops its name later.
    labels: Vec<(Labels, bool)>,
    symbols: Option<GroupingSymbols>,
    row: Vec<(Symbol, Symbol)>,
    key: Vec<Symbol>,
    loan: Loan<'g>,
}

/// What a group takes beside its labels: its place in the list and in the table, each of which
/// may have room for as many again.
const GROUP_BYTES: usize = 4 * size_of::<(Labels, usize)>();

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
            by_symbols: Map::default(),
            by_labels: Map::default(),
            labels: Vec::new(),
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
                match self.by_symbols.get(self.key.as_slice()) {
                    Some(&group) => group,
                    None => {
                        let group = self.push(&labels.to_labels())?;
                        self.by_symbols.insert(self.key.as_slice().into(), group);
                        group
                    }
                }
            }
            Origin::Made(made) => {
                let made = self.group_labels(made);
                match self.by_labels.get(&made) {
                    Some(&group) => group,
                    None => {
                        let group = self.push(&made)?;
                        self.by_labels.insert(made, group);
                        group
                    }
                }
            }
        };
        self.labels[group].1 |= labels.drop_name;
        Ok(group)
    }

    /// Labels of the groups in their order, each with whether its name is dropped later.
    pub(super) fn into_labels(self) -> impl Iterator<Item = (Labels, bool)> {
        self.labels.into_iter()
    }

    fn push(&mut self, labels: &Labels) -> Result<usize, Error> {
        let labels = self.group_labels(labels);
        // The key in the table is no longer than the labels.
        self.loan.add(0, GROUP_BYTES + 2 * labels.heap_bytes())?;
        self.labels.push((labels, false));
        Ok(self.labels.len() - 1)
    }

    fn group_labels(&self, labels: &Labels) -> Labels {
        match self.grouping {
            Grouping::By(names) => labels.matching(true, names),
            Grouping::Without(names) => labels.matching(false, names),
        }
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
