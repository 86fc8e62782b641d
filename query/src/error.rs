//! What can go wrong with a query, as kinds that a caller can act on.

use std::fmt;

/// A place in the text of a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1 (Prometheus counts bytes too).
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The line and column of a byte of a text; past its end, those of the end.
pub fn position(text: &str, offset: u32) -> Position {
    let before = text.as_bytes();
    let before = before.get(..offset as usize).unwrap_or(before);
    let line_start = before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    let line = before.iter().filter(|&&byte| byte == b'\n').count();
    Position {
        line: line as u32 + 1,
        column: (before.len() - line_start) as u32 + 1,
    }
}

/// The kinds of failure, each asking something else of the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The expression or a parameter is wrong: the user must change it (HTTP 400).
    BadData,
    /// The expression is right and means something this version cannot do yet (HTTP 400).
    Unsupported,
    /// The expression is right and the data does not allow it, or it passed a limit (HTTP 422).
    Execution,
    /// The caller went away (HTTP 499).
    Canceled,
    /// It took longer than its time limit (HTTP 503).
    Timeout,
    /// The source of the series failed (HTTP 500).
    Source,
}

/// A query that gave no answer.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of a kind; the message is what the user reads.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// A failure of the source of the series.
    pub fn source_failed(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            kind: ErrorKind::Source,
            message: error.to_string(),
            source: Some(Box::new(error)),
        }
    }

    /// Something PromQL has and this version has not: `not supported yet: X at 1:7`.
    pub fn unsupported(what: impl fmt::Display, at: Position) -> Self {
        Self::new(
            ErrorKind::Unsupported,
            format!("not supported yet: {what} at {at}"),
        )
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}
