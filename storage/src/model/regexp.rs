//! The regular expressions of Prometheus in the syntax of the `regex` crate.
//!
//! Prometheus takes the syntax of Go's `regexp/syntax` package. Most of it reads the same to the
//! `regex` crate; what would mean something else there is written out:
//! - `\d`, `\w`, `\s`, `\b`: ASCII in Go, Unicode in Rust;
//! - `\<` and `\>`: a character in Go, the edge of a word in Rust;
//! - in a class `&&`, `--`, `~~` and `[`: characters in Go, set operations in Rust;
//! - `{` that does not start a repetition: a character in Go, an error in Rust;
//! - `\Q...\E`, octal escapes, `\p{^Greek}`, `(?)`: unknown to Rust.
//!
//! What Go refuses is refused with its message: flags `x`, `u`, `R`; `\u0041`; a repetition of a
//! repetition; counts above 1000. Known differences that remain: properties are found by
//! Rust's Unicode tables, which know more names; a repetition right after `(?i)` is refused.

/// The `regex` crate's spelling of a pattern. Groups do not capture.
///
/// # Errors
/// What Go's parser says of the pattern, in its words.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator {
        pattern,
        at: 0,
        out: String::with_capacity(pattern.len() + 8),
        frames: vec![Frame::default()],
        last_repeat: None,
    };
    while let Some(c) = translator.peek() {
        translator.element(c)?;
    }
    if translator.frames.len() != 1 {
        return Err(error("missing closing )", pattern));
    }
    Ok(translator.out)
}

fn error(what: &str, part: &str) -> String {
    format!("error parsing regexp: {what}: `{part}`")
}

/// Go's limit of a count, and of the product of counts inside each other.
const REPEAT_MAX: u32 = 1000;

/// An open group, or the whole pattern.
#[derive(Default)]
struct Frame {
    /// Whether there is something to repeat.
    has_atom: bool,
    /// How often the last atom is repeated, and what it holds within it: the largest product.
    last: u32,
    /// The largest of those of all atoms so far.
    largest: u32,
}

struct Translator<'a> {
    pattern: &'a str,
    at: usize,
    out: String,
    /// The whole pattern, then the open groups.
    frames: Vec<Frame>,
    /// Where the repetition operator just read starts.
    last_repeat: Option<usize>,
}

impl<'a> Translator<'a> {
    fn rest(&self) -> &'a str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    fn since(&self, start: usize) -> &'a str {
        &self.pattern[start..self.at]
    }

    /// Notes something that can be repeated, whose own repetitions multiply to `product`.
    fn atom(&mut self, product: u32) {
        if let Some(frame) = self.frames.last_mut() {
            frame.has_atom = true;
            frame.last = product;
            frame.largest = frame.largest.max(product);
        }
    }

    fn literal(&mut self, c: char) {
        push_char(&mut self.out, c);
        self.atom(1);
    }

    /// Translates what starts with `c`.
    fn element(&mut self, c: char) -> Result<(), String> {
        let start = self.at;
        let last_repeat = self.last_repeat.take();
        match c {
            '(' => return self.open(),
            ')' => return self.close(),
            '[' => return self.class(),
            '\\' => return self.escape(),
            '*' | '+' | '?' => {
                self.at += 1;
                return self.repeat(start, last_repeat, 1);
            }
            '{' => match self.counts() {
                Some((min, max)) => {
                    let within = min.max(max.unwrap_or(0)) <= REPEAT_MAX;
                    if !within || max.is_some_and(|max| min > max) {
                        return Err(error("invalid repeat count", self.since(start)));
                    }
                    return self.repeat(start, last_repeat, max.unwrap_or(min));
                }
                None => self.literal('{'),
            },
            '|' => {
                self.out.push('|');
                if let Some(frame) = self.frames.last_mut() {
                    frame.has_atom = false;
                }
            }
            '^' | '$' | '.' => {
                self.out.push(c);
                self.atom(1);
            }
            _ => self.literal(c),
        }
        self.at = start + c.len_utf8();
        Ok(())
    }

    /// Reads `{min}`, `{min,}` or `{min,max}`; leaves all else, which is no repetition.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let inside = self.rest().strip_prefix('{')?;
        let (inside, _) = inside.split_once('}')?;
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            let is_short = digits == "0" || !digits.starts_with('0');
            // What does not fit is too large anyway.
            (is_number && is_short).then(|| digits.parse().unwrap_or(u32::MAX))
        };
        let counts = match inside.split_once(',') {
            None => number(inside).map(|count| (count, Some(count))),
            Some((min, "")) => number(min).map(|min| (min, None)),
            Some((min, max)) => number(min).zip(number(max).map(Some)),
        }?;
        self.at += inside.len() + 2;
        Some(counts)
    }

    /// Ends a repetition operator that starts at `start` and repeats up to `count` times.
    fn repeat(
        &mut self,
        start: usize,
        last_repeat: Option<usize>,
        count: u32,
    ) -> Result<(), String> {
        self.take("?");
        let operator = self.since(start);
        if let Some(last) = last_repeat {
            let both = self.since(last);
            return Err(error("invalid nested repetition operator", both));
        }
        match self.frames.last_mut() {
            Some(frame) if frame.has_atom => {
                frame.last = frame.last.saturating_mul(count);
                frame.largest = frame.largest.max(frame.last);
                if frame.last > REPEAT_MAX {
                    return Err(error("invalid repeat count", operator));
                }
            }
            _ => {
                return Err(error("missing argument to repetition operator", operator));
            }
        }
        self.out.push_str(operator);
        self.last_repeat = Some(start);
        Ok(())
    }

    /// `(`, with what belongs to it.
    fn open(&mut self) -> Result<(), String> {
        let start = self.at;
        self.at += 1;
        if !self.rest().starts_with('?') {
            self.out.push_str("(?:");
            self.frames.push(Frame::default());
            return Ok(());
        }
        self.at += 1;
        let named = self.rest();
        if named.starts_with('<') || named.starts_with("P<") && named.len() > 2 {
            let Some(end) = named.find('>') else {
                let rest = &self.pattern[start..];
                return Err(error("invalid named capture", rest));
            };
            self.at += end + 1;
            let name = named[..end].trim_start_matches('P').trim_start_matches('<');
            let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
            if name.is_empty() || !name.chars().all(is_word) {
                return Err(error("invalid named capture", self.since(start)));
            }
            self.out.push_str("(?:");
            self.frames.push(Frame::default());
            return Ok(());
        }
        self.flags(start)
    }

    /// The flags after `(?`, up to `:` or `)`.
    fn flags(&mut self, start: usize) -> Result<(), String> {
        /// The flags that both know, with the same meaning.
        const FLAGS: [char; 4] = ['i', 'm', 's', 'U'];
        let mut set = [None; FLAGS.len()];
        let mut sign = true;
        let mut is_dangling = false;
        loop {
            match self.next() {
                Some('-') if sign => {
                    sign = false;
                    is_dangling = true;
                }
                Some(end @ (':' | ')')) if !is_dangling => {
                    self.push_flags(&FLAGS, &set, end);
                    return Ok(());
                }
                other => {
                    let flag = other.and_then(|c| FLAGS.iter().position(|&flag| flag == c));
                    let Some(flag) = flag else {
                        let part = self.since(start);
                        return Err(error("invalid or unsupported Perl syntax", part));
                    };
                    set[flag] = Some(sign);
                    is_dangling = false;
                }
            }
        }
    }

    fn push_flags(&mut self, flags: &[char], set: &[Option<bool>], end: char) {
        let with = |sign: bool| {
            let flags = flags.iter().zip(set);
            flags
                .filter(move |(_, flag)| **flag == Some(sign))
                .map(|(flag, _)| *flag)
        };
        // `(?)` says nothing, and Rust does not take it.
        if end == ')' && set.iter().all(Option::is_none) {
            return;
        }
        self.out.push_str("(?");
        self.out.extend(with(true));
        if with(false).next().is_some() {
            self.out.push('-');
            self.out.extend(with(false));
        }
        self.out.push(end);
        if end == ':' {
            self.frames.push(Frame::default());
        } else if let Some(frame) = self.frames.last_mut() {
            // Go would repeat what stands before the flags; Rust cannot be told so.
            frame.has_atom = false;
        }
    }

    fn close(&mut self) -> Result<(), String> {
        if self.frames.len() == 1 {
            return Err(error("unexpected )", self.pattern));
        }
        self.at += 1;
        self.out.push(')');
        let inner = self.frames.pop().map_or(1, |frame| frame.largest.max(1));
        self.atom(inner);
        Ok(())
    }

    /// `\` and what belongs to it, outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        if self.take("\\Q") {
            let literal = self.rest().split("\\E").next().unwrap_or_default();
            self.at += literal.len();
            self.take("\\E");
            for c in literal.chars() {
                self.literal(c);
            }
            return Ok(());
        }
        // Unicode words are not Go's; `(?-u:` makes the assertion ASCII's.
        for (go, rust) in [
            ("\\A", "\\A"),
            ("\\z", "\\z"),
            ("\\b", "(?-u:\\b)"),
            ("\\B", "(?-u:\\B)"),
        ] {
            if self.take(go) {
                self.out.push_str(rust);
                self.atom(1);
                return Ok(());
            }
        }
        let mut class = String::new();
        if self.class_escape(&mut class)? {
            self.out.push('[');
            self.out.push_str(&class);
            self.out.push(']');
            self.atom(1);
            return Ok(());
        }
        let c = self.char_escape()?;
        self.literal(c);
        Ok(())
    }

    /// `\d`, `\pL` and their like, into the inside of a class; leaves all else.
    fn class_escape(&mut self, out: &mut String) -> Result<bool, String> {
        for (go, rust) in [
            ("\\d", "0-9"),
            ("\\D", "[^0-9]"),
            ("\\w", "0-9A-Za-z_"),
            ("\\W", "[^0-9A-Za-z_]"),
            ("\\s", "\\t\\n\\x0C\\r\\x20"),
            ("\\S", "[^\\t\\n\\x0C\\r\\x20]"),
        ] {
            if self.take(go) {
                out.push_str(rust);
                return Ok(true);
            }
        }
        let start = self.at;
        let mut negated = match self.rest().as_bytes() {
            [b'\\', b'p', _, ..] => false,
            [b'\\', b'P', _, ..] => true,
            _ => return Ok(false),
        };
        self.at += 2;
        let name = if self.take("{") {
            let Some((name, _)) = self.rest().split_once('}') else {
                let rest = &self.pattern[start..];
                return Err(error("invalid character class range", rest));
            };
            self.at += name.len() + 1;
            name
        } else {
            let one = self.at;
            self.next();
            self.since(one)
        };
        let name = match name.strip_prefix('^') {
            Some(name) => {
                negated = !negated;
                name
            }
            None => name,
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ');
        let p = if negated { 'P' } else { 'p' };
        let property = format!("\\{p}{{{name}}}");
        if !name.chars().all(is_name) || regex_syntax::parse(&property).is_err() {
            let part = self.since(start);
            return Err(error("invalid character class range", part));
        }
        out.push_str(&property);
        Ok(true)
    }

    /// `\n`, `\x41`, `\.` and their like.
    fn char_escape(&mut self) -> Result<char, String> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.next() else {
            return Err(error("trailing backslash at end of expression", ""));
        };
        let next_is_octal = self.peek().is_some_and(|c| c.is_digit(8));
        let found = match c {
            'a' => Some('\x07'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            'x' => self.hexadecimal(),
            // A single digit but zero would be a back reference.
            '0' => self.octal(0),
            '1'..='7' if next_is_octal => self.octal(u32::from(c) - u32::from('0')),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
            _ => None,
        };
        found.ok_or_else(|| error("invalid escape sequence", self.since(start)))
    }

    /// Up to two more octal digits after the first.
    fn octal(&mut self, first: u32) -> Option<char> {
        let mut value = first;
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else {
                break;
            };
            self.at += 1;
            value = value * 8 + digit;
        }
        char::from_u32(value)
    }

    /// Two hexadecimal digits, or any number in braces.
    fn hexadecimal(&mut self) -> Option<char> {
        if !self.take("{") {
            let high = self.next()?;
            let low = self.next()?;
            return char::from_u32(high.to_digit(16)? * 16 + low.to_digit(16)?);
        }
        let mut value = None;
        loop {
            match self.next()? {
                '}' => return char::from_u32(value?),
                digit => {
                    let digit = digit.to_digit(16)?;
                    let next = value.unwrap_or(0) * 16 + digit;
                    value = Some(next).filter(|&next| next <= u32::from(char::MAX));
                    value?;
                }
            }
        }
    }

    /// `[...]`.
    fn class(&mut self) -> Result<(), String> {
        const POSIX: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
            "punct", "space", "upper", "word", "xdigit",
        ];
        let start = self.at;
        self.at += 1;
        let mut class = String::from("[");
        if self.take("^") {
            class.push('^');
        }
        let mut is_first = true;
        while is_first || !self.rest().starts_with(']') {
            is_first = false;
            if let Some(named) = self.rest().strip_prefix("[:")
                && let Some((name, _)) = named.split_once(":]")
            {
                let part = self.at;
                self.at += name.len() + 4;
                if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return Err(error("invalid character class range", self.since(part)));
                }
                class.push_str(self.since(part));
                continue;
            }
            if self.class_escape(&mut class)? {
                continue;
            }
            let part = self.at;
            let low = self.class_char(start)?;
            push_char(&mut class, low);
            let mut after = self.rest().chars();
            if after.next() == Some('-') && after.next().is_some_and(|c| c != ']') {
                self.at += 1;
                let high = self.class_char(start)?;
                if high < low {
                    return Err(error("invalid character class range", self.since(part)));
                }
                class.push('-');
                push_char(&mut class, high);
            }
        }
        self.at += 1;
        class.push(']');
        self.out.push_str(&class);
        self.atom(1);
        Ok(())
    }

    fn class_char(&mut self, class: usize) -> Result<char, String> {
        match self.peek() {
            None => Err(error("missing closing ]", &self.pattern[class..])),
            Some('\\') => self.char_escape(),
            Some(c) => {
                self.at += c.len_utf8();
                Ok(c)
            }
        }
    }
}

/// Writes a character that stands for itself, in a class or outside of one.
fn push_char(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || !c.is_ascii() || c == '_' {
        out.push(c);
    } else {
        out.push_str(&format!("\\x{:02X}", u32::from(c)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{MatchOp, Matcher};

    fn matches(pattern: &str, text: &str) -> bool {
        let matcher = Matcher::new(MatchOp::Regex, "l", pattern);
        matcher
            .unwrap_or_else(|error| panic!("{error}"))
            .matches(text)
    }

    #[test]
    fn what_differs_from_rust_is_read_as_go_reads_it() {
        let cases = [
            // ASCII classes.
            (r"\d", "7", true),
            (r"\d", "٧", false),
            (r"\w+", "é", false),
            (r"[\w-]+", "a-b", true),
            (r"[^\W]+", "é", false),
            (r"\s", "\u{b}", false),
            (r"\S", "\u{a0}", true),
            (r"é\bx", "éx", true),
            (r"a\Bb", "ab", true),
            (r"é\Bé", "éé", true),
            (r"(?i)k", "\u{212a}", true),
            (r"(?i)\w", "\u{212a}", true),
            // Characters that Rust gives a meaning.
            (r"\<a\>", "<a>", true),
            (r"[a&&b]", "&", true),
            (r"[a&&b]", "a", true),
            (r"[!--b]", "b", true),
            (r"[!--b]", "\"", true),
            (r"[+--]", "-", true),
            (r"[a~~b]", "~", true),
            (r"[a[b]c]", "[c]", true),
            (r"[]a]", "]", true),
            (r"[^]a]", "b", true),
            (r"[a-]", "-", true),
            (r"[a-c-e]", "d", false),
            (r"[[:alpha:][:^ascii:]]+", "zé", true),
            (r"[[:alpha]+", "[:", true),
            (r"a{", "a{", true),
            (r"a{,2}", "a{,2}", true),
            (r"{}", "{}", true),
            (r"a{02}", "a{02}", true),
            (r"a{2}", "aa", true),
            (r"a{2,}", "aaa", true),
            (r"a{1,2}?", "aaa", false),
            (r"a#b c", "a#b c", true),
            // Syntax that Rust lacks.
            (r"\Qa.b|\E.", "a.b|x", true),
            (r"\Qa.b", "axb", false),
            (r"\101\0\060", "A\u{0}0", true),
            (r"\x41\x{1F600}", "A\u{1F600}", true),
            (r"\p{^Greek}\p{Greek}\PL\pL", "aα1b", true),
            (r"(?)a", "a", true),
            (r"(?ii-i)A", "a", false),
            (r"(?P<1>a)(?<1>b)", "ab", true),
            (r"\_\-\ ", "_- ", true),
            // The whole is anchored and the dot matches line ends, wherever groups are.
            (r"a|bc", "abc", false),
            (r"a.b", "a\nb", true),
            (r"(?-s:a.b)", "a\nb", false),
            (r"(?m)a$\n^b", "a\nb", true),
            (r"^^a$$", "a", true),
            (r"^*a", "a", true),
            (r"", "", true),
            (r"(|a)()", "a", true),
            (r"(a{0}){1000}", "", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        let cases = [
            ("a)|(b", "unexpected ): `a)|(b`"),
            ("(a", "missing closing ): `(a`"),
            ("x[a", "missing closing ]: `[a`"),
            ("[", "missing closing ]: `[`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a+?{2}?", "invalid nested repetition operator: `+?{2}?`"),
            ("+a", "missing argument to repetition operator: `+`"),
            ("a|*?", "missing argument to repetition operator: `*?`"),
            ("(?i)*", "missing argument to repetition operator: `*`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{3,2}", "invalid repeat count: `{3,2}`"),
            ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
            ("((a{20}){51})", "invalid repeat count: `{51}`"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?P=a)", "invalid or unsupported Perl syntax: `(?P`"),
            ("(?P<a b>c)", "invalid named capture: `(?P<a b>`"),
            ("(?<a", "invalid named capture: `(?<a`"),
            (r"\u0041", r"invalid escape sequence: `\u`"),
            (r"\1", r"invalid escape sequence: `\1`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"\C", r"invalid escape sequence: `\C`"),
            (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
            (r"\xg0", r"invalid escape sequence: `\xg0`"),
            ("a\\", "trailing backslash at end of expression: ``"),
            (r"\p{Nope}", r"invalid character class range: `\p{Nope}`"),
            (r"[\p{gc=L}]", r"invalid character class range: `\p{gc=L}`"),
            ("[[:nope:]]", "invalid character class range: `[:nope:]`"),
            ("[b-a]", "invalid character class range: `b-a`"),
            ("[a--b]", "invalid character class range: `a--`"),
            (r"[a-\d]", r"invalid escape sequence: `\d`"),
        ];
        for (pattern, expected) in cases {
            let expected = format!("error parsing regexp: {expected}");
            assert_eq!(translate(pattern), Err(expected), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn what_is_translated_compiles(pattern in r"([a(\[\]){}|*+?^$.\\0-9,:\-<>é&QEdpLbx_ ]|\(\?[imsU-]*[:)]){0,20}") {
            if let Ok(translated) = translate(&pattern) {
                let compiled = regex::bytes::Regex::new(&translated);
                let is_fine = !matches!(compiled, Err(regex::Error::Syntax(_)));
                prop_assert!(is_fine, "{pattern:?} as {translated:?}: {compiled:?}");
            }
        }

        #[test]
        fn a_quoted_text_matches_itself_alone(text in any::<String>(), other in any::<String>()) {
            prop_assume!(!text.contains("\\E"));
            let pattern = format!("\\Q{text}\\E");
            prop_assert!(matches(&pattern, &text));
            prop_assert_eq!(matches(&pattern, &other), text == other);
        }
    }
}
