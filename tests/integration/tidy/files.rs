//! The files of the workspace.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::paths;

/// Ends of the names of files that people write.
const WRITTEN: &[&str] = &[".rs", ".md", ".toml", ".sh", ".yml", ".yaml", "/run"];

/// A file that somebody wrote.
pub(super) struct SourceFile {
    /// From the root of the workspace, with slashes.
    pub(super) path: String,
    pub(super) text: String,
    /// The text without comments and strings.
    pub(super) code: String,
}

/// All of them.
pub(super) struct SourceTree {
    pub(super) files: Vec<SourceFile>,
}

impl SourceTree {
    pub(super) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut files = Vec::new();
        walk(root, "", &mut files);
        // An empty list would pass every rule.
        assert!(files.iter().any(|file| file.path == "storage/src/lib.rs"));
        Self { files }
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// Paths of the Rust files that cargo's targets lead to.
    pub(super) fn compiled(&self) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut pending: Vec<&SourceFile> = self.rust().filter(|f| f.is_target()).collect();
        while let Some(file) = pending.pop() {
            if !reached.insert(file.path.as_str()) {
                continue;
            }
            let wanted: BTreeSet<String> = file.children().into_iter().flatten().collect();
            pending.extend(self.rust().filter(|file| wanted.contains(&file.path)));
        }
        reached
    }
}

impl SourceFile {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let rust = path.ends_with(".rs");
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: if rust {
                paths::code_only(text)
            } else {
                String::new()
            },
        }
    }

    pub(super) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether it is written for people alone.
    pub(super) fn is_prose(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Whether cargo compiles it without a `mod` elsewhere.
    fn is_target(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        match parts[..] {
            [_, "src", "lib.rs" | "main.rs"] | [_, "src", "bin", _] => true,
            [_, "build.rs"] | [_, "examples", _] => true,
            ["tests", "support", "lib.rs"] | ["tests", "integration", "main.rs"] => true,
            ["tests", "fuzz", "src", "lib.rs"] => true,
            ["tests", "fuzz", "fuzz_targets" | "examples", _] => true,
            [package, "tests", _] => package != "tests",
            ["benches", file] | [_, "benches", file] => file.ends_with(".rs"),
            _ => false,
        }
    }

    /// For each `mod name;` the two places where its file may be.
    fn children(&self) -> Vec<[String; 2]> {
        let (dir, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let stem = name.trim_end_matches(".rs");
        let dir = if self.is_target() || stem == "mod" {
            dir.to_owned()
        } else {
            format!("{dir}/{stem}")
        };
        let mods = self.code.split(';').filter_map(|statement| {
            let (before, name) = statement.trim_end().rsplit_once(char::is_whitespace)?;
            paths::words(before).last().filter(|word| *word == "mod")?;
            Some(name)
        });
        mods.map(|name| [format!("{dir}/{name}.rs"), format!("{dir}/{name}/mod.rs")])
            .collect()
    }

    /// The top modules of its crate that it names, through `crate` or through `super`.
    pub(super) fn top_modules(&self) -> BTreeSet<String> {
        let mut found = paths::heads(&self.code, "crate::");
        let inner = self.path.split_once("/src/").map_or("", |(_, inner)| inner);
        let inner = inner.trim_end_matches(".rs").trim_end_matches("/mod");
        let depth = inner.split('/').count();
        // One more from within `mod tests { ... }`.
        for climbs in [depth, depth + 1] {
            found.extend(paths::heads(&self.code, &"super::".repeat(climbs)));
        }
        found
    }
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().unwrap();
        let hidden = name.starts_with('.') && name != ".ci";
        if kind.is_dir() && !hidden && !["target", "silverback-data"].contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file() && WRITTEN.iter().any(|end| path.ends_with(end)) {
            let text = fs::read_to_string(entry.path()).unwrap();
            files.push(SourceFile::new(&path, &text));
        }
    }
}

#[test]
fn modules_are_followed() {
    let file = SourceFile::new(
        "a/src/b.rs",
        "pub mod c;\n#[cfg(test)]\nmod tests;\n// mod d;\nmod e { fn f() {} }\nlet modulo;",
    );
    let children = file.children().concat();
    let expected = ["a/src/b/c.rs", "a/src/b/c/mod.rs", "a/src/b/tests.rs"];
    assert_eq!(children[..3], expected);
    assert_eq!(children.len(), 4);
    assert_eq!(
        SourceFile::new("a/src/lib.rs", "mod b;").children()[0][0],
        "a/src/b.rs"
    );
}
