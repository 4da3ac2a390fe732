//! A page as a browser takes it to pieces: it has the elements, attributes and addresses that the templates write, and no others.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

/// The elements of `templates/`, and the attributes that each can have there.
const ELEMENTS: [(&str, &[&str]); 43] = [
    ("a", &["aria-current", "class", "href", "rel"]),
    ("article", &["class"]),
    ("aside", &[]),
    ("b", &["class", "title"]),
    ("body", &[]),
    ("button", &[]),
    ("code", &[]),
    ("dd", &[]),
    ("details", &[]),
    ("div", &["class"]),
    ("dl", &[]),
    ("dt", &[]),
    ("footer", &[]),
    ("form", &["action", "method", "role"]),
    ("h1", &[]),
    ("h2", &[]),
    ("h3", &[]),
    ("head", &[]),
    ("header", &[]),
    ("html", &["lang"]),
    ("i", &[]),
    ("input", &["aria-label", "name", "placeholder", "type", "value"]),
    ("li", &["class"]),
    ("link", &["href", "rel"]),
    ("main", &[]),
    ("meta", &["charset", "content", "http-equiv", "name"]),
    ("nav", &["aria-label", "class"]),
    ("ol", &["class"]),
    ("p", &["class"]),
    ("pre", &["class"]),
    ("section", &["aria-label", "class"]),
    ("small", &[]),
    ("span", &["aria-hidden", "class"]),
    ("summary", &[]),
    ("table", &[]),
    ("tbody", &[]),
    ("td", &["class"]),
    ("th", &["class", "title"]),
    ("thead", &[]),
    ("time", &["datetime", "title"]),
    ("title", &[]),
    ("tr", &["class"]),
    ("ul", &["class"]),
];
/// They have no end tag.
const VOID: [&str; 3] = ["input", "link", "meta"];

/// The elements that are open.
#[derive(Default)]
struct Open(RefCell<Vec<String>>);

/// A page is made of what the templates have, each element ends where it began, and there is no comment.
pub(super) fn is_of_templates(page: &str) {
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from(page));
    let tokenizer = Tokenizer::new(Open::default(), TokenizerOpts::default());
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    assert!(tokenizer.sink.0.borrow().is_empty(), "{page}");
}

// === impl Open ===

impl TokenSink for Open {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => self.tag(&tag),
            Token::CommentToken(text) => panic!("a comment: {text}"),
            Token::DoctypeToken(doctype) => assert_eq!(doctype.name.as_deref(), Some("html")),
            // Bytes that are no text are a parse error and one character.
            Token::CharacterTokens(_) | Token::NullCharacterToken | Token::EOFToken | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

impl Open {
    fn tag(&self, tag: &Tag) {
        let name = &*tag.name;
        let mut open = self.0.borrow_mut();
        if tag.kind == TagKind::EndTag {
            assert_eq!(open.pop().as_deref(), Some(name), "an element ends that is not open");
            return;
        }
        let (_, attributes) = ELEMENTS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{tag:?}"));
        assert!(!tag.had_duplicate_attributes && !tag.self_closing, "{tag:?}");
        for attribute in &tag.attrs {
            let (attribute, value) = (&*attribute.name.local, &*attribute.value);
            assert!(attributes.contains(&attribute) && is_harmless(tag, attribute, value), "{tag:?}");
        }
        if !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
}

/// Whether an attribute that means something to a browser has a value that a template gives it.
fn is_harmless(tag: &Tag, attribute: &str, value: &str) -> bool {
    let is_of = |listed: &[&str]| listed.contains(&value);
    let is_elsewhere =
        tag.attrs.iter().any(|attribute| &*attribute.name.local == "rel" && &*attribute.value == "noreferrer");
    match attribute {
        "action" => is_within(value),
        "href" if is_elsewhere => value.starts_with("https://") || value.starts_with("http://"),
        "href" => is_within(value),
        "rel" => is_of(&["stylesheet", "noreferrer", "prev", "next"]),
        "http-equiv" => value == "refresh",
        // The seconds of a refresh, behind which an address could stand.
        "content" => value.parse::<u32>().is_ok() || is_of(&["width=device-width, initial-scale=1", "light dark"]),
        "method" => value == "get",
        "type" => is_of(&["hidden", "search"]),
        "class" => value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b' '),
        _ => true,
    }
}

/// Whether an address leads to a page beside the one that it stands on: from its root on, all that others say in it encoded.
fn is_within(address: &str) -> bool {
    let root = |root: &str| address.strip_prefix(root);
    let path = root("../").map(|rest| rest.trim_start_matches("../")).or_else(|| root("./")).or_else(|| root("/"));
    path.is_some_and(|path| {
        !path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%?=&,/".contains(&byte))
    })
}
