//! Why a text is not an expression.

use std::fmt;

use super::ast::Span;
use crate::error::{Error, ErrorKind, Position, position};

/// One thing that is wrong, and where. Displays as Prometheus shows it:
/// `1:7: parse error: unexpected end of input`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The bytes it is about.
    pub span: Span,
    /// What is wrong, in Prometheus's words.
    pub message: String,
    /// Where the span starts; none in an empty text.
    pub position: Option<Position>,
}

/// Everything that is wrong with a text, in the order it was found: never empty.
///
/// Reading stops at the first error of syntax; what is wrong before it, and all errors of type
/// in a text whose syntax is right, are collected. Displays as the first of them, as in
/// Prometheus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseErrors {
    first: ParseError,
    rest: Vec<ParseError>,
}

impl ParseError {
    pub(super) fn new(text: &str, span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            position: (!text.is_empty()).then(|| position(text, span.start)),
        }
    }
}

impl ParseErrors {
    /// None where there is no error.
    pub(super) fn of(errors: Vec<ParseError>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let first = errors.next()?;
        Some(Self {
            first,
            rest: errors.collect(),
        })
    }

    /// The error that is shown.
    pub fn first(&self) -> &ParseError {
        &self.first
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ParseError> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

impl From<ParseError> for ParseErrors {
    fn from(first: ParseError) -> Self {
        Self {
            first,
            rest: Vec::new(),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => position.fmt(f)?,
            None => f.write_str("unknown position")?,
        }
        write!(f, ": parse error: {}", self.message)
    }
}

impl fmt::Display for ParseErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)
    }
}

impl std::error::Error for ParseError {}

impl std::error::Error for ParseErrors {}

impl From<ParseErrors> for Error {
    fn from(errors: ParseErrors) -> Self {
        Self::new(ErrorKind::BadData, errors.to_string())
    }
}
