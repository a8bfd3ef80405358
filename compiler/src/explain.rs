//! What the compiler does with a kernel, for people: the text of `attnc explain`.
//!
//! Shows the kernel as the checker understood it, how many passes that takes and why, every rewrite with its reason, and
//! the stages that come out, in the terms of the source (before EXP2). A pass with repairs is shown Einsum for Einsum;
//! when a schedule splits it, so is its partition-local form. Guarantees a text for every cascade: a refused kernel is
//! explained up to the refusal.

use crate::cascade::text::var_text;
use crate::cascade::{Cascade, Node, RankId, node_text};
use crate::diag::Refusal;
use crate::driver::Options;
use crate::passes::count::{count_passes, reduced_sets};
use crate::passes::promise::stream_passes;
use crate::passes::recurrence::classes;
use crate::passes::{Ir, Level, PIPELINE, PassCx, PassError, Run, apply, to_stream_with};
use crate::schedule::Cut;
use crate::stream::{self, Form, Stream};
use crate::target::{Caps, CpuCaps};
use std::fmt::Write;

/// Explains one member of a kernel; the refusals of the passes come with the text.
pub fn explain(c: &Cascade, options: &Options) -> (String, Vec<Refusal>) {
    let cx = options.context(c, Caps::Cpu(CpuCaps::PORTABLE));
    let mut out = title(c);
    section(&mut out, "As written", &nodes(c));
    section(&mut out, "Passes as written", &naive_passes(c));
    let recurrences = recurrences(c);
    if !recurrences.is_empty() {
        section(&mut out, "Recurrences", &recurrences);
    }
    let (rewritten, notes, end) = run_pipeline(c, &cx);
    section(&mut out, "Rewrites", &notes);
    let plain = PassCx { base2: false, ..cx };
    match (end, to_stream_with(c, &plain)) {
        (Ok(()), Ok(s)) => {
            section(&mut out, "Stages", &lines(&stages(c, &s, &plain)));
            section(&mut out, "Passes of the stages", &final_passes(&s));
            (out, vec![])
        }
        (end, plain) => {
            section(&mut out, "After the rewrites", &nodes(&rewritten));
            let refusals = plain.err().or(end.map_err(PassError::refusals).err());
            (out, refusals.unwrap_or_default())
        }
    }
}

/// The states with the classes of their updates.
fn recurrences(c: &Cascade) -> Vec<String> {
    classes(c).into_iter().map(|(t, class)| format!("{}: {}", c.tensor(t).name, class.describe())).collect()
}

/// The stages, and the cascades that their passes are. What is split is shown as it was before, too.
fn stages(c: &Cascade, s: &Stream, cx: &PassCx) -> String {
    let (spans, chunks): (Vec<_>, Vec<_>) = cx.splits.iter().cloned().partition(|s| s.cut == Cut::Spans);
    if spans.is_empty() {
        return stream::explain(s, &[Form::Online]);
    }
    let whole = to_stream_with(c, &PassCx { splits: chunks, ..cx.clone() });
    let forms = whole.map_or(String::new(), |whole| stream::cascades(&whole, &[Form::Online, Form::Split]));
    stream::explain(s, &[]) + &forms
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(String::from).collect()
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

/// The pipeline up to L2 as far as it goes: the last cascade, what its passes report, and why it ended.
fn run_pipeline(c: &Cascade, cx: &PassCx) -> (Cascade, Vec<String>, Result<(), PassError>) {
    let (mut last, mut ir, mut notes) = (c.clone(), Ir::Cascade(c.clone()), vec![]);
    for pass in PIPELINE.iter().filter(|p| p.run.gives() <= Level::Stream) {
        match apply(pass, ir, cx) {
            Ok((next, report)) => {
                ir = next;
                if !matches!(pass.run, Run::Stages(_)) {
                    notes.extend(report.notes);
                }
            }
            Err(e) => return (last, notes, Err(e)),
        }
        if let Ir::Cascade(c) = &ir {
            last = c.clone();
        }
    }
    (last, notes, Ok(()))
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

#[cfg(test)]
mod tests {
    use super::explain;
    use crate::check::{Options, check};
    use crate::driver;
    use crate::syntax::parse_str;

    const SRC: &str = "kernel k {
        rank P, M, E = 64;
        in Q: f32[P, E];
        in K: f32[M, E];
        out O: f32[P, E];
        let S[p,m]: f32 = sum[e](Q[p,e] * K[m,e]) where m <= p;
        O[p,e] = sum[m](softmax[m](S[p,m]) * K[m,e]);
    }";

    fn explained(schedule: &str) -> String {
        let (checked, diags) = check(&parse_str(&format!("{SRC} {schedule}")).0, &Options::default());
        assert!(diags.is_empty(), "{diags:?}");
        let kernel = &checked.kernels[0];
        let (text, refusals) = explain(&kernel.members[0], &driver::Options::scheduled(kernel, "rust"));
        assert!(refusals.is_empty(), "{refusals:?}");
        text
    }

    #[track_caller]
    fn contains(text: &str, expected: &[&str]) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for e in expected {
            assert!(lines.contains(e), "`{e}` is missing in\n{text}");
        }
    }

    #[test]
    fn a_softmax_is_explained_from_three_passes_to_one() {
        let text = explained("");
        contains(
            &text,
            &[
                "kernel k",
                "over m: 3: N waits for G, A waits for D",
                "DEFER: 1/D moved out of sum[m] in O because it does not depend on m",
                "pass 1 over m where m <= p, state:",
                "RM[m1+1, p] = max(RM[m1, p], LM[m1, p])",
                "over m: 1",
            ],
        );
        assert!(!text.contains("Independent blocks"), "{text}");
    }

    #[test]
    fn a_split_kernel_shows_its_partition_local_cascade() {
        let text = explained("schedule k on cpu { split_kv M = 8; }");
        contains(
            &text,
            &[
                "SPLIT: rank `M` in spans of 8",
                "SD[p] = sum[m1] SLD[m1, p] * PLM[m1, p]",
                "RM[m1+1, p] = max(RM[m1, p], LM[m1, p])",
                "GM[p] = max[m1] LM[m1, p]",
                "PLM[m1, p] = if LM[m1, p] > -inf { exp(LM[m1, p] - GM[p]) } else { 1.0 }",
            ],
        );
        assert!(text.contains("Stage 2 computes"), "{text}");
    }
}
