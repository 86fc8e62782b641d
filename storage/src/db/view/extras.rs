//! What a view shows beside samples: exemplars and metadata.

use std::collections::BTreeMap;

use super::View;
use crate::error::Error;
use crate::model::{Exemplar, Labels, Matcher, Metadata, SeriesExemplars, TimeRange};

impl View {
    /// The exemplars in the range of the series for which all matchers hold, in order of the
    /// series' labels; series without any are left out.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] and [`crate::ErrorKind::Corrupt`] where the data cannot be read.
    pub fn exemplars(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<SeriesExemplars>, Error> {
        let range = self.within_retention(range);
        let mut joined: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        for part in &self.parts {
            for found in part.exemplars(matchers, range)? {
                joined
                    .entry(found.labels)
                    .or_default()
                    .extend(found.exemplars);
            }
        }
        let series = joined.into_iter().map(|(labels, mut exemplars)| {
            Exemplar::sort(&mut exemplars);
            SeriesExemplars { labels, exemplars }
        });
        Ok(series.collect())
    }

    /// What senders said of a metric family, or of all of them, in order of name: the last that
    /// was written of each. It has no time of its own and is shown whatever its age.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] and [`crate::ErrorKind::Corrupt`] where the data cannot be read.
    pub fn metadata(&self, metric: Option<&str>) -> Result<Vec<(String, Metadata)>, Error> {
        let mut families = BTreeMap::new();
        for part in &self.parts {
            families.extend(part.metadata(metric)?);
        }
        Ok(families.into_iter().collect())
    }
}
