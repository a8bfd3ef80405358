//! Diagnostics: one type for every front door, with stable codes. Renderers live with the front doors.

mod codes;

use crate::cascade::Origin;
pub use codes::{CODES, Code, CodeInfo};
use proc_macro2::Span;

/// A range of source tokens. Positions come from `proc-macro2` (`span-locations` outside of macros).
#[derive(Clone, Copy, Debug)]
pub struct SrcSpan {
    /// First token.
    pub start: Span,
    /// Last token.
    pub end: Span,
}

impl SrcSpan {
    /// One token.
    pub fn token(span: Span) -> Self {
        SrcSpan { start: span, end: span }
    }

    /// From the start of `self` to the end of `other`.
    pub fn to(self, other: SrcSpan) -> Self {
        SrcSpan { start: self.start, end: other.end }
    }

    /// The call site of the macro, or an empty span in files.
    pub fn call_site() -> Self {
        SrcSpan::token(Span::call_site())
    }
}

/// How serious a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The program is accepted and nothing is wrong with it; something is worth knowing.
    Note,
    /// The program is accepted.
    Warning,
    /// The program is refused.
    Error,
}

/// Something to tell the user, at a place in the source.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Stable code.
    pub code: Code,
    /// Severity.
    pub severity: Severity,
    /// What is wrong, in the user's terms.
    pub message: String,
    /// Where.
    pub span: SrcSpan,
    /// Secondary places, each with a text.
    pub labels: Vec<(SrcSpan, String)>,
    /// Further facts.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: Code, span: SrcSpan, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            span,
            labels: vec![],
            notes: vec![],
            help: None,
        }
    }

    /// A warning.
    pub fn warning(code: Code, span: SrcSpan, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// A note about a program that is right.
    pub fn note_about(code: Code, span: SrcSpan, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Note, ..Diagnostic::error(code, span, message) }
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds a secondary place.
    #[must_use]
    pub fn label(mut self, span: SrcSpan, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }
}

/// True if any diagnostic refuses the program.
pub fn has_errors(diags: &[Diagnostic]) -> bool {
    diags.iter().any(|d| d.severity == Severity::Error)
}

/// Source spans of statements, indexed by `cascade::Origin::span`.
#[derive(Clone, Debug, Default)]
pub struct SpanTable {
    /// The spans.
    pub spans: Vec<SrcSpan>,
}

impl SpanTable {
    /// Adds a span and returns its index.
    pub fn add(&mut self, span: SrcSpan) -> u32 {
        self.spans.push(span);
        self.spans.len() as u32 - 1
    }

    /// The span behind an index; the call site if unknown.
    pub fn get(&self, index: u32) -> SrcSpan {
        self.spans.get(index as usize).copied().unwrap_or_else(SrcSpan::call_site)
    }
}

/// A refusal by a stage after the checker: it knows the statement, not the span.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Stable code.
    pub code: Code,
    /// Statement that cannot be compiled as asked.
    pub origin: Origin,
    /// What blocks it, in the user's terms.
    pub message: String,
    /// Further facts.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Refusal {
    /// A refusal without notes.
    pub fn new(code: Code, origin: &Origin, message: impl Into<String>) -> Self {
        Refusal { code, origin: origin.clone(), message: message.into(), notes: vec![], help: None }
    }

    /// As a diagnostic at the statement's place.
    pub fn diagnostic(&self, spans: &SpanTable) -> Diagnostic {
        let mut d = Diagnostic::error(self.code, spans.get(self.origin.span), self.message.clone());
        d.notes = self.notes.clone();
        d.help = self.help.clone();
        d
    }
}
