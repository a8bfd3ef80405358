//! Reads the textual form of the stream IR (see `print.rs` for the grammar by example).
//!
//! Guarantees only well-formedness of the text; `verify` judges the meaning.

use super::print::{default_place, place_word, repair_of};
use super::{Acc, Carry, Pass, Place, Scan, Stage, Stream};
use crate::cascade::text::{Cursor, parse_expr, parse_tensor, parse_var};
use crate::cascade::{self, Cascade, Expr, NodeId, TensorId};

/// Reads a stream; an error is `line: message`.
pub fn parse(text: &str) -> Result<Stream, String> {
    let own = |line: &&str| {
        ["place ", "stage ", "pass ", "acc ", "scan ", "carry ", "step ", "store "].iter().any(|w| line.starts_with(w))
    };
    // The line of a node has its bracket right behind the name.
    // Lines of the other kind become empty, so that line numbers in messages stay right.
    let first: Vec<&str> = text.lines().map(|l| if own(&l) { "" } else { l }).collect();
    let c = cascade::parse(&first.join("\n"))?;
    let places = c.tensors.iter().map(|t| default_place(t.kind)).collect();
    let mut s = Stream { cascade: c, places, stages: vec![] };
    for (i, line) in text.lines().enumerate().filter(|(_, l)| own(l)) {
        Cursor::new(line).and_then(|mut cur| statement(&mut s, &mut cur)).map_err(|m| format!("{}: {m}", i + 1))?;
    }
    Ok(s)
}

fn statement(s: &mut Stream, cur: &mut Cursor) -> Result<(), String> {
    if cur.eat("place") {
        let t = parse_tensor(cur, &s.cascade)?;
        s.places[t.index()] = place(cur)?;
    } else if cur.eat("stage") {
        let name = cur.name()?;
        cur.expect("grid")?;
        let grid = bracketed(cur, &s.cascade)?;
        s.stages.push(Stage { name, grid, passes: vec![], scan: None, stores: vec![] });
    } else if cur.eat("pass") {
        let over = bracketed(cur, &s.cascade)?;
        let domain = domain(cur, &s.cascade)?;
        last_stage(s)?.passes.push(Pass { over, domain, accs: vec![] });
    } else if cur.eat("acc") {
        let a = acc(cur, &s.cascade)?;
        let pass = last_stage(s)?.passes.last_mut().ok_or("no `pass` line above")?;
        pass.accs.push(a);
    } else if cur.eat("scan") {
        let rank = parse_var(cur, &s.cascade)?;
        let reverse = cur.eat("reverse");
        last_stage(s)?.scan = Some(Scan { rank, reverse, carries: vec![], stores: vec![] });
    } else if cur.eat("carry") {
        let carry = carry(cur, &s.cascade)?;
        last_scan(s)?.carries.push(carry);
    } else if cur.eat("step") {
        let n = node(cur, &s.cascade)?;
        last_scan(s)?.stores.push(n);
    } else {
        cur.expect("store")?;
        let n = node(cur, &s.cascade)?;
        last_stage(s)?.stores.push(n);
    }
    cur.end()
}

fn last_stage(s: &mut Stream) -> Result<&mut Stage, String> {
    s.stages.last_mut().ok_or_else(|| "no `stage` line above".to_string())
}

fn last_scan(s: &mut Stream) -> Result<&mut Scan, String> {
    last_stage(s)?.scan.as_mut().ok_or_else(|| "no `scan` line above".to_string())
}

fn carry(cur: &mut Cursor, c: &Cascade) -> Result<Carry, String> {
    let t: TensorId = parse_tensor(cur, c)?;
    let id = |i: Option<usize>| i.map(|i| NodeId(i as u32)).ok_or(format!("`{}` has no generations", c.tensor(t).name));
    let steps = |n: &cascade::Node| n.step().is_some();
    let of = |n: &cascade::Node| n.out == t && n.is_stateful();
    let init = id(c.nodes.iter().position(|n| of(n) && !steps(n)))?;
    Ok(Carry { init, step: id(c.nodes.iter().position(|n| of(n) && steps(n)))? })
}

fn place(cur: &mut Cursor) -> Result<Place, String> {
    let word = cur.name()?;
    [Place::Memory, Place::State, Place::Inline, Place::Dead]
        .into_iter()
        .find(|p| place_word(*p) == word)
        .ok_or_else(|| format!("`{word}` is no place"))
}

fn bracketed(cur: &mut Cursor, c: &Cascade) -> Result<Vec<cascade::RankId>, String> {
    cur.expect("[")?;
    cur.list("]", |cur| parse_var(cur, c))
}

fn domain(cur: &mut Cursor, c: &Cascade) -> Result<Vec<Expr>, String> {
    let mut out = vec![];
    if cur.eat("where") {
        while cur.is("(") {
            out.push(parenthesised(cur, c)?);
        }
    }
    Ok(out)
}

fn parenthesised(cur: &mut Cursor, c: &Cascade) -> Result<Expr, String> {
    cur.expect("(")?;
    let e = parse_expr(cur, c)?;
    cur.expect(")")?;
    Ok(e)
}

fn acc(cur: &mut Cursor, c: &Cascade) -> Result<Acc, String> {
    let node = node(cur, c)?;
    let mut repair = None;
    if cur.eat("repair") {
        let word = cur.name()?;
        let e = parenthesised(cur, c)?;
        repair = Some(repair_of(&word, e).ok_or_else(|| format!("`{word}` is no repair"))?);
    }
    let init = if cur.eat("init") { Some(parenthesised(cur, c)?) } else { None };
    Ok(Acc { node, repair, init })
}

fn node(cur: &mut Cursor, c: &Cascade) -> Result<NodeId, String> {
    let t: TensorId = parse_tensor(cur, c)?;
    let i = c.nodes.iter().rposition(|n| n.out == t).ok_or_else(|| format!("`{}` has no node", c.tensor(t).name))?;
    Ok(NodeId(i as u32))
}
