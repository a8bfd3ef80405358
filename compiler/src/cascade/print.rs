//! The textual form of the cascade IR: one line a declaration, one line a node.
//!
//! ```text
//! /// documentation
//! cascade mha_causal
//! attrs strict
//! spec W = "4096"
//! rank B free
//! rank E const 64
//! rank M derived (T + 1) iter
//! scalar cap f32
//! in Q bf16 [B, H, P, E] nonpositive range(0, M - 1)
//! out O bf16 [B, H, P, F] empty -inf
//! let S f32 [B, H, P, M]
//! S[b, h, p, m] = sum[e] acc f32 Q[b, h, p, e] * K[b, h, m, e] fold (e <= p) dom (m <= p) ; S line 7 span 3
//! assert passes(M) == 1
//! assert holds (H % G == 0) text "H % G == 0"
//! ```
//!
//! Left indices are rank variables, `t+1` (the state after step t), `prev t` (reverse scans) and `at e`
//! (a fixed generation). Everything that equals its default is left out. `parse(print(c)) == c` for verified cascades.

use super::text::{expr_text, exprs_text, float_text, name_text, quote, rank_text, scalar_text, tensor_text, var_text};
use super::{Assert, Attrs, Cascade, Extent, Facts, Node, Origin, OutIdx, Rank, Reduce, Tensor, TensorKind};
use std::fmt::Write;

/// The text of a cascade.
pub fn print(c: &Cascade) -> String {
    let mut out = String::new();
    for d in &c.docs {
        _ = writeln!(out, "///{d}");
    }
    _ = writeln!(out, "cascade {}", name_text(&c.name));
    out.push_str(&attrs(&c.attrs));
    for (k, v) in &c.spec {
        _ = writeln!(out, "spec {} = {}", name_text(k), quote(v));
    }
    for r in &c.ranks {
        _ = writeln!(out, "{}", rank(c, r));
    }
    for s in 0..c.scalars.len() {
        let id = super::ScalarId(s as u32);
        _ = writeln!(out, "scalar {} {}", scalar_text(c, id), c.scalars[s].dtype);
    }
    for t in &c.tensors {
        _ = writeln!(out, "{}", tensor(c, t));
    }
    for n in &c.nodes {
        _ = writeln!(out, "{}", node_text(c, n));
    }
    for a in &c.asserts {
        _ = writeln!(out, "{}", assert(c, a));
    }
    out
}

fn attrs(a: &Attrs) -> String {
    let words = [
        (a.strict, " strict"),
        (!a.deterministic, " nondeterministic"),
        (a.operands_f32, " operands_f32"),
        (a.expand, " expand"),
    ];
    let text: String = words.iter().filter(|(on, _)| *on).map(|(_, w)| *w).collect();
    if text.is_empty() { text } else { format!("attrs{text}\n") }
}

fn rank(c: &Cascade, r: &Rank) -> String {
    let extent = match &r.extent {
        Extent::Const(n) => format!("const {n}"),
        Extent::Free => "free".to_string(),
        Extent::Derived(e) => format!("derived ({})", expr_text(c, e)),
    };
    format!("rank {} {extent}{}", name_text(&r.name), if r.iter { " iter" } else { "" })
}

/// The keyword of a tensor's role.
pub(crate) fn kind_word(k: TensorKind) -> &'static str {
    match k {
        TensorKind::In => "in",
        TensorKind::Out => "out",
        TensorKind::InOut => "inout",
        TensorKind::Let => "let",
        TensorKind::Table => "table",
    }
}

fn tensor(c: &Cascade, t: &Tensor) -> String {
    let mut out = format!("{} {} {} [{}]", kind_word(t.kind), name_text(&t.name), t.dtype, exprs_text(c, &t.dims));
    out.push_str(&facts(c, &t.facts));
    if t.empty.to_bits() != 0 {
        _ = write!(out, " empty {}", float_text(t.empty));
    }
    if let Some(values) = &t.table {
        let values: Vec<_> = values.iter().map(|x| float_text(*x)).collect();
        _ = write!(out, " values [{}]", values.join(", "));
    }
    out
}

fn facts(c: &Cascade, f: &Facts) -> String {
    let mut out = String::new();
    for (on, word) in [
        (f.sorted, " sorted"),
        (f.nonpositive, " nonpositive"),
        (f.nonnegative, " nonnegative"),
        (f.unit_norm, " unit_norm"),
    ] {
        out.push_str(if on { word } else { "" });
    }
    if let Some((lo, hi)) = &f.range {
        _ = write!(out, " range({}, {})", expr_text(c, lo), expr_text(c, hi));
    }
    out
}

/// The line of one node, as it stands in the text of its cascade.
pub fn node_text(c: &Cascade, n: &Node) -> String {
    let vars: Vec<_> = n.vars.iter().map(|v| out_idx(c, v)).collect();
    let mut out = format!("{}[{}] = ", tensor_text(c, n.out), vars.join(", "));
    if let Some(r) = &n.reduce {
        out.push_str(&reduce(c, r));
    }
    out.push_str(&expr_text(c, &n.body));
    for (word, conjuncts) in [("fold", &n.fold), ("dom", &n.dom)] {
        if !conjuncts.is_empty() {
            _ = write!(out, " {word}");
        }
        for e in conjuncts {
            _ = write!(out, " ({})", expr_text(c, e));
        }
    }
    out.push_str(&origin(&n.origin));
    out
}

fn out_idx(c: &Cascade, v: &OutIdx) -> String {
    match v {
        OutIdx::Var(r) => var_text(c, *r),
        OutIdx::Next(r) => format!("{}+1", var_text(c, *r)),
        OutIdx::Prev(r) => format!("prev {}", var_text(c, *r)),
        OutIdx::At(e) => format!("at {}", expr_text(c, e)),
    }
}

fn reduce(c: &Cascade, r: &Reduce) -> String {
    let over: Vec<_> = r.over.iter().map(|r| var_text(c, *r)).collect();
    let slot = r.slot.map_or(String::new(), |s| format!(" slot {}", var_text(c, s)));
    format!("{}[{}] acc {}{slot} ", r.op.name(), over.join(", "), r.acc)
}

fn origin(o: &Origin) -> String {
    if *o == Origin::default() {
        return String::new();
    }
    let mut out = format!(" ; {}", name_text(&o.stmt));
    if o.line != 0 {
        _ = write!(out, " line {}", o.line);
    }
    if o.span != u32::MAX {
        _ = write!(out, " span {}", o.span);
    }
    out
}

fn assert(c: &Cascade, a: &Assert) -> String {
    match a {
        Assert::Passes { ranks, passes, origin: o } => {
            let ranks: Vec<_> = ranks.iter().map(|r| rank_text(c, *r)).collect();
            format!("assert passes({}) == {passes}{}", ranks.join(", "), origin(o))
        }
        Assert::Holds { pred, text, origin: o } => {
            format!("assert holds ({}) text {}{}", expr_text(c, pred), quote(text), origin(o))
        }
    }
}
