//! Explains a stream to its author: stages, state monoids, loop nests, and the cascade that the fused pass is.

use super::tiled::{Form, tiled};
use super::{Acc, Pass, Repair, Scan, Stage, Stream};
use crate::cascade::text::{expr_text, tensor_text, var_text};
use crate::cascade::{Cascade, Expr, Node, NodeId, OutIdx, RankId, TensorKind, node_text};
use crate::passes::brief;
use std::fmt::Write;

/// Block size in the printed cascades; they name it, so the number matters to execution only.
const BLOCK: i64 = 4;

/// The explanation of a whole kernel. `forms` says which algorithms are printed Einsum for Einsum.
pub fn explain(s: &Stream, forms: &[Form]) -> String {
    let mut out = String::new();
    for (i, g) in s.stages.iter().enumerate() {
        put_stage(&mut out, &s.cascade, i, g);
    }
    out + &cascades(s, forms)
}

/// The cascades that passes with repairs are, Einsum for Einsum.
pub fn cascades(s: &Stream, forms: &[Form]) -> String {
    let mut out = String::new();
    for (i, g) in s.stages.iter().enumerate() {
        for (k, p) in g.passes.iter().enumerate().filter(|(_, p)| p.accs.iter().any(|a| a.repair.is_some())) {
            for form in forms {
                if let Some(c) = tiled(s, i, k, BLOCK, *form) {
                    let m = vars(&s.cascade, &p.over);
                    _ = writeln!(out, "{} over `{m}` in stage `{}`:", title(*form), g.name);
                    out.push_str(&einsums(&c));
                }
            }
        }
    }
    out
}

fn title(f: Form) -> &'static str {
    match f {
        Form::Online => "One pass, block by block,",
        Form::Split => "Independent blocks, combined,",
    }
}

fn put_stage(out: &mut String, c: &Cascade, i: usize, g: &Stage) {
    let stores: Vec<String> = g.stored().map(|n| tensor_text(c, c.nodes[n.index()].out)).collect();
    _ = writeln!(out, "Stage {} computes {} at every point of [{}].", i + 1, stores.join(", "), vars(c, &g.grid));
    for (k, p) in g.passes.iter().enumerate() {
        put_pass(out, c, k, p);
    }
    if let Some(scan) = &g.scan {
        put_scan(out, c, scan);
    }
    for n in &g.stores {
        let n = &c.nodes[n.index()];
        _ = writeln!(out, "  finalize  {} = {}{}", left(c, n), expr_text(c, &n.body), source(n));
    }
    put_loops(out, c, g);
}

fn put_scan(out: &mut String, c: &Cascade, s: &Scan) {
    let way = if s.reverse { " backwards" } else { "" };
    _ = writeln!(out, "  scan over {}{way}, state:", var_text(c, s.rank));
    let mut line = |word: &str, n: NodeId| {
        let n = &c.nodes[n.index()];
        _ = writeln!(out, "    {word}{}{}", node_text(c, &Node { origin: Default::default(), ..n.clone() }), source(n));
    };
    s.carries.iter().for_each(|k| line("init  ", k.init));
    s.carries.iter().for_each(|k| line("step  ", k.step));
    s.stores.iter().for_each(|n| line("store ", *n));
}

fn put_pass(out: &mut String, c: &Cascade, k: usize, p: &Pass) {
    let domain: Vec<String> = p.domain.iter().map(|e| expr_text(c, e)).collect();
    let domain = if domain.is_empty() { String::new() } else { format!(" where {}", domain.join(" and ")) };
    _ = writeln!(out, "  pass {} over {}{domain}, state:", k + 1, vars(c, &p.over));
    for a in &p.accs {
        let n = &c.nodes[a.node.index()];
        let op = n.reduce.as_ref().map_or("", |r| r.op.name());
        let role = role(c, p, a);
        _ = writeln!(out, "    {} = {op} of {}{role}{}", left(c, n), brief(c, &n.body), source(n));
    }
}

fn role(c: &Cascade, p: &Pass, a: &Acc) -> String {
    let out = c.nodes[a.node.index()].out;
    let init = a.init.as_ref().map_or(String::new(), |e| format!(", starts at {}", brief(c, e)));
    let drives = p.accs.iter().any(|b| b.repair.as_ref().is_some_and(|r| r.expr().reads().contains(&out)));
    let repair = match &a.repair {
        None if drives => ", driver".to_string(),
        None => String::new(),
        Some(Repair::MulExp { base2, w }) => {
            let f = if *base2 { "exp2" } else { "exp" };
            format!(", multiplied by {f} of the change of {} when the drivers move", brief(c, w))
        }
        Some(Repair::MulRatio { v }) => format!(", multiplied by the ratio of new to old {}", brief(c, v)),
        Some(Repair::Add { delta }) => format!(", moved by the change of {}", brief(c, delta)),
    };
    format!("{repair}{init}")
}

fn put_loops(out: &mut String, c: &Cascade, g: &Stage) {
    _ = writeln!(out, "  loops:");
    let mut depth = 2;
    let mut line = |depth: usize, text: String| _ = writeln!(out, "{}{text}", "  ".repeat(depth));
    if !g.grid.is_empty() {
        line(depth, format!("for {} in parallel", vars(c, &g.grid)));
        depth += 1;
    }
    for p in &g.passes {
        line(depth, format!("for {}", vars(c, &p.over)));
        let names: Vec<String> = p.accs.iter().map(|a| tensor_text(c, c.nodes[a.node.index()].out)).collect();
        line(depth + 1, format!("fold {}", names.join(", ")));
    }
    let names = |nodes: &[NodeId]| -> String {
        nodes.iter().map(|n| tensor_text(c, c.nodes[n.index()].out)).collect::<Vec<_>>().join(", ")
    };
    if let Some(scan) = &g.scan {
        line(depth, format!("for {} in order", var_text(c, scan.rank)));
        line(depth + 1, format!("step {}", names(&scan.carries.iter().map(|k| k.step).collect::<Vec<_>>())));
        if !scan.stores.is_empty() {
            line(depth + 1, format!("store {}", names(&scan.stores)));
        }
    }
    if !g.stores.is_empty() {
        line(depth, format!("store {}", names(&g.stores)));
    }
}

fn source(n: &Node) -> String {
    match (n.origin.stmt.as_str(), n.origin.line) {
        ("", _) => String::new(),
        (stmt, 0) => format!("   ({stmt})"),
        (stmt, line) => format!("   ({stmt}, line {line})"),
    }
}

fn left(c: &Cascade, n: &Node) -> String {
    format!("{}[{}]", tensor_text(c, n.out), vars(c, &n.out_ranks()))
}

fn vars(c: &Cascade, ranks: &[RankId]) -> String {
    ranks.iter().map(|r| var_text(c, *r)).collect::<Vec<_>>().join(", ")
}

/// The Einsums of a tiled cascade in two groups, initialisation first.
pub fn einsums(c: &Cascade) -> String {
    let inputs = |e: &Expr| e.reads().iter().all(|t| matches!(c.tensor(*t).kind, TensorKind::In | TensorKind::Table));
    let starts = |n: &&Node| {
        n.vars.iter().any(|v| matches!(v, OutIdx::At(_)))
            || n.reduce.is_none() && inputs(&n.body) && c.tensor(n.out).kind == TensorKind::Let
    };
    let mut out = String::new();
    let (first, rest): (Vec<&Node>, Vec<&Node>) = c.nodes.iter().partition(starts);
    for (title, nodes) in [("Initialization", first), ("Extended Einsums", rest)] {
        if !nodes.is_empty() {
            _ = writeln!(out, "  {title}:");
        }
        for n in nodes {
            let text = node_text(c, &Node { origin: Default::default(), ..n.clone() });
            _ = writeln!(out, "    {}", text.replace(" acc f32", "").replace("[at 0", "[0").replace(" at 0", " 0"));
        }
    }
    if let Some(r) = c.ranks.iter().find(|r| r.iter) {
        _ = writeln!(out, "  until {} >= {}", r.name.to_lowercase(), r.name);
    }
    out
}
