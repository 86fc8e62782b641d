//! What an answer is without.

use std::fmt;
use std::path::PathBuf;

/// Data that answers are without, since its bytes fail their checksum or make no sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadDamage {
    /// The file it is in.
    pub path: PathBuf,
    /// What was found to be wrong first.
    pub error: String,
    /// Of how many series the answers are without what the file has of them; `None` where they are
    /// without the file.
    pub series: Option<u64>,
}

impl fmt::Display for ReadDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            error,
            series,
        } = self;
        let path = path.display().to_string();
        if !error.contains(&path) {
            write!(f, "{path}: ")?;
        }
        write!(f, "{error}; this answer is without ")?;
        match series {
            None => f.write_str("the whole file"),
            Some(1) => f.write_str("what the file has of 1 series"),
            Some(series) => write!(f, "what the file has of {series} series"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named_once() {
        let mut damage = ReadDamage {
            path: PathBuf::from("/data/x"),
            error: "row 7 of /data/x is bad".to_owned(),
            series: Some(2),
        };
        let text = "row 7 of /data/x is bad; this answer is without what the file has of 2 series";
        assert_eq!(damage.to_string(), text);
        damage.error = "no string".to_owned();
        damage.series = None;
        let text = "/data/x: no string; this answer is without the whole file";
        assert_eq!(damage.to_string(), text);
    }
}
