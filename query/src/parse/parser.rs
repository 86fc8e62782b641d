//! Expressions: operands, operators and brackets.
//!
//! Operators wait on an explicit stack of frames until what stands to their right is complete,
//! so that no text, however deep it nests, reaches the end of the call stack. Tokens are read
//! exactly when Prometheus's LALR parser reads them, for the first error found is the one that
//! users see: an error in an action and one in the token behind it keep their order.

use super::aggregate::AggregateFrame;
use super::ast::{Binary, BinaryOp, Call, Expr, Paren, Span, Unary, VectorMatching};
use super::check;
use super::error::{ParseError, ParseErrors};
use super::lexer::Lexer;
use super::strings::{literal, quote};
use super::token::{Keyword, Token, TokenKind, UNARY_POWER};
use super::{DEPTH_MAX, OPERATORS_MAX, Options};
use crate::functions::{Signature, signature};
use crate::parse::ast::{Cardinality, ValueType};
use crate::source::Matcher;

/// How many errors are collected; the first is the one that matters.
const ERRORS_MAX: usize = 64;

/// Why parsing cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stop {
    /// The token to come has no place here. Not reported yet: whoever knows the construct names
    /// it in the message.
    Unexpected,
    /// The error is reported.
    Reported,
}

pub(super) type Parsed<T> = Result<T, Stop>;

/// A complete expression, and how many nodes deep it is.
pub(super) struct Operand {
    pub(super) expr: Expr,
    pub(super) depth: u32,
}

/// Something that waits for what stands to its right.
enum Frame {
    /// A sign.
    Unary(Token),
    Binary(Box<BinaryFrame>),
    /// `(`
    Paren(Token),
    Call(Box<CallFrame>),
    Aggregate(Box<AggregateFrame>),
}

struct BinaryFrame {
    lhs: Operand,
    op: BinaryOp,
    op_span: Span,
    return_bool: bool,
    matching: VectorMatching,
}

struct CallFrame {
    name: Token,
    args: Arguments,
}

/// The arguments read so far.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) exprs: Vec<Expr>,
    pub(super) depth: u32,
}

/// Stands in the tree for a function that does not exist; the tree is never handed out.
static UNKNOWN_FUNCTION: Signature = Signature {
    name: "",
    args: &[],
    variadic: -1,
    returns: ValueType::Vector,
    experimental: false,
};

/// Reads one text.
pub(super) struct Parser<'a> {
    text: &'a str,
    pub(super) options: Options,
    lexer: Lexer<'a>,
    peeked: Option<Token>,
    /// End of the last token taken.
    pub(super) last_end: u32,
    /// Parts of the duration expression being read.
    pub(super) duration_parts: u32,
    /// Binary operators read so far.
    operators: u32,
    pub(super) errors: Vec<ParseError>,
    frames: Vec<Frame>,
}

/// The tree of an expression, its types checked.
///
/// # Errors
/// What Prometheus 3.14 finds wrong, in its words; besides, a tree deeper than [`DEPTH_MAX`],
/// more than [`OPERATORS_MAX`] operators, a duration expression of more than 250 parts.
///
/// # Examples
/// ```
/// use silverback_query::parse::{Options, parse};
/// let expr = parse("sum by (job) (rate(up[5m]))", &Options::default())?;
/// assert_eq!(expr.to_string(), "sum by (job) (rate(up[5m]))");
/// let error = parse("rate(up)", &Options::default()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "1:6: parse error: expected type range vector in call to function \"rate\", \
///      got instant vector"
/// );
/// # Ok::<(), silverback_query::parse::ParseErrors>(())
/// ```
pub fn parse(text: &str, options: &Options) -> Result<Expr, ParseErrors> {
    let mut parser = Parser::new(text, *options)?;
    let parsed = parser.expression();
    // Types are checked only where there is no error of syntax.
    let expr = match parsed {
        Ok(mut expr) if parser.errors.is_empty() => {
            check::check(&mut parser, &mut expr);
            Some(expr)
        }
        _ => None,
    };
    parser.finish(expr)
}

/// The matchers of a selector without modifiers, `up{job="node"}` or `{job=~"n.*"}`, as the
/// `match[]` parameter holds it. It may match everything: that is for the caller to refuse.
///
/// # Errors
/// What Prometheus 3.14 finds wrong, in its words.
pub fn parse_metric_selector(text: &str) -> Result<Vec<Matcher>, ParseErrors> {
    let mut parser = Parser::new(text, Options::default())?;
    let matchers = parser.only_selector();
    parser.finish(matchers.ok())
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, options: Options) -> Result<Self, ParseErrors> {
        if u32::try_from(text.len()).is_err() {
            let message = format!("expression is longer than {} bytes", u32::MAX);
            return Err(ParseError::new(text, Span::default(), message).into());
        }
        Ok(Self {
            text,
            options,
            lexer: Lexer::new(text),
            peeked: None,
            last_end: 0,
            duration_parts: 0,
            operators: 0,
            errors: Vec::new(),
            frames: Vec::new(),
        })
    }

    fn finish<T>(self, result: Option<T>) -> Result<T, ParseErrors> {
        match (ParseErrors::of(self.errors), result) {
            (Some(errors), _) => Err(errors),
            (None, Some(result)) => Ok(result),
            // Every way out without a result reports an error first.
            (None, None) => {
                Err(ParseError::new(self.text, Span::default(), "unexpected error").into())
            }
        }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn text_of(&self, token: Token) -> &'a str {
        self.text
            .get(token.span.start as usize..token.span.end as usize)
            .unwrap_or_default()
    }

    /// Adds an error; beyond the first few nobody reads them.
    pub(super) fn report(&mut self, span: Span, message: impl Into<String>) {
        if !self.has_enough_errors() {
            self.errors.push(ParseError::new(self.text, span, message));
        }
    }

    pub(super) fn has_enough_errors(&self) -> bool {
        self.errors.len() >= ERRORS_MAX
    }

    /// The token to come.
    pub(super) fn peek(&mut self) -> Parsed<Token> {
        if let Some(token) = self.peeked {
            return Ok(token);
        }
        match self.lexer.next_token() {
            Ok(token) => {
                self.peeked = Some(token);
                Ok(token)
            }
            Err(error) => {
                let span = Span {
                    start: error.start,
                    end: self.text.len() as u32,
                };
                self.report(span, error.message);
                Err(Stop::Reported)
            }
        }
    }

    /// Takes the token to come.
    pub(super) fn next(&mut self) -> Parsed<Token> {
        let token = self.peek()?;
        self.peeked = None;
        self.last_end = token.span.end;
        Ok(token)
    }

    /// Takes the token to come if it is of this kind.
    pub(super) fn take(&mut self, kind: TokenKind) -> Parsed<Option<Token>> {
        if self.peek()?.kind == kind {
            self.next().map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn expect(&mut self, kind: TokenKind) -> Parsed<Token> {
        self.take(kind)?.ok_or(Stop::Unexpected)
    }

    /// Names the construct in which a token was unexpected, unless one further inside did.
    pub(super) fn within<T>(
        &mut self,
        parsed: Parsed<T>,
        context: &str,
        expected: &str,
    ) -> Parsed<T> {
        if parsed.as_ref().err() == Some(&Stop::Unexpected) {
            self.report_unexpected(context, expected);
            return Err(Stop::Reported);
        }
        parsed
    }

    fn report_unexpected(&mut self, context: &str, expected: &str) {
        let Ok(token) = self.peek() else { return };
        let mut message = format!("unexpected {}", token.describe(self.text_of(token)));
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        self.report(token.span, message);
    }

    fn only_selector(&mut self) -> Parsed<Vec<Matcher>> {
        let parsed = self.selector_to_end();
        self.within(parsed, "", "")
    }

    fn selector_to_end(&mut self) -> Parsed<Vec<Matcher>> {
        let token = self.peek()?;
        let name = token.kind.is_metric_name().then_some(token);
        if name.is_some() {
            self.next()?;
        } else if token.kind != TokenKind::LeftBrace {
            return Err(Stop::Unexpected);
        }
        let selector = self.vector_selector(name)?;
        self.expect(TokenKind::Eof)?;
        Ok(selector.matchers)
    }

    fn expression(&mut self) -> Parsed<Expr> {
        if self.peek()?.kind == TokenKind::Eof {
            self.report(Span::default(), "no expression found in input");
            return Err(Stop::Reported);
        }
        let parsed = self.operands();
        // An aggregation is the one construct around an expression that names itself.
        let in_aggregation = self
            .frames
            .iter()
            .any(|frame| matches!(frame, Frame::Aggregate(_)));
        self.within(parsed, if in_aggregation { "aggregation" } else { "" }, "")
    }

    fn operands(&mut self) -> Parsed<Expr> {
        loop {
            let Some(mut operand) = self.operand()? else {
                continue;
            };
            loop {
                operand = self.postfix(operand)?;
                let token = self.peek()?;
                if let TokenKind::Operator(op) = token.kind {
                    let lhs = self.reduce(operand, op.power())?;
                    self.push_operator(lhs, op, token)?;
                    break;
                }
                let complete = self.reduce(operand, 0)?;
                match self.close(complete, token)? {
                    Closed::Operand(closed) => operand = closed,
                    Closed::Argument => break,
                    Closed::All(expr) => return Ok(expr),
                }
            }
        }
    }

    /// Reads an operand; none if it opened something that wants an operand of its own.
    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let token = self.peek()?;
        let expr = match token.kind {
            TokenKind::Number | TokenKind::Duration => Expr::Number(self.number_literal()?),
            TokenKind::String => {
                self.next()?;
                Expr::String(literal(self.text_of(token), token.span))
            }
            TokenKind::LeftBrace => Expr::Vector(self.vector_selector(None)?),
            TokenKind::LeftParen => {
                self.next()?;
                self.frames.push(Frame::Paren(token));
                return Ok(None);
            }
            TokenKind::Operator(BinaryOp::Add | BinaryOp::Sub) => {
                self.next()?;
                self.frames.push(Frame::Unary(token));
                return Ok(None);
            }
            kind if kind.is_metric_name() => {
                self.next()?;
                return self.name(token);
            }
            _ => return Err(Stop::Unexpected),
        };
        Ok(Some(Operand { expr, depth: 1 }))
    }

    /// What a name begins: a call, an aggregation or a selector.
    fn name(&mut self, name: Token) -> Parsed<Option<Operand>> {
        let next = self.peek()?.kind;
        let is_function = match name.kind {
            TokenKind::Identifier => true,
            TokenKind::Keyword(keyword) => keyword.is_preprocessor(),
            _ => false,
        };
        match name.kind {
            TokenKind::Aggregator(op)
                if matches!(
                    next,
                    TokenKind::LeftParen | TokenKind::Keyword(Keyword::By | Keyword::Without)
                ) =>
            {
                // On the stack before its parts are read, for errors in them to name it.
                let frame = AggregateFrame::new(op, name);
                self.frames.push(Frame::Aggregate(Box::new(frame)));
                let grouping = self.maybe_grouping()?;
                if let Some(Frame::Aggregate(frame)) = self.frames.last_mut() {
                    frame.grouping = grouping;
                }
                self.expect(TokenKind::LeftParen)?;
                self.first_argument()
            }
            _ if is_function && next == TokenKind::LeftParen => {
                self.next()?;
                self.frames.push(Frame::Call(Box::new(CallFrame {
                    name,
                    args: Arguments::default(),
                })));
                self.first_argument()
            }
            _ => {
                let expr = Expr::Vector(self.vector_selector(Some(name))?);
                Ok(Some(Operand { expr, depth: 1 }))
            }
        }
    }

    /// Behind the bracket of a call: completes a call without arguments.
    fn first_argument(&mut self) -> Parsed<Option<Operand>> {
        if self.take(TokenKind::RightParen)?.is_none() {
            return Ok(None);
        }
        match self.frames.pop() {
            Some(frame) => self.complete(frame).map(Some),
            None => Err(Stop::Unexpected),
        }
    }

    fn push_operator(&mut self, lhs: Operand, op: BinaryOp, token: Token) -> Parsed<()> {
        self.next()?;
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            let message = format!("expression has more than {OPERATORS_MAX} operators");
            self.report(token.span, message);
            return Err(Stop::Reported);
        }
        let mut frame = BinaryFrame {
            lhs,
            op,
            op_span: token.span,
            return_bool: false,
            matching: VectorMatching {
                cardinality: Cardinality::OneToOne,
                labels: Vec::new(),
                on: false,
                include: Vec::new(),
                fill_left: None,
                fill_right: None,
            },
        };
        frame.return_bool = self.take(TokenKind::Keyword(Keyword::Bool))?.is_some();
        self.vector_matching(&mut frame.matching)?;
        self.frames.push(Frame::Binary(Box::new(frame)));
        Ok(())
    }

    /// Applies the waiting operators that bind the operand more strongly than an operator of
    /// this power to its right; with power 0, all of them.
    fn reduce(&mut self, mut operand: Operand, power: u8) -> Parsed<Operand> {
        loop {
            let right_power = match self.frames.last() {
                Some(Frame::Unary(_)) => UNARY_POWER + 1,
                Some(Frame::Binary(frame)) => frame.op.right_power(),
                _ => return Ok(operand),
            };
            if power >= right_power {
                return Ok(operand);
            }
            operand = match self.frames.pop() {
                Some(Frame::Unary(sign)) => self.signed(sign, operand)?,
                Some(Frame::Binary(frame)) => self.join(*frame, operand)?,
                // Not reached: the frame was looked at above.
                _ => return Ok(operand),
            };
        }
    }

    fn signed(&mut self, sign: Token, operand: Operand) -> Parsed<Operand> {
        let negative = sign.kind == TokenKind::Operator(BinaryOp::Sub);
        if let Expr::Number(mut number) = operand.expr {
            if negative {
                number.value = -number.value;
            }
            number.span.start = sign.span.start;
            let expr = Expr::Number(number);
            return Ok(Operand { expr, depth: 1 });
        }
        let span = sign.span.to(operand.expr.span());
        let expr = Expr::Unary(Box::new(Unary {
            negative,
            expr: operand.expr,
            span,
        }));
        self.deeper(expr, operand.depth, sign.span)
    }

    fn join(&mut self, frame: BinaryFrame, rhs: Operand) -> Parsed<Operand> {
        let span = frame.lhs.expr.span().to(rhs.expr.span());
        let matching = frame.matching;
        let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
        if fills && !self.options.binop_fill_modifiers {
            self.report(
                span,
                "binop fill modifiers are experimental and not enabled",
            );
        }
        // A row of operators goes on.
        let below_left = match frame.lhs.expr {
            Expr::Binary(_) => frame.lhs.depth - 1,
            _ => frame.lhs.depth,
        };
        let expr = Expr::Binary(Box::new(Binary {
            op: frame.op,
            lhs: frame.lhs.expr,
            rhs: rhs.expr,
            matching: Some(matching),
            return_bool: frame.return_bool,
            span,
            op_span: frame.op_span,
        }));
        self.deeper(expr, below_left.max(rhs.depth), frame.op_span)
    }

    /// A node above one of the given depth.
    pub(super) fn deeper(&mut self, expr: Expr, below: u32, span: Span) -> Parsed<Operand> {
        let depth = below + 1;
        if depth > DEPTH_MAX {
            self.report(
                span,
                format!("expression is nested deeper than {DEPTH_MAX} levels"),
            );
            return Err(Stop::Reported);
        }
        Ok(Operand { expr, depth })
    }

    /// What the token behind a complete expression means for the frame around it.
    fn close(&mut self, operand: Operand, token: Token) -> Parsed<Closed> {
        let is_comma = token.kind == TokenKind::Comma;
        if !is_comma && token.kind != TokenKind::RightParen {
            let is_all = token.kind == TokenKind::Eof && self.frames.is_empty();
            return is_all
                .then_some(Closed::All(operand.expr))
                .ok_or(Stop::Unexpected);
        }
        let args = match self.frames.last_mut() {
            Some(Frame::Call(frame)) => &mut frame.args,
            Some(Frame::Aggregate(frame)) => &mut frame.args,
            Some(&mut Frame::Paren(open)) if !is_comma => {
                self.frames.pop();
                self.next()?;
                let span = open.span.to(token.span);
                let expr = operand.expr;
                let expr = Expr::Paren(Box::new(Paren { expr, span }));
                return self
                    .deeper(expr, operand.depth, open.span)
                    .map(Closed::Operand);
            }
            _ => return Err(Stop::Unexpected),
        };
        args.exprs.push(operand.expr);
        args.depth = args.depth.max(operand.depth);
        if is_comma && self.comma()? {
            return Ok(Closed::Argument);
        }
        self.expect(TokenKind::RightParen)?;
        match self.frames.pop() {
            Some(frame) => self.complete(frame).map(Closed::Operand),
            None => Err(Stop::Unexpected),
        }
    }

    /// Takes commas between arguments; whether one more argument follows.
    fn comma(&mut self) -> Parsed<bool> {
        while let Some(comma) = self.take(TokenKind::Comma)? {
            if self.peek()?.kind.starts_expression() {
                return Ok(true);
            }
            self.report(
                comma.span,
                "trailing commas not allowed in function call args",
            );
        }
        Ok(false)
    }

    /// The call or aggregation whose closing bracket was just taken.
    fn complete(&mut self, frame: Frame) -> Parsed<Operand> {
        match frame {
            Frame::Call(frame) => self.call(*frame),
            Frame::Aggregate(frame) => self.aggregate(*frame),
            _ => Err(Stop::Unexpected),
        }
    }

    fn call(&mut self, frame: CallFrame) -> Parsed<Operand> {
        let CallFrame { name, args } = frame;
        let text = self.text_of(name);
        let function = signature(text).unwrap_or_else(|| {
            let message = format!("unknown function with name {}", quote(text));
            self.report(name.span, message);
            &UNKNOWN_FUNCTION
        });
        if function.experimental && !self.options.experimental_functions {
            self.report(
                name.span,
                format!("function {} is not enabled", quote(text)),
            );
        }
        let expr = Expr::Call(Call {
            function,
            args: args.exprs,
            span: Span {
                start: name.span.start,
                end: self.last_end,
            },
        });
        self.deeper(expr, args.depth, name.span)
    }
}

enum Closed {
    /// It closed a bracket: the whole is an operand now.
    Operand(Operand),
    /// One more argument follows.
    Argument,
    /// The text ends here.
    All(Expr),
}
