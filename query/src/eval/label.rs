//! `label_replace` and `label_join`.

use regex::Regex;

use super::Evaluator;
use super::rows::{Row, merge_same_labels};
use crate::functions::label::expand;
use crate::labels::METRIC_NAME;
use crate::parse::pattern::translate;
use crate::plan::{LabelJoin, LabelReplace};
use crate::{Error, ErrorKind};

/// Bytes of labels that count as a sample.
const BYTES_A_SAMPLE: usize = size_of::<f64>();

/// How long a label that is made may be. Calls can be nested so that each makes a label many
/// times as long as the one before.
const VALUE_BYTES_MAX: usize = 16 << 20;

impl<'e> Evaluator<'e> {
    pub(super) fn label_replace(&self, node: &'e LabelReplace) -> Result<Vec<Row>, Error> {
        let LabelReplace {
            child,
            destination,
            replacement,
            source,
            regex: pattern,
        } = node;
        let function = "label_replace()";
        let translated = translate(pattern).ok();
        let regex = translated.and_then(|pattern| Regex::new(&format!("^(?s:{pattern})$")).ok());
        let regex = regex.ok_or_else(|| {
            refused(format!(
                "invalid regular expression in {function}: {pattern}"
            ))
        })?;
        check_name(destination, "destination", function)?;
        let mut rows = self.vector(child)?;
        for row in &mut rows {
            self.limits.check()?;
            let value = row.labels.get(source);
            if let Some(captures) = regex.captures(value) {
                let value = expand(replacement, &regex, &captures, VALUE_BYTES_MAX);
                let value = value.ok_or_else(|| too_long(function))?;
                self.set_label(row, destination, &value)?;
            }
        }
        merge_same_labels(rows)
    }

    pub(super) fn label_join(&self, node: &'e LabelJoin) -> Result<Vec<Row>, Error> {
        let LabelJoin {
            child,
            destination,
            separator,
            sources,
        } = node;
        let function = "label_join()";
        for source in sources {
            check_name(source, "source", function)?;
        }
        check_name(destination, "destination", function)?;
        let mut rows = self.vector(child)?;
        for row in &mut rows {
            self.limits.check()?;
            let values: Vec<&str> = sources.iter().map(|name| row.labels.get(name)).collect();
            let separators = separator.len() * values.len().saturating_sub(1);
            let bytes = separators + values.iter().map(|value| value.len()).sum::<usize>();
            if bytes > VALUE_BYTES_MAX {
                return Err(too_long(function));
            }
            let value = values.join(separator);
            self.set_label(row, destination, &value)?;
        }
        merge_same_labels(rows)
    }

    /// Sets a label; the bytes of the set count as held.
    fn set_label(&self, row: &mut Row, name: &str, value: &str) -> Result<(), Error> {
        let bytes = row.labels.text_len() + name.len() + value.len();
        if u32::try_from(bytes).is_err() {
            return Err(refused("label set of more than 4 GiB".to_owned()));
        }
        self.limits.hold(bytes / BYTES_A_SAMPLE)?;
        row.labels = row.labels.with(name, value);
        if name == METRIC_NAME {
            row.drop_name = false;
        }
        Ok(())
    }
}

/// Any text but the empty one is the name of a label.
fn check_name(name: &str, which: &str, function: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(refused(format!(
            "invalid {which} label name in {function}: {name}"
        )));
    }
    Ok(())
}

fn too_long(function: &str) -> Error {
    refused(format!(
        "label value longer than {} MiB in {function}",
        VALUE_BYTES_MAX >> 20
    ))
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Execution, message)
}
