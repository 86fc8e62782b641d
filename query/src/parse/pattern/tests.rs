//! Against what Go does.

use super::*;

fn regex(pattern: &str) -> regex::Regex {
    let translated = translate(pattern).unwrap();
    regex::Regex::new(&format!("^(?s:{translated})$")).unwrap()
}

#[test]
fn classes_are_ascii_as_in_go() {
    assert!(regex(r"\d+").is_match("123"));
    assert!(!regex(r"\d").is_match("\u{663}"));
    assert!(!regex(r"\w").is_match("é"));
    assert!(regex(r"\W").is_match("é"));
    assert!(!regex(r"\s").is_match("\u{a0}"));
    assert!(regex(r"[\d\s]+").is_match("1 2"));
    assert!(regex(r"[^\D]").is_match("7"));
    assert!(regex(r".").is_match("\n"));
    assert!(regex(r"a\b.b").is_match("aéb"));
}

#[test]
fn signs_mean_what_they_mean_in_go() {
    for (pattern, text) in [
        ("{foo}", "{foo}"),
        ("a{,3}", "a{,3}"),
        ("a{02}", "a{02}"),
        ("a{2}", "aa"),
        (r"\Qa.b\E+", "a.bb"),
        ("[a&&b]", "&"),
        ("[a~~b]", "~"),
        ("[[a]", "["),
        ("[]a]", "]"),
        ("[a-]", "-"),
        ("[[:alpha:][:^digit:]]", "+"),
        (r"\pN\p{Greek}\P{^Lu}", "1αB"),
        (r"\x41\x{20ac}\101\n", "A€A\n"),
        ("(?i:AB)c", "abc"),
        ("a(?i)*", "aaa"),
        ("(?P<n>a)|(?<m>b)", "b"),
        ("a# b", "a# b"),
        ("(?)a", "a"),
        (r"\_\-\/", "_-/"),
    ] {
        assert!(regex(pattern).is_match(text), "{pattern}");
    }
}

#[test]
fn errors_are_gos() {
    for (pattern, wanted) in [
        ("(", "missing closing ): `(`"),
        ("a)", "unexpected ): `a)`"),
        ("[a", "missing closing ]: `[a`"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Nope}", r"invalid character class range: `\p{Nope}`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a+?+", "invalid nested repetition operator: `+?+`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("(a{100}){11}", "invalid repeat count: `{11}`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        ("a\\", "trailing backslash at end of expression: ``"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?P<a-b>c)", "invalid named capture: `(?P<a-b>`"),
    ] {
        assert_eq!(
            check(pattern),
            Err(format!("error parsing regexp: {wanted}")),
            "{pattern}"
        );
    }
}

#[test]
fn the_empty_text_matches_where_it_does() {
    for (pattern, wanted) in [
        ("", true),
        ("a*", true),
        ("a|", true),
        ("^$", true),
        (r"\B", true),
        (r"\b", false),
        ("a{0,2}b?", true),
        (".", false),
        ("(a?)+", true),
    ] {
        assert_eq!(matches_empty(pattern), wanted, "{pattern}");
        assert_eq!(regex(pattern).is_match(""), wanted, "{pattern}");
    }
}

#[test]
fn tables_of_characters_have_a_limit() {
    assert_eq!(check(&r"\pN".repeat(1000)), Ok(()));
    let large = r"\pN[\PN]".repeat(501);
    assert_eq!(
        check(&large),
        Err(format!(
            "error parsing regexp: expression too large: `{large}`"
        ))
    );
    // Quadratic, if each looked for its end.
    assert!(check(&format!("[{}x]", "[:".repeat(500_000))).is_ok());
}

#[test]
fn plain_expressions_are_right() {
    for pattern in [
        "",
        "POD|istio-proxy",
        ".*",
        ".+|",
        "a.*b|c.+",
        "|||",
        "10.0.0.1:9090",
    ] {
        assert!(is_plain(pattern), "{pattern}");
        assert!(parse(pattern).is_ok(), "{pattern}");
    }
    for pattern in [
        "a*", "*", ".**", ".+*", ".+?", "[a]", "(a)", "a{2}", "\\d", "^a", "ü",
    ] {
        assert!(!is_plain(pattern), "{pattern}");
    }
}
