//! The experimental parts of PromQL, by the names that Prometheus has for them.

use super::EngineOptions;

/// A part of PromQL that has to be asked for. Names are those of Prometheus 3.14's
/// `--enable-feature`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Feature {
    /// `promql-experimental-functions`: the functions whose signature says so, `limitk` and
    /// `limit_ratio`.
    ExperimentalFunctions,
    /// `promql-duration-expr`: arithmetic in place of a duration. Always there, as in
    /// Prometheus 3.14: the name is taken and does nothing.
    DurationExpr,
    /// `promql-extended-range-selectors`: `anchored` and `smoothed`.
    ExtendedRangeSelectors,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left` and `fill_right`.
    BinopFillModifiers,
    /// `promql-delayed-name-removal`: metric names are dropped at the end of a query.
    DelayedNameRemoval,
    /// `type-and-unit-labels`: whether `rate` is used on a counter is told by `__type__`.
    TypeAndUnitLabels,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ExperimentalFunctions,
        Self::DurationExpr,
        Self::ExtendedRangeSelectors,
        Self::BinopFillModifiers,
        Self::DelayedNameRemoval,
        Self::TypeAndUnitLabels,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExperimentalFunctions => "promql-experimental-functions",
            Self::DurationExpr => "promql-duration-expr",
            Self::ExtendedRangeSelectors => "promql-extended-range-selectors",
            Self::BinopFillModifiers => "promql-binop-fill-modifiers",
            Self::DelayedNameRemoval => "promql-delayed-name-removal",
            Self::TypeAndUnitLabels => "type-and-unit-labels",
        }
    }

    /// The feature of a name.
    ///
    /// # Examples
    /// ```
    /// use silverback_query::{EngineOptions, Feature};
    /// let feature = Feature::from_name("promql-experimental-functions").unwrap();
    /// let mut options = EngineOptions::default();
    /// options.enable(feature);
    /// assert!(options.parse.experimental_functions);
    /// assert_eq!(Feature::from_name("no-such-feature"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.name() == name)
    }
}

impl EngineOptions {
    /// Makes the engine take an experimental part of PromQL.
    pub fn enable(&mut self, feature: Feature) {
        match feature {
            Feature::ExperimentalFunctions => self.parse.experimental_functions = true,
            Feature::DurationExpr => self.parse.duration_expr = true,
            Feature::ExtendedRangeSelectors => self.parse.extended_range_selectors = true,
            Feature::BinopFillModifiers => self.parse.binop_fill_modifiers = true,
            Feature::DelayedNameRemoval => self.delayed_name_removal = true,
            Feature::TypeAndUnitLabels => self.type_and_unit_labels = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Options;

    #[test]
    fn names_lead_to_their_features() {
        for feature in Feature::ALL {
            assert_eq!(Feature::from_name(feature.name()), Some(feature));
        }
        assert_eq!(Feature::from_name("Promql-duration-expr"), None);
    }

    #[test]
    fn all_features_are_everything() {
        let mut options = EngineOptions::default();
        for feature in Feature::ALL {
            options.enable(feature);
        }
        assert_eq!(options.parse, Options::ALL);
        assert!(options.delayed_name_removal && options.type_and_unit_labels);
    }
}
