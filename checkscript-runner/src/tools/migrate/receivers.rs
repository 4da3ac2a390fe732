//! The settings of sensu-plugins-mailer and sensu-plugins-slack as receivers of Alertmanager's. Every setting is judged.

use std::collections::BTreeMap;

use check_result::Object;
use serde_json::Value;

use super::account::{Fate, Judgement, judged};
use super::alertmanager::{EmailConfig, HttpConfig, SlackConfig, literal};

/// A file with a secret, below `alertmanager/`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Secret {
    pub(super) file: String,
    pub(super) content: String,
}

/// What sensu-plugins-mailer did with its settings (`bin/handler-mailer.rb`).
pub(super) fn email(section: &str, settings: &Object, send_resolved: bool) -> (Vec<EmailConfig>, Option<Secret>) {
    let text = |name: &str| text(settings, name);
    let host = text("smtp_address").unwrap_or_else(|| "localhost".to_owned());
    let port = text("smtp_port").unwrap_or_else(|| "25".to_owned());
    let password = text("smtp_password")
        .map(|content| Secret { file: format!("secrets/{}-password", file_name(section)), content });
    let subject = text("subject_prefix").map(|prefix| format!("{} ", literal(&prefix))).unwrap_or_default();
    let mut headers = BTreeMap::from([("Subject", format!(r#"{subject}{{{{ template "sensu.mail.subject" . }}}}"#))]);
    for (header, name) in [
        ("X-Sensu-Host", "host"),
        ("X-Sensu-Timestamp", "timestamp"),
        ("X-Sensu-Address", "address"),
        ("X-Sensu-Check-Name", "check-name"),
        ("X-Sensu-Status", "status"),
        ("X-Sensu-Occurrences", "occurrences"),
    ] {
        headers.insert(header, format!(r#"{{{{ template "sensu.mail.header.{name}" . }}}}"#));
    }
    if let Some(address) = text("reply_to") {
        headers.insert("Reply-To", literal(&address));
    }
    let email = EmailConfig {
        to: String::new(),
        from: text("mail_from").unwrap_or_else(|| "sensu@localhost".to_owned()),
        require_tls: wants_tls(settings, &host),
        smarthost: format!("{host}:{port}"),
        hello: text("smtp_domain"),
        auth_username: text("smtp_username"),
        auth_password_file: password.as_ref().map(|secret| secret.file.clone()),
        send_resolved,
        html: "",
        text: r#"{{ template "sensu.mail.text" . }}"#,
        headers,
    };
    let to = addresses(settings.get("mail_to"));
    let emails = (!to.is_empty()).then(|| EmailConfig { to: to.join(", "), ..email });
    (emails.into_iter().collect(), password)
}

/// Mail addresses in a text with commas, or in an array.
pub(super) fn addresses(value: Option<&Value>) -> Vec<String> {
    let texts = match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => vec![text.as_str()],
        _ => vec![],
    };
    let each = texts.into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(|address| !address.is_empty());
    each.map(str::to_owned).collect()
}

/// The handler took STARTTLS where the server had it; Alertmanager either insists on it or does without.
fn wants_tls(settings: &Object, host: &str) -> bool {
    let is = |name: &str| settings.get(name).and_then(Value::as_bool);
    let is_local = ["localhost", "127.0.0.1", "::1"].contains(&host);
    is("smtp_use_tls") == Some(true) || (is("smtp_enable_starttls_auto").unwrap_or(true) && !is_local)
}

/// What becomes of a mailer setting.
pub(super) fn judge_mailer(name: &str, value: &Value) -> Judgement {
    match name {
        "mail_to" => judged(Fate::Carried, "`to`"),
        "mail_from" => judged(Fate::Carried, "`from`"),
        "smtp_address" | "smtp_port" => judged(Fate::Carried, "`smarthost`"),
        "smtp_domain" => judged(Fate::Carried, "`hello`"),
        "smtp_username" => judged(Fate::Carried, "`auth_username`"),
        "smtp_password" => judged(
            Fate::Carried,
            "a file below alertmanager/secrets, readable by its owner alone: hand it to Alertmanager's user",
        ),
        "smtp_authentication" => judged(Fate::Changed, "Alertmanager takes what the server offers"),
        "smtp_use_tls" => judged(Fate::Carried, "`require_tls`"),
        "smtp_enable_starttls_auto" if value == &Value::Bool(false) => judged(Fate::Carried, "`require_tls: false`"),
        "smtp_enable_starttls_auto" => {
            judged(Fate::Changed, "`require_tls`: Alertmanager does not do without TLS if the server has none")
        }
        "reply_to" => judged(Fate::Carried, "the header Reply-To"),
        "subject_prefix" => judged(Fate::Carried, "before the subject"),
        "admin_gui" => judged(
            Fate::ToDo,
            "start Alertmanager with --web.external-url=ADDRESS, or set the annotation `dashboard` to web-ui's address of the node: the line Admin GUI shows it",
        ),
        "delivery_method" if value == "smtp" => judged(Fate::Carried, "Alertmanager speaks SMTP"),
        "delivery_method" => judged(Fate::ToDo, "Alertmanager speaks SMTP only: set `smarthost` to a mail server"),
        "content_type" if value != "html" => {
            judged(Fate::Changed, "text/plain in UTF-8, so that all characters arrive")
        }
        "timeout" => judged(Fate::Dropped, "Alertmanager has limits of its own and tries again"),
        "template" | "subject_template" | "body_template" | "template_file" | "content_type" => judged(
            Fate::ToDo,
            "write it as a template of Alertmanager's, as in sensu.tmpl, and name it in the receiver",
        ),
        "subscriptions" => judged(
            Fate::ToDo,
            "alerts do not carry the subscriptions of their nodes: give the targets a label for them, and each a route with a receiver of its own",
        ),
        _ => unknown(),
    }
}

/// What sensu-plugins-slack did with its settings (`bin/handler-slack.rb`).
pub(super) fn slack(section: &str, settings: &Object, send_resolved: bool) -> (Vec<SlackConfig>, Option<Secret>) {
    let text = |name: &str| text(settings, name);
    let Some(url) = text("webhook_url") else { return (vec![], None) };
    let secret = Secret { file: format!("secrets/{}-url", file_name(section)), content: url };
    let prefix = text("message_prefix").map(|prefix| format!("{} ", literal(&prefix))).unwrap_or_default();
    let surround = text("surround").map(|surround| literal(&surround)).unwrap_or_default();
    let config = SlackConfig {
        api_url_file: secret.file.clone(),
        channel: text("channel"),
        username: text("bot_name"),
        icon_emoji: text("icon_emoji"),
        icon_url: text("icon_url"),
        http_config: text("proxy_address").map(|address| proxy(settings, &address)),
        send_resolved,
        color: r#"{{ template "sensu.slack.color" . }}"#,
        title: r#"{{ template "sensu.slack.title" . }}"#,
        title_link: "",
        fallback: r#"{{ template "sensu.slack.title" . }}"#,
        text: format!(r#"{prefix}{surround}{{{{ template "sensu.slack.text" . }}}}{surround}"#),
        mrkdwn_in: if surround.is_empty() { vec![] } else { vec!["text"] },
    };
    (vec![config], Some(secret))
}

fn proxy(settings: &Object, address: &str) -> HttpConfig {
    let port = text(settings, "proxy_port").map(|port| format!(":{port}")).unwrap_or_default();
    HttpConfig {
        proxy_url: if address.contains("://") { format!("{address}{port}") } else { format!("http://{address}{port}") },
    }
}

/// What becomes of a Slack setting.
pub(super) fn judge_slack(name: &str, _: &Value) -> Judgement {
    match name {
        "webhook_url" => judged(
            Fate::Carried,
            "a file below alertmanager/secrets, readable by its owner alone: hand it to Alertmanager's user",
        ),
        "channel" => judged(Fate::Carried, "`channel`"),
        "bot_name" => judged(Fate::Carried, "`username`"),
        "icon_emoji" | "icon_url" => judged(Fate::Carried, format!("`{name}`")),
        "message_prefix" | "surround" => judged(Fate::Carried, "around the text"),
        "proxy_address" | "proxy_port" => judged(Fate::Carried, "`http_config`"),
        "markdown_enabled" => judged(Fate::Carried, "sensu.tmpl escapes what an output could do in Slack"),
        "dashboard" => judged(
            Fate::ToDo,
            "set the annotation `dashboard` to web-ui's address of the node: the name of the check links to it",
        ),
        "fields" => judged(
            Fate::ToDo,
            "attributes of clients: give the targets labels for them and add `fields` to the receiver",
        ),
        "template" | "payload_template" => judged(
            Fate::ToDo,
            "write it as a template of Alertmanager's, as in sensu.tmpl, and name it in the receiver",
        ),
        "webhook_retries" | "webhook_timeout" | "webhook_retry_sleep" => {
            judged(Fate::Dropped, "Alertmanager has limits of its own and tries again")
        }
        _ => unknown(),
    }
}

fn unknown() -> Judgement {
    judged(Fate::ToDo, "unknown: see whether the receiver needs it")
}

/// A text, or a number as one: ports are written in both ways.
fn text(settings: &Object, name: &str) -> Option<String> {
    match settings.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What may be a file's name of a section's.
fn file_name(section: &str) -> String {
    section.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_mailers_defaults_are_kept() {
        let (emails, secret) = email("mailer", &object(json!({"mail_to": "a@x.example, b@x.example"})), true);
        assert_eq!(emails.len(), 1);
        let email = &emails[0];
        assert_eq!(
            (&*email.smarthost, &*email.to, email.require_tls),
            ("localhost:25", "a@x.example, b@x.example", false)
        );
        assert_eq!(secret, None);
    }

    #[test]
    fn passwords_go_into_files() {
        let settings = json!({"mail_to": ["a@x.example"], "smtp_address": "mx", "smtp_port": 587, "smtp_password": "hunter2",
            "subject_prefix": "[{{prod}}]"});
        let (emails, secret) = email("mailer ops/../x", &object(settings), false);
        assert_eq!(
            secret.map(|secret| (secret.file, secret.content)),
            Some(("secrets/mailer_ops_.._x-password".to_owned(), "hunter2".to_owned()))
        );
        assert!(emails[0].require_tls && !emails[0].send_resolved);
        assert_eq!(emails[0].headers["Subject"], r#"[{{ "{{" }}prod}}] {{ template "sensu.mail.subject" . }}"#);
    }

    #[test]
    fn a_slack_without_an_address_is_no_receiver() {
        assert_eq!(slack("slack", &Object::new(), true), (vec![], None));
        let settings =
            json!({"webhook_url": "https://hooks", "proxy_address": "p", "proxy_port": 3128, "surround": "```"});
        let (configs, _) = slack("slack", &object(settings), true);
        assert_eq!(configs[0].http_config.as_ref().unwrap().proxy_url, "http://p:3128");
        assert_eq!(configs[0].text, "```{{ template \"sensu.slack.text\" . }}```");
    }
}
