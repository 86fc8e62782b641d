//! Lists of series, labels and what goes with them: what they may hold, and how they end.

use super::*;

const SERIES: usize = 2000;

/// An application with that many series of long labels, whose reads may hold so many bytes.
async fn crowded(query_bytes_max: u64) -> TestApp {
    let app = TestApp::configured(Config {
        query_bytes_max,
        ..Config::default()
    });
    let now_ms = clock::now_ms();
    let series: Vec<TestSeries> = (0..SERIES)
        .map(|n| {
            let own = format!("{n:0200}");
            TestSeries::new(&[("__name__", "m"), ("own", &own)], &[(now_ms, 1.0)])
        })
        .collect();
    let written = app.write(&write_request(&series, 0)).await;
    assert_eq!((written.status, written.text()), (204, ""));
    app
}

#[tokio::test]
async fn a_list_that_is_too_long_is_refused_while_others_are_answered() {
    let app = crowded(256 << 10).await;
    let all = [
        "/api/v1/series?match[]=m",
        "/api/v1/series?match[]=m&match[]=%7Bown!=%22%22%7D",
        "/api/v1/label/own/values",
        "/api/v1/label/own/values?match[]=m",
        "/api/v1/label/own/values?match[]=%7Bown!~%22x.*%22,own!=%22%22%7D",
    ];
    for uri in all {
        let refused = app.get(uri).await;
        assert_eq!(refused.status, 422, "{uri}: {}", refused.text());
        let text = refused.text();
        assert!(
            text.starts_with(
                r#"{"status":"error","errorType":"execution","error":"the answer would use too much memory: "#
            ) && text.contains(" more, where this request holds ")
                && text.ends_with(
                    r#" and others 0 bytes of the 256.0 KiB for all queries together (--query-max-bytes)"}"#
                ),
            "{uri}: {text}"
        );
        assert_eq!(app.app.engine.bytes_held(), 0, "{uri}");
        // A limit keeps it short.
        let cut = app
            .get(&format!(
                "{uri}{}limit=3",
                if uri.contains('?') { '&' } else { '?' }
            ))
            .await;
        assert_eq!(cut.status, 200, "{uri}: {}", cut.text());
        assert!(
            cut.text()
                .ends_with(r#","warnings":["results truncated due to limit"]}"#),
            "{uri}: {}",
            cut.text()
        );
    }
    let names = app.get("/api/v1/labels?match[]=m").await;
    assert_eq!(
        names.text(),
        r#"{"status":"success","data":["__name__","own"]}"#
    );
    assert_eq!(app.app.engine.bytes_held(), 0);
}

#[tokio::test]
async fn an_answer_is_held_until_the_client_has_it() {
    let app = crowded(4 << 20).await;
    let uri = "/api/v1/label/own/values";
    let request = axum::http::Request::get(uri).body(Body::empty()).unwrap();
    let response = router(&app.app).oneshot(request).await.unwrap();
    let held = app.app.engine.bytes_held();
    assert!((SERIES as u64 * 200..1 << 20).contains(&held), "{held}");
    let turns = app.app.config.query_concurrency;
    assert_eq!(app.app.query_turns.available_permits(), turns - 1);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(json["data"].as_array().unwrap().len(), SERIES);
    assert_eq!(app.app.engine.bytes_held(), 0);
    assert_eq!(app.app.query_turns.available_permits(), turns);

    let series = app.get("/api/v1/series?match[]=m").await;
    let json: serde_json::Value = serde_json::from_slice(&series.body).unwrap();
    let list = json["data"].as_array().unwrap();
    assert_eq!(list.len(), SERIES);
    assert_eq!(list[7]["own"], format!("{:0200}", 7));
    assert!(json["warnings"].is_null(), "{}", json["warnings"]);
    assert_eq!(app.app.engine.bytes_held(), 0);
}

#[tokio::test]
async fn what_there_is_most_of_is_told_within_bounds() {
    let app = TestApp::new();
    let empty = app.get("/api/v1/status/tsdb").await;
    let expected = concat!(
        r#"{"status":"success","data":{"headStats":{"numSeries":0,"numLabelPairs":0,"chunkCount":0,"#,
        r#""minTime":9223372036854775807,"maxTime":-9223372036854775808},"seriesCountByMetricName":[],"#,
        r#""labelValueCountByLabelName":[],"memoryInBytesByLabelName":[],"seriesCountByLabelValuePair":[]}}"#,
    );
    assert_eq!((empty.status, empty.text()), (200, expected));

    let app = crowded(256 << 10).await;
    let few = app.get("/api/v1/status/tsdb?limit=2").await;
    assert_eq!(few.status, 200, "{}", few.text());
    let few: serde_json::Value = serde_json::from_slice(&few.body).unwrap();
    let data = &few["data"];
    assert_eq!(data["headStats"]["numSeries"], SERIES);
    assert_eq!(data["headStats"]["numLabelPairs"], SERIES + 1);
    let bytes = [(3 + 1 + 200 + 1) * SERIES, (8 + 1 + 1 + 1) * SERIES];
    let text = format!(
        r#"[{{"name":"own","value":{}}},{{"name":"__name__","value":{}}}]"#,
        bytes[0], bytes[1]
    );
    assert_eq!(data["memoryInBytesByLabelName"].to_string(), text);
    let pairs = data["seriesCountByLabelValuePair"].as_array().unwrap();
    // What counts the same is in order of name.
    let second = format!("own={:0200}", 0);
    assert_eq!((pairs.len(), &pairs[0]["name"]), (2, &"__name__=m".into()));
    assert_eq!(pairs[1]["name"], second.as_str());

    let refused = app.get("/api/v1/status/tsdb?limit=10000").await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(
        refused.text().contains("(--query-max-bytes)"),
        "{}",
        refused.text()
    );
    assert_eq!(app.app.engine.bytes_held(), 0);
    // Files are asked as heads are.
    app.app.db.flush().unwrap();
    let stored = app.get("/api/v1/status/tsdb?limit=2").await;
    let stored: serde_json::Value = serde_json::from_slice(&stored.body).unwrap();
    assert_eq!(stored["data"]["memoryInBytesByLabelName"].to_string(), text);
}
