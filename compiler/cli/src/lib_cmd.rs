//! `attnc lib`: the embedded library: all of it, what mentions a word, or one name of it.

use crate::source::Source;
use crate::{CmdResult, Io, Outcome, written};
use einattn_compiler::check::nearest;
use einattn_compiler::library::FILES;
use einattn_compiler::syntax::ast::{Attr, Item};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A kernel, function, mask or file of the library, to print.
    name: Option<String>,
    /// List what has this word in its name or in its documentation.
    #[arg(long, value_name = "WORD", conflicts_with = "name")]
    search: Option<String>,
}

/// Lists the library or prints a part of it.
pub(crate) fn run(args: &Args, io: &mut Io) -> CmdResult {
    let text = match (&args.name, &args.search) {
        (Some(name), _) => find(name)?,
        (None, None) => list(&|_| true),
        (None, Some(word)) => Some(list(&|item| mentions(item, word)))
            .filter(|found| !found.is_empty())
            .ok_or_else(|| format!("nothing in the library mentions `{word}`; `attnc lib` lists it"))?,
    };
    written(io.out.write_all(text.as_bytes()))?;
    Ok(Outcome::Done)
}

fn library() -> impl Iterator<Item = Source> {
    FILES.iter().map(|(name, text)| Source::parse((*name).to_string(), (*text).to_string()))
}

/// The chosen items, below the titles of their files.
fn list(chosen: &dyn Fn(&Item) -> bool) -> String {
    let mut out = String::new();
    for source in library() {
        let items: Vec<&Item> = source.file.items.iter().filter(|i| chosen(i)).collect();
        if items.is_empty() {
            continue;
        }
        let title = source.file.docs.first().map_or("", |d| d.trim());
        out.push_str(&format!("{}: {title}\n", source.name));
        for item in items {
            let (word, name, attrs) = head(item);
            out.push_str(&format!("    {:<32} {}\n", format!("{word} {name}"), first_line(attrs)));
        }
        out.push('\n');
    }
    out
}

fn find(wanted: &str) -> Result<String, String> {
    if let Some((_, text)) = FILES.iter().find(|(name, _)| *name == wanted) {
        return Ok((*text).to_string());
    }
    for source in library() {
        if let Some(item) = source.file.items.iter().find(|i| head(i).1 == wanted) {
            return Ok(item_source(&source, item));
        }
    }
    let all: Vec<Source> = library().collect();
    let names = all.iter().flat_map(|s| &s.file.items).map(|i| head(i).1);
    let near = nearest(wanted, names).map_or(String::new(), |n| format!("; did you mean `{n}`?"));
    Err(format!("the library has no `{wanted}`; `attnc lib` lists it{near}"))
}

/// The text of an item with its documentation.
fn item_source(source: &Source, item: &Item) -> String {
    let (_, _, attrs) = head(item);
    let span = item.span();
    let start = attrs.first().map_or(span, |a| a.span);
    format!("{}\n", &source.text[source.range(start.to(span))])
}

/// Word, name and attributes of an item. A schedule goes by the name of its kernel.
fn head(item: &Item) -> (&'static str, &str, &[Attr]) {
    match item {
        Item::Kernel(k) => ("kernel", &k.name.name, &k.attrs),
        Item::Fn(f) => ("fn", &f.name.name, &f.attrs),
        Item::Mask(m) => ("mask", &m.name.name, &m.attrs),
        Item::Schedule(s) => ("schedule", &s.kernel.name, &s.attrs),
    }
}

/// True if the name or the documentation has the word, in any case.
fn mentions(item: &Item, word: &str) -> bool {
    let word = word.to_lowercase();
    let (_, name, attrs) = head(item);
    let docs = attrs.iter().filter_map(|a| a.doc.as_deref());
    docs.chain([name]).any(|text| text.to_lowercase().contains(&word))
}

fn first_line(attrs: &[Attr]) -> &str {
    attrs.iter().find_map(|a| a.doc.as_deref()).and_then(|d| d.trim().lines().next()).unwrap_or("")
}
