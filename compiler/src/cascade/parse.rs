//! Reads the textual form of the cascade IR (see `print.rs` for the grammar by example).
//!
//! Names are resolved after all declarations are known, so an extent may mention a later rank. Assumes nothing about
//! the text: every error names its line. Guarantees only well-formedness of the text; `verify` judges the meaning.

use super::print::kind_word;
use super::text::{Cursor, Tok, parse_expr, parse_rank, parse_tensor, parse_var};
use super::{
    Assert, Attrs, Cascade, Expr, Extent, Facts, Node, Origin, OutIdx, Rank, Reduce, Scalar, Tensor, TensorKind,
};
use crate::types::{DType, RedOp};

/// Reads a cascade; an error is `line: message`.
pub fn parse(text: &str) -> Result<Cascade, String> {
    let mut c = empty();
    each_line(text, |line, cur| declare(&mut c, line, cur))?;
    each_line(text, |line, cur| define(&mut c, line, cur))?;
    if c.name.is_empty() {
        return Err("1: no `cascade NAME` line".to_string());
    }
    Ok(c)
}

fn empty() -> Cascade {
    Cascade {
        name: String::new(),
        docs: vec![],
        ranks: vec![],
        scalars: vec![],
        tensors: vec![],
        nodes: vec![],
        asserts: vec![],
        attrs: Attrs::default(),
        spec: vec![],
    }
}

fn each_line(text: &str, mut f: impl FnMut(&str, &mut Cursor) -> Result<(), String>) -> Result<(), String> {
    for (i, line) in text.lines().enumerate() {
        let doc = line.starts_with("///");
        let parsed = Cursor::new(if doc { "" } else { line }).and_then(|mut cur| f(line, &mut cur));
        parsed.map_err(|m| format!("{}: {m}", i + 1))?;
    }
    Ok(())
}

fn kind_of(cur: &Cursor) -> Option<TensorKind> {
    [TensorKind::In, TensorKind::Out, TensorKind::InOut, TensorKind::Let, TensorKind::Table]
        .into_iter()
        .find(|k| cur.is(kind_word(*k)))
}

/// True if the line is `T[..] = ..`: any word may be a tensor's name there.
fn is_node(cur: &Cursor) -> bool {
    cur.is_ahead(1, "[")
}

/// First reading: names and everything that mentions none.
fn declare(c: &mut Cascade, line: &str, cur: &mut Cursor) -> Result<(), String> {
    if let Some(doc) = line.strip_prefix("///") {
        c.docs.push(doc.to_string());
    } else if cur.at_end() || is_node(cur) || cur.is("assert") {
    } else if cur.eat("cascade") {
        c.name = cur.name()?;
        cur.end()?;
    } else if cur.eat("attrs") {
        attrs(cur, &mut c.attrs)?;
    } else if cur.eat("spec") {
        let key = cur.name()?;
        cur.expect("=")?;
        c.spec.push((key, string(cur)?));
        cur.end()?;
    } else if cur.eat("rank") {
        c.ranks.push(Rank { name: cur.name()?, extent: Extent::Free, iter: false });
    } else if cur.eat("scalar") {
        c.scalars.push(Scalar { name: cur.name()?, dtype: cur.dtype()? });
        cur.end()?;
    } else if let Some(kind) = kind_of(cur) {
        cur.expect(kind_word(kind))?;
        c.tensors.push(tensor(cur.name()?, cur.dtype()?, kind));
    } else {
        return Err(format!("expected a declaration or a node, found {}", cur.found()));
    }
    Ok(())
}

fn tensor(name: String, dtype: DType, kind: TensorKind) -> Tensor {
    Tensor { name, dtype, dims: vec![], kind, empty: 0.0, facts: Facts::default(), table: None }
}

fn attrs(cur: &mut Cursor, a: &mut Attrs) -> Result<(), String> {
    while !cur.at_end() {
        let word = cur.name()?;
        match word.as_str() {
            "strict" => a.strict = true,
            "nondeterministic" => a.deterministic = false,
            "operands_f32" => a.operands_f32 = true,
            "expand" => a.expand = true,
            _ => return Err(format!("`{word}` is no attribute")),
        }
    }
    Ok(())
}

fn string(cur: &mut Cursor) -> Result<String, String> {
    match cur.peek(0) {
        Some(Tok::Str(_)) => cur.name(),
        _ => Err(format!("expected a string, found {}", cur.found())),
    }
}

/// Second reading: everything that mentions names.
fn define(c: &mut Cascade, _line: &str, cur: &mut Cursor) -> Result<(), String> {
    if cur.at_end() {
        return Ok(());
    }
    if is_node(cur) {
        let n = parse_node(cur, c)?;
        c.nodes.push(n);
    } else if cur.eat("rank") {
        rank(c, cur)?;
    } else if let Some(kind) = kind_of(cur) {
        cur.expect(kind_word(kind))?;
        tensor_rest(c, cur)?;
    } else if cur.eat("assert") {
        let a = assert(cur, c)?;
        c.asserts.push(a);
    } else {
        // The first reading took the whole line.
        return Ok(());
    }
    cur.end()
}

fn rank(c: &mut Cascade, cur: &mut Cursor) -> Result<(), String> {
    let id = parse_rank(cur, c)?;
    let extent = if cur.eat("free") {
        Extent::Free
    } else if cur.eat("const") {
        Extent::Const(cur.int()?)
    } else {
        cur.expect("derived")?;
        Extent::Derived(parenthesised(cur, c)?)
    };
    c.ranks[id.index()].extent = extent;
    c.ranks[id.index()].iter = cur.eat("iter");
    Ok(())
}

fn parenthesised(cur: &mut Cursor, c: &Cascade) -> Result<Expr, String> {
    cur.expect("(")?;
    let e = parse_expr(cur, c)?;
    cur.expect(")")?;
    Ok(e)
}

fn tensor_rest(c: &mut Cascade, cur: &mut Cursor) -> Result<(), String> {
    let id = parse_tensor(cur, c)?;
    cur.dtype()?;
    cur.expect("[")?;
    let dims = cur.list("]", |cur| parse_expr(cur, c))?;
    let mut t = Tensor { dims, ..c.tensor(id).clone() };
    while !cur.at_end() {
        let word = cur.name()?;
        match word.as_str() {
            "sorted" => t.facts.sorted = true,
            "nonpositive" => t.facts.nonpositive = true,
            "nonnegative" => t.facts.nonnegative = true,
            "unit_norm" => t.facts.unit_norm = true,
            "range" => t.facts.range = Some(range(cur, c)?),
            "empty" => t.empty = cur.float()?,
            "values" => {
                cur.expect("[")?;
                t.table = Some(cur.list("]", Cursor::float)?);
            }
            _ => return Err(format!("`{word}` is no property of a tensor")),
        }
    }
    c.tensors[id.index()] = t;
    Ok(())
}

fn range(cur: &mut Cursor, c: &Cascade) -> Result<(Expr, Expr), String> {
    cur.expect("(")?;
    let lo = parse_expr(cur, c)?;
    cur.expect(",")?;
    let hi = parse_expr(cur, c)?;
    cur.expect(")")?;
    Ok((lo, hi))
}

/// Reads `T[..] = ..`, a line of `node_text`.
pub(crate) fn parse_node(cur: &mut Cursor, c: &Cascade) -> Result<Node, String> {
    let out = parse_tensor(cur, c)?;
    cur.expect("[")?;
    let vars = cur.list("]", |cur| out_idx(cur, c))?;
    cur.expect("=")?;
    let reduce = reduce(cur, c)?;
    let body = parse_expr(cur, c)?;
    let fold = conjuncts(cur, c, "fold")?;
    let dom = conjuncts(cur, c, "dom")?;
    Ok(Node { out, vars, reduce, body, fold, dom, origin: origin(cur)? })
}

fn out_idx(cur: &mut Cursor, c: &Cascade) -> Result<OutIdx, String> {
    if cur.eat("at") {
        return Ok(OutIdx::At(parse_expr(cur, c)?));
    }
    if cur.eat("prev") {
        return Ok(OutIdx::Prev(parse_var(cur, c)?));
    }
    let r = parse_var(cur, c)?;
    if !cur.eat("+") {
        return Ok(OutIdx::Var(r));
    }
    match cur.int()? {
        1 => Ok(OutIdx::Next(r)),
        n => Err(format!("a left index is `t+1`, not `t+{n}`")),
    }
}

/// `op[ranks] acc type [slot j]`; a tensor of the same name has no `acc` behind its index.
fn reduce(cur: &mut Cursor, c: &Cascade) -> Result<Option<Reduce>, String> {
    let start = cur.pos();
    let op = match cur.peek(0) {
        Some(Tok::Ident(s)) if cur.is_ahead(1, "[") => RedOp::from_name(s),
        _ => None,
    };
    let Some(op) = op else { return Ok(None) };
    cur.name()?;
    cur.expect("[")?;
    let over = cur.list("]", |cur| parse_var(cur, c));
    if over.is_err() || !cur.eat("acc") {
        cur.rewind(start);
        return Ok(None);
    }
    let acc = cur.dtype()?;
    let slot = if cur.eat("slot") { Some(parse_var(cur, c)?) } else { None };
    Ok(Some(Reduce { op, over: over?, acc, slot }))
}

fn conjuncts(cur: &mut Cursor, c: &Cascade, word: &str) -> Result<Vec<Expr>, String> {
    let mut out = vec![];
    if cur.eat(word) {
        while cur.is("(") {
            out.push(parenthesised(cur, c)?);
        }
    }
    Ok(out)
}

fn origin(cur: &mut Cursor) -> Result<Origin, String> {
    if !cur.eat(";") {
        return Ok(Origin::default());
    }
    let stmt = cur.name()?;
    let line = if cur.eat("line") { unsigned(cur)? } else { 0 };
    let span = if cur.eat("span") { unsigned(cur)? } else { u32::MAX };
    Ok(Origin { stmt, line, span })
}

fn unsigned<T: TryFrom<i64>>(cur: &mut Cursor) -> Result<T, String> {
    let i = cur.int()?;
    T::try_from(i).map_err(|_| format!("`{i}` is out of range"))
}

fn assert(cur: &mut Cursor, c: &Cascade) -> Result<Assert, String> {
    if cur.eat("passes") {
        cur.expect("(")?;
        let ranks = cur.list(")", |cur| parse_rank(cur, c))?;
        cur.expect("==")?;
        let passes = unsigned(cur)?;
        return Ok(Assert::Passes { ranks, passes, origin: origin(cur)? });
    }
    cur.expect("holds")?;
    let pred = parenthesised(cur, c)?;
    cur.expect("text")?;
    let text = string(cur)?;
    Ok(Assert::Holds { pred, text, origin: origin(cur)? })
}
