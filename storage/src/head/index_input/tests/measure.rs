//! Figures for ADR 5: `cargo test --release -p silverback-storage measure_index -- --ignored
//! --nocapture`. Wants `SILVERBACK_DATA_DIR_RECORDING` for real exporters' series.

use std::time::Duration;

use super::*;

#[test]
#[ignore = "prints figures"]
fn measure_index() {
    let recording = std::env::var("SILVERBACK_DATA_DIR_RECORDING").ok();
    if let Some(dir) = recording {
        let exporters = ["node", "prometheus", "victoriametrics"].map(|name| exporter(&dir, name));
        report(
            "recording, 96 targets",
            recorded(&exporters, 96).into_iter(),
        );
        let mut sorted = recorded(&exporters, 96);
        sorted.sort_by(|a, b| a.iter().cmp(b.iter()));
        report("the same, sorted by labels", sorted.into_iter());
    }
    report("fleet, 54,000 series", fleet::series(62));
    report("fleet, 1,000,000 series", fleet::series(1150));
    let own = (0..1_000_000u32).map(|n| {
        let pod = format!("pod-{:08x}-{n}", n.wrapping_mul(0x9e37_79b9));
        let pairs = [
            ("__name__", "up"),
            ("cluster", "a"),
            ("instance", pod.as_str()),
        ];
        Labels::from_pairs(pairs).unwrap()
    });
    report("1,000,000 series, an instance each", own);
}

fn report(what: &str, series: impl Iterator<Item = Labels>) {
    let head = head_of(series, |_| true);
    let dir = tempfile::tempdir().unwrap();
    let sys = Sys::real();
    let started = sys.clock.monotonic();
    let (file, refs) = written(&sys, &dir.path().join("index"), &head);
    let took = sys.clock.monotonic() - started;
    let index = StoredIndex::open(&file, &refs).unwrap();
    let rows = index.rows();
    println!(
        "{what}: {rows} series, {} symbols, written in {took:?}",
        index.symbols()
    );
    let [symbols, names, postings, series] = refs
        .section_refs()
        .map(|at| at.bytes as f64 / f64::from(rows));
    println!(
        "  bytes a series: symbols {symbols:.2}, names {names:.2}, postings {postings:.2}, \
         series {series:.2}, all {:.2}",
        symbols + names + postings + series
    );
    ask("file", &index);
    ask("memory", &in_memory(&*file, &refs));
}

/// The same index where its bytes are borrowed.
fn in_memory(file: &dyn File, refs: &IndexRefs) -> StoredIndex {
    #[derive(Debug)]
    struct Mapped(Vec<u8>);
    impl crate::section::Bytes for Mapped {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn get(
            &self,
            offset: u64,
            bytes: usize,
        ) -> Result<Cow<'_, [u8]>, crate::section::SectionError> {
            crate::section::Bytes::get(self.0.as_slice(), offset, bytes)
        }
    }
    let bytes = refs.section_refs().map(|at| {
        let bytes = file.bytes(at.offset, at.bytes as usize).unwrap();
        Box::new(Mapped(bytes.into_owned())) as Box<dyn crate::section::Bytes>
    });
    StoredIndex::from_bytes(bytes, refs).unwrap()
}

fn ask(what: &str, index: &StoredIndex) {
    let rows = index.rows();
    let mut out = Vec::new();
    let single = time(2000, |n| {
        out.clear();
        let row = (u64::from(n) * 2_654_435_761 % u64::from(rows)) as u32;
        index.symbols_of(row, &mut out).unwrap();
    });
    let all: Vec<u32> = (0..rows).collect();
    let mut labels = 0;
    let scan = time(1, |_| {
        index
            .symbols_of_rows(&all, |_, own| labels += own.len())
            .unwrap();
    });
    println!("  {what}: a row {single:?}, a row of all {:?}", scan / rows);
    for name in ["__name__", "instance", "le"] {
        let mut count = 0;
        let took = time(3, |_| count = index.label_values(name, None).unwrap().len());
        println!("  {what}: {count} values of {name} in {took:?}");
    }
    for (op, name, value) in [
        (MatchOp::Equal, "__name__", "up"),
        (MatchOp::Equal, "job", "node"),
        (MatchOp::Equal, "le", "0.1"),
        (MatchOp::Regex, "instance", "10\\.0\\.0\\..*"),
        (MatchOp::Regex, "instance", "pod-0.*"),
        (MatchOp::Regex, "__name__", ".*_total"),
        (MatchOp::NotEqual, "le", ""),
    ] {
        let matchers = [Matcher::new(op, name, value).unwrap()];
        let mut count = 0;
        let took = time(3, |_| count = index.evaluate(&matchers).unwrap().len());
        println!("  {what}: {} finds {count} in {took:?}", matchers[0]);
    }
    let some: RoaringBitmap = (0..rows).step_by(10).collect();
    let took = time(3, |_| {
        drop(index.label_values("instance", Some(&some)).unwrap());
    });
    println!("  {what}: instance of every 10th row in {took:?}");
    let took = time(3, |_| drop(index.label_names(Some(&some)).unwrap()));
    println!("  {what}: names of every 10th row in {took:?}");
}

fn time(count: u32, mut run: impl FnMut(u32)) -> Duration {
    // The quickest of some: others use the machine, too.
    let clock = Sys::real().clock;
    let rounds = (0..5).map(|_| {
        let started = clock.monotonic();
        (0..count).for_each(&mut run);
        (clock.monotonic() - started) / count
    });
    rounds.min().unwrap_or_default()
}

/// The series of a recorded exporter, without the labels of a target.
fn exporter(dir: &str, name: &str) -> Vec<Vec<(String, String)>> {
    let path = Path::new(dir).join(format!("{name}.series.txt"));
    let file = Sys::real().disk.open_read(&path).unwrap();
    let bytes = file.bytes(0, file.len().unwrap() as usize).unwrap();
    let text = String::from_utf8(bytes.into_owned()).unwrap();
    let parse = |line: &str| {
        let (metric, labels) = line.split_once('{').unwrap_or((line, "}"));
        let mut pairs = vec![("__name__".to_owned(), metric.to_owned())];
        let labels = labels.trim_end_matches('}');
        for label in labels.split("\",").filter(|label| !label.is_empty()) {
            let (name, value) = label.split_once("=\"").unwrap();
            pairs.push((name.to_owned(), value.trim_end_matches('"').to_owned()));
        }
        pairs
    };
    text.lines().map(parse).collect()
}

/// A fleet of recorded exporters.
fn recorded(exporters: &[Vec<Vec<(String, String)>>; 3], targets: u32) -> Vec<Labels> {
    let mut all = Vec::new();
    for target in 0..targets {
        let kind = [0, 0, 0, 0, 0, 1, 2][target as usize % 7];
        let job = ["node", "prometheus", "victoriametrics"][kind];
        let shared = [
            ("cluster", format!("production-{}", target % 2)),
            (
                "instance",
                format!("10.0.{}.{}:9104", target / 256, target % 256),
            ),
            ("job", job.to_owned()),
            (
                "zone",
                format!("eu-west-1{}", ["a", "b", "c"][target as usize % 3]),
            ),
        ];
        for own in &exporters[kind] {
            let mut pairs: Vec<(String, String)> = shared
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect();
            for (name, value) in own {
                let is_taken = shared.iter().any(|(other, _)| other == name);
                let exported = if is_taken { "exported_" } else { "" };
                pairs.push((format!("{exported}{name}"), value.clone()));
            }
            let pairs = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()));
            all.push(Labels::from_pairs(pairs).unwrap());
        }
    }
    all
}
