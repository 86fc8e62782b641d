//! Selectors, and what may stand behind an operand: ranges, subqueries, `offset`, `@`,
//! `anchored` and `smoothed`.

use super::ast::{
    At, Duration, Expr, MatrixSelector, Modifiers, RangeEdges, Span, Subquery, VectorSelector,
};
use super::number::format_fixed;
use super::parser::{Operand, Parsed, Parser, Stop};
use super::pattern;
use super::strings::unquote;
use super::token::{Keyword, Token, TokenKind};
use crate::source::{MatchOp, Matcher};

/// The label of the metric name.
pub(super) const METRIC_NAME: &str = "__name__";

impl Parser<'_> {
    /// A selector whose name, if it has one, was just taken.
    pub(super) fn vector_selector(&mut self, name: Option<Token>) -> Parsed<VectorSelector> {
        let open = self.peek()?;
        let mut matchers = Vec::new();
        if open.kind == TokenKind::LeftBrace {
            self.next()?;
            self.matchers(&mut matchers)?;
        }
        let span = Span {
            start: name.unwrap_or(open).span.start,
            end: self.last_end,
        };
        let name = name.map(|name| self.text_of(name).to_owned());
        if let Some(name) = &name {
            matchers.push(name_matcher(name.clone()));
        }
        Ok(VectorSelector {
            name,
            matchers,
            modifiers: Modifiers::default(),
            edges: RangeEdges::Plain,
            span,
        })
    }

    /// The matchers behind `{`, to the `}`.
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Parsed<()> {
        loop {
            if self.take(TokenKind::RightBrace)?.is_some() {
                return Ok(());
            }
            matchers.push(self.matcher()?);
            if self.take(TokenKind::Comma)?.is_none() {
                let close = self.expect(TokenKind::RightBrace);
                self.within(close, "label matching", "\",\" or \"}\"")?;
                return Ok(());
            }
        }
    }

    fn matcher(&mut self) -> Parsed<Matcher> {
        let label = self.peek()?;
        let name = match label.kind {
            TokenKind::Identifier => self.text_of(label).to_owned(),
            TokenKind::String => unquote(self.text_of(label)),
            _ => {
                return self.within(
                    Err(Stop::Unexpected),
                    "label matching",
                    "identifier or \"}\"",
                );
            }
        };
        self.next()?;
        let op = match self.peek()?.kind {
            TokenKind::Equal => MatchOp::Equal,
            TokenKind::Operator(super::ast::BinaryOp::Ne) => MatchOp::NotEqual,
            TokenKind::EqualRegex => MatchOp::Regex,
            TokenKind::NotEqualRegex => MatchOp::NotRegex,
            _ if label.kind == TokenKind::String => return Ok(name_matcher(name)),
            _ => {
                let expected = "label matching operator";
                return self.within(Err(Stop::Unexpected), "label matching", expected);
            }
        };
        self.next()?;
        let token = self.expect(TokenKind::String);
        let token = self.within(token, "label matching", "string")?;
        let value = unquote(self.text_of(token));
        if matches!(op, MatchOp::Regex | MatchOp::NotRegex)
            && let Err(error) = pattern::check(&value)
        {
            self.report(label.span.to(token.span), error);
        }
        Ok(Matcher { name, op, value })
    }

    /// Everything that stands behind an operand and belongs to it.
    pub(super) fn postfix(&mut self, mut operand: Operand) -> Parsed<Operand> {
        // An offset of zero does not count as one.
        let mut has_offset = false;
        loop {
            match self.peek()?.kind {
                TokenKind::LeftBracket => {
                    operand = self.brackets(operand, has_offset)?;
                    if matches!(operand.expr, Expr::Subquery(_)) {
                        has_offset = false;
                    }
                }
                TokenKind::Keyword(Keyword::Offset) => {
                    self.next()?;
                    self.offset(&mut operand.expr, &mut has_offset)?;
                }
                TokenKind::At => {
                    self.next()?;
                    let parsed = self.at(&mut operand.expr);
                    self.within(parsed, "@", "timestamp")?;
                }
                TokenKind::Keyword(Keyword::Anchored) => {
                    self.next()?;
                    self.edges(&mut operand.expr, RangeEdges::Anchored, "anchored");
                }
                TokenKind::Keyword(Keyword::Smoothed) => {
                    self.next()?;
                    self.edges(&mut operand.expr, RangeEdges::Smoothed, "smoothed");
                }
                _ => return Ok(operand),
            }
        }
    }

    fn brackets(&mut self, operand: Operand, has_offset: bool) -> Parsed<Operand> {
        let open = self.next()?;
        let range = self.positive_duration();
        let range = self.within(
            range,
            "subquery or range selector",
            "number, duration, step(), or range()",
        )?;
        let token = self.peek()?;
        match token.kind {
            TokenKind::RightBracket => {
                self.next()?;
                let brackets = open.span.to(token.span);
                Ok(self.matrix_selector(operand, range, brackets, has_offset))
            }
            TokenKind::Colon => {
                self.next()?;
                self.subquery(operand, range)
            }
            _ => self.within(Err(Stop::Unexpected), "subquery or range", "\":\" or \"]\""),
        }
    }

    fn matrix_selector(
        &mut self,
        operand: Operand,
        range: Duration,
        brackets: Span,
        has_offset: bool,
    ) -> Operand {
        let whole = operand.expr.span().to(brackets);
        let selector = match operand.expr {
            Expr::Vector(selector) => {
                if has_offset {
                    self.report(brackets, "no offset modifiers allowed before range");
                } else if selector.modifiers.at.is_some() {
                    self.report(brackets, "no @ modifiers allowed before range");
                }
                selector
            }
            other => {
                self.report(brackets, "ranges only allowed for vector selectors");
                // Stands for it in a tree that goes nowhere.
                VectorSelector {
                    name: None,
                    matchers: Vec::new(),
                    modifiers: Modifiers::default(),
                    edges: RangeEdges::Plain,
                    span: other.span(),
                }
            }
        };
        Operand {
            expr: Expr::Matrix(MatrixSelector {
                selector,
                range,
                span: whole,
            }),
            depth: 1,
        }
    }

    /// The rest of a subquery, behind the colon.
    fn subquery(&mut self, operand: Operand, range: Duration) -> Parsed<Operand> {
        let mut step = None;
        if self.peek()?.kind != TokenKind::RightBracket {
            let duration = self.positive_duration();
            step = Some(self.within(
                duration,
                "subquery selector",
                "number, duration, step(), range(), or \"]\"",
            )?);
        }
        let close = self.expect(TokenKind::RightBracket);
        let close = self.within(close, "subquery selector", "\"]\"")?;
        let span = operand.expr.span().to(close.span);
        let expr = Expr::Subquery(Box::new(Subquery {
            expr: operand.expr,
            range,
            step,
            modifiers: Modifiers::default(),
            span,
        }));
        self.deeper(expr, operand.depth, close.span)
    }

    fn offset(&mut self, expr: &mut Expr, has_offset: &mut bool) -> Parsed<()> {
        let parsed = self.offset_duration();
        let (offset, is_zero) =
            self.within(parsed, "offset", "number, duration, step(), or range()")?;
        let span = expr.span();
        let end = self.last_end;
        let Some((modifiers, whole)) = modifiers_of(expr) else {
            self.report(span, not_modifiable("offset modifier"));
            return Ok(());
        };
        if *has_offset {
            self.report(span, "offset may not be set multiple times");
        } else {
            modifiers.offset = offset;
            *has_offset = !is_zero;
        }
        whole.end = end;
        Ok(())
    }

    /// What stands behind `@`.
    fn at(&mut self, expr: &mut Expr) -> Parsed<()> {
        let span = expr.span();
        let at = match self.peek()?.kind {
            TokenKind::Keyword(keyword @ (Keyword::Start | Keyword::End)) => {
                self.next()?;
                self.expect(TokenKind::LeftParen)?;
                self.expect(TokenKind::RightParen)?;
                match keyword {
                    Keyword::Start => At::Start,
                    _ => At::End,
                }
            }
            _ => {
                let seconds = self.signed_number()?;
                if seconds.is_nan() || seconds.abs() >= i64::MAX as f64 {
                    let seconds = format_fixed(seconds);
                    self.report(
                        span,
                        format!("timestamp out of bounds for @ modifier: {seconds}"),
                    );
                }
                // Milliseconds beyond 64 bits stop at the largest.
                At::Timestamp((seconds * 1000.0).round() as i64)
            }
        };
        let end = self.last_end;
        let Some((modifiers, whole)) = modifiers_of(expr) else {
            self.report(span, not_modifiable("@ modifier"));
            return Ok(());
        };
        if modifiers.at.is_some() {
            self.report(span, "@ <timestamp> may not be set multiple times");
            return Ok(());
        }
        modifiers.at = Some(at);
        whole.end = end;
        Ok(())
    }

    fn edges(&mut self, expr: &mut Expr, edges: RangeEdges, name: &str) {
        let span = expr.span();
        let message = match expr {
            _ if !self.options.extended_range_selectors => {
                format!("{name} modifier is experimental and not enabled")
            }
            Expr::Vector(VectorSelector { edges: before, .. })
            | Expr::Matrix(MatrixSelector {
                selector: VectorSelector { edges: before, .. },
                ..
            }) => {
                if *before == RangeEdges::Plain || *before == edges {
                    *before = edges;
                    return;
                }
                "anchored and smoothed modifiers cannot be used together".to_owned()
            }
            Expr::Subquery(_) => format!("{name} modifier is not supported for subqueries"),
            _ => format!("{name} modifier not implemented"),
        };
        self.report(span, message);
    }
}

fn name_matcher(value: String) -> Matcher {
    Matcher {
        name: METRIC_NAME.to_owned(),
        op: MatchOp::Equal,
        value,
    }
}

/// The modifiers of what can have them, and its span.
fn modifiers_of(expr: &mut Expr) -> Option<(&mut Modifiers, &mut Span)> {
    match expr {
        Expr::Vector(node) => Some((&mut node.modifiers, &mut node.span)),
        Expr::Matrix(node) => Some((&mut node.selector.modifiers, &mut node.span)),
        Expr::Subquery(node) => Some((&mut node.modifiers, &mut node.span)),
        _ => None,
    }
}

fn not_modifiable(what: &str) -> String {
    format!(
        "{what} must be preceded by an instant vector selector or range vector selector or a \
         subquery"
    )
}
