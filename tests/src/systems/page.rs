//! `compiler/lib/SYSTEMS.md`.

use super::status::{Status, kernels, status};
use super::{Check, System, check_of, instance, systems, table, vectors};
use crate::oracle::WRONG_ON_CPUS;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write;

const HEAD: &str = "# Systems

The operators of the papers that this language is measured by, and what the compiler does with them today.
This page is generated (`EINATTN_BLESS=1 cargo test -p einattn-tests --test systems`) from `tests/systems.json`, the library and the compiler,
and a test fails if it is not true. Papers are given by list and number; where several papers describe one operator, they share a row.

A system is *verified* if its kernel reproduces a test vector, or agrees with a reference that was written as plain loops from the paper's
equations (`tests/src/oracle`). What verifies a kernel runs on the reference interpreter. `cpu`: the kernel lowers to the lane code that the
`rust` and `cranelift` targets emit; what is refused is refused by name; `wrong` is a known defect. `-`: there is no such target yet.

";

/// A kernel with the params of a row.
type Key = (String, BTreeMap<String, String>);

struct Facts {
    systems: Vec<System>,
    vectors: BTreeMap<String, Vec<String>>,
    status: BTreeMap<Key, Status>,
}

/// The text of the page.
pub fn page() -> Result<String, String> {
    let mut facts = Facts { systems: systems()?, vectors: vectors()?, status: BTreeMap::new() };
    let rows = facts.systems.iter().map(|s| (s.row.kernel.clone(), s.row.set.clone()));
    let all: Vec<Key> = rows.chain(kernels().into_iter().map(|(_, k)| (k, BTreeMap::new()))).collect();
    for key in all {
        if let Entry::Vacant(new) = facts.status.entry(key) {
            let (kernel, set) = new.key();
            let s = status(&instance(kernel, set)?);
            new.insert(s);
        }
    }
    let mut out = HEAD.to_string();
    facts.summary(&mut out).and_then(|()| facts.families(&mut out)).map_err(|e| e.to_string())?;
    facts.rows(&mut out).and_then(|()| facts.lacking(&mut out)).map_err(|e| e.to_string())?;
    facts.kernel_table(&mut out).map_err(|e| e.to_string())?;
    out_of_scope(&mut out)?;
    Ok(out)
}

fn out_of_scope(out: &mut String) -> Result<(), String> {
    let table = table()?;
    let text = table.out_of_scope.iter().map(|(id, why)| format!("- {id}: {why}\n")).collect::<String>();
    *out += &format!("\n## Out of scope: {} papers\n\n{text}", table.out_of_scope.len());
    Ok(())
}

fn count<T>(of: &[T], is: impl Fn(&T) -> bool) -> usize {
    of.iter().filter(|x| is(x)).count()
}

impl Facts {
    fn status(&self, s: &System) -> &Status {
        &self.status[&(s.row.kernel.clone(), s.row.set.clone())]
    }

    fn compiles(&self, s: &System) -> bool {
        self.status(s).refusal.is_none()
    }

    fn summary(&self, out: &mut String) -> std::fmt::Result {
        let all = &self.systems;
        let papers: usize = all.iter().map(|s| s.row.ids.len()).sum();
        let vector = count(all, |s| matches!(s.check, Check::Vector(_)));
        let reference = count(all, |s| s.check == Check::Reference);
        writeln!(out, "| | systems |\n|---|---|")?;
        writeln!(out, "| in scope ({papers} entries of the lists) | {} |", all.len())?;
        writeln!(out, "| verified by a test vector | {vector} |")?;
        writeln!(out, "| verified by a reference from the paper's equations | {reference} |")?;
        writeln!(out, "| expressed, not yet verified | {} |", all.len() - vector - reference)?;
        writeln!(out, "| a part needs a construct that is lacking | {} |", count(all, |s| s.row.lacks.is_some()))?;
        writeln!(out, "| compile for CPUs | {} |", count(all, |s| self.compiles(s)))?;
        writeln!(out, "| refused for CPUs, by name | {} |\n", count(all, |s| !self.compiles(s)))
    }

    fn family_names(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = kernels().into_iter().map(|(f, _)| f).collect();
        names.dedup();
        names
    }

    fn families(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "## Families\n")?;
        writeln!(out, "| family | systems | kernels | verified kernels | kernels for CPUs |\n|---|---|---|---|---|")?;
        for f in self.family_names() {
            let systems = count(&self.systems, |s| s.family == f);
            let kernels: Vec<String> = kernels().into_iter().filter(|(x, _)| *x == f).map(|(_, k)| k).collect();
            let verified = count(&kernels, |k| self.checks(k) != "-");
            let cpu = count(&kernels, |k| self.status[&(k.clone(), BTreeMap::new())].refusal.is_none());
            writeln!(out, "| `{f}` | {systems} | {} | {verified} | {cpu} |", kernels.len())?;
        }
        writeln!(out)
    }

    fn rows(&self, out: &mut String) -> std::fmt::Result {
        for f in self.family_names() {
            let rows: Vec<&System> = self.systems.iter().filter(|s| s.family == f).collect();
            if rows.is_empty() {
                continue;
            }
            writeln!(out, "## Systems of `{f}`\n")?;
            writeln!(out, "| system | papers | kernel | verified by | interp | cpu | wgsl | ptx | remark |")?;
            writeln!(out, "|---|---|---|---|---|---|---|---|---|")?;
            rows.into_iter().try_for_each(|s| self.row(s, out))?;
            writeln!(out)?;
        }
        Ok(())
    }

    fn row(&self, s: &System, out: &mut String) -> std::fmt::Result {
        let set: String = s.row.set.iter().map(|(k, v)| format!(" {k}={v}")).collect();
        let (by, interp) = match &s.check {
            Check::Vector(v) => (format!("vector `{v}`"), "yes"),
            Check::Reference => ("reference".to_string(), "yes"),
            Check::Missing => ("-".to_string(), "not verified"),
        };
        let cpu = match self.compiles(s) {
            true if WRONG_ON_CPUS.contains(&s.row.kernel.as_str()) => "wrong",
            true => "yes",
            false => "refused",
        };
        let lacks = s.row.lacks.as_ref().map(|l| format!("lacks {l}"));
        let remark: Vec<String> = s.row.note.iter().cloned().chain(lacks).collect();
        let (name, ids, kernel) = (&s.row.name, s.row.ids.join(" "), &s.row.kernel);
        writeln!(out, "| {name} | {ids} | `{kernel}`{set} | {by} | {interp} | {cpu} | - | - | {} |", remark.join("; "))
    }

    fn lacking(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "## What the language cannot say yet\n")?;
        let mut by_construct: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for s in &self.systems {
            if let Some(l) = &s.row.lacks {
                by_construct.entry(l).or_default().push(&s.row.name);
            }
        }
        for (construct, names) in by_construct {
            writeln!(out, "- {construct} ({})", names.join(", "))?;
        }
        Ok(())
    }

    /// What verifies a kernel, in short.
    fn checks(&self, kernel: &str) -> String {
        let vectors = self.vectors.get(kernel).map_or(0, Vec::len);
        let reference = check_of(kernel, None, &self.vectors) == Check::Reference;
        match (vectors, reference) {
            (0, false) => "-".to_string(),
            (0, true) => "reference".to_string(),
            (1, false) => "1 vector".to_string(),
            (n, false) => format!("{n} vectors"),
            (n, true) => format!("{n} vectors, reference"),
        }
    }

    fn kernel_table(&self, out: &mut String) -> std::fmt::Result {
        let all = kernels();
        let unverified: Vec<&str> =
            all.iter().filter(|(_, k)| self.checks(k) == "-").map(|(_, k)| k.as_str()).collect();
        let names = if unverified.is_empty() { String::new() } else { format!(" ({})", unverified.join(", ")) };
        writeln!(out, "\n## Kernels\n\n{} kernels; nothing verifies {} of them{names}.", all.len(), unverified.len())?;
        writeln!(out, "`passes`: how often a kernel's stages go over the ranks that they stream.\n")?;
        writeln!(out, "| kernel | family | verified by | passes | cpu |\n|---|---|---|---|---|")?;
        for (family, kernel) in all {
            let s = &self.status[&(kernel.clone(), BTreeMap::new())];
            let accepted = if WRONG_ON_CPUS.contains(&kernel.as_str()) { "wrong" } else { "yes" };
            let cpu = s.refusal.clone().unwrap_or_else(|| accepted.to_string()).replace('|', "\\|");
            writeln!(out, "| `{kernel}` | {family} | {} | {} | {cpu} |", self.checks(&kernel), s.passes)?;
        }
        Ok(())
    }
}
