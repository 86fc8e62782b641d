//! Requests through the whole router, against a real database.

use axum::body::Body;
use axum::http::Method;
use http_body_util::BodyExt;
use silverback_storage::Options;
use silverback_storage::sys::sim::{Fault, SimDisk};
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::clock;
use crate::remote_write::test_encoder::{self, TestSeries, snappy, write_request};

mod lists;
mod rules;
mod writes;

/// An application on a data directory of its own, without a listener.
pub(crate) struct TestApp {
    pub(crate) app: AppRef,
    /// None where the disk is simulated.
    _dir: Option<TempDir>,
}

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl TestApp {
    pub(crate) fn new() -> Self {
        Self::configured(Config::default())
    }

    fn configured(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path(), config.storage_options()).unwrap();
        Self::with(config, db, Some(dir))
    }

    fn simulated(disk: &SimDisk) -> Self {
        let sys = disk.sys(clock::now_ms());
        let db = Db::open_with(sys, "/data", Options::default()).unwrap();
        Self::with(Config::default(), db, None)
    }

    fn with(config: Config, db: Db, dir: Option<TempDir>) -> Self {
        let local_addr = ([127, 0, 0, 1], 9494).into();
        let app = Arc::new(App::new(config, db, local_addr).unwrap());
        Self { app, _dir: dir }
    }

    async fn request(&self, request: axum::http::request::Builder, body: Vec<u8>) -> Answer {
        let request = request.body(Body::from(body)).unwrap();
        let response = router(&self.app).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    async fn get(&self, uri: &str) -> Answer {
        self.request(axum::http::Request::get(uri), Vec::new())
            .await
    }

    async fn write(&self, message: &[u8]) -> Answer {
        self.post_write(&test_encoder::HEADERS, snappy(message))
            .await
    }

    async fn post_write(&self, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = axum::http::Request::post("/api/v1/write");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.request(request, body).await
    }

    /// The value of a line of `/metrics`.
    async fn metric(&self, series: &str) -> f64 {
        let metrics = self.get("/metrics").await;
        let line = metrics
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {}", metrics.text()))
            .parse()
            .unwrap()
    }
}

fn up(timestamp_ms: i64) -> TestSeries {
    TestSeries::new(&[("__name__", "up"), ("job", "a")], &[(timestamp_ms, 1.0)])
}

#[tokio::test]
async fn what_is_written_can_be_asked_for() {
    let app = TestApp::new();
    let now_ms = clock::now_ms() / 1000 * 1000;
    let written = app.write(&write_request(&[up(now_ms)], 0)).await;
    assert_eq!((written.status, written.text()), (204, ""));
    let now = now_ms / 1000;
    let found = app
        .get(&format!("/api/v1/query?query=up&time={now}.25"))
        .await;
    assert_eq!(
        found.text(),
        format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{"__name__":"up","job":"a"}},"value":[{now}.250,"1"]}}]}}}}"#
        )
    );
    assert_eq!(
        app.metric("silverback_remote_write_samples_total").await,
        1.0
    );
    assert_eq!(
        app.metric("silverback_remote_write_requests_total").await,
        1.0
    );
    let requests = r#"silverback_http_requests_total{code="204",handler="/api/v1/write"}"#;
    assert_eq!(app.metric(requests).await, 1.0);
}

#[tokio::test]
async fn a_form_comes_before_the_query_string() {
    let app = TestApp::new();
    let request = axum::http::Request::post("/api/v1/query?query=1&time=7").header(
        "content-type",
        "application/x-www-form-urlencoded; charset=utf-8",
    );
    let answer = app.request(request, b"query=2%2B1".to_vec()).await;
    assert_eq!(
        answer.text(),
        r#"{"status":"success","data":{"resultType":"scalar","result":[7,"3"]}}"#
    );
    let plain = axum::http::Request::post("/api/v1/query?query=1&time=7");
    let answer = app.request(plain, b"query=2".to_vec()).await;
    assert!(answer.text().ends_with(r#"[7,"1"]}}"#), "{}", answer.text());
    let multipart = axum::http::Request::post("/api/v1/query")
        .header("content-type", "multipart/form-data; boundary=x");
    let answer = app.request(multipart, Vec::new()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("application/x-www-form-urlencoded"));
}

#[tokio::test]
async fn a_full_disk_is_503_until_there_is_room() {
    let disk = SimDisk::new(1);
    let app = TestApp::simulated(&disk);
    let now_ms = clock::now_ms();
    disk.set_full(true);
    let mut refused = None;
    // Until the room reserved for the first file of the log is used up.
    for number in 0..100 {
        let text = "x".repeat(15 << 10);
        let many: Vec<TestSeries> = (0..100)
            .map(|i| {
                let text = format!("{number} {i} {text}");
                TestSeries::new(&[("__name__", "m"), ("text", &text)], &[(now_ms, 1.0)])
            })
            .collect();
        let answer = app.write(&write_request(&many, 0)).await;
        if answer.status != 204 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    assert_eq!(app.get("/-/healthy").await.status, 200);
    disk.set_full(false);
    assert_eq!(
        app.write(&write_request(&[up(now_ms)], 0)).await.status,
        204
    );
}

#[tokio::test]
async fn a_failed_disk_is_503_and_unhealthy_and_queries_go_on() {
    let disk = SimDisk::new(1);
    let app = TestApp::simulated(&disk);
    let now_ms = clock::now_ms();
    assert_eq!(
        app.write(&write_request(&[up(now_ms)], 0)).await.status,
        204
    );
    assert_eq!(
        app.get("/-/healthy").await.text(),
        "Silverback is Healthy.\n"
    );
    disk.fail_at(disk.ops(), Fault::Eio);
    let later = write_request(&[up(now_ms + 1)], 0);
    assert_eq!(app.write(&later).await.status, 503);
    assert_eq!(app.write(&later).await.status, 503);
    let health = app.get("/-/healthy").await;
    assert_eq!(health.status, 503);
    assert!(
        health
            .text()
            .contains("refuses writes since a write or sync failed: ")
    );
    assert!(app.get("/").await.text().contains("Writes are refused"));
    assert_eq!(app.metric("silverback_poisoned").await, 1.0);
    let found = app
        .get(&format!(
            "/api/v1/query?query=up&time={}",
            now_ms / 1000 + 1
        ))
        .await;
    assert!(found.text().contains(r#""job":"a""#), "{}", found.text());
}

#[tokio::test]
async fn what_answers_are_without_for_damage_is_among_their_warnings() {
    let disk = SimDisk::new(1);
    let app = TestApp::simulated(&disk);
    let now_ms = clock::now_ms() / 1000 * 1000;
    app.write(&write_request(&[up(now_ms - 60_000)], 0)).await;
    app.app.db.flush().unwrap();
    app.write(&write_request(&[up(now_ms)], 0)).await;
    let files = disk.files();
    let mut segments = files.iter().filter(|f| f.0.starts_with("/data/segments"));
    let (path, bytes) = segments.next().unwrap();
    let query = format!("/api/v1/query?query=up[5m]&time={}", now_ms / 1000);
    let lists = [
        "/api/v1/labels",
        "/api/v1/label/job/values",
        "/api/v1/series?match[]=up",
    ];
    let (mut warned, mut lists_warned) = (0, [0; 3]);
    for byte in (0..*bytes).step_by(11) {
        let fork = disk.fork();
        fork.flip_bit(path, 8 * byte).unwrap();
        let app = TestApp::simulated(&fork);
        let is_warned = |answer: &Answer| {
            assert_eq!(answer.status, 200, "byte {byte}: {}", answer.text());
            let is_warned = answer.text().contains(r#""warnings":["#);
            assert!(!is_warned || answer.text().contains(&*path.to_string_lossy()));
            is_warned
        };
        let found = app.get(&query).await;
        let newest = format!(r#"[{},"1"]"#, now_ms / 1000);
        assert!(found.text().contains(&newest), "{}", found.text());
        let mut counted = u64::from(is_warned(&found));
        warned += counted;
        for (uri, count) in lists.iter().zip(&mut lists_warned) {
            let is_warned = u64::from(is_warned(&app.get(uri).await));
            *count += is_warned;
            counted += is_warned;
        }
        let figure = app.metric("silverback_read_damage_total").await;
        assert_eq!(figure, counted as f64, "byte {byte}");
    }
    assert!(warned > 0 && lists_warned.iter().all(|&count| count > 0));
}

#[tokio::test]
async fn a_closed_database_is_503() {
    let app = TestApp::new();
    app.app.db.close().unwrap();
    let answer = app.write(&write_request(&[up(clock::now_ms())], 0)).await;
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn reads_answer_other_origins_and_in_gzip() {
    let app = TestApp::new();
    let origin = "http://grafana.example";
    let request = |method| {
        axum::http::Request::builder()
            .method(method)
            .uri("/api/v1/query?query=1")
            .header("origin", origin)
            .header("accept-encoding", "gzip")
    };
    let preflight = app.request(request(Method::OPTIONS), Vec::new()).await;
    assert_eq!(preflight.status, 204);
    let answer = app.request(request(Method::GET), Vec::new()).await;
    for answer in [&preflight, &answer] {
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert_eq!(
            answer.header("access-control-allow-methods"),
            "GET, POST, OPTIONS"
        );
        assert_eq!(answer.header("vary"), "Origin");
    }
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(answer.body[..2], [0x1f, 0x8b]);
    let same_origin = app.get("/api/v1/query?query=1").await;
    assert_eq!(same_origin.header("access-control-allow-origin"), "");
    assert_eq!(same_origin.header("content-encoding"), "");
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let app = TestApp::new();
    for path in [
        "/nothing",
        "/api/v1/nothing",
        "/api/v2/query",
        "/api/v1/rules",
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 404);
        let expected = format!(
            r#"{{"status":"error","errorType":"not_found","error":"there is nothing at {path}"}}"#
        );
        assert_eq!(answer.text(), expected);
    }
    for (path, allowed) in [
        ("/api/v1/query", "GET,HEAD,POST,OPTIONS"),
        ("/-/ready", "GET,HEAD"),
    ] {
        let answer = app
            .request(axum::http::Request::delete(path), Vec::new())
            .await;
        assert_eq!((answer.status, answer.header("allow")), (405, allowed));
        assert!(
            answer.text().starts_with(r#"{"status":"error","#),
            "{}",
            answer.text()
        );
    }
    let other = r#"silverback_http_requests_total{code="404",handler="other"}"#;
    assert_eq!(app.metric(other).await, 4.0);
}

#[tokio::test]
async fn the_fixed_pages() {
    let app = TestApp::new();
    assert_eq!(app.get("/-/ready").await.text(), "Silverback is Ready.\n");
    let info = app.get("/api/v1/status/buildinfo").await;
    let info: serde_json::Value = serde_json::from_slice(&info.body).unwrap();
    let version = info["data"]["version"].as_str().unwrap();
    assert!(version.starts_with("3.14.0+silverback."), "{version}");
    assert_eq!(info["data"]["features"], serde_json::Value::Null);
    let metrics = app.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4");
    let page = app
        .request(
            axum::http::Request::get("/").header("host", "tsdb:1"),
            Vec::new(),
        )
        .await;
    assert!(page.text().contains("url: http://tsdb:1/api/v1/write"));
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
}

#[test]
fn a_panic_is_answered() {
    for panic in [
        Box::new("text") as Box<dyn Any + Send>,
        Box::new("text".to_owned()),
        Box::new(1),
    ] {
        let response = answer_panic(panic);
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}

#[test]
fn handlers_are_a_bounded_set() {
    assert_eq!(handler_name("/api/v1/write"), "/api/v1/write");
    assert_eq!(
        handler_name("/api/v1/label/job/values"),
        "/api/v1/label/:name/values"
    );
    assert_eq!(handler_name("/api/v1/whatever"), "other");
}

#[tokio::test]
async fn expressions_are_formatted_and_taken_apart() {
    let app = TestApp::new();
    let answer = app
        .get("/api/v1/format_query?query=sum(foo)by(a)%20%3C%201")
        .await;
    assert_eq!(
        answer.text(),
        r#"{"status":"success","data":"sum by (a) (foo) \u003c 1"}"#
    );
    let answer = app.get("/api/v1/parse_query?query=2").await;
    assert_eq!(
        answer.text(),
        r#"{"status":"success","data":{"type":"numberLiteral","val":"2"}}"#
    );
    for endpoint in ["format_query", "parse_query"] {
        let answer = app
            .get(&format!("/api/v1/{endpoint}?query=invalid_expression/"))
            .await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.text(),
            r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:20: parse error: unexpected end of input"}"#
        );
        // A flag away, as in Prometheus.
        let uri = format!("/api/v1/{endpoint}?query=a[5m]smoothed");
        let refused = app.get(&uri).await;
        assert!(refused.text().contains("is experimental and not enabled"));
    }
}
