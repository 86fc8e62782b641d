//! Pages: bytes that are compressed by themselves, or stand as they are where that is no longer.

use std::fmt;
use std::io;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

/// Bytes of a page before it is compressed; the last one of a lane has the rest.
pub(super) const PAGE_BYTES: usize = 64 << 10;
const LEVEL: i32 = 3;
/// The shortest repetition that is looked for. Columns have shorter ones than what the level is
/// made for: it costs no time to speak of, and takes a hundredth of the bytes.
const MATCH_BYTES_MIN: u32 = 4;

/// Compresses pages.
pub(super) struct Packer(Compressor<'static>);

impl Packer {
    pub(super) fn new() -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::MinMatch(MATCH_BYTES_MIN))?;
        Ok(Self(compressor))
    }

    /// Appends `page` to `out`, compressed if that is shorter; says how many bytes it takes, as
    /// many as the page has where it stands as it is.
    pub(super) fn pack(&mut self, page: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let packed = self.0.compress(page)?;
        let stored = match packed.len() < page.len() {
            true => &packed,
            false => page,
        };
        out.extend_from_slice(stored);
        Ok(stored.len())
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packer")
    }
}

/// Takes pages apart. Made where it is first needed.
#[derive(Default)]
pub(super) struct Unpacker(Option<Decompressor<'static>>);

impl Unpacker {
    /// Puts the page of `bytes` bytes that is stored as `stored` into `out`, which is emptied
    /// first. Says what is wrong with it.
    pub(super) fn unpack(
        &mut self,
        stored: &[u8],
        bytes: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        out.clear();
        if stored.len() == bytes {
            out.extend_from_slice(stored);
            return Ok(());
        }
        let decompressor = match &mut self.0 {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new().map_err(|_| "zstd has no memory")?),
        };
        out.reserve(bytes);
        match decompressor.decompress_to_buffer(stored, out) {
            Ok(length) if length == bytes && out.len() == bytes => Ok(()),
            Ok(_) => Err("a page has not the length that its group says"),
            Err(_) => Err("a page cannot be decompressed"),
        }
    }
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unpacker")
    }
}
