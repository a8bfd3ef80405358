//! From source to the tokens of a macro call, and to the text of `attnc build --target rust`: one generator for both.
//!
//! Every kernel becomes a module with its code and a launcher struct. A kernel that is refused still gets its
//! launcher, so that its callers keep type-checking, beside one `compile_error!` for each diagnostic.

use crate::launcher::{launcher, module_name};
use crate::request;
use einattn_compiler::check::{self, Checked, CheckedKernel};
use einattn_compiler::diag::{Diagnostic, Severity, SrcSpan};
use einattn_compiler::driver;
use einattn_compiler::lane::{LaneKernel, MemRole};
use einattn_compiler::syntax::ast::{self, Item, StmtKind};
use einattn_compiler::target::CpuCaps;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use std::collections::BTreeMap;

/// Source of one kernel.
#[derive(Clone, Debug)]
pub struct KernelSource {
    /// Kernel.
    pub name: String,
    /// Module with the code, and launcher.
    pub module: String,
    /// Launcher struct.
    pub launcher: String,
}

/// Source of every kernel of a checked file for some instruction sets ([`crate::isas`]), with the refusals of the later
/// stages added to `diags`.
pub fn kernels(checked: &Checked, isas: &[CpuCaps], diags: &mut Vec<Diagnostic>) -> Vec<KernelSource> {
    checked.kernels.iter().map(|k| kernel(k, checked, isas, diags)).collect()
}

fn kernel(kernel: &CheckedKernel, checked: &Checked, isas: &[CpuCaps], diags: &mut Vec<Diagnostic>) -> KernelSource {
    let name = kernel.name.name.clone();
    let compiled = compile(kernel, checked, isas, diags).filter(|members| !members.is_empty() && !isas.is_empty());
    let args = compiled.as_ref().map(|members| caller_tensors(&members[0][0].1));
    let module = compiled.map(|members| crate::emit(&members));
    let module = match module {
        Some(Ok(items)) => format!("#[doc(hidden)]\nmod {} {{\n{items}}}\n", module_name(&name)),
        Some(Err(refusal)) => {
            // The target knows no statements, only kernels.
            diags.push(Diagnostic { span: kernel.name.span, ..refusal.diagnostic(&checked.spans) });
            return KernelSource { launcher: launcher(kernel, None), name, module: String::new() };
        }
        None => String::new(),
    };
    KernelSource { launcher: launcher(kernel, args.as_deref()), name, module }
}

/// Every member for every instruction set; `None` if anything was refused.
fn compile(
    kernel: &CheckedKernel,
    checked: &Checked,
    isas: &[CpuCaps],
    diags: &mut Vec<Diagnostic>,
) -> Option<Vec<Vec<(CpuCaps, LaneKernel)>>> {
    let mut members = vec![];
    let options = driver::Options::scheduled(kernel, "rust");
    for cascade in &kernel.members {
        let mut member = vec![];
        for caps in isas {
            match driver::lower(cascade, caps, &options) {
                Ok(lowered) => member.push((caps.clone(), lowered)),
                Err(refusals) => {
                    diags.extend(refusals.iter().map(|r| r.diagnostic(&checked.spans)));
                    return None;
                }
            }
        }
        members.push(member);
    }
    Some(members)
}

fn caller_tensors(kernel: &LaneKernel) -> Vec<String> {
    let of_caller = |role: &MemRole| matches!(role, MemRole::In | MemRole::Out | MemRole::InOut);
    kernel.tensors.iter().filter(|t| of_caller(&t.role)).map(|t| t.name.clone()).collect()
}

/// Expansion of `attn! { tokens }`.
pub fn tokens(input: TokenStream, isas: &[CpuCaps]) -> TokenStream {
    let (file, parsed) = einattn_compiler::syntax::parse(input);
    let (checked, found) = check::check(&file, &check::Options::default());
    let mut diags = driver::merge(&file, parsed, found);
    diags.extend(driver::unread_schedules(&checked));
    let sources = kernels(&checked, isas, &mut diags);
    let spans = name_spans(&file);
    let mut out: TokenStream =
        sources.iter().flat_map(|s| [code(&s.module), respan(code(&s.launcher), &spans)]).collect();
    for d in &diags {
        out.extend(match d.severity {
            Severity::Error => compile_error(&message(d), d.span),
            Severity::Warning => warning(d),
            // Nothing of a stable macro is shown without being a warning.
            Severity::Note => TokenStream::new(),
        });
    }
    out
}

/// Expansion of `attn_file!("path")`: `text` is the file's content, `path` as written, `literal` its place.
/// Errors say line and column in the file; a stable macro cannot point into it.
pub fn file(path: &str, absolute: &str, text: &str, literal: Span, isas: &[CpuCaps]) -> TokenStream {
    let mut out = foreign(path, text, &[], literal, isas, |file| file, |_, _| None);
    out.extend(code(&format!("const _: &[u8] = ::core::include_bytes!({absolute:?});")));
    out
}

/// Expansion of `attn_lib!(kernel as name { W = 256, .. })`: a kernel of the library with its params, extents and
/// `dtype` variables chosen.
pub fn library(input: TokenStream, isas: &[CpuCaps]) -> TokenStream {
    let request = match request::parse(input) {
        Ok(request) => request,
        Err((message, span)) => return error(&message, span),
    };
    let (path, text) = match request::find(&request.kernel) {
        Ok(found) => found,
        Err((message, span)) => return error(&message, span),
    };
    let (set, span) = (request.choices(), request.kernel.span());
    foreign(path, text, &set, span, isas, |file| request.select(file), |file, d| request.place(file, d))
}

/// Kernels of a text that is not the user's tokens. `select` chooses and renames items; `place` finds the user's token
/// that an error is about; the others are at `span` and say where they are in the text.
fn foreign(
    path: &str,
    text: &str,
    set: &[(String, String)],
    span: Span,
    isas: &[CpuCaps],
    select: impl FnOnce(ast::File) -> ast::File,
    place: impl Fn(&ast::File, &Diagnostic) -> Option<Span>,
) -> TokenStream {
    // The fallback lexer knows lines and columns of the text's tokens.
    proc_macro2::fallback::force();
    let (file, parsed) = einattn_compiler::syntax::parse_str(text);
    let file = select(file);
    let (checked, found) = check::check(&file, &check::Options { set: set.to_vec() });
    let mut diags = driver::merge(&file, parsed, found);
    let sources = kernels(&checked, isas, &mut diags);
    let located = |d: &Diagnostic| match place(&file, d) {
        Some(at) => (message(d), at),
        None => {
            let start = d.span.start.start();
            (format!("{path}:{}:{}: {}", start.line, start.column + 1, message(d)), span)
        }
    };
    let errors = diags.iter().filter(|d| d.severity == Severity::Error);
    let errors: Vec<(String, Span)> = errors.map(located).collect();
    drop((checked, diags, file));
    proc_macro2::fallback::unforce();
    let mut out: TokenStream = sources.iter().flat_map(|s| [code(&s.module), code(&s.launcher)]).collect();
    out.extend(errors.iter().flat_map(|(text, span)| error(text, *span)));
    out
}

/// Generated text as tokens. It is made here, so a failure is a bug; it is reported as an error at the call.
fn code(text: &str) -> TokenStream {
    text.parse().unwrap_or_else(|e| {
        compile_error(
            &format!("internal error, please report it: generated code does not lex: {e}"),
            SrcSpan::call_site(),
        )
    })
}

/// A `compile_error!` at one token.
pub fn error(message: &str, span: Span) -> TokenStream {
    compile_error(message, SrcSpan::token(span))
}

/// A warning at the first token of the diagnostic's place. Stable macros have no warnings of their own; the use of
/// something deprecated is shown as one, with a text of our choice.
fn warning(d: &Diagnostic) -> TokenStream {
    let name = d.code.0.replace('-', "_");
    let definition = code(&format!("#[deprecated(note = {:?})] const {name}: () = ();", message(d)));
    let read = TokenTree::from(Ident::new(&name, d.span.start));
    let body = TokenTree::from(Group::new(Delimiter::Brace, definition.into_iter().chain([read]).collect()));
    code("const _: () =").into_iter().chain([body]).chain(code(";")).collect()
}

fn compile_error(message: &str, span: SrcSpan) -> TokenStream {
    let range: TokenStream =
        [Ident::new("start", span.start), Ident::new("end", span.end)].map(TokenTree::from).into_iter().collect();
    syn::Error::new_spanned(range, message).to_compile_error()
}

/// Message, code, labels, notes and help in one text: stable macros have one span an error.
fn message(d: &Diagnostic) -> String {
    let mut out = format!("{} [{}]", d.message, d.code.0);
    for (_, label) in &d.labels {
        out.push_str(&format!("\n  = {label}"));
    }
    for note in &d.notes {
        out.push_str(&format!("\n  = note: {note}"));
    }
    if let Some(help) = &d.help {
        out.push_str(&format!("\n  = help: {help}"));
    }
    out
}

/// Places of kernels, tensors and scalars by name, so that generated items lead back to the user's text.
fn name_spans(file: &ast::File) -> BTreeMap<String, Span> {
    let mut spans = BTreeMap::new();
    for item in &file.items {
        let Item::Kernel(kernel) = item else { continue };
        spans.insert(kernel.name.name.clone(), kernel.name.span.start);
        for stmt in &kernel.stmts {
            if let StmtKind::Tensor(_, name, ..) | StmtKind::Scalar(name, _) = &stmt.kind {
                spans.entry(name.name.clone()).or_insert(name.span.start);
            }
        }
    }
    spans
}

fn respan(tokens: TokenStream, spans: &BTreeMap<String, Span>) -> TokenStream {
    let respan_tree = |tree| match tree {
        TokenTree::Ident(mut ident) => {
            if let Some(span) = spans.get(&ident.to_string()) {
                ident.set_span(ident.span().located_at(*span));
            }
            TokenTree::Ident(ident)
        }
        TokenTree::Group(group) => {
            let mut new = Group::new(group.delimiter(), respan(group.stream(), spans));
            new.set_span(group.span());
            TokenTree::Group(new)
        }
        other => other,
    };
    tokens.into_iter().map(respan_tree).collect()
}
