//! `info`: series with the data labels of info series beside theirs.
//!
//! An info series says by its labels what holds for an instance of a job, its value being 1. It
//! belongs to the series of the same `instance` and `job` (Prometheus `promql/info.go`).

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Evaluator;
use super::column::{ABSENT, is_present, present_range};
use super::rows::{Row, Rows, WORK_A_LABEL_SET, merge_same_labels};
use super::selector::{LookTimes, Reader};
use crate::labels::METRIC_NAME;
use crate::limits::{Held, Limits, Loan, Swept, bytes_of};
use crate::plan::InfoCall;
use crate::source::condition::Condition;
use crate::source::{MatchOp, Matcher};
use crate::{Error, ErrorKind, Labels};

/// The labels that say what an info series is about.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// What an info series takes beside its labels and times, in the list and in the table.
const INFO_BYTES: usize = 2 * size_of::<InfoSeries>() + 128;

/// Longest regular expression that the source is asked with; it may refuse to compile longer
/// ones. Where it is not asked, series are left out here.
const PATTERN_BYTES_MAX: usize = 64 << 10;

/// An info series that counts at some step.
struct InfoSeries {
    labels: Labels,
    /// For each step the time of its sample in seconds.
    times_s: Vec<f64>,
}

/// What is looked for: which metrics, and which of their labels.
struct Wanted {
    /// On the metric name.
    names: Vec<Matcher>,
    /// On data labels.
    data: Vec<Matcher>,
}

impl Wanted {
    fn new(matchers: &[Matcher]) -> Self {
        let on_name = |matcher: &Matcher| matcher.name == METRIC_NAME;
        let (mut names, data): (Vec<Matcher>, Vec<Matcher>) =
            matchers.iter().cloned().partition(on_name);
        let named = |op, value: &str| Matcher {
            name: METRIC_NAME.to_owned(),
            op,
            value: value.to_owned(),
        };
        let positive = |matcher: &Matcher| matches!(matcher.op, MatchOp::Equal | MatchOp::Regex);
        if names.is_empty() {
            names.push(named(MatchOp::Equal, "target_info"));
        } else if !names.iter().any(positive) {
            names.push(named(MatchOp::Regex, ".+_info"));
        }
        Self { names, data }
    }

    /// Whether a data label is asked for.
    fn takes(&self, label: &str) -> bool {
        label != METRIC_NAME
            && (self.data.is_empty() || self.data.iter().any(|matcher| matcher.name == label))
    }
}

/// Whether all conditions hold for a value of the label they are about.
fn all_hold(matchers: &[Matcher], value: &str) -> Result<bool, Error> {
    for matcher in matchers {
        if !Condition::new(matcher)?.holds(value) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl<'e> Evaluator<'e> {
    pub(super) fn info(&self, node: &'e InfoCall) -> Result<Rows<'e>, Error> {
        let rows = self.vector(&node.child)?;
        let wanted = Wanted::new(&node.matchers);
        // Info series themselves get no labels.
        let mut work = 0;
        let mut names = BTreeSet::new();
        for row in rows.iter() {
            self.limits.check_work(&mut work, WORK_A_LABEL_SET)?;
            names.insert(row.labels.get(METRIC_NAME));
        }
        let mut info_names = BTreeSet::new();
        for name in names {
            if all_hold(&wanted.names, name)? {
                info_names.insert(name);
            }
        }
        let base = |row: &&Row| !info_names.contains(row.labels.get(METRIC_NAME));
        let infos = self.info_series(node, &wanted, rows.iter().filter(base))?;
        let join = Join {
            evaluator: self,
            groups: Groups::new(&infos, self.limits)?,
            infos: &infos,
            // Without an info series, what a data label has to be decides alone.
            keeps_unmatched: {
                let mut keeps = true;
                for matcher in &wanted.data {
                    keeps &= Condition::new(matcher)?.holds("");
                }
                keeps
            },
            wanted: &wanted,
        };
        let mut refusal = join.duplicates(&rows)?;
        let mut joined = Rows::none(self.limits);
        for row in rows.iter() {
            self.limits.check()?;
            if base(&row) {
                join.row(row, &mut joined, &mut refusal)?;
            } else {
                joined.add_copy(row)?;
            }
        }
        match refusal {
            Some((_, message)) => Err(Error::new(ErrorKind::Execution, message)),
            None => merge_same_labels(joined),
        }
    }

    /// The info series that may belong to one of the rows.
    fn info_series<'r>(
        &self,
        node: &InfoCall,
        wanted: &Wanted,
        rows: impl Iterator<Item = &'r Row>,
    ) -> Result<Held<'e, Swept<'e, Vec<InfoSeries>>>, Error> {
        let mut values = IDENTIFYING.map(|_| HashSet::new());
        let mut work = 0;
        for row in rows {
            self.limits.check_work(&mut work, WORK_A_LABEL_SET)?;
            for (values, label) in values.iter_mut().zip(IDENTIFYING) {
                let value = row.labels.get(label);
                if !value.is_empty() {
                    values.insert(value);
                }
            }
        }
        if values.iter().all(HashSet::is_empty) {
            let none = Swept::new(Vec::new(), self.limits);
            return Ok(Held::new(none, Loan::new(self.limits)));
        }
        let mut matchers = [wanted.names.clone(), wanted.data.clone()].concat();
        for (values, label) in values.iter().zip(IDENTIFYING) {
            // More than there may be are not put together.
            let bytes: usize = values.iter().map(|value| value.len() + 1).sum();
            if bytes > PATTERN_BYTES_MAX + 1 {
                continue;
            }
            let values: BTreeSet<String> = values.iter().map(|v| regex::escape(v)).collect();
            let pattern = Vec::from_iter(values).join("|");
            if (1..=PATTERN_BYTES_MAX).contains(&pattern.len()) {
                matchers.push(Matcher {
                    name: label.to_owned(),
                    op: MatchOp::Regex,
                    value: pattern,
                });
            }
        }
        let times = LookTimes::new(self.grid, node.when, self.lookback_ms);
        let set = self.select(&matchers, &times)?;
        let mut reader = Reader::new(self.limits);
        let found = Swept::new(Vec::new(), self.limits);
        let mut found = Held::new(found, Loan::new(self.limits));
        for series in 0..set.len() {
            self.limits.check()?;
            let labels = set.labels(series);
            let mut identity = values.iter().zip(IDENTIFYING);
            if !identity.all(|(some, label)| some.is_empty() || some.contains(labels.get(label))) {
                continue;
            }
            let (found, loan) = found.parts_mut();
            let bytes = bytes_of::<f64>(self.grid.count) + labels.heap_bytes();
            loan.add(self.grid.count, bytes + INFO_BYTES)?;
            let mut times_s = vec![ABSENT; self.grid.count];
            reader.read(&**set, series)?;
            reader.instants(&times, true, &mut times_s)?;
            if present_range(&times_s).is_empty() {
                loan.give_back(self.grid.count, bytes + INFO_BYTES);
            } else {
                found.push(InfoSeries { labels, times_s });
            }
        }
        Ok(found)
    }
}

/// Info series by their metric and what they are about.
struct Groups<'i> {
    /// Metric names.
    names: BTreeSet<&'i str>,
    members: HashMap<(&'i str, [&'i str; 2]), Vec<usize>>,
}

impl<'i> Groups<'i> {
    fn new(infos: &'i [InfoSeries], limits: &Limits<'_>) -> Result<Self, Error> {
        let mut work = 0;
        let mut groups = Self {
            names: BTreeSet::new(),
            members: HashMap::new(),
        };
        for (at, info) in infos.iter().enumerate() {
            limits.check_work(&mut work, WORK_A_LABEL_SET)?;
            let name = info.labels.get(METRIC_NAME);
            groups.names.insert(name);
            let key = (name, IDENTIFYING.map(|label| info.labels.get(label)));
            groups.members.entry(key).or_default().push(at);
        }
        Ok(groups)
    }

    /// For each metric the info series that may belong to a row.
    fn of<'s>(&'s self, row: &'s Row) -> Vec<&'s [usize]> {
        let identity = IDENTIFYING.map(|label| row.labels.get(label));
        let names = self.names.iter();
        names
            .filter_map(|name| self.members.get(&(*name, identity)).map(Vec::as_slice))
            .collect()
    }
}

/// Why the call is impossible, and the step at which that is found.
type Refusal = Option<(usize, String)>;

fn refuse(refusal: &mut Refusal, step: usize, message: impl FnOnce() -> String) {
    if refusal.as_ref().is_none_or(|(known, _)| step < *known) {
        *refusal = Some((step, message()));
    }
}

struct Join<'j> {
    evaluator: &'j Evaluator<'j>,
    infos: &'j [InfoSeries],
    groups: Groups<'j>,
    wanted: &'j Wanted,
    /// Whether a row stays where it has no info series.
    keeps_unmatched: bool,
}

impl Join<'_> {
    /// The first step at which two info series of a group are equally new.
    fn duplicates(&self, rows: &[Row]) -> Result<Refusal, Error> {
        let (mut refusal, mut work) = (None, 0);
        let limits = self.evaluator.limits;
        for members in self.groups.members.values().filter(|group| group.len() > 1) {
            for step in 0..self.evaluator.grid.count {
                limits.check_work(&mut work, members.len())?;
                let Some((known, new)) = self.newest(members, step).err() else {
                    continue;
                };
                limits.check_work(&mut work, rows.len())?;
                if rows.iter().any(|row| row.has(step)) {
                    let [known, new] = [known, new].map(|at| &self.infos[at]);
                    // The samples' own time: both have it.
                    let time_ms = (new.times_s[step] * 1000.0).round();
                    refuse(&mut refusal, step, || {
                        format!(
                            "found duplicate series for info metric: existing {} @ {time_ms}, \
                             new {} @ {time_ms}",
                            known.labels, new.labels
                        )
                    });
                    break;
                }
            }
        }
        Ok(refusal)
    }

    /// Of a group the series with the newest sample at a step, or two that are equally new.
    fn newest(&self, members: &[usize], step: usize) -> Result<Option<usize>, (usize, usize)> {
        let mut newest: Option<usize> = None;
        for &at in members {
            let time_s = self.infos[at].times_s[step];
            if !is_present(time_s) {
                continue;
            }
            match newest {
                Some(known) if self.infos[known].times_s[step] > time_s => {}
                Some(known) if self.infos[known].times_s[step] == time_s => {
                    return Err((known, at));
                }
                _ => newest = Some(at),
            }
        }
        Ok(newest)
    }

    /// A row, in as many pieces as it has different info series over time.
    fn row(&self, row: &Row, out: &mut Rows<'_>, refusal: &mut Refusal) -> Result<(), Error> {
        let groups = self.groups.of(row);
        let mut pieces: HashMap<Vec<Option<usize>>, Option<usize>> = HashMap::new();
        let (out, loan) = out.parts_mut();
        let first_piece = out.len();
        // The same series count at most steps as at the step before.
        let mut chosen = Vec::new();
        let mut piece: Option<Option<usize>> = None;
        for (step, value) in row.present() {
            let newest = |group: &&[usize]| self.newest(group, step).unwrap_or(None);
            if piece.is_none() || !groups.iter().map(newest).eq(chosen.iter().copied()) {
                chosen = groups.iter().map(newest).collect();
                if let Some(known) = pieces.get(&chosen) {
                    piece = Some(*known);
                } else {
                    let labels = match self.labels(row, &chosen) {
                        Ok(labels) => labels,
                        Err(message) => {
                            refuse(refusal, step, || message);
                            return Ok(());
                        }
                    };
                    let made = match labels {
                        None => None,
                        Some(labels) => {
                            let count = row.values.len();
                            let bytes = labels.heap_bytes() + bytes_of::<f64>(count);
                            // Cut to its size in the end, beside the whole of it.
                            loan.add(count, 2 * (bytes + size_of::<Row>()))?;
                            out.push(Row {
                                labels,
                                drop_name: row.drop_name,
                                first: row.first,
                                values: vec![ABSENT; count],
                            });
                            Some(out.len() - 1)
                        }
                    };
                    pieces.insert(chosen.clone(), made);
                    piece = Some(made);
                }
            }
            if let Some(at) = piece.flatten() {
                out[at].values[step - row.first] = value;
            }
        }
        for piece in &mut out[first_piece..] {
            let range = present_range(&piece.values);
            piece.first += range.start;
            piece.values = piece.values[range].to_vec();
        }
        Ok(())
    }

    /// The labels of a row with those of its info series; none where the row does not stay.
    fn labels(&self, row: &Row, chosen: &[Option<usize>]) -> Result<Option<Labels>, String> {
        let mut added = Labels::default();
        for &at in chosen.iter().flatten() {
            for (name, value) in self.infos[at].labels.iter() {
                if !self.wanted.takes(name) {
                    continue;
                }
                let known = added.get(name);
                if !known.is_empty() && known != value {
                    return Err(format!("conflicting label: {name}"));
                }
                if row.labels.get(name).is_empty() {
                    added = added.with(name, value);
                }
            }
        }
        if chosen.iter().all(Option::is_none) && !self.keeps_unmatched {
            return Ok(None);
        }
        let of_row = row.labels.iter();
        Ok(Some(Labels::from_pairs(of_row.chain(added.iter()))))
    }
}
