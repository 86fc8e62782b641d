//! Figures of this process, from `/proc` (proc(5)). Where there is no `/proc` there are none.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::family::Spec;

/// Ticks per second in `/proc/*/stat`: USER_HZ, 100 on every architecture Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;

const CPU_SECONDS: Spec = Spec::counter(
    "process_cpu_seconds_total",
    "Total user and system CPU time spent in seconds.",
);
const RESIDENT_BYTES: Spec = Spec::gauge(
    "process_resident_memory_bytes",
    "Resident memory size in bytes.",
);
const VIRTUAL_BYTES: Spec = Spec::gauge(
    "process_virtual_memory_bytes",
    "Virtual memory size in bytes.",
);
const OPEN_FDS: Spec = Spec::gauge("process_open_fds", "Number of open file descriptors.");
const MAX_FDS: Spec = Spec::gauge(
    "process_max_fds",
    "Maximum number of open file descriptors.",
);
const START_SECONDS: Spec = Spec::gauge(
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
);
const THREADS: Spec = Spec::gauge("process_threads", "Number of OS threads in the process.");

const SPECS: [Spec; 7] = [
    CPU_SECONDS,
    RESIDENT_BYTES,
    VIRTUAL_BYTES,
    OPEN_FDS,
    MAX_FDS,
    START_SECONDS,
    THREADS,
];

/// Reads `/proc` when metrics are gathered.
pub(super) struct ProcessCollector {
    descs: Vec<Desc>,
}

impl ProcessCollector {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            descs: SPECS.iter().map(Spec::desc).collect::<Result<_, _>>()?,
        })
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut families = Vec::new();
        if let Some(stat) = Stat::parse(&read("/proc/self/stat")) {
            families.push(CPU_SECONDS.family(stat.cpu_seconds));
            families.push(THREADS.family(stat.threads));
            families.push(VIRTUAL_BYTES.family(stat.virtual_bytes));
            if let Some(boot_seconds) = boot_seconds(&read("/proc/stat")) {
                families.push(START_SECONDS.family(boot_seconds + stat.start_seconds));
            }
        }
        families.extend(
            resident_bytes(&read("/proc/self/status")).map(|bytes| RESIDENT_BYTES.family(bytes)),
        );
        if let Ok(fds) = fs::read_dir("/proc/self/fd") {
            // The directory itself is open while it is read.
            families.push(OPEN_FDS.family((fds.count() as f64 - 1.0).max(0.0)));
        }
        families.extend(max_fds(&read("/proc/self/limits")).map(|max| MAX_FDS.family(max)));
        families
    }
}

/// What is taken from `/proc/self/stat`.
#[derive(PartialEq, Debug)]
struct Stat {
    cpu_seconds: f64,
    threads: f64,
    /// Since the machine was started.
    start_seconds: f64,
    virtual_bytes: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, spaces and all.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // `number` is the field's number in proc(5); `rest` begins with field 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
            threads: field(20)?,
            start_seconds: field(22)? / TICKS_PER_SECOND,
            virtual_bytes: field(23)?,
        })
    }
}

fn boot_seconds(stat: &str) -> Option<f64> {
    stat.lines()
        .find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

fn resident_bytes(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

fn max_fds(limits: &str) -> Option<f64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read_by_their_fields() {
        let stat = "42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 7 0 1234 8192 99 1";
        assert_eq!(
            Stat::parse(stat),
            Some(Stat {
                cpu_seconds: 2.0,
                threads: 7.0,
                start_seconds: 12.34,
                virtual_bytes: 8192.0
            })
        );
        assert_eq!(Stat::parse("42 (a) S 1"), None);
        assert_eq!(boot_seconds("cpu 1 2\nbtime 1700000000\nx 1"), Some(1.7e9));
        assert_eq!(
            resident_bytes("Name:\tx\nVmRSS:\t    100 kB\n"),
            Some(102_400.0)
        );
        let limits = "Limit  Soft  Hard  Units\nMax open files            1024   4096   files\n";
        assert_eq!(max_fds(limits), Some(1024.0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_all_of_them() {
        let families = ProcessCollector::new().unwrap().collect();
        assert_eq!(families.len(), SPECS.len());
        for family in &families {
            let metric = &family.get_metric()[0];
            let value = metric
                .get_counter()
                .get_value()
                .max(metric.get_gauge().get_value());
            assert!(value >= 0.0, "{}", family.name());
        }
    }
}
