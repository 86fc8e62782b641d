//! Values that every layer shares: labels, matchers, samples, ids.
//!
//! Nothing here touches a file, a clock or a lock.

pub(crate) mod allowance;
mod batch;
mod cardinality;
mod exemplar;
mod float_runs;
mod histogram;
mod ids;
mod labels;
mod matcher;
mod metadata;
mod read_damage;
mod sample;
mod time_range;

pub use allowance::{Allowance, Unbounded};
pub(crate) use allowance::{Ended, Pace, ReadBounds, SAMPLES_PACE, Tally};
pub use batch::{
    Batch, ExemplarRow, FloatRow, FloatStart, HistogramRow, MetadataRow, SeriesDefinition,
};
pub use cardinality::{Cardinality, Count};
pub use exemplar::{Exemplar, SeriesExemplars};
pub use float_runs::{FloatRun, FloatRuns, FloatSlices};
pub use histogram::{
    BucketSpan, CUSTOM_SCHEMA, Histogram, HistogramCounts, HistogramError, ResetHint, Side,
};
pub use ids::{Seq, SeriesId, SymbolId};
pub use labels::{LabelError, Labels, LabelsRef, METRIC_NAME};
pub use matcher::{MatchOp, Matcher, MatcherError};
pub use metadata::{Metadata, MetricType, family_name};
pub use read_damage::ReadDamage;
pub use sample::{HistogramPoint, STALE_NAN_BITS, Sample, Samples, Value, is_stale};
pub use time_range::TimeRange;
