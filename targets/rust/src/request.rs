//! The argument of `attn_lib!`: `kernel`, `kernel as name`, `kernel as name { W = 256, T = bf16 }`.

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
    pub(crate) set: Vec<(String, String)>,
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
fn settings(tokens: TokenStream) -> Result<Vec<(String, String)>, Failure> {
    let mut set = vec![];
    let mut tokens = tokens.into_iter();
    while let Some(first) = tokens.next() {
        let (TokenTree::Ident(name), Some(TokenTree::Punct(eq))) = (&first, tokens.next()) else {
            return Err((SHAPE.into(), first.span()));
        };
        let is_comma = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == ',');
        let value: String = tokens.by_ref().take_while(|t| !is_comma(t)).map(|t| t.to_string()).collect();
        if eq.as_char() != '=' || value.is_empty() {
            return Err((SHAPE.into(), eq.span()));
        }
        set.push((name.to_string(), value));
    }
    Ok(set)
}

/// File name and text of the library file with this kernel.
pub(crate) fn find(kernel: &str) -> Option<(&'static str, &'static str)> {
    let has = |text: &str| {
        let (file, _) = einattn_compiler::syntax::parse_str(text);
        file.items.iter().any(|i| matches!(i, Item::Kernel(k) if k.name.name == kernel))
    };
    library::FILES.iter().copied().find(|(_, text)| has(text))
}

impl Request {
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
