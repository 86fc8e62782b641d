//! Files of any bytes behind checksums that are right, and what holds of metadata of any bytes.

use super::footer::TRAILER_BYTES;
use super::{Families, Format, MetadataEncoder, SECTION_BYTES, Trailer, seal};
use crate::fuzz::{Raw, join, parts};
use crate::index::stored::IndexRefs;
use crate::model::{Metadata, MetricType};
use crate::section::{PAGE_BYTES, SectionRef};

/// Where a footer has its references to sections: those of its list, then those of its index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footing {
    /// Where it says how many are in the list: 4 bytes.
    pub(crate) count_at: usize,
    /// Where the list begins.
    pub(crate) list_at: usize,
}

impl Footing {
    fn places(self, footer: &[u8]) -> Vec<usize> {
        let count = footer.get(self.count_at..).and_then(<[u8]>::first_chunk);
        let count = u32::from_le_bytes(count.copied().unwrap_or_default()) as usize;
        // After kind and flags.
        let listed = (0..count).map(|place| self.list_at + place * SECTION_BYTES + 4);
        let end = footer.len().saturating_sub(IndexRefs::ENCODED_BYTES);
        let mut places: Vec<usize> = listed.take_while(|&at| at < end).collect();
        places.extend((0..4).map(|place| end + place * SectionRef::ENCODED_BYTES));
        places
    }
}

/// A file out of the parts of an input: the bytes of the sections in turn, then the footer. The
/// checksums are added, and the references of the footer that are zeros are filled in; others
/// stay, whatever they point at.
pub(crate) fn assemble(format: &Format, number: u64, footing: Footing, data: &[u8]) -> Vec<u8> {
    let mut file = format.encode_header(number).to_vec();
    let mut parts = parts(data);
    let mut footer = parts.pop().unwrap_or_default().to_vec();
    let sections = parts.into_iter().map(|bytes| put_section(&mut file, bytes));
    let sections: Vec<SectionRef> = sections.collect();
    for (at, section) in footing.places(&footer).into_iter().zip(sections) {
        let slot = footer.get_mut(at..at + SectionRef::ENCODED_BYTES);
        if let Some(slot) = slot.filter(|slot| slot.iter().all(|&byte| byte == 0)) {
            slot.copy_from_slice(&section.encode());
        }
    }
    seal(&mut footer);
    file.extend(footer);
    file
}

fn put_section(file: &mut Vec<u8>, bytes: &[u8]) -> SectionRef {
    let offset = file.len() as u64;
    let crcs: Vec<u8> = bytes
        .chunks(PAGE_BYTES)
        .flat_map(|page| crc32fast::hash(page).to_le_bytes())
        .collect();
    file.extend_from_slice(bytes);
    file.extend_from_slice(&crcs);
    SectionRef {
        offset,
        bytes: bytes.len() as u64,
        crc: crc32fast::hash(&crcs),
    }
}

/// The input from which [`assemble`] makes the same sections and footer as a file has; nothing
/// where it is no such file.
pub(crate) fn take_apart(footing: Footing, file: &[u8]) -> Option<Vec<u8>> {
    let (rest, trailer) = file.split_at_checked(file.len().checked_sub(TRAILER_BYTES)?)?;
    let trailer = Trailer::decode(trailer).ok()?;
    let footer_at = rest.len().checked_sub(trailer.footer_bytes as usize)?;
    let mut footer = rest.get(footer_at..)?.to_vec();
    let mut parts = Vec::new();
    for at in footing.places(&footer) {
        let slot = footer.get_mut(at..)?.first_chunk_mut()?;
        let section = SectionRef::decode(slot);
        let start = usize::try_from(section.offset).ok()?;
        parts.push(
            file.get(start..start + usize::try_from(section.bytes).ok()?)?
                .to_vec(),
        );
        *slot = [0; SectionRef::ENCODED_BYTES];
    }
    parts.push(footer);
    Some(join(&parts))
}

/// The metadata section of a file. The families of a file are in order, each is found by its name,
/// and all come back from what they are encoded to.
pub(crate) fn metadata(data: &[u8]) -> bool {
    let Ok(families) = Families::new(&Raw(data.to_vec())).read(None) else {
        return false;
    };
    assert!(families.is_sorted_by(|one, other| one.0 < other.0));
    let encoded = Raw(encoded(&families));
    let again = Families::new(&encoded).read(None);
    assert!(
        again.as_ref().is_ok_and(|again| *again == families),
        "{again:?}"
    );
    for family in families.iter().take(40) {
        let found = Families::new(&encoded).read(Some(&family.0));
        assert!(found.is_ok_and(|found| found == [family.clone()]));
    }
    true
}

fn encoded(families: &[(String, Metadata)]) -> Vec<u8> {
    let (mut encoder, mut encoded) = (MetadataEncoder::default(), Vec::new());
    for (metric, metadata) in families {
        let at = encoded.len() as u64;
        encoder.put(&mut encoded, at, metric, metadata);
    }
    encoder.finish(&mut encoded);
    encoded
}

pub(crate) fn metadata_seeds() -> Vec<Vec<u8>> {
    let family = |number: u32| {
        let metadata = Metadata {
            metric_type: MetricType::from_number((number % 8) as u8).unwrap_or_default(),
            unit: if number.is_multiple_of(3) {
                "seconds"
            } else {
                ""
            }
            .to_owned(),
            help: format!("What number {number} counts."),
        };
        (format!("metric_{number:03}_total"), metadata)
    };
    [0, 1, 3, 16, 40]
        .map(|count| encoded(&(0..count).map(family).collect::<Vec<_>>()))
        .to_vec()
}
