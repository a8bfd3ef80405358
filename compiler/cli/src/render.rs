//! Diagnostics for people (as rustc draws them) and for programs (one JSON object a line).

use crate::source::Source;
use crate::{Io, written};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use einattn_compiler::diag::{Diagnostic, Severity, SrcSpan};
use serde_json::{Value, json};

/// Form of the diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MessageFormat {
    /// Drawings of the source, on standard error.
    Human,
    /// One JSON object a diagnostic, on standard output.
    Json,
}

/// Prints the diagnostics of a file, in the order of the source.
pub(crate) fn diagnostics(
    source: &Source,
    diags: &[Diagnostic],
    format: MessageFormat,
    io: &mut Io,
) -> Result<(), String> {
    let mut sorted: Vec<&Diagnostic> = diags.iter().collect();
    sorted.sort_by_key(|d| source.range(d.span).start);
    for d in sorted {
        written(match format {
            MessageFormat::Human => writeln!(io.err, "{}\n", human(source, d, io.styled)),
            MessageFormat::Json => writeln!(io.out, "{}", json(source, d)),
        })?;
    }
    Ok(())
}

fn human(source: &Source, d: &Diagnostic, styled: bool) -> String {
    let level = match d.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let labels = d.labels.iter().map(|(span, text)| AnnotationKind::Context.span(source.range(*span)).label(text));
    let snippet = Snippet::source(&source.text)
        .path(&source.name)
        .annotation(AnnotationKind::Primary.span(source.range(d.span)))
        .annotations(labels);
    let report: Group = level
        .primary_title(&d.message)
        .id(d.code.0)
        .element(snippet)
        .elements(d.notes.iter().map(|n| Level::NOTE.message(n)))
        .elements(d.help.iter().map(|h| Level::HELP.message(h)));
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[report])
}

fn json(source: &Source, d: &Diagnostic) -> Value {
    let labels: Vec<Value> = d
        .labels
        .iter()
        .map(|(span, text)| {
            let mut v = place(source, *span);
            v["text"] = json!(text);
            v
        })
        .collect();
    let mut v = place(source, d.span);
    v["code"] = json!(d.code.0);
    v["severity"] = json!(match d.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    });
    v["message"] = json!(d.message);
    v["labels"] = json!(labels);
    v["notes"] = json!(d.notes);
    v["help"] = json!(d.help);
    v
}

fn place(source: &Source, span: SrcSpan) -> Value {
    let bytes = source.range(span);
    let (line, column) = source.position(bytes.start);
    let (end_line, end_column) = source.position(bytes.end);
    json!({
        "file": source.name,
        "line": line, "column": column, "end_line": end_line, "end_column": end_column,
        "start": bytes.start, "end": bytes.end,
    })
}
