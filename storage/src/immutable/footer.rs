//! What footers have in common, and the trailer by which they are found.

use super::{Format, Unusable};
use crate::section::SectionRef;

/// Length of the trailer, the last bytes of a file.
pub(super) const TRAILER_BYTES: usize = 16;
/// Last bytes of each file.
const MAGIC: [u8; 8] = *b"\r\nSBKEND";
/// Length of an entry of the list of sections.
pub const SECTION_BYTES: usize = 4 + SectionRef::ENCODED_BYTES;

/// A section may be read by those alone who know its kind: what they would leave out without it
/// belongs to the answers.
pub const REQUIRED: u16 = 1;

/// An entry of the list of sections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// What the section holds: a number that means something within the format.
    pub kind: u16,
    /// [`REQUIRED`], or nothing.
    pub flags: u16,
    /// Where it is.
    pub at: SectionRef,
}

impl Listed {
    /// Kind, flags, and where it is.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.kind.to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        out.extend(self.at.encode());
    }

    /// Takes what [`Listed::encode`] wrote off the front.
    pub fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            kind: u16::from_le_bytes(take(bytes)?),
            flags: u16::from_le_bytes(take(bytes)?),
            at: SectionRef::decode(&take(bytes)?),
        })
    }

    /// Takes so many off the front, which are there: who calls has counted the bytes.
    pub fn take_all(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>> {
        (0..count).map(|_| Self::take(bytes)).collect()
    }
}

/// Whether all of the sections may be read or left out by who knows the kinds `is_known`.
///
/// # Errors
/// Which may not.
pub fn check_kinds(sections: &[Listed], is_known: impl Fn(u16) -> bool) -> Result<(), Unusable> {
    for listed in sections {
        let (kind, flags) = (listed.kind, listed.flags);
        let known = is_known(kind);
        if flags & REQUIRED != 0 && !known {
            let what = format!("it has a section of kind {kind}, which cannot be left out");
            return Err(Unusable::Newer(what));
        }
        if known && flags & !REQUIRED != 0 {
            let what = format!("its section of kind {kind} has the flags {flags:#x}");
            return Err(Unusable::Newer(what));
        }
    }
    Ok(())
}

/// Takes as many bytes off the front as the number has.
pub fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (&taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(taken)
}

/// Appends to a footer its trailer.
pub fn seal(footer: &mut Vec<u8>) {
    let (length, crc) = (footer.len() as u32, crc32fast::hash(footer));
    footer.extend(length.to_le_bytes());
    footer.extend(crc.to_le_bytes());
    footer.extend(MAGIC);
}

/// The end of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trailer {
    /// Length of the footer, which stands before it.
    pub footer_bytes: u32,
    crc: u32,
}

impl Trailer {
    /// Takes a trailer apart.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unusable> {
        match bytes.split_first_chunk::<8>() {
            Some((&[l0, l1, l2, l3, c0, c1, c2, c3], magic)) if magic == MAGIC => Ok(Self {
                footer_bytes: u32::from_le_bytes([l0, l1, l2, l3]),
                crc: u32::from_le_bytes([c0, c1, c2, c3]),
            }),
            _ => Err(Unusable::Damaged(
                "the file does not end with the magic bytes of a trailer",
            )),
        }
    }

    /// Checks a footer: its checksum, and its first fields, the version of the format (2 bytes)
    /// and flags (2 bytes, none are known).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, format: &Format, footer: &[u8]) -> Result<(), Unusable> {
        if crc32fast::hash(footer) != self.crc {
            return Err(Unusable::Damaged("the checksum of the footer is wrong"));
        }
        let Some(&[v0, v1, f0, f1]) = footer.first_chunk() else {
            return Err(Unusable::Damaged("the footer is cut short"));
        };
        let (version, flags) = (u16::from_le_bytes([v0, v1]), u16::from_le_bytes([f0, f1]));
        if version > format.version {
            return Err(format.newer(version));
        }
        match flags {
            0 => Ok(()),
            _ => Err(Unusable::Newer(format!(
                "its footer has the flags {flags:#x}"
            ))),
        }
    }
}

/// For the tests of both kinds of footers.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The footer of a file that ends with these bytes, once its trailer has been checked.
    pub(crate) fn checked<'a>(format: &Format, end: &'a [u8]) -> Result<&'a [u8], Unusable> {
        let (footer, trailer) = end.split_at(end.len() - TRAILER_BYTES);
        let trailer = Trailer::decode(trailer)?;
        if trailer.footer_bytes as usize != footer.len() {
            return Err(Unusable::Damaged("length"));
        }
        trailer.check(format, footer)?;
        Ok(footer)
    }

    /// Footer and trailer with another byte, and a checksum that fits.
    pub(crate) fn with_byte(mut end: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
        end.truncate(end.len() - TRAILER_BYTES);
        end[at] = byte;
        seal(&mut end);
        end
    }
}
