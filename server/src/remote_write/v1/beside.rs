//! Exemplars and metadata of version 1.0.

use silverback_storage::model::MetricType;

use super::super::beside::{self, EXEMPLAR_LABELS_MAX, FamilyMetadata, ReadExemplar};
use super::super::decode_error::{DecodeError, within};
use super::super::protobuf::{Malformed, Reader};
use super::read_label;

/// Reads an exemplar.
///
/// # Errors
/// Bytes that are not the message.
pub(super) fn exemplar(mut message: Reader<'_>) -> Result<ReadExemplar<'_>, DecodeError> {
    let mut read = ReadExemplar::default();
    while let Some(field) = within("Exemplar", message.next())? {
        match field.number {
            1 if read.labels.len() == EXEMPLAR_LABELS_MAX => {
                let what = Malformed::TooMany("labels of an exemplar", EXEMPLAR_LABELS_MAX);
                return within("Exemplar.labels", Err(what.at(field.offset)));
            }
            1 => match read_label(field)? {
                Ok(label) => read.labels.push(label),
                Err(shown) => read.flaw = Some(format!("label {shown} is not UTF-8")),
            },
            2 => read.value = within("Exemplar.value", field.double())?,
            3 => read.timestamp_ms = within("Exemplar.timestamp", field.int64())?,
            _ => {}
        }
    }
    Ok(read)
}

/// Reads what a sender says of a metric family; a text of what is wrong where that is not UTF-8.
///
/// # Errors
/// Bytes that are not the message.
pub(super) fn metadata(
    mut message: Reader<'_>,
) -> Result<Result<FamilyMetadata<'_>, String>, DecodeError> {
    let (mut metric, mut unit, mut help) = (&[][..], &[][..], &[][..]);
    let mut metric_type = MetricType::Unknown;
    while let Some(field) = within("MetricMetadata", message.next())? {
        match field.number {
            1 => {
                metric_type = beside::metric_type(within("MetricMetadata.type", field.int64())?);
            }
            2 => {
                metric = within("MetricMetadata.metric_family_name", field.message())?.bytes();
            }
            4 => help = within("MetricMetadata.help", field.message())?.bytes(),
            5 => unit = within("MetricMetadata.unit", field.message())?.bytes(),
            _ => {}
        }
    }
    let text = |what: &str, bytes| {
        std::str::from_utf8(bytes).map_err(|_| {
            let metric = String::from_utf8_lossy(metric);
            format!("the {what} of the metadata of {metric:?} is not UTF-8")
        })
    };
    let read = || {
        Ok(FamilyMetadata {
            metric: text("metric name", metric)?,
            metric_type,
            unit: text("unit", unit)?,
            help: text("help", help)?,
        })
    };
    Ok(read())
}
