//! Making a head ready for series that another one has.

use super::shard::{SHARD_SERIES, shard_of};
use super::{Head, RegistryError};
use crate::model::{Seq, SeriesDefinition, SeriesId};

impl Head {
    /// The series that were appended to after a seq, by rising id. A look at each series.
    pub fn live_since(&self, seq: Seq) -> Vec<SeriesId> {
        let mut live = Vec::new();
        for (number, shard) in self.shards.iter() {
            let shard = shard.read();
            let places = shard.places_since(seq);
            live.extend(places.map(|place| SeriesId(number * SHARD_SERIES + place)));
        }
        live
    }

    /// Makes series known before anything is written to them, and before writes come at all.
    /// Queries find them once they have samples.
    ///
    /// # Errors
    /// Those of [`Head::define`].
    pub fn predefine(&self, definitions: &[SeriesDefinition]) -> Result<(), RegistryError> {
        for definition in definitions {
            self.define(definition.id, &definition.labels)?;
        }
        let series = self.apply_definitions(definitions, Seq::ZERO, |id| {
            self.shards.get_or_make(shard_of(id)).write().define(id);
        });
        self.totals.lock().series += series;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Batch, FloatRow, Labels, MatchOp, Matcher, ReadBounds, TimeRange};

    fn definition(number: u32) -> SeriesDefinition {
        let labels = Labels::from_pairs([("__name__", "m"), ("n", &number.to_string())]);
        SeriesDefinition {
            id: SeriesId(number),
            labels: labels.unwrap(),
        }
    }

    fn batch(seq: u64, series: &[u32]) -> Batch {
        let row = |&series: &u32| FloatRow {
            series: SeriesId(series),
            timestamp_ms: seq.cast_signed(),
            value: 1.0,
        };
        Batch {
            seq: Seq(seq),
            floats: series.iter().map(row).collect(),
            ..Batch::default()
        }
    }

    #[test]
    fn series_are_found_once_they_have_samples_and_are_live_if_they_get_more() {
        let head = Head::new();
        let definitions: Vec<_> = (0..3000).map(definition).collect();
        head.predefine(&definitions).unwrap();
        assert_eq!(head.stats().series, 3000);
        let find = || {
            let matchers = [Matcher::new(MatchOp::Equal, "__name__", "m").unwrap()];
            let bounds = ReadBounds::NONE;
            let found = head.select_within(&head.pin(), &matchers, TimeRange::ALL, bounds);
            found.unwrap()
        };
        assert_eq!(find(), []);
        assert_eq!(head.live_since(Seq::ZERO), []);
        head.apply(&[batch(1, &[5, 7, 2999])]);
        head.apply(&[batch(2, &[7, 2000])]);
        assert_eq!(find(), [5, 7, 2000, 2999].map(SeriesId));
        assert_eq!(head.live_since(Seq(1)), [7, 2000].map(SeriesId));
        // A series that is new has an id of its own.
        let new = head.register(definition(3000).labels.as_ref());
        assert_eq!(new, Ok(SeriesId(3000)));
        let known = head.register(definition(2999).labels.as_ref());
        assert_eq!(known, Ok(SeriesId(2999)));
    }
}
