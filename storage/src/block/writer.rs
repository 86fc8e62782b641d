//! Writing a block, from its first byte to its last.

mod group;
mod row;

use std::io;
use std::path::Path;

use self::group::OpenGroup;
use self::row::EncodedRow;
use super::footer::{Footer, Kind};
use super::group::RowKind;
use super::packed::PackedPages;
use super::page::Packer;
use super::times::TimesWriter;
use super::{BlockError, BlockInfo, FORMAT, Origin};
use crate::immutable::{Listed, MetadataEncoder, NewFile, REQUIRED};
use crate::index::stored::{self, IndexInput};
use crate::model::{Metadata, TimeRange};
use crate::section::{OpenSection, SectionRef};
use crate::sys::Sys;

pub use row::RowInput;

/// Writes a block: first the rows, in the order of their labels, then metadata, then the index,
/// then [`Writer::finish`]. Its file has a temporary name until then; where that is not reached
/// it is removed.
///
/// Held in memory are a group of rows (about 1 MiB, or the row that is larger), up to 64 MiB of
/// encoded time columns, and a few bytes a time column; of all that no more than the last once
/// the rows are followed by something else.
#[derive(Debug)]
pub struct Writer {
    new: NewFile,
    stage: Stage,
    /// None once rows and metadata are written.
    packer: Option<Packer>,
    group: OpenGroup,
    row: EncodedRow,
    times: TimesWriter,
    /// Entries of the section of groups.
    groups: Vec<u8>,
    totals: Totals,
    sections: Vec<Listed>,
    index: Vec<u8>,
}

/// Where the writer is.
#[derive(Debug)]
enum Stage {
    Rows(OpenSection),
    Metadata(Box<OpenMetadata>),
    Index,
    End,
}

#[derive(Debug)]
struct OpenMetadata {
    section: OpenSection,
    encoder: MetadataEncoder,
    pages: PackedPages,
}

#[derive(Debug, Default)]
struct Totals {
    rows: u32,
    bare_rows: u32,
    samples: u64,
    range: Option<TimeRange>,
    has: u8,
}

impl Writer {
    /// Begins the block `number` in the directory `dir`, which is made if need be.
    ///
    /// # Errors
    /// [`BlockError::Io`], also where there is a block with that number.
    pub fn create(sys: &Sys, dir: &Path, number: u64) -> Result<Self, BlockError> {
        let new = NewFile::create(sys, &FORMAT, dir, number)?;
        Ok(Self {
            stage: Stage::Rows(new.file.open_section()),
            packer: Some(Packer::new().map_err(new.io("compress"))?),
            new,
            group: OpenGroup::default(),
            row: EncodedRow::default(),
            times: TimesWriter::new(),
            groups: Vec::new(),
            totals: Totals::default(),
            sections: Vec::new(),
            index: Vec::new(),
        })
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.new.number()
    }

    /// Adds the next row; rows come in the order of their labels, the first has the number 0.
    /// `between` is called between pages where rows are compressed and written: of a row in
    /// some thousands, up to a mebibyte at once.
    ///
    /// # Errors
    /// [`BlockError::Io`], also where the input is not what [`RowInput`] says;
    /// [`BlockError::TooLarge`] where a row has 500 million samples or there are 2^32 rows.
    pub fn row(&mut self, input: &RowInput<'_>, between: &dyn Fn()) -> Result<(), BlockError> {
        let too_large = |path: &Path| BlockError::TooLarge {
            noun: FORMAT.noun,
            path: path.to_owned(),
            what: "2^32 rows, 500 million samples or 4 GiB in one",
        };
        if let Some(what) = input.wrong() {
            return Err(self.misused(what));
        }
        let rows = self.totals.rows.checked_add(1);
        let rows = rows.ok_or_else(|| too_large(self.new.path()))?;
        let encoded = self.row.encode(input);
        encoded.ok_or_else(|| too_large(self.new.path()))?;
        let (Stage::Rows(data), Some(packer)) = (&mut self.stage, &mut self.packer) else {
            return Err(self.misused("rows come first"));
        };
        let about = self.new.io("write");
        let file = &mut self.new.file;
        let written = (|| {
            if !self.group.has_room(&self.row) {
                let at = self.group.write(packer, data, file, between)?;
                self.groups.extend(at.encode());
            }
            match input.times.is_empty() {
                true => Ok(Some(0)),
                false => {
                    let number = self.times.put(input.times, data, file)?;
                    Ok(number.map(|number| number + 1))
                }
            }
        })();
        let column = written.map_err(about)?;
        let column = column.ok_or_else(|| too_large(self.new.path()))?;
        self.group.add(&self.row, column);
        self.totals.rows = rows;
        self.totals.add(input.times);
        self.totals.has |= self.row.kind.0;
        Ok(())
    }

    /// Goes on with the metadata of a metric family, whose name comes after those before.
    ///
    /// # Errors
    /// [`BlockError::Io`]
    pub fn metadata(&mut self, metric: &str, metadata: &Metadata) -> Result<(), BlockError> {
        self.end_rows()?;
        let (Stage::Metadata(open), Some(packer)) = (&mut self.stage, &mut self.packer) else {
            return Err(self.misused("metadata comes before the index"));
        };
        let at = open.pages.position();
        let out = open.pages.bytes();
        open.encoder.put(out, at, metric, metadata);
        let about = self.new.io("write");
        let (section, file) = (&mut open.section, &mut self.new.file);
        let written = open.pages.hand_on(packer, section, file);
        written.map_err(about)
    }

    /// Goes on with the index, of the same rows.
    ///
    /// # Errors
    /// [`BlockError::Io`], also where it has another number of rows.
    pub fn index(&mut self, input: &impl IndexInput) -> Result<(), BlockError> {
        self.end_rows()?;
        self.end_metadata()?;
        if !matches!(self.stage, Stage::Index) {
            return Err(self.misused("there is one index"));
        }
        if input.rows() != self.totals.rows {
            return Err(self.misused("the index is one of other rows"));
        }
        let about = self.new.io("write the index of");
        let refs = stored::write(input, &mut self.new.file).map_err(about)?;
        self.index = refs.encode().to_vec();
        self.stage = Stage::End;
        Ok(())
    }

    /// Makes the file durable, then gives it its name and makes that durable.
    ///
    /// # Errors
    /// [`BlockError::Io`]. Whether the name lasts where syncing the directory failed is not
    /// known; the file is whole if it does.
    pub fn finish(self, origin: Origin) -> Result<BlockInfo, BlockError> {
        if !matches!(self.stage, Stage::End) {
            return Err(self.misused("there is no index"));
        }
        let footer = Footer {
            origin,
            rows: self.totals.rows,
            bare_rows: self.totals.bare_rows,
            samples: self.totals.samples,
            range: self.totals.range,
            columns: self.times.count(),
            has: RowKind(self.totals.has & RowKind::FLAGS),
            sections: self.sections,
            index: self.index,
        };
        let number = self.new.number();
        let bytes = self.new.publish(&footer.encode())?;
        Ok(footer.info(number, bytes))
    }

    /// Writes what is left of the rows, and where they are.
    fn end_rows(&mut self) -> Result<(), BlockError> {
        if !matches!(self.stage, Stage::Rows(_)) {
            return Ok(());
        }
        let Stage::Rows(mut data) = std::mem::replace(&mut self.stage, Stage::End) else {
            return Ok(());
        };
        // Nothing that is for rows alone is held any longer: others may be written meanwhile.
        let mut group = std::mem::take(&mut self.group);
        self.row = EncodedRow::default();
        self.times.forget();
        let about = self.new.io("write");
        let file = &mut self.new.file;
        let written: io::Result<_> = (|| {
            if let Some(packer) = self.packer.as_mut().filter(|_| !group.is_empty()) {
                let at = group.write(packer, &mut data, file, &|| ())?;
                self.groups.extend(at.encode());
            }
            let data = data.finish(file)?;
            let mut section = file.section();
            section.put(&std::mem::take(&mut self.groups))?;
            let groups = section.finish()?;
            let (pages, ends) = self.times.finish();
            let mut section = file.section();
            section.put(pages)?;
            section.put(ends)?;
            Ok([
                (Kind::Data, data),
                (Kind::Groups, groups),
                (Kind::Times, section.finish()?),
            ])
        })();
        let written = written.map_err(about)?;
        self.sections
            .extend(written.map(|(kind, at)| listed(kind, at)));
        self.stage = Stage::Metadata(Box::new(OpenMetadata {
            section: self.new.file.open_section(),
            encoder: MetadataEncoder::default(),
            pages: PackedPages::default(),
        }));
        Ok(())
    }

    fn end_metadata(&mut self) -> Result<(), BlockError> {
        if !matches!(self.stage, Stage::Metadata(_)) {
            return Ok(());
        }
        let packer = self.packer.take();
        let Stage::Metadata(mut open) = std::mem::replace(&mut self.stage, Stage::Index) else {
            return Ok(());
        };
        // A section without a byte is none.
        let Some(mut packer) = packer.filter(|_| !open.encoder.is_empty()) else {
            return Ok(());
        };
        let about = self.new.io("write");
        open.encoder.finish(open.pages.bytes());
        let (mut section, file) = (open.section, &mut self.new.file);
        let written = open.pages.finish(&mut packer, &mut section, file);
        let written = written.and_then(|()| section.finish(file));
        let at = written.map_err(about)?;
        self.sections.push(listed(Kind::Metadata, at));
        Ok(())
    }

    /// The error of a caller that does not keep what the writer asks for.
    fn misused(&self, what: &'static str) -> BlockError {
        self.new.io("write")(io::Error::new(io::ErrorKind::InvalidInput, what))
    }
}

impl Totals {
    fn add(&mut self, times: &[i64]) {
        let ([first, ..], [.., last]) = (times, times) else {
            self.bare_rows += 1;
            return;
        };
        self.samples += times.len() as u64;
        let all = self.range.get_or_insert(TimeRange::new(*first, *last));
        *all = TimeRange::new(all.start_ms.min(*first), all.end_ms.max(*last));
    }
}

fn listed(kind: Kind, at: SectionRef) -> Listed {
    Listed {
        kind: kind as u16,
        flags: REQUIRED,
        at,
    }
}
