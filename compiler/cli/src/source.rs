//! Reading, parsing and checking a source file: what every command that takes a FILE starts with.

use einattn_compiler::diag::{Diagnostic, SrcSpan};
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

    /// Parses a text.
    pub(crate) fn parse(name: String, text: String) -> Source {
        let (file, diags) = syntax::parse_str(&text);
        Source { name, text, file, diags }
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
