//! Which encoding a chunk takes.

#[cfg(test)]
use super::clocks::Clock;
use super::clocks::Clocks;
use super::decimal::Decimals;
use super::exceptions::{Split, is_exception};
use super::near_decimal::NearDecimals;
use super::ticks::Ticks;
use super::{constant, decode_chunk, ordered_bits, raw, xor};
#[cfg(test)]
use crate::column::integers::Form;
use crate::column::integers::Plan;

/// Decimals of more bits a value than this are weighed against the encodings of other doubles.
const DEAR_BITS: usize = 24;

/// Encodes chunks; keeps what it needs for that from one to the next.
#[derive(Debug, Default)]
pub(in crate::column) struct Chooser {
    decoded: Vec<f64>,
    clocks: Clocks,
}

/// A way to encode values, and all that it needs.
#[derive(Debug)]
enum Candidate {
    Decimals(Decimals),
    Ticks(Ticks),
    NearDecimals(NearDecimals),
    OrderedBits(Plan),
    Xor { bytes: usize },
    Raw { bytes: usize },
}

impl Candidate {
    fn bytes(&self) -> usize {
        match self {
            Self::Decimals(decimals) => decimals.bytes(),
            Self::Ticks(ticks) => ticks.bytes(),
            Self::NearDecimals(decimals) => decimals.bytes(),
            Self::OrderedBits(plan) => 1 + plan.bytes,
            Self::Xor { bytes } | Self::Raw { bytes } => *bytes,
        }
    }

    fn encode(&self, values: &[f64], out: &mut Vec<u8>) {
        match self {
            Self::Decimals(decimals) => decimals.encode(out),
            Self::Ticks(ticks) => ticks.encode(out),
            Self::NearDecimals(decimals) => decimals.encode(out),
            Self::OrderedBits(plan) => ordered_bits::encode(plan, out),
            Self::Xor { .. } => xor::encode(values, out),
            Self::Raw { .. } => raw::encode(values, out),
        }
    }
}

impl Chooser {
    /// One for many columns, which learns what clocks there are.
    pub(in crate::column) fn learning() -> Self {
        Self {
            clocks: Clocks::searching(),
            ..Self::default()
        }
    }

    /// Appends a chunk of at least one value.
    pub(in crate::column) fn encode(&mut self, values: &[f64], out: &mut Vec<u8>) {
        if let Some(value) = constant::value_of(values) {
            return constant::encode(value, out);
        }
        let start = out.len();
        if values.iter().copied().any(is_exception)
            && let Some(split) = Split::new(values)
        {
            split.encode(out);
            match constant::value_of(&split.others) {
                Some(value) => constant::encode(value, out),
                None => self.encode_others(&split.others, out),
            }
            let encoded = out.get(start..).unwrap_or_default();
            // Not weighed against XORs, which a NaN costs more than an entry of the list.
            if encoded.len() <= raw::bytes(values.len()) && self.is_right(values, encoded) {
                return;
            }
            out.truncate(start);
        }
        self.encode_others(values, out);
    }

    /// Appends values that are not all the same, in the smallest encoding that gives them back.
    fn encode_others(&mut self, values: &[f64], out: &mut Vec<u8>) {
        let start = out.len();
        for candidate in candidates(values, &mut self.clocks) {
            candidate.encode(values, out);
            let encoded = out.get(start..).unwrap_or_default();
            let short = encoded.len() <= raw::bytes(values.len());
            if short && self.is_right(values, encoded) {
                return;
            }
            out.truncate(start);
        }
        raw::encode(values, out);
    }

    /// Whether a chunk is these values, to the bit.
    fn is_right(&mut self, values: &[f64], encoded: &[u8]) -> bool {
        self.decoded.resize(values.len(), 0.0);
        let mut input = encoded;
        decode_chunk(&mut input, &mut self.decoded).is_ok()
            && input.is_empty()
            && values
                .iter()
                .map(|v| v.to_bits())
                .eq(self.decoded.iter().map(|v| v.to_bits()))
    }
}

/// The encodings that may be the smallest, the smallest first. All are planned, none is written.
fn candidates(values: &[f64], clocks: &mut Clocks) -> Vec<Candidate> {
    let mut found = Vec::new();
    if let Some(decimals) = Decimals::best(values) {
        let ticks = clocks.ticks(&decimals);
        let ticks = ticks.filter(|ticks| ticks.bytes() < decimals.bytes());
        found.extend(ticks.map(Candidate::Ticks));
        let dear = decimals.bytes() * 8 > values.len() * DEAR_BITS;
        found.push(Candidate::Decimals(decimals));
        if !dear {
            return found;
        }
    } else {
        found.extend(NearDecimals::best(values).map(Candidate::NearDecimals));
    }
    found.extend(ordered_bits::plan(values).map(Candidate::OrderedBits));
    found.push(Candidate::Xor {
        bytes: xor::bytes(values),
    });
    found.push(Candidate::Raw {
        bytes: raw::bytes(values.len()),
    });
    found.sort_by_key(Candidate::bytes);
    found
}

/// An encoding, named.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::column) enum Encoding {
    Constant,
    Decimals(Form),
    /// Ticks of so many units.
    Ticks(f64),
    NearDecimals,
    OrderedBits(Form),
    Xor,
    Raw,
}

/// Appends a chunk of values in one encoding; says whether they can be encoded so.
#[cfg(test)]
pub(in crate::column) fn encode_as(encoding: Encoding, values: &[f64], out: &mut Vec<u8>) -> bool {
    let candidate = match encoding {
        Encoding::Constant => {
            let value = constant::value_of(values);
            value.inspect(|&value| constant::encode(value, out));
            return value.is_some();
        }
        Encoding::Decimals(form) => Decimals::of(values, form).map(Candidate::Decimals),
        Encoding::Ticks(units) => Decimals::of(values, Form::Plain).and_then(|decimals| {
            let clock = Clock::new(decimals.exponent(), units)?;
            Ticks::split_all(&decimals, clock).map(Candidate::Ticks)
        }),
        Encoding::NearDecimals => NearDecimals::best(values).map(Candidate::NearDecimals),
        Encoding::OrderedBits(form) => {
            ordered_bits::plan_of(values, form).map(Candidate::OrderedBits)
        }
        Encoding::Xor => Some(Candidate::Xor { bytes: 0 }),
        Encoding::Raw => Some(Candidate::Raw { bytes: 0 }),
    };
    let Some(candidate) = candidate else {
        return false;
    };
    candidate.encode(values, out);
    true
}
