//! Regular expressions of matchers: Go's syntax (RE2), in which users write them, checked with
//! Go's error texts and translated to that of the `regex` crate.
//!
//! The two differ in small things that matter: Go's `\d`, `\w`, `\s` and `\b` are ASCII; braces
//! that are no repetition stand for themselves; `a**` is refused; `&&` in a class is two
//! characters; there is `\Q...\E`. The rules are those of Go's `regexp/syntax`.

mod weight;

use std::fmt::Write;

use regex_syntax::hir::{Hir, HirKind, Look};

pub(crate) use self::weight::compiled_bytes;

/// The largest count of a repetition, nested ones multiplied, in Go.
const REPEAT_MAX: u32 = 1000;

/// How many `\p{...}` an expression may hold: each is a table of up to some hundred ranges. Go
/// bounds their sum instead.
const UNICODE_CLASSES_MAX: u32 = 1000;

/// The names of `[:name:]`.
const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Checks a regular expression.
///
/// # Errors
/// The text of Go's `regexp/syntax` where the syntax is wrong, that of the `regex` crate where
/// it cannot express something.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    if is_plain(pattern) {
        return Ok(());
    }
    parse(pattern).map(drop)
}

/// Whether the expression is one of those that most people write: names with `|`, `.`, `.*` and
/// `.+` between them. They are right.
fn is_plain(pattern: &str) -> bool {
    let mut before = 0;
    pattern.bytes().all(|byte| {
        let plain = match byte {
            b'*' | b'+' => before == b'.',
            b'.' | b'|' | b'_' | b'-' | b'/' | b':' | b' ' => true,
            _ => byte.is_ascii_alphanumeric(),
        };
        before = byte;
        plain
    })
}

/// Whether the expression, anchored at both ends, matches the empty text. One that is wrong
/// does not.
pub(super) fn matches_empty(pattern: &str) -> bool {
    parse(pattern).is_ok_and(|hir| hir_matches_empty(&hir))
}

fn parse(pattern: &str) -> Result<Hir, String> {
    let translated = translate(pattern)?;
    regex_syntax::ParserBuilder::new()
        .dot_matches_new_line(true)
        .build()
        .parse(&translated)
        .map_err(|error| {
            // Its display draws the pattern over several lines.
            let reason = match &error {
                regex_syntax::Error::Parse(error) => error.kind().to_string(),
                regex_syntax::Error::Translate(error) => error.kind().to_string(),
                _ => "not supported".to_owned(),
            };
            format!("error parsing regexp: {reason}: `{pattern}`")
        })
}

fn hir_matches_empty(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Literal(_) | HirKind::Class(_) => false,
        // Both ends of the text and of a line are there; no word is.
        HirKind::Look(look) => matches!(
            look,
            Look::Start
                | Look::End
                | Look::StartLF
                | Look::EndLF
                | Look::WordAsciiNegate
                | Look::WordUnicodeNegate
        ),
        HirKind::Repetition(it) => it.min == 0 || hir_matches_empty(&it.sub),
        HirKind::Capture(it) => hir_matches_empty(&it.sub),
        HirKind::Concat(them) => them.iter().all(hir_matches_empty),
        HirKind::Alternation(them) => them.iter().any(hir_matches_empty),
    }
}

/// The same expression in the syntax of the `regex` crate. It is to be read with the dot
/// matching newlines, as `^(?s:...)$`.
///
/// # Errors
/// Where the syntax is wrong, with the text of Go: ``error parsing regexp: missing closing ): `(a` ``.
pub fn translate(pattern: &str) -> Result<String, String> {
    Translator {
        pattern,
        rest: pattern,
        out: String::with_capacity(pattern.len()),
        item_end: 0,
        unicode_classes: 0,
        groups: vec![Group::default()],
    }
    .run()
}

/// An open group, the whole pattern first.
#[derive(Default)]
struct Group {
    /// The nested repetitions in the item that a repetition would apply to; none where there
    /// is no such item.
    last: Option<u32>,
    /// The largest of all items'.
    largest: u32,
}

struct Translator<'a> {
    pattern: &'a str,
    rest: &'a str,
    out: String,
    /// Where the item before ends in `out`; flags without a group may stand behind it.
    item_end: usize,
    unicode_classes: u32,
    groups: Vec<Group>,
}

fn error<T>(reason: &str, part: &str) -> Result<T, String> {
    Err(format!("error parsing regexp: {reason}: `{part}`"))
}

/// What of `whole` comes before its end `rest`.
fn up_to<'a>(whole: &'a str, rest: &str) -> &'a str {
    whole
        .get(..whole.len().saturating_sub(rest.len()))
        .unwrap_or(whole)
}

fn split_first(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    chars.next().map(|c| (c, chars.as_str()))
}

impl<'a> Translator<'a> {
    fn run(mut self) -> Result<String, String> {
        // Where the repetition before began, if the last step was one.
        let mut repeated_at: Option<&str> = None;
        while let Some((c, behind)) = split_first(self.rest) {
            let before = self.rest;
            let mut repeated = None;
            match c {
                '(' if behind.starts_with('?') => self.group_or_flags()?,
                '(' => self.open("("),
                '|' => {
                    self.out.push('|');
                    self.rest = behind;
                    self.group().last = None;
                }
                ')' => self.close()?,
                '^' | '$' | '.' => self.item(behind, |out| out.push(c)),
                '[' => self.class()?,
                '*' | '+' | '?' => {
                    self.rest = behind;
                    self.repeat(before, repeated_at, None)?;
                    repeated = Some(before);
                }
                '{' => match parse_repeat(before) {
                    Some((bounds, behind)) => {
                        self.rest = behind;
                        self.repeat(before, repeated_at, Some(bounds))?;
                        repeated = Some(before);
                    }
                    None => self.literal(c, behind),
                },
                '\\' => self.escape()?,
                _ => self.literal(c, behind),
            }
            repeated_at = repeated;
        }
        if self.groups.len() > 1 {
            return error("missing closing )", self.pattern);
        }
        Ok(self.out)
    }

    /// The innermost open group.
    fn group(&mut self) -> &mut Group {
        if self.groups.is_empty() {
            self.groups.push(Group::default());
        }
        let last = self.groups.len() - 1;
        &mut self.groups[last]
    }

    fn item(&mut self, behind: &'a str, write: impl FnOnce(&mut String)) {
        write(&mut self.out);
        self.item_end = self.out.len();
        self.rest = behind;
        let group = self.group();
        group.last = Some(1);
        group.largest = group.largest.max(1);
    }

    fn literal(&mut self, c: char, behind: &'a str) {
        self.item(behind, |out| push_literal(out, c));
    }

    fn open(&mut self, text: &str) {
        self.out.push_str(text);
        self.rest = self.rest.get(1..).unwrap_or_default();
        self.groups.push(Group::default());
    }

    fn close(&mut self) -> Result<(), String> {
        if self.groups.len() < 2 {
            return error("unexpected )", self.pattern);
        }
        let inner = self.groups.pop().map_or(0, |group| group.largest);
        self.out.push(')');
        self.item_end = self.out.len();
        self.rest = self.rest.get(1..).unwrap_or_default();
        let outer = self.group();
        outer.last = Some(inner);
        outer.largest = outer.largest.max(inner);
        Ok(())
    }

    /// A repetition that stands at `before`, itself already taken; a lazy one's `?` follows.
    fn repeat(
        &mut self,
        before: &'a str,
        repeated_at: Option<&str>,
        bounds: Option<(u32, Option<u32>)>,
    ) -> Result<(), String> {
        const SIZE: &str = "invalid repeat count";
        if let Some((min, max)) = bounds {
            let too_large = min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX);
            if too_large || max.is_some_and(|max| min > max) {
                return error(SIZE, up_to(before, self.rest));
            }
        }
        self.rest = self.rest.strip_prefix('?').unwrap_or(self.rest);
        if let Some(start) = repeated_at {
            return error(
                "invalid nested repetition operator",
                up_to(start, self.rest),
            );
        }
        let text = up_to(before, self.rest);
        let Some(inner) = self.group().last else {
            return error("missing argument to repetition operator", text);
        };
        let mut nested = inner;
        if let Some((min, max)) = bounds {
            nested = max.unwrap_or(min).saturating_mul(inner.max(1));
            if nested > REPEAT_MAX && (min >= 2 || max.is_some_and(|max| max >= 2)) {
                return error(SIZE, text);
            }
        }
        // To Go flags are no item: in `a(?i)*` the letter repeats.
        self.out.insert_str(self.item_end, text);
        self.item_end += text.len();
        let group = self.group();
        group.last = Some(nested);
        group.largest = group.largest.max(nested);
        Ok(())
    }

    /// `(?...`: a named group, a group with flags, or flags from here on.
    fn group_or_flags(&mut self) -> Result<(), String> {
        let whole = self.rest;
        let name_at = [("(?P<", 4), ("(?<", 3)]
            .into_iter()
            .find(|(start, length)| whole.starts_with(start) && whole.len() > *length);
        if let Some((_, at)) = name_at {
            let Some(end) = whole.find('>') else {
                return error("invalid named capture", whole);
            };
            let name = whole.get(at..end).unwrap_or_default();
            if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
                let capture = whole.get(..=end).unwrap_or(whole);
                return error("invalid named capture", capture);
            }
            self.open(&format!("(?P<{name}>"));
            self.rest = whole.get(end + 1..).unwrap_or_default();
            return Ok(());
        }
        let (mut on, mut off) = (String::new(), String::new());
        let mut negative = false;
        let mut rest = whole.get(2..).unwrap_or_default();
        while let Some((c, behind)) = split_first(rest) {
            rest = behind;
            match c {
                'i' | 'm' | 's' | 'U' => {
                    on.retain(|flag| flag != c);
                    off.retain(|flag| flag != c);
                    if negative { &mut off } else { &mut on }.push(c);
                }
                '-' if !negative => {
                    negative = true;
                    // A dash wants a flag behind it.
                    if !rest.starts_with(['i', 'm', 's', 'U']) {
                        rest = rest
                            .get(rest.chars().next().map_or(0, char::len_utf8)..)
                            .unwrap_or_default();
                        break;
                    }
                }
                ':' | ')' => {
                    if !off.is_empty() {
                        on.push('-');
                    }
                    let flags = on + &off;
                    if c == ':' {
                        self.open(&format!("(?{flags}:"));
                    } else if !flags.is_empty() {
                        let _ = write!(self.out, "(?{flags})");
                    }
                    self.rest = rest;
                    return Ok(());
                }
                _ => break,
            }
        }
        error("invalid or unsupported Perl syntax", up_to(whole, rest))
    }

    fn escape(&mut self) -> Result<(), String> {
        let whole = self.rest;
        let Some((c, behind)) = whole.get(1..).and_then(split_first) else {
            return error("trailing backslash at end of expression", "");
        };
        match c {
            'A' | 'z' => self.item(behind, |out| {
                out.push('\\');
                out.push(c);
            }),
            'b' | 'B' => self.item(behind, |out| {
                let _ = write!(out, "(?-u:\\{c})");
            }),
            'C' => return error("invalid escape sequence", "\\C"),
            'Q' => {
                let (quoted, behind) = behind.split_once("\\E").unwrap_or((behind, ""));
                for c in quoted.chars() {
                    self.literal(c, behind);
                }
                self.rest = behind;
            }
            'p' | 'P' => {
                let (class, behind) = self.unicode_class(whole)?;
                self.item(behind, |out| out.push_str(&class));
            }
            _ => {
                if let Some(class) = perl_class(c) {
                    let (negation, body) = class;
                    self.item(behind, |out| {
                        let _ = write!(out, "[{negation}{body}]");
                    });
                } else {
                    let (c, behind) = escaped_char(whole)?;
                    self.literal(c, behind);
                }
            }
        }
        Ok(())
    }

    fn unicode_class(&mut self, whole: &'a str) -> Result<(String, &'a str), String> {
        self.unicode_classes += 1;
        if self.unicode_classes > UNICODE_CLASSES_MAX {
            return error("expression too large", self.pattern);
        }
        unicode_class(whole)
    }

    /// `[...]`
    fn class(&mut self) -> Result<(), String> {
        let whole = self.rest;
        let mut rest = whole.get(1..).unwrap_or_default();
        let mut out = String::from("[");
        if let Some(behind) = rest.strip_prefix('^') {
            out.push('^');
            rest = behind;
        }
        let mut first = true;
        let mut may_be_named = true;
        while first || !rest.starts_with(']') {
            first = false;
            let named_end = if rest.len() > 2 && rest.starts_with("[:") && may_be_named {
                rest.get(2..).and_then(|inner| inner.find(":]"))
            } else {
                None
            };
            if let Some(end) = named_end {
                let (named, behind) = rest.split_at(end + 4);
                let name = rest.get(2..end + 2).unwrap_or_default();
                if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return error("invalid character class range", named);
                }
                out.push_str(named);
                rest = behind;
                continue;
            }
            // Looked for to the end once, it need not be looked for again.
            may_be_named &= !rest.starts_with("[:");
            if rest.starts_with("\\p") || rest.starts_with("\\P") {
                let (class, behind) = self.unicode_class(rest)?;
                out.push_str(&class);
                rest = behind;
                continue;
            }
            let escaped = rest.strip_prefix('\\').and_then(split_first);
            if let Some((c, behind)) = escaped
                && let Some((negation, body)) = perl_class(c)
            {
                let _ = write!(out, "[{negation}{body}]");
                rest = behind;
                continue;
            }
            let range = rest;
            let (low, behind) = class_char(rest, whole)?;
            rest = behind;
            let mut high = low;
            if rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]") {
                (high, rest) = class_char(rest.get(1..).unwrap_or_default(), whole)?;
                if high < low {
                    return error("invalid character class range", up_to(range, rest));
                }
            }
            let (low, high) = (u32::from(low), u32::from(high));
            let _ = write!(out, "\\x{{{low:x}}}-\\x{{{high:x}}}");
        }
        out.push(']');
        self.item(rest.get(1..).unwrap_or_default(), |all| all.push_str(&out));
        Ok(())
    }
}

fn push_literal(out: &mut String, c: char) {
    if regex_syntax::is_meta_character(c) {
        out.push('\\');
    }
    out.push(c);
}

/// One character of a class, perhaps escaped.
fn class_char<'a>(rest: &'a str, whole: &str) -> Result<(char, &'a str), String> {
    match split_first(rest) {
        None => error("missing closing ]", whole),
        Some(('\\', _)) => escaped_char(rest),
        Some(found) => Ok(found),
    }
}

/// The classes of one escaped letter, ASCII as in Go: whether negated, and the body.
fn perl_class(c: char) -> Option<(&'static str, &'static str)> {
    let body = match c.to_ascii_lowercase() {
        'd' => "0-9",
        's' => r"\t\n\x0c\r\x20",
        'w' => "0-9A-Za-z_",
        _ => return None,
    };
    Some((if c.is_ascii_uppercase() { "^" } else { "" }, body))
}

/// `\pN`, `\p{Greek}`, `\P{^Lu}` at the start of `whole`: general categories and scripts.
fn unicode_class(whole: &str) -> Result<(String, &str), String> {
    const REASON: &str = "invalid character class range";
    let mut negative = whole.starts_with("\\P");
    let inner = whole.get(2..).unwrap_or_default();
    let (mut name, behind) = if inner.starts_with('{') {
        let Some((name, behind)) = inner.get(1..).and_then(|it| it.split_once('}')) else {
            return error(REASON, whole);
        };
        (name, behind)
    } else {
        let length = inner.chars().next().map_or(0, char::len_utf8);
        inner.split_at(length)
    };
    if let Some(positive) = name.strip_prefix('^') {
        negative = !negative;
        name = positive;
    }
    let property = match name {
        "Any" => "any".to_owned(),
        name if name.len() <= 2 => format!("gc={name}"),
        name => format!("sc={name}"),
    };
    let class = format!("\\{}{{{property}}}", if negative { 'P' } else { 'p' });
    let known = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
        && regex_syntax::parse(&class).is_ok();
    if known {
        Ok((class, behind))
    } else {
        error(REASON, up_to(whole, behind))
    }
}

/// The character that an escape stands for; `whole` starts with its backslash.
fn escaped_char(whole: &str) -> Result<(char, &str), String> {
    let Some((c, mut rest)) = whole.get(1..).and_then(split_first) else {
        return error("trailing backslash at end of expression", "");
    };
    let code = match c {
        // A digit alone would be a reference to a group, which there is none of.
        '1'..='7' if !rest.starts_with(|c: char| c.is_digit(8)) => None,
        '0'..='7' => {
            let mut code = c.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                let Some(digit) = rest.chars().next().and_then(|c| c.to_digit(8)) else {
                    break;
                };
                code = code * 8 + digit;
                rest = rest.get(1..).unwrap_or_default();
            }
            Some(code)
        }
        'x' => hex_code(&mut rest),
        'a' => Some(7),
        'f' => Some(12),
        'n' => Some(10),
        'r' => Some(13),
        't' => Some(9),
        'v' => Some(11),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
        _ => None,
    };
    match code.and_then(char::from_u32) {
        Some(c) => Ok((c, rest)),
        None => error("invalid escape sequence", up_to(whole, rest)),
    }
}

/// `41` or `{20ac}` behind `\x`; moves `rest` over what was looked at.
fn hex_code(rest: &mut &str) -> Option<u32> {
    let mut take = || {
        let (c, behind) = split_first(rest)?;
        *rest = behind;
        Some(c)
    };
    let first = take()?;
    if first != '{' {
        let high = first.to_digit(16);
        let low = take().and_then(|c| c.to_digit(16));
        return Some(high? * 16 + low?);
    }
    let mut code = None;
    loop {
        match take()? {
            '}' => return code,
            c => {
                let more = code.unwrap_or(0) * 16 + c.to_digit(16)?;
                code = Some(more).filter(|&it| it <= u32::from(char::MAX));
                code?;
            }
        }
    }
}

/// `{2}`, `{2,}`, `{2,5}`, and what follows; none where the brace stands for itself.
fn parse_repeat(text: &str) -> Option<((u32, Option<u32>), &str)> {
    let (min, rest) = parse_count(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = parse_count(rest)?;
            (Some(max), rest)
        }
    };
    Some(((min, max), rest.strip_prefix('}')?))
}

/// Digits without a leading zero; a count too long for 32 bits is the largest.
fn parse_count(text: &str) -> Option<(u32, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}

#[cfg(test)]
mod tests;
