//! Flags that bound what remote write takes.

use std::time::Duration;

use clap::Args;

use super::parse_positive;
use crate::config::{LabelLimits, SizeLimits};
use crate::units;

/// The largest size that a flag may set for a request, in bytes.
const REQUEST_BYTES_MAX: u64 = 1 << 30;

/// Limits of remote write.
#[derive(Debug, Args)]
pub(super) struct WriteArgs {
    /// Largest remote-write request as it comes over the wire; larger ones are answered with 413.
    #[arg(long, env = "SILVERBACK_REMOTE_WRITE_MAX_BODY_SIZE", default_value = "32MiB", value_parser = parse_request_size)]
    remote_write_max_body_size: usize,
    /// Largest remote-write request once it is decompressed; larger ones are answered with 413.
    #[arg(long, env = "SILVERBACK_REMOTE_WRITE_MAX_DECODED_SIZE", default_value = "32MiB", value_parser = parse_request_size)]
    remote_write_max_decoded_size: usize,
    /// Memory for all requests in flight, once for their bodies and once for what is made of
    /// them; beyond it requests are answered with 503, to be sent again.
    #[arg(long, env = "SILVERBACK_REMOTE_WRITE_MAX_IN_FLIGHT", default_value = "256MiB", value_parser = parse_memory_size)]
    remote_write_max_in_flight: usize,
    /// How long a client may take to send the body of a request.
    #[arg(long, env = "SILVERBACK_REMOTE_WRITE_BODY_TIMEOUT", default_value = "30s", value_parser = parse_positive)]
    remote_write_body_timeout: Duration,
    /// How many labels a series may have; samples of others are refused.
    #[arg(long, env = "SILVERBACK_MAX_LABELS_PER_SERIES", default_value = "256", value_parser = parse_count)]
    max_labels_per_series: usize,
    /// How many bytes a label name may have.
    #[arg(long, env = "SILVERBACK_MAX_LABEL_NAME_LENGTH", default_value = "1KiB", value_parser = parse_request_size)]
    max_label_name_length: usize,
    /// How many bytes a label value may have, and the help text of a metric.
    #[arg(long, env = "SILVERBACK_MAX_LABEL_VALUE_LENGTH", default_value = "16KiB", value_parser = parse_request_size)]
    max_label_value_length: usize,
}

impl WriteArgs {
    pub(super) fn sizes(&self) -> SizeLimits {
        SizeLimits {
            body_bytes_max: self.remote_write_max_body_size,
            decoded_bytes_max: self.remote_write_max_decoded_size,
            in_flight_bytes_max: self.remote_write_max_in_flight,
            body_deadline: self.remote_write_body_timeout,
        }
    }

    pub(super) fn labels(&self) -> LabelLimits {
        LabelLimits {
            labels_max: self.max_labels_per_series,
            name_bytes_max: self.max_label_name_length,
            value_bytes_max: self.max_label_value_length,
        }
    }
}

/// A size of what one request holds.
fn parse_request_size(text: &str) -> Result<usize, String> {
    let bytes = units::parse_size(text)?;
    if !(1..=REQUEST_BYTES_MAX).contains(&bytes) {
        return Err("must be at least 1 byte and at most 1GiB".to_owned());
    }
    usize::try_from(bytes).map_err(|error| error.to_string())
}

fn parse_memory_size(text: &str) -> Result<usize, String> {
    usize::try_from(units::parse_size(text)?).map_err(|error| error.to_string())
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a whole number, 1 at least".to_owned()),
        Ok(count) => Ok(count),
    }
}
