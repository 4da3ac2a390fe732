//! The course as pictures (SVG): what each part used, how notifications came, how all of it grows with the nodes.

use std::path::Path;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::Course;
use crate::stats::Samples;

const SIZE: (u32, u32) = (900, 420);

/// Colours that people tell apart who cannot tell red from green (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];

/// One line of a picture: its name and points.
type Line = (String, Vec<(f64, f64)>);

/// What a picture says beside its lines.
struct Words {
    title: &'static str,
    across: &'static str,
    up: &'static str,
    /// What happened, and where it is across.
    marks: Vec<(f64, String)>,
}

/// The files with the pictures of a report, where it has them.
pub(crate) fn pictures(report: &str) -> [String; 5] {
    ["processors", "memory", "growth", "growth-memory", "notifications"]
        .map(|picture| format!("{report}-{picture}.svg"))
}

/// Writes `NAME-*.svg` into `folder`, of what there is.
pub(super) fn write(folder: &Path, name: &str, course: &Course) -> anyhow::Result<()> {
    let drawn = [processors(course), memory(course), growth(course), growth_of_memory(course), notifications(course)];
    let drawn = pictures(name).into_iter().zip(drawn);
    for (file, (words, lines)) in drawn.filter(|(_, (_, lines))| lines.iter().any(|(_, points)| !points.is_empty())) {
        let path = folder.join(file);
        let area = SVGBackend::new(&path, SIZE).into_drawing_area();
        draw(&area, &words, &lines).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))?;
    }
    Ok(())
}

fn processors(course: &Course) -> (Words, Vec<Line>) {
    let lines = by_part(course, |at, moments| {
        let windows = moments.windows(7).step_by(3);
        windows.map(|window| (minutes(course, window[6].at), window[6].processors_since(&window[0])[at])).collect()
    });
    (Words { title: "Processors in use", across: "minutes", up: "processors", marks: marks(course) }, lines)
}

fn memory(course: &Course) -> (Words, Vec<Line>) {
    let lines = by_part(course, |at, moments| {
        moments
            .iter()
            .step_by(3)
            .map(|moment| (minutes(course, moment.at), moment.used[at].resident / 1024.0))
            .collect()
    });
    (Words { title: "Memory in use", across: "minutes", up: "GiB resident", marks: marks(course) }, lines)
}

fn growth(course: &Course) -> (Words, Vec<Line>) {
    let stages = course.stages.iter().map(|stage| (stage.nodes, stage.processors.clone()));
    let words = Words { title: "Processors in use, all well", across: "nodes", up: "processors", marks: Vec::new() };
    (words, by_nodes(&course.names, stages))
}

fn growth_of_memory(course: &Course) -> (Words, Vec<Line>) {
    let gibibytes = |resident: &Vec<f64>| resident.iter().map(|resident| resident / 1024.0).collect();
    let stages = course.stages.iter().map(|stage| (stage.nodes, gibibytes(&stage.resident)));
    let words = Words { title: "Memory in use, all well", across: "nodes", up: "GiB resident", marks: Vec::new() };
    (words, by_nodes(&course.names, stages))
}

/// A line for each part, through what each stage had of it.
fn by_nodes(names: &[String], stages: impl Iterator<Item = (usize, Vec<f64>)>) -> Vec<Line> {
    let mut lines: Vec<Line> = names.iter().map(|name| (name.clone(), Vec::new())).collect();
    for (nodes, values) in stages {
        for ((_, points), value) in lines.iter_mut().zip(values) {
            points.push((nodes as f64, value));
        }
    }
    lines
}

fn notifications(course: &Course) -> (Words, Vec<Line>) {
    let line = |name: &str, seconds: &[f64]| {
        let seconds = Samples::from(seconds);
        let point = |percent: u32| (seconds.quantile(f64::from(percent) / 100.0), f64::from(percent));
        (name.to_owned(), (0..=100).map(point).collect())
    };
    let of_storm = |storm: &super::Storm| {
        let (name, failures) = (storm.name(), &storm.failures);
        [
            line(&format!("{name}: evaluation that finds it"), &failures.to_evaluation),
            line(&format!("{name}: ALERT told"), &failures.after_result),
            line(&format!("{name}: RESOLVED told"), &storm.recoveries.after_result),
        ]
    };
    let lines = course.storms.iter().flat_map(of_storm).collect();
    let (title, across) = ("Checks fail at once, and recover at once", "seconds after the result");
    (Words { title, across, up: "% of the checks", marks: Vec::new() }, lines)
}

/// When each stage was watched from, and when checks failed.
fn marks(course: &Course) -> Vec<(f64, String)> {
    let stages = course.stages.iter().map(|stage| (minutes(course, stage.watched), format!("{} nodes", stage.nodes)));
    stages.chain(course.storms.iter().map(|storm| (minutes(course, storm.began), storm.name()))).collect()
}

fn by_part(course: &Course, points: impl Fn(usize, &[super::Moment]) -> Vec<(f64, f64)>) -> Vec<Line> {
    course.names.iter().enumerate().map(|(at, name)| (name.clone(), points(at, &course.moments))).collect()
}

fn minutes(course: &Course, at: std::time::Instant) -> f64 {
    course.moments.first().map_or(0.0, |first| (at - first.at).as_secs_f64() / 60.0)
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    words: &Words,
    lines: &[Line],
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let most = |of: fn(&(f64, f64)) -> f64| {
        points().map(of).filter(|value| value.is_finite()).fold(0.0, f64::max).max(1e-9) * 1.05
    };
    let highest = most(|point| point.1);
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(words.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..most(|point| point.0), 0.0..highest)?;
    let number = |value: &f64| ((value * 1e3).round() / 1e3).to_string();
    let mut mesh = chart.configure_mesh();
    mesh.x_label_formatter(&number).y_label_formatter(&number);
    mesh.x_desc(words.across).y_desc(words.up).light_line_style(WHITE).draw()?;
    let grey = BLACK.mix(0.3);
    for (nth, (at, mark)) in words.marks.iter().enumerate() {
        chart.draw_series(LineSeries::new([(*at, 0.0), (*at, highest)], grey))?;
        // By turns in two rows: a stage is narrower than its words.
        let row = highest * if nth % 2 == 0 { 1.0 } else { 0.96 };
        chart.draw_series([Text::new(mark.clone(), (*at, row), ("sans-serif", 11).into_font().color(&grey))])?;
    }
    for ((name, points), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let finite = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite());
        chart
            .draw_series(LineSeries::new(finite, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleLeft)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_a_line_over_the_nodes() {
        let names = ["Prometheus", "proxy"].map(str::to_owned);
        let stages = [(20, vec![0.5, 0.1]), (100, vec![2.0, 0.2])];
        let lines = by_nodes(&names, stages.into_iter());
        assert_eq!(lines[0], ("Prometheus".to_owned(), vec![(20.0, 0.5), (100.0, 2.0)]));
        assert_eq!(lines[1], ("proxy".to_owned(), vec![(20.0, 0.1), (100.0, 0.2)]));
    }
}
