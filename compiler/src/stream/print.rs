//! The textual form of the stream IR: the text of its cascade, then places and stages.
//!
//! ```text
//! cascade softmax
//! ..
//! place G state
//! stage O grid [b, h, p]
//! pass [m] where (m <= p)
//! acc G
//! acc D repair exp (-G[b, h, p])
//! acc NV repair exp2 (-G[b, h, p]) init (1.0)
//! store O
//! stage Y grid [b, f]
//! scan t reverse
//! carry S
//! step Y
//! store SF
//! ```
//!
//! A line belongs to the last `stage`, `pass` and `scan` above it. Repairs are `exp`, `exp2`, `ratio` and `add`. Tensors that
//! are in memory by their role have no `place` line. `parse(print(s)) == s` for verified streams.

use super::{Acc, Pass, Place, Repair, Scan, Stage, Stream};
use crate::cascade::text::{expr_text, name_text, tensor_text, var_text};
use crate::cascade::{self, Cascade, Expr, NodeId, RankId, TensorKind};
use std::fmt::Write;

/// The text of a stream.
pub fn print(s: &Stream) -> String {
    let mut out = cascade::print(&s.cascade);
    for (t, place) in s.cascade.tensors.iter().zip(&s.places) {
        if *place != default_place(t.kind) {
            _ = writeln!(out, "place {} {}", name_text(&t.name), place_word(*place));
        }
    }
    s.stages.iter().for_each(|stage| put_stage(&mut out, &s.cascade, stage));
    out
}

/// The place of a tensor that has no `place` line.
pub(super) fn default_place(kind: TensorKind) -> Place {
    match kind {
        TensorKind::In | TensorKind::Out | TensorKind::InOut | TensorKind::Table => Place::Memory,
        TensorKind::Let => Place::Inline,
    }
}

/// The keyword of a place.
pub(super) fn place_word(p: Place) -> &'static str {
    match p {
        Place::Memory => "memory",
        Place::State => "state",
        Place::Inline => "inline",
        Place::Dead => "dead",
    }
}

fn put_stage(out: &mut String, c: &Cascade, s: &Stage) {
    _ = writeln!(out, "stage {} grid [{}]", name_text(&s.name), vars(c, &s.grid));
    for p in &s.passes {
        put_pass(out, c, p);
    }
    if let Some(scan) = &s.scan {
        put_scan(out, c, scan);
    }
    for n in &s.stores {
        _ = writeln!(out, "store {}", defined(c, *n));
    }
}

fn put_pass(out: &mut String, c: &Cascade, p: &Pass) {
    _ = write!(out, "pass [{}]", vars(c, &p.over));
    if !p.domain.is_empty() {
        _ = write!(out, " where");
    }
    for e in &p.domain {
        _ = write!(out, " ({})", expr_text(c, e));
    }
    out.push('\n');
    for a in &p.accs {
        put_acc(out, c, a);
    }
}

fn put_scan(out: &mut String, c: &Cascade, s: &Scan) {
    _ = writeln!(out, "scan {}{}", var_text(c, s.rank), if s.reverse { " reverse" } else { "" });
    for carry in &s.carries {
        _ = writeln!(out, "carry {}", defined(c, carry.step));
    }
    for n in &s.stores {
        _ = writeln!(out, "step {}", defined(c, *n));
    }
}

fn put_acc(out: &mut String, c: &Cascade, a: &Acc) {
    _ = write!(out, "acc {}", defined(c, a.node));
    if let Some(r) = &a.repair {
        _ = write!(out, " repair {} ({})", repair_word(r), expr_text(c, r.expr()));
    }
    if let Some(e) = &a.init {
        _ = write!(out, " init ({})", expr_text(c, e));
    }
    out.push('\n');
}

/// The keyword of a repair.
pub(super) fn repair_word(r: &Repair) -> &'static str {
    match r {
        Repair::MulExp { base2: false, .. } => "exp",
        Repair::MulExp { base2: true, .. } => "exp2",
        Repair::MulRatio { .. } => "ratio",
        Repair::Add { .. } => "add",
    }
}

/// The repair with this keyword.
pub(super) fn repair_of(word: &str, e: Expr) -> Option<Repair> {
    Some(match word {
        "exp" => Repair::MulExp { base2: false, w: e },
        "exp2" => Repair::MulExp { base2: true, w: e },
        "ratio" => Repair::MulRatio { v: e },
        "add" => Repair::Add { delta: e },
        _ => return None,
    })
}

fn defined(c: &Cascade, n: NodeId) -> String {
    c.nodes.get(n.index()).map_or_else(|| format!("node_{}", n.0), |n| tensor_text(c, n.out))
}

fn vars(c: &Cascade, ranks: &[RankId]) -> String {
    ranks.iter().map(|r| var_text(c, *r)).collect::<Vec<_>>().join(", ")
}
