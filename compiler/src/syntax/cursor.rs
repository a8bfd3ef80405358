//! The token cursor: looking, taking, expecting, and what to say when something else was found.

use super::ast::Ident;
use super::lex::{Kind, Tok};
use crate::diag::{Code, Diagnostic, SrcSpan};
use proc_macro2::Delimiter;

/// Why a production gave up.
pub(super) enum Stop {
    /// To be reported.
    Error(Box<Diagnostic>),
    /// The token at fault was reported by the lexer.
    Reported,
}

/// Result of a production.
pub(super) type PResult<T> = Result<T, Stop>;

/// Brackets, calls and unary operators may nest this deep.
const MAX_DEPTH: u32 = 128;

/// Rust's keywords: they are never names, because the macro's input must stay ordinary Rust tokens.
const KEYWORDS: &[&str] = &[
    "as", "break", "const", "continue", "crate", "else", "enum", "extern", "false", "fn", "for", "if", "impl", "in",
    "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "Self", "static", "struct", "super",
    "trait", "true", "type", "unsafe", "use", "where", "while", "async", "await", "dyn", "abstract", "become", "box",
    "do", "final", "gen", "macro", "override", "priv", "try", "typeof", "unsized", "virtual", "yield", "_",
];

/// Those of them that are words of the grammar.
const GRAMMAR_KEYWORDS: &[&str] = &["as", "const", "else", "fn", "if", "in", "let", "where", "true", "false"];

/// The parser's state.
pub(super) struct Parser<'a> {
    toks: &'a [Tok],
    /// Index of the next token.
    pub(super) pos: usize,
    depth: u32,
    /// What was found wrong so far.
    pub(super) diags: Vec<Diagnostic>,
}

impl<'a> Parser<'a> {
    /// A parser over a list that ends with `Kind::End`.
    pub(super) fn new(toks: &'a [Tok], diags: Vec<Diagnostic>) -> Self {
        Parser { toks, pos: 0, depth: 0, diags }
    }

    /// The n-th token from here; the end token beyond the end.
    pub(super) fn ahead(&self, n: usize) -> &'a Tok {
        &self.toks[(self.pos + n).min(self.toks.len() - 1)]
    }

    /// Place of the next token.
    pub(super) fn span(&self) -> SrcSpan {
        self.ahead(0).span
    }

    /// Place of the token just taken.
    pub(super) fn last_span(&self) -> SrcSpan {
        self.toks[self.pos.saturating_sub(1)].span
    }

    /// From `start` to the token just taken.
    pub(super) fn since(&self, start: SrcSpan) -> SrcSpan {
        start.to(self.last_span())
    }

    /// Takes the next token.
    pub(super) fn bump(&mut self) -> SrcSpan {
        let span = self.span();
        self.pos = (self.pos + 1).min(self.toks.len() - 1);
        span
    }

    /// The next word, if the next token is one.
    pub(super) fn word(&self) -> Option<&'a str> {
        self.word_ahead(0)
    }

    /// The word n tokens ahead, if that token is one.
    pub(super) fn word_ahead(&self, n: usize) -> Option<&'a str> {
        match &self.ahead(n).kind {
            Kind::Word(w) => Some(w),
            _ => None,
        }
    }

    /// True at this keyword.
    pub(super) fn at_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    /// True at this operator.
    pub(super) fn at(&self, op: &str) -> bool {
        matches!(self.ahead(0).kind, Kind::Op(o) if o == op)
    }

    /// True if the n-th token from here opens such a bracket.
    pub(super) fn opens(&self, n: usize, delimiter: Delimiter) -> bool {
        matches!(self.ahead(n).kind, Kind::Open(d) if d == delimiter)
    }

    /// True at a closing bracket or the end.
    pub(super) fn at_close(&self) -> bool {
        matches!(self.ahead(0).kind, Kind::Close(_) | Kind::End)
    }

    /// True at the end of the input.
    pub(super) fn at_end(&self) -> bool {
        matches!(self.ahead(0).kind, Kind::End)
    }

    /// Takes the operator if it is next.
    pub(super) fn eat(&mut self, op: &str) -> bool {
        let found = self.at(op);
        if found {
            self.bump();
        }
        found
    }

    /// Takes the keyword if it is next.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.bump();
        }
        found
    }

    /// Takes the operator or says that it is missing.
    pub(super) fn expect(&mut self, op: &str) -> PResult<()> {
        if self.eat(op) { Ok(()) } else { Err(self.expected(&format!("`{op}`"))) }
    }

    /// Takes an opening bracket or says that it is missing.
    pub(super) fn open(&mut self, delimiter: Delimiter, what: &str) -> PResult<SrcSpan> {
        if self.opens(0, delimiter) { Ok(self.bump()) } else { Err(self.expected(what)) }
    }

    /// Takes the closing bracket of the current group or says what should have come instead of the next token.
    pub(super) fn close(&mut self, what: &str) -> PResult<SrcSpan> {
        if self.at_close() && !self.at_end() { Ok(self.bump()) } else { Err(self.expected(what)) }
    }

    /// Items separated by commas up to the closing bracket, which is taken.
    pub(super) fn list<T>(&mut self, what: &str, mut item: impl FnMut(&mut Self) -> PResult<T>) -> PResult<Vec<T>> {
        let mut items = vec![];
        while !self.at_close() {
            items.push(item(self)?);
            if !self.eat(",") {
                break;
            }
        }
        self.close(what)?;
        Ok(items)
    }

    /// A name.
    pub(super) fn ident(&mut self, what: &str) -> PResult<Ident> {
        let Some(word) = self.word() else { return Err(self.expected(what)) };
        if GRAMMAR_KEYWORDS.contains(&word) {
            return Err(self.expected(what));
        }
        if KEYWORDS.contains(&word) || word.starts_with("r#") {
            let message = format!("expected {what}, found `{word}`, which is a Rust keyword and cannot be a name");
            return Err(self.error_here(message));
        }
        let name = word.to_string();
        Ok(Ident { name, span: self.bump() })
    }

    /// True if the n-th token from here can be a name.
    pub(super) fn is_name(&self, n: usize) -> bool {
        self.word_ahead(n).is_some_and(|w| !KEYWORDS.contains(&w))
    }

    /// Position after the token or bracketed group at `pos`.
    pub(super) fn skip_tree(&self, pos: usize) -> usize {
        match self.toks[pos].kind {
            Kind::Open(_) => self.toks[pos].close + 1,
            Kind::End => pos,
            _ => pos + 1,
        }
    }

    /// Runs a production one level deeper; too much nesting is an error, because the stack is finite.
    pub(super) fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> PResult<T>) -> PResult<T> {
        if self.depth >= MAX_DEPTH {
            let error = self.error_here(format!("expressions nest at most {MAX_DEPTH} levels deep"));
            return Err(with_help(error, "name a part of the expression with `let`"));
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    /// An error at the next token.
    pub(super) fn error_here(&self, message: impl Into<String>) -> Stop {
        self.error(self.span(), message)
    }

    /// An error at a place.
    pub(super) fn error(&self, span: SrcSpan, message: impl Into<String>) -> Stop {
        Stop::Error(Box::new(Diagnostic::error(Code::SYNTAX, span, message)))
    }

    /// The error that something else than the next token was expected.
    pub(super) fn expected(&self, what: &str) -> Stop {
        let tok = self.ahead(0);
        match tok.kind {
            Kind::Bad => Stop::Reported,
            Kind::End => self.error(tok.span, format!("unexpected end of input, expected {what}")),
            _ => {
                let error = self.error(tok.span, format!("expected {what}, found `{}`", tok.text()));
                match hint(tok) {
                    Some(help) => with_help(error, help),
                    None => error,
                }
            }
        }
    }

    /// Keeps an error for the report.
    pub(super) fn report(&mut self, stop: Stop) {
        if let Stop::Error(d) = stop {
            self.diags.push(*d);
        }
    }
}

/// Adds advice to an error.
pub(super) fn with_help(stop: Stop, help: &str) -> Stop {
    match stop {
        Stop::Error(d) => Stop::Error(Box::new(d.help(help))),
        Stop::Reported => Stop::Reported,
    }
}

/// What was probably meant by a token that is out of place.
fn hint(tok: &Tok) -> Option<&'static str> {
    match &tok.kind {
        Kind::Op("=") => Some("`=` defines; equality is `==`"),
        Kind::Op("!") => Some("inequality is `!=`"),
        Kind::Op(".") => Some("there are no methods or fields; functions are written `sqrt(x)`"),
        Kind::Op("*") => Some("a power is `pow(x, y)`, a square `x * x`"),
        Kind::Op("->") => Some("only `fn` has a result type"),
        Kind::Lit(l) if l.to_string().starts_with('"') => Some("strings are not values"),
        Kind::Word(w) => match w.as_str() {
            "and" => Some("conjunction is `&&`"),
            "or" => Some("disjunction is `||`; `or(x, c)` fills absent points"),
            "not" => Some("negation is `!`"),
            "for" | "while" | "loop" => Some("there are no loops: a rank variable runs over its rank"),
            _ => None,
        },
        _ => None,
    }
}
