//! A process's own metrics, kept in a `prometheus-client` registry, in either text format.

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

use crate::Format;

/// Appends everything in `registry`.
///
/// `prometheus-client` writes OpenMetrics only. For the classic format its text is rewritten line by line: a counter's
/// declaration takes the `_total` of its samples, unit lines go. That holds while help texts are one line and families
/// are counters, gauges and histograms, which the code that registers them keeps to.
pub fn write_registry(registry: &Registry, format: Format, out: &mut String) {
    match format {
        Format::OpenMetrics => encode(registry, out),
        Format::Text => {
            let mut open_metrics = String::new();
            encode(registry, &mut open_metrics);
            rewrite(&open_metrics, out);
        }
    }
}

fn encode(registry: &Registry, out: &mut String) {
    encode_registry(out, registry).expect("writing to a String does not fail");
}

fn rewrite(open_metrics: &str, out: &mut String) {
    // `# HELP` stands before the `# TYPE` that tells whether its name needs the suffix.
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, text)) = help.take() {
                out.push_str(&format!("# HELP {name}{suffix} {text}\n"));
            }
            out.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;

    use super::*;

    #[test]
    fn the_classic_text_of_counters_gauges_and_histograms() {
        let mut registry = Registry::default();
        let requests = Family::<Vec<(String, String)>, Counter>::default();
        registry.register("requests", "Requests", requests.clone());
        requests.get_or_create(&vec![("code".into(), "200".into())]).inc();
        let up: Gauge = Gauge::default();
        registry.register("up", "Up", up);
        let seconds = Histogram::new([0.5]);
        registry.register("seconds", "Time", seconds.clone());
        seconds.observe(0.1);

        let mut page = String::new();
        write_registry(&registry, Format::Text, &mut page);
        assert_eq!(
            page,
            "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{code=\"200\"} 1\n\
             # HELP up Up.\n# TYPE up gauge\nup 0\n\
             # HELP seconds Time.\n# TYPE seconds histogram\nseconds_sum 0.1\nseconds_count 1\n\
             seconds_bucket{le=\"0.5\"} 1\nseconds_bucket{le=\"+Inf\"} 1\n"
        );
    }
}
