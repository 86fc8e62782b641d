//! Label matchers.

use std::fmt;

use thiserror::Error;

/// How a matcher compares.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// As PromQL writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A condition on one label. A label that a series lacks has the value `""`.
#[derive(Clone)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    /// The compiled expression of `=~` and `!~`, anchored at both ends.
    regex: Option<regex::Regex>,
}

/// Why a matcher could not be made.
#[derive(Clone, Debug, Error)]
#[error("invalid regular expression {pattern:?} for label {name:?}: {reason}")]
pub struct MatcherError {
    /// The label.
    pub name: String,
    /// The expression as given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Matcher {
    /// A matcher of the label `name`.
    ///
    /// A regular expression is anchored at both ends and its dot matches newlines, as in
    /// Prometheus (`model/labels/regexp.go`).
    ///
    /// # Errors
    /// A regular expression that does not compile, or compiles to more than the `regex` crate's
    /// default limit of 10 MiB.
    pub fn new(
        op: MatchOp,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, MatcherError> {
        let (name, value) = (name.into(), value.into());
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => {
                let compiled = regex::Regex::new(&format!("^(?s:{value})$"));
                Some(compiled.map_err(|error| MatcherError {
                    name: name.clone(),
                    pattern: value.clone(),
                    reason: error.to_string(),
                })?)
            }
        };
        Ok(Self {
            name,
            op,
            value,
            regex,
        })
    }

    /// The label it looks at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// What it compares with.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The strings it compares with, where that is all it does: the value of `=` and `!=`, and
    /// the alternatives of an expression like `a|b|c` without other syntax.
    pub fn literals(&self) -> Option<impl Iterator<Item = &str> + '_> {
        const SYNTAX: &[char] = &[
            '\\', '.', '+', '*', '?', '(', ')', '[', ']', '{', '}', '^', '$',
        ];
        let separator: &[char] = match self.regex {
            Some(_) if self.value.contains(SYNTAX) => return None,
            Some(_) => &['|'],
            None => &[],
        };
        Some(self.value.split(separator))
    }

    /// Whether a label of this value passes.
    pub fn matches(&self, value: &str) -> bool {
        let found = match &self.regex {
            Some(regex) => regex.is_match(value),
            None => self.value == value,
        };
        found != matches!(self.op, MatchOp::NotEqual | MatchOp::NotRegex)
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op.as_str(), self.value)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
