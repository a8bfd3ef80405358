//! From Rust tokens to a flat list of the language's tokens, and from text to Rust tokens.
//!
//! The flat list joins multi-character operators, drops `None`-delimited groups (they come from `macro_rules!`) and links
//! every opening bracket to its closing one. Tokens that the language does not have are reported here, once, and become
//! `Kind::Bad`, so that the parser can pass over them in silence.

use crate::diag::{Code, Diagnostic, SrcSpan};
use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, TokenStream, TokenTree, token_stream};
use std::str::FromStr;

/// A token of the language.
#[derive(Debug)]
pub(super) struct Tok {
    /// What it is.
    pub(super) kind: Kind,
    /// Place.
    pub(super) span: SrcSpan,
    /// Index of the matching closing bracket, for opening ones.
    pub(super) close: usize,
}

/// Kinds of tokens.
#[derive(Debug)]
pub(super) enum Kind {
    /// A name or keyword.
    Word(String),
    /// A number or string.
    Lit(Literal),
    /// An operator or separator.
    Op(&'static str),
    /// An opening bracket.
    Open(Delimiter),
    /// A closing bracket.
    Close(Delimiter),
    /// A token outside of the language, already reported.
    Bad,
    /// The end of the input; the last token of every list.
    End,
}

impl Tok {
    /// The token as written, for messages and schedules.
    pub(super) fn text(&self) -> String {
        match &self.kind {
            Kind::Word(w) => w.clone(),
            Kind::Lit(l) => l.to_string(),
            Kind::Op(op) => (*op).to_string(),
            Kind::Open(d) => bracket(*d).0.to_string(),
            Kind::Close(d) => bracket(*d).1.to_string(),
            Kind::Bad | Kind::End => String::new(),
        }
    }
}

fn bracket(d: Delimiter) -> (&'static str, &'static str) {
    match d {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

/// Two-character operators come first: the longest match wins.
const OPS: &[&str] =
    &["||", "&&", "==", "!=", "<=", ">=", "->", "<", ">", "+", "-", "*", "/", "%", "!", "=", ",", ";", ":", "#", "."];

/// The flat list of a token stream, with a diagnostic for each token that the language does not have.
pub(super) fn flatten(tokens: TokenStream) -> (Vec<Tok>, Vec<Diagnostic>) {
    let mut f = Flat { toks: vec![], diags: vec![] };
    f.all(tokens);
    let span = f.toks.last().map_or_else(SrcSpan::call_site, |t| SrcSpan::token(t.span.end));
    f.push(Kind::End, span);
    (f.toks, f.diags)
}

struct Flat {
    toks: Vec<Tok>,
    diags: Vec<Diagnostic>,
}

/// An unfinished group: the rest of the stream around it, and its opening token.
type Outer = (std::iter::Peekable<token_stream::IntoIter>, Group, usize);

impl Flat {
    fn push(&mut self, kind: Kind, span: SrcSpan) {
        self.toks.push(Tok { kind, span, close: 0 });
    }

    /// Walks the tree with an explicit stack, because nesting is the user's to choose.
    fn all(&mut self, tokens: TokenStream) {
        let mut here = tokens.into_iter().peekable();
        let mut stack: Vec<Outer> = vec![];
        loop {
            match here.next() {
                Some(TokenTree::Group(g)) => {
                    let open = self.toks.len();
                    if g.delimiter() != Delimiter::None {
                        self.push(Kind::Open(g.delimiter()), SrcSpan::token(g.span_open()));
                    }
                    let inner = g.stream().into_iter().peekable();
                    stack.push((std::mem::replace(&mut here, inner), g, open));
                }
                Some(TokenTree::Ident(i)) => self.word(&i),
                Some(TokenTree::Literal(l)) => self.literal(l),
                Some(TokenTree::Punct(p)) => self.punct(&p, &mut here),
                None => {
                    let Some((outer, g, open)) = stack.pop() else { return };
                    here = outer;
                    self.close(&g, open);
                }
            }
        }
    }

    fn close(&mut self, g: &Group, open: usize) {
        if g.delimiter() != Delimiter::None {
            self.toks[open].close = self.toks.len();
            self.push(Kind::Close(g.delimiter()), SrcSpan::token(g.span_close()));
        }
    }

    fn word(&mut self, ident: &Ident) {
        let text = ident.to_string();
        if text.is_ascii() {
            self.push(Kind::Word(text), SrcSpan::token(ident.span()));
        } else {
            self.bad(SrcSpan::token(ident.span()), format!("`{text}` is not a name: names are ASCII"), None);
        }
    }

    fn literal(&mut self, lit: Literal) {
        let span = SrcSpan::token(lit.span());
        if lit.to_string().starts_with('\'') {
            self.bad(span, "there are no character literals", Some("tensors cannot be primed; write `S1`, not `S'`"));
        } else {
            self.push(Kind::Lit(lit), span);
        }
    }

    fn punct(&mut self, p: &Punct, rest: &mut std::iter::Peekable<token_stream::IntoIter>) {
        let first = p.as_char();
        let second = match rest.peek() {
            Some(TokenTree::Punct(q)) if p.spacing() == Spacing::Joint => Some((q.as_char(), q.span())),
            _ => None,
        };
        if let Some((c, end)) = second
            && let Some(op) = OPS.iter().find(|op| op.len() == 2 && op.starts_with(first) && op.ends_with(c))
        {
            rest.next();
            return self.push(Kind::Op(op), SrcSpan { start: p.span(), end });
        }
        match OPS.iter().find(|op| op.len() == 1 && op.starts_with(first)) {
            Some(op) => self.push(Kind::Op(op), SrcSpan::token(p.span())),
            None => {
                let (message, help) = foreign(first);
                self.bad(SrcSpan::token(p.span()), message, help);
            }
        }
    }

    fn bad(&mut self, span: SrcSpan, message: impl Into<String>, help: Option<&str>) {
        self.push(Kind::Bad, span);
        let mut d = Diagnostic::error(Code::LEX, span, message);
        d.help = help.map(str::to_string);
        self.diags.push(d);
    }
}

/// What to say about a character that is no token of the language, and what was probably meant.
fn foreign(c: char) -> (String, Option<&'static str>) {
    let help = match c {
        '\'' => Some("tensors cannot be primed; write `S1`, not `S'`"),
        '&' | '∧' | '⋀' => Some("conjunction is `&&`"),
        '|' | '∨' | '⋁' => Some("disjunction is `||`"),
        '^' => Some("a power is `pow(x, y)`, a square `x * x`"),
        '?' => Some("a choice is `if c { a } else { b }`"),
        '$' => Some("names are plain: `Q`, not `$Q`"),
        '×' | '·' | '⋅' | '∗' => Some("multiplication is `*`"),
        '÷' | '∕' => Some("division is `/`"),
        '−' | '–' | '—' => Some("the minus sign is the ASCII `-`"),
        '≤' | '≦' => Some("write `<=`"),
        '≥' | '≧' => Some("write `>=`"),
        '≠' => Some("write `!=`"),
        '¬' => Some("negation is `!`"),
        'Σ' | '∑' => Some("a sum is `sum[e](..)`"),
        '√' => Some("a square root is `sqrt(x)`"),
        '∞' => Some("there is no infinity literal: what a mask excludes is absent"),
        '←' | '≔' => Some("a definition is `let T[..] = ..;`"),
        '“' | '”' | '‘' | '’' | '`' => Some("the language has no quotes"),
        _ if !c.is_ascii() => Some("the language is ASCII outside of comments"),
        _ => None,
    };
    let shown = if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() };
    (format!("`{shown}` is not a token of the language"), help)
}

/// At most this many bad characters are reported in one file.
const MAX_LEX_ERRORS: usize = 20;

/// The tokens of a file, what was reported on the way, and the offsets of the characters that were replaced.
pub(super) struct Lexed {
    pub(super) tokens: TokenStream,
    pub(super) diags: Vec<Diagnostic>,
    pub(super) replaced: Vec<usize>,
}

/// Lexes the text of a file. Characters that Rust's lexer refuses are reported and replaced by `@`, so that the statements
/// around them are still parsed; unbalanced brackets end the attempt.
pub(super) fn tokens(src: &str) -> Result<Lexed, Vec<Diagnostic>> {
    // The lexer would drop a byte order mark and shift every offset.
    let mut text = src.replacen('\u{feff}', "   ", usize::from(src.starts_with('\u{feff}')));
    let mut diags = vec![];
    let mut replaced = vec![];
    loop {
        let error = match TokenStream::from_str(&text) {
            Ok(tokens) => return Ok(Lexed { tokens, diags, replaced }),
            Err(error) => SrcSpan::token(error.span()),
        };
        let at = error.start.byte_range().start;
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else {
            diags.push(Diagnostic::error(Code::LEX, error, "the text ends in the middle of a token"));
            return Err(diags);
        };
        let span = span_at(src, at);
        diags.push(lex_error(&text, at, c, span));
        if "()[]{}\"/".contains(c) || diags.len() >= MAX_LEX_ERRORS {
            return Err(diags);
        }
        text.replace_range(at..at + c.len_utf8(), &format!("{:1$}", "@", c.len_utf8()));
        replaced.push(at);
    }
}

fn lex_error(text: &str, at: usize, c: char, span: SrcSpan) -> Diagnostic {
    let error = |message: String| Diagnostic::error(Code::LEX, span, message);
    match c {
        '(' | '[' | '{' => error(format!("this `{c}` is never closed")),
        ')' | ']' | '}' => match text.get(..at).map(TokenStream::from_str) {
            Some(Err(open)) => error(format!("`{c}` closes a bracket of another kind"))
                .label(SrcSpan::token(open.span()), "opened here"),
            _ => error(format!("`{c}` closes a bracket that was never opened")),
        },
        '"' => error("this string does not end".to_string()),
        '/' => error("this comment does not end".to_string()),
        _ => {
            let (message, help) = foreign(c);
            let mut d = error(message);
            d.help = help.map(str::to_string);
            d
        }
    }
}

/// A span for one byte of the text, made by lexing a blank text of the same shape.
fn span_at(src: &str, at: usize) -> SrcSpan {
    let mut blank: String = src.get(..at).unwrap_or_default().chars().map(blank_of).collect();
    blank.push('@');
    match TokenStream::from_str(&blank).ok().and_then(|t| t.into_iter().next()) {
        Some(tree) => SrcSpan::token(tree.span()),
        None => SrcSpan::call_site(),
    }
}

/// White space of as many bytes, and of as many columns where Unicode has it.
fn blank_of(c: char) -> &'static str {
    match c.len_utf8() {
        _ if c == '\n' => "\n",
        1 => " ",
        2 => "\u{a0}",
        3 => "\u{2003}",
        _ => "\u{2003} ",
    }
}
