//! Selectors: samples from the source, and the one that counts at each step.

use std::sync::{Mutex, PoisonError};

use super::column::{ABSENT, cell, is_absent};
use super::rows::Row;
use super::stream::{Selected, Stream, Yields};
use super::{Evaluator, Grid};
use crate::functions::extended::interpolate;
use crate::limits::meter::work as work_done;
use crate::limits::{Held, Limits, Loan, bytes_of};
use crate::parse::ast::RangeEdges;
use crate::parse::pattern::compiled_bytes;
use crate::plan::{Selector, When};
use crate::source::{Allowance, Cursor, MatchOp, Matcher, Selection, SeriesSet, Values};
use crate::{Error, ErrorKind};

/// The most that a compiled regular expression takes: it is refused beyond that.
pub(super) const COMPILED_BYTES_MAX: usize = 12 << 20;

/// The series of a selection.
pub(super) type StoredSeries<'e> = Held<'e, Box<dyn SeriesSet + 'e>>;

/// What a selection takes for each series, about: its labels as symbols, and where its samples
/// are.
const SELECTED_BYTES: usize = 64;

/// For each step the moment that a selector looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct LookTimes {
    grid: Grid,
    when: When,
    /// How far back from that moment samples count; the moment itself does, the far end not.
    reach_ms: i64,
    /// How far around that the samples lie which tell what is at the edges: before and behind.
    pub(super) around_ms: (i64, i64),
}

impl LookTimes {
    pub(super) fn new(grid: Grid, when: When, reach_ms: i64) -> Self {
        Self {
            grid,
            when,
            reach_ms,
            around_ms: (0, 0),
        }
    }

    /// The same with samples at the edges.
    pub(super) fn with_edges(self, edges: RangeEdges, lookback_ms: i64) -> Self {
        let around_ms = match edges {
            RangeEdges::Plain => (0, 0),
            RangeEdges::Anchored => (lookback_ms, 0),
            RangeEdges::Smoothed => (lookback_ms, lookback_ms),
        };
        Self { around_ms, ..self }
    }

    /// The moment of a step, in milliseconds since the Unix epoch.
    pub(super) fn moment(&self, step: usize) -> i64 {
        let When { offset_ms, at_ms } = self.when;
        at_ms
            .unwrap_or_else(|| self.grid.time_ms(step))
            .saturating_sub(offset_ms)
    }

    /// Samples of a step lie after the first of these moments and up to the second.
    pub(super) fn window(&self, step: usize) -> (i64, i64) {
        let end_ms = self.moment(step);
        (end_ms.saturating_sub(self.reach_ms), end_ms)
    }

    /// The same with the samples at the edges.
    pub(super) fn wide_window(&self, step: usize) -> (i64, i64) {
        self.widened(self.window(step))
    }

    /// A window with the samples at its edges.
    #[inline]
    pub(super) fn widened(&self, (start_ms, end_ms): (i64, i64)) -> (i64, i64) {
        let (before_ms, behind_ms) = self.around_ms;
        (
            start_ms.saturating_sub(before_ms),
            end_ms.saturating_add(behind_ms),
        )
    }

    /// First and last timestamp of interest.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let (before_ms, _) = self.wide_window(0);
        let (_, last_ms) = self.wide_window(self.grid.count - 1);
        (before_ms.saturating_add(1), last_ms)
    }
}

/// How many samples are copied from one look at the work that was done to the next.
const COPIED: usize = 1 << 15;

/// What a buffer of a reader has at least to be freed behind the answer of an ended query, in
/// samples.
const LARGE: usize = 1 << 17;

/// The samples of a series, one after the other.
#[derive(Debug)]
pub(super) struct Reader<'l> {
    cursor: Cursor,
    pub(super) timestamps_ms: Vec<i64>,
    pub(super) values: Vec<f64>,
    /// What all of these hold.
    loan: Loan<'l>,
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let cursor = std::mem::take(&mut self.cursor);
        let limits = self.loan.limits();
        if cursor.values.capacity() + self.values.capacity() >= LARGE && limits.has_ended() {
            let own = [&mut self.values].map(std::mem::take);
            limits.leave((cursor, own, std::mem::take(&mut self.timestamps_ms)));
        }
    }
}

impl<'l> Reader<'l> {
    pub(super) fn new(limits: &'l Limits<'l>) -> Self {
        Self {
            cursor: Cursor::default(),
            timestamps_ms: Vec::new(),
            values: Vec::new(),
            loan: Loan::new(limits),
        }
    }

    /// Reads all samples of a series within its selection.
    pub(super) fn read(&mut self, set: &dyn SeriesSet, series: usize) -> Result<(), Error> {
        let Self {
            cursor,
            timestamps_ms,
            values,
            loan,
        } = self;
        timestamps_ms.clear();
        values.clear();
        let limits = loan.limits();
        let mut work = 0;
        set.columns(series, cursor, limits, &mut |column| {
            let count = column.timestamps_ms.len();
            loan.set_samples(values.len() + count)?;
            // Twice: a column may be decoded into buffers as large.
            loan.grow_to(4 * bytes_of::<f64>(values.len() + count))?;
            timestamps_ms.reserve_exact(count);
            values.reserve_exact(count);
            work_done(2 * count);
            for piece in column.timestamps_ms.chunks(COPIED) {
                limits.check_work(&mut work, piece.len())?;
                timestamps_ms.extend_from_slice(piece);
            }
            match column.values {
                Values::Floats(floats) if floats.len() != count => {
                    return Err(Error::new(
                        ErrorKind::Source,
                        format!("{count} timestamps with {} values", floats.len()),
                    ));
                }
                Values::Floats(floats) => {
                    for piece in floats.chunks(COPIED) {
                        limits.check_work(&mut work, piece.len())?;
                        values.extend_from_slice(piece);
                    }
                }
                Values::Constant(value) => values.resize(values.len() + count, value),
            }
            Ok(())
        })?;
        let decoded = cursor.timestamps_ms.capacity() + cursor.values.capacity();
        let copied = timestamps_ms.capacity() + values.capacity();
        loan.grow_to(bytes_of::<f64>(decoded + copied))?;
        limits.has_read(values.len());
        Ok(())
    }

    /// The same without stale markers.
    pub(super) fn read_without_stale(
        &mut self,
        set: &dyn SeriesSet,
        series: usize,
    ) -> Result<(), Error> {
        self.read(set, series)?;
        let limits = self.loan.limits();
        let mut work = 0;
        let mut first = None;
        for (at, piece) in self.values.chunks(COPIED).enumerate() {
            limits.check_work(&mut work, piece.len())?;
            first = piece.iter().position(|&value| is_absent(value));
            if let Some(place) = &mut first {
                *place += at * COPIED;
                break;
            }
        }
        let Some(first) = first else {
            return Ok(());
        };
        let mut kept = first;
        for at in first..self.values.len() {
            if at % COPIED == 0 {
                limits.check_work(&mut work, COPIED)?;
            }
            if !is_absent(self.values[at]) {
                self.timestamps_ms[kept] = self.timestamps_ms[at];
                self.values[kept] = self.values[at];
                kept += 1;
            }
        }
        self.timestamps_ms.truncate(kept);
        self.values.truncate(kept);
        Ok(())
    }

    /// Takes the values of a row as samples.
    pub(super) fn read_row(&mut self, row: &Row, grid: &Grid) -> Result<(), Error> {
        self.timestamps_ms.clear();
        self.values.clear();
        let count = row.values.len();
        self.loan.set_samples(count)?;
        self.loan.grow_to(2 * bytes_of::<f64>(count))?;
        self.timestamps_ms.reserve_exact(count);
        self.values.reserve_exact(count);
        let limits = self.loan.limits();
        let mut work = 0;
        for (step, value) in row.present() {
            limits.check_work(&mut work, 1)?;
            self.timestamps_ms.push(grid.time_ms(step));
            self.values.push(value);
        }
        Ok(())
    }

    /// Puts into `out` for each step the last sample up to its moment, if it is not too old and
    /// no stale marker: the value, or its time in seconds.
    ///
    /// # Errors
    /// The query was ended.
    pub(super) fn instants(
        &self,
        times: &LookTimes,
        of_times: bool,
        out: &mut [f64],
    ) -> Result<(), Error> {
        let mut next = 0;
        for (step, out) in out.iter_mut().enumerate() {
            if step % COPIED == COPIED - 1 {
                self.loan.limits().check()?;
            }
            let (start_ms, end_ms) = times.window(step);
            while self.timestamps_ms.get(next).is_some_and(|&at| at <= end_ms) {
                next += 1;
            }
            *out = match next.checked_sub(1) {
                Some(last) if self.timestamps_ms[last] > start_ms => {
                    let value = self.values[last];
                    if of_times && !is_absent(value) {
                        self.timestamps_ms[last] as f64 / 1000.0
                    } else {
                        value
                    }
                }
                _ => ABSENT,
            };
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// Puts into `out` for each step the value on the line between the samples around its
    /// moment; the last one where none follows (Prometheus `smoothSeries`). Stale markers must
    /// not be among the samples.
    pub(super) fn smoothed(&self, times: &LookTimes, out: &mut [f64]) {
        let (mut next, mut end) = (0, 0);
        for (step, out) in out.iter_mut().enumerate() {
            let (start_ms, end_ms) = times.wide_window(step);
            let moment_ms = times.moment(step);
            while self
                .timestamps_ms
                .get(next)
                .is_some_and(|&at| at < moment_ms)
            {
                next += 1;
            }
            while self.timestamps_ms.get(end).is_some_and(|&at| at <= end_ms) {
                end += 1;
            }
            let sample = |at: usize| (self.timestamps_ms[at], self.values[at]);
            let following = (next < end).then(|| sample(next));
            let before = next.checked_sub(1).map(sample);
            *out = match (before.filter(|&(at, _)| at > start_ms), following) {
                (_, Some((at_ms, value))) if at_ms == moment_ms => value,
                (Some(before), Some(after)) => cell(interpolate(before, after, moment_ms, false)),
                (Some((_, value)), None) => value,
                (None, _) => ABSENT,
            };
        }
    }
}

/// What a selection may use while it is made.
#[derive(Debug)]
struct Selecting<'l>(Mutex<Loan<'l>>);

impl Allowance for Selecting<'_> {
    fn check(&self) -> Result<(), Error> {
        let loan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loan.limits().check()
    }

    fn hold(&self, bytes: usize) -> Result<(), Error> {
        let mut loan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loan.add(0, bytes)
    }

    fn give_back(&self, bytes: usize) {
        let mut loan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loan.give_back(0, bytes);
    }
}

impl<'e> Evaluator<'e> {
    /// The series that match and have samples at the times looked at.
    pub(super) fn select(
        &self,
        matchers: &'e [Matcher],
        times: &LookTimes,
    ) -> Result<StoredSeries<'e>, Error> {
        self.select_between(matchers, times.bounds())
    }

    /// The series that match and have samples between two times.
    pub(super) fn select_between(
        &self,
        matchers: &'e [Matcher],
        (start_ms, end_ms): (i64, i64),
    ) -> Result<StoredSeries<'e>, Error> {
        // Given back when the source has compiled and used them.
        let mut patterns = Loan::new(self.limits);
        for matcher in matchers {
            if matches!(matcher.op, MatchOp::Regex | MatchOp::NotRegex) {
                self.limits.check()?;
                let bytes = compiled_bytes(&matcher.value).min(COMPILED_BYTES_MAX);
                patterns.add(0, bytes)?;
            }
        }
        let selecting = Selecting(Mutex::new(Loan::new(self.limits)));
        let set = self.view.select(&Selection {
            matchers,
            start_ms,
            end_ms,
            allowance: &selecting,
        })?;
        drop(selecting);
        let mut loan = Loan::new(self.limits);
        loan.add(0, set.len().saturating_mul(SELECTED_BYTES))?;
        Ok(Held::new(set, loan))
    }

    /// The values of an instant vector selector, or the times of its samples.
    pub(super) fn open_selector(
        &self,
        selector: &'e Selector,
        of_times: bool,
    ) -> Result<Stream<'e>, Error> {
        let mut times = LookTimes::new(self.grid, selector.when, self.lookback_ms);
        // `timestamp` is of samples, so that nothing is smoothed there.
        let smoothed = selector.smoothed && !of_times;
        if smoothed {
            times.around_ms = (0, self.lookback_ms);
        }
        let set = self.select(&selector.matchers, &times)?;
        let yields = match (of_times, smoothed) {
            (true, _) => Yields::Times,
            (false, true) => Yields::Smoothed,
            (false, false) => Yields::Values,
        };
        Ok(Stream::Select(Selected {
            set,
            times,
            matchers: &selector.matchers,
            yields,
        }))
    }
}
