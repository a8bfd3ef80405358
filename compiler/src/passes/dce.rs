//! DCE: nodes from which no output is reached are dropped, and with them their tensors.

use super::util::retain_tensors;
use super::{Pass, PassCx, Report, Run};
use crate::cascade::{Cascade, TensorKind};
use crate::diag::Refusal;

/// The pass.
pub(super) static PASS: Pass = Pass {
    name: "dce",
    summary: "drop nodes from which no output is reached",
    post: "every node is an output or is read on the way to one",
    run: Run::Cascade(run),
};

fn run(c: &mut Cascade, _: &PassCx) -> Result<Report, Vec<Refusal>> {
    let live = live_tensors(c);
    let mut report = Report::default();
    c.nodes.retain(|n| {
        let note = format!("DCE: {} dropped because no output needs it", c.tensors[n.out.index()].name);
        if !live[n.out.index()] && !report.notes.contains(&note) {
            report.note(note);
        }
        live[n.out.index()]
    });
    let keep: Vec<bool> = c
        .tensors
        .iter()
        .zip(&live)
        .map(|(t, live)| *live || !matches!(t.kind, TensorKind::Let | TensorKind::Table))
        .collect();
    retain_tensors(c, &keep);
    Ok(report)
}

/// Outputs and what they read, transitively. A recurrence reads itself, so this is a fixed point, not one sweep.
fn live_tensors(c: &Cascade) -> Vec<bool> {
    let mut live: Vec<bool> = c.tensors.iter().map(|t| matches!(t.kind, TensorKind::Out | TensorKind::InOut)).collect();
    loop {
        let mut grown = false;
        for n in c.nodes.iter().rev().filter(|n| live[n.out.index()]).collect::<Vec<_>>() {
            for t in n.exprs().flat_map(|e| e.reads()) {
                grown |= !std::mem::replace(&mut live[t.index()], true);
            }
        }
        if !grown {
            return live;
        }
    }
}
