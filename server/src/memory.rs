//! Gives memory back to the system after a flush or a merge of files, and after a large query.
//!
//! A head goes as a whole when its segment stands: millions of small pieces between others that
//! stay. glibc's allocator keeps their pages unless it is told to look for those that are wholly
//! free; it then finds nearly all of them (87 MiB before, 2 MiB after on a fleet of 54,000 series
//! with 1,440 samples each). A merge leaves what it held of symbols and labels behind.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::app::App;

/// How often it is looked whether there was a flush or a merge, or a head was freed.
const EVERY: Duration = Duration::from_secs(1);
/// A query may hold a head for this many looks after its flush, the longest a query may take.
const LOOKS_AFTER: u32 = 120;

/// What a query held at least to be worth a look, in bytes.
const LARGE_BYTES_MIN: u64 = 1 << 20;

/// Gives memory back after each flush and merge, and once more when no query can hold what was flushed.
pub(crate) async fn watch(app: Arc<App>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // At the start for what replaying the WAL took.
    let mut before = None;
    let mut looks_left = 0;
    loop {
        ticks.tick().await;
        let stats = app.db.stats();
        let now = Some((stats.flushes, stats.heads_freed, stats.merges));
        if now != before {
            before = now;
            looks_left = LOOKS_AFTER;
        } else if looks_left != 1 {
            looks_left = u32::saturating_sub(looks_left, 1);
            continue;
        } else {
            looks_left = 0;
        }
        // It walks the lists of free pieces, milliseconds for each 100 MiB of them.
        let trimmed = tokio::task::spawn_blocking(give_back).await;
        if let Err(error) = trimmed {
            tracing::debug!(%error, "memory was not given back");
        }
    }
}

/// Gives memory back after a query that held a thirty-second of what all may, unless that is
/// little. The allocator keeps an arena for each thread, and the next query may run on another:
/// it would take its memory beside what the last one left. What ended queries left is waited for.
pub(crate) fn after_query(app: &App) {
    app.engine.wait_for_freed();
    // A query that ends waits for one that gives its memory back.
    let _alone = app
        .giving_back
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let large = (app.config.query_bytes_max / 32).max(LARGE_BYTES_MIN);
    if app.engine.take_largest_ended() >= large {
        give_back();
    }
}

/// How much free memory an arena keeps at its end, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES_MAX: libc::c_int = 4 << 20;

/// From what size on a piece of memory is asked of the system and given back by itself, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES_MIN: libc::c_int = 1 << 20;

/// Up to what size pieces of memory are set aside when they are freed, in bytes: none are.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SET_ASIDE_BYTES_MAX: libc::c_int = 0;

/// Bounds what arenas keep; to be called before there are threads. Left alone, glibc lets each
/// keep up to 64 MiB at its end once large pieces were freed, and `malloc_trim` does not look
/// there but in the first one. It also sets small pieces aside and joins them to their neighbours
/// all at once, at the next large one that is asked for: 160 ms after a query of 600,000 series,
/// in whatever query comes next.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "there is no other way to call mallopt")]
pub(crate) fn bound_arenas() {
    // SAFETY: these options may be set at any time; they change when memory is given back.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
        libc::mallopt(libc::M_MXFAST, SET_ASIDE_BYTES_MAX);
    }
}

/// Other allocators have no such arenas.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn bound_arenas() {}

/// Hands wholly free pages of the heap to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "there is no other way to call malloc_trim")]
fn give_back() {
    // SAFETY: `malloc_trim` may be called at any time by any thread; it takes the allocator's own
    // locks and touches free memory alone.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators give memory back by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
