//! Expressions of durations, computed with the range and step of the query at hand.

use super::QueryTimes;
use crate::functions::go_math;
use crate::functions::numeric::seconds;
use crate::parse::ast::{BinaryOp, Duration, DurationExpr, DurationOp, Span};
use crate::{Error, ErrorKind};

/// The length of a duration in milliseconds.
///
/// # Errors
/// [`ErrorKind::BadData`] where it cannot be computed, is no number, out of range, or not above
/// 0 where it has to be.
pub(super) fn milliseconds(
    duration: &Duration,
    times: &QueryTimes,
    may_be_negative: bool,
) -> Result<i64, Error> {
    let expr = match duration {
        Duration::Fixed(length_ms) => return Ok(*length_ms),
        Duration::Computed(expr) => expr,
    };
    let seconds = compute(expr, times)?;
    if !seconds.is_finite() {
        return Err(refused(expr, "duration is NaN or infinite"));
    }
    if seconds <= 0.0 && !may_be_negative {
        return Err(refused(expr, "duration must be greater than 0"));
    }
    // Prometheus counts nanoseconds in an i64.
    if seconds.abs() > i64::MAX as f64 / 1e9 {
        return Err(refused(expr, "duration is out of range"));
    }
    Ok((seconds * 1000.0) as i64)
}

/// The value in seconds.
fn compute(expr: &DurationExpr, times: &QueryTimes) -> Result<f64, Error> {
    Ok(match expr {
        DurationExpr::Number(number) => number.value,
        DurationExpr::Step(_) => seconds(times.step_ms),
        DurationExpr::Range(_) => seconds(times.end_ms.saturating_sub(times.start_ms)),
        DurationExpr::Start(_) => seconds(times.start_ms),
        DurationExpr::End(_) => seconds(times.end_ms),
        DurationExpr::Paren(inner, _) => compute(inner, times)?,
        DurationExpr::Unary { op, operand, .. } => {
            let value = compute(operand, times)?;
            if *op == BinaryOp::Sub { -value } else { value }
        }
        DurationExpr::Binary { op, lhs, rhs, .. } => {
            let (lhs, rhs) = (compute(lhs, times)?, compute(rhs, times)?);
            match op {
                DurationOp::MinOf => lhs.min(rhs),
                DurationOp::MaxOf => lhs.max(rhs),
                DurationOp::Arithmetic(BinaryOp::Add) => lhs + rhs,
                DurationOp::Arithmetic(BinaryOp::Sub) => lhs - rhs,
                DurationOp::Arithmetic(BinaryOp::Mul) => lhs * rhs,
                DurationOp::Arithmetic(BinaryOp::Div) if rhs == 0.0 => {
                    return Err(refused(expr, "division by zero"));
                }
                DurationOp::Arithmetic(BinaryOp::Div) => lhs / rhs,
                DurationOp::Arithmetic(BinaryOp::Mod) if rhs == 0.0 => {
                    return Err(refused(expr, "modulo by zero"));
                }
                DurationOp::Arithmetic(BinaryOp::Mod) => lhs % rhs,
                DurationOp::Arithmetic(BinaryOp::Pow) => go_math::pow(lhs, rhs),
                DurationOp::Arithmetic(_) => {
                    return Err(refused(expr, "unexpected duration expression operator"));
                }
            }
        }
    })
}

/// Prometheus names the bytes, not line and column, here.
fn refused(expr: &DurationExpr, why: &str) -> Error {
    let Span { start, end } = span(expr);
    Error::new(ErrorKind::BadData, format!("{start}:{end}: {why}"))
}

fn span(expr: &DurationExpr) -> Span {
    match expr {
        DurationExpr::Number(number) => number.span,
        DurationExpr::Step(span)
        | DurationExpr::Range(span)
        | DurationExpr::Start(span)
        | DurationExpr::End(span)
        | DurationExpr::Paren(_, span)
        | DurationExpr::Unary { span, .. }
        | DurationExpr::Binary { span, .. } => *span,
    }
}
