//! How many samples a query looked at, step by step, counted as Prometheus counts them.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use super::{Evaluator, Grid};
use crate::Error;
use crate::limits::{Held, Limits, Loan, bytes_of};

/// Samples looked at, for each step of a grid; none where nobody asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Every step counts all samples of its window, also those that the step before had.
    pub(crate) queryable: Vec<u64>,
    /// Every step counts the samples that the steps before did not have.
    pub(crate) read: Vec<u64>,
}

impl Counts {
    /// What they take for so many steps.
    fn bytes(steps: usize) -> usize {
        2 * bytes_of::<u64>(steps)
    }

    fn of_steps(steps: usize) -> Self {
        Self {
            queryable: vec![0; steps],
            read: vec![0; steps],
        }
    }

    /// Whether anybody asked.
    #[inline]
    pub(crate) fn wanted(&self) -> bool {
        !self.queryable.is_empty()
    }

    /// Counts so many samples at a step.
    #[inline]
    pub(crate) fn add(&mut self, step: usize, queryable: usize, read: usize) {
        if let (Some(all), Some(new)) = (self.queryable.get_mut(step), self.read.get_mut(step)) {
            *all += queryable as u64;
            *new += read as u64;
        }
    }

    /// Takes away what was counted before.
    pub(super) fn subtract(&mut self, before: &Self) {
        let sides = [
            (&mut self.queryable, &before.queryable),
            (&mut self.read, &before.read),
        ];
        for (all, before) in sides {
            for (all, before) in all.iter_mut().zip(before) {
                *all -= before;
            }
        }
    }

    fn add_all(&mut self, other: &Self) {
        let sides = [
            (&mut self.queryable, &other.queryable),
            (&mut self.read, &other.read),
        ];
        for (all, more) in sides {
            for (all, more) in all.iter_mut().zip(more) {
                *all += more;
            }
        }
    }
}

/// The counts of a query and of those within it that have a grid of their own.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    counts: RefCell<Vec<Counts>>,
    sorting: Cell<Duration>,
}

impl Stats {
    /// For a query over so many steps, if anybody asks.
    pub(crate) fn new(steps: Option<usize>) -> Self {
        Self {
            counts: RefCell::new(steps.map(Counts::of_steps).into_iter().collect()),
            sorting: Cell::default(),
        }
    }

    /// Sorts the answer.
    pub(crate) fn sorting<T>(&self, sort: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let sorted = sort();
        self.sorting.set(self.sorting.get() + began.elapsed());
        sorted
    }

    /// How long sorting the answer took.
    pub(crate) fn sorting_took(&self) -> Duration {
        self.sorting.get()
    }

    /// What the query itself looked at.
    pub(crate) fn take_counts(&self) -> Counts {
        std::mem::take(&mut *self.counts.borrow_mut())
            .into_iter()
            .next()
            .unwrap_or_default()
    }
}

/// Counts for a thread to count with over so many steps; none where nobody asked.
///
/// # Errors
/// The query may not hold them.
pub(super) fn counts<'l>(
    wanted: bool,
    steps: usize,
    limits: &'l Limits<'l>,
) -> Result<Held<'l, Counts>, Error> {
    let mut loan = Loan::new(limits);
    if !wanted {
        return Ok(Held::new(Counts::default(), loan));
    }
    loan.add(0, Counts::bytes(steps))?;
    Ok(Held::new(Counts::of_steps(steps), loan))
}

impl Evaluator<'_> {
    /// Whether anybody asked for counts.
    pub(super) fn counts_wanted(&self) -> bool {
        !self.stats.counts.borrow().is_empty()
    }

    /// What was counted over this grid until now.
    pub(super) fn counts_so_far(&self) -> Counts {
        let all = self.stats.counts.borrow();
        all.get(self.counting).cloned().unwrap_or_default()
    }

    /// Takes in what a thread has counted.
    pub(super) fn count(&self, counts: &Counts) {
        if let Some(own) = self.stats.counts.borrow_mut().get_mut(self.counting) {
            own.add_all(counts);
        }
    }

    /// The same evaluator over another grid, which counts by itself.
    ///
    /// # Errors
    /// The query may not hold its counts.
    pub(super) fn over(&self, grid: Grid) -> Result<Self, Error> {
        self.limits.room_for(grid.count)?;
        let mut all = self.stats.counts.borrow_mut();
        let counting = all.len();
        if counting > 0 {
            // Given back by `end`, or with the query.
            self.limits.hold(0, Counts::bytes(grid.count) as u64)?;
            all.push(Counts::of_steps(grid.count));
        }
        Ok(Self {
            grid,
            counting,
            ..*self
        })
    }

    /// What an evaluator over another grid has counted.
    fn end(&self, inner: &Self) -> Option<Counts> {
        let mut all = self.stats.counts.borrow_mut();
        let counts = all.get_mut(inner.counting).map(std::mem::take)?;
        self.limits
            .release(0, Counts::bytes(inner.grid.count) as u64);
        Some(counts)
    }

    /// Counts what an evaluator of one step has looked at at each of the own steps: it would be
    /// looked at there in an instant query. It is read once.
    pub(super) fn count_once(&self, inner: &Self) {
        let Some(counts) = self.end(inner) else {
            return;
        };
        let mut all = self.stats.counts.borrow_mut();
        let [queryable, read] = [counts.queryable, counts.read].map(|of| of.iter().sum::<u64>());
        if let Some(own) = all.get_mut(self.counting) {
            own.queryable.iter_mut().for_each(|all| *all += queryable);
            own.read.iter_mut().take(1).for_each(|new| *new += read);
        }
    }

    /// Counts what the evaluator of a subquery has read at the first of the own steps whose
    /// window, `(from, to]` in milliseconds, it lies in. What its steps look at is counted when
    /// they are windows.
    pub(super) fn count_subquery(&self, inner: &Self, window: impl Fn(usize) -> (i64, i64)) {
        let Some(counts) = self.end(inner) else {
            return;
        };
        let mut all = self.stats.counts.borrow_mut();
        let Some(own) = all.get_mut(self.counting) else {
            return;
        };
        let mut step = 0;
        for (inner_step, read) in counts.read.into_iter().enumerate() {
            let time_ms = inner.grid.time_ms(inner_step);
            while step < own.read.len() && window(step).1 < time_ms {
                step += 1;
            }
            if step < own.read.len() && window(step).0 < time_ms {
                own.read[step] += read;
            }
        }
    }
}
