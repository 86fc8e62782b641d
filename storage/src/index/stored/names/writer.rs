//! Writing the label table and the postings.

use std::io;

use roaring::RoaringBitmap;

use super::{GROUP, NAME_BYTES, Name};
use crate::codec::varint;
use crate::index::stored::groups::put_offset;
use crate::index::stored::input::{IndexInput, InputRows, invalid};
use crate::index::stored::postings::{self, ListRef, RowsAt};
use crate::index::stored::symbols::Ranks;
use crate::model::SymbolId;
use crate::section::{FileWriter, SectionRef, SectionWriter};

/// Where names and postings were written.
#[derive(Debug)]
pub(in crate::index::stored) struct Written {
    pub(in crate::index::stored) names: SectionRef,
    pub(in crate::index::stored) postings: SectionRef,
    pub(in crate::index::stored) names_count: u32,
    /// The list of all rows.
    pub(in crate::index::stored) all: ListRef,
}

/// Writes both sections. The table is held until the postings stand: some bytes a value.
pub(in crate::index::stored) fn write(
    input: &impl IndexInput,
    ranks: &Ranks,
    file: &mut FileWriter,
) -> io::Result<Written> {
    let names = ranked(input.names()?, ranks)?;
    let names_count = u32::try_from(names.len()).map_err(|_| invalid("too many names"))?;
    let mut lists = ListWriter {
        section: file.section(),
        buffer: Vec::new(),
    };
    let all = lists.put(&*input.all()?)?;
    let mut entries = Vec::with_capacity(names.len() * NAME_BYTES as usize);
    let mut values = ValueWriter {
        start: names.len() as u64 * NAME_BYTES,
        bytes: Vec::new(),
    };
    for (rank, symbol) in names {
        let present = lists.put(&*input.present(symbol)?)?;
        let of_name = ranked(input.values(symbol)?, ranks)?;
        let name = Name {
            symbol: rank,
            values: u32::try_from(of_name.len()).map_err(|_| invalid("too many values"))?,
            end: values.put(input, symbol, &of_name, &mut lists)?,
            present,
        };
        name.encode(&mut entries);
    }
    let postings = lists.section.finish()?;
    let mut section = file.section();
    section.put(&entries)?;
    section.put(&values.bytes)?;
    Ok(Written {
        names: section.finish()?,
        postings,
        names_count,
        all,
    })
}

/// Symbols with their ranks, sorted by these.
fn ranked(symbols: Vec<SymbolId>, ranks: &Ranks) -> io::Result<Vec<(u32, SymbolId)>> {
    let ranked = symbols
        .into_iter()
        .map(|symbol| Ok((ranks.of(symbol)?, symbol)));
    let mut ranked = ranked.collect::<io::Result<Vec<_>>>()?;
    ranked.sort_unstable();
    match ranked.is_sorted_by(|one, next| one.0 < next.0) {
        true => Ok(ranked),
        false => Err(invalid("a name or a value is listed twice")),
    }
}

/// Writes lists of rows.
struct ListWriter<'a> {
    section: SectionWriter<'a>,
    buffer: Vec<u8>,
}

impl ListWriter<'_> {
    fn put(&mut self, rows: &RoaringBitmap) -> io::Result<ListRef> {
        self.buffer.clear();
        let form = postings::encode(rows, &mut self.buffer);
        let offset = self.section.position();
        self.section.put(&self.buffer)?;
        Ok(ListRef {
            offset,
            bytes: self.buffer.len() as u64,
            form,
        })
    }
}

/// Gathers the values of names.
struct ValueWriter {
    /// Where `bytes` begin in the section.
    start: u64,
    bytes: Vec<u8>,
}

impl ValueWriter {
    /// Adds the values of a name; says where they end.
    fn put(
        &mut self,
        input: &impl IndexInput,
        name: SymbolId,
        values: &[(u32, SymbolId)],
        lists: &mut ListWriter<'_>,
    ) -> io::Result<u64> {
        let mut table = Vec::new();
        let mut heads = Vec::new();
        for group in values.chunks(GROUP as usize) {
            put_offset(&mut table, self.position());
            varint::put_u64(&mut self.bytes, lists.section.position());
            if let Some((first, _)) = group.first() {
                heads.extend_from_slice(&first.to_le_bytes());
            }
            let mut last = 0;
            for &(rank, value) in group {
                varint::put_u64(&mut self.bytes, u64::from(rank - last));
                last = rank;
                let rows = match input.postings(name, value)? {
                    InputRows::One(row) => RowsAt::One(row),
                    InputRows::Many(rows) => match (rows.len(), rows.min()) {
                        (1, Some(row)) => RowsAt::One(row),
                        _ => RowsAt::List(lists.put(&rows)?),
                    },
                };
                varint::put_u64(&mut self.bytes, rows.descriptor());
            }
        }
        put_offset(&mut table, self.position());
        self.bytes.extend_from_slice(&table);
        self.bytes.extend_from_slice(&heads);
        Ok(self.position())
    }

    fn position(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}
