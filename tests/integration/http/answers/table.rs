//! Requests and the bodies they must be answered with.

/// A request and its answer. `<T>` stands for [`crate::http::base_ms`] in seconds, `<T+7.5>` for so
/// much later, in parameters and bodies alike.
pub(super) struct Row {
    pub(super) path: &'static str,
    pub(super) params: &'static [(&'static str, &'static str)],
    pub(super) status: u16,
    pub(super) body: &'static str,
}

const fn row(
    path: &'static str,
    params: &'static [(&'static str, &'static str)],
    status: u16,
    body: &'static str,
) -> Row {
    Row {
        path,
        params,
        status,
        body,
    }
}

const QUERY: &str = "/api/v1/query";
const RANGE: &str = "/api/v1/query_range";
const SERIES: &str = "/api/v1/series";
const LABELS: &str = "/api/v1/labels";
const JOBS: &str = "/api/v1/label/job/values";

pub(super) const QUERIES: &[Row] = &[
    // A scalar is written by other code than a sample is: no exponent, and the time as short
    // as it gets.
    row(
        QUERY,
        &[("query", "1e22"), ("time", "4.5")],
        200,
        r#"{"status":"success","data":{"resultType":"scalar","result":[4.5,"10000000000000000000000"]}}"#,
    ),
    row(
        QUERY,
        &[("query", "vector(1e-7)"), ("time", "4.5")],
        200,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[4.500,"1e-07"]}]}}"#,
    ),
    row(
        QUERY,
        &[("query", "1+1"), ("time", "4")],
        200,
        r#"{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}"#,
    ),
    row(
        QUERY,
        &[("query", "1/3"), ("time", "1435781430.781")],
        200,
        r#"{"status":"success","data":{"resultType":"scalar","result":[1435781430.781,"0.3333333333333333"]}}"#,
    ),
    row(
        QUERY,
        &[("query", "-1/0"), ("time", "-0.5")],
        200,
        r#"{"status":"success","data":{"resultType":"scalar","result":[-0.5,"-Inf"]}}"#,
    ),
    row(
        QUERY,
        &[("query", "'a\\n<b>'"), ("time", "4.02")],
        200,
        r#"{"status":"success","data":{"resultType":"string","result":[4.02,"a\n\u003cb\u003e"]}}"#,
    ),
    row(
        QUERY,
        &[("query", "up{job='a'}"), ("time", "<T+20>")],
        200,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"x:1","job":"a"},"value":[<T+20>,"1"]}]}}"#,
    ),
    row(
        QUERY,
        &[("query", "nothing"), ("time", "<T>")],
        200,
        r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
    ),
    row(
        QUERY,
        &[("query", "nothing[5m]"), ("time", "<T>")],
        200,
        r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#,
    ),
    row(
        QUERY,
        &[("query", "sum(up)"), ("time", "<T>")],
        200,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[<T>,"2"]}]}}"#,
    ),
    // The stale marker ends a series at its very millisecond; the lookback is open on the left.
    row(
        QUERY,
        &[("query", "up{job='b'}"), ("time", "<T+14.999>")],
        200,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"y:2","job":"b"},"value":[<T+14.999>,"1"]}]}}"#,
    ),
    row(
        QUERY,
        &[("query", "up{job='b'}"), ("time", "<T+15>")],
        200,
        r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
    ),
    row(
        QUERY,
        &[("query", "up{job='a'}"), ("time", "<T+330.499>")],
        200,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"x:1","job":"a"},"value":[<T+330.499>,"0"]}]}}"#,
    ),
    row(
        QUERY,
        &[("query", "up{job='a'}"), ("time", "<T+330.5>")],
        200,
        r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
    ),
    row(
        QUERY,
        &[("query", "up[15s]"), ("time", "<T+30.5>")],
        200,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","instance":"x:1","job":"a"},"values":[[<T+30.5>,"0"]]}]}}"#,
    ),
    row(
        QUERY,
        &[("query", "up[1m]"), ("time", "<T+30.5>")],
        200,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","instance":"x:1","job":"a"},"values":[[<T>,"1"],[<T+15>,"1"],[<T+30.5>,"0"]]},{"metric":{"__name__":"up","instance":"y:2","job":"b"},"values":[[<T>,"1"]]}]}}"#,
    ),
    row(
        QUERY,
        &[("query", "floats[1m]"), ("time", "<T+30>")],
        200,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"floats"},"values":[[<T>,"0.30000000000000004"],[<T+1>,"-0"],[<T+2>,"0.000001"],[<T+3>,"9.99e-07"],[<T+4>,"100000000000000000000"],[<T+5>,"1e+21"],[<T+6>,"1.5e+300"],[<T+7>,"5e-324"],[<T+8>,"+Inf"],[<T+9>,"-Inf"],[<T+10>,"NaN"],[<T+11>,"16777217"]]}]}}"#,
    ),
    row(
        QUERY,
        &[("query", "text"), ("time", "<T>")],
        200,
        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"text\",\"value\":\"\\\"\\\\\\n\\t<&>é\u{2028}\u{7f}\"},\"value\":[<T>,\"1\"]}]}}",
    ),
    row(
        RANGE,
        &[
            ("query", "up"),
            ("start", "<T>"),
            ("end", "<T+30>"),
            ("step", "15"),
        ],
        200,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","instance":"x:1","job":"a"},"values":[[<T>,"1"],[<T+15>,"1"],[<T+30>,"1"]]},{"metric":{"__name__":"up","instance":"y:2","job":"b"},"values":[[<T>,"1"]]}]}}"#,
    ),
    row(
        RANGE,
        &[
            ("query", "up{job='a'}"),
            ("start", "<T+0.5>"),
            ("end", "<T+31>"),
            ("step", "10s"),
        ],
        200,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","instance":"x:1","job":"a"},"values":[[<T+0.5>,"1"],[<T+10.5>,"1"],[<T+20.5>,"1"],[<T+30.5>,"0"]]}]}}"#,
    ),
    row(
        RANGE,
        &[
            ("query", "time()"),
            ("start", "0"),
            ("end", "1"),
            ("step", "0.5"),
        ],
        200,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[0,"0"],[0.500,"0.5"],[1,"1"]]}]}}"#,
    ),
    row(
        RANGE,
        &[
            ("query", "nothing"),
            ("start", "<T>"),
            ("end", "<T+30>"),
            ("step", "15"),
        ],
        200,
        r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#,
    ),
];

pub(super) const METADATA: &[Row] = &[
    row(
        SERIES,
        &[("match[]", "up"), ("start", "<T>"), ("end", "<T+60>")],
        200,
        r#"{"status":"success","data":[{"__name__":"up","instance":"x:1","job":"a"},{"__name__":"up","instance":"y:2","job":"b"}]}"#,
    ),
    row(
        SERIES,
        &[("match[]", "nothing"), ("start", "<T>"), ("end", "<T+60>")],
        200,
        r#"{"status":"success","data":[]}"#,
    ),
    row(
        SERIES,
        &[
            ("match[]", "up"),
            ("start", "<T>"),
            ("end", "<T+60>"),
            ("limit", "1"),
        ],
        200,
        r#"{"status":"success","data":[{"__name__":"up","instance":"x:1","job":"a"}],"warnings":["results truncated due to limit"]}"#,
    ),
    row(
        LABELS,
        &[("start", "<T>"), ("end", "<T+60>")],
        200,
        r#"{"status":"success","data":["__name__","instance","job","value"]}"#,
    ),
    row(
        LABELS,
        &[("match[]", "text"), ("start", "<T>"), ("end", "<T+60>")],
        200,
        r#"{"status":"success","data":["__name__","value"]}"#,
    ),
    row(
        LABELS,
        &[("match[]", "nothing"), ("start", "<T>"), ("end", "<T+60>")],
        200,
        r#"{"status":"success","data":[]}"#,
    ),
    row(
        JOBS,
        &[("start", "<T>"), ("end", "<T+60>")],
        200,
        r#"{"status":"success","data":["a","b"]}"#,
    ),
    row(
        JOBS,
        &[
            ("match[]", "{instance=~'y.*'}"),
            ("start", "<T>"),
            ("end", "<T+60>"),
        ],
        200,
        r#"{"status":"success","data":["b"]}"#,
    ),
    row(
        JOBS,
        &[("start", "<T>"), ("end", "<T+60>"), ("limit", "1")],
        200,
        r#"{"status":"success","data":["a"],"warnings":["results truncated due to limit"]}"#,
    ),
    row(
        "/api/v1/label/nothing/values",
        &[("start", "<T>"), ("end", "<T+60>")],
        200,
        r#"{"status":"success","data":[]}"#,
    ),
];

pub(super) const ERRORS: &[Row] = &[
    row(
        QUERY,
        &[("query", "1+")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:3: parse error: unexpected end of input"}"#,
    ),
    row(
        QUERY,
        &[("query", "up{\n  job==\"a\"}")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 2:7: parse error: unexpected \"=\" in label matching, expected string"}"#,
    ),
    row(
        QUERY,
        &[("query", "nope(up)")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: parse error: unknown function with name \"nope\""}"#,
    ),
    row(
        QUERY,
        &[("query", "up[5m] + 1")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:1: parse error: binary expression must contain only scalar and instant vector types"}"#,
    ),
    row(
        QUERY,
        &[],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": unknown position: parse error: no expression found in input"}"#,
    ),
    row(
        QUERY,
        &[("query", "up"), ("time", "soon")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": invalid time value for 'time': cannot parse \"soon\" to a valid timestamp"}"#,
    ),
    row(
        QUERY,
        &[("query", "up"), ("timeout", "soon")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"timeout\": cannot parse \"soon\" to a valid duration"}"#,
    ),
    row(
        QUERY,
        &[
            ("query", "label_replace(up, 'a', '', 'job', '[')"),
            ("time", "<T>"),
        ],
        422,
        r#"{"status":"error","errorType":"execution","error":"invalid regular expression in label_replace(): ["}"#,
    ),
    row(
        RANGE,
        &[("query", "up"), ("start", "x"), ("end", "1"), ("step", "1")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"start\": cannot parse \"x\" to a valid timestamp"}"#,
    ),
    row(
        RANGE,
        &[("query", "up"), ("start", "1"), ("end", "x"), ("step", "1")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": cannot parse \"x\" to a valid timestamp"}"#,
    ),
    row(
        RANGE,
        &[("query", "up"), ("start", "1"), ("end", "2"), ("step", "x")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": cannot parse \"x\" to a valid duration"}"#,
    ),
    row(
        RANGE,
        &[("query", "up"), ("start", "1"), ("end", "2"), ("step", "0")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"}"#,
    ),
    row(
        RANGE,
        &[("query", "up"), ("start", "2"), ("end", "1"), ("step", "1")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": end timestamp must not be before start time"}"#,
    ),
    row(
        RANGE,
        &[
            ("query", "up"),
            ("start", "0"),
            ("end", "11001"),
            ("step", "1"),
        ],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"}"#,
    ),
    row(
        RANGE,
        &[
            ("query", "up[1m]"),
            ("start", "0"),
            ("end", "1"),
            ("step", "1"),
        ],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"}"#,
    ),
    row(
        SERIES,
        &[],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}"#,
    ),
    row(
        SERIES,
        &[("match[]", "{job=~'.*'}")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"}"#,
    ),
    row(
        SERIES,
        &[("match[]", "up{")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": 1:4: parse error: unexpected end of input inside braces"}"#,
    ),
    row(
        JOBS,
        &[("limit", "-1")],
        400,
        r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": limit must be non-negative"}"#,
    ),
];

/// What 3.14 answers and 3.5 answers otherwise.
pub(super) const NEWER: &[Row] = &[
    // 3.5 names the two series in the order in which it met them.
    row(
        QUERY,
        &[("query", "up{job='a'} + on() up"), ("time", "<T+14>")],
        422,
        r#"{"status":"error","errorType":"execution","error":"found duplicate series for the match group {} on the right hand-side of the operation: [{__name__=\"up\", instance=\"x:1\", job=\"a\"}, {__name__=\"up\", instance=\"y:2\", job=\"b\"}];many-to-many matching not allowed: matching labels must be unique on one side"}"#,
    ),
];
