//! Runs vectors on targets and prints the table `vector × target`.

use super::case::{Case, Plan};
use super::judge::{compare, naive_bound};
use super::{Answer, Launch, Target};
use einattn_compiler::interp::Tensors;
use std::fmt;

/// What came of one vector on one target.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Accepted, with the largest relative error of its outputs.
    Accepted(f64),
    /// Refused by the target, with its reason.
    Refused(String),
    /// Wrong or broken, with what is wrong.
    Failed(String),
    /// Out of scope, with the reason.
    OutOfScope(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Accepted(rel) => write!(f, "ok {rel:.1e}"),
            Outcome::Refused(why) => write!(f, "refused: {why}"),
            Outcome::Failed(why) => write!(f, "FAILED: {why}"),
            Outcome::OutOfScope(why) => write!(f, "out of scope: {why}"),
        }
    }
}

/// The rows of a table: vectors in order, one outcome a target.
#[derive(Debug, Default)]
pub struct Report {
    /// Columns.
    pub targets: Vec<String>,
    /// Rows.
    pub rows: Vec<(String, Vec<Outcome>)>,
}

impl Report {
    /// What is wrong, broken or refused, one line each.
    pub fn complaints(&self) -> Vec<String> {
        let bad = |o: &Outcome| !matches!(o, Outcome::Accepted(_) | Outcome::OutOfScope(_));
        let outcomes = self.rows.iter().flat_map(|(name, outs)| self.targets.iter().zip(outs).map(move |o| (name, o)));
        let wrong = outcomes.filter(|(_, (_, o))| bad(o));
        wrong.map(|(name, (target, o))| format!("{name} on {target}: {o}")).collect()
    }

    fn count(&self, target: usize, kind: impl Fn(&Outcome) -> bool) -> usize {
        self.rows.iter().filter(|(_, outs)| kind(&outs[target])).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outs) in &self.rows {
            write!(f, "{name:48}")?;
            for (target, out) in self.targets.iter().zip(outs) {
                write!(f, " {target} {out}")?;
            }
            writeln!(f)?;
        }
        for (i, target) in self.targets.iter().enumerate() {
            let accepted = self.count(i, |o| matches!(o, Outcome::Accepted(_)));
            let refused = self.count(i, |o| matches!(o, Outcome::Refused(_)));
            let failed = self.count(i, |o| matches!(o, Outcome::Failed(_)));
            let out = self.count(i, |o| matches!(o, Outcome::OutOfScope(_)));
            let all = self.rows.len();
            writeln!(
                f,
                "{target}: {all} vectors, {accepted} accepted, {refused} refused, {failed} failed, {out} out of scope"
            )?;
        }
        Ok(())
    }
}

/// Runs every case on every target, the floats of the kernels in `dtype`.
pub fn run(cases: &[Case], targets: &[&dyn Target], dtype: &str) -> Report {
    let targets_of = |case: &Case| (case.name.clone(), outcomes(case, targets, dtype));
    let names = targets.iter().map(|t| format!("{} {dtype}", t.name())).collect();
    Report { targets: names, rows: cases.iter().map(targets_of).collect() }
}

fn outcomes(case: &Case, targets: &[&dyn Target], dtype: &str) -> Vec<Outcome> {
    let all = |o: Outcome| targets.iter().map(|_| o.clone()).collect();
    match &case.plan {
        Plan::OutOfScope(why) => return all(Outcome::OutOfScope(why.clone())),
        Plan::Missing => return all(Outcome::Failed("no kernel in the library".to_string())),
        Plan::Kernel { .. } => {}
    }
    let prepared = case.tensors().and_then(|t| Ok((case.kernel(&t, dtype)?, t)));
    match prepared {
        Err(why) => all(Outcome::Failed(why)),
        Ok((launch, tensors)) => targets.iter().map(|t| outcome(case, &launch, &tensors, *t, dtype)).collect(),
    }
}

fn outcome(case: &Case, launch: &Launch, tensors: &Tensors, target: &dyn Target, dtype: &str) -> Outcome {
    match target.run(launch) {
        Answer::Ran(got) => judge_under(case, tensors, &got, dtype, |naive| target.bound(naive)),
        Answer::Refused(why) => Outcome::Refused(why),
        Answer::Broken(why) => Outcome::Failed(why),
    }
}

/// What the outputs of a compiled target are worth.
pub fn judge(case: &Case, tensors: &Tensors, got: &Tensors, dtype: &str) -> Outcome {
    judge_under(case, tensors, got, dtype, naive_bound)
}

fn judge_under(case: &Case, tensors: &Tensors, got: &Tensors, dtype: &str, bound: impl Fn(f64) -> f64) -> Outcome {
    let mut worst = 0f64;
    for (key, reference) in tensors {
        let Some(name) = key.strip_prefix("out.") else { continue };
        let Some(value) = got.get(name) else { return Outcome::Failed(format!("output `{name}` is missing")) };
        let verdict = compare(value, reference);
        let bound = bound(case.naive(dtype, name));
        if !verdict.accepted(bound) {
            let why = verdict.defect.unwrap_or_else(|| format!("{:.2e} > {bound:.2e}", verdict.rel));
            return Outcome::Failed(format!("`{name}`: {why}"));
        }
        worst = worst.max(verdict.rel);
    }
    Outcome::Accepted(worst)
}
