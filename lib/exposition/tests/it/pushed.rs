//! Families that are read and written again. What is taken and refused, and in which words, was observed at a real Pushgateway.

use exposition::pushed::{
    Metric, MetricFamily, MetricType, Most, Value, decode_delimited, decode_delimited_up_to, encode_family_head,
    encode_metrics, parse_text, parse_text_up_to, write_header, write_metrics, write_open_metrics,
};
use proptest::prelude::*;

fn written(families: &[MetricFamily]) -> String {
    let mut out = String::new();
    for family in families {
        write_header(&family.name, family.help.as_deref(), family.kind, &mut out);
        write_metrics(&family.name, &family.metrics, &mut out);
    }
    out
}

fn encoded(families: &[MetricFamily]) -> Vec<u8> {
    let mut out = Vec::new();
    for family in families {
        let metrics = encode_metrics(family.kind, &family.metrics);
        encode_family_head(&family.name, family.help.as_deref(), family.kind, metrics.len(), &mut out);
        out.extend(metrics);
    }
    out
}

#[test]
fn what_the_reference_takes_is_taken() {
    for (text, again) in [
        ("", ""),
        ("m 3.14\n", "# TYPE m untyped\nm 3.14\n"),
        ("# EOF\n# UNIT m seconds\n\n  m{} 1\n", "# TYPE m untyped\nm 1\n"),
        ("# TYPE m GAUGE\nm .5\n", "# TYPE m gauge\nm 0.5\n"),
        ("# HELP m a\\\\b\\nc \"d\"\nm 1\n", "# HELP m a\\\\b\\nc \"d\"\n# TYPE m untyped\nm 1\n"),
        ("# HELP m\n# TYPE n gauge\n#\n# HELP\n", ""),
        ("m{ x = \"1\" ,\ty=\"a\\\"b\\\\c\\nd\", } NaN\n", "# TYPE m untyped\nm{x=\"1\",y=\"a\\\"b\\\\c\\nd\"} NaN\n"),
        (
            "m{x=\"1\"} 1\nn -inf\nm{x=\"2\"} 2\n",
            "# TYPE m untyped\nm{x=\"1\"} 1\nm{x=\"2\"} 2\n# TYPE n untyped\nn -Inf\n",
        ),
        ("m{x=\"a\0b\"} 1e3\n", "# TYPE m untyped\nm{x=\"a\0b\"} 1000\n"),
        (
            "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 17\ns_count 9\n",
            "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 17\ns_count 9\n",
        ),
        (
            "# TYPE h histogram\nh_count{x=\"1\"} 4\nh_bucket{le=\"0.1\",x=\"1\"} 9\nh_bucket{x=\"1\",le=\"1\"} 3\n",
            "# TYPE h histogram\nh_bucket{x=\"1\",le=\"0.1\"} 9\nh_bucket{x=\"1\",le=\"1\"} 3\nh_bucket{x=\"1\",le=\"+Inf\"} 4\n\
             h_sum{x=\"1\"} 0\nh_count{x=\"1\"} 4\n",
        ),
        ("h_bucket{le=\"1\"} 1\n", "# TYPE h_bucket untyped\nh_bucket{le=\"1\"} 1\n"),
    ] {
        assert_eq!(parse_text(text.as_bytes()).map(|families| written(&families)), Ok(again.to_owned()), "{text:?}");
    }
    assert_eq!(parse_text(b"m 1 1000\n").unwrap()[0].metrics[0].timestamp_ms, Some(1000));
}

#[test]
fn what_the_reference_refuses_is_refused_in_its_words() {
    for (text, line, message) in [
        (&b"m 1"[..], 1, "unexpected end of input stream"),
        (b"m 1\r\n", 1, r#"expected float as value, got "1\r""#),
        (b"\nm 0x1p-2\n", 2, r#"expected float as value, got "0x1p-2""#),
        (b"m 1_000\n", 1, r#"expected float as value, got "1_000""#),
        (b"m 1e400\n", 1, r#"expected float as value, got "1e400""#),
        (b"m +nan\n", 1, r#"expected float as value, got "+nan""#),
        (b"m\n", 1, r#"expected float as value, got """#),
        (b"m-n 1\n", 1, r#"expected float as value, got "-n""#),
        (b"m 1 abc\n", 1, r#"expected integer as timestamp, got "abc""#),
        (b"m 1 \n", 1, r#"expected integer as timestamp, got """#),
        (b"m 1 1 x\n", 1, r#"spurious string after timestamp: " x""#),
        (b"1m 1\n", 1, "invalid metric name"),
        (b"{\"m.n\"} 1\n", 1, "invalid metric name"),
        (b"# TYPE m.n gauge\n", 1, "invalid metric name in comment"),
        (
            b"# TYPE m gauge\n# TYPE m gauge\n",
            2,
            r#"second TYPE line for metric name "m", or TYPE reported after samples"#,
        ),
        (b"m 1\n# TYPE m gauge\n", 2, r#"second TYPE line for metric name "m", or TYPE reported after samples"#),
        (b"# TYPE m info\n", 1, r#"unknown metric type "info""#),
        (b"# HELP m a\n# HELP m b\n", 2, r#"second HELP line for metric name "m""#),
        (b"# HELP m a\\q\n", 1, r"invalid escape sequence '\q'"),
        (b"m{\n", 1, r#"invalid label name for metric "m""#),
        (b"m{x-y=\"1\"} 1\n", 1, "expected '=' after label name, found '-'"),
        (b"m{x=1} 1\n", 1, "expected '\"' at start of label value, found '1'"),
        (b"m{x=\"1} 1\n", 1, r#"label value "1} 1" contains unescaped new-line"#),
        (b"m{x=\"a\\qb\"} 1\n", 1, r"invalid escape sequence '\q'"),
        (b"m{x=\"1\" y=\"2\"} 1\n", 1, r#"unexpected end of label value "1""#),
        (b"m{x=\"1\",x=\"2\"} 1\n", 1, r#"duplicate label names for metric "m""#),
        (b"m{__name__=\"n\"} 1\n", 1, r#"label name "__name__" is reserved"#),
        (b"m{x=\"\xff\"} 1\n", 1, r#"invalid label value "\xff""#),
        (b"# TYPE h histogram\nh_bucket{le=\"abc\"} 1\n", 2, r#"expected float as value for 'le' label, got "abc""#),
    ] {
        let error = parse_text(text).unwrap_err();
        assert_eq!((error.line, &*error.message), (line, message), "{}", text.escape_ascii());
    }
}

#[test]
fn a_message_is_read_as_far_as_it_makes_sense() {
    let gauge = MetricFamily {
        name: "g".to_owned(),
        help: None,
        kind: MetricType::Gauge,
        metrics: vec![Metric { labels: vec![], value: Some(Value::Number(1.0)), timestamp_ms: None }],
    };
    let later = MetricFamily { help: Some("last".to_owned()), ..gauge.clone() };
    let twice = [gauge.clone(), later.clone()];
    assert_eq!(decode_delimited(&encoded(&twice)).unwrap(), [later], "of one name the last counts");
    assert_eq!(decode_delimited(b"\x05\xff").unwrap_err().to_string(), "unexpected EOF");
    // A counter in a family of gauges: what the family's type asks for is not there.
    let mut message = encoded(&[MetricFamily { kind: MetricType::Counter, ..gauge.clone() }]);
    let kind = message.iter().position(|&byte| byte == 0x18).unwrap() + 1;
    message[kind] = 1;
    assert_eq!(decode_delimited(&message).unwrap()[0].metrics[0].value, None);
    message[kind] = 9;
    assert_eq!(decode_delimited(&message).unwrap_err().to_string(), r#"metric family "g" has the unknown type 9"#);
}

#[test]
fn what_has_more_than_may_be_read_is_not_read_to_its_end() {
    let most = Most { metrics: 2, parts: 20 };
    let text = |text: &str| parse_text_up_to(text.as_bytes(), most);
    assert_eq!(text("m 1\nn 1\n").unwrap().unwrap().len(), 2);
    // What is behind is no text format, and nobody comes to it.
    let labels: String = (0..20).map(|number| format!("l{number}=\"\",")).collect();
    let families: String = (0..21).map(|number| format!("# HELP m{number} x\n")).collect();
    let buckets = format!("# TYPE h histogram\n{}", "h_bucket{le=\"1\"} 1\n".repeat(20));
    for long in ["m 1\nm 1\nm 1\n".to_owned(), format!("m{{{labels}"), families, buckets] {
        assert_eq!(text(&format!("{long}-")), Ok(None), "{long}");
    }
    // A family of three empty metrics; one of one with twenty empty labels, or a histogram with twenty empty buckets.
    let message = |field: &[u8]| [&[field.len() as u8], field].concat();
    let inner = |tag: u8, field: &[u8]| [&[tag << 3 | 2, field.len() as u8], field].concat();
    let many = |tag: u8| inner(tag, &[]).repeat(20);
    for long in [
        inner(4, &[]).repeat(3),
        inner(4, &many(1)),
        inner(4, &inner(7, &many(3))),
        inner(4, &inner(4, &many(3))),
        inner(4, &inner(7, &inner(10, &[0; 20]))),
    ] {
        assert_eq!(decode_delimited_up_to(&message(&long), most), Ok(None), "{long:?}");
        assert!(decode_delimited_up_to(&message(&long), Most::ANY).unwrap().is_some(), "{long:?}");
    }
    assert_eq!(decode_delimited_up_to(&[0; 21], most), Ok(None), "families without anything");
}

#[test]
fn open_metrics_names_counters_and_bounds_as_it_wants_them() {
    let text = "# HELP c \"c\"\n# TYPE c counter\nc 1\n# TYPE u untyped\nu 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1\n";
    let mut out = String::new();
    for family in parse_text(text.as_bytes()).unwrap() {
        write_open_metrics(&family.name, family.help.as_deref(), family.kind, family.metrics.iter(), &mut out);
    }
    assert_eq!(
        out,
        "# HELP c \\\"c\\\"\n# TYPE c counter\nc_total 1\n# TYPE u unknown\nu 1\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\n\
         h_bucket{le=\"+Inf\"} 1\nh_sum 0\nh_count 1\n"
    );
}

fn family() -> impl Strategy<Value = MetricFamily> {
    let labels = prop::collection::btree_map("[a-z]{1,3}", any::<String>(), 0..3);
    let number =
        prop_oneof![any::<f64>().prop_filter("equal to itself", |value| !value.is_nan()), Just(1e6), Just(0.1)];
    let metric = (labels, number).prop_map(|(labels, value)| Metric {
        labels: labels.into_iter().collect(),
        value: Some(Value::Number(value)),
        timestamp_ms: None,
    });
    let kind = prop::sample::select(vec![MetricType::Counter, MetricType::Gauge, MetricType::Untyped]);
    let parts = ("[a-z:]{1,8}", proptest::option::of(any::<String>()), kind, prop::collection::vec(metric, 1..4));
    parts.prop_map(|(name, help, kind, metrics)| MetricFamily {
        // The text format has no blanks before a help, and no empty one.
        help: help.map(|help| help.trim_start_matches([' ', '\t']).to_owned()).filter(|help| !help.is_empty()),
        name,
        kind,
        metrics,
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(family in family()) {
        let families = [family];
        prop_assert_eq!(parse_text(written(&families).as_bytes()).unwrap(), &families);
        prop_assert_eq!(decode_delimited(&encoded(&families)).unwrap(), &families);
        let metrics = families[0].metrics.len();
        for (most, is_read) in [(metrics, true), (metrics - 1, false)] {
            let most = Most::metrics(most);
            prop_assert_eq!(parse_text_up_to(written(&families).as_bytes(), most).unwrap().is_some(), is_read);
            prop_assert_eq!(decode_delimited_up_to(&encoded(&families), most).unwrap().is_some(), is_read);
        }
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in any::<Vec<u8>>(), text in "[mh_bucket{}=\"\\\\\n \t#HELPTY0-9.,e-]{0,60}") {
        let _ = parse_text(&bytes);
        let _ = parse_text(text.as_bytes());
        let _ = decode_delimited(&bytes);
    }
}

#[test]
fn a_body_may_have_as_many_labels_and_families_as_it_holds() {
    let labels = |names: Vec<String>| {
        let labels: Vec<_> = names.iter().map(|name| format!("{name}=\"v\"")).collect();
        parse_text(format!("m{{{}}} 1\n", labels.join(",")).as_bytes())
    };
    let names = |count: usize| (0..count).map(|number| format!("l{number}")).collect::<Vec<_>>();
    // Comparing each with all others, this would not end while anybody waits.
    assert_eq!(labels(names(300_000)).unwrap()[0].metrics[0].labels.len(), 300_000);
    for count in [1, 31, 32, 33, 100] {
        assert_eq!(labels(names(count)).unwrap()[0].metrics[0].labels.len(), count);
        for twice in [0, count - 1] {
            let mut repeated = names(count);
            repeated.push(repeated[twice].clone());
            let error = labels(repeated).unwrap_err().to_string();
            assert!(error.contains("duplicate label names for metric \"m\""), "{count} {twice}: {error}");
        }
    }
    let family = |number: usize| MetricFamily {
        name: format!("m{number}"),
        help: None,
        kind: MetricType::Gauge,
        metrics: vec![Metric { labels: Vec::new(), value: Some(Value::Number(1.0)), timestamp_ms: None }],
    };
    let families: Vec<_> = (0..300_000).map(family).collect();
    assert_eq!(decode_delimited(&encoded(&families)).unwrap().len(), families.len());
}
