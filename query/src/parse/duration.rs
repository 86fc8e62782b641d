//! Durations: their text, and expressions of them behind `[`, `:` and `offset`.

use super::ast::{BinaryOp, Duration, DurationExpr, DurationOp, NumberLiteral, Span};
use super::number::parse_number;
use super::parser::{Parsed, Parser, Stop};
use super::strings::quote;
use super::token::{Keyword, Token, TokenKind, UNARY_POWER};

/// How many numbers, operators and brackets one duration expression may hold. Prometheus knows
/// no limit; ours bounds the recursion over them.
const PARTS_MAX: u32 = 250;

/// The units from the largest, in milliseconds.
const UNITS_MS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 60 * 60 * 1000),
    ("w", 7 * 24 * 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Prometheus keeps durations as nanoseconds in an i64.
const MILLISECONDS_MAX: u64 = i64::MAX as u64 / 1_000_000;

/// The milliseconds of `1h30m`: units in falling order, each at most once.
///
/// # Errors
/// The texts of Prometheus's `model.ParseDuration`.
pub(super) fn parse_duration_ms(text: &str) -> Result<u64, String> {
    let invalid = || format!("not a valid duration string: {}", quote(text));
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut smaller_units = UNITS_MS.as_slice();
    while !rest.is_empty() {
        let (digits, behind) = split_while(rest, |c| c.is_ascii_digit());
        let count: u64 = digits.parse().map_err(|_| invalid())?;
        let (name, behind) = split_while(behind, |c| !c.is_ascii_digit());
        rest = behind;
        if name.is_empty() {
            return Err(invalid());
        }
        if !UNITS_MS.iter().any(|unit| unit.0 == name) {
            return Err(format!(
                "unknown unit {} in duration {}",
                quote(name),
                quote(text)
            ));
        }
        let mut units = smaller_units.iter();
        let Some(&(_, unit_ms)) = units.find(|unit| unit.0 == name) else {
            return Err(invalid());
        };
        smaller_units = units.as_slice();
        total = count
            .checked_mul(unit_ms)
            .and_then(|more| total.checked_add(more))
            .filter(|&sum| sum <= MILLISECONDS_MAX)
            .ok_or("duration out of range")?;
    }
    Ok(total)
}

fn split_while(text: &str, condition: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !condition(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// The canonical text of a duration that is not negative: years and weeks only where nothing is
/// left over.
pub(super) fn format_duration_ms(milliseconds: u64) -> String {
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    let mut left = milliseconds;
    for (name, unit_ms) in UNITS_MS {
        let exact = matches!(name, "y" | "w");
        if left < unit_ms || (exact && !left.is_multiple_of(unit_ms)) {
            continue;
        }
        out.push_str(&(left / unit_ms).to_string());
        out.push_str(name);
        left %= unit_ms;
    }
    out
}

/// Seconds as Go's `Duration.Seconds` computes them, to the last bit.
fn seconds(milliseconds: u64) -> f64 {
    let nanoseconds = (milliseconds % 1000) * 1_000_000;
    (milliseconds / 1000) as f64 + nanoseconds as f64 / 1e9
}

/// Whole milliseconds of `seconds`, cut towards zero after rounding to nanoseconds.
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64 / 1_000_000
}

/// Whether `seconds` fit in 64 bits as nanoseconds.
fn is_out_of_range(seconds: f64) -> bool {
    seconds.is_nan() || seconds.abs() > i64::MAX as f64 / 1e9
}

/// Where Prometheus places an error about `expr`: brackets around anything but a number do not
/// count.
fn error_span(expr: &DurationExpr) -> Span {
    match expr {
        DurationExpr::Number(number) => number.span,
        DurationExpr::Step(span)
        | DurationExpr::Range(span)
        | DurationExpr::Start(span)
        | DurationExpr::End(span)
        | DurationExpr::Unary { span, .. }
        | DurationExpr::Binary { span, .. } => *span,
        DurationExpr::Paren(inner, span) => match &**inner {
            DurationExpr::Number(_) => *span,
            inner => error_span(inner),
        },
    }
}

/// Stands for what an error was reported about.
fn no_duration() -> DurationExpr {
    DurationExpr::Number(NumberLiteral {
        value: 0.0,
        is_duration: false,
        span: Span::default(),
    })
}

fn paren(inner: DurationExpr, span: Span) -> DurationExpr {
    match inner {
        // Canonical text has one pair of brackets, however many were written.
        inner @ DurationExpr::Paren(..) => inner,
        inner => DurationExpr::Paren(Box::new(inner), span),
    }
}

fn sign_of(token: Token) -> BinaryOp {
    match token.kind {
        TokenKind::Operator(BinaryOp::Sub) => BinaryOp::Sub,
        _ => BinaryOp::Add,
    }
}

impl Parser<'_> {
    /// A number or duration, as seconds; the token is the next one.
    pub(super) fn number_literal(&mut self) -> Parsed<NumberLiteral> {
        let token = self.next()?;
        let text = self.text_of(token);
        let is_duration = token.kind == TokenKind::Duration;
        let value = if is_duration {
            parse_duration_ms(text).map(seconds)
        } else {
            parse_number(text).map_err(|error| format!("error parsing number: {error}"))
        };
        let value = value.unwrap_or_else(|message| {
            self.report(token.span, message);
            0.0
        });
        Ok(NumberLiteral {
            value,
            is_duration,
            span: token.span,
        })
    }

    /// A range or a step: a duration above zero.
    pub(super) fn positive_duration(&mut self) -> Parsed<Duration> {
        let expr = self.duration_expr()?;
        Ok(match expr {
            DurationExpr::Number(number) => {
                if number.value <= 0.0 {
                    self.report(number.span, "duration must be greater than 0");
                }
                Duration::Fixed(milliseconds(number.value))
            }
            expr => Duration::Computed(Box::new(expr)),
        })
    }

    /// What stands behind `offset`, and whether it counts as none (a plain zero).
    ///
    /// Unlike in brackets, an operator behind a plain number or call belongs to the expression
    /// around: `foo offset 5m - 8` is a subtraction. Behind a bracket it belongs to the offset.
    pub(super) fn offset_duration(&mut self) -> Parsed<(Duration, bool)> {
        self.duration_parts = 0;
        let first = self.peek()?;
        let expr = match first.kind {
            TokenKind::Operator(BinaryOp::Add | BinaryOp::Sub) => {
                let sign = self.next()?;
                match self.peek()?.kind {
                    TokenKind::Operator(BinaryOp::Add | BinaryOp::Sub) => {
                        let operand = self.duration_power(UNARY_POWER + 1)?;
                        let signed = self.signed_duration(sign, operand);
                        self.duration_operators(signed, 0)?
                    }
                    TokenKind::LeftParen => {
                        self.next()?;
                        let inner = self.duration_power(0)?;
                        self.expect(TokenKind::RightParen)?;
                        let span = error_span(&inner);
                        self.signed_duration(sign, paren(inner, span))
                    }
                    _ => {
                        let operand = self.duration_operand(true)?;
                        if matches!(operand, DurationExpr::Number(_)) {
                            self.signed_duration(sign, operand)
                        } else {
                            let span = sign.span.to(error_span(&operand));
                            self.check_duration_flag(span);
                            DurationExpr::Unary {
                                op: sign_of(sign),
                                operand: Box::new(operand),
                                span,
                            }
                        }
                    }
                }
            }
            TokenKind::LeftParen => self.duration_power(0)?,
            _ => self.duration_operand(false)?,
        };
        Ok(match expr {
            DurationExpr::Number(number) => (
                Duration::Fixed(milliseconds(number.value)),
                (number.value * 1e9).round() == 0.0,
            ),
            expr => (Duration::Computed(Box::new(expr)), false),
        })
    }

    fn duration_expr(&mut self) -> Parsed<DurationExpr> {
        self.duration_parts = 0;
        self.duration_power(0)
    }

    /// An expression whose operators all have at least the given power.
    fn duration_power(&mut self, power: u8) -> Parsed<DurationExpr> {
        let token = self.peek()?;
        let operand = match token.kind {
            TokenKind::Operator(BinaryOp::Add | BinaryOp::Sub) => {
                self.count_duration_part(token)?;
                let sign = self.next()?;
                let operand = self.duration_power(UNARY_POWER + 1)?;
                self.signed_duration(sign, operand)
            }
            _ => self.duration_operand(false)?,
        };
        self.duration_operators(operand, power)
    }

    fn duration_operators(&mut self, mut lhs: DurationExpr, power: u8) -> Parsed<DurationExpr> {
        loop {
            let token = self.peek()?;
            let TokenKind::Operator(op) = token.kind else {
                return Ok(lhs);
            };
            if !op.is_of_durations() || op.power() < power {
                return Ok(lhs);
            }
            self.count_duration_part(token)?;
            self.next()?;
            let rhs = self.duration_power(op.right_power())?;
            lhs = self.join_durations(op, token, lhs, rhs);
        }
    }

    fn join_durations(
        &mut self,
        op: BinaryOp,
        token: Token,
        lhs: DurationExpr,
        rhs: DurationExpr,
    ) -> DurationExpr {
        self.check_duration_flag(error_span(&lhs));
        let by_zero = matches!(&rhs, DurationExpr::Number(number) if number.value == 0.0);
        let what = match op {
            BinaryOp::Div => "division by zero",
            _ => "modulo by zero",
        };
        if by_zero && matches!(op, BinaryOp::Div | BinaryOp::Mod) {
            self.report(token.span, what);
            return no_duration();
        }
        let span = error_span(&lhs).to(error_span(&rhs));
        DurationExpr::Binary {
            op: DurationOp::Arithmetic(op),
            lhs: Box::new(lhs),
            rhs: Box::new(rhs),
            span,
        }
    }

    /// A number, a call or brackets. `signed` calls are checked for their feature flag by the
    /// caller, together with their sign.
    fn duration_operand(&mut self, signed: bool) -> Parsed<DurationExpr> {
        let token = self.peek()?;
        self.count_duration_part(token)?;
        let call = match token.kind {
            TokenKind::Number | TokenKind::Duration => {
                let number = self.number_literal()?;
                if !signed && is_out_of_range(number.value) {
                    self.report(number.span, "duration out of range");
                    return Ok(no_duration());
                }
                return Ok(DurationExpr::Number(number));
            }
            TokenKind::LeftParen => {
                self.next()?;
                let inner = self.duration_power(0)?;
                let close = self.expect(TokenKind::RightParen)?;
                self.check_duration_flag(error_span(&inner));
                let span = token.span.to(close.span);
                return Ok(paren(inner, span));
            }
            TokenKind::Keyword(Keyword::MaxOf) => self.duration_pair(DurationOp::MaxOf)?,
            TokenKind::Keyword(Keyword::MinOf) => self.duration_pair(DurationOp::MinOf)?,
            TokenKind::Keyword(keyword @ (Keyword::Step | Keyword::Range)) => {
                self.next()?;
                self.expect(TokenKind::LeftParen)?;
                let close = self.expect(TokenKind::RightParen)?;
                let span = token.span.to(close.span);
                match keyword {
                    Keyword::Step => DurationExpr::Step(span),
                    _ => DurationExpr::Range(span),
                }
            }
            _ => return Err(Stop::Unexpected),
        };
        if !signed {
            self.check_duration_flag(error_span(&call));
        }
        Ok(call)
    }

    /// `max_of(a, b)`, `min_of(a, b)`.
    fn duration_pair(&mut self, op: DurationOp) -> Parsed<DurationExpr> {
        let name = self.next()?;
        self.expect(TokenKind::LeftParen)?;
        let lhs = self.duration_power(0)?;
        self.expect(TokenKind::Comma)?;
        let rhs = self.duration_power(0)?;
        let close = self.expect(TokenKind::RightParen)?;
        Ok(DurationExpr::Binary {
            op,
            lhs: Box::new(lhs),
            rhs: Box::new(rhs),
            span: name.span.to(close.span),
        })
    }

    /// Applies a sign: to a number at once, `+` to anything else not at all.
    fn signed_duration(&mut self, sign: Token, operand: DurationExpr) -> DurationExpr {
        let negative = sign_of(sign) == BinaryOp::Sub;
        match operand {
            DurationExpr::Number(mut number) => {
                if negative {
                    number.value = -number.value;
                }
                if is_out_of_range(number.value) {
                    self.report(sign.span, "duration out of range");
                    return no_duration();
                }
                number.span.start = sign.span.start;
                DurationExpr::Number(number)
            }
            operand if negative => {
                let span = sign.span.to(error_span(&operand));
                DurationExpr::Unary {
                    op: BinaryOp::Sub,
                    operand: Box::new(operand),
                    span,
                }
            }
            operand => operand,
        }
    }

    fn check_duration_flag(&mut self, span: Span) {
        if !self.options.duration_expr {
            self.report(span, "experimental duration expression is not enabled");
        }
    }

    fn count_duration_part(&mut self, token: Token) -> Parsed<()> {
        self.duration_parts += 1;
        if self.duration_parts > PARTS_MAX {
            self.report(
                token.span,
                format!("duration expression has more than {PARTS_MAX} parts"),
            );
            return Err(Stop::Reported);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, ms, printed) in [
            ("0s", 0, "0s"),
            ("1ms", 1, "1ms"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90m", 5_400_000, "1h30m"),
            ("1y", 31_536_000_000, "1y"),
            ("7d", 604_800_000, "1w"),
            ("8d", 691_200_000, "8d"),
            ("1w2d3h4m5s6ms", 788_645_006, "9d3h4m5s6ms"),
        ] {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
            assert_eq!(format_duration_ms(ms), printed, "{text}");
        }
    }

    #[test]
    fn bad_durations_are_named() {
        for (text, error) in [
            ("1m1h", "not a valid duration string: \"1m1h\""),
            ("1s1s", "not a valid duration string: \"1s1s\""),
            ("5", "not a valid duration string: \"5\""),
            (
                "99999999999999999999s",
                "not a valid duration string: \"99999999999999999999s\"",
            ),
            ("1hs", "unknown unit \"hs\" in duration \"1hs\""),
            ("293y", "duration out of range"),
            ("292y53w", "duration out of range"),
        ] {
            assert_eq!(parse_duration_ms(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn seconds_become_milliseconds_as_in_go() {
        assert_eq!(milliseconds(4.018), 4018);
        assert_eq!(milliseconds(0.0019999), 1);
        assert_eq!(milliseconds(-1.5), -1500);
    }
}
