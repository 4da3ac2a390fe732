//! Annotations that a configuration makes by templates.
//!
//! The default annotations are what every template is made of: each stands under its own name (`{{ output }}`), and
//! beside them the alert's `labels`, the definition and result as logged (`check`) and the `client_attributes`. A
//! template of a default's name takes its place; one that gives no text leaves the annotation out.
//!
//! What comes from a node is cleaned, freed of passwords and cut before a template sees it, so that no template can
//! forget to. A template cannot run away: its steps and the length of its text are bounded. What can be told of it
//! without an alert is told when the configuration is read, by rendering it with a sample; one that fails with an alert
//! costs its own annotation alone, in the place of which a default one stands.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::{self, Write};

use check_result::api::Detail;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

use super::{AGE, Annotated, Context, ERROR, NAMES, TEXT, annotate, text};
use crate::alert::Names;

mod parts;

use parts::{EVERYTHING, OBJECTS, parts};

/// Steps of one template; a loop over the lines of an output takes some ten each.
const STEPS: u64 = 50_000;

/// Bytes that a template may write, before they are cut to size.
const WRITTEN: usize = 128 << 10;

/// Templates of annotations, by name. Without any, the annotations are the default ones.
#[derive(Clone, Debug)]
pub struct Templates {
    environment: Environment<'static>,
    /// In the order of the configuration.
    names: Vec<String>,
}

/// Why an annotation cannot be made in this way.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAnnotation {
    /// Some Alertmanager would refuse every alert that has it.
    #[error("`{0}` is no name for an annotation: letters, digits and `_`, no digit first")]
    Name(String),
    /// What the proxy says of its own work.
    #[error("`{0}` is the proxy's own; a template can use it, but not replace it")]
    Own(String),
    /// It is not valid template syntax.
    #[error("not a template: {0}")]
    Syntax(String),
    /// It uses something that there is not.
    #[error("`{0}` is unknown; a template knows {1}")]
    Variable(String, String),
    /// It fails whatever the detail is.
    #[error("the template fails: {0}")]
    Fails(String),
}

// === impl Templates ===

impl Default for Templates {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(STEPS));
        Self { environment, names: Vec::new() }
    }
}

impl Templates {
    /// Adds the template of an annotation, in the place of another one of that name.
    ///
    /// # Errors
    /// When the name or the template cannot be used.
    pub fn add(&mut self, name: &str, template: &str) -> Result<(), InvalidAnnotation> {
        if !Names::Legacy.allow(name) {
            return Err(InvalidAnnotation::Name(name.to_owned()));
        }
        if [ERROR, AGE].contains(&name) {
            return Err(InvalidAnnotation::Own(name.to_owned()));
        }
        self.environment
            .add_template_owned(name.to_owned(), template.to_owned())
            .map_err(|error| InvalidAnnotation::Syntax(told(&error, template)))?;
        self.check_variables(name)?;
        self.try_out(name, template)?;
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        Ok(())
    }

    /// The annotations for `detail`.
    pub fn apply(&self, detail: &Detail, context: &Context<'_>) -> Annotated {
        let defaults = annotate(detail, context);
        if self.names.is_empty() {
            return Annotated { annotations: defaults, error: None };
        }
        let parts = parts(detail, context, &defaults);
        let (mut annotations, mut error) = (defaults, None);
        for name in &self.names {
            match self.render(name, &parts) {
                Ok(text) if text.is_empty() => drop(annotations.shift_remove(name.as_str())),
                Ok(text) => drop(annotations.insert(name.clone().into(), text)),
                Err(failure) => error = Some(format!("the template of the annotation {name} fails: {failure}")),
            }
        }
        Annotated { annotations, error }
    }

    fn render(&self, name: &str, parts: &Value) -> Result<String, minijinja::Error> {
        let mut written = Bounded(Vec::new());
        self.environment.get_template(name)?.render_captured_to(parts.clone(), &mut written)?;
        Ok(text::finish(&String::from_utf8_lossy(&written.0), TEXT))
    }

    fn check_variables(&self, name: &str) -> Result<(), InvalidAnnotation> {
        let known: Vec<_> = OBJECTS.into_iter().chain(NAMES).collect();
        let functions: Vec<_> = self.environment.globals().map(|(name, _)| name).collect();
        let used = self.environment.get_template(name).expect("it was just added").undeclared_variables(false);
        let mut unknown = used.into_iter().filter(|name| ![&known, &functions].iter().any(|of| of.contains(&&**name)));
        match unknown.next() {
            Some(name) => Err(InvalidAnnotation::Variable(name, known.join(", "))),
            None => Ok(()),
        }
    }

    /// With everything there and with nothing. What fails for want of a value may be meant so, for other alerts than
    /// these.
    fn try_out(&self, name: &str, template: &str) -> Result<(), InvalidAnnotation> {
        for parts in [&*EVERYTHING, &Value::from(BTreeMap::<String, Value>::new())] {
            match self.render(name, parts) {
                Err(error) if is_certain(&error) => return Err(InvalidAnnotation::Fails(told(&error, template))),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether it fails whatever the values are.
fn is_certain(error: &minijinja::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnknownFilter
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownMethod
            | ErrorKind::TooManyArguments
            | ErrorKind::MissingArgument
            | ErrorKind::TemplateNotFound
            | ErrorKind::WriteFailure
            | ErrorKind::OutOfFuel
    )
}

/// The error in words, with the line within a template of several.
fn told(error: &minijinja::Error, template: &str) -> String {
    let what = match (error.source(), error.detail()) {
        (Some(cause), _) => cause.to_string(),
        (None, Some(detail)) => detail.to_owned(),
        (None, None) => error.kind().to_string(),
    };
    match error.line().filter(|_| template.trim_end().contains('\n')) {
        Some(line) => format!("{what} (line {line} of the template)"),
        None => what,
    }
}

/// Takes so much and no more.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > WRITTEN {
            return Err(io::Error::other(format!("it writes more than {WRITTEN} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::parts::Sample;
    use super::*;

    fn templates(entries: &[(&str, &str)]) -> Templates {
        let mut templates = Templates::default();
        entries.iter().for_each(|(name, template)| templates.add(name, template).unwrap());
        templates
    }

    /// What the sample becomes, with another output.
    fn applied(entries: &[(&str, &str)], output: &str) -> Annotated {
        let Sample { mut detail, url, labels } = Sample::new();
        let mut body = serde_json::to_value(&detail).unwrap();
        body["check"]["output"] = output.into();
        detail = serde_json::from_value(body).unwrap();
        let now = Timestamp::from_second(1_787_000_700).unwrap();
        let context = Context { url: &url, zone: &TimeZone::UTC, labels: &labels, last_change: now, now };
        templates(entries).apply(&detail, &context)
    }

    #[test]
    fn defaults_written_as_templates_are_the_defaults() {
        let output = "\u{1b}[31mCRITICAL\u{1b}[0m: 日本 <b>&\n x -p hunter2\n";
        for output in [output.to_owned(), "x\n".repeat(5_000), String::new()] {
            let written: Vec<_> =
                NAMES.into_iter().filter(|name| *name != AGE).map(|name| (name, format!("{{{{ {name} }}}}"))).collect();
            let written: Vec<_> = written.iter().map(|(name, template)| (*name, template.as_str())).collect();
            let (got, want) = (applied(&written, &output), applied(&[], &output));
            let text = |of: &Annotated, name: &str| of.annotations.get(name).filter(|text| !text.is_empty()).cloned();
            for name in NAMES {
                assert_eq!(text(&got, name), text(&want, name), "{name}");
            }
            assert_eq!(got.error, None);
        }
    }

    #[test]
    fn templates_combine_results_labels_and_definitions() {
        let got = applied(
            &[
                ("description", "{{ labels.check }} on {{ client }} is {{ status_word }}: {{ output }}"),
                ("wiki", "https://wiki/{{ labels.check|urlencode }}?since={{ check.issued }}&d={{ check.duration }}"),
                ("owner", "{{ client_attributes.owner.name|default('nobody') }}"),
                ("last_line", "{{ check.output|trim|lines|last }}"),
                ("hook_output", ""),
                ("playbook", "{% if labels.severity == 'warning' %}{{ playbook }}{% endif %}\n"),
                ("subscriptions", "{% for name in client_attributes.subscriptions %}<{{ name }}>{% endfor %}"),
            ],
            "CRITICAL: <90%>\nlast\n",
        );
        for (name, want) in [
            ("description", Some("disk on web-1 is CRITICAL: CRITICAL: <90%>")),
            ("wiki", Some("https://wiki/disk?since=1787000645&d=0.012")),
            ("owner", Some("nobody")),
            ("last_line", Some("last")),
            ("hook_output", None),
            ("playbook", None),
            ("subscriptions", Some("<base><web>")),
            ("output", Some("CRITICAL: <90%>")),
        ] {
            assert_eq!(got.annotations.get(name).map(String::as_str), want, "{name}");
        }
        assert_eq!(got.error, None);
    }

    #[test]
    fn what_a_node_says_is_clean_whatever_a_template_does_with_it() {
        let raw = format!("\u{1b}[31mA\u{1b}[0m -p hunter2 {}\nend", "x".repeat(200_000));
        let got = applied(&[("raw", "{{ check.output }}{{ check.output }}")], &raw);
        let text = &got.annotations["raw"];
        assert!(text.starts_with("A -p <password omitted> x") && text.ends_with("end"), "{text}");
        assert!(text.len() <= TEXT && text.contains("bytes left out"), "{text}");
    }

    #[test]
    fn a_template_that_fails_costs_its_own_annotation_alone() {
        let got = applied(
            &[
                ("output", "{{ check.output|int }}"),
                ("new", "{% for a in check.output %}{% for b in check.output %}.{% endfor %}{% endfor %}"),
                ("fine", "{{ client }}"),
            ],
            &"no number ".repeat(3_000),
        );
        assert!(got.annotations["output"].starts_with("no number"), "the default stands in");
        assert_eq!((got.annotations.get("new"), &*got.annotations["fine"]), (None, "web-1"));
        assert!(got.error.unwrap().starts_with("the template of the annotation new fails: "));
    }

    #[test]
    fn templates_are_checked_when_they_are_read() {
        for (name, template, says) in [
            ("run-book", "x", "`run-book` is no name for an annotation"),
            ("1x", "x", "`1x` is no name"),
            ("", "x", "`` is no name"),
            ("detail_error", "x", "`detail_error` is the proxy's own"),
            ("a", "{{ output", "not a template: "),
            ("a", "{{ ouput }}", "`ouput` is unknown; a template knows labels, check, client_attributes, output, "),
            ("a", "{{ output|shout }}", "the template fails: filter shout is unknown"),
            ("a", "x\n{% if playbook %}\n{{ playbook|shout }}{% endif %}", "(line 3 of the template)"),
            ("a", "{{ shout() }}", "`shout` is unknown"),
            (
                "a",
                "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
                "engine ran out of fuel",
            ),
            ("a", "{{ '1234567890' * 20000 }}", "it writes more than 131072 bytes"),
            ("a", "{% include 'other' %}", "the template fails: "),
        ] {
            let error = Templates::default().add(name, template).unwrap_err().to_string();
            assert!(error.contains(says), "{name} {template}: {error}");
        }
        assert_eq!(Templates::default().add("a", "{{ labels.any.thing }}{{ check.env.x }}"), Ok(()));
    }
}
