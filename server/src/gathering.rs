//! When writes that were gathered for one sync are committed (ADR 16).
//!
//! A runtime of this program does it whenever one of its threads has nothing more to do
//! ([`Hook`]): the requests that have come are taken then, and nobody waits. That may never be on a
//! thread that always has something else to do, and no other runtime does it: [`Gathering`] sets a bound.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use silverback_storage::Db;
use tokio_util::task::TaskTracker;

/// The longest that a write waits until it is committed.
const GATHERED_MAX: Duration = Duration::from_millis(5);

/// Sees to it that what is gathered is committed in time.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    /// Whether a task is about to look.
    is_watched: Arc<AtomicBool>,
}

impl Gathering {
    /// To be called, within a runtime, after something was gathered; the look is one of `tasks`.
    ///
    /// What `owner` holds ends with it: nothing is left to commit then, and the directory is free for others.
    pub(crate) fn watch<T: AsRef<Db> + Send + Sync + 'static>(
        &self,
        owner: &Arc<T>,
        tasks: &TaskTracker,
    ) {
        // A task that is about to look does so after it has said that it will look no more: what was
        // gathered before this line does not escape it.
        if self.is_watched.swap(true, Ordering::AcqRel) {
            return;
        }
        let (owner, is_watched) = (Arc::downgrade(owner), Arc::clone(&self.is_watched));
        tasks.spawn(async move {
            tokio::time::sleep(GATHERED_MAX).await;
            is_watched.store(false, Ordering::Release);
            if let Some(owner) = owner.upgrade() {
                (*owner).as_ref().commit_gathered();
            }
        });
    }
}

/// Has a runtime's threads commit before they sleep.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hook(Arc<OnceLock<Db>>);

impl Hook {
    /// The database is open.
    pub(crate) fn set(&self, db: &Db) {
        // There is one database in this program.
        let _second = self.0.set(db.clone());
    }

    /// A thread of the runtime has nothing more to do.
    pub(crate) fn idle(&self) {
        if let Some(db) = self.0.get() {
            db.commit_gathered();
        }
    }
}

#[cfg(test)]
mod tests {
    use silverback_storage::{Commit, Options, WriteBatch};
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::program;

    const PATIENCE: Duration = Duration::from_secs(30);

    struct Owner(Db);

    impl AsRef<Db> for Owner {
        fn as_ref(&self) -> &Db {
            &self.0
        }
    }

    fn gather(db: &Db, timestamp_ms: i64) -> Commit {
        let mut batch = WriteBatch::new();
        let series = batch.series(&[("__name__", "m")]).unwrap();
        batch.float(series, timestamp_ms, 1.0);
        db.gather(&batch).unwrap().commit
    }

    fn run(runtime: &Runtime, work: impl Future<Output = ()> + Send + 'static) {
        // On a thread of the runtime, as connections are.
        let task = runtime.spawn(work);
        runtime
            .block_on(async { tokio::time::timeout(PATIENCE, task).await })
            .expect("in time")
            .unwrap();
    }

    #[test]
    fn a_thread_without_work_commits_what_was_gathered() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path(), Options::default()).unwrap();
        let hook = Hook::default();
        let runtime = program::runtime(hook.clone()).unwrap();
        // Before the database is open there is nothing to do.
        run(&runtime, async { tokio::task::yield_now().await });
        hook.set(&db);
        run(&runtime, async move {
            let commits = [gather(&db, 1), gather(&db, 2)];
            for commit in commits {
                commit.await.unwrap();
            }
        });
    }

    #[test]
    fn what_nobody_commits_is_committed_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path(), Options::default()).unwrap();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        run(&runtime, async move {
            let (gathering, tasks) = (Gathering::default(), TaskTracker::new());
            let owner = Arc::new(Owner(db));
            // Each for itself: who has looked once looks again.
            for timestamp_ms in 1..4 {
                let commit = gather(&owner.0, timestamp_ms);
                gathering.watch(&owner, &tasks);
                commit.await.unwrap();
            }
            // Whoever is about to look holds nothing meanwhile.
            gathering.watch(&owner, &tasks);
            assert_eq!(Arc::strong_count(&owner), 1);
            assert!(!tasks.is_empty(), "who stops can wait for it");
            owner.0.close().unwrap();
            drop(owner);
            Db::open(dir.path(), Options::default()).unwrap();
        });
    }
}
