//! Crashes at every operation: what was acknowledged is there, what was not written is not.

use std::collections::HashMap;

use super::*;
use crate::sys::sim::{Fault, Rng};

/// What a log must and may hold.
#[derive(Default)]
struct Expected {
    /// Acknowledged, or seen by a replay, and not covered.
    kept: Vec<Record>,
    /// Written since then.
    tried: Vec<Record>,
    /// The epoch that each seq was last written in.
    epochs: HashMap<Seq, u64>,
    covered: Seq,
}

impl Expected {
    /// Compares with what a replay gave, and goes on from there.
    fn check(&mut self, replayed: &Replayed, context: &str) {
        let recovery = &replayed.recovery;
        assert!(
            recovery.damage.is_empty(),
            "{context}: {:?}",
            recovery.damage
        );
        let all = [self.kept.as_slice(), &self.tried].concat();
        let count = replayed.records.len();
        assert!(
            count >= self.kept.len(),
            "{context}: {} records acknowledged, {count} there",
            self.kept.len()
        );
        assert!(
            count <= all.len() && replayed.records == all[..count],
            "{context}: seqs {:?}, want a prefix of {:?}",
            replayed.seqs(),
            all.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>()
        );
        for ((seq, _), epoch) in replayed.records.iter().zip(&replayed.epochs) {
            let written = self.epochs.get(seq).unwrap_or(&1);
            assert_eq!(epoch, written, "{context}: epoch of record {seq}");
        }
        let last = replayed.records.last().map_or(Seq::ZERO, |(seq, _)| *seq);
        assert_eq!(recovery.last_seq, last.max(self.covered), "{context}");
        self.kept = replayed.records.clone();
        self.tried.clear();
    }

    fn options(&self) -> ReplayOptions {
        ReplayOptions {
            covered_seq: self.covered,
            ..ReplayOptions::default()
        }
    }
}

/// From opening to the first failure, or a number of groups.
fn live(log: &Log, expected: &mut Expected, rng: &mut Rng, context: &str) {
    let Ok(replayed) = log.replay_with(expected.options()) else {
        return;
    };
    expected.check(&replayed, context);
    let mut writer = log.writer(&replayed.recovery);
    for _ in 0..rng.below(30) {
        if rng.chance(10) && writer.begin_epoch(writer.epoch() + 1).is_err() {
            return;
        }
        let first = writer.last_seq().0 + 1;
        let salt = rng.next_u64() % 1000;
        let group: Vec<Record> = (0..=rng.below(4))
            .map(|i| record(first + i, salt, rng.below(80) as u32))
            .collect();
        expected.tried.extend(group.iter().cloned());
        let epochs = group.iter().map(|(seq, _)| (*seq, writer.epoch()));
        expected.epochs.extend(epochs);
        if writer.append(slices(&group)).is_err() {
            return;
        }
        if rng.chance(80) {
            if writer.sync().is_err() {
                return;
            }
            expected.kept.append(&mut expected.tried);
        }
        if rng.chance(10)
            && let Some((seq, _)) = expected.kept.get(rng.below(10) as usize)
        {
            expected.covered = *seq;
            expected.kept.retain(|(seq, _)| *seq > expected.covered);
            if rng.chance(30) && writer.complete_file().is_err() {
                return;
            }
            if writer
                .files()
                .drop_through(expected.covered, &|| ())
                .is_err()
            {
                return;
            }
        }
    }
}

fn run(seed: u64) {
    let mut rng = Rng::new(!seed);
    let log = Log::new(seed, 1500 + rng.below(3000));
    let mut expected = Expected::default();
    for life in 0..8 {
        let context = format!("seed {seed}, life {life}");
        let fault = if rng.chance(75) {
            Fault::Crash
        } else {
            Fault::Eio
        };
        log.disk.fail_at(log.disk.ops() + rng.below(70), fault);
        live(&log, &mut expected, &mut rng, &context);
        log.disk.clear_faults();
        // Power is cut, or the process alone ends.
        if rng.chance(60) {
            log.disk.crash();
        } else {
            log.disk.kill();
        }
    }
    expected.check(
        &log.replay_with(expected.options()).unwrap(),
        &format!("seed {seed}"),
    );
}

#[test]
fn acknowledged_records_survive_crashes_and_failures() {
    for seed in 0..500 {
        run(seed);
    }
}

/// Groups that fill several files, with a crash at operation `op`; `false` once there is no
/// such operation.
fn crash_at(op: u64, seed: u64) -> bool {
    let log = Log::new(seed, 900);
    let mut expected = Expected::default();
    let mut writer = log.open();
    let context = format!("crash at {op}, seed {seed}");
    log.disk.fail_at(log.disk.ops() + op, Fault::Crash);
    for group in 0..6 {
        let records: Vec<Record> = (1..=3).map(|i| record(group * 3 + i, 0, 20)).collect();
        expected.tried.extend(records.iter().cloned());
        if writer.append(slices(&records)).is_err() || writer.sync().is_err() {
            break;
        }
        expected.kept.append(&mut expected.tried);
    }
    let crashed = log.disk.is_down();
    // Recovery may be cut short by a crash, too.
    log.disk.crash();
    for op in 0..6 {
        log.disk.fail_at(log.disk.ops() + op, Fault::Crash);
        if let Ok(replayed) = log.replay_with(ReplayOptions::default()) {
            expected.check(&replayed, &context);
        }
        log.disk.clear_faults();
        log.disk.crash();
    }
    expected.check(&log.replay(), &context);
    crashed
}

#[test]
fn a_crash_at_any_operation_of_writing_and_of_recovery_loses_nothing() {
    let mut op = 0;
    while (0..20).filter(|&seed| crash_at(op, seed)).count() > 0 {
        op += 1;
    }
    // Six files at the least, each with six operations to create it.
    assert!(op > 36, "{op}");
}

#[test]
fn a_record_that_was_cut_never_comes_back() {
    for seed in 0..200 {
        let log = Log::new(seed, 1 << 14);
        let mut expected = Expected::default();
        let mut writer = log.open();
        log.write_groups(&mut writer, &[vec![record(1, 0, 10)]]);
        expected.kept.push(record(1, 0, 10));
        for salt in 1..6 {
            // A group without a sync: the crash leaves parts of it. The next life gives its
            // seqs to other records.
            let seq = writer.last_seq().0 + 1;
            expected.tried = (seq..seq + 4).map(|seq| record(seq, salt, 60)).collect();
            writer.append(slices(&expected.tried)).unwrap();
            log.disk.crash();
            let replayed = log.replay();
            expected.check(&replayed, &format!("seed {seed}, salt {salt}"));
            writer = log.writer(&replayed.recovery);
            let seq = writer.last_seq().0 + 1;
            let mine = record(seq, 100 + salt, 5);
            log.write_groups(&mut writer, &[vec![mine.clone()]]);
            expected.kept.push(mine);
            if salt % 2 == 0 {
                log.disk.crash();
                expected.check(&log.replay(), &format!("seed {seed}, salt {salt}, again"));
                writer = log.open();
            }
        }
    }
}

#[test]
fn the_crash_test_finds_an_acknowledgement_before_the_sync() {
    // The planted bug: records count as acknowledged once appended.
    let found = (0..50).any(|seed| {
        let log = Log::new(seed, 1 << 14);
        let mut writer = log.open();
        writer.append(slices(&[record(1, 0, 60)])).unwrap();
        log.disk.crash();
        log.replay().records.is_empty()
    });
    assert!(found);
}

#[test]
fn a_file_whose_creation_was_cut_by_a_kill_leaves_no_trace_but_its_number() {
    for seed in 0..50 {
        let log = Log::new(seed, 1 << 12);
        let mut writer = log.open();
        log.write_groups(&mut writer, &[vec![record(1, 0, 5)]]);
        writer.complete_file().unwrap();
        // Create, allocate, write, sync; then the process ends before the directory is synced.
        log.disk.fail_at(log.disk.ops() + 4, Fault::Crash);
        writer.append(slices(&[record(2, 0, 5)])).unwrap_err();
        log.disk.kill();
        let recovery = log.replay().recovery;
        assert_eq!(recovery.next_file_number, Some(3));
        // The directory entry is durable now: that of the next file does not come first.
        let mut writer = log.writer(&recovery);
        log.disk.fail_at(log.disk.ops() + 4, Fault::Crash);
        writer.append(slices(&[record(2, 0, 5)])).unwrap_err();
        log.disk.crash();
        assert!(log.disk.open(&path(2)).is_ok());
        let recovery = log.replay().recovery;
        assert!(recovery.damage.is_empty());
        let mut writer = log.writer(&recovery);
        log.write_groups(&mut writer, &[vec![record(2, 0, 5)]]);
        assert_eq!(log.replay().seqs(), [1, 2]);
        // It held no record, so that nobody misses it.
        log.disk.remove(&path(2)).unwrap();
        assert!(log.replay().recovery.damage.is_empty());
    }
}
