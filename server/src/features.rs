//! `--enable-feature`: Prometheus's names for experimental parts.

use silverback_query::{EngineOptions, Feature};

/// The options of an engine with these features. What is not one of PromQL's is warned of and
/// changes nothing, as in Prometheus.
pub(crate) fn engine_options(names: &[String]) -> EngineOptions {
    let mut options = EngineOptions::default();
    for name in names {
        match Feature::from_name(name) {
            Some(Feature::DurationExpr) => tracing::warn!(
                option = name,
                "This option for --enable-feature is now permanently enabled and therefore a \
                 no-op."
            ),
            Some(feature) => {
                options.enable(feature);
                tracing::info!(option = name, "experimental feature enabled");
            }
            None => tracing::warn!(option = name, "Unknown option for --enable-feature"),
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_enable_and_others_change_nothing() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            engine_options(&names)
        };
        let default = format!("{:?}", EngineOptions::default());
        assert_eq!(format!("{:?}", of(&[])), default);
        let unknown = of(&["promql-duration-expr", "no-such-feature", ""]);
        assert_eq!(format!("{unknown:?}"), default);
        let some = of(&[
            "promql-experimental-functions",
            "promql-delayed-name-removal",
        ]);
        assert!(some.parse.experimental_functions && some.delayed_name_removal);
        assert!(!some.parse.extended_range_selectors);
    }
}
