//! The records as tables in Markdown.

use super::Record;

const COSTS: [&str; 14] = [
    "peer",
    "samples / CPU s",
    "CPU s",
    "wall s, send + end",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "max ms",
    "RSS idle MiB, anon + file",
    "RSS peak MiB, anon + file",
    "disk MiB, apparent / allocated",
    "B / sample, compacted",
    "read back",
    "others' cores",
];

const LATENCIES: [&str; 14] = [
    "peer",
    "loop, connections",
    "M samples / s, full / asked / sent",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "max ms",
    "above 1 s",
    "sender's p99 ms",
    "bare sync p99 ms, alone / beside",
    "p99 by it, alone / beside",
    "RSS MiB, first / last half",
    "MiB / min, last half",
    "flushes, merges",
];

/// What each run cost, one a row.
pub fn costs(records: &[Record]) -> String {
    table(COSTS, records.iter().map(cost_cells))
}

/// How long requests took in each run and what went on meanwhile, one a row. `-` stands where a
/// run had nothing of the kind.
pub fn latencies(records: &[Record]) -> String {
    table(LATENCIES, records.iter().map(latency_cells))
}

fn table<const N: usize>(head: [&str; N], cells: impl Iterator<Item = [String; N]>) -> String {
    let mut rows = vec![head.map(str::to_owned), head.map(|_| "---".to_owned())];
    rows.extend(cells);
    let lines = rows
        .iter()
        .map(|cells| format!("| {} |\n", cells.join(" | ")));
    lines.collect()
}

fn mib(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / f64::from(1 << 20))
}

fn cost_cells(record: &Record) -> [String; COSTS.len()] {
    let compacted = record.disk_compacted.unwrap_or(record.disk);
    let samples = record.samples_sent.max(1) as f64;
    let (idle, peak, disk) = (record.rss_idle, record.rss_peak, record.disk);
    [
        format!("{} {}", record.peer, record.version),
        format!("{:.2} M", record.samples_per_cpu_s / 1e6),
        format!("{:.2}", record.cpu_s),
        format!("{:.1} + {:.1}", record.send_s, record.end_s),
        format!("{:.1}", record.latency.p50_ms),
        format!("{:.1}", record.latency.p99_ms),
        format!("{:.1}", record.latency.p999_ms),
        format!("{:.0}", record.latency.max_ms),
        format!("{} + {}", mib(idle.anon_bytes), mib(idle.file_bytes)),
        format!("{} + {}", mib(peak.anon_bytes), mib(peak.file_bytes)),
        format!(
            "{} / {}",
            mib(disk.apparent_bytes),
            mib(disk.allocated_bytes)
        ),
        format!("{:.2}", compacted.apparent_bytes as f64 / samples),
        if record.is_whole() {
            "all".to_owned()
        } else {
            format!(
                "{} of {}",
                record.samples_read_back, record.samples_expected
            )
        },
        format!("{:.2}", record.noise.others_cores),
    ]
}

fn latency_cells(record: &Record) -> [String; LATENCIES.len()] {
    let (pace, latency) = (record.pace, record.latency);
    let open = pace.asked_samples_per_s.is_some();
    let or_dash = |value: Option<f64>, scale: f64, digits: usize| {
        value.map_or("-".to_owned(), |value| {
            format!("{:.digits$}", value / scale)
        })
    };
    let memory = record.course.as_ref().and_then(|course| course.memory);
    let alone = record.sync.map(|sync| sync.alone.p99_ms);
    let beside = record.sync.and_then(|sync| Some(sync.beside?.p99_ms));
    let ratio = |sync: Option<f64>| sync.map(|sync| latency.p99_ms / sync.max(1e-3));
    [
        format!("{} {}", record.peer, record.version),
        format!(
            "{}, {}",
            if open { "open" } else { "closed" },
            record.load.connections
        ),
        format!(
            "{} / {} / {}",
            or_dash(pace.full_samples_per_s, 1e6, 2),
            or_dash(pace.asked_samples_per_s, 1e6, 2),
            or_dash(Some(pace.sent_samples_per_s), 1e6, 2)
        ),
        format!("{:.2}", latency.p50_ms),
        format!("{:.2}", latency.p99_ms),
        format!("{:.1}", latency.p999_ms),
        format!("{:.0}", latency.max_ms),
        latency.above_1s.to_string(),
        or_dash(open.then_some(latency.sender_p99_ms), 1.0, 2),
        format!("{} / {}", or_dash(alone, 1.0, 2), or_dash(beside, 1.0, 2)),
        format!(
            "{} / {}",
            or_dash(ratio(alone), 1.0, 1),
            or_dash(ratio(beside), 1.0, 1)
        ),
        memory.map_or("-".to_owned(), |memory| {
            let (first, last) = (memory.first_half_bytes, memory.last_half_bytes);
            format!("{} / {}", mib(first), mib(last))
        }),
        or_dash(
            memory.map(|memory| memory.slope_bytes_per_min),
            f64::from(1 << 20),
            1,
        ),
        format!(
            "{}, {}",
            or_dash(record.background.flushes, 1.0, 0),
            or_dash(record.background.merges, 1.0, 0)
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::course::{Course, Trend};
    use super::super::tests::record;
    use super::super::{SyncRecord, SyncTimes};
    use super::*;
    use crate::error::Result;
    use crate::peer::Background;

    fn columns(table: &str) -> Vec<usize> {
        table
            .lines()
            .map(|line| line.matches('|').count())
            .collect()
    }

    #[test]
    fn a_table_has_a_row_a_record() -> Result<()> {
        let mut lost = record()?;
        lost.samples_read_back = 999;
        lost.wrong.push("{a=\"b\"}".to_owned());
        let table = costs(&[record()?, lost]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(columns(&table), [COSTS.len() + 1; 4]);
        assert!(lines[2].starts_with("| prometheus 3.5.3 | 0.00 M | 0.50 | 1.0 + 2.0 |"));
        assert!(
            lines[2].ends_with("| 4 / 8 | 1.50 | all | 0.25 |"),
            "{}",
            lines[2]
        );
        assert!(lines[3].ends_with("| 999 of 1000 | 0.25 |"));
        Ok(())
    }

    #[test]
    fn an_open_loop_is_told_from_a_closed_one() -> Result<()> {
        let closed = record()?;
        let mut open = record()?;
        open.pace.full_samples_per_s = Some(4e6);
        open.pace.asked_samples_per_s = Some(2e6);
        let times = |p99_ms: f64| SyncTimes {
            syncs: 100,
            p50_ms: 0.1,
            p99_ms,
            max_ms: 9.0,
        };
        open.sync = Some(SyncRecord {
            bytes: 8_192,
            alone: times(0.5),
            beside: Some(times(0.8)),
        });
        open.course = Some(Course {
            memory: Some(Trend {
                first_half_bytes: 90 << 20,
                last_half_bytes: 91 << 20,
                first_half_anon_bytes: 0,
                last_half_anon_bytes: 0,
                slope_bytes_per_min: f64::from(1 << 19),
            }),
            ..Course::default()
        });
        open.background = Background {
            flushes: Some(12.0),
            ..Background::default()
        };
        let table = latencies(&[closed, open]);
        assert_eq!(columns(&table), [LATENCIES.len() + 1; 4]);
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[2].ends_with(
                "| closed, 4 | - / - / 0.00 | 1.00 | 2.00 | 2.5 | 3 | 0 | - | - / - | - / - | - \
                 | - | -, - |"
            ),
            "{}",
            lines[2]
        );
        assert!(
            lines[3].ends_with(
                "| open, 4 | 4.00 / 2.00 / 0.00 | 1.00 | 2.00 | 2.5 | 3 | 0 | 0.00 | 0.50 / 0.80 \
                 | 4.0 / 2.5 | 90 / 91 | 0.5 | 12, - |"
            ),
            "{}",
            lines[3]
        );
        Ok(())
    }
}
