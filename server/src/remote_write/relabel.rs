//! `--relabel-config`: rules that change or drop series as they come in, in Prometheus's syntax
//! and with its meaning (`model/relabel`).

#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod md5;
mod rule;

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;

use self::rule::Rule;

/// Rules in the order of their file.
#[derive(Debug, Default)]
pub(crate) struct Relabeling(Vec<Rule>);

/// Labels while rules change them: in no order, no name twice, no empty value.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// A rule as the file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RuleText {
    source_labels: Option<Vec<String>>,
    separator: Option<String>,
    regex: Option<String>,
    modulus: Option<u64>,
    target_label: Option<String>,
    replacement: Option<String>,
    action: Option<String>,
}

impl Relabeling {
    /// Reads the rules of a file: a list, as under `write_relabel_configs`.
    ///
    /// # Errors
    /// A file that cannot be read, text that is no list of rules, a rule that makes no sense: with
    /// its place.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("relabel configuration {shown} cannot be read: {error}"))?;
        Self::parse(&text).map_err(|error| format!("relabel configuration {shown}: {error}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let rules: Vec<RuleText> =
            serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let rules = (1..).zip(rules).map(|(number, rule)| {
            Rule::new(rule).map_err(|error| format!("rule {number}: {error}"))
        });
        rules.collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is no rule.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Applies the rules in turn; false where one of them drops the series.
    pub(super) fn apply(&self, labels: &mut Pairs<'_>) -> bool {
        self.0.iter().all(|rule| rule.apply(labels))
    }
}

#[cfg(test)]
mod tests;
