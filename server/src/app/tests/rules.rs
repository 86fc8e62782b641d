//! Series that are changed or left out on purpose: relabeling, and one of two replicas.

use super::*;
use crate::config::HaConfig;
use crate::remote_write::test_encoder::v2::{self, sample};
use crate::remote_write::test_encoder::{empty_histogram, exemplar, histogram};

fn relabeling(rules: &str) -> (TempDir, Config) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.yml");
    std::fs::write(&path, rules).unwrap();
    let config = Config {
        relabel_config: Some(path),
        ..Config::default()
    };
    (dir, config)
}

fn pairs() -> TestApp {
    TestApp::configured(Config {
        ha: Some(HaConfig {
            clusters_max: 2,
            ..HaConfig::default()
        }),
        ..Config::default()
    })
}

async fn count(app: &TestApp, reason: &str) -> f64 {
    let metric = format!("silverback_remote_write_dropped_samples_total{{reason=\"{reason}\"}}");
    app.metric(&metric).await
}

/// The series that there are, as the API writes them.
async fn series(app: &TestApp) -> String {
    let answer = app
        .get("/api/v1/series?match[]=%7B__name__!=%22%22%7D")
        .await;
    let text = answer.text();
    let data = text.strip_prefix(r#"{"status":"success","data":"#);
    data.and_then(|data| data.strip_suffix('}'))
        .unwrap()
        .to_owned()
}

fn of(labels: &[(&str, &str)]) -> TestSeries {
    TestSeries::new(labels, &[(clock::now_ms(), 1.0)])
}

#[tokio::test]
async fn rules_change_and_drop_series() {
    let (_dir, config) = relabeling(
        "- {source_labels: [__name__], regex: 'debug_.*', action: drop}\n\
         - {regex: pod, action: labeldrop}\n\
         - {target_label: site, replacement: here}\n\
         - {source_labels: [__name__], regex: 'old_(.*)', target_label: __name__, replacement: 'new_$1'}\n\
         - {source_labels: [big], regex: (.+), target_label: big, replacement: '$1$1$1$1'}\n\
         - {source_labels: [nameless], regex: (.+), target_label: __name__, replacement: ''}\n",
    );
    let app = TestApp::configured(config);
    let request = [
        of(&[("__name__", "debug_x")]),
        of(&[("__name__", "up"), ("pod", "p"), ("job", "a")]),
        of(&[("__name__", "old_m"), ("b", ""), ("a", "1")]),
    ];
    let written = app.write(&write_request(&request, 0)).await;
    assert_eq!((written.status, written.text()), (204, ""));
    let kept =
        r#"[{"__name__":"new_m","a":"1","site":"here"},{"__name__":"up","job":"a","site":"here"}]"#;
    assert_eq!(series(&app).await, kept);
    assert_eq!(count(&app, "relabel").await, 1.0);

    // The limits hold for what the rules make, and labels must be right before them.
    let big = "x".repeat(5 << 10);
    for (labels, part) in [
        (
            &[("__name__", "m"), ("big", &big)][..],
            "the value of label \"big\" has 20480 bytes",
        ),
        (
            &[("__name__", "m"), ("nameless", "1")],
            "__name__ is missing",
        ),
        (
            &[("__name__", "debug_x"), ("a", "1"), ("a", "2")],
            "label name \"a\" is not unique",
        ),
    ] {
        let refused = app.write(&write_request(&[of(labels)], 0)).await;
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains(part), "{}", refused.text());
    }
    assert_eq!(series(&app).await, kept);
}

#[tokio::test]
async fn what_rules_drop_of_2_0_is_no_loss_and_metadata_follow_the_name() {
    let (_dir, config) = relabeling(
        "- {source_labels: [__name__], regex: 'debug_.*', action: drop}\n\
         - {source_labels: [__name__], regex: 'old_(.*)', target_label: __name__, replacement: 'new_$1'}\n",
    );
    let app = TestApp::configured(config);
    let mut request = v2::Request::default();
    let now_ms = clock::now_ms();
    for name in ["debug_x", "old_m"] {
        let fields = [
            request.refs(&[("__name__", name)]),
            sample(now_ms, 0, 1.0),
            request.exemplar(&[], now_ms, 1.0),
            request.metadata(1, name, ""),
        ];
        request.series(&fields);
    }
    let written = app
        .post_write(&v2::HEADERS, snappy(&request.encode()))
        .await;
    assert_eq!(written.status, 204);
    for (kind, count) in [("samples", "2"), ("histograms", "0"), ("exemplars", "2")] {
        let header = format!("x-prometheus-remote-write-{kind}-written");
        assert_eq!(written.header(&header), count);
    }
    let said = app.app.db.view().metadata(None).unwrap();
    let names: Vec<_> = said.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["new_m"]);
}

#[test]
fn rules_that_make_no_sense_do_not_start() {
    let (dir, config) = relabeling("- {action: explode}\n");
    let db = Db::open(dir.path().join("data"), config.storage_options()).unwrap();
    let local_addr = ([127, 0, 0, 1], 9494).into();
    let error = App::new(config, db, local_addr).unwrap_err().to_string();
    assert!(
        error.contains("rules.yml: rule 1: unknown relabel action \"explode\""),
        "{error}"
    );
}

fn replica(cluster: &str, replica: &str) -> TestSeries {
    of(&[
        ("__name__", "up"),
        ("__replica__", replica),
        ("cluster", cluster),
    ])
}

#[tokio::test]
async fn of_two_replicas_one_is_taken() {
    let app = pairs();
    let taken = app.write(&write_request(&[replica("c", "a")], 0)).await;
    assert_eq!(taken.status, 204);
    let mut other = replica("c", "b");
    other.histograms = vec![histogram(&empty_histogram(), clock::now_ms(), 0)];
    other.exemplars = vec![exemplar(&[], clock::now_ms(), 1.0)];
    let dropped = app.write(&write_request(&[other], 0)).await;
    assert_eq!(
        (dropped.status, dropped.text()),
        (
            202,
            "replica \"b\" of cluster \"c\" is not taken: \"a\" is\n"
        )
    );
    assert_eq!(count(&app, "replica").await, 2.0);
    // Other series of the same request are not dropped with it.
    let mixed = [
        replica("c", "b"),
        replica("d", "b"),
        of(&[("__name__", "alone"), ("cluster", "c")]),
    ];
    assert_eq!(app.write(&write_request(&mixed, 0)).await.status, 204);
    assert_eq!(
        series(&app).await,
        r#"[{"__name__":"alone","cluster":"c"},{"__name__":"up","cluster":"c"},{"__name__":"up","cluster":"d"}]"#
    );
    let refused = app.write(&write_request(&[replica("e", "a")], 0)).await;
    assert_eq!(refused.status, 400);
    let part = "its cluster \"e\" is one more than the limit of 2 (--ha-max-clusters)";
    assert!(refused.text().contains(part), "{}", refused.text());
    let long = "x".repeat(20 << 10);
    let refused = app.write(&write_request(&[replica(&long, "a")], 0)).await;
    assert_eq!(refused.status, 400);
    let part = "has 20480 bytes, more than the limit";
    assert!(refused.text().contains(part), "{}", refused.text());
}

/// Rules see what is left of two replicas: they can neither bring back the other one nor meet the
/// label that tells them apart.
#[tokio::test]
async fn of_two_replicas_one_is_taken_before_rules_are_applied() {
    let (_dir, config) = relabeling(
        "- {source_labels: [__replica__], regex: .+, action: drop}\n\
         - {regex: cluster, action: labeldrop}\n",
    );
    let app = TestApp::configured(Config {
        ha: Some(HaConfig::default()),
        ..config
    });
    for (name, status) in [("a", 204), ("b", 202), ("a", 204)] {
        let written = app.write(&write_request(&[replica("c", name)], 0)).await;
        assert_eq!(written.status, status, "{name}: {}", written.text());
    }
    assert_eq!(series(&app).await, r#"[{"__name__":"up"}]"#);
    assert_eq!(count(&app, "relabel").await, 0.0);
}

#[tokio::test]
async fn what_another_replica_sends_by_2_0_is_no_loss() {
    let app = pairs();
    for (name, status) in [("a", 204), ("b", 202)] {
        let mut request = v2::Request::default();
        let labels = [("__name__", "up"), ("__replica__", name), ("cluster", "c")];
        let fields = [request.refs(&labels), sample(clock::now_ms(), 0, 1.0)];
        request.series(&fields);
        let written = app
            .post_write(&v2::HEADERS, snappy(&request.encode()))
            .await;
        assert_eq!(written.status, status);
        let header = "x-prometheus-remote-write-samples-written";
        assert_eq!(written.header(header), "1");
    }
}
