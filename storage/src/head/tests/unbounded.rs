//! Questions to a head without bounds.

use crate::head::{Head, Pin, ReadError};
use crate::model::{Exemplar, Matcher, ReadBounds, SeriesId, TimeRange};

const NONE: ReadBounds<'_> = ReadBounds::NONE;

impl Head {
    pub(crate) fn select(
        &self,
        pin: &Pin,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<SeriesId>, ReadError> {
        self.select_within(pin, matchers, range, NONE)
    }

    pub(crate) fn label_names(
        &self,
        pin: &Pin,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.label_names_within(pin, matchers, range, NONE)
    }

    pub(crate) fn label_values(
        &self,
        pin: &Pin,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.label_values_within(pin, name, matchers, range, NONE)
    }

    pub(crate) fn exemplars(
        &self,
        pin: &Pin,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<(SeriesId, Vec<Exemplar>)>, ReadError> {
        self.exemplars_within(pin, matchers, range, NONE)
    }
}
