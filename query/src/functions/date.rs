//! Functions of moments: `hour`, `month`, `year` and their kin, always in UTC.
//!
//! Days become dates by counting from 1 March of year 0 in the Gregorian calendar, so that the
//! day that leap years add is the last of a year.

use super::ColumnFunction;
use crate::eval::column::each_present;

pub(super) static FUNCTIONS: &[(&str, ColumnFunction)] = &[
    ("day_of_month", |values, _| each(values, |date| date.day)),
    ("day_of_week", |values, _| each(values, |date| date.weekday)),
    ("day_of_year", |values, _| each(values, Date::day_of_year)),
    ("days_in_month", |values, _| {
        each(values, Date::days_in_month);
    }),
    ("hour", |values, _| each(values, |date| date.second / 3600)),
    ("minute", |values, _| {
        each(values, |date| date.second / 60 % 60);
    }),
    ("month", |values, _| each(values, |date| date.month)),
    ("year", |values, _| each(values, |date| date.year)),
];

const SECONDS_A_DAY: i128 = 86_400;
const DAYS_IN_400_YEARS: i128 = 146_097;
/// From 1 March of year 0 to 1 January 1970.
const DAYS_TO_EPOCH: i128 = 719_468;

fn each(values: &mut [f64], part: impl Fn(&Date) -> i64) {
    each_present(values, |seconds| part(&Date::at(seconds)) as f64);
}

/// A moment as `2006-01-02T15:04:05Z`.
pub(crate) fn rfc3339(epoch_s: i64) -> String {
    let date = Date::at_second(i128::from(epoch_s));
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year,
        date.month,
        date.day,
        date.second / 3600,
        date.second / 60 % 60,
        date.second % 60,
    )
}

/// A moment taken apart.
struct Date {
    year: i64,
    /// 1 to 12.
    month: i64,
    /// 1 to 31.
    day: i64,
    /// 0 for Sunday to 6.
    weekday: i64,
    /// Of the day.
    second: i64,
}

impl Date {
    /// The date so many seconds after the Unix epoch, fractions cut off.
    fn at(seconds: f64) -> Self {
        Self::at_second(epoch_seconds(seconds))
    }

    fn at_second(seconds: i128) -> Self {
        let days = seconds.div_euclid(SECONDS_A_DAY);
        let since_march = days + DAYS_TO_EPOCH;
        let era = since_march.div_euclid(DAYS_IN_400_YEARS);
        let day_of_era = since_march.rem_euclid(DAYS_IN_400_YEARS);
        // Leap days fall every 4 years but not every 100 but every 400.
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // From March on, months of 31, 30, 31, 30, 31 days repeat every 153 days.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = era * 400 + year_of_era + i128::from(month <= 2);
        Self {
            year: year as i64,
            month: month as i64,
            day: day as i64,
            // The epoch was a Thursday.
            weekday: (days + 4).rem_euclid(7) as i64,
            second: seconds.rem_euclid(SECONDS_A_DAY) as i64,
        }
    }

    fn is_leap_year(&self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    fn days_in_month(&self) -> i64 {
        match self.month {
            2 => 28 + i64::from(self.is_leap_year()),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// 1 to 366.
    fn day_of_year(&self) -> i64 {
        const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let leap_day = i64::from(self.month > 2 && self.is_leap_year());
        BEFORE[self.month as usize - 1] + self.day + leap_day
    }
}

/// The seconds that Prometheus on x86-64 takes for a value: what is no i64 becomes the smallest
/// one, and so far from the epoch Go's time wraps around.
fn epoch_seconds(value: f64) -> i128 {
    /// From Go's absolute zero to the epoch (Go `time/time.go`, `unixToAbsolute`).
    const TO_EPOCH: i128 = 9_223_372_028_741_760_000;
    let fits = value >= i64::MIN as f64 && value < i64::MAX as f64;
    let seconds = if fits { value as i64 } else { i64::MIN };
    let absolute = (seconds as u64).wrapping_add(TO_EPOCH as u64);
    i128::from(absolute) - TO_EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(seconds: f64) -> [f64; 8] {
        std::array::from_fn(|at| {
            let mut values = [seconds];
            FUNCTIONS[at].1(&mut values, &[]);
            values[0]
        })
    }

    #[test]
    fn moments_are_printed() {
        assert_eq!(rfc3339(1_709_251_199), "2024-02-29T23:59:59Z");
    }

    #[test]
    fn moments_are_taken_apart() {
        // In the order of the table: day, weekday, day of year, days in month, hour, minute,
        // month, year.
        assert_eq!(parts(0.0), [1.0, 4.0, 1.0, 31.0, 0.0, 0.0, 1.0, 1970.0]);
        // 2024-02-29T23:59:59.9Z
        assert_eq!(
            parts(1_709_251_199.9),
            [29.0, 4.0, 60.0, 29.0, 23.0, 59.0, 2.0, 2024.0]
        );
        // 2100-03-01T00:00:00Z: no leap year.
        assert_eq!(
            parts(4_107_542_400.0),
            [1.0, 1.0, 60.0, 31.0, 0.0, 0.0, 3.0, 2100.0]
        );
        // 1969-12-31T23:59:59Z
        assert_eq!(
            parts(-1.0),
            [31.0, 3.0, 365.0, 31.0, 23.0, 59.0, 12.0, 1969.0]
        );
    }
}
