//! Goes over the parts of an expression: what is the same here and in Go, what is written otherwise, what is refused.

use std::ops::Range;

use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetBinaryOp, ClassSetBinaryOpKind, ClassSetItem,
    ClassUnicode, ClassUnicodeKind, Flag, Flags, FlagsItemKind, GroupKind, HexLiteralKind, Literal, LiteralKind,
    Repetition, RepetitionKind, RepetitionRange, Span, Visitor,
};

use super::{BadRegex, REPEATS};

/// Categories that Go has with two letters, besides those with one.
const CATEGORIES: [&str; 30] = [
    "Cc", "Cf", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd", "Nl", "No", "Pc", "Pd", "Pe", "Pf",
    "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs", "Any",
];

/// Scripts whose whole name has four letters; every other name of that length is short for one, which Go does not know.
const SHORT_SCRIPTS: [&str; 9] = ["Ahom", "Cham", "Kawi", "Lisu", "Miao", "Modi", "Newa", "Thai", "Toto"];

/// Goes over an expression and notes what is to be written otherwise.
pub(super) struct Reader<'a> {
    pattern: &'a str,
    /// What stands where, in the order of the text.
    edits: Vec<(Range<usize>, String)>,
    /// How often something may be repeated within each repetition that is open.
    left: Vec<u32>,
}

// === impl Reader ===

impl Visitor for Reader<'_> {
    type Output = String;
    type Err = BadRegex;

    fn finish(self) -> Result<String, BadRegex> {
        let (mut text, mut end) = (String::new(), 0);
        for (span, instead) in self.edits {
            text.push_str(&self.pattern[end..span.start]);
            text.push_str(&instead);
            end = span.end;
        }
        Ok(text + &self.pattern[end..])
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), BadRegex> {
        match ast {
            Ast::Flags(set) => known(&set.flags, self.pattern),
            Ast::Group(group) => match &group.kind {
                GroupKind::CaptureIndex(_) => Ok(()),
                GroupKind::CaptureName { starts_with_p: true, name } if is_plain(&name.name) => Ok(()),
                GroupKind::CaptureName { .. } => Err(BadRegex::Name),
                GroupKind::NonCapturing(flags) => known(flags, self.pattern),
            },
            Ast::Literal(literal) => self.literal(literal),
            Ast::Assertion(assertion) => self.assertion(assertion),
            Ast::ClassPerl(class) => {
                self.perl(class);
                Ok(())
            }
            Ast::ClassUnicode(class) => self.unicode(class),
            Ast::Repetition(repetition) => self.repetition(repetition),
            Ast::Empty(_) | Ast::Dot(_) | Ast::ClassBracketed(_) | Ast::Alternation(_) | Ast::Concat(_) => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), BadRegex> {
        if matches!(ast, Ast::Repetition(_)) {
            self.left.pop();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), BadRegex> {
        match item {
            ClassSetItem::Literal(literal) => self.literal(literal),
            ClassSetItem::Range(range) => self.literal(&range.start).and_then(|()| self.literal(&range.end)),
            ClassSetItem::Perl(class) => {
                self.perl(class);
                Ok(())
            }
            ClassSetItem::Unicode(class) => self.unicode(class),
            ClassSetItem::Bracketed(_) => Err(BadRegex::Class),
            ClassSetItem::Empty(_) | ClassSetItem::Ascii(_) | ClassSetItem::Union(_) => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, operation: &ClassSetBinaryOp) -> Result<(), BadRegex> {
        Err(BadRegex::Operator(match operation.kind {
            ClassSetBinaryOpKind::Intersection => '&',
            ClassSetBinaryOpKind::Difference => '-',
            ClassSetBinaryOpKind::SymmetricDifference => '~',
        }))
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(pattern: &'a str) -> Self {
        Self { pattern, edits: Vec::new(), left: vec![REPEATS] }
    }

    fn text(&self, span: &Span) -> &str {
        &self.pattern[span.start.offset..span.end.offset]
    }

    fn instead(&mut self, span: &Span, text: impl Into<String>) {
        self.edits.push((span.start.offset..span.end.offset, text.into()));
    }

    fn literal(&mut self, literal: &Literal) -> Result<(), BadRegex> {
        let code = u32::from(literal.c);
        let unknown = |text: &str| Err(BadRegex::Escape { text: text.to_owned(), code });
        let text = self.text(&literal.span);
        match literal.kind {
            // One digit is a group that was matched before, but for `\0`, and Go has no such thing.
            LiteralKind::Octal if text.len() == 2 && code > 0 => unknown(text),
            LiteralKind::Octal => {
                self.instead(&literal.span, format!("\\x{{{code:X}}}"));
                Ok(())
            }
            LiteralKind::HexFixed(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong)
            | LiteralKind::HexBrace(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong) => unknown(text),
            _ => Ok(()),
        }
    }

    fn assertion(&mut self, assertion: &Assertion) -> Result<(), BadRegex> {
        let instead = match assertion.kind {
            AssertionKind::WordBoundary => "(?-u:\\b)",
            AssertionKind::NotWordBoundary => "(?-u:\\B)",
            // What is no letter is itself when it is escaped.
            AssertionKind::WordBoundaryStartAngle => "<",
            AssertionKind::WordBoundaryEndAngle => ">",
            AssertionKind::WordBoundaryStart
            | AssertionKind::WordBoundaryEnd
            | AssertionKind::WordBoundaryStartHalf
            | AssertionKind::WordBoundaryEndHalf => return Err(BadRegex::Brace),
            AssertionKind::StartLine | AssertionKind::EndLine | AssertionKind::StartText | AssertionKind::EndText => {
                return Ok(());
            }
        };
        self.instead(&assertion.span, instead);
        Ok(())
    }

    fn perl(&mut self, class: &ClassPerl) {
        let ranges = match class.kind {
            ClassPerlKind::Digit => "0-9",
            ClassPerlKind::Space => "\\t\\n\\f\\r ",
            ClassPerlKind::Word => "0-9A-Za-z_",
        };
        let not = if class.negated { "^" } else { "" };
        self.instead(&class.span, format!("[{not}{ranges}]"));
    }

    /// Categories and scripts are all that Go has, under their whole names alone.
    fn unicode(&mut self, class: &ClassUnicode) -> Result<(), BadRegex> {
        let unknown = || BadRegex::Property(self.text(&class.span).to_owned());
        let name = match &class.kind {
            ClassUnicodeKind::OneLetter(letter) => letter.to_string(),
            ClassUnicodeKind::Named(name) => name.clone(),
            ClassUnicodeKind::NamedValue { .. } => return Err(unknown()),
        };
        let (is_not, name) = match name.strip_prefix('^') {
            Some(name) => (!class.negated, name),
            None => (class.negated, &*name),
        };
        let is_category = CATEGORIES.contains(&name) || (name.len() == 1 && "CLMNPSZ".contains(name));
        let property = match is_category {
            true => name.to_owned(),
            false if is_script(name) => format!("sc={name}"),
            false => return Err(unknown()),
        };
        let instead = format!("\\{}{{{property}}}", if is_not { 'P' } else { 'p' });
        regex_syntax::parse(&instead).map_err(|_| unknown())?;
        self.instead(&class.span, instead);
        Ok(())
    }

    fn repetition(&mut self, repetition: &Repetition) -> Result<(), BadRegex> {
        let text = self.text(&repetition.op.span);
        if matches!(&*repetition.ast, Ast::Repetition(_)) {
            return Err(BadRegex::Twice(text.to_owned()));
        }
        let left = *self.left.last().expect("there is the limit of the whole");
        let RepetitionKind::Range(range) = &repetition.op.kind else {
            self.left.push(left);
            return Ok(());
        };
        let (written, most) = match range {
            RepetitionRange::Exactly(count) => (format!("{{{count}}}"), *count),
            RepetitionRange::AtLeast(count) => (format!("{{{count},}}"), *count),
            RepetitionRange::Bounded(least, most) => (format!("{{{least},{most}}}"), *most),
        };
        // With a blank or a zero too many it is no repetition to Go.
        if !text.starts_with(&written) {
            return Err(BadRegex::Brace);
        }
        if most > left {
            return Err(BadRegex::Repeats);
        }
        self.left.push(left.checked_div(most).unwrap_or(REPEATS));
        Ok(())
    }
}

/// Whether Go knows all of these flags.
fn known(flags: &Flags, pattern: &str) -> Result<(), BadRegex> {
    let is_foreign =
        |kind: &FlagsItemKind| matches!(kind, FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace));
    match flags.items.iter().find(|item| is_foreign(&item.kind)) {
        None => Ok(()),
        Some(item) => Err(BadRegex::Flag(pattern[item.span.start.offset..item.span.end.offset].to_owned())),
    }
}

fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// Whether this is written as the names of scripts are: `Greek`, `Old_Italic`.
fn is_script(name: &str) -> bool {
    let is_word = |word: &str| {
        let rest = word.strip_prefix(|c: char| c.is_ascii_uppercase());
        rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase()))
    };
    name == "SignWriting" || (name.split('_').all(is_word) && (name.len() != 4 || SHORT_SCRIPTS.contains(&name)))
}
