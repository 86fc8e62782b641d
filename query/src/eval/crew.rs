//! Threads that compute the columns of series for one query, beside the one that puts them
//! together.
//!
//! Which thread computes a series changes nothing: columns are given on in the order of the
//! series, by the thread of the query alone, so that sums are added up as without threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::Evaluator;
use super::column::ABSENT;
use crate::Error;
use crate::limits::{Loan, bytes_of};

/// How long the rest of a selection must take, as far as is known, to be spread over threads. To
/// begin some takes a tenth of a millisecond.
const PATIENCE: Duration = Duration::from_millis(2);

/// After how many series it is first asked how long the rest will take; then after each 1,024.
const SERIES_ASKED_AFTER: usize = 8;

/// About how many cells a thread computes before it gives them on.
const CELLS_A_BATCH: usize = 16 << 10;
const SERIES_A_BATCH_MAX: usize = 256;

/// How many batches a thread is ahead at most.
const BATCHES_AHEAD: usize = 2;

/// The threads that the queries of an engine may have beside their own.
#[derive(Debug)]
pub(crate) struct Crew {
    free: AtomicUsize,
    patience: Duration,
    /// After how many series it is asked how long the rest will take.
    asked_after: usize,
}

impl Crew {
    /// So many threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            free: AtomicUsize::new(threads),
            patience: PATIENCE,
            asked_after: SERIES_ASKED_AFTER,
        }
    }

    /// The same, asked for at once.
    #[cfg(test)]
    pub(crate) fn eager(self) -> Self {
        Self {
            patience: Duration::ZERO,
            asked_after: 1,
            ..self
        }
    }

    /// How many threads are free.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.free.load(Ordering::Relaxed)
    }

    /// As many threads as are free, and no more than `wanted`.
    fn take(&self, wanted: usize) -> Taken<'_> {
        let order = Ordering::Relaxed;
        let fewer = |free: usize| Some(free - free.min(wanted));
        let before = self.free.fetch_update(order, order, fewer).unwrap_or(0);
        Taken {
            crew: self,
            threads: before.min(wanted),
        }
    }
}

/// Threads that are taken until this goes.
struct Taken<'c> {
    crew: &'c Crew,
    threads: usize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.crew.free.fetch_add(self.threads, Ordering::Relaxed);
    }
}

/// Computes a column for each of some series.
pub(super) trait Compute: Sync {
    /// What a thread keeps from one series to the next.
    type Worker;

    /// Makes what a thread needs.
    fn worker(&self) -> Result<Self::Worker, Error>;

    /// Fills `values`, one a step, for a series; whether there is any.
    fn compute(
        &self,
        worker: &mut Self::Worker,
        series: usize,
        values: &mut [f64],
    ) -> Result<bool, Error>;

    /// Takes back what a thread needed, in the order of the threads.
    fn done(&self, worker: Self::Worker) -> Report;
}

/// What a thread tells in the end.
pub(super) type Report = super::stats::Counts;

/// Columns on their way from a thread that computes them.
struct Batch {
    values: Vec<f64>,
    /// For each series whether it has any.
    present: Vec<bool>,
    /// Why it ends after those series.
    failed: Option<Error>,
}

/// What the rows are given to, by number of the series.
type Each<'s> = dyn FnMut(usize, &mut [f64]) -> Result<(), Error> + 's;

/// Computes all series and gives those that have a value to `each`, in order.
///
/// # Errors
/// The first one of a series, or of `each`.
pub(super) fn in_order<C: Compute>(
    evaluator: &Evaluator<'_>,
    series: usize,
    compute: &C,
    each: &mut Each<'_>,
) -> Result<(), Error> {
    let began = Instant::now();
    let mut values = evaluator.column(ABSENT)?;
    let mut worker = compute.worker()?;
    let mut alone = series;
    for at in 0..series {
        evaluator.limits.check()?;
        if compute.compute(&mut worker, at, &mut values)? {
            each(at, &mut values)?;
        }
        let done = at + 1;
        if done == evaluator.crew.asked_after || done % 1024 == 0 {
            let left = series - done;
            let needed = began.elapsed().as_secs_f64() / done as f64 * left as f64;
            if left > 0 && needed >= evaluator.crew.patience.as_secs_f64() {
                alone = done;
                break;
            }
        }
    }
    if alone < series {
        let rest = Rest {
            evaluator,
            compute,
            next: alone,
            series,
        };
        alone = rest.spread(each)?;
    }
    for at in alone..series {
        evaluator.limits.check()?;
        if compute.compute(&mut worker, at, &mut values)? {
            each(at, &mut values)?;
        }
    }
    evaluator.count(&compute.done(worker));
    Ok(())
}

/// The series that are still to be computed.
struct Rest<'r, 'e, C> {
    evaluator: &'r Evaluator<'e>,
    compute: &'r C,
    next: usize,
    series: usize,
}

/// What a thread computes with.
struct Hand<'r, C> {
    compute: &'r C,
    /// The first of its series, and those behind the last one of all.
    next: usize,
    series: usize,
    /// How many series a batch has.
    batch: usize,
    /// How many steps there are.
    steps: usize,
    empty: Receiver<Vec<f64>>,
    full: SyncSender<Batch>,
}

impl<C: Compute> Rest<'_, '_, C> {
    /// Computes the rest with as many threads as there are; gives the first series that is not
    /// done, where there is no thread or no memory for one.
    fn spread(self, each: &mut Each<'_>) -> Result<usize, Error> {
        let Self {
            evaluator,
            compute,
            next,
            series,
        } = self;
        let steps = evaluator.grid.count;
        let left = series - next;
        let batch = (CELLS_A_BATCH / steps).clamp(1, SERIES_A_BATCH_MAX);
        let taken = evaluator.crew.take(left.div_ceil(batch));
        let threads = taken.threads;
        let mut loan = Loan::new(evaluator.limits);
        let bytes = bytes_of::<f64>(batch * steps) + 4 * batch;
        if threads < 2 || loan.add(0, threads * (BATCHES_AHEAD + 1) * bytes).is_err() {
            return Ok(next);
        }
        thread::scope(|scope| {
            let mut hands = Vec::with_capacity(threads);
            for at in 0..threads {
                let (give_empty, empty) = mpsc::channel();
                let (full, take_full) = mpsc::sync_channel(BATCHES_AHEAD);
                let hand = Hand {
                    compute,
                    next: next + at * batch,
                    series,
                    batch,
                    steps,
                    empty,
                    full,
                };
                for _ in 0..=BATCHES_AHEAD {
                    // The receiver is there.
                    let _ = give_empty.send(vec![ABSENT; batch * steps]);
                }
                let thread = thread::Builder::new().name("query".to_owned());
                let spawned = thread.spawn_scoped(scope, move || hand.work(threads));
                hands.push((give_empty, take_full, spawned.map_err(no_thread)?));
            }
            let mut at = next;
            let turns = (0..threads).cycle();
            for turn in turns {
                if at >= series {
                    break;
                }
                let (give_empty, take_full, _) = &hands[turn];
                let count = batch.min(series - at);
                // A thread ends early only with a panic, which comes up when it is joined.
                let Ok(done) = take_full.recv() else { break };
                give_on(done, at, steps, give_empty, each)?;
                at += count;
            }
            for (give_empty, take_full, thread) in hands {
                drop((give_empty, take_full));
                match thread.join() {
                    Ok(Some(report)) => evaluator.count(&report),
                    Ok(None) => {}
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(series)
        })
    }
}

/// Gives the columns of a batch on that begins with a series.
fn give_on(
    batch: Batch,
    first: usize,
    steps: usize,
    give_empty: &Sender<Vec<f64>>,
    each: &mut Each<'_>,
) -> Result<(), Error> {
    let Batch {
        mut values,
        present,
        failed,
    } = batch;
    let columns = values.chunks_exact_mut(steps).zip(present);
    for (at, (column, present)) in (first..).zip(columns) {
        if present {
            each(at, column)?;
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    // A thread that is done takes none.
    let _ = give_empty.send(values);
    Ok(())
}

fn no_thread(error: std::io::Error) -> Error {
    Error::new(
        crate::ErrorKind::Execution,
        format!("no thread for a query: {error}"),
    )
}

impl<C: Compute> Hand<'_, C> {
    /// Computes every batch that is this thread's, as long as somebody takes them.
    fn work(self, threads: usize) -> Option<Report> {
        let mut worker = match self.compute.worker() {
            Ok(worker) => worker,
            Err(error) => {
                let failed = Batch {
                    values: Vec::new(),
                    present: Vec::new(),
                    failed: Some(error),
                };
                // Nobody waits where another one failed before.
                let _ = self.full.send(failed);
                return None;
            }
        };
        for first in (self.next..self.series).step_by(threads * self.batch) {
            let mut batch = Batch {
                values: self.empty.recv().ok()?,
                present: Vec::with_capacity(self.batch),
                failed: None,
            };
            let last = self.series.min(first + self.batch);
            for (series, column) in (first..last).zip(batch.values.chunks_exact_mut(self.steps)) {
                match self.compute.compute(&mut worker, series, column) {
                    Ok(present) => batch.present.push(present),
                    Err(error) => {
                        batch.failed = Some(error);
                        break;
                    }
                }
            }
            let failed = batch.failed.is_some();
            self.full.send(batch).ok()?;
            if failed {
                return None;
            }
        }
        Some(self.compute.done(worker))
    }
}
