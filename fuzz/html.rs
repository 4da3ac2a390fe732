//! A page as a browser takes it to pieces, for the fuzz targets of requests and the tests of the crates whose properties they assert.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

/// They have no end tag.
const VOID: [&str; 5] = ["br", "hr", "input", "link", "meta"];

/// The elements that the templates of a program have.
pub(crate) struct Templates {
    elements: BTreeMap<String, Element>,
    /// Whether an attribute that means something to a browser has a value that a template gives it.
    is_harmless: fn(&Tag, &str, &str) -> bool,
}

/// How an element stands in templates.
#[derive(Debug, Default)]
struct Element {
    /// The attributes that it can have.
    attributes: BTreeSet<String>,
    /// Whether it can have none: a script that is not loaded from a file is somebody else's.
    is_bare: bool,
}

/// All tags of a text.
#[derive(Default)]
struct Tags(RefCell<Vec<Tag>>);

// === impl Templates ===

impl Templates {
    /// Those in a folder of the workspace.
    pub(crate) fn of(folder: &str, is_harmless: fn(&Tag, &str, &str) -> bool) -> Self {
        let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|root| root.join(folder));
        let folder = folders.find(|folder| folder.is_dir()).expect("the program has templates");
        let mut elements = BTreeMap::<String, Element>::new();
        for file in fs::read_dir(folder).expect("a folder can be read") {
            let path = file.expect("a folder can be read").path();
            if path.extension().is_some_and(|extension| extension == "html") {
                let template = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                for tag in tags(&written(&template)) {
                    let known = elements.entry(tag.name.to_string()).or_default();
                    known.is_bare |= tag.kind == TagKind::StartTag && tag.attrs.is_empty();
                    known.attributes.extend(tag.attrs.iter().map(|attribute| attribute.name.local.to_string()));
                }
            }
        }
        assert!(elements.len() > 5, "{elements:?}");
        Self { elements, is_harmless }
    }

    /// A page has elements and attributes of the templates and no others, each element ends where it began, and there is no comment.
    /// Gives the tags with which elements begin.
    pub(crate) fn wrote(&self, page: &str) -> Vec<Tag> {
        let (mut open, mut begun) = (Vec::new(), Vec::new());
        for tag in tags(page) {
            let name = tag.name.to_string();
            if tag.kind == TagKind::EndTag {
                assert_eq!(open.pop(), Some(name), "an element ends that is not open");
                continue;
            }
            let known = self.elements.get(&name).unwrap_or_else(|| panic!("{tag:?}"));
            assert!(!tag.had_duplicate_attributes && !tag.self_closing, "{tag:?}");
            assert!(known.is_bare || !tag.attrs.is_empty(), "{tag:?}");
            for attribute in &tag.attrs {
                let (name, value) = (&*attribute.name.local, &*attribute.value);
                assert!(known.attributes.contains(name) && (self.is_harmless)(&tag, name, value), "{tag:?}");
            }
            if !VOID.contains(&&*name) {
                open.push(name);
            }
            begun.push(tag);
        }
        assert!(open.is_empty(), "{open:?} are open at the end of {page}");
        begun
    }
}

// === impl Tags ===

impl TokenSink for Tags {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => self.0.borrow_mut().push(tag),
            Token::CommentToken(text) => panic!("a comment: {text}"),
            Token::DoctypeToken(doctype) => assert_eq!(doctype.name.as_deref(), Some("html")),
            // Bytes that are no text are a parse error and one character.
            Token::CharacterTokens(_) | Token::NullCharacterToken | Token::EOFToken | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

/// An attribute of an element; empty where it has none of that name.
pub(crate) fn attribute<'a>(tag: &'a Tag, name: &str) -> &'a str {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map_or("", |attribute| &attribute.value)
}

/// The tags of a text, in their order.
fn tags(text: &str) -> Vec<Tag> {
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from(text));
    let tokenizer = Tokenizer::new(Tags::default(), TokenizerOpts::default());
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink.0.take()
}

/// A template with all that its conditions and loops can write, and a value in each place for one.
fn written(template: &str) -> String {
    let (mut written, mut rest) = (String::new(), template);
    while let Some((before, behind)) = rest.split_once('{') {
        written.push_str(before);
        let (end, instead) = match behind.chars().next() {
            Some('{') => ("}}", "x"),
            Some('%') => ("%}", ""),
            Some('#') => ("#}", ""),
            _ => ("", "{"),
        };
        written.push_str(instead);
        rest = behind.split_once(end).expect("what begins in a template ends").1;
    }
    written + rest
}
