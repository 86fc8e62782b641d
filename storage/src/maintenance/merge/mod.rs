//! Merging segments and blocks into blocks.
//!
//! All sources are walked together, series after series in the order of labels, in which blocks
//! have them and segments are put metric by metric; what a series has in all of them is laid over
//! each other, cut by the ranges of the outputs and written. From the bottom up: `symbols` numbers
//! the label names and values of all sources in one order, `labels` gives the rows of a source in
//! order, `segment_rows` and `block_rows` their samples, `cursor` both; `join` finds the sources
//! that have the next series, `series` reads it from them, `times` and `overlay` put it in order
//! of time; `pass` hands it to the outputs, whose labels `output_index` gathers.
//!
//! Held in memory are 4 bytes a symbol and source, the labels of a batch of rows of each source
//! (those of its largest metric, if they are more), some MiB of rows and timestamps, one series,
//! what a writer holds of each of up to [`OUTPUTS_MAX`] blocks, and for each of their rows the
//! labels in a few bytes each.

mod block_rows;
mod cursor;
mod error;
mod join;
mod label_log;
mod labels;
mod output_index;
mod overlay;
mod pass;
mod run_lists;
mod segment_rows;
mod series;
mod sink;
mod source;
mod symbols;
#[cfg(test)]
mod tests;
mod times;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::pass::{Output, Wanted};
use self::sink::BlockSink;
use self::source::Input;
use self::symbols::Symbols;
use crate::block::{self, BlockInfo, Origin, Writer};
use crate::immutable::SeqRange;
use crate::model::{Metadata, TimeRange};
use crate::sys::Sys;

pub use error::MergeError;
pub use source::Source;

/// How many blocks are written at once: each takes some MiB. Where there are more ranges, the
/// sources are walked again.
const OUTPUTS_MAX: usize = 8;

/// Writes what `sources` hold as blocks in the directory `dir`: one for each of `ranges` in which
/// there is a sample or an exemplar, in order of time.
///
/// Sources come in the order in which they count: of several samples of a series at one timestamp
/// that of the last source stays, whatever its kind. Ranges are disjoint and rise, and together
/// hold all that the sources do. Blocks get numbers from `next_number` on, which is moved to the
/// next free one, also where the merge fails. All of them have the seqs from the first of any
/// source to the last.
///
/// What was said of a metric family has no time: the last source counts that says something of
/// it, and all of it goes to the newest of the blocks, as that stays longest. Where the sources
/// hold nothing else there is one block, without rows, for it.
///
/// The blocks are durable under their names when this returns, and stand for nothing until the
/// manifest names them. `is_cancelled` is asked between
/// series, and not seldom while there are none.
///
/// # Errors
/// [`MergeError`]; no block nor a part of one is left, unless the disk refuses even that.
pub fn merge(
    sys: &Sys,
    dir: &Path,
    sources: &[Source],
    ranges: &[TimeRange],
    next_number: &mut u64,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Vec<BlockInfo>, MergeError> {
    let is_sane = |range: &TimeRange| range.start_ms <= range.end_ms;
    let rises = ranges.is_sorted_by(|one, next| one.end_ms < next.start_ms);
    if !rises || !ranges.iter().all(is_sane) {
        return Err(MergeError::Ranges);
    }
    let inputs: Vec<Input<'_>> = (0..)
        .zip(sources)
        .map(|(number, source)| Input { number, source })
        .collect();
    let Some(origin) = origin(sources) else {
        return Ok(Vec::new());
    };
    let symbols = Symbols::join(&inputs, is_cancelled)?;
    let mut merge = Merge {
        sys,
        dir,
        inputs: &inputs,
        symbols: &symbols,
        origin,
        metadata: metadata(&inputs)?,
        next_number,
        is_cancelled,
        ended: Vec::new(),
    };
    // The newest first, as metadata go to the newest that is written.
    for wanted in passes(ranges).into_iter().rev() {
        merge.pass(wanted)?;
    }
    merge.finish()
}

/// What blocks that are made of these say of themselves; none without a source.
fn origin(sources: &[Source]) -> Option<Origin> {
    let seqs = || sources.iter().map(Source::seqs);
    Some(Origin {
        seqs: SeqRange {
            first: seqs().map(|seqs| seqs.first).min()?,
            last: seqs().map(|seqs| seqs.last).max()?,
        },
        inputs: sources.iter().map(source::name).collect(),
        // Known once all are written.
        outputs: Vec::new(),
    })
}

/// What was said of each metric family, the last of all sources.
fn metadata(inputs: &[Input<'_>]) -> Result<BTreeMap<String, Metadata>, MergeError> {
    let mut families = BTreeMap::new();
    for input in inputs {
        families.extend(input.metadata()?);
    }
    Ok(families)
}

/// Some ranges at a time, with the spans of time that each answers for: together all of time.
fn passes(ranges: &[TimeRange]) -> Vec<Wanted<'_>> {
    let mut passes: Vec<Wanted<'_>> = Vec::new();
    let mut start_ms = i64::MIN;
    for ranges in ranges.chunks(OUTPUTS_MAX) {
        let end_ms = ranges.last().map_or(i64::MAX, |last| last.end_ms);
        let span = TimeRange::new(start_ms, end_ms);
        passes.push(Wanted { ranges, span });
        start_ms = end_ms.saturating_add(1);
    }
    match passes.last_mut() {
        Some(last) => last.span.end_ms = i64::MAX,
        None => passes.push(Wanted {
            ranges,
            span: TimeRange::ALL,
        }),
    }
    passes
}

/// A merge on its way.
struct Merge<'a> {
    sys: &'a Sys,
    dir: &'a Path,
    inputs: &'a [Input<'a>],
    symbols: &'a Symbols,
    origin: Origin,
    /// What no block has yet.
    metadata: BTreeMap<String, Metadata>,
    next_number: &'a mut u64,
    is_cancelled: &'a dyn Fn() -> bool,
    /// Blocks that lack their footer alone, from the newest on: each names all others.
    ended: Vec<Writer>,
}

/// Blocks that are removed unless they are kept.
struct Written {
    sys: Sys,
    paths: Vec<PathBuf>,
}

impl Drop for Written {
    fn drop(&mut self) {
        for path in &self.paths {
            // Nothing more can be done: no manifest names it, and the next start removes it.
            let _ = self.sys.disk.remove(path);
        }
    }
}

impl Merge<'_> {
    /// Writes the blocks of some ranges.
    fn pass(&mut self, wanted: Wanted<'_>) -> Result<(), MergeError> {
        let (sys, dir) = (self.sys, self.dir);
        let next_number = &mut *self.next_number;
        let is_cancelled = self.is_cancelled;
        let open = |_| create(sys, dir, next_number, is_cancelled);
        let (inputs, symbols) = (self.inputs, self.symbols);
        let outputs = pass::run(inputs, symbols, wanted, self.is_cancelled, open)?;
        for output in outputs.into_iter().rev().flatten() {
            self.end(output)?;
        }
        Ok(())
    }

    /// Writes what comes after the rows, but for the footer.
    fn end(&mut self, output: Output<BlockSink<'_>>) -> Result<(), MergeError> {
        if (self.is_cancelled)() {
            return Err(MergeError::Cancelled);
        }
        let Output { sink, labels } = output;
        let mut writer = sink.writer;
        for (metric, metadata) in std::mem::take(&mut self.metadata) {
            let put = writer.metadata(&metric, &metadata);
            put.map_err(MergeError::of_output)?;
        }
        let index = labels.index(self.symbols, self.inputs, self.is_cancelled);
        writer.index(&index).map_err(MergeError::of_output)?;
        self.ended.push(writer);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<BlockInfo>, MergeError> {
        if !self.metadata.is_empty() {
            let sink = create(self.sys, self.dir, self.next_number, self.is_cancelled)?;
            self.end(Output::new(sink, None))?;
        }
        self.origin.outputs = self.ended.iter().map(Writer::number).collect();
        self.origin.outputs.sort_unstable();
        let mut written = Written {
            sys: self.sys.clone(),
            paths: Vec::new(),
        };
        let mut infos = Vec::with_capacity(self.ended.len());
        for writer in self.ended.into_iter().rev() {
            if (self.is_cancelled)() {
                return Err(MergeError::Cancelled);
            }
            let path = block::path(self.dir, writer.number());
            let info = writer.finish(self.origin.clone());
            infos.push(info.map_err(MergeError::of_output)?);
            written.paths.push(path);
        }
        written.paths.clear();
        Ok(infos)
    }
}

fn create<'a>(
    sys: &Sys,
    dir: &Path,
    next_number: &mut u64,
    is_cancelled: &'a dyn Fn() -> bool,
) -> Result<BlockSink<'a>, MergeError> {
    let number = *next_number;
    *next_number += 1;
    let writer = Writer::create(sys, dir, number).map_err(MergeError::of_output)?;
    Ok(BlockSink::new(writer, is_cancelled))
}
