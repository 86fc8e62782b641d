//! What a query took, as Prometheus tells it.

use std::time::Duration;

/// What a node of a query's plan gave and took: `explain`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanNode {
    /// What it does.
    pub operation: String,
    /// How many series it gave.
    pub series: u64,
    /// How many values those have.
    pub samples: u64,
    /// How many samples were read for it.
    pub samples_read: u64,
    /// How many bytes what it gave holds; 0 where it was given on series by series.
    pub bytes: u64,
    /// How long it took, with what it asked for.
    pub time: Duration,
    /// What it asked for, in the order in which it was.
    pub children: Vec<PlanNode>,
}

/// What a query looked at and how long it took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryStats {
    /// How many samples each step looked at, by its time in milliseconds: all of its windows,
    /// also those that the step before looked at.
    pub queryable_per_step: Vec<(i64, u64)>,
    /// How many samples each step looked at that the steps before did not.
    pub read_per_step: Vec<(i64, u64)>,
    /// The most samples that were held at a time.
    pub samples_peak: u64,
    /// The most bytes that were held at a time.
    pub bytes_peak: u64,
    /// From the text to the plan.
    pub preparation: Duration,
    /// Evaluation, without sorting the answer.
    pub evaluation: Duration,
    /// Sorting the answer.
    pub sorting: Duration,
}

impl QueryStats {
    /// How many samples the steps looked at, all together.
    pub fn queryable(&self) -> u64 {
        self.queryable_per_step.iter().map(|step| step.1).sum()
    }

    /// How many samples were read.
    pub fn read(&self) -> u64 {
        self.read_per_step.iter().map(|step| step.1).sum()
    }
}
