//! Division by what many numbers have in common, without a division for each.

/// A divisor above 0, and what divides by it in one multiplication.
///
/// Of a multiple of an odd number, the product with the number's inverse modulo 2^64 is the
/// quotient; of any other number it is beyond what a quotient can be (Granlund and Montgomery,
/// PLDI 1994). The power of two in a divisor is rotated out: bits that it does not divide come in
/// at the top.
#[derive(Clone, Copy, Debug)]
pub(super) struct Divisor {
    divisor: u64,
    twos: u32,
    inverse: u64,
    quotient_max: u64,
}

impl Divisor {
    fn new(divisor: u64) -> Self {
        let twos = divisor.trailing_zeros();
        let odd = divisor >> twos;
        // Newton's iteration: three bits are right at first, twice as many after each round.
        let mut inverse = odd;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        Self {
            divisor,
            twos,
            inverse,
            quotient_max: u64::MAX / divisor,
        }
    }

    /// The greatest common divisor of numbers; 1 where all are zero.
    pub(super) fn common(numbers: &[u64]) -> u64 {
        let mut found = Self::new(1);
        let mut any = false;
        for &number in numbers {
            if number == 0 || any && found.quotient(number).is_some() {
                continue;
            }
            let common = if any {
                greatest_common_divisor(number, found.divisor)
            } else {
                number
            };
            if common == 1 {
                return 1;
            }
            any = true;
            found = Self::new(common);
        }
        found.divisor
    }

    #[inline]
    fn quotient(self, number: u64) -> Option<u64> {
        let quotient = number.wrapping_mul(self.inverse).rotate_right(self.twos);
        (quotient <= self.quotient_max).then_some(quotient)
    }
}

/// Divides numbers by a common divisor of theirs.
pub(super) fn divide(numbers: &mut [u64], divisor: u64) {
    let divisor = Divisor::new(divisor);
    for number in numbers {
        *number = number
            .wrapping_mul(divisor.inverse)
            .rotate_right(divisor.twos);
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_numbers_have_in_common() {
        for (numbers, common) in [
            (&[][..], 1),
            (&[0, 0], 1),
            (&[0, 12, 0, 18], 6),
            (&[u64::MAX], u64::MAX),
            (&[1 << 63, 3 << 62], 1 << 62),
            (&[15_000, 30_000, 15_001], 1),
        ] {
            assert_eq!(Divisor::common(numbers), common, "{numbers:?}");
        }
    }

    proptest! {
        #[test]
        fn multiples_are_divided_and_others_found(divisor in 1..u64::MAX, shift in 0..64u32, n: u64) {
            let divisor = (divisor >> shift).max(1);
            let multiple = n / divisor * divisor;
            let fast = Divisor::new(divisor);
            prop_assert_eq!(fast.quotient(multiple), Some(n / divisor));
            prop_assert_eq!(fast.quotient(n).is_some(), n == multiple);
            let mut numbers = [multiple, 0, divisor];
            prop_assert_eq!(Divisor::common(&numbers), divisor);
            divide(&mut numbers, divisor);
            prop_assert_eq!(numbers, [n / divisor, 0, 1]);
        }
    }
}
