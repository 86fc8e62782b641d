//! From the tree of the text to the plan.
//!
//! A part that does not depend on the step is wrapped in a `Once` node, at the highest place
//! where that holds. Which parts those are follows Prometheus's `preprocessExprHelper`
//! (`promql/engine.go`), because an aggregation's parameter is evaluated with its vector.

use super::duration::milliseconds;
use super::shared::RepeatedParts;
use super::{
    Aggregate, Chain, Match, Node, Operation, Parameter, QueryTimes, RangeNode, Samples,
    ScalarNode, Selector, Shared, VectorNode, When, WithScalar, call,
};
use crate::functions;
use crate::parse::ast::{
    self, At, BinaryOp, Expr, MatrixSelector, Modifiers, RangeEdges, Span, Subquery, VectorSelector,
};
use crate::parse::strings::quote_bytes;
use crate::{Error, ErrorKind, position};

/// Makes the plan of an expression; `text` is what its spans point into.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for what this version cannot do, [`ErrorKind::BadData`] for a
/// duration that cannot be computed.
pub(crate) fn lower(expr: &Expr, text: &str, times: QueryTimes) -> Result<Node, Error> {
    let lowering = Lowering {
        text,
        times,
        repeated: RepeatedParts::new(expr, text),
    };
    let part = lowering.part(expr)?;
    Ok(part.wrapped())
}

pub(super) struct Lowering<'a> {
    pub(super) text: &'a str,
    pub(super) times: QueryTimes,
    pub(super) repeated: RepeatedParts,
}

/// A part of the plan and how it depends on the step.
pub(super) struct Part {
    pub(super) node: Node,
    /// Its value is the same at each step.
    pub(super) invariant: bool,
    /// It is worth a `Once` node, unless what is around it gets one.
    pub(super) wrap: bool,
}

impl Part {
    /// Where it is not said otherwise, what does not depend on the step is evaluated once.
    pub(super) fn of(node: Node, invariant: bool) -> Self {
        Self {
            node,
            invariant,
            wrap: invariant,
        }
    }

    /// The node, evaluated once where that pays.
    pub(super) fn wrapped(self) -> Node {
        match (self.wrap, self.node) {
            (true, Node::Scalar(node)) => Node::Scalar(ScalarNode::Once(Box::new(node))),
            (true, Node::Vector(node)) => Node::Vector(VectorNode::Once(Box::new(node))),
            (_, node) => node,
        }
    }
}

impl Node {
    pub(super) fn into_scalar(self) -> Result<ScalarNode, Error> {
        match self {
            Self::Scalar(node) => Ok(node),
            _ => Err(wrong_type("scalar")),
        }
    }

    pub(super) fn into_vector(self) -> Result<VectorNode, Error> {
        match self {
            Self::Vector(node) => Ok(node),
            _ => Err(wrong_type("instant vector")),
        }
    }

    pub(super) fn into_string(self) -> Result<String, Error> {
        match self {
            Self::String(text) => Ok(text),
            _ => Err(wrong_type("string")),
        }
    }
}

/// The parser checks types, so this reports a tree that it did not make.
pub(super) fn wrong_type(wanted: &str) -> Error {
    Error::new(ErrorKind::BadData, format!("expected type {wanted}"))
}

/// What stands inside of parentheses.
pub(super) fn without_parens(mut expr: &Expr) -> &Expr {
    while let Expr::Paren(paren) = expr {
        expr = &paren.expr;
    }
    expr
}

/// One more operator in a row, or the first of one.
fn scalar_chain(lhs: ScalarNode, op: BinaryOp, rhs: ScalarNode) -> ScalarNode {
    let (first, mut rest) = match lhs {
        ScalarNode::Chain { first, rest } => (first, rest),
        lhs => (Box::new(lhs), Vec::new()),
    };
    rest.push((op, rhs));
    ScalarNode::Chain { first, rest }
}

/// The same of vectors.
fn vector_chain(vector: VectorNode, operation: Operation) -> VectorNode {
    let mut chain = match vector {
        VectorNode::Chain(chain) => chain,
        first => Box::new(Chain {
            first,
            rest: Vec::new(),
        }),
    };
    chain.rest.push(operation);
    VectorNode::Chain(chain)
}

impl Lowering<'_> {
    pub(super) fn unsupported(&self, what: impl std::fmt::Display, at: Span) -> Error {
        Error::unsupported(what, position(self.text, at.start))
    }

    pub(super) fn part(&self, expr: &Expr) -> Result<Part, Error> {
        let part = self.part_alone(expr)?;
        Ok(match (part.node, self.repeated.find(expr.span())) {
            (Node::Vector(child), Some(repeated)) => {
                let shared = Shared {
                    part: repeated,
                    span: expr.span(),
                    child,
                };
                Part {
                    node: Node::Vector(VectorNode::Shared(Box::new(shared))),
                    ..part
                }
            }
            (node, _) => Part { node, ..part },
        })
    }

    /// A part as if it stood in the expression once.
    fn part_alone(&self, expr: &Expr) -> Result<Part, Error> {
        match expr {
            Expr::Number(number) => Ok(Part {
                node: Node::Scalar(ScalarNode::Number(number.value)),
                invariant: true,
                wrap: false,
            }),
            Expr::String(string) => Ok(Part {
                node: Node::String(string.value.clone()),
                invariant: true,
                wrap: false,
            }),
            Expr::Vector(selector) => {
                let selector = self.selector(selector)?;
                let invariant = selector.when.at_ms.is_some();
                Ok(Part::of(
                    Node::Vector(VectorNode::Select(selector)),
                    invariant,
                ))
            }
            Expr::Matrix(matrix) => {
                let range = self.range(matrix)?;
                Ok(Part {
                    invariant: range.when.at_ms.is_some(),
                    node: Node::Range(range),
                    wrap: false,
                })
            }
            Expr::Subquery(subquery) => {
                let range = self.subquery(subquery)?;
                Ok(Part {
                    invariant: range.when.at_ms.is_some(),
                    node: Node::Range(range),
                    wrap: false,
                })
            }
            Expr::Call(call) => self.call(call),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Unary(unary) => self.unary(unary),
            Expr::Paren(paren) => self.part(&paren.expr),
        }
    }

    pub(super) fn selector(&self, selector: &VectorSelector) -> Result<Selector, Error> {
        Ok(Selector {
            matchers: selector.matchers.clone(),
            when: self.when(&selector.modifiers)?,
            // `anchored` changes nothing where there is no range.
            smoothed: selector.edges == RangeEdges::Smoothed,
            span: selector.span,
        })
    }

    pub(super) fn when(&self, modifiers: &Modifiers) -> Result<When, Error> {
        Ok(When {
            offset_ms: milliseconds(&modifiers.offset, &self.times, true)?,
            at_ms: modifiers.at.map(|at| match at {
                At::Timestamp(time_ms) => time_ms,
                At::Start => self.times.start_ms,
                At::End => self.times.end_ms,
            }),
        })
    }

    fn range(&self, matrix: &MatrixSelector) -> Result<RangeNode, Error> {
        let selector = self.selector(&matrix.selector)?;
        Ok(RangeNode {
            samples: Samples::Stored(selector.matchers),
            when: selector.when,
            range_ms: milliseconds(&matrix.range, &self.times, false)?,
            edges: matrix.selector.edges,
            span: matrix.span,
        })
    }

    fn subquery(&self, subquery: &Subquery) -> Result<RangeNode, Error> {
        let step_ms = match &subquery.step {
            Some(step) => milliseconds(step, &self.times, false)?,
            None => self.times.subquery_step_ms,
        };
        let child = self.part(&subquery.expr)?;
        Ok(RangeNode {
            samples: Samples::Subquery {
                child: Box::new(child.wrapped().into_vector()?),
                step_ms: step_ms.max(1),
            },
            when: self.when(&subquery.modifiers)?,
            range_ms: milliseconds(&subquery.range, &self.times, false)?,
            edges: RangeEdges::Plain,
            span: subquery.span,
        })
    }

    fn call(&self, call: &ast::Call) -> Result<Part, Error> {
        let mut parts = Vec::with_capacity(call.args.len());
        for argument in &call.args {
            parts.push(self.part(without_parens(argument))?);
        }
        let invariant = parts.iter().all(|part| part.invariant)
            && (!call::depends_on_step(call.function.name) || call::is_timestamp_of_selector(call));
        let arguments = parts
            .into_iter()
            .map(|part| if invariant { part.node } else { part.wrapped() })
            .collect();
        let node = self.call_node(call, arguments)?;
        Ok(Part::of(node, invariant))
    }

    fn aggregate(&self, aggregate: &ast::Aggregate) -> Result<Part, Error> {
        let child = self.part(without_parens(&aggregate.expr))?;
        let parameter = match &aggregate.param {
            None => Parameter::None,
            Some(expr) => {
                let expr = without_parens(expr);
                if let Expr::String(label) = expr
                    && let Some(bytes) = &label.broken
                {
                    let message = format!("invalid label name {}", quote_bytes(bytes));
                    return Err(Error::new(ErrorKind::Execution, message));
                }
                match self.part(expr)?.node {
                    Node::String(label) => Parameter::Label(label),
                    node => Parameter::Scalar(node.into_scalar()?, expr.span()),
                }
            }
        };
        let node = Aggregate {
            op: aggregate.op,
            child: child.node.into_vector()?,
            parameter,
            grouping: aggregate.grouping.clone(),
            span: aggregate.span,
            child_span: aggregate.expr.span(),
        };
        Ok(Part {
            node: Node::Vector(VectorNode::Aggregate(Box::new(node))),
            invariant: child.invariant,
            wrap: child.wrap,
        })
    }

    fn binary(&self, binary: &ast::Binary) -> Result<Part, Error> {
        let (chain, first) = binary.chain();
        let mut lhs = self.part(first)?;
        for operation in chain.into_iter().rev() {
            lhs = self.operation(operation, lhs)?;
        }
        Ok(lhs)
    }

    /// An operation on a left side that is lowered.
    fn operation(&self, binary: &ast::Binary, lhs: Part) -> Result<Part, Error> {
        let rhs = self.part(&binary.rhs)?;
        let invariant = lhs.invariant && rhs.invariant;
        let (lhs, rhs) = if invariant {
            (lhs.node, rhs.node)
        } else {
            (lhs.wrapped(), rhs.wrapped())
        };
        let (op, return_bool) = (binary.op, binary.return_bool);
        let with_scalar = |scalar, scalar_left| {
            Operation::WithScalar(WithScalar {
                op,
                scalar,
                scalar_left,
                return_bool,
                span: binary.span,
            })
        };
        let node = match (lhs, rhs) {
            (Node::Scalar(lhs), Node::Scalar(rhs)) => Node::Scalar(scalar_chain(lhs, op, rhs)),
            (Node::Vector(vector), Node::Scalar(scalar)) => {
                Node::Vector(vector_chain(vector, with_scalar(scalar, false)))
            }
            (Node::Scalar(scalar), Node::Vector(vector)) => {
                Node::Vector(vector_chain(vector, with_scalar(scalar, true)))
            }
            (lhs, rhs) => {
                let matching = binary.matching.clone();
                let operation = Operation::Match(Match {
                    op,
                    rhs: rhs.into_vector()?,
                    matching: matching.ok_or_else(|| wrong_type("scalar"))?,
                    return_bool,
                    span: binary.span,
                });
                Node::Vector(vector_chain(lhs.into_vector()?, operation))
            }
        };
        Ok(Part::of(node, invariant))
    }

    fn unary(&self, unary: &ast::Unary) -> Result<Part, Error> {
        let child = self.part(&unary.expr)?;
        if !unary.negative {
            return Ok(child);
        }
        let node = match child.node {
            Node::Scalar(node) => Node::Scalar(ScalarNode::Negate(Box::new(node))),
            node => Node::Vector(VectorNode::Map {
                child: Box::new(node.into_vector()?),
                function: functions::negate,
                parameters: Vec::new(),
            }),
        };
        Ok(Part {
            node,
            invariant: child.invariant,
            wrap: child.wrap,
        })
    }
}
