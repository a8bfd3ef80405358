//! The argument of `attn_lib!`: `kernel`, `kernel as name`, `kernel as name { W = 256, T = bf16 }`.
//!
//! What is wrong with it is reported at its own tokens: the name of the kernel, the name of a setting, or its value.

use einattn_compiler::check::{nearest, settable, unknown_setting};
use einattn_compiler::diag::{Code, Diagnostic, SrcSpan};
use einattn_compiler::library;
use einattn_compiler::syntax::ast::{File, Item};
use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};

/// A kernel of the library and what is chosen for it.
pub(crate) struct Request {
    /// Its name in the library.
    pub(crate) kernel: Ident,
    /// Its name in the user's crate.
    name: String,
    /// Params, extents and `dtype` variables.
    set: Vec<Setting>,
}

/// `NAME = value`
struct Setting {
    name: Ident,
    value: String,
    /// Of the value's first token.
    span: Span,
}

/// An error at a token.
type Failure = (String, Span);

const SHAPE: &str = "expected `kernel`, `kernel as name` or `kernel as name { NAME = value, .. }`";

pub(crate) fn parse(input: TokenStream) -> Result<Request, Failure> {
    let fail = |span: Span| (SHAPE.to_string(), span);
    let mut tokens = input.into_iter().peekable();
    let Some(TokenTree::Ident(kernel)) = tokens.next() else { return Err(fail(Span::call_site())) };
    let mut request = Request { name: kernel.to_string(), kernel, set: vec![] };
    if let Some(TokenTree::Ident(word)) = tokens.peek()
        && word == "as"
    {
        let span = word.span();
        tokens.next();
        let Some(TokenTree::Ident(name)) = tokens.next() else { return Err(fail(span)) };
        request.name = name.to_string();
    }
    match tokens.next() {
        None => Ok(request),
        Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Brace && tokens.next().is_none() => {
            request.set = settings(g.stream())?;
            Ok(request)
        }
        Some(other) => Err(fail(other.span())),
    }
}

/// `NAME = value, ..`; a value is everything up to the comma.
fn settings(tokens: TokenStream) -> Result<Vec<Setting>, Failure> {
    let mut set: Vec<Setting> = vec![];
    let mut tokens = tokens.into_iter();
    while let Some(first) = tokens.next() {
        let (TokenTree::Ident(name), Some(TokenTree::Punct(eq))) = (&first, tokens.next()) else {
            return Err((SHAPE.into(), first.span()));
        };
        let is_comma = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == ',');
        let value: Vec<TokenTree> = tokens.by_ref().take_while(|t| !is_comma(t)).collect();
        let (Some(start), '=') = (value.first(), eq.as_char()) else { return Err((SHAPE.into(), eq.span())) };
        if set.iter().any(|s| s.name == *name) {
            return Err((format!("`{name}` is set twice"), name.span()));
        }
        let span = start.span();
        set.push(Setting { name: name.clone(), value: value.iter().map(ToString::to_string).collect(), span });
    }
    Ok(set)
}

/// File name and text of the library file with the kernel of this name.
pub(crate) fn find(kernel: &Ident) -> Result<(&'static str, &'static str), Failure> {
    let wanted = kernel.to_string();
    let mut all = vec![];
    for (name, text) in library::FILES {
        let names = kernels(text);
        if names.contains(&wanted) {
            return Ok((name, text));
        }
        all.extend(names);
    }
    let mut message = format!("the library has no kernel `{wanted}`; `attnc lib` lists them");
    if let Some(near) = nearest(&wanted, all.iter().map(String::as_str)) {
        message.push_str(&format!("\n  = help: did you mean `{near}`?"));
    }
    Err((message, kernel.span()))
}

/// Names of the kernels of a text.
fn kernels(text: &str) -> Vec<String> {
    let items = einattn_compiler::syntax::parse_str(text).0.items;
    let name = |item| if let Item::Kernel(k) = item { Some(k.name.name) } else { None };
    items.into_iter().filter_map(name).collect()
}

impl Request {
    /// What is chosen, as the checker takes it.
    pub(crate) fn choices(&self) -> Vec<(String, String)> {
        self.set.iter().map(|s| (s.name.to_string(), s.value.clone())).collect()
    }

    /// The token of the request that an error of the selected file is about: the name of a setting that does not exist, or
    /// a value that does not fit its declaration.
    pub(crate) fn place(&self, file: &File, d: &Diagnostic) -> Option<Span> {
        let all = settable(file);
        let at = |span: SrcSpan| span.start.start();
        self.set.iter().find_map(|s| {
            let name = s.name.to_string();
            match all.iter().find(|declared| declared.name.name == name) {
                Some(declared) => (d.code == Code::TYPE && at(d.span) == at(declared.name.span)).then_some(s.span),
                None => (d.message == unknown_setting(&name, &all).message).then(|| s.name.span()),
            }
        })
    }

    /// The requested kernel, renamed, with everything else of its file that it may use.
    pub(crate) fn select(&self, file: File) -> File {
        let kernel = self.kernel.to_string();
        let mut items = vec![];
        for item in file.items {
            match item {
                Item::Kernel(mut k) if k.name.name == kernel => {
                    k.name.name.clone_from(&self.name);
                    items.push(Item::Kernel(k));
                }
                Item::Schedule(mut s) if s.kernel.name == kernel => {
                    s.kernel.name.clone_from(&self.name);
                    items.push(Item::Schedule(s));
                }
                Item::Kernel(_) | Item::Schedule(_) => {}
                Item::Fn(_) | Item::Mask(_) => items.push(item),
            }
        }
        File { docs: file.docs, items }
    }
}
