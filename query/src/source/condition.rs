//! Matchers that are ready to be asked.

use regex::Regex;

use super::{MatchOp, Matcher};
use crate::parse::pattern::translate;
use crate::{Error, ErrorKind};

/// A matcher whose regular expression, if it has one, is compiled.
#[derive(Debug)]
pub(crate) struct Condition<'m> {
    matcher: &'m Matcher,
    regex: Option<Regex>,
}

impl<'m> Condition<'m> {
    /// # Errors
    /// [`ErrorKind::BadData`] for a regular expression that does not compile.
    pub(crate) fn new(matcher: &'m Matcher) -> Result<Self, Error> {
        let regex = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => {
                let bad_data = |error| Error::new(ErrorKind::BadData, error);
                let pattern = translate(&matcher.value).map_err(bad_data)?;
                let regex = Regex::new(&format!("^(?s:{pattern})$"));
                Some(regex.map_err(|error| bad_data(error.to_string()))?)
            }
        };
        Ok(Self { matcher, regex })
    }

    /// The label it is about.
    #[cfg(test)]
    pub(crate) fn label(&self) -> &'m str {
        &self.matcher.name
    }

    /// Whether it holds for a value of its label; a label that is not there has the value `""`.
    pub(crate) fn holds(&self, value: &str) -> bool {
        let equal = match &self.regex {
            Some(regex) => regex.is_match(value),
            None => self.matcher.value == value,
        };
        equal == matches!(self.matcher.op, MatchOp::Equal | MatchOp::Regex)
    }
}
