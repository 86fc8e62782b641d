//! Floats as Go writes them: the shortest decimal digits that read back as the same float and,
//! of two such texts that are equally near, the one whose last digit is even (`strconv`, format
//! precision -1). Rust's own formatting takes the upper of the two.

/// Digits of the longest shortest decimal, and the zero that `ryu` puts behind a point.
const DIGITS_MAX: usize = 18;

/// A finite float: `0.DIGITS` times ten to the power of `point`.
pub(crate) struct Decimal {
    negative: bool,
    digits: [u8; DIGITS_MAX],
    count: usize,
    point: i32,
}

impl Decimal {
    /// The shortest decimal of a float; none for NaN and the infinities.
    pub(crate) fn shortest(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let mut buffer = ryu::Buffer::new();
        let text = buffer.format_finite(value);
        let text = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let whole = mantissa.find('.').unwrap_or(mantissa.len());
        let mut decimal = Self {
            negative: value.is_sign_negative(),
            digits: [b'0'; DIGITS_MAX],
            count: 0,
            point: exponent.parse::<i32>().unwrap_or(0) + whole as i32,
        };
        for digit in mantissa.bytes().filter(u8::is_ascii_digit) {
            if decimal.count == 0 && digit == b'0' {
                decimal.point -= 1;
            } else if let Some(place) = decimal.digits.get_mut(decimal.count) {
                *place = digit;
                decimal.count += 1;
            }
        }
        while decimal.digits().last() == Some(&b'0') {
            decimal.count -= 1;
        }
        if decimal.count == 0 {
            (decimal.count, decimal.point) = (1, 1);
        }
        Some(decimal)
    }

    /// The power of ten of the first digit.
    pub(crate) fn exponent(&self) -> i32 {
        self.point - 1
    }

    fn digits(&self) -> &[u8] {
        &self.digits[..self.count]
    }

    /// Go's format `f`: no exponent.
    pub(crate) fn write_plain(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        let zeros = |out: &mut Vec<u8>, count: usize| out.resize(out.len() + count, b'0');
        match usize::try_from(self.point) {
            Ok(whole) if whole >= self.count => {
                out.extend_from_slice(self.digits());
                zeros(out, whole - self.count);
            }
            Ok(whole) if whole > 0 => {
                let (whole, part) = self.digits().split_at(whole);
                out.extend_from_slice(whole);
                out.push(b'.');
                out.extend_from_slice(part);
            }
            _ => {
                out.extend_from_slice(b"0.");
                zeros(out, self.point.unsigned_abs() as usize);
                out.extend_from_slice(self.digits());
            }
        }
    }

    /// Go's format `e`: `1.5e-09`, an exponent with a sign and two digits at least.
    pub(crate) fn write_scientific(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        let (first, rest) = self.digits().split_at(1);
        out.extend_from_slice(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        let exponent = self.exponent();
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
    }
}

/// Appends a float without an exponent; `NaN`, `+Inf` and `-Inf` by name.
pub fn write_plain_float(out: &mut Vec<u8>, value: f64) {
    write_float(out, value, Decimal::write_plain);
}

/// Appends a float with an exponent (`1.5e-09`); `NaN`, `+Inf` and `-Inf` by name.
pub fn write_scientific_float(out: &mut Vec<u8>, value: f64) {
    write_float(out, value, Decimal::write_scientific);
}

fn write_float(out: &mut Vec<u8>, value: f64, write: impl FnOnce(&Decimal, &mut Vec<u8>)) {
    match Decimal::shortest(value) {
        Some(decimal) => write(&decimal, out),
        None if value.is_nan() => out.extend_from_slice(b"NaN"),
        None if value > 0.0 => out.extend_from_slice(b"+Inf"),
        None => out.extend_from_slice(b"-Inf"),
    }
}

/// The text that something writes into a buffer.
pub(crate) fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(value: f64) -> String {
        text(|out| write_plain_float(out, value))
    }

    fn scientific(value: f64) -> String {
        text(|out| write_scientific_float(out, value))
    }

    #[test]
    fn of_two_equally_near_texts_the_even_one_is_taken() {
        // What Prometheus 3.5.3 answered.
        for (fraction, expected) in [
            (0.8125, "20053522829578.812"),
            (0.3125, "20053522829578.312"),
            (0.0625, "20053522829578.062"),
            (0.4375, "20053522829578.438"),
            (0.1875, "20053522829578.188"),
        ] {
            assert_eq!(plain(20_053_522_829_578.0 + fraction), expected);
        }
    }

    #[test]
    fn texts_of_all_sizes() {
        for (value, expected_plain, expected_scientific) in [
            (0.0, "0", "0e+00"),
            (-0.0, "-0", "-0e+00"),
            (1.0, "1", "1e+00"),
            (-1230.0, "-1230", "-1.23e+03"),
            (0.5, "0.5", "5e-01"),
            (0.001_25, "0.00125", "1.25e-03"),
            (1.5e-9, "0.0000000015", "1.5e-09"),
            (1e21, "1000000000000000000000", "1e+21"),
            (
                9_007_199_254_740_991.0,
                "9007199254740991",
                "9.007199254740991e+15",
            ),
            (123_456.789, "123456.789", "1.23456789e+05"),
            (f64::NAN, "NaN", "NaN"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
        ] {
            assert_eq!(plain(value), expected_plain);
            assert_eq!(scientific(value), expected_scientific);
        }
        assert_eq!(scientific(f64::MAX), "1.7976931348623157e+308");
        assert_eq!(scientific(5e-324), "5e-324");
    }

    proptest! {
        #[test]
        fn texts_read_back_and_are_as_short_as_can_be(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            for text in [plain(value), scientific(value)] {
                prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
            }
            prop_assert_eq!(plain(value).len(), value.to_string().len());
        }
    }
}
