//! Counts the work between two checks, in tests: what a check forgotten in a loop shows by, on
//! any machine and without a clock.
//!
//! Work is counted in samples looked at, where it is done: by those who decode, sort and compute,
//! and by label sets that are made, hashed, compared and freed. Outside of tests there is nothing
//! of it.

/// So much work was done.
#[inline]
pub(crate) fn work(_samples: usize) {
    #[cfg(test)]
    counted::add(_samples);
}

#[cfg(test)]
pub(crate) mod counted {
    use std::cell::Cell;

    thread_local! {
        static METER: Cell<Meter> = const { Cell::new(Meter::NEW) };
    }

    /// What was counted on a thread.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Meter {
        /// Since the last check.
        since: usize,
        /// Between two checks at most, the end being one.
        pub(crate) most: usize,
        /// How many checks there were.
        pub(crate) checks: usize,
        /// From which check on queries are told to end.
        ends_at: usize,
        /// The work after that one.
        pub(crate) after: usize,
    }

    impl Meter {
        const NEW: Self = Self {
            since: 0,
            most: 0,
            checks: 0,
            ends_at: usize::MAX,
            after: 0,
        };
    }

    pub(super) fn add(samples: usize) {
        // Things are freed while a thread ends, too.
        let _ = METER.try_with(|meter| {
            let mut now = meter.get();
            now.since = now.since.saturating_add(samples);
            now.most = now.most.max(now.since);
            if now.checks >= now.ends_at {
                now.after = now.after.saturating_add(samples);
            }
            meter.set(now);
        });
    }

    /// Notes a check; whether the query is to go on.
    pub(in crate::limits) fn looked() -> bool {
        METER.with(|meter| {
            let mut now = meter.get();
            now.since = 0;
            now.checks += 1;
            meter.set(now);
            now.checks < now.ends_at
        })
    }

    /// What is counted on this thread while something runs that is told to end at a check.
    pub(crate) fn while_running(ends_at: usize, run: impl FnOnce()) -> Meter {
        let new = Meter {
            ends_at,
            ..Meter::NEW
        };
        METER.with(|meter| meter.set(new));
        run();
        METER.with(|meter| meter.replace(Meter::NEW))
    }
}
