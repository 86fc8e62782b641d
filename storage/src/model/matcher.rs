//! Label matchers.

use std::fmt;

use thiserror::Error;

/// A regular expression may compile to this many bytes at most.
const REGEX_BYTES_MAX: usize = 10 << 20;

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
    /// The compiled expression of `=~` and `!~`, anchored at both ends. It reads bytes because
    /// only there ASCII's `\B` is allowed.
    regex: Option<regex::bytes::Regex>,
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
    /// A regular expression has the syntax of the `regex` crate, is anchored at both ends and
    /// its dot matches line ends. (PromQL's expressions have Go's syntax; the query crate
    /// translates them.)
    ///
    /// # Errors
    /// A regular expression that does not compile, or compiles to more than 10 MiB.
    pub fn new(
        op: MatchOp,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, MatcherError> {
        let (name, value) = (name.into(), value.into());
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => match compile(&value) {
                Ok(regex) => Some(regex),
                Err(reason) => {
                    return Err(MatcherError {
                        name,
                        pattern: value,
                        reason,
                    });
                }
            },
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
            Some(regex) => regex.is_match(value.as_bytes()),
            None => self.value == value,
        };
        found != matches!(self.op, MatchOp::NotEqual | MatchOp::NotRegex)
    }
}

/// Compiles what stands behind `=~`.
fn compile(pattern: &str) -> Result<regex::bytes::Regex, String> {
    // By itself first: within the group a pattern like `a)|(b` would compile.
    regex_syntax::ParserBuilder::new()
        .utf8(false)
        .dot_matches_new_line(true)
        .build()
        .parse(pattern)
        .map_err(|error| match error {
            // Its display draws the pattern over several lines.
            regex_syntax::Error::Parse(error) => error.kind().to_string(),
            regex_syntax::Error::Translate(error) => error.kind().to_string(),
            other => other.to_string(),
        })?;
    regex::bytes::RegexBuilder::new(&format!("^(?s:{pattern})$"))
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => {
                format!("regular expression compiles to more than {limit} bytes")
            }
            other => other.to_string(),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_must_be_one_by_itself() {
        let error = Matcher::new(MatchOp::Regex, "job", "a)|(b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid regular expression \"a)|(b\" for label \"job\": \
             unopened group"
        );
        // The same text is a value like any other.
        assert!(
            Matcher::new(MatchOp::Equal, "job", "a)|(b")
                .unwrap()
                .matches("a)|(b")
        );
    }

    #[test]
    fn an_expression_too_large_names_the_limit() {
        let pattern = r"(\pL{100}|\pN{100}){10}";
        let error = Matcher::new(MatchOp::NotRegex, "job", pattern).unwrap_err();
        assert_eq!(
            error.reason,
            "regular expression compiles to more than 10485760 bytes"
        );
        let nested = format!("{}a{}", "(".repeat(300), ")".repeat(300));
        let error = Matcher::new(MatchOp::Regex, "job", nested).unwrap_err();
        assert!(error.reason.contains("nest"), "{}", error.reason);
    }

    #[test]
    fn literals_are_what_a_matcher_compares_with() {
        let literals = |op, value: &str| -> Option<Vec<String>> {
            let matcher = Matcher::new(op, "l", value).unwrap();
            Some(matcher.literals()?.map(str::to_owned).collect())
        };
        let list = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect());
        assert_eq!(literals(MatchOp::Equal, "a|b.*"), list(&["a|b.*"]));
        assert_eq!(literals(MatchOp::Regex, "a|b"), list(&["a", "b"]));
        assert_eq!(literals(MatchOp::NotRegex, "a|"), list(&["a", ""]));
        assert_eq!(literals(MatchOp::Regex, ""), list(&[""]));
        assert_eq!(literals(MatchOp::Regex, "a|b.*"), None);
        assert_eq!(literals(MatchOp::Regex, r"a\|b"), None);
    }
}
