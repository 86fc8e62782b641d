//! The footer: what a block holds and where.

use super::group::RowKind;
use super::{BlockInfo, FORMAT, Input, InputKind, Origin};
use crate::immutable::{Listed, SECTION_BYTES, SeqRange, Unusable, check_kinds, seal, take};
use crate::model::{Seq, TimeRange};

/// Length of the fields before the lists.
const FIXED_BYTES: usize = 76;
const INPUT_BYTES: usize = 9;
const OUTPUT_BYTES: usize = 8;

/// Sections by kind. The first three stand in every block, metadata where there is some.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(super) enum Kind {
    Data = 1,
    Groups = 2,
    Times = 3,
    Metadata = 16,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Data, Self::Groups, Self::Times, Self::Metadata];

    /// As errors and the description of the format call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Groups => "groups",
            Self::Times => "times",
            Self::Metadata => "metadata",
        }
    }
}

/// All that the footer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Footer {
    pub(super) origin: Origin,
    pub(super) rows: u32,
    /// How many of them have no sample.
    pub(super) bare_rows: u32,
    pub(super) samples: u64,
    pub(super) range: Option<TimeRange>,
    /// How many time columns there are.
    pub(super) columns: u32,
    /// What some of the rows have: flags of row kinds.
    pub(super) has: RowKind,
    pub(super) sections: Vec<Listed>,
    /// Where the index lies, as the index encodes it.
    pub(super) index: Vec<u8>,
}

impl Footer {
    pub(super) fn info(&self, number: u64, bytes: u64) -> BlockInfo {
        BlockInfo {
            number,
            seqs: self.origin.seqs,
            range: self.range,
            rows: self.rows,
            samples: self.samples,
            bytes,
            inputs: self.origin.inputs.clone(),
            outputs: self.origin.outputs.clone(),
        }
    }

    /// Footer and trailer.
    pub(super) fn encode(&self) -> Vec<u8> {
        let range = self.range.unwrap_or(TimeRange::new(0, 0));
        let mut out = Vec::new();
        out.extend(FORMAT.version.to_le_bytes());
        out.extend(0u16.to_le_bytes());
        out.extend(self.rows.to_le_bytes());
        out.extend(self.origin.seqs.first.0.to_le_bytes());
        out.extend(self.origin.seqs.last.0.to_le_bytes());
        out.extend(range.start_ms.to_le_bytes());
        out.extend(range.end_ms.to_le_bytes());
        out.extend(self.samples.to_le_bytes());
        out.extend(self.bare_rows.to_le_bytes());
        out.extend(self.columns.to_le_bytes());
        for length in [
            self.sections.len(),
            self.origin.inputs.len(),
            self.origin.outputs.len(),
            self.index.len(),
        ] {
            out.extend((length as u32).to_le_bytes());
        }
        out.extend(u32::from(self.has.0).to_le_bytes());
        debug_assert_eq!(out.len(), FIXED_BYTES);
        for listed in &self.sections {
            listed.encode(&mut out);
        }
        for input in &self.origin.inputs {
            out.push(input.kind as u8);
            out.extend(input.number.to_le_bytes());
        }
        for output in &self.origin.outputs {
            out.extend(output.to_le_bytes());
        }
        out.extend(&self.index);
        seal(&mut out);
        out
    }

    /// Reads a footer that its trailer has checked.
    pub(super) fn decode(footer: &[u8]) -> Result<Self, Unusable> {
        let decoded = decode_fields(footer).ok_or(Unusable::Damaged(
            "the lists of the footer do not have its length",
        ))?;
        let is_known = |kind| Kind::ALL.iter().any(|&known| known as u16 == kind);
        check_kinds(&decoded.sections, is_known)?;
        Ok(decoded)
    }
}

fn decode_fields(footer: &[u8]) -> Option<Footer> {
    let mut bytes = footer.get(4..)?;
    let rest = &mut bytes;
    let rows = u32::from_le_bytes(take(rest)?);
    let first = Seq(u64::from_le_bytes(take(rest)?));
    let last = Seq(u64::from_le_bytes(take(rest)?));
    let start_ms = i64::from_le_bytes(take(rest)?);
    let end_ms = i64::from_le_bytes(take(rest)?);
    let samples = u64::from_le_bytes(take(rest)?);
    let bare_rows = u32::from_le_bytes(take(rest)?);
    let columns = u32::from_le_bytes(take(rest)?);
    let sections = u32::from_le_bytes(take(rest)?) as usize;
    let inputs = u32::from_le_bytes(take(rest)?) as usize;
    let outputs = u32::from_le_bytes(take(rest)?) as usize;
    let index = u32::from_le_bytes(take(rest)?) as usize;
    let [has, _unused @ ..]: [u8; 4] = take(rest)?;
    let lists = sections.checked_mul(SECTION_BYTES)?;
    let lists = lists.checked_add(inputs.checked_mul(INPUT_BYTES)?)?;
    let lists = lists.checked_add(outputs.checked_mul(OUTPUT_BYTES)?)?;
    if lists.checked_add(index) != Some(rest.len()) {
        return None;
    }
    let listed = Listed::take_all(sections, rest)?;
    let mut files = Vec::with_capacity(inputs);
    for _ in 0..inputs {
        let kind = match take(rest)? {
            [1] => InputKind::Segment,
            [2] => InputKind::Block,
            _ => return None,
        };
        let number = u64::from_le_bytes(take(rest)?);
        files.push(Input { kind, number });
    }
    let mut siblings = Vec::with_capacity(outputs);
    for _ in 0..outputs {
        siblings.push(u64::from_le_bytes(take(rest)?));
    }
    Some(Footer {
        origin: Origin {
            seqs: SeqRange { first, last },
            inputs: files,
            outputs: siblings,
        },
        rows,
        bare_rows,
        samples,
        range: (samples > 0).then(|| TimeRange::new(start_ms, end_ms)),
        columns,
        has: RowKind(has),
        sections: listed,
        index: rest.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::immutable::REQUIRED;
    use crate::immutable::footer::tests::{checked, with_byte};
    use crate::section::SectionRef;

    fn footer() -> Footer {
        let listed = |kind, flags| Listed {
            kind,
            flags,
            at: SectionRef {
                offset: 24,
                bytes: 7,
                crc: 9,
            },
        };
        Footer {
            origin: super::super::tests::origin(),
            rows: 44,
            bare_rows: 2,
            samples: 1000,
            range: Some(TimeRange::new(-5, i64::MAX)),
            columns: 3,
            has: RowKind(RowKind::STARTS),
            // The second is one that this version does not know and may leave out.
            sections: vec![listed(Kind::Data as u16, REQUIRED), listed(300, 0x8000)],
            index: vec![1, 2, 3],
        }
    }

    fn decode(bytes: &[u8]) -> Result<Footer, Unusable> {
        Footer::decode(checked(&FORMAT, bytes)?)
    }

    #[test]
    fn a_footer_comes_back_and_any_flipped_bit_is_noticed() {
        let bytes = footer().encode();
        assert_eq!(decode(&bytes), Ok(footer()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let decoded = decode(&flipped);
            assert!(matches!(decoded, Err(Unusable::Damaged(_))), "bit {bit}");
        }
    }

    #[test]
    fn what_a_later_version_adds_is_left_out_only_where_it_may_be() {
        let mut newer = footer();
        newer.sections[1].flags = REQUIRED;
        let what = "it has a section of kind 300, which cannot be left out";
        let decoded = decode(&newer.encode());
        assert_eq!(decoded, Err(Unusable::Newer(what.to_owned())));
        // Version and flags of the footer.
        for at in [0, 2] {
            let decoded = decode(&with_byte(footer().encode(), at, 9));
            assert!(matches!(decoded, Err(Unusable::Newer(_))), "{at}");
        }
    }

    #[test]
    fn lists_that_make_no_sense_are_refused() {
        // The numbers of sections, of inputs, of bytes of the index; the kind of an input.
        let input_at = FIXED_BYTES + 2 * SECTION_BYTES;
        for at in [59, 63, 67, input_at] {
            let decoded = decode(&with_byte(footer().encode(), at, 0x7f));
            assert!(matches!(decoded, Err(Unusable::Damaged(_))), "{at}");
        }
    }
}
