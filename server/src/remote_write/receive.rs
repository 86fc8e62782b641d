//! From a compressed body to a batch.

use silverback_storage::{Db, Filler, WriteBatch};

use super::decode_error::DecodeError;
use super::rules::Rules;
use super::tally::Tally;
use super::{Version, v1, v2};

/// Fills a batch with what a message says.
///
/// # Errors
/// Not the message of that version.
pub(super) fn fill(
    db: &Db,
    rules: &Rules,
    version: Version,
    message: &[u8],
    batch: &mut WriteBatch,
    tally: &mut Tally,
) -> Result<(), DecodeError> {
    match version {
        Version::V1 => db.fill(batch, |filler| {
            let mut taking = Taking {
                // A series that is known may be one that is not wanted any more.
                looks_at_all: rules.may_change(),
                rules,
                filler,
                tally,
            };
            v1::decode(message, &mut taking)
        }),
        Version::V2 => {
            batch.clear();
            v2::decode(message, |series| tally.take_v2(series, rules, batch))
        }
    }
}

/// A batch that is filled from a request of version 1.0, and what is not put there.
struct Taking<'a, 'b> {
    /// Whether labels of series that are known must be looked at, too.
    looks_at_all: bool,
    rules: &'a Rules,
    filler: &'a mut Filler<'b>,
    tally: &'a mut Tally,
}

impl<'m> v1::Taker<'m> for Taking<'_, '_> {
    #[inline]
    fn take_known(&mut self, fields: &[u8], sample: v1::Sample) -> bool {
        // One that is too large is walked to its end, and nothing is taken.
        if self.looks_at_all || self.tally.is_too_large(self.rules) {
            return false;
        }
        let Some(series) = self.filler.known(fields) else {
            return false;
        };
        self.tally.count_floats(1);
        let batch = self.filler.batch();
        batch.float(series, sample.timestamp_ms, sample.value);
        true
    }

    fn take(&mut self, part: v1::Part<'m, '_>) {
        self.tally.take(part, self.rules, self.filler);
    }
}

/// The receiver without its HTTP server, for the benches.
#[cfg(feature = "bench-internals")]
pub mod bench {
    use silverback_storage::Submitted;

    use super::super::compression::Compression;
    use super::super::scratch::Scratch;
    use super::{Db, Rules, Tally, Version, fill};
    use crate::config::LabelLimits;

    /// Takes the bodies of write requests one after the other.
    #[derive(Debug)]
    pub struct Receiver {
        db: Db,
        rules: Rules,
        scratch: Scratch,
    }

    impl Receiver {
        /// A receiver for `db`.
        pub fn new(db: Db) -> Self {
            let rules = Rules::new(LabelLimits::default(), usize::MAX);
            let scratch = Scratch::default();
            Self { db, rules, scratch }
        }

        /// Decompresses a body.
        ///
        /// # Errors
        /// Not snappy.
        pub fn decompressed(&mut self, body: &[u8]) -> Result<&[u8], String> {
            let compression = Compression::of(body);
            let len = compression.decoded_len(body, usize::MAX);
            let len = len.map_err(|refusal| refusal.to_string())?;
            compression
                .decode(body, len, &mut self.scratch.decoded)
                .map_err(|refusal| refusal.to_string())
        }

        /// Walks a decompressed body and returns how many samples it has.
        ///
        /// # Errors
        /// Not the message.
        pub fn decode(&mut self, decoded: &[u8]) -> Result<usize, String> {
            let batch = &mut self.scratch.batch;
            let mut tally = Tally::default();
            fill(
                &self.db,
                &self.rules,
                Version::V1,
                decoded,
                batch,
                &mut tally,
            )
            .map_err(|error| error.to_string())?;
            Ok(batch.sample_count())
        }

        /// Does with a body all that the handler of requests does but wait for the disk.
        ///
        /// # Errors
        /// Whatever would be refused.
        pub fn submit(&mut self, body: &[u8]) -> Result<Submitted, String> {
            let compression = Compression::of(body);
            let len = compression.decoded_len(body, usize::MAX);
            let len = len.map_err(|refusal| refusal.to_string())?;
            let Scratch { decoded, batch, .. } = &mut self.scratch;
            let decoded = compression.decode(body, len, decoded);
            let decoded = decoded.map_err(|refusal| refusal.to_string())?;
            let mut tally = Tally::default();
            fill(
                &self.db,
                &self.rules,
                Version::V1,
                decoded,
                batch,
                &mut tally,
            )
            .map_err(|error| error.to_string())?;
            let submitted = self.db.submit(batch).map_err(|error| error.to_string());
            batch.clear();
            submitted
        }
    }
}
