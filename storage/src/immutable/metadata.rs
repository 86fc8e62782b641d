//! What senders said of metric families, in order of name.
//!
//! Families stand in blocks of [`BLOCK_FAMILIES`], each text as its difference to that of the
//! family before; the first of a block comes after empty texts. At the end of the section stand
//! where each block begins, and the number of families.

use super::Fault;
use crate::codec::labels::{put_suffix, take_suffix};
use crate::model::{Metadata, MetricType};
use crate::section::{Bytes, Stretch};

/// What errors call the section.
const NAME: &str = "metadata";
/// Families of a block.
const BLOCK_FAMILIES: u64 = 16;
/// Bytes of a place or a number.
const WORD_BYTES: u64 = 8;

/// Name, unit and help.
type Texts = [Vec<u8>; 3];

/// Encodes families, in order of name.
#[derive(Debug, Default)]
pub struct MetadataEncoder {
    /// Where each block begins.
    blocks: Vec<u8>,
    families: u64,
    before: Texts,
}

impl MetadataEncoder {
    pub fn is_empty(&self) -> bool {
        self.families == 0
    }

    /// Appends a family to `out`, whose end is at `at` in the section.
    pub fn put(&mut self, out: &mut Vec<u8>, at: u64, metric: &str, metadata: &Metadata) {
        if self.families.is_multiple_of(BLOCK_FAMILIES) {
            self.blocks.extend(at.to_le_bytes());
            self.before = Texts::default();
        }
        out.push(metadata.metric_type as u8);
        let texts = [metric, &metadata.unit, &metadata.help];
        for (text, before) in texts.into_iter().zip(&mut self.before) {
            put_suffix(out, text.as_bytes(), before);
            before.clear();
            before.extend_from_slice(text.as_bytes());
        }
        self.families += 1;
    }

    /// Appends what stands at the end of the section.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.blocks);
        out.extend(self.families.to_le_bytes());
    }
}

/// Reads families.
#[derive(Debug)]
pub struct Families<'a> {
    section: Stretch<'a>,
    bytes: u64,
}

impl<'a> Families<'a> {
    pub fn new(section: &'a dyn Bytes) -> Self {
        Self {
            bytes: section.len(),
            section: Stretch::new(section),
        }
    }

    /// The metadata of a family, or of all, in order of name.
    pub fn read(&mut self, metric: Option<&str>) -> Result<Vec<(String, Metadata)>, Fault> {
        let (blocks, table_at) = self.table()?;
        let mut found = Vec::new();
        match metric {
            None => {
                for block in 0..blocks {
                    self.block(block, blocks, table_at, &mut found)?;
                }
            }
            Some(metric) => {
                // The last block that begins with that name or one before it.
                let (mut from, mut to) = (0, blocks);
                while from < to {
                    let middle = from + (to - from) / 2;
                    found.clear();
                    self.block(middle, blocks, table_at, &mut found)?;
                    let first = found.first().map(|(name, _)| name.as_str());
                    let last = found.last().map(|(name, _)| name.as_str());
                    if first.is_some_and(|first| metric < first) {
                        to = middle;
                    } else if last.is_some_and(|last| last < metric) {
                        from = middle + 1;
                    } else {
                        break;
                    }
                }
                found.retain(|(name, _)| name == metric);
            }
        }
        match found.is_sorted_by(|one, other| one.0 < other.0) {
            true => Ok(found),
            false => Err(corrupt("its families are not in order of name")),
        }
    }

    /// How many blocks there are, and where the table of them begins.
    fn table(&mut self) -> Result<(u64, u64), Fault> {
        let cut = || corrupt("it is shorter than its table");
        let end = self.bytes.checked_sub(WORD_BYTES).ok_or_else(cut)?;
        let blocks = self.word(end)?.div_ceil(BLOCK_FAMILIES);
        let table = blocks.checked_mul(WORD_BYTES);
        let table_at = table.and_then(|table| end.checked_sub(table));
        Ok((blocks, table_at.ok_or_else(cut)?))
    }

    /// Adds the families of a block to `found`.
    fn block(
        &mut self,
        block: u64,
        blocks: u64,
        table_at: u64,
        found: &mut Vec<(String, Metadata)>,
    ) -> Result<(), Fault> {
        let at = table_at + block * WORD_BYTES;
        let begin = self.word(at)?;
        let end = match block + 1 == blocks {
            true => table_at,
            false => self.word(at + WORD_BYTES)?,
        };
        let length = end.checked_sub(begin).filter(|_| end <= table_at);
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| corrupt("a block of it lies outside of it"))?;
        let mut bytes = self.section.get(begin, length).map_err(unreadable)?;
        let mut before = Texts::default();
        let mut families = 0;
        while !bytes.is_empty() {
            if families == BLOCK_FAMILIES {
                return Err(corrupt("a block has more families than one holds"));
            }
            found.push(take(&mut bytes, &mut before).map_err(corrupt)?);
            families += 1;
        }
        Ok(())
    }

    fn word(&mut self, at: u64) -> Result<u64, Fault> {
        let word = self.section.get(at, WORD_BYTES as usize);
        let word = word.map_err(unreadable)?.first_chunk();
        let word = word.ok_or_else(|| corrupt("a number is cut short"))?;
        Ok(u64::from_le_bytes(*word))
    }
}

fn unreadable(error: crate::section::SectionError) -> Fault {
    Fault::Section(NAME, error)
}

fn corrupt(reason: &str) -> Fault {
    Fault::corrupt(NAME, reason)
}

/// Reads a family, and leaves its texts in `before`.
fn take(input: &mut &[u8], before: &mut Texts) -> Result<(String, Metadata), &'static str> {
    let (&number, rest) = input.split_first().ok_or("a family is cut short")?;
    *input = rest;
    let metric_type = MetricType::from_number(number).ok_or("a metric type is not known")?;
    for before in before.iter_mut() {
        let mut text = Vec::new();
        take_suffix(input, before, &mut text)?;
        *before = text;
    }
    let texts = before.clone().map(String::from_utf8);
    let [Ok(metric), Ok(unit), Ok(help)] = texts else {
        return Err("a text is not UTF-8");
    };
    let metadata = Metadata {
        metric_type,
        unit,
        help,
    };
    Ok((metric, metadata))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::section::Raw;

    fn families() -> impl Strategy<Value = BTreeMap<String, Metadata>> {
        let metadata =
            (0..8u8, "[a-c]{0,3}", "(help )?[a-z]{0,9}").prop_map(|(kind, unit, help)| Metadata {
                metric_type: MetricType::from_number(kind).unwrap(),
                unit,
                help,
            });
        prop::collection::btree_map("(m_)?[a-d]{0,3}", metadata, 1..60)
    }

    fn written(families: &BTreeMap<String, Metadata>) -> Raw {
        let (mut encoder, mut out) = (MetadataEncoder::default(), Vec::new());
        for (metric, metadata) in families {
            let at = out.len() as u64;
            encoder.put(&mut out, at, metric, metadata);
        }
        encoder.finish(&mut out);
        Raw(out)
    }

    proptest! {
        #[test]
        fn families_come_back(families in families(), other in "(m_)?[a-d]{0,3}") {
            let section = written(&families);
            let mut read = Families::new(&section);
            let all = read.read(None).unwrap();
            prop_assert_eq!(&all, &Vec::from_iter(families.clone()));
            for name in families.keys().chain([&other]) {
                let one = read.read(Some(name)).unwrap();
                let expected = families.get_key_value(name);
                prop_assert!(one.iter().map(|(n, m)| (n, m)).eq(expected));
            }
        }

        #[test]
        fn harmed_bytes_are_read_or_refused(
            families in families(),
            harm in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
            cut in prop_oneof![Just(None), any::<prop::sample::Index>().prop_map(Some)],
        ) {
            let mut section = written(&families);
            for (at, byte) in harm {
                let at = at.index(section.0.len());
                section.0[at] = byte;
            }
            if let Some(cut) = cut {
                section.0.truncate(cut.index(section.0.len()));
            }
            let mut read = Families::new(&section);
            for metric in [None, Some("m_a"), Some("")] {
                if let Ok(found) = read.read(metric) {
                    prop_assert!(found.is_sorted_by(|a, b| a.0 < b.0));
                }
            }
        }
    }
}
