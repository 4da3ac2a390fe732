//! The form of a silence: new, made again, or edited.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::author;
use super::labels::{Label, labels};
use crate::address::{Address, decoded};
use crate::alertmanager::{Silence, SilenceState};
use crate::silencing::desk::{Item, Outcome, is_over};
use crate::silencing::draft::{Form, LENGTHS, Rulebook};
use crate::silencing::preview::{Preview, idle};
use crate::silencing::problem::{FieldError, Problem};
use crate::silencing::sentence::Now;
use crate::silencing::target::{Chosen, Target};
use crate::silencing::write::{Done, WriteError};
use crate::silencing::{Draft, Plan, mark};
use crate::texts::{Say as _, Texts, fill};
use crate::web::acting::Acting;
use crate::web::frame::Frame;
use crate::web::{Asked, Refusal, Shown, html};

#[derive(Template)]
#[template(path = "silence_form.html")]
struct Page<'a> {
    frame: Frame<'a>,
    form: Form,
    looked: Looked<'a>,
    labels: Vec<Label>,
    clusters: Vec<(&'a str, bool)>,
    /// Alerts that were chosen and fire no more.
    gone: usize,
    edited: Option<Edited>,
    outcomes: Vec<Outcome>,
    /// The name of whoever asks, where it is known.
    user: Option<&'a str>,
}

/// The preview alone.
#[derive(Template)]
#[template(path = "silence_preview.html")]
struct Fragment<'a> {
    frame: Frame<'a>,
    looked: Looked<'a>,
}

/// What is said of a form as it stands.
#[derive(Default)]
struct Looked<'a> {
    errors: Vec<FieldError>,
    sentences: Vec<String>,
    drafts: Vec<Draft>,
    previews: Vec<Preview<'a>>,
}

/// The silence that is edited.
struct Edited {
    item: Item,
    has_begun: bool,
    /// What somebody else has made of it meanwhile, in a sentence, and who.
    theirs: Option<(String, Box<Silence>)>,
}

/// What a page is made of.
struct Content {
    form: Form,
    edited: Option<Edited>,
    outcomes: Vec<Outcome>,
    errors: Vec<FieldError>,
    gone: usize,
}

pub(super) async fn new(headers: HeaderMap, Acting(asked): Acting) -> Shown {
    let again = match asked.address.get("again") {
        "" => None,
        text => {
            let found = Item::read(text).and_then(|item| Some((asked.desk().known(&item)?.clone(), item.cluster)));
            let Some((silence, cluster)) = found else { return Err(asked.refuse(Refusal::NoSilence)) };
            let form = of_silence(&silence, &cluster);
            Some(Form { begins: String::new(), ends: String::new(), duration: LENGTHS[1].to_owned(), ..form })
        }
    };
    let page = move |asked: &Asked| {
        let content = again.map_or_else(|| chosen(asked, &asked.address, &headers), Content::of);
        shown(asked, StatusCode::OK, content)
    };
    Ok(asked.aside(page).await.1)
}

/// The form for what was chosen in a list: hundreds of rows would make an address that is too long for proxies and for us.
pub(super) async fn picked(headers: HeaderMap, Acting(asked): Acting, body: Bytes) -> Response {
    let address = Address::default().asking(url::form_urlencoded::parse(&body).into_owned().collect());
    let page = move |asked: &Asked| shown(asked, StatusCode::OK, chosen(asked, &address, &headers));
    asked.aside(page).await.1
}

pub(super) async fn edit(Path((cluster, id)): Path<(String, String)>, Acting(asked): Acting) -> Shown {
    let item = Item { cluster: decoded(&cluster).to_owned(), id, updated: None };
    let known = asked.desk().known(&item).cloned();
    let Some(silence) = known.filter(|silence| !is_over(silence)) else {
        return Err(asked.refuse(Refusal::NoSilence));
    };
    let form = of_silence(&silence, &item.cluster);
    let edited = Edited::new(&item.cluster, &silence, &form, asked.app.zone.clone());
    let (form, edited) = edited;
    let content = Content { edited: Some(edited), ..Content::of(form) };
    Ok(asked.aside(move |asked| shown(asked, StatusCode::OK, content)).await.1)
}

pub(super) async fn sent(Acting(asked): Acting, body: Bytes) -> Response {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let (what, item) = (field("do").unwrap_or_default(), field("edit").and_then(|text| Item::read(&text)));
    let mut form = Form::read(pairs.iter().cloned());
    if let Some(item) = &item {
        form.clusters = vec![item.cluster.clone()];
    }
    if what == "fragment" {
        let fragment = move |asked: &Asked| {
            let looked = looked(asked, &form, Vec::new());
            html(StatusCode::OK, &Fragment { frame: asked.frame("silences"), looked })
        };
        return asked.aside(fragment).await.1;
    }
    let of = (form.clone(), item.clone());
    let (asked, planned) = asked.aside(move |asked| plan(asked, &of.0, of.1.as_ref())).await;
    let edited = item.map(|item| Edited {
        has_begun: asked.desk().known(&item).is_none_or(|silence| silence.status.state == SilenceState::Active),
        item,
        theirs: None,
    });
    let is_create = what == "create";
    let author = (is_create && planned.is_ok() && asked.user.name.is_none()).then(|| form.author.clone());
    let done = match (planned, edited) {
        (Err(errors), edited) => {
            let status = if is_create { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
            Err((status, Content { errors, edited, ..Content::of(form) }))
        }
        (Ok(_), edited) if !is_create => Err((StatusCode::OK, Content { edited, ..Content::of(form) })),
        (Ok(plan), Some(edited)) => change(&asked, form, edited, &plan).await,
        (Ok(plan), None) => make(&asked, form, &plan).await,
    };
    let response = match done {
        Ok(to) => Redirect::to(&to.to_string()).into_response(),
        Err((status, content)) => asked.aside(move |asked| shown(asked, status, content)).await.1,
    };
    author::remembering(response, author.as_deref())
}

/// The plan of a form. To wait for the end of what does not fire is to wait for nothing; but one that is edited and waits
/// already may do so.
pub(in crate::web) fn plan(asked: &Asked, form: &Form, edited: Option<&Item>) -> Result<Plan, Vec<FieldError>> {
    let plan = asked.with_rules(|rules| form.plan(rules))?;
    let is_marked = |item| asked.desk().known(item).is_some_and(|silence| mark::read(&silence.comment).1);
    let waits = edited.is_some_and(is_marked);
    if plan.until_resolved && !waits {
        let views = asked.snapshot.0.iter();
        let idle: Vec<_> = views.flat_map(|(cluster, view)| idle(&cluster.name, view, &plan.drafts)).collect();
        if !idle.is_empty() {
            return Err(vec![FieldError::new("resolved", Problem::NothingFires(idle))]);
        }
    }
    Ok(plan)
}

/// Makes silences: the page that shows them, or the form with what failed.
async fn make(asked: &Asked, mut form: Form, plan: &Plan) -> Result<Address, (StatusCode, Content)> {
    let outcomes = asked.desk().make(plan).await;
    let failed: BTreeSet<_> =
        outcomes.iter().filter(|outcome| outcome.result.is_err()).map(|outcome| outcome.cluster.clone()).collect();
    if failed.is_empty() {
        let one = match &*outcomes {
            [one] => one.result.as_ref().ok().map(|done| Address::of(["silences", &one.cluster, done.id()])),
            _ => None,
        };
        let known = outcomes.iter().filter(|outcome| outcome.result.as_ref().is_ok_and(Done::is_known)).count();
        let to = one.unwrap_or_else(|| Address::of(["silences"])).with("done", "made");
        let to = to.with("count", &(outcomes.len() - known).to_string());
        return Ok(if known > 0 { to.with("known", &known.to_string()) } else { to });
    }
    // What is done need not be done again; what is there already is not made twice, which it is known by its end.
    form.ends = field(plan.ends, &asked.app.zone);
    form.clusters.retain(|cluster| failed.contains(cluster));
    Err((StatusCode::BAD_GATEWAY, Content { outcomes, ..Content::of(form) }))
}

/// Changes a silence: the page that shows it, or the form with why that was not done.
async fn change(asked: &Asked, form: Form, mut edited: Edited, plan: &Plan) -> Result<Address, (StatusCode, Content)> {
    let error = match asked.desk().edit(&edited.item, plan).await {
        Ok(id) => return Ok(Address::of(["silences", &edited.item.cluster, &id]).with("done", "changed")),
        Err(error) => error,
    };
    let mut content = Content::of(form);
    let status = match &error {
        WriteError::Changed(theirs) | WriteError::Ended(theirs) => {
            let clusters = [edited.item.cluster.clone()];
            let said =
                asked.now().say(&theirs.matchers, &clusters, (Some(theirs.starts_at), theirs.ends_at), &theirs.comment);
            // Whoever sends the form again has seen what they would replace.
            edited.item.updated = Some(theirs.updated_at);
            edited.theirs = Some((said, theirs.clone()));
            StatusCode::CONFLICT
        }
        WriteError::Gone => StatusCode::NOT_FOUND,
        WriteError::Unfit(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_GATEWAY,
    };
    let is_theirs = edited.theirs.is_some();
    let outcome = Outcome {
        cluster: edited.item.cluster.clone(),
        matchers: String::new(),
        item: Some(edited.item.clone()),
        result: Err(error),
    };
    content.outcomes = if is_theirs { Vec::new() } else { vec![outcome] };
    content.edited = Some(edited);
    Err((status, content))
}

fn shown(asked: &Asked, status: StatusCode, mut content: Content) -> Response {
    // One that has ended is not changed any more, but made again.
    let theirs = |edited: &Edited| edited.theirs.as_ref().map(|(_, silence)| is_over(silence));
    let is_over = content.edited.as_ref().and_then(theirs).unwrap_or_default();
    if is_over {
        content.form.clusters = content.edited.iter().map(|edited| edited.item.cluster.clone()).collect();
    }
    let looked = looked(asked, &content.form, content.errors);
    let chosen = |name: &str| content.form.clusters.iter().any(|cluster| cluster == name);
    let clusters = asked.writable().into_iter().map(|name| (name, chosen(name))).collect();
    let page = Page {
        frame: asked.frame("silences"),
        labels: labels(&content.form),
        clusters,
        gone: content.gone,
        looked,
        edited: content.edited,
        outcomes: content.outcomes,
        user: asked.user.name.as_deref(),
        form: content.form,
    };
    html(status, &page)
}

/// What is said of a form, complete or not.
fn looked<'a>(asked: &'a Asked, form: &Form, mut errors: Vec<FieldError>) -> Looked<'a> {
    let mut found = form.unread.clone();
    let (drafts, times) = asked.with_rules(|rules| (form.drafts(rules, &mut found), form.times(rules, &mut found)));
    let is_blank = form.targets.is_empty() && form.filter.trim().is_empty();
    if errors.is_empty() && !is_blank {
        errors = found;
    }
    let now = asked.now();
    let comment = if form.comment.trim().is_empty() { "…" } else { form.comment.trim() };
    let comment = mark::written(comment, form.until_resolved);
    let sentence = |ends, draft: &Draft| now.say(&draft.raw(), &draft.clusters, (times.0, ends), &comment);
    let sentences = times.1.map(|ends| drafts.iter().map(|draft| sentence(ends, draft)).collect());
    Looked { errors, sentences: sentences.unwrap_or_default(), previews: asked.previews(&drafts), drafts }
}

/// The form that an address opens.
fn chosen(asked: &Asked, address: &Address, headers: &HeaderMap) -> Content {
    let views = asked.snapshot.0.iter().map(|(cluster, view)| (cluster.name.as_str(), &**view));
    let Chosen { targets, gone } = Chosen::read(address, views);
    let writable = asked.writable();
    let named: Vec<String> = address.list("cluster").into_iter().map(str::to_owned).collect();
    let of_targets = || {
        let is_target = |name: &&&str| targets.iter().any(|target| target.cluster == **name);
        writable.iter().filter(is_target).map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    let clusters = [named, of_targets(), writable.iter().map(|name| (*name).to_owned()).collect()];
    let form = Form {
        targets,
        filter: address.get("filter").to_owned(),
        clusters: clusters.into_iter().find(|names| !names.is_empty()).unwrap_or_default(),
        duration: LENGTHS[1].to_owned(),
        author: author::remembered(headers),
        comment: address.get("comment").to_owned(),
        ..Form::default()
    };
    Content { gone, ..Content::of(form) }
}

fn of_silence(silence: &Silence, cluster: &str) -> Form {
    let (comment, until_resolved) = mark::read(&silence.comment);
    Form {
        filter: silence.matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        clusters: vec![cluster.to_owned()],
        comment: comment.to_owned(),
        author: silence.created_by.clone(),
        until_resolved,
        ..Form::default()
    }
}

/// A time as a browser's field has it.
fn field(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

// === impl Asked ===

impl Asked {
    /// Clusters in which something can be silenced.
    pub(in crate::web) fn writable(&self) -> Vec<&str> {
        let clusters = self.snapshot.0.iter().map(|(cluster, _)| cluster);
        clusters.filter(|cluster| !cluster.alertmanagers().is_empty()).map(|cluster| cluster.name.as_str()).collect()
    }

    pub(in crate::web) fn with_rules<T>(&self, read: impl FnOnce(&Rulebook<'_>) -> T) -> T {
        read(&Rulebook {
            clusters: &self.writable(),
            now: Timestamp::now(),
            zone: &self.app.zone,
            longest: self.app.rules().longest,
            user: self.user.name.as_deref(),
        })
    }

    /// What drafts would mute now.
    pub(in crate::web) fn previews(&self, drafts: &[Draft]) -> Vec<Preview<'_>> {
        self.snapshot.0.iter().filter_map(|(cluster, view)| Preview::new(&cluster.name, view, drafts)).collect()
    }

    /// The moment, for sentences.
    pub(in crate::web) fn now(&self) -> Now<'_> {
        Now { now: Timestamp::now(), zone: &self.app.zone, t: self.texts }
    }
}

// === impl Content ===

impl Content {
    fn of(form: Form) -> Self {
        Self { form, edited: None, outcomes: Vec::new(), errors: Vec::new(), gone: 0 }
    }
}

// === impl Edited ===

impl Edited {
    /// A silence as it is, and its form with its times in the fields.
    fn new(cluster: &str, silence: &Silence, form: &Form, zone: TimeZone) -> (Form, Self) {
        let has_begun = silence.status.state == SilenceState::Active;
        let begins = if has_begun { String::new() } else { field(silence.starts_at, &zone) };
        let form = Form { begins, ends: field(silence.ends_at, &zone), ..form.clone() };
        (form, Self { item: Item::of(cluster, silence), has_begun, theirs: None })
    }
}

// === impl Looked ===

impl Looked<'_> {
    fn several(&self, t: &Texts) -> String {
        fill(t.silences_it_becomes, &[&self.drafts.len()])
    }
}

// === impl Page ===

impl Page<'_> {
    fn gone_alerts(&self) -> String {
        fill(self.frame.t.gone_alerts, &[&self.gone])
    }

    fn changed_by(&self, silence: &Silence) -> String {
        fill(self.frame.t.changed_meanwhile, &[&silence.created_by])
    }

    fn json(&self, target: &Target) -> String {
        serde_json::to_string(target).expect("texts are written as JSON")
    }

    /// What is wrong with a field.
    fn wrong(&self, field: &str) -> Vec<String> {
        let errors = self.looked.errors.iter().filter(|error| error.field == field);
        errors.map(|error| error.problem.say(self.frame.t)).collect()
    }

    /// What was chosen as a whole: nodes and checks.
    fn wholes(&self) -> impl Iterator<Item = String> {
        self.form.targets.iter().filter(|target| target.all).map(|target| {
            let labels: Vec<_> = target.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            labels.join(", ")
        })
    }

    fn is_over(&self) -> bool {
        self.edited.as_ref().and_then(|edited| edited.theirs.as_ref()).is_some_and(|(_, silence)| is_over(silence))
    }
}
