//! What a body is compressed with, and how long it gets: known, and bounded, before anything is
//! decompressed.

use zstd::zstd_safe;

use super::refusal::{Reason, Refusal};
use super::snappy;

/// The first bytes of a frame of zstd. No body in snappy's block format begins so: after the
/// length (0x28) would come a copy of bytes before the first one.
const ZSTD_MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// How a body is compressed.
///
/// The bytes tell, not the header: vmagent keeps bodies on disk over its own restart, and may
/// then send those of one form under the other's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compression {
    Snappy,
    Zstd,
}

impl Compression {
    pub(super) fn of(body: &[u8]) -> Self {
        match body.starts_with(&ZSTD_MAGIC) {
            true => Self::Zstd,
            false => Self::Snappy,
        }
    }

    /// As a label value.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Snappy => "snappy",
            Self::Zstd => "zstd",
        }
    }

    /// The most bytes that the body may decompress to, from its header.
    ///
    /// # Errors
    /// No header, or more bytes than `bytes_max`.
    pub(super) fn decoded_len(self, body: &[u8], bytes_max: usize) -> Result<usize, Refusal> {
        let len = match self {
            Self::Snappy => snappy::decoded_len(body).map_err(|error| self.broken(&error))?,
            Self::Zstd => match zstd_safe::get_frame_content_size(body) {
                Ok(Some(len)) => usize::try_from(len).unwrap_or(usize::MAX),
                // A sender that streams does not say.
                Ok(None) => bytes_max,
                Err(_) => return Err(self.broken(&"its header makes no sense")),
            },
        };
        if len > bytes_max {
            let text = format!(
                "request body decodes to {len} bytes, more than the limit of {bytes_max} (--remote-write-max-decoded-size)"
            );
            return Err(Refusal::new(Reason::TooLarge, text));
        }
        Ok(len)
    }

    /// Decompresses a body that [`Compression::decoded_len`] said this length of, into memory that
    /// is used again.
    ///
    /// # Errors
    /// A body that is not what it seems, or longer than its header says.
    pub(super) fn decode<'a>(
        self,
        body: &[u8],
        decoded_len: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], Refusal> {
        if self == Self::Snappy {
            return snappy::decode(body, buffer).map_err(|error| self.broken(&error));
        }
        if buffer.len() < decoded_len {
            buffer.resize(decoded_len, 0);
        }
        let out = buffer.get_mut(..decoded_len).unwrap_or_default();
        let written = zstd_safe::decompress(out, body).map_err(|code| {
            match zstd_safe::get_error_name(code) {
                "Destination buffer is too small" => longer_than(out.len()),
                error => self.broken(&error),
            }
        })?;
        Ok(out.get(..written).unwrap_or_default())
    }

    fn broken(self, error: &dyn std::fmt::Display) -> Refusal {
        let (reason, name) = match self {
            Self::Snappy => (Reason::Snappy, "snappy (block format)"),
            Self::Zstd => (Reason::Zstd, "zstd"),
        };
        Refusal::new(reason, format!("request body is not {name}: {error}"))
    }
}

fn longer_than(bytes: usize) -> Refusal {
    Refusal::new(
        Reason::TooLarge,
        format!(
            "request body decodes to more than {bytes} bytes: more than its header says, or than is taken (--remote-write-max-decoded-size)"
        ),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BYTES_MAX: usize = 1 << 20;

    fn decoded(body: &[u8]) -> Result<Vec<u8>, (Reason, String)> {
        let told = |refusal: Refusal| (refusal.reason(), refusal.to_string());
        let compression = Compression::of(body);
        let len = compression.decoded_len(body, BYTES_MAX).map_err(told)?;
        let mut buffer = Vec::new();
        let decoded = compression.decode(body, len, &mut buffer).map_err(told)?;
        Ok(decoded.to_vec())
    }

    /// A frame that does not say how long it gets.
    fn streamed(text: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(text, 1).unwrap()
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let zeros = vec![0; BYTES_MAX + 1];
        for body in [
            snap::raw::Encoder::new().compress_vec(&zeros).unwrap(),
            zstd::bulk::compress(&zeros, 1).unwrap(),
        ] {
            assert!(body.len() < BYTES_MAX / 10);
            let (reason, text) = decoded(&body).unwrap_err();
            assert_eq!(reason, Reason::TooLarge);
            assert!(
                text.contains("1048577 bytes, more than the limit of 1048576"),
                "{text}"
            );
        }
        // This one keeps its length to itself, and is stopped at the limit.
        let (reason, text) = decoded(&streamed(&zeros)).unwrap_err();
        assert_eq!(reason, Reason::TooLarge, "{text}");
    }

    #[test]
    fn a_header_that_lies_is_found_out() {
        // It says 3 bytes and has 4.
        let mut body = snap::raw::Encoder::new().compress_vec(b"abcd").unwrap();
        body[0] = 3;
        assert_eq!(decoded(&body).unwrap_err().0, Reason::Snappy);
        let mut body = zstd::bulk::compress(b"abcd", 1).unwrap();
        // The byte after the magic number and the frame's header descriptor.
        assert_eq!(body[5], 4);
        body[5] = 3;
        let (reason, text) = decoded(&body).unwrap_err();
        assert_eq!(reason, Reason::TooLarge);
        assert!(
            text.contains("more than 3 bytes: more than its header says"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn bodies_come_back(text in prop::collection::vec(any::<u8>(), 0..2000)) {
            let snappy = snap::raw::Encoder::new().compress_vec(&text).unwrap();
            prop_assert_eq!(decoded(&snappy).unwrap(), text.clone());
            prop_assert_eq!(decoded(&zstd::bulk::compress(&text, 1).unwrap()).unwrap(), text.clone());
            prop_assert_eq!(decoded(&streamed(&text)).unwrap(), text);
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            magic in any::<bool>(),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let body = if magic { [&ZSTD_MAGIC[..], &rest].concat() } else { rest };
            let _ = decoded(&body);
        }
    }
}
