//! From text to tokens, one at a time and on demand.
//!
//! What a character means depends on where it stands (plain, in braces, in brackets), by the
//! rules of Prometheus (`promql/parser/lex.go`), whose error texts these are. Every character is
//! read at most a fixed number of times, so the work is linear in the text.

use std::str::Chars;

use super::ast::{BinaryOp, Span};
use super::strings::{quote, quote_char, unicode_name};
use super::token::{Keyword, Token, TokenKind};

/// Where the lexer stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Plain,
    /// Behind `{`.
    Braces,
    /// Behind `[`, up to the first number; after that plain, with `bracket_open`.
    Duration,
}

/// What stopped the lexer: the error reaches from `start` to the end of the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LexError {
    pub(super) start: u32,
    pub(super) message: String,
}

/// Reads tokens. After an error it must not be asked again.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    chars: Chars<'a>,
    /// Where the token that is being read begins.
    start: usize,
    mode: Mode,
    parentheses: usize,
    bracket_open: bool,
    /// Whether a colon came since the last `[`.
    got_colon: bool,
    /// Whether any number came behind any `[` so far (Prometheus never resets it).
    got_duration: bool,
    /// How many characters were read, again included: what the lexer costs.
    #[cfg(test)]
    pub(super) steps: usize,
}

const DIGITS: &str = "0123456789";
const HEX_DIGITS: &str = "0123456789abcdefABCDEF";

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// The first characters of `step`, `range`, `max_of`, `min_of`.
fn starts_duration_keyword(c: char) -> bool {
    matches!(c.to_ascii_lowercase(), 's' | 'r' | 'm')
}

type Lexed = Result<TokenKind, LexError>;

impl<'a> Lexer<'a> {
    /// `text` has fewer than 2^32 bytes.
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            chars: text.chars(),
            start: 0,
            mode: Mode::Plain,
            parentheses: 0,
            bracket_open: false,
            got_colon: false,
            got_duration: false,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// The next token; at the end of the text [`TokenKind::Eof`], any number of times.
    ///
    /// # Errors
    /// A text that no token begins with, or brackets that do not match.
    pub(super) fn next_token(&mut self) -> Result<Token, LexError> {
        self.skip_space_and_comments();
        self.start = self.offset();
        let kind = match self.mode {
            Mode::Plain => self.plain(),
            Mode::Braces => self.braces(),
            Mode::Duration => self.duration(),
        }?;
        Ok(Token {
            kind,
            span: Span {
                start: self.start as u32,
                end: self.offset() as u32,
            },
        })
    }

    fn offset(&self) -> usize {
        self.text.len() - self.chars.as_str().len()
    }

    fn peek(&self) -> Option<char> {
        self.chars.clone().next()
    }

    fn bump(&mut self) -> Option<char> {
        #[cfg(test)]
        {
            self.steps += 1;
        }
        self.chars.next()
    }

    fn bump_while(&mut self, condition: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&condition) {
            self.bump();
        }
    }

    /// Takes the next character if it is among `set`.
    fn accept(&mut self, set: &str) -> bool {
        let found = self.is_next(set);
        if found {
            self.bump();
        }
        found
    }

    fn is_next(&self, set: &str) -> bool {
        self.peek().is_some_and(|c| set.contains(c))
    }

    /// What was read of the token.
    fn word(&self) -> &'a str {
        self.text.get(self.start..self.offset()).unwrap_or_default()
    }

    fn error(&self, message: impl Into<String>) -> Lexed {
        Err(LexError {
            start: self.start as u32,
            message: message.into(),
        })
    }

    /// An error about the token just read, which Prometheus places behind it.
    fn error_behind(&self, message: impl Into<String>) -> Lexed {
        Err(LexError {
            start: self.offset() as u32,
            message: message.into(),
        })
    }

    fn skip_space_and_comments(&mut self) {
        loop {
            self.bump_while(is_space);
            // In front of a duration a comment is an unexpected character.
            if self.mode == Mode::Duration || self.peek() != Some('#') {
                return;
            }
            self.bump_while(|c| !matches!(c, '\n' | '\r'));
        }
    }

    fn plain(&mut self) -> Lexed {
        let Some(c) = self.bump() else {
            return self.end();
        };
        if let Some(operator) = self.operator(c) {
            return operator;
        }
        match c {
            ',' => Ok(TokenKind::Comma),
            '@' => Ok(TokenKind::At),
            '(' => Ok(self.open_parenthesis()),
            ')' => self.close_parenthesis(),
            '{' => {
                self.mode = Mode::Braces;
                Ok(TokenKind::LeftBrace)
            }
            '[' if self.bracket_open => {
                self.error(format!("unexpected left bracket {}", quote_char(Some(c))))
            }
            '[' => {
                self.got_colon = false;
                self.bracket_open = true;
                self.mode = Mode::Duration;
                Ok(TokenKind::LeftBracket)
            }
            ']' if self.bracket_open => {
                self.bracket_open = false;
                Ok(TokenKind::RightBracket)
            }
            ']' => self.error(format!("unexpected right bracket {}", quote_char(Some(c)))),
            '"' | '\'' => self.string(c),
            '`' => self.raw_string(),
            _ if self.starts_number(c) => self.number_or_duration(c),
            _ if (is_alpha(c) || c == ':') && self.bracket_open => self.inside_bracket(c),
            _ if is_alpha(c) || c == ':' => Ok(self.keyword_or_identifier()),
            _ => self.error(format!("unexpected character: {}", quote_char(Some(c)))),
        }
    }

    fn end(&self) -> Lexed {
        if self.parentheses != 0 {
            self.error("unclosed left parenthesis")
        } else if self.bracket_open {
            self.error("unclosed left bracket")
        } else {
            Ok(TokenKind::Eof)
        }
    }

    fn starts_number(&self, c: char) -> bool {
        c.is_ascii_digit() || (c == '.' && self.peek().is_some_and(|next| next.is_ascii_digit()))
    }

    fn open_parenthesis(&mut self) -> TokenKind {
        self.parentheses += 1;
        TokenKind::LeftParen
    }

    fn close_parenthesis(&mut self) -> Lexed {
        match self.parentheses.checked_sub(1) {
            Some(left) => {
                self.parentheses = left;
                Ok(TokenKind::RightParen)
            }
            None => self.error_behind("unexpected right parenthesis ')'"),
        }
    }

    /// The operators made of signs, `=` among them; none where `c` begins none.
    fn operator(&mut self, c: char) -> Option<Lexed> {
        let op = match c {
            '=' if self.accept("=") => BinaryOp::Eq,
            '=' if self.is_next("~") => {
                return Some(self.error("unexpected character after '=': '~'"));
            }
            '=' => return Some(Ok(TokenKind::Equal)),
            '!' if self.accept("=") => BinaryOp::Ne,
            '!' => {
                let next = quote_char(self.peek());
                return Some(self.error(format!("unexpected character after '!': {next}")));
            }
            '<' if self.accept("=") => BinaryOp::Le,
            '<' if self.accept("/") => BinaryOp::TrimUpper,
            '<' => BinaryOp::Lt,
            '>' if self.accept("=") => BinaryOp::Ge,
            '>' if self.accept("/") => BinaryOp::TrimLower,
            '>' => BinaryOp::Gt,
            _ => return arithmetic(c).map(|op| Ok(TokenKind::Operator(op))),
        };
        Some(Ok(TokenKind::Operator(op)))
    }

    /// A letter or colon behind the first number within brackets.
    fn inside_bracket(&mut self, c: char) -> Lexed {
        if c == ':' {
            if self.got_colon {
                return self.error("unexpected colon ':'");
            }
            self.got_colon = true;
            return Ok(TokenKind::Colon);
        }
        if starts_duration_keyword(c)
            && let Some(keyword) = self.duration_keyword()
        {
            return Ok(keyword);
        }
        self.error(format!(
            "unexpected character: {}, expected ':'",
            quote_char(Some(c))
        ))
    }

    fn keyword_or_identifier(&mut self) -> TokenKind {
        self.bump_while(|c| is_alphanumeric(c) || c == ':');
        let word = self.word();
        match TokenKind::of_word(word) {
            // Names, unless a bracket follows, so that metrics of these names go on working.
            Some(TokenKind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight))
                if !self
                    .chars
                    .as_str()
                    .trim_start_matches(is_space)
                    .starts_with('(') =>
            {
                TokenKind::Identifier
            }
            Some(kind) => kind,
            None if word.contains(':') => TokenKind::MetricIdentifier,
            None => TokenKind::Identifier,
        }
    }

    /// The first of a duration in brackets.
    fn duration(&mut self) -> Lexed {
        let Some(c) = self.bump() else {
            return self.error("unexpected end of input in duration expression");
        };
        match c {
            ']' => {
                self.bracket_open = false;
                self.got_colon = false;
                self.mode = Mode::Plain;
                Ok(TokenKind::RightBracket)
            }
            ':' if !self.got_duration => {
                self.error_behind("unexpected colon before duration in duration expression")
            }
            ':' if self.got_colon => {
                self.error_behind("unexpected repeated colon in duration expression")
            }
            ':' => {
                self.got_colon = true;
                Ok(TokenKind::Colon)
            }
            '(' => Ok(self.open_parenthesis()),
            ')' => self.close_parenthesis(),
            ',' => Ok(TokenKind::Comma),
            _ if self.starts_number(c) => {
                self.got_duration = true;
                self.mode = Mode::Plain;
                self.number_or_duration(c)
            }
            _ => {
                let keyword = if starts_duration_keyword(c) {
                    self.duration_keyword()
                } else {
                    arithmetic(c).map(TokenKind::Operator)
                };
                keyword.map_or_else(
                    || {
                        self.error(format!(
                            "unexpected character in duration expression: {}",
                            quote_char(Some(c))
                        ))
                    },
                    Ok,
                )
            }
        }
    }

    fn duration_keyword(&mut self) -> Option<TokenKind> {
        self.bump_while(is_alpha);
        match TokenKind::of_word(self.word()) {
            Some(
                kind @ TokenKind::Keyword(
                    Keyword::Step | Keyword::Range | Keyword::MaxOf | Keyword::MinOf,
                ),
            ) => Some(kind),
            _ => None,
        }
    }

    fn braces(&mut self) -> Lexed {
        let Some(c) = self.bump() else {
            return self.error("unexpected end of input inside braces");
        };
        match c {
            ',' => Ok(TokenKind::Comma),
            '"' | '\'' => self.string(c),
            '`' => self.raw_string(),
            '=' if self.accept("~") => Ok(TokenKind::EqualRegex),
            '=' => Ok(TokenKind::Equal),
            '!' if self.accept("~") => Ok(TokenKind::NotEqualRegex),
            '!' if self.accept("=") => Ok(TokenKind::Operator(BinaryOp::Ne)),
            '!' => {
                let next = quote_char(self.peek());
                self.error(format!(
                    "unexpected character after '!' inside braces: {next}"
                ))
            }
            '{' => self.error("unexpected left brace '{'"),
            '}' => {
                self.mode = Mode::Plain;
                Ok(TokenKind::RightBrace)
            }
            _ if is_alpha(c) => {
                self.bump_while(is_alphanumeric);
                Ok(TokenKind::Identifier)
            }
            _ => self.error(format!(
                "unexpected character inside braces: {}",
                quote_char(Some(c))
            )),
        }
    }

    /// A string, its opening quote already read.
    fn string(&mut self, mark: char) -> Lexed {
        loop {
            match self.bump() {
                Some('\\') => self.escape(mark)?,
                Some(char::REPLACEMENT_CHARACTER) => return self.error("invalid UTF-8 rune"),
                None | Some('\n') => return self.error("unterminated quoted string"),
                Some(c) if c == mark => return Ok(TokenKind::String),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Lexed {
        loop {
            match self.bump() {
                Some(char::REPLACEMENT_CHARACTER) => return self.error("invalid UTF-8 rune"),
                None => return self.error("unterminated raw string"),
                Some('`') => return Ok(TokenKind::String),
                Some(_) => {}
            }
        }
    }

    /// An escape sequence, its backslash already read.
    fn escape(&mut self, mark: char) -> Result<(), LexError> {
        let (count, base, max) = match self.bump() {
            None => return self.error("escape sequence not terminated").map(drop),
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => return Ok(()),
            Some(c) if c == mark => return Ok(()),
            Some(c @ '0'..='7') => return self.code_point(c.to_digit(8), 2, 8, 255),
            Some('x') => (2, 16, 255),
            Some('u') => (4, 16, u32::from(char::MAX)),
            Some('U') => (8, 16, u32::from(char::MAX)),
            Some(c) => {
                let name = unicode_name(c);
                return self
                    .error(format!("unknown escape sequence {name}"))
                    .map(drop);
            }
        };
        self.code_point(None, count, base, max)
    }

    fn code_point(
        &mut self,
        first: Option<u32>,
        count: u32,
        base: u32,
        max: u32,
    ) -> Result<(), LexError> {
        let mut code = first.unwrap_or(0);
        for _ in 0..count {
            let Some(c) = self.bump() else {
                return self.error("escape sequence not terminated").map(drop);
            };
            let Some(digit) = c.to_digit(base) else {
                let name = unicode_name(c);
                return self
                    .error(format!("illegal character {name} in escape sequence"))
                    .map(drop);
            };
            code = code.wrapping_mul(base).wrapping_add(digit);
        }
        if code > max || (0xD800..0xE000).contains(&code) {
            return self
                .error("escape sequence is an invalid Unicode code point")
                .map(drop);
        }
        Ok(())
    }

    /// A number or duration, its first character already read.
    fn number_or_duration(&mut self, first: char) -> Lexed {
        if self.number(first) {
            return Ok(TokenKind::Number);
        }
        if self.rest_of_duration() {
            return Ok(TokenKind::Duration);
        }
        self.error(format!(
            "bad number or duration syntax: {}",
            quote(self.word())
        ))
    }

    /// Reads on as long as it looks like a number; whether it is one stands fast only once it
    /// is parsed.
    fn number(&mut self, first: char) -> bool {
        let is_hex = first == '0' && self.accept("xX");
        let digits = if is_hex { HEX_DIGITS } else { DIGITS };
        if is_hex {
            self.accept("_");
            self.accept(".");
            self.accept(digits);
        } else if first == '0' {
            // Prometheus takes the zero by itself, then looks for a point and a digit as below.
            self.accept(".");
            self.accept(digits);
        } else if first == '.' {
            self.accept(digits);
        }
        let (mut dot, mut exponent) = (false, false);
        loop {
            match self.peek() {
                Some('.') => {
                    self.bump();
                    if std::mem::replace(&mut dot, true) || self.accept("_.") || is_hex {
                        return false;
                    }
                }
                Some('e' | 'E') => {
                    self.bump();
                    if std::mem::replace(&mut exponent, true) {
                        return false;
                    }
                    self.accept("+-");
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                Some('_') => {
                    self.bump();
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                Some(c) if digits.contains(c) => self.bump_while(|c| digits.contains(c)),
                next => return !next.is_some_and(is_alphanumeric),
            }
        }
    }

    /// The unit behind the digits already read, and what may follow it. Orders of units and
    /// overflows show when the duration is parsed.
    fn rest_of_duration(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        self.accept("s");
        while self.accept(DIGITS) {
            self.bump_while(|c| c.is_ascii_digit());
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        if self.peek().is_some_and(is_alphanumeric) {
            // The error shows the character that does not belong there.
            self.bump();
            return false;
        }
        true
    }
}

fn arithmetic(c: char) -> Option<BinaryOp> {
    Some(match c {
        '+' => BinaryOp::Add,
        '-' => BinaryOp::Sub,
        '*' => BinaryOp::Mul,
        '/' => BinaryOp::Div,
        '%' => BinaryOp::Mod,
        '^' => BinaryOp::Pow,
        _ => return None,
    })
}
