//! Reading, parsing and checking a source file: what every command that takes a FILE starts with.

use crate::Io;
use crate::render::{MessageFormat, diagnostics};
use einattn_compiler::check::{Checked, Options, check};
use einattn_compiler::diag::{Diagnostic, Refusal, SpanTable, SrcSpan, has_errors};
use einattn_compiler::driver::merge;
use einattn_compiler::library::FILES;
use einattn_compiler::syntax::{self, ast};
use std::ops::Range;
use std::path::Path;

/// A source file with its syntax tree.
pub(crate) struct Source {
    /// Path as given.
    pub(crate) name: String,
    /// Text.
    pub(crate) text: String,
    /// Tree of what could be parsed.
    pub(crate) file: ast::File,
    /// What the parser found.
    pub(crate) diags: Vec<Diagnostic>,
}

impl Source {
    /// Reads and parses a file.
    pub(crate) fn read(path: &Path) -> Result<Source, String> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|e| format!("cannot read `{name}`: {e}"))?;
        let text = String::from_utf8(bytes)
            .map_err(|e| format!("`{name}` is not UTF-8 text (byte {})", e.utf8_error().valid_up_to()))?;
        Ok(Source::parse(name, text))
    }

    /// Opens a path, or `lib:NAME`: a file of the library, or the library file that has this kernel, which is the second
    /// result then.
    pub(crate) fn open(place: &str) -> Result<(Source, Option<&str>), String> {
        let Some(wanted) = place.strip_prefix("lib:") else { return Ok((Source::read(Path::new(place))?, None)) };
        let library = || FILES.iter().map(|(name, text)| Source::parse(format!("lib:{name}"), (*text).to_string()));
        if let Some(i) =
            FILES.iter().position(|(name, _)| *name == wanted || name.strip_suffix(".attn") == Some(wanted))
        {
            return library().nth(i).map(|s| (s, None)).ok_or_else(|| format!("the library has no `{wanted}`"));
        }
        let has = |s: &Source| s.file.items.iter().any(|i| matches!(i, ast::Item::Kernel(k) if k.name.name == wanted));
        let found = library().find(has).map(|s| (s, Some(wanted)));
        found.ok_or_else(|| format!("the library has no kernel `{wanted}`; `attnc lib` lists it"))
    }

    /// Prints what the parser found; true if that refuses the file.
    pub(crate) fn refused(&self, io: &mut Io) -> Result<bool, String> {
        diagnostics(self, &self.diags, MessageFormat::Human, io)?;
        Ok(has_errors(&self.diags))
    }

    /// Checks the file and prints what is wrong; `None` if that refuses it.
    pub(crate) fn check(&self, set: &[(String, String)], io: &mut Io) -> Result<Option<Checked>, String> {
        let (checked, diags) = check(&self.file, &Options { set: set.to_vec() });
        diagnostics(self, &diags, MessageFormat::Human, io)?;
        Ok((!has_errors(&diags)).then_some(checked))
    }

    /// Prints the refusals of a later stage.
    pub(crate) fn refusals(&self, refusals: &[Refusal], spans: &SpanTable, io: &mut Io) -> Result<(), String> {
        let diags: Vec<Diagnostic> = refusals.iter().map(|r| r.diagnostic(spans)).collect();
        diagnostics(self, &diags, MessageFormat::Human, io)
    }

    /// Parses a text.
    pub(crate) fn parse(name: String, text: String) -> Source {
        let (file, diags) = syntax::parse_str(&text);
        Source { name, text, file, diags }
    }

    /// Checks what could be parsed. The diagnostics are those of the parser and of the checker.
    pub(crate) fn checked(&self, set: &[(String, String)]) -> (Checked, Vec<Diagnostic>) {
        let (checked, found) = check(&self.file, &Options { set: set.to_vec() });
        (checked, merge(&self.file, self.diags.clone(), found))
    }

    /// The bytes of a span, inside of the text whatever the span is.
    pub(crate) fn range(&self, span: SrcSpan) -> Range<usize> {
        let boundary = |i: &usize| self.text.is_char_boundary(*i);
        let len = self.text.len();
        let start = (0..=span.start.byte_range().start.min(len)).rev().find(boundary).unwrap_or(0);
        let end = (span.end.byte_range().end.min(len)..=len).find(boundary).unwrap_or(len);
        start..end.max(start)
    }

    /// Line and column of a byte, counted from 1 in characters.
    pub(crate) fn position(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..byte];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}
