//! `application/x-www-form-urlencoded` as Go's `net/url` reads it.
//!
//! A pair that cannot be decoded, or that holds a semicolon, is left out and remembered as the
//! error of the whole; most endpoints go on without it, as in Prometheus.

/// The pairs of a query string or a form body.
#[derive(Debug, Default)]
pub(super) struct Form {
    pairs: Vec<(String, String)>,
    /// What is wrong with the first pair that was left out.
    error: Option<String>,
}

impl Form {
    /// Adds the pairs of a text, after the ones that are there.
    pub(super) fn add(&mut self, text: &[u8]) {
        for pair in text
            .split(|&byte| byte == b'&')
            .filter(|pair| !pair.is_empty())
        {
            match read_pair(pair) {
                Ok(pair) => self.pairs.push(pair),
                Err(error) => {
                    self.error.get_or_insert(error);
                }
            }
        }
    }

    /// The first value of a name; empty where it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.pairs.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value)
    }

    /// All values of a name.
    pub(super) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.pairs
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// What is wrong with the first pair that was left out.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

fn read_pair(pair: &[u8]) -> Result<(String, String), String> {
    if pair.contains(&b';') {
        return Err("invalid semicolon separator in query".to_owned());
    }
    let split = pair.iter().position(|&byte| byte == b'=');
    let (name, value) = match split {
        Some(at) => (pair.get(..at), pair.get(at + 1..)),
        None => (Some(pair), None),
    };
    let text = |bytes: Option<&[u8]>| -> Result<String, String> {
        let decoded = percent_decode(bytes.unwrap_or_default(), Plus::IsSpace)?;
        Ok(String::from_utf8_lossy(&decoded).into_owned())
    };
    Ok((text(name)?, text(value)?))
}

/// What `+` stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Plus {
    /// A space, as in forms and query strings.
    IsSpace,
    /// Itself, as in paths.
    IsPlus,
}

/// Turns `%41` into `A`.
///
/// # Errors
/// A percent sign without two hexadecimal digits, in Go's words.
pub(super) fn percent_decode(text: &[u8], plus: Plus) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'%' => {
                let digits = after.get(..2).unwrap_or(after);
                let byte = match digits {
                    [high, low] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
                    _ => None,
                };
                let Some(byte) = byte else {
                    let shown = String::from_utf8_lossy(digits);
                    return Err(format!("invalid URL escape \"%{shown}\""));
                };
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            b'+' if plus == Plus::IsSpace => out.push(b' '),
            &other => out.push(other),
        }
    }
    Ok(out)
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_counts_and_all_can_be_had() {
        let mut form = Form::default();
        form.add(b"query=up%7Ba%3D%22b+c%22%7D&match[]=a&x&&match%5B%5D=b");
        form.add(b"query=later&time=1");
        assert_eq!(form.get("query"), r#"up{a="b c"}"#);
        assert_eq!(form.get("time"), "1");
        assert_eq!(form.get("x"), "");
        assert_eq!(form.get("nothing"), "");
        assert_eq!(form.all("match[]").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(form.error(), None);
    }

    #[test]
    fn pairs_that_cannot_be_read_are_left_out_and_remembered() {
        let mut form = Form::default();
        form.add(b"a=%zz&b=1&c=%4&d=2;e=3");
        assert_eq!(form.get("a"), "");
        assert_eq!(form.get("b"), "1");
        assert_eq!(form.get("d"), "");
        assert_eq!(form.error(), Some("invalid URL escape \"%zz\""));
        let mut form = Form::default();
        form.add(b"query=1;time=2");
        assert_eq!(form.error(), Some("invalid semicolon separator in query"));
        let mut form = Form::default();
        form.add(b"c=%4");
        assert_eq!(form.error(), Some("invalid URL escape \"%4\""));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let mut form = Form::default();
        form.add(b"a=%ff");
        assert_eq!(form.get("a"), "\u{fffd}");
        assert_eq!(percent_decode(b"a+b%2F", Plus::IsPlus).unwrap(), b"a+b/");
    }
}
