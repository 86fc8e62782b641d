//! The kept corpora: `unpack` makes a folder `work/NAME` of each, with the inputs to begin with
//! beside; `pack` puts a folder back, as far as there is room.
//!
//! usage: corpus unpack|pack [NAME...]

#[path = "../../support/corpus.rs"]
mod corpus;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The most bytes that are kept of a corpus. Short inputs come first.
const KEPT_BYTES_MAX: usize = 72 << 10;
/// The most bytes of an input that is kept, but for those to begin with.
const INPUT_BYTES_MAX: usize = 4 << 10;

type Target = (&'static str, fn() -> Vec<Vec<u8>>);

fn targets() -> Vec<Target> {
    let storage = silverback_storage::fuzz::TARGETS.iter();
    let storage = storage.map(|target| (target.name, target.seeds));
    let query = silverback_query::fuzz::TARGETS.iter();
    let query = query.map(|target| (target.name, target.seeds));
    let server = silverback::fuzz::TARGETS.iter();
    let server = server.map(|target| (target.name, target.seeds));
    storage.chain(query).chain(server).collect()
}

fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let names: Vec<String> = args.collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wanted = |target: &Target| names.is_empty() || names.iter().any(|name| name == target.0);
    for (name, seeds) in targets().into_iter().filter(wanted) {
        let kept = folder.join("corpus").join(name);
        let work = folder.join("work").join(name);
        match command.as_str() {
            "unpack" => unpack(&kept, &work, seeds())?,
            "pack" => pack(&kept, &work, seeds())?,
            _ => return Err(io::Error::other("usage: corpus unpack|pack [NAME...]")),
        }
    }
    Ok(())
}

fn unpack(kept: &Path, work: &Path, seeds: Vec<Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(work)?;
    let file = fs::read(kept).unwrap_or_default();
    let inputs = corpus::unpack(&file).ok_or_else(|| io::Error::other("not a corpus"))?;
    for (number, input) in inputs.iter().chain(&seeds).enumerate() {
        fs::write(work.join(format!("kept-{number:05}")), input)?;
    }
    Ok(())
}

fn pack(kept: &Path, work: &Path, seeds: Vec<Vec<u8>>) -> io::Result<()> {
    let paths: io::Result<Vec<PathBuf>> =
        fs::read_dir(work)?.map(|entry| Ok(entry?.path())).collect();
    let seeds: BTreeSet<Vec<u8>> = seeds.into_iter().collect();
    let mut inputs = BTreeSet::new();
    for path in paths? {
        let input = fs::read(path)?;
        if input.len() <= INPUT_BYTES_MAX && !seeds.contains(&input) {
            inputs.insert((input.len(), input));
        }
    }
    let (mut room, mut packed) = (KEPT_BYTES_MAX, Vec::new());
    for (bytes, input) in inputs {
        let Some(left) = room.checked_sub(bytes + 4) else {
            break;
        };
        room = left;
        packed.push(input);
    }
    println!("{}: {} inputs", kept.display(), packed.len());
    fs::write(kept, corpus::pack(&packed))
}
