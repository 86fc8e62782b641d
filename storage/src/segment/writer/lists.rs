//! Writing what few rows have beside their chunks, and metadata.

use super::{GATHERED_BYTES, Gathered, Writer, listed};
use crate::chunk::{HistogramParts, StartRun};
use crate::immutable::{Listed, MetadataEncoder, put_exemplars};
use crate::model::Metadata;
use crate::segment::footer::Kind;
use crate::segment::sparse::SparseTable;
use crate::segment::{FORMAT, SegmentError, histograms, starts};

impl Writer {
    /// Goes on, after the rows, with their start timestamps.
    pub fn starts(&mut self) -> StartsWriter<'_> {
        StartsWriter(self.lists(Kind::Starts))
    }

    /// Goes on, after the rows, with the histograms among their points.
    pub fn histograms(&mut self) -> HistogramsWriter<'_> {
        HistogramsWriter(self.lists(Kind::Histograms))
    }

    /// Goes on, after the rows, with their exemplars.
    pub fn exemplars(&mut self) -> ExemplarsWriter<'_> {
        ExemplarsWriter(self.lists(Kind::Exemplars))
    }

    /// Goes on with the metadata of metric families.
    pub fn metadata(&mut self) -> MetadataWriter<'_> {
        MetadataWriter {
            section: Gathered::new(&mut self.new),
            sections: &mut self.sections,
            encoder: MetadataEncoder::default(),
        }
    }

    fn lists(&mut self, kind: Kind) -> ListsWriter<'_> {
        ListsWriter {
            section: Gathered::new(&mut self.new),
            sections: &mut self.sections,
            kind,
            rows: self.table.rows(),
            table: SparseTable::default(),
        }
    }
}

/// Writes a section with bytes of few rows.
#[derive(Debug)]
struct ListsWriter<'a> {
    section: Gathered<'a>,
    sections: &'a mut Vec<Listed>,
    kind: Kind,
    rows: u32,
    table: SparseTable,
}

impl ListsWriter<'_> {
    /// Adds what `put` appends for a row above all before.
    fn put(&mut self, row: u32, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), SegmentError> {
        debug_assert!(row < self.rows, "the row was written");
        let at = self.section.position();
        self.table.begin(row, at, &mut self.section.bytes);
        put(&mut self.section.bytes);
        let added = self.table.add(row, self.section.position());
        added.ok_or_else(|| SegmentError::TooLarge {
            noun: FORMAT.noun,
            path: self.section.path.to_owned(),
            what: "4 GiB of histograms, start timestamps or exemplars in 1024 rows",
        })?;
        self.section.hand_on(GATHERED_BYTES)
    }

    /// Ends the section. There is none if no row was added.
    fn finish(mut self) -> Result<(), SegmentError> {
        if self.table.is_empty() {
            return Ok(());
        }
        let at = self.section.position();
        self.table.finish(self.rows, at, &mut self.section.bytes);
        let at = self.section.finish()?;
        self.sections.push(listed(self.kind, at));
        Ok(())
    }
}

/// Writes the start timestamps of rows.
#[derive(Debug)]
pub struct StartsWriter<'a>(ListsWriter<'a>);

impl StartsWriter<'_> {
    /// Adds those of a row above all before: of its points in order, and of the late ones.
    ///
    /// # Errors
    /// [`SegmentError::Io`]; [`SegmentError::TooLarge`] where 1024 rows have 4 GiB.
    pub fn put(&mut self, row: u32, runs: [&[StartRun]; 2]) -> Result<(), SegmentError> {
        match runs.iter().all(|runs| runs.is_empty()) {
            true => Ok(()),
            false => self.0.put(row, |out| starts::put(out, runs)),
        }
    }

    /// Ends the section; none is written without a start timestamp.
    ///
    /// # Errors
    /// [`SegmentError::Io`]
    pub fn finish(self) -> Result<(), SegmentError> {
        self.0.finish()
    }
}

/// Writes the histograms of rows.
#[derive(Debug)]
pub struct HistogramsWriter<'a>(ListsWriter<'a>);

impl HistogramsWriter<'_> {
    /// Adds those of a row above all before: among its points in order, and among the late ones.
    ///
    /// # Errors
    /// Those of [`StartsWriter::put`].
    pub fn put(&mut self, row: u32, lists: &[HistogramParts<'_>; 2]) -> Result<(), SegmentError> {
        match lists.iter().all(|list| list.count == 0) {
            true => Ok(()),
            false => self.0.put(row, |out| histograms::put(out, lists)),
        }
    }

    /// Ends the section; none is written without a histogram.
    ///
    /// # Errors
    /// [`SegmentError::Io`]
    pub fn finish(self) -> Result<(), SegmentError> {
        self.0.finish()
    }
}

/// Writes the exemplars of rows.
#[derive(Debug)]
pub struct ExemplarsWriter<'a>(ListsWriter<'a>);

impl ExemplarsWriter<'_> {
    /// Adds those of a row above all before, in blocks, as they came.
    ///
    /// # Errors
    /// Those of [`StartsWriter::put`].
    pub fn put<'b>(
        &mut self,
        row: u32,
        blocks: impl Iterator<Item = &'b [u8]>,
    ) -> Result<(), SegmentError> {
        let mut blocks = blocks.peekable();
        match blocks.peek() {
            None => Ok(()),
            Some(_) => self.0.put(row, |out| put_exemplars(out, blocks)),
        }
    }

    /// Ends the section; none is written without an exemplar.
    ///
    /// # Errors
    /// [`SegmentError::Io`]
    pub fn finish(self) -> Result<(), SegmentError> {
        self.0.finish()
    }
}

/// Writes metadata.
#[derive(Debug)]
pub struct MetadataWriter<'a> {
    section: Gathered<'a>,
    sections: &'a mut Vec<Listed>,
    encoder: MetadataEncoder,
}

impl MetadataWriter<'_> {
    /// Adds that of a metric family, whose name comes after those before.
    ///
    /// # Errors
    /// [`SegmentError::Io`]
    pub fn put(&mut self, metric: &str, metadata: &Metadata) -> Result<(), SegmentError> {
        let at = self.section.position();
        let out = &mut self.section.bytes;
        self.encoder.put(out, at, metric, metadata);
        self.section.hand_on(GATHERED_BYTES)
    }

    /// Ends the section; none is written without a family.
    ///
    /// # Errors
    /// [`SegmentError::Io`]
    pub fn finish(mut self) -> Result<(), SegmentError> {
        if self.encoder.is_empty() {
            return Ok(());
        }
        self.encoder.finish(&mut self.section.bytes);
        let at = self.section.finish()?;
        self.sections.push(listed(Kind::Metadata, at));
        Ok(())
    }
}
