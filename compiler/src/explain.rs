//! What the compiler does with a kernel, for people: the text of `attnc explain`.
//!
//! Shows the kernel as the checker understood it, how many passes that takes and why, every rewrite with its reason, and
//! the stages that come out. Guarantees a text for every cascade: a refused kernel is explained up to the refusal.

use crate::cascade::text::{expr_text, var_text};
use crate::cascade::{Cascade, Node, RankId, node_text};
use crate::diag::Refusal;
use crate::passes::count::{count_passes, reduced_sets};
use crate::passes::promise::stream_passes;
use crate::passes::{Ir, PIPELINE, PassCx, PassError, Run, apply};
use crate::stream::{Acc, Pass, Repair, Stage, Stream};
use std::fmt::Write;

/// Explains one member of a kernel; the refusals of the passes come with the text.
pub fn explain(c: &Cascade) -> (String, Vec<Refusal>) {
    let mut out = title(c);
    section(&mut out, "As written", &nodes(c));
    section(&mut out, "Passes as written", &naive_passes(c));
    let (ir, notes, end) = run_pipeline(c);
    section(&mut out, "Rewrites", &notes);
    let refusals = match end {
        Ok(()) => vec![],
        Err(PassError::Refused(refusals)) => refusals,
        Err(other) => {
            section(&mut out, "Stopped", &[other.to_string()]);
            vec![]
        }
    };
    match &ir {
        Ir::Cascade(c) => section(&mut out, "After the rewrites", &nodes(c)),
        Ir::Stream(s) => {
            section(&mut out, "Stages", &stages(s));
            section(&mut out, "Passes of the stages", &final_passes(s));
        }
    }
    (out, refusals)
}

fn title(c: &Cascade) -> String {
    let mut out = format!("kernel {}", c.name);
    for (i, (name, value)) in c.spec.iter().enumerate() {
        _ = write!(out, "{} {name} = {value}", if i == 0 { " with" } else { "," });
    }
    out.push('\n');
    c.docs.iter().for_each(|d| _ = writeln!(out, "   {d}"));
    out
}

fn section(out: &mut String, title: &str, lines: &[String]) {
    _ = writeln!(out, "\n{title}");
    if lines.is_empty() {
        out.push_str("    none\n");
    }
    lines.iter().for_each(|l| _ = writeln!(out, "    {l}"));
}

/// The pipeline as far as it goes, with what its passes report.
fn run_pipeline(c: &Cascade) -> (Ir, Vec<String>, Result<(), PassError>) {
    let cx = PassCx::of(c);
    let mut ir = Ir::Cascade(c.clone());
    let mut notes = vec![];
    for pass in PIPELINE {
        match apply(pass, ir.clone(), &cx) {
            Ok((next, report)) => {
                ir = next;
                if !matches!(pass.run, Run::Stages(_)) {
                    notes.extend(report.notes);
                }
            }
            Err(e) => return (ir, notes, Err(e)),
        }
    }
    (ir, notes, Ok(()))
}

fn nodes(c: &Cascade) -> Vec<String> {
    c.nodes.iter().map(|n| node(c, n)).collect()
}

/// A node without its origin; the line of its statement stands first.
fn node(c: &Cascade, n: &Node) -> String {
    let bare = Node { origin: Default::default(), ..n.clone() };
    let line = if n.origin.line == 0 { String::new() } else { format!("{}:", n.origin.line) };
    format!("{line:<5}{}", node_text(c, &bare))
}

fn vars(c: &Cascade, ranks: &[RankId]) -> String {
    ranks.iter().map(|r| var_text(c, *r)).collect::<Vec<_>>().join(", ")
}

fn naive_passes(c: &Cascade) -> Vec<String> {
    let name = |i: usize| &c.tensor(c.nodes[i].out).name;
    let mut out = vec![];
    for ranks in reduced_sets(c) {
        let count = count_passes(c, &ranks);
        let waits =
            count.barriers.iter().map(|(value, reader)| format!("{} waits for {}", name(*reader), name(*value)));
        out.push(passes_line(c, &ranks, count.passes, waits.collect()));
    }
    out
}

fn final_passes(s: &Stream) -> Vec<String> {
    let c = &s.cascade;
    let name = |t| &c.tensor(t).name;
    let mut out = vec![];
    for ranks in reduced_sets(c) {
        let (passes, barriers) = stream_passes(s, &ranks);
        let waits = barriers.iter().map(|b| format!("{} waits for {}", name(b.reader), name(b.value)));
        out.push(passes_line(c, &ranks, passes, waits.collect()));
    }
    out
}

fn passes_line(c: &Cascade, ranks: &[RankId], passes: usize, waits: Vec<String>) -> String {
    let why = if waits.is_empty() { String::new() } else { format!(": {}", waits.join(", ")) };
    match passes {
        0 => format!("over {}: none of its own, inside every point that needs it", vars(c, ranks)),
        _ => format!("over {}: {passes}{why}", vars(c, ranks)),
    }
}

fn stages(s: &Stream) -> Vec<String> {
    s.stages.iter().flat_map(|stage| stage_lines(&s.cascade, stage)).collect()
}

fn stage_lines(c: &Cascade, stage: &Stage) -> Vec<String> {
    let mut out = vec![format!("stage {} for every {}", stage.name, vars(c, &stage.grid))];
    for p in &stage.passes {
        out.push(format!("  pass over {}{}", vars(c, &p.over), domain(c, p)));
        out.extend(p.accs.iter().map(|a| format!("    {}", acc(c, a))));
    }
    out.extend(stage.stores.iter().map(|n| format!("  store {}", node(c, &c.nodes[n.index()]).trim_start())));
    out
}

fn domain(c: &Cascade, p: &Pass) -> String {
    let conjuncts: Vec<String> = p.domain.iter().map(|e| expr_text(c, e)).collect();
    if conjuncts.is_empty() { String::new() } else { format!(" where {}", conjuncts.join(" && ")) }
}

fn acc(c: &Cascade, a: &Acc) -> String {
    let n = &c.nodes[a.node.index()];
    let op = n.reduce.as_ref().map_or("", |r| r.op.name());
    let mut out = format!("{} = {op} {}", c.tensor(n.out).name, expr_text(c, &n.body));
    if let Some(r) = &a.repair {
        let (how, e) = match r {
            Repair::MulExp { base2: false, w } => ("times exp of the change of", w),
            Repair::MulExp { base2: true, w } => ("times exp2 of the change of", w),
            Repair::MulRatio { v } => ("times the ratio of", v),
            Repair::Add { delta } => ("plus the change of", delta),
        };
        _ = write!(out, "    repaired {how} {}", expr_text(c, e));
    }
    if let Some(init) = &a.init {
        _ = write!(out, "    from {}", expr_text(c, init));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::explain;
    use crate::check::{Options, check};
    use crate::syntax::parse_str;

    const SRC: &str = "kernel k {
        rank P, M, E = 64;
        in Q: f32[P, E];
        in K: f32[M, E];
        out O: f32[P, E];
        let S[p,m]: f32 = sum[e](Q[p,e] * K[m,e]) where m <= p;
        O[p,e] = sum[m](softmax[m](S[p,m]) * K[m,e]);
    }";

    #[test]
    fn a_softmax_is_explained_from_three_passes_to_one() {
        let (checked, _) = check(&parse_str(SRC).0, &Options::default());
        let (text, refusals) = explain(&checked.kernels[0].members[0]);
        assert!(refusals.is_empty());
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for expected in [
            "kernel k",
            "over m: 3: N waits for G, A waits for D",
            "DEFER: 1/D moved out of sum[m] in O because it does not depend on m",
            "pass over m where m <= p",
            "over m: 1",
        ] {
            assert!(lines.contains(&expected), "`{expected}` is missing in\n{text}");
        }
    }
}
