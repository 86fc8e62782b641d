//! Flipped bits and lost files.
//!
//! A database lives for a while and ends, in order or not. Then, each time on a copy of its disk,
//! a bit flips in some file, or a file is gone, and it is opened: it shows everything that is not
//! in that file, nothing that was not written, and tells what is damaged; and so it goes on.

use std::collections::BTreeSet;
use std::path::Path;

use super::history::{History, Homes};
use super::life::{Life, difference};
use super::{Manual, Writes, for_each_seed};
use crate::db::View;
use crate::db::tests::model::Model;
use crate::error::ErrorKind;
use crate::model::{ReadDamage, TimeRange};
use crate::sys::sim::{Rng, SimDisk};

/// Bits flipped in the files of one life, one at a time.
const FLIPS: u64 = 12;

const FORMAT: &str = "/data/FORMAT";
const MANIFEST: &str = "/data/MANIFEST";

/// What a database shows that has a damaged file.
struct Shown {
    model: Model,
    /// What it says is missing.
    damage: Vec<ReadDamage>,
}

impl Shown {
    /// Nothing fails: what cannot be read is left out, and the file that it is in is named.
    fn read(manual: &Manual, damaged: &Path, what: &str) -> Self {
        let told = |view: &View| {
            let damage = view.read_damage();
            for one in &damage {
                assert_eq!(one.path, damaged, "{what}: names another file: {one}");
                let names_file = one.to_string().contains(&*damaged.to_string_lossy());
                assert!(names_file, "{what}: does not name the file: {one}");
            }
            damage
        };
        let view = manual.db.view();
        let lists = [
            view.label_names(&[], TimeRange::ALL),
            view.label_values("n", &[], TimeRange::ALL),
        ];
        for list in lists {
            let _names = list.unwrap_or_else(|e| panic!("{what}: a list fails: {e}"));
        }
        told(&view);
        let counted = manual.db.stats().read_damage;
        let view = manual.db.view();
        let model = Model::read_damaged(&view);
        let damage = told(&view);
        let counted = manual.db.stats().read_damage - counted;
        assert_eq!(counted, damage.len() as u64, "{what}: not counted");
        Self {
            model: model.unwrap_or_else(|e| panic!("{what}: cannot be read: {e}")),
            damage,
        }
    }

    fn is_told(&self) -> bool {
        !self.damage.is_empty()
    }

    /// Checks that no more is missing of a file than is said.
    fn check_missing(&self, history: &History, what: &str) {
        let expected = history.model();
        let missing = expected.missing_in(&self.model).len() as u64;
        if let [ReadDamage { series, .. }] = self.damage.as_slice()
            && let Some(series) = *series
        {
            assert!(missing <= series, "{what}: {missing} lost, {series} told");
        }
    }
}

/// Checks a database in which `damaged` is not what it was.
fn check(disk: &SimDisk, homes: &mut Homes, damaged: &Path, rng: &mut Rng, what: &str) -> bool {
    let is_lost = disk.files().iter().all(|(path, _)| path != damaged);
    let mut manual = match Manual::open(disk) {
        Ok(manual) => manual,
        Err(error) => {
            // One version number stands in it, and another number is another version.
            assert_eq!(damaged, Path::new(FORMAT), "{what}: does not open: {error}");
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{what}: {error}");
            return true;
        }
    };
    let before = Shown::read(&manual, damaged, what);
    let is_whole = !before.is_told() && before.model == homes.history().model();
    let is_log = damaged.starts_with("/data/wal");
    if !is_whole {
        homes.check(&before.model, &BTreeSet::new(), damaged, what);
        let is_cut = is_log && is_cut(homes.history(), &before.model, damaged, is_lost);
        let is_told = before.is_told() || manual.damage() > 0;
        assert!(is_told || is_cut, "{what}: nothing tells of the damage");
        before.check_missing(homes.history(), what);
    }
    let is_needed = is_log || homes.files().any(|file| file == damaged);
    assert!(is_whole || is_needed, "{what}: something is missing");

    // What is left stays, beside what is written from here on.
    let extra = Writes::new(3).rows(rng);
    for answer in manual.write(std::slice::from_ref(&extra)) {
        answer.unwrap_or_else(|e| panic!("{what}: refuses writes: {e}"));
    }
    if rng.chance(80) {
        let flushed = manual.flush_all();
        flushed.unwrap_or_else(|e| panic!("{what}: does not flush: {e}"));
    }
    if rng.chance(60) {
        let merged = manual.merge_all();
        merged.unwrap_or_else(|e| panic!("{what}: does not merge: {e}"));
    }
    drop(manual);
    if rng.chance(50) {
        disk.crash();
    }
    let manual = Manual::open(disk).unwrap_or_else(|e| panic!("{what}: does not reopen: {e}"));
    let after = Shown::read(&manual, damaged, what);
    if before.is_told() {
        // What was damaged alone may be written anew by a merge: postings are, of labels that
        // are whole.
        homes.push(extra);
        homes.check(&after.model, &BTreeSet::new(), damaged, what);
        return true;
    }
    let mut expected = before.model;
    expected.write(&extra);
    if after.model != expected {
        let different = difference(&after.model, &expected);
        panic!("{what}, after a flush and a restart: {different}");
    }
    homes.push(extra);
    homes.check(&after.model, &BTreeSet::new(), damaged, what);
    !is_whole
}

/// Whether the log just ends earlier. Nothing can tell a damaged write of those that shared the
/// last sync from one torn by a crash, nor that there was a file after the last one.
fn is_cut(history: &History, found: &Model, damaged: &Path, is_lost: bool) -> bool {
    let last = history.0.last().map(|write| write.group);
    history.is_without_end(found, |write| match is_lost {
        true => write.wal == damaged,
        false => Some(write.group) == last,
    })
}

fn life(seed: u64) -> Life {
    let mut life = Life::new(seed, "damage");
    for _ in 0..5 + seed % 40 {
        life.step();
    }
    life.end();
    life
}

#[test]
fn a_flipped_bit_harms_nothing_outside_of_its_file_and_is_told() {
    let (flips, harmful) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    for_each_seed(600, |seed| {
        let life = life(seed);
        let mut rng = Rng::new(seed ^ 0xb17);
        let files = life.disk.files();
        let files: Vec<_> = files.into_iter().filter(|(_, bytes)| *bytes > 0).collect();
        for _ in 0..FLIPS {
            let (path, bytes) = files[rng.below(files.len() as u64) as usize].clone();
            let bit = rng.below(8 * bytes);
            let fork = life.fork();
            let mut homes = life.fork().settle();
            fork.disk.flip_bit(&path, bit).unwrap();
            let what = format!("seed {seed}, bit {bit} of {}", path.display());
            let harm = check(&fork.disk, &mut homes, &path, &mut rng, &what);
            flips.set(flips.get() + 1);
            harmful.set(harmful.get() + u64::from(harm));
        }
    });
    println!(
        "{} flips, {} of them with an effect",
        flips.get(),
        harmful.get()
    );
    assert!(harmful.get() > 0 || flips.get() < 100);
}

#[test]
fn a_lost_file_takes_nothing_of_the_others_along() {
    let losses = std::cell::Cell::new(0);
    for_each_seed(300, |seed| {
        let life = life(seed);
        let mut rng = Rng::new(seed ^ 0x105e);
        let homes = life.fork().settle();
        let mut paths: Vec<_> = homes.files().map(Path::to_owned).collect();
        let files = life.disk.files();
        let logs = files
            .iter()
            .filter(|(path, _)| path.starts_with("/data/wal"));
        let mut logs: Vec<_> = logs.map(|(path, _)| path.clone()).collect();
        // Nothing tells of the newest.
        logs.pop();
        paths.extend(logs);
        let others = [MANIFEST, FORMAT].map(Path::new).map(Path::to_owned);
        paths.extend(
            others
                .into_iter()
                .filter(|p| files.iter().any(|f| f.0 == *p)),
        );
        for path in paths {
            let fork = life.fork();
            fork.disk.lose(&path).unwrap();
            let what = format!("seed {seed}, {} is lost", path.display());
            let mut homes = life.fork().settle();
            check(&fork.disk, &mut homes, &path, &mut rng, &what);
            losses.set(losses.get() + 1);
        }
    });
    println!("{} lost files", losses.get());
    assert!(losses.get() > 0);
}
