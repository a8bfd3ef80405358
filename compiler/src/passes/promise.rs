//! Checks `assert passes(M) == n` against the fused stream, and says what stands in the way.

use super::brief::{brief_of_source, source_name};
use super::fuse::Blocked;
use super::stages::Defs;
use super::terms::Poly;
use crate::cascade::{Assert, Cascade, Expr, Node, Origin, RankId, TensorId, TensorKind};
use crate::diag::{Code, Refusal};
use crate::stream::{Place, Stream};
use crate::types::RedOp;

/// A complete value that a later traversal needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Barrier {
    /// What is complete.
    pub value: TensorId,
    /// Who reads it.
    pub reader: TensorId,
    /// Number of the pass that starts there.
    pub pass: usize,
}

/// Passes over `ranks` that the stages make, with the barriers between them.
pub fn stream_passes(s: &Stream, ranks: &[RankId]) -> (usize, Vec<Barrier>) {
    let d = Defs::new(&s.cascade);
    let mut levels: Vec<Level> = vec![Level::default(); s.cascade.tensors.len()];
    let mut barriers = vec![];
    for stage in &s.stages {
        for p in &stage.passes {
            for a in &p.accs {
                let n = &s.cascade.nodes[a.node.index()];
                let here: Vec<TensorId> = p.accs.iter().map(|a| s.cascade.nodes[a.node.index()].out).collect();
                let follows = |t: TensorId| a.repair.is_some() && here.contains(&t);
                levels[n.out.index()] = level(s, &d, n, ranks, &levels, &follows, &mut barriers);
            }
        }
        for id in &stage.stores {
            let n = &s.cascade.nodes[id.index()];
            levels[n.out.index()] = level(s, &d, n, ranks, &levels, &|_| false, &mut barriers);
        }
    }
    let passes = levels.iter().filter(|l| l.iterates).map(|l| l.passes).max().unwrap_or(0);
    (passes, barriers)
}

#[derive(Clone, Copy, Default)]
struct Level {
    passes: usize,
    /// The node has a point for every element of the ranks.
    iterates: bool,
    /// It keeps the ranks.
    keeps: bool,
    /// A reduction over the ranks is below it.
    depends: bool,
}

fn level(
    s: &Stream,
    d: &Defs,
    n: &Node,
    ranks: &[RankId],
    levels: &[Level],
    follows: &dyn Fn(TensorId) -> bool,
    barriers: &mut Vec<Barrier>,
) -> Level {
    let touches = |have: &[RankId]| have.iter().any(|r| ranks.contains(r));
    let (keeps, reduces) = (touches(&n.out_ranks()), touches(n.reduced()));
    let mut out = Level { passes: 0, iterates: keeps || reduces, keeps, depends: reduces };
    out.passes = usize::from(out.iterates);
    let mut deps = vec![];
    n.exprs().for_each(|e| sources(s, d, e, &mut deps));
    for t in deps {
        let l = levels[t.index()];
        let waits = out.iterates && l.depends && !l.keeps && !follows(t);
        let passes = l.passes + usize::from(waits);
        if waits {
            barriers.push(Barrier { value: t, reader: n.out, pass: passes });
        }
        out.passes = out.passes.max(passes);
        out.depends |= l.depends;
    }
    out
}

/// Accumulators and workspace that an expression reads, through inline nodes.
fn sources(s: &Stream, d: &Defs, e: &Expr, out: &mut Vec<TensorId>) {
    for t in e.reads() {
        match (s.place(t), d.local(t)) {
            (Place::Inline, Some(n)) => n.exprs().for_each(|e| sources(s, d, e, out)),
            (_, Some(_)) if !out.contains(&t) => out.push(t),
            _ => {}
        }
    }
}

/// Checks all promises about passes.
pub(super) fn check(s: &Stream, blocked: &[Blocked]) -> Vec<Refusal> {
    let mut out = vec![];
    for a in &s.cascade.asserts {
        let Assert::Passes { ranks, passes, origin } = a else { continue };
        let (have, barriers) = stream_passes(s, ranks);
        if have > *passes {
            out.push(too_many(s, ranks, (*passes, have), origin, &barriers, blocked));
        } else if have < *passes {
            let text = format!("{} fails: the kernel needs {}", promise(&s.cascade, ranks, *passes), count(have));
            let mut r = Refusal::new(Code::PASS, origin, text);
            r.help = Some(format!("promise {}", count(have)));
            out.push(r);
        }
    }
    out
}

fn count(n: usize) -> String {
    if n == 1 { "1 pass".to_string() } else { format!("{n} passes") }
}

fn promise(c: &Cascade, ranks: &[RankId], n: usize) -> String {
    let names: Vec<&str> = ranks.iter().map(|r| c.ranks[r.index()].name.as_str()).collect();
    format!("`assert passes({}) == {n}`", names.join(", "))
}

fn too_many(
    s: &Stream,
    ranks: &[RankId],
    (want, have): (usize, usize),
    origin: &Origin,
    barriers: &[Barrier],
    blocked: &[Blocked],
) -> Refusal {
    let c = &s.cascade;
    let head = format!("{} fails: the kernel needs {}", promise(c, ranks, want), count(have));
    let over = |b: &&Blocked| c.def(b.reduction).is_some_and(|n| n.reduced().iter().any(|r| ranks.contains(r)));
    let mut r = match (blocked.iter().find(over), escape(c, barriers, have)) {
        (Some(b), _) => blame(c, &head, b),
        (None, Some(t)) => {
            let rank = ranks.first().map_or("", |r| c.ranks[r.index()].name.as_str());
            let text = format!(
                "{head}: output `{}` keeps rank {rank}, so the row statistics must be complete before it is written",
                c.tensor(t).name
            );
            Refusal::new(Code::ESC, &c.def(t).map_or_else(|| origin.clone(), |n| n.origin.clone()), text)
        }
        (None, None) => Refusal::new(Code::PASS, origin, head),
    };
    for (i, b) in barriers.iter().filter(|b| b.pass > 1).enumerate() {
        let at = c.def(b.value).map_or(0, |n| n.origin.line);
        let line = if at > 0 { format!(" (line {at})") } else { String::new() };
        let (value, reader) = (source_name(c, b.value), source_name(c, b.reader));
        r.notes.push(format!(
            "barrier {}: `{value}`{line} is complete only after pass {}, and `{reader}` reads it",
            i + 1,
            b.pass - 1
        ));
    }
    r
}

/// The output that is written in the last pass because it keeps the ranks.
fn escape(c: &Cascade, barriers: &[Barrier], last: usize) -> Option<TensorId> {
    let is_output = |t: TensorId| matches!(c.tensor(t).kind, TensorKind::Out | TensorKind::InOut);
    barriers.iter().find(|b| b.pass == last && is_output(b.reader)).map(|b| b.reader)
}

fn blame(c: &Cascade, head: &str, b: &Blocked) -> Refusal {
    let name = source_name(c, b.reduction);
    let factor = b.factor.as_ref().map_or(String::new(), |e| format!("`{}` ", brief_of_source(c, e)));
    if expands(c, b) {
        let text = format!("{head}; one pass is possible by expanding {factor}in `{name}`, which can cancel");
        let mut r = Refusal::new(Code::EXPAND, &b.origin, text);
        r.help = Some("opt in with `#[expand]` if the values are centred".to_string());
        return r;
    }
    Refusal::new(Code::PASS, &b.origin, format!("{head}: {factor}in `{name}` {}", b.why))
}

/// True if every monomial of the expanded body is a streamed part times a running part.
fn expands(c: &Cascade, b: &Blocked) -> bool {
    let Some(n) = c.def(b.reduction) else { return false };
    if n.reduce.as_ref().is_none_or(|r| r.op != RedOp::Sum) {
        return false;
    }
    let runs = |e: &Expr| {
        let mut found = false;
        e.walk(&mut |x| found |= matches!(x, Expr::Read(t, _) if b.barriers.contains(t)));
        found
    };
    let streams = |e: &Expr| n.reduced().iter().any(|r| e.mentions(*r));
    let d = Defs::new(c);
    // Barriers below inline nodes are out of reach of an expansion.
    let hidden =
        n.body.reads().into_iter().any(|t| !b.barriers.contains(&t) && d.local(t).is_some_and(|m| m.exprs().any(runs)));
    let monos = Poly::of(&n.body).monos;
    !hidden && monos.len() > 1 && monos.iter().all(|m| m.atoms.iter().all(|(a, _)| !(runs(a) && streams(a))))
}
