//! What a function of the samples in a window is.

use super::patience::Patience;

/// The samples of a series, stale markers left out, and the part of them that a window holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// Timestamps of the series' samples, in milliseconds, strictly rising.
    pub(crate) all_timestamps_ms: &'a [i64],
    /// Values at the same places.
    pub(crate) all_values: &'a [f64],
    /// The first sample inside.
    pub(crate) first: usize,
    /// The sample behind the last one inside; above `first`.
    pub(crate) end: usize,
    /// Samples lie after this moment, in milliseconds since the Unix epoch...
    pub(crate) start_ms: i64,
    /// ...and up to this one.
    pub(crate) end_ms: i64,
    /// The moment of evaluation: not the end where there is an offset or `@`.
    pub(crate) time_ms: i64,
    /// The function's scalar parameters at this step, 0 where it has fewer.
    pub(crate) parameters: [f64; 2],
    /// Asked by who looks at many samples.
    pub(crate) patience: Patience<'a>,
}

impl<'a> Window<'a> {
    /// Timestamps inside, at least one.
    pub(crate) fn timestamps_ms(&self) -> &'a [i64] {
        &self.all_timestamps_ms[self.first..self.end]
    }

    /// Values inside, at least one.
    pub(crate) fn values(&self) -> &'a [f64] {
        &self.all_values[self.first..self.end]
    }

    /// The same piece by piece, as long as the query goes on.
    #[inline]
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &'a [f64]> + use<'a> {
        self.patience.pieces(self.values())
    }

    /// How many samples are inside.
    pub(crate) fn len(&self) -> usize {
        self.end - self.first
    }
}

/// A function of the samples in a window. The windows of a series come in order and move
/// forward; a function that profits from that keeps what it needs between them.
pub(crate) trait WindowFunction: Send {
    /// The windows of another series begin: these are its values.
    fn begin(&mut self, _values: &[f64], _patience: Patience<'_>) {}

    /// The value for a window, if it has one.
    fn value(&mut self, window: &Window<'_>) -> Option<f64>;
}

/// A plain function keeps nothing.
impl<F: FnMut(&Window<'_>) -> Option<f64> + Send> WindowFunction for F {
    fn value(&mut self, window: &Window<'_>) -> Option<f64> {
        self(window)
    }
}

/// A function of windows in the table of its family.
pub(crate) struct WindowEntry {
    /// Its name in PromQL.
    pub(crate) name: &'static str,
    /// Makes one, for a thread to use.
    pub(crate) make: fn() -> Box<dyn WindowFunction>,
    /// Whether the value means what the series meant, so that it keeps its name.
    pub(crate) keeps_metadata: bool,
    /// What a query is told about if it is otherwise.
    pub(crate) expects: Expects,
}

/// What a function takes for granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expects {
    Nothing,
    /// The metric's name is that of a counter.
    CounterName,
    /// The first parameter lies between 0 and 1.
    Quantile,
    /// Both parameters do, the ends left out, or the query fails.
    Factors,
}

impl WindowEntry {
    /// A function whose value means something else than the series.
    pub(super) const fn new(name: &'static str, make: fn() -> Box<dyn WindowFunction>) -> Self {
        Self {
            name,
            make,
            keeps_metadata: false,
            expects: Expects::Nothing,
        }
    }

    pub(super) const fn keeping_metadata(self) -> Self {
        Self {
            keeps_metadata: true,
            ..self
        }
    }

    pub(super) const fn expecting(self, expects: Expects) -> Self {
        Self { expects, ..self }
    }
}

impl std::fmt::Debug for WindowEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The value of a function for the window `(start_ms, end_ms]` over samples.
    pub(in crate::functions) fn over(
        name: &str,
        samples: &[(i64, f64)],
        (start_ms, end_ms): (i64, i64),
        parameters: [f64; 2],
    ) -> Option<f64> {
        let Some(crate::functions::Implementation::Window(entry)) =
            crate::functions::implementation(name)
        else {
            panic!("no function {name}");
        };
        let timestamps: Vec<i64> = samples.iter().map(|sample| sample.0).collect();
        let values: Vec<f64> = samples.iter().map(|sample| sample.1).collect();
        let mut function = (entry.make)();
        function.begin(&values, Patience::ENDLESS);
        let first = timestamps.partition_point(|&time| time <= start_ms);
        let end = timestamps.partition_point(|&time| time <= end_ms);
        assert!(first < end, "no sample in the window");
        function.value(&Window {
            all_timestamps_ms: &timestamps,
            all_values: &values,
            first,
            end,
            start_ms,
            end_ms,
            time_ms: end_ms,
            parameters,
            patience: Patience::ENDLESS,
        })
    }
}
