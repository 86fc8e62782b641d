//! What there is most of, of the series of the table.

use silverback_tests::Result;
use silverback_tests::api::Api;

use super::Version;

const PATH: &str = "/api/v1/status/tsdb";
const REFUSED: &str =
    r#"{"status":"error","errorType":"bad_data","error":"limit must be a positive number"}"#;

/// Compares the answers about cardinality. Prometheus gives what counts the same in any order, so
/// whole bodies are compared where nothing does, and sorted lists otherwise.
pub(super) fn check(api: &Api, version: Version, base_ms: i64) -> Result<()> {
    let reply = api.get(PATH, &[("limit", "1")])?;
    let expected = format!(
        "{{\"status\":\"success\",\"data\":{{\"headStats\":{{\"numSeries\":4,\"numLabelPairs\":8,\
         \"chunkCount\":4,\"minTime\":{base_ms},\"maxTime\":{}}},\
         \"seriesCountByMetricName\":[{{\"name\":\"up\",\"value\":2}}],\
         \"labelValueCountByLabelName\":[{{\"name\":\"__name__\",\"value\":3}}],\
         \"memoryInBytesByLabelName\":[{{\"name\":\"__name__\",\"value\":54}}],\
         \"seriesCountByLabelValuePair\":[{{\"name\":\"__name__=up\",\"value\":2}}]}}}}",
        base_ms + 30_500,
    );
    assert_eq!(
        (reply.status, reply.body.trim_end()),
        (200, expected.as_str())
    );

    let reply = api.get(PATH, &[])?;
    let body: serde_json::Value = serde_json::from_str(&reply.body)
        .map_err(|error| silverback_tests::Error::about(error, &reply.body))?;
    let mut lists = Vec::new();
    for name in [
        "seriesCountByMetricName",
        "labelValueCountByLabelName",
        "memoryInBytesByLabelName",
        "seriesCountByLabelValuePair",
    ] {
        let list = body["data"][name].as_array().into_iter().flatten();
        let mut list: Vec<String> = list
            .map(|of| format!("{}={}", of["name"], of["value"]))
            .collect();
        list.sort();
        lists.push(list);
    }
    let expected: [&[&str]; 4] = [
        &["\"floats\"=1", "\"text\"=1", "\"up\"=2"],
        &[
            "\"__name__\"=3",
            "\"instance\"=2",
            "\"job\"=2",
            "\"value\"=1",
        ],
        &[
            "\"__name__\"=54",
            "\"instance\"=26",
            "\"job\"=12",
            "\"value\"=20",
        ],
        &[
            "\"__name__=floats\"=1",
            "\"__name__=text\"=1",
            "\"__name__=up\"=2",
            "\"instance=x:1\"=1",
            "\"instance=y:2\"=1",
            "\"job=a\"=1",
            "\"job=b\"=1",
            "\"value=\\\"\\\\\\n\\t<&>é\u{2028}\u{7f}\"=1",
        ],
    ];
    assert_eq!(lists, expected);

    for limit in ["0", "-1", "x"] {
        let reply = api.get(PATH, &[("limit", limit)])?;
        assert_eq!((reply.status, reply.body.trim_end()), (400, REFUSED));
    }
    if version == Version::V3_14 {
        let reply = api.get(PATH, &[("limit", "10001")])?;
        let expected = REFUSED.replace("be a positive number", "not exceed 10000");
        assert_eq!(
            (reply.status, reply.body.trim_end()),
            (400, expected.as_str())
        );
    }
    Ok(())
}
