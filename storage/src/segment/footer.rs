//! The footer: what a segment holds and where.

use super::{FORMAT, Origin, SegmentInfo};
use crate::immutable::{Listed, SECTION_BYTES, SeqRange, Unusable, check_kinds, seal, take};
use crate::model::{Seq, TimeRange};

/// Length of the fields before the lists.
const FIXED_BYTES: usize = 72;
const INPUT_BYTES: usize = 8;

/// Sections by kind. The first four stand in every segment, the others where there is something
/// to stand in them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(super) enum Kind {
    Times = 1,
    Chunks = 2,
    Rows = 3,
    Summaries = 4,
    Starts = 16,
    Histograms = 17,
    Exemplars = 18,
    Metadata = 19,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Times,
        Self::Chunks,
        Self::Rows,
        Self::Summaries,
        Self::Starts,
        Self::Histograms,
        Self::Exemplars,
        Self::Metadata,
    ];

    /// As errors and the description of the format call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Times => "times",
            Self::Chunks => "chunks",
            Self::Rows => "rows",
            Self::Summaries => "summaries",
            Self::Starts => "start timestamps",
            Self::Histograms => "histograms",
            Self::Exemplars => "exemplars",
            Self::Metadata => "metadata",
        }
    }
}

/// All that the footer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Footer {
    pub(super) origin: Origin,
    pub(super) rows: u32,
    pub(super) samples: u64,
    pub(super) range: Option<TimeRange>,
    pub(super) sections: Vec<Listed>,
    /// Where the index lies, as the index encodes it; empty for none.
    pub(super) index: Vec<u8>,
}

impl Footer {
    pub(super) fn info(&self, number: u64, bytes: u64) -> SegmentInfo {
        SegmentInfo {
            number,
            origin: self.origin.clone(),
            rows: self.rows,
            samples: self.samples,
            range: self.range,
            bytes,
        }
    }

    /// Footer and trailer.
    pub(super) fn encode(&self) -> Vec<u8> {
        let range = self.range.unwrap_or(TimeRange::new(0, 0));
        let mut out = Vec::new();
        out.extend(FORMAT.version.to_le_bytes());
        out.extend(0u16.to_le_bytes());
        out.extend(self.rows.to_le_bytes());
        out.extend(self.origin.epoch.to_le_bytes());
        out.extend(self.origin.seqs.first.0.to_le_bytes());
        out.extend(self.origin.seqs.last.0.to_le_bytes());
        out.extend(range.start_ms.to_le_bytes());
        out.extend(range.end_ms.to_le_bytes());
        out.extend(self.samples.to_le_bytes());
        out.extend(self.origin.series.to_le_bytes());
        for length in [
            self.sections.len(),
            self.origin.inputs.len(),
            self.index.len(),
        ] {
            out.extend((length as u32).to_le_bytes());
        }
        debug_assert_eq!(out.len(), FIXED_BYTES);
        for listed in &self.sections {
            listed.encode(&mut out);
        }
        for input in &self.origin.inputs {
            out.extend(input.to_le_bytes());
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
    let epoch = u64::from_le_bytes(take(rest)?);
    let first = Seq(u64::from_le_bytes(take(rest)?));
    let last = Seq(u64::from_le_bytes(take(rest)?));
    let start_ms = i64::from_le_bytes(take(rest)?);
    let end_ms = i64::from_le_bytes(take(rest)?);
    let samples = u64::from_le_bytes(take(rest)?);
    let series = u32::from_le_bytes(take(rest)?);
    let sections = u32::from_le_bytes(take(rest)?) as usize;
    let inputs = u32::from_le_bytes(take(rest)?) as usize;
    let index = u32::from_le_bytes(take(rest)?) as usize;
    let lists = sections.checked_mul(SECTION_BYTES)?;
    let lists = lists.checked_add(inputs.checked_mul(INPUT_BYTES)?)?;
    if lists.checked_add(index) != Some(rest.len()) {
        return None;
    }
    let listed = Listed::take_all(sections, rest)?;
    let mut numbers = Vec::with_capacity(inputs);
    for _ in 0..inputs {
        numbers.push(u64::from_le_bytes(take(rest)?));
    }
    Some(Footer {
        origin: Origin {
            epoch,
            seqs: SeqRange { first, last },
            series,
            inputs: numbers,
        },
        rows,
        samples,
        range: (samples > 0).then(|| TimeRange::new(start_ms, end_ms)),
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
        let at = |offset| SectionRef {
            offset,
            bytes: 7,
            crc: 9,
        };
        Footer {
            origin: Origin {
                epoch: 3,
                seqs: SeqRange {
                    first: Seq(5),
                    last: Seq(8),
                },
                series: 40,
                inputs: vec![1, 2],
            },
            rows: 44,
            samples: 1000,
            range: Some(TimeRange::new(-5, i64::MAX)),
            sections: vec![
                Listed {
                    kind: Kind::Times as u16,
                    flags: REQUIRED,
                    at: at(24),
                },
                // One that this version does not know and may leave out.
                Listed {
                    kind: 300,
                    flags: 0x8000,
                    at: at(99),
                },
            ],
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
        assert_eq!(
            decode(&newer.encode()),
            Err(Unusable::Newer(what.to_owned()))
        );
        let mut newer = footer();
        newer.sections[0].flags |= 2;
        assert!(matches!(decode(&newer.encode()), Err(Unusable::Newer(_))));
        // Version and flags of the footer, with a checksum that fits.
        for at in [0, 2] {
            let decoded = decode(&with_byte(footer().encode(), at, 9));
            assert!(matches!(decoded, Err(Unusable::Newer(_))), "{at}");
        }
    }

    #[test]
    fn lists_longer_than_the_footer_are_refused() {
        for at in [60, 64, 68] {
            let decoded = decode(&with_byte(footer().encode(), at + 3, 0xff));
            assert!(matches!(decoded, Err(Unusable::Damaged(_))), "{at}");
        }
    }
}
