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
                let value = expand(replacement, &regex, &captures);
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
            let value = values.join(separator);
            self.set_label(row, destination, &value)?;
        }
        merge_same_labels(rows)
    }

    /// Calls can be nested so that each doubles a label: its bytes count as held.
    fn set_label(&self, row: &mut Row, name: &str, value: &str) -> Result<(), Error> {
        let bytes = row.labels.text_len() + name.len() + value.len();
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

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Execution, message)
}
