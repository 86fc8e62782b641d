//! Runs reads on threads of their own, a bounded number at once, each for a bounded time, and
//! stops them when nobody waits for the answer any more.

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use silverback_query::source::{Allowance, StorageAllowance};
use silverback_query::{ReadLimits, Reservation};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::response::{ApiError, ErrorType};
use crate::app::App;
use crate::memory;

/// Gives memory back to the system when it is dropped, behind what it was used for.
#[derive(Debug)]
pub(super) struct GiveBack(Arc<App>);

impl GiveBack {
    pub(super) fn new(app: &Arc<App>) -> Self {
        Self(Arc::clone(app))
    }
}

impl Drop for GiveBack {
    fn drop(&mut self) {
        let app = Arc::clone(&self.0);
        let tasks = &self.0.tasks;
        // It may take milliseconds, which no thread of the runtime has.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                drop(tasks.spawn_blocking_on(move || memory::after_query(&app), &runtime));
            }
            Err(_) => memory::after_query(&app),
        }
    }
}

/// One of the turns that bound how many reads hold memory at once.
pub(super) type Turn = OwnedSemaphorePermit;

/// What a read needs to know of its bounds, and its turn: given back when this is dropped.
#[derive(Debug)]
pub(super) struct Bounds {
    cancelled: Arc<AtomicBool>,
    deadline: Instant,
    queued: Duration,
    turn: Turn,
}

impl Bounds {
    /// Set once nobody waits for the answer.
    pub(super) fn cancelled(&self) -> &AtomicBool {
        &self.cancelled
    }

    /// How long the read waited for its turn.
    pub(super) fn queued(&self) -> Duration {
        self.queued
    }

    /// How long the read may still take.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Bounds for what it reads beside queries.
    pub(super) fn reading<'b>(&'b self, app: &'b App) -> Reading<'b> {
        Reading(
            app.engine
                .read_limits(Some(self.time_left()), Some(self.cancelled())),
        )
    }

    /// The turn alone, for a result that is held until the client has it.
    pub(super) fn into_turn(self) -> Turn {
        self.turn
    }
}

/// A read of the database that is no query.
#[derive(Debug)]
pub(super) struct Reading<'b>(ReadLimits<'b>);

impl Reading<'_> {
    /// Asks the database, which goes on as long as it may.
    ///
    /// # Errors
    /// Those of the database; nobody waits any more; a limit, by its name.
    pub(super) fn ask<T>(
        &self,
        ask: impl FnOnce(&dyn silverback_storage::Allowance) -> Result<T, silverback_storage::Error>,
    ) -> Result<T, ApiError> {
        let allowance = StorageAllowance::new(&self.0);
        ask(&allowance).map_err(|error| ApiError::query(&allowance.error(error)))
    }

    /// Holds so many bytes more.
    ///
    /// # Errors
    /// There is no room for them.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), ApiError> {
        self.0.hold(bytes).map_err(|error| ApiError::query(&error))
    }

    /// Holds what the tree of an expression takes.
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn hold_parsed(&self, text: &str) -> Result<(), ApiError> {
        let held = self.0.hold_parsed(text);
        held.map_err(|error| ApiError::query(&error))
    }

    /// The end of the read, whose answer takes so many bytes until the client has it.
    ///
    /// # Errors
    /// There is no room for them; nobody waits any more, or the time is up.
    pub(super) fn answer(self, bytes: usize) -> Result<Reservation, ApiError> {
        let held = self.0.answer(bytes);
        held.map_err(|error| ApiError::query(&error))
    }
}

/// Cancels a read when it is dropped: with the future of its request.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on a thread where it may block, once it is its turn, for at most `timeout` and
/// `--query-timeout`, its wait in the queue included.
///
/// # Errors
/// Its own, or "timeout" where its turn does not come in time.
pub(super) async fn run<T: Send + 'static>(
    app: &Arc<App>,
    timeout: Option<Duration>,
    work: impl FnOnce(&App, Bounds) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let timeout_max = app.config.query_timeout;
    let timeout = timeout.map_or(timeout_max, |timeout| timeout.min(timeout_max));
    let arrived = Instant::now();
    let deadline = arrived + timeout;
    let cancelled = Arc::new(AtomicBool::new(false));
    let guard = CancelOnDrop(Arc::clone(&cancelled));
    let turn = Arc::clone(&app.query_turns).acquire_owned();
    // The semaphore is never closed, so that the wait alone can fail.
    let Ok(Ok(turn)) = tokio::time::timeout_at(deadline.into(), turn).await else {
        return Err(ApiError::new(
            ErrorType::Timeout,
            format!(
                "query timed out in query queue: {} others run (--query-concurrency) and {:.3} s are \
                 over (--query-timeout or the timeout of the request)",
                app.config.query_concurrency,
                timeout.as_secs_f64()
            ),
        ));
    };
    // The turn moves with the work, which may end after its request was dropped.
    let bounds = Bounds {
        cancelled,
        deadline,
        queued: arrived.elapsed(),
        turn,
    };
    let tasks = &app.tasks;
    let app = Arc::clone(app);
    let (answer, answered) = oneshot::channel();
    let task = tasks.spawn_blocking(move || {
        let running = Running::begin(&app);
        let result = work(&app, bounds);
        drop(running);
        let has_failed = result.is_err();
        // An answer that nobody waits for any more is freed here.
        drop(answer.send(result));
        // Nobody is to wait for that: to free a million series takes a tenth of a second.
        if has_failed {
            memory::after_query(&app);
        }
    });
    let answered = answered.await;
    drop(guard);
    match answered {
        Ok(result) => result,
        Err(_) => Err(why_not_answered(task).await),
    }
}

/// Why a task that ended did not answer.
async fn why_not_answered(task: tokio::task::JoinHandle<()>) -> ApiError {
    match task.await.map_err(tokio::task::JoinError::try_into_panic) {
        // Counted, logged and answered where all panics are.
        Err(Ok(panic)) => panic::resume_unwind(panic),
        _ => ApiError::new(ErrorType::Unavailable, "the server is stopping"),
    }
}

/// Counts a read while it runs.
struct Running(Arc<prometheus::IntGauge>);

impl Running {
    fn begin(app: &App) -> Self {
        let gauge = Arc::clone(&app.metrics.queries_running);
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::app::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_read_that_nobody_waits_for_is_cancelled() {
        let app = TestApp::new().app;
        let (began, begun) = oneshot::channel();
        let (end, ended) = mpsc::channel();
        let reading = run(&app, None, move |app, bounds| {
            let _ = began.send(());
            let reading = bounds.reading(app);
            let error = loop {
                if let Err(error) = reading.0.check() {
                    break ApiError::query(&error);
                }
                std::thread::yield_now();
            };
            end.send(error.clone()).unwrap();
            Err::<(), _>(error)
        });
        tokio::select! {
            _ = reading => panic!("it cannot end by itself"),
            begun = begun => begun.unwrap(),
        }
        let error = tokio::task::spawn_blocking(move || ended.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            error,
            ApiError::new(ErrorType::Canceled, "the request was canceled")
        );
    }

    #[tokio::test]
    async fn the_wait_for_a_turn_is_bounded() {
        let app = TestApp::new().app;
        let turns = u32::try_from(app.config.query_concurrency).unwrap();
        let all = Arc::clone(&app.query_turns)
            .acquire_many_owned(turns)
            .await
            .unwrap();
        let error = run(&app, Some(Duration::from_millis(1)), |_, _| Ok(()))
            .await
            .unwrap_err();
        let expected = "query timed out in query queue: 20 others run (--query-concurrency) and \
                        0.001 s are over (--query-timeout or the timeout of the request)";
        assert_eq!(error, ApiError::new(ErrorType::Timeout, expected));
        drop(all);
        run(&app, None, |app, _| {
            assert_eq!(app.metrics.queries_running.get(), 1);
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(app.metrics.queries_running.get(), 0);
    }

    #[tokio::test]
    async fn a_panic_goes_on_to_where_panics_are_answered() {
        let app = TestApp::new().app;
        let running = Arc::clone(&app);
        let task = tokio::spawn(async move {
            let _ = run(&running, None, |_, _| -> Result<(), _> { panic!("a bug") }).await;
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(
            app.query_turns.available_permits(),
            app.config.query_concurrency
        );
    }
}
