//! The page at `/`: what this is, how it does, how to point other programs at it.

use std::fmt::{self, Display, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use silverback_storage::Stats;

use crate::app::App;
use crate::units::format_size;
use crate::version;

/// Longest Host header that is shown, in bytes; a name of the DNS has 253 at most.
const HOST_BYTES_MAX: usize = 300;

/// The page, as it is now.
pub(crate) async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.filter(|host| is_plain_host(host)).map(str::to_owned);
    let page = Page {
        base_url: format!(
            "http://{}",
            host.unwrap_or_else(|| app.local_addr.to_string())
        ),
        data_dir: app.config.data_dir.display().to_string(),
        uptime: app.started.elapsed(),
        stats: app.db.stats(),
    };
    let mut response = Html(page.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    response
}

/// Whether a Host header is a name or an address with or without a port, and nothing else that
/// a page or a configuration file could take for something.
fn is_plain_host(host: &str) -> bool {
    (1..=HOST_BYTES_MAX).contains(&host.len())
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
}

struct Page {
    base_url: String,
    data_dir: String,
    uptime: Duration,
    stats: Stats,
}

const STYLE: &str = "\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; }
h2 { margin-top: 2rem; font-size: 1.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem .3rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
th { font-weight: 600; width: 14rem; }
pre { overflow-x: auto; padding: .75rem 1rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .4rem; }
.bad { border-left: .4rem solid #c62828; padding: .1rem 0 .1rem 1rem; }
";

impl Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")?;
        f.write_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")?;
        write!(
            f,
            "<title>Silverback</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        )?;
        f.write_str("<h1>Silverback</h1>\n<p>A Prometheus-compatible time-series database: a ")?;
        f.write_str("remote-write target and a Grafana data source.</p>\n")?;
        self.health(f)?;
        self.state(f)?;
        self.how_to(f)?;
        f.write_str("</main>\n</body>\n</html>\n")
    }
}

impl Page {
    fn health(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cause) = &self.stats.poisoned else {
            return Ok(());
        };
        f.write_str("<section class=\"bad\" role=\"alert\">\n<h2>Writes are refused</h2>\n")?;
        write!(f, "<p>A write or sync failed: {}. ", Escaped(cause))?;
        f.write_str("Queries go on. Check the disk, then restart ")?;
        f.write_str("the server.</p>\n</section>\n")
    }

    fn state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &self.stats;
        f.write_str("<h2 id=\"state\">State</h2>\n<table aria-labelledby=\"state\">\n")?;
        row(
            f,
            "Writes",
            if stats.poisoned.is_some() {
                "refused"
            } else {
                "accepted"
            },
        )?;
        row(f, "Series", &Grouped(stats.series).to_string())?;
        row(
            f,
            "Samples appended",
            &Grouped(stats.samples_appended).to_string(),
        )?;
        row(f, "Oldest sample", &time(stats.min_timestamp_ms))?;
        row(f, "Newest sample", &time(stats.max_timestamp_ms))?;
        row(f, "Sample data in memory", &format_size(stats.chunk_bytes))?;
        let files = |bytes, count| format!("{} in {} files", format_size(bytes), Grouped(count));
        row(f, "WAL", &files(stats.wal_bytes, stats.wal_files))?;
        row(f, "Segments", &files(stats.segment_bytes, stats.segments))?;
        if stats.segments_damaged > 0 {
            let damaged = format!("{}, left out", Grouped(stats.segments_damaged));
            row(f, "Damaged segments", &damaged)?;
        }
        if stats.replay_damage > 0 {
            let damage = format!(
                "{} places, skipped when the server started",
                Grouped(stats.replay_damage)
            );
            row(f, "Damage in the WAL", &damage)?;
        }
        row(f, "Data directory", &self.data_dir)?;
        row(f, "Running for", &uptime(self.uptime))?;
        row(
            f,
            "Version",
            &format!("{} ({})", version::VERSION, version::REVISION),
        )?;
        f.write_str("</table>\n")
    }

    fn how_to(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = Escaped(&self.base_url);
        f.write_str("<h2>Send metrics here</h2>\n<p>In <code>prometheus.yml</code>:</p>\n")?;
        writeln!(
            f,
            "<pre><code>remote_write:\n  - url: {url}/api/v1/write</code></pre>"
        )?;
        f.write_str("<p>Grafana Alloy, vmagent and the OpenTelemetry collector push to the same ")?;
        f.write_str("URL with remote write 1.0.</p>\n<h2>Ask from Grafana</h2>\n")?;
        writeln!(
            f,
            "<p>Add a data source of type Prometheus with the URL <code>{url}</code>.</p>"
        )?;
        f.write_str("<h2>Ask from here</h2>\n<ul>\n")?;
        for (path, what) in [
            ("/api/v1/query?query=up", "a query"),
            ("/api/v1/label/__name__/values", "the names of all metrics"),
            ("/metrics", "this server's own metrics"),
            ("/-/healthy", "its health"),
        ] {
            writeln!(f, "<li><a href=\"{path}\">{path}</a>: {what}</li>")?;
        }
        f.write_str("</ul>\n")
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(
        f,
        "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>",
        Escaped(value)
    )
}

/// A timestamp for people: RFC 3339, to the second, where the calendar of this page reaches.
fn time(timestamp_ms: Option<i64>) -> String {
    /// The year 10000, which the formatter does not write.
    const END_MS: u64 = 253_402_300_800_000;
    let Some(ms) = timestamp_ms else {
        return "none".to_owned();
    };
    match u64::try_from(ms).ok().filter(|&ms| ms < END_MS) {
        Some(ms) => {
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
            humantime::format_rfc3339_seconds(time).to_string()
        }
        None => format!("{ms} ms"),
    }
}

/// A duration for people: its two largest units.
fn uptime(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A number with its thousands apart: `1 234 567`, by spaces that do not break.
struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_char('\u{202f}')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A text that HTML shows as it is.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(stats: Stats) -> String {
        Page {
            base_url: "http://tsdb.example:9494".to_owned(),
            data_dir: "/data/<x>".to_owned(),
            uptime: Duration::from_secs(3700),
            stats,
        }
        .to_string()
    }

    #[test]
    fn the_page_shows_the_state_and_the_urls() {
        let mut stats = Stats::default();
        stats.series = 1_234_567;
        stats.max_timestamp_ms = Some(1_577_836_800_500);
        let html = page(stats);
        for text in [
            "1\u{202f}234\u{202f}567",
            "2020-01-01T00:00:00Z",
            "<td>none</td>",
            "url: http://tsdb.example:9494/api/v1/write",
            "/data/&lt;x&gt;",
            "1 h 1 min",
            "<td>accepted</td>",
        ] {
            assert!(html.contains(text), "{text} is not in {html}");
        }
        assert!(!html.contains("role=\"alert\"") && !html.contains("Damaged"));
    }

    #[test]
    fn trouble_is_shown() {
        let mut stats = Stats::default();
        stats.poisoned = Some("fdatasync: <EIO>".to_owned());
        stats.replay_damage = 3;
        stats.segments_damaged = 2;
        let html = page(stats);
        for text in [
            "role=\"alert\"",
            "fdatasync: &lt;EIO&gt;",
            "3 places",
            "2, left out",
        ] {
            assert!(html.contains(text), "{text} is not in {html}");
        }
    }

    #[test]
    fn only_plain_hosts_are_shown() {
        for host in ["localhost:9494", "[::1]:9494", "10.0.0.1", "a-b.c_d"] {
            assert!(is_plain_host(host), "{host}");
        }
        for host in ["", "a b", "a/b", "<x>", "a\"b", &"a".repeat(301)] {
            assert!(!is_plain_host(host), "{host}");
        }
    }

    #[test]
    fn times_for_people() {
        assert_eq!(time(Some(-5)), "-5 ms");
        assert_eq!(time(Some(i64::MAX)), "9223372036854775807 ms");
        for (seconds, text) in [
            (5, "5 s"),
            (65, "1 min 5 s"),
            (7260, "2 h 1 min"),
            (200_000, "2 d 7 h"),
        ] {
            assert_eq!(uptime(Duration::from_secs(seconds)), text);
        }
    }
}
