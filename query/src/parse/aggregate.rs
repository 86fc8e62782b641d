//! Aggregations, and the lists of labels in `by (...)`, `on (...)` and the like.

use super::ast::{
    Aggregate, AggregateOp, BinaryOp, Cardinality, Expr, Grouping, NumberLiteral, Span,
    VectorMatching,
};
use super::parser::{Arguments, Operand, Parsed, Parser, Stop};
use super::strings::{quote, unquote};
use super::token::{Keyword, Token, TokenKind};

/// An aggregation whose arguments are being read.
pub(super) struct AggregateFrame {
    op: AggregateOp,
    name: Token,
    /// `by` or `without` where it stands before the arguments.
    pub(super) grouping: Option<Grouping>,
    pub(super) args: Arguments,
}

impl AggregateFrame {
    pub(super) fn new(op: AggregateOp, name: Token) -> Self {
        Self {
            op,
            name,
            grouping: None,
            args: Arguments::default(),
        }
    }
}

impl Parser<'_> {
    /// `by (...)` or `without (...)`, if one of them comes.
    pub(super) fn maybe_grouping(&mut self) -> Parsed<Option<Grouping>> {
        if self.take(TokenKind::Keyword(Keyword::By))?.is_some() {
            return self.grouping_labels().map(|it| Some(Grouping::By(it)));
        }
        if self.take(TokenKind::Keyword(Keyword::Without))?.is_some() {
            return self.grouping_labels().map(|it| Some(Grouping::Without(it)));
        }
        Ok(None)
    }

    /// The aggregation whose closing bracket was just taken.
    pub(super) fn aggregate(&mut self, frame: AggregateFrame) -> Parsed<Operand> {
        let AggregateFrame {
            op,
            name,
            grouping,
            args,
        } = frame;
        let grouping = match grouping {
            Some(grouping) => grouping,
            None => self.maybe_grouping()?.unwrap_or(Grouping::By(Vec::new())),
        };
        let span = Span {
            start: name.span.start,
            end: self.last_end,
        };
        let found = args.exprs.len();
        let wanted = if op.has_param() { 2 } else { 1 };
        if found == 0 {
            self.report(span, "no arguments for aggregate expression provided");
        } else if op.is_experimental() && !self.options.experimental_functions {
            let name = op.as_str();
            self.report(
                span,
                format!(
                    "{name}() is experimental and must be enabled with \
                     --enable-feature=promql-experimental-functions"
                ),
            );
        } else if found != wanted {
            self.report(
                span,
                format!(
                    "wrong number of arguments for aggregate expression provided, \
                     expected {wanted}, got {found}"
                ),
            );
        }
        let mut exprs = args.exprs.into_iter();
        let param = op.has_param().then(|| exprs.next()).flatten();
        // Where the argument is missing, the error above is reported and the tree goes nowhere.
        let missing = Expr::Number(NumberLiteral {
            value: 0.0,
            is_duration: false,
            span,
        });
        let expr = exprs.next().unwrap_or(missing);
        let expr = Expr::Aggregate(Box::new(Aggregate {
            op,
            expr,
            param,
            grouping,
            span,
        }));
        self.deeper(expr, args.depth, name.span)
    }

    /// What stands between an operator and its right side, `bool` apart.
    pub(super) fn vector_matching(&mut self, matching: &mut VectorMatching) -> Parsed<()> {
        match self.peek()?.kind {
            TokenKind::Keyword(Keyword::On) => matching.on = true,
            TokenKind::Keyword(Keyword::Ignoring) => {}
            _ => return self.fill_modifiers(matching),
        }
        self.next()?;
        matching.labels = self.grouping_labels()?;
        matching.cardinality = match self.peek()?.kind {
            TokenKind::Keyword(Keyword::GroupLeft) => Cardinality::ManyToOne,
            TokenKind::Keyword(Keyword::GroupRight) => Cardinality::OneToMany,
            _ => return self.fill_modifiers(matching),
        };
        self.next()?;
        // The labels may be missing, but only in front of what can go on from here.
        let next = self.peek()?.kind;
        if next == TokenKind::LeftParen || !next.starts_expression() {
            matching.include = self.grouping_labels()?;
        }
        self.fill_modifiers(matching)
    }

    /// `fill(x)`, or `fill_left(x)` and `fill_right(y)` in either order.
    fn fill_modifiers(&mut self, matching: &mut VectorMatching) -> Parsed<()> {
        if self.take(TokenKind::Keyword(Keyword::Fill))?.is_some() {
            let value = self.fill_value()?;
            matching.fill_left = Some(value);
            matching.fill_right = Some(value);
            return Ok(());
        }
        let right_first = self.peek()?.kind == TokenKind::Keyword(Keyword::FillRight);
        if right_first {
            matching.fill_right = self.maybe_fill(Keyword::FillRight)?;
        }
        matching.fill_left = self.maybe_fill(Keyword::FillLeft)?;
        if !right_first && matching.fill_left.is_some() {
            matching.fill_right = self.maybe_fill(Keyword::FillRight)?;
        }
        Ok(())
    }

    fn maybe_fill(&mut self, keyword: Keyword) -> Parsed<Option<f64>> {
        match self.take(TokenKind::Keyword(keyword))? {
            Some(_) => self.fill_value().map(Some),
            None => Ok(None),
        }
    }

    fn fill_value(&mut self) -> Parsed<f64> {
        self.expect(TokenKind::LeftParen)?;
        let value = self.signed_number()?;
        self.expect(TokenKind::RightParen)?;
        Ok(value)
    }

    /// A number or duration with at most one sign.
    pub(super) fn signed_number(&mut self) -> Parsed<f64> {
        let sign = match self.peek()?.kind {
            TokenKind::Operator(BinaryOp::Sub) => -1.0,
            TokenKind::Operator(BinaryOp::Add) => 1.0,
            TokenKind::Number | TokenKind::Duration => {
                return self.number_literal().map(|it| it.value);
            }
            _ => return Err(Stop::Unexpected),
        };
        self.next()?;
        match self.peek()?.kind {
            TokenKind::Number | TokenKind::Duration => {
                self.number_literal().map(|it| sign * it.value)
            }
            _ => Err(Stop::Unexpected),
        }
    }

    /// `(a, b, "c")`; a comma may stand behind the last one.
    fn grouping_labels(&mut self) -> Parsed<Vec<String>> {
        let open = self.expect(TokenKind::LeftParen);
        self.within(open, "grouping opts", "\"(\"")?;
        let mut labels = Vec::new();
        loop {
            if self.take(TokenKind::RightParen)?.is_some() {
                return Ok(labels);
            }
            let label = self.grouping_label();
            labels.push(self.within(label, "grouping opts", "label")?);
            if self.take(TokenKind::Comma)?.is_none() {
                let close = self.expect(TokenKind::RightParen);
                self.within(close, "grouping opts", "\",\" or \")\"")?;
                return Ok(labels);
            }
        }
    }

    fn grouping_label(&mut self) -> Parsed<String> {
        let token = self.peek()?;
        let label = match token.kind {
            TokenKind::String => unquote(self.text_of(token)),
            kind if kind.is_grouping_label() => self.text_of(token).to_owned(),
            _ => return Err(Stop::Unexpected),
        };
        self.next()?;
        if label.is_empty() {
            let message = format!("invalid label name for grouping: {}", quote(&label));
            self.report(token.span, message);
        }
        Ok(label)
    }
}
