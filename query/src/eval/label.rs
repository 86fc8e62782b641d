//! `label_replace` and `label_join`.

use regex::Regex;

use super::Evaluator;
use super::rows::{Row, Rows, merge_same_labels};
use super::selector::COMPILED_BYTES_MAX;
use crate::functions::label::expand;
use crate::labels::METRIC_NAME;
use crate::limits::{Loan, bytes_of, heap_bytes};
use crate::parse::pattern::{compiled_bytes, translate};
use crate::plan::{LabelJoin, LabelReplace};
use crate::{Error, ErrorKind};

/// Bytes of a label value times those of a compiled regular expression: to match may take a step
/// for each byte and state, and cannot be ended meanwhile. This took 30 ms for the slowest of some
/// bad expressions, and is 40 bytes for the largest expression that there can be.
const MATCHING_MAX: usize = 1 << 29;

/// How long a label that is made may be. Calls can be nested so that each makes a label many
/// times as long as the one before.
const VALUE_BYTES_MAX: usize = 16 << 20;

impl<'e> Evaluator<'e> {
    pub(super) fn label_replace(&self, node: &'e LabelReplace) -> Result<Rows<'e>, Error> {
        let LabelReplace {
            child,
            destination,
            replacement,
            source,
            regex: pattern,
        } = node;
        let function = "label_replace()";
        let compiled = compiled_bytes(pattern).min(COMPILED_BYTES_MAX);
        let mut regex_loan = Loan::new(self.limits);
        regex_loan.add(0, compiled)?;
        let translated = translate(pattern).ok();
        let regex = translated.and_then(|pattern| Regex::new(&format!("^(?s:{pattern})$")).ok());
        let regex = regex.ok_or_else(|| {
            refused(format!(
                "invalid regular expression in {function}: {pattern}"
            ))
        })?;
        check_name(destination, "destination", function)?;
        let mut all = self.vector(child)?;
        let (rows, loan) = all.parts_mut();
        for row in rows.iter_mut() {
            self.limits.check()?;
            let value = row.labels.get(source);
            if value.len().saturating_mul(compiled) > MATCHING_MAX {
                return Err(refused(format!(
                    "label value of {} bytes is too long for the regular expression of {function}",
                    value.len()
                )));
            }
            if let Some(captures) = regex.captures(value) {
                let value = expand(replacement, &regex, &captures, VALUE_BYTES_MAX);
                let value = value.ok_or_else(|| too_long(function))?;
                set_label(row, destination, &value, loan)?;
            }
        }
        merge_same_labels(all)
    }

    pub(super) fn label_join(&self, node: &'e LabelJoin) -> Result<Rows<'e>, Error> {
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
        let mut all = self.vector(child)?;
        let (rows, loan) = all.parts_mut();
        for row in rows.iter_mut() {
            self.limits.check()?;
            let values: Vec<&str> = sources.iter().map(|name| row.labels.get(name)).collect();
            let separators = separator.len() * values.len().saturating_sub(1);
            let bytes = separators + values.iter().map(|value| value.len()).sum::<usize>();
            if bytes > VALUE_BYTES_MAX {
                return Err(too_long(function));
            }
            let value = values.join(separator);
            set_label(row, destination, &value, loan)?;
        }
        merge_same_labels(all)
    }
}

/// Sets a label; what the set takes is held.
fn set_label(row: &mut Row, name: &str, value: &str, loan: &mut Loan<'_>) -> Result<(), Error> {
    let bytes = row.labels.text_len() + name.len() + value.len();
    if u32::try_from(bytes).is_err() {
        return Err(refused("label set of more than 4 GiB".to_owned()));
    }
    // The text, and a label more.
    let before = row.labels.heap_bytes();
    loan.add(0, heap_bytes(bytes) + before + bytes_of::<[u32; 2]>(1))?;
    row.labels = row.labels.with(name, value);
    loan.give_back(0, before);
    if name == METRIC_NAME {
        row.drop_name = false;
    }
    Ok(())
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
