//! What the texts of lane and of SIMT programs have in common: their lines, and the arguments of a kernel.

use crate::cascade::text::{Cursor, Tok};
use crate::lane::{IntLayout, MemRole, MemTensor, RankSource};

/// The calling convention of a kernel.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) tensors: Vec<MemTensor>,
    pub(crate) ints: IntLayout,
    pub(crate) sources: Vec<RankSource>,
    pub(crate) floats: Vec<String>,
}

/// The lines of a text.
pub(crate) struct Parser<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    /// At the first line.
    pub(crate) fn new(text: &'a str) -> Self {
        Parser { lines: text.lines().map(str::trim).collect(), at: 0 }
    }

    /// A message with the number of the line.
    pub(crate) fn error(&self, message: &str) -> String {
        format!("{}: {message}", self.at.max(1))
    }

    /// The first word of the next line that is neither empty nor, outside of functions, a comment.
    pub(crate) fn word(&mut self) -> &'a str {
        while self.lines.get(self.at).is_some_and(|l| l.is_empty() || l.starts_with('#')) {
            self.at += 1;
        }
        self.lines.get(self.at).and_then(|l| l.split(' ').next()).unwrap_or("")
    }

    /// The next line as a whole.
    pub(crate) fn statement<T>(&mut self, f: impl FnOnce(&mut Cursor) -> Result<T, String>) -> Result<T, String> {
        self.word();
        let Some(line) = self.lines.get(self.at) else { return Err(self.error("the text ends too early")) };
        self.at += 1;
        let mut c = Cursor::new(line).map_err(|m| self.error(&m))?;
        f(&mut c).and_then(|x| c.end().map(|()| x)).map_err(|m| self.error(&m))
    }

    /// A line that only closes a block.
    pub(crate) fn closes(&self, line: &str) -> Result<(), String> {
        if line == "}" { Ok(()) } else { Err(self.error(&format!("expected `}}`, found `{line}`"))) }
    }

    /// The next line as it is, empty ones and comments included.
    pub(crate) fn line(&mut self) -> Result<&'a str, String> {
        let Some(line) = self.lines.get(self.at).copied() else { return Err(self.error("a block is not closed")) };
        self.at += 1;
        Ok(line)
    }

    /// The lines before `prepare`.
    pub(crate) fn arguments(&mut self) -> Result<Arguments, String> {
        let mut k = Arguments::default();
        loop {
            match self.word() {
                "tensor" => {
                    let t = self.statement(|c| tensor(c, k.tensors.len()))?;
                    k.ints.tensor_dims.push(t.dims.len());
                    k.tensors.push(t);
                }
                "int" => self.statement(|c| int(c, &mut k))?,
                "float" => {
                    let name = self.statement(|c| numbered(c, "float", k.floats.len()))?;
                    k.floats.push(name);
                }
                _ => return Ok(k),
            }
        }
    }
}

pub(super) fn index(c: &mut Cursor) -> Result<usize, String> {
    usize::try_from(c.int()?).map_err(|_| "expected a number that is not negative".to_string())
}

/// `word i name`, where `i` counts.
fn numbered(c: &mut Cursor, word: &str, i: usize) -> Result<String, String> {
    c.expect(word)?;
    count(c, i)?;
    c.name()
}

fn count(c: &mut Cursor, i: usize) -> Result<(), String> {
    let n = index(c)?;
    if n == i { Ok(()) } else { Err(format!("expected the number {i}, found {n}")) }
}

fn tensor(c: &mut Cursor, i: usize) -> Result<MemTensor, String> {
    c.expect("tensor")?;
    count(c, i)?;
    let word = c.name()?;
    let name = c.name()?;
    c.expect(":")?;
    let dtype = c.dtype()?;
    c.expect("[")?;
    let dims = c.list("]", |c| match c.peek(0) {
        Some(Tok::Int(_)) => c.int().map(|n| n.to_string()),
        _ => c.name(),
    })?;
    let role = match word.as_str() {
        "in" => MemRole::In,
        "out" => MemRole::Out,
        "inout" => MemRole::InOut,
        "workspace" => MemRole::Workspace,
        "table" => {
            c.expect("=")?;
            c.expect("[")?;
            MemRole::Table(c.list("]", Cursor::float)?)
        }
        _ => return Err(format!("`{word}` is no role of a tensor")),
    };
    Ok(MemTensor { name, dtype, dims, role })
}

/// A slot of `ints`; slots of ranks, scalars and asserts follow each other in this order.
fn int(c: &mut Cursor, k: &mut Arguments) -> Result<(), String> {
    c.expect("int")?;
    let slot = index(c)?;
    let word = c.name()?;
    let name = c.name()?;
    let expected = match word.as_str() {
        "extent" | "derived" => k.ints.rank(k.ints.ranks.len()),
        "scalar" => k.ints.scalar(k.ints.scalars.len()),
        // Slots of the stages come before; their number is not known yet.
        "assert" => slot,
        _ => return Err(format!("`{word}` is nothing that `ints` has")),
    };
    if slot != expected {
        return Err(format!("expected the slot {expected}, found {slot}"));
    }
    match word.as_str() {
        "scalar" => k.ints.scalars.push(name),
        "assert" => k.ints.asserts.push(name),
        _ => {
            k.ints.ranks.push((name, word == "extent"));
            k.sources.push(source(c)?);
        }
    }
    Ok(())
}

fn source(c: &mut Cursor) -> Result<RankSource, String> {
    let word = c.name()?;
    Ok(match word.as_str() {
        "from" => RankSource::Dim { tensor: index(c)?, dim: index(c)? },
        "given" => RankSource::Given,
        "const" => RankSource::Const(c.int()?),
        "computed" => RankSource::Derived,
        _ => return Err(format!("`{word}` is no source of an extent")),
    })
}
