//! Schedules of the source: which entries are read, by which targets, and what they choose.
//!
//! Two entries are read today for CPU targets, `split_kv RANK = ELEMENTS;` and `chunk RANK = ELEMENTS;`. Guarantees that every entry is read, warned
//! about, or an error; a schedule changes speed, never results.

use crate::cascade::{Cascade, Origin};
use crate::diag::{Code, Diagnostic, SpanTable, SrcSpan};
use crate::syntax::ast::{SchedStmt, Schedule};

/// What a rank is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// `split_kv`: spans of a streamed rank that run in parallel.
    Spans,
    /// `chunk`: steps of a recurrence that are taken together; one generation a chunk leaves it as it is.
    Chunks,
}

impl Cut {
    /// Every cut with its word.
    const ALL: [(Cut, &'static str); 2] = [(Cut::Spans, "split_kv"), (Cut::Chunks, "chunk")];

    /// The cut that a word of a schedule asks for.
    pub fn of(word: &str) -> Option<Cut> {
        Cut::ALL.iter().find(|(_, w)| *w == word).map(|(c, _)| *c)
    }
}

/// `split_kv M = 1024;` or `chunk T = 64;`: a rank cut into pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// What the pieces are.
    pub cut: Cut,
    /// Target of the schedule.
    pub target: String,
    /// The rank.
    pub rank: String,
    /// Elements of a piece.
    pub size: i64,
    /// The entry.
    pub origin: Origin,
}

/// Names that a schedule may give as its target, from the general to the particular.
const TARGETS: [&str; 7] = ["any", "cpu", "rust", "cranelift", "gpu", "ptx", "wgsl"];

/// The splits that hold for a target: its own come before those for `cpu` or `gpu`, and those before `any`.
pub fn for_target(splits: &[Split], target: &str) -> Vec<Split> {
    let mut out: Vec<Split> = vec![];
    let family = if matches!(target, "ptx" | "wgsl") { "gpu" } else { "cpu" };
    for level in [target, family, "any"] {
        for s in splits.iter().filter(|s| s.target == level) {
            if !out.iter().any(|o| o.rank == s.rank && o.cut == s.cut) {
                out.push(s.clone());
            }
        }
    }
    out
}

/// Reads the schedules of a kernel; what is wrong with their entries is reported.
pub fn read(
    schedules: &[Schedule],
    kernel: &Cascade,
    spans: &mut SpanTable,
    diags: &mut Vec<Diagnostic>,
) -> Vec<Split> {
    let mut out: Vec<Split> = vec![];
    for (s, stmt) in schedules.iter().flat_map(|s| s.stmts.iter().map(move |stmt| (s, stmt))) {
        if why_unread(s, stmt).is_some() {
            continue;
        }
        match split(&s.target.name, stmt, kernel, spans) {
            Err(d) => diags.push(*d),
            Ok(new) => match out.iter().find(|o| (&o.target, &o.rank, o.cut) == (&new.target, &new.rank, new.cut)) {
                None => out.push(new),
                Some(first) => {
                    let message = format!("rank `{}` is split twice on `{}`", new.rank, new.target);
                    let d = Diagnostic::error(Code::SCHEDULE, stmt.span, message);
                    diags.push(d.label(spans.get(first.origin.span), "first here"));
                }
            },
        }
    }
    out
}

/// Warnings about the entries that nothing reads, and about schedules for targets that do not exist.
pub fn unread(schedules: &[Schedule]) -> Vec<Diagnostic> {
    let entries = schedules.iter().flat_map(|s| s.stmts.iter().map(move |stmt| (s, stmt)));
    let entries = entries.filter_map(|(s, stmt)| {
        let why = why_unread(s, stmt)?;
        let message = format!("`{}` changes nothing: {why}", text(stmt));
        Some(Diagnostic::warning(Code::SCHEDULE, stmt.span, message))
    });
    let empty = schedules.iter().filter(|s| s.stmts.is_empty()).map(|s| {
        let message = format!("this schedule for `{}` is empty", s.kernel.name);
        Diagnostic::warning(Code::SCHEDULE, s.kernel.span.to(s.target.span), message)
    });
    entries.chain(empty).collect()
}

/// Why nothing reads an entry, as the end of a sentence.
fn why_unread(s: &Schedule, stmt: &SchedStmt) -> Option<String> {
    let target = s.target.name.as_str();
    if !TARGETS.contains(&target) {
        return Some(format!("no target `{target}` reads schedules; those that do are {}", TARGETS.join(", ")));
    }
    if Cut::of(&stmt.word.name).is_none() {
        return Some(format!("no target reads `{}` yet", stmt.word.name));
    }
    let automatic = stmt.tokens.last().is_some_and(|(t, _)| t == "auto");
    automatic.then(|| "`auto` is not chosen yet, only numbers are read".to_string())
}

fn text(stmt: &SchedStmt) -> String {
    let words = stmt.tokens.iter().map(|(t, _)| t.as_str());
    std::iter::once(stmt.word.name.as_str()).chain(words).collect::<Vec<_>>().join(" ")
}

/// `split_kv RANK = ELEMENTS` or `chunk RANK = ELEMENTS`.
fn split(target: &str, stmt: &SchedStmt, kernel: &Cascade, spans: &mut SpanTable) -> Result<Split, Box<Diagnostic>> {
    let error = |span: SrcSpan, message: String| Box::new(Diagnostic::error(Code::SCHEDULE, span, message));
    let word = stmt.word.name.as_str();
    let [(rank, at), (equals, _), (size, size_at)] = &stmt.tokens[..] else { return Err(malformed(stmt)) };
    let Some(cut) = Cut::of(word) else { return Err(malformed(stmt)) };
    if equals != "=" {
        return Err(malformed(stmt));
    }
    if !kernel.ranks.iter().any(|r| r.name == *rank) {
        let names: Vec<&str> = kernel.ranks.iter().map(|r| r.name.as_str()).collect();
        let message = format!("`{word} {rank}`: `{}` has no rank `{rank}`", kernel.name);
        return Err(Box::new(error(*at, message).help(format!("its ranks are {}", names.join(", ")))));
    }
    let Some(size) = size.replace('_', "").parse().ok().filter(|n| *n >= 1) else {
        let piece = if cut == Cut::Spans { "span" } else { "chunk" };
        let message = format!("`{word} {rank} = {size}`: a {piece} is a number of elements, at least 1");
        return Err(error(*size_at, message));
    };
    let line = u32::try_from(stmt.span.start.start().line).unwrap_or_default();
    let origin = Origin { stmt: text(stmt), line, span: spans.add(stmt.span) };
    Ok(Split { cut, target: target.to_string(), rank: rank.clone(), size, origin })
}

fn malformed(stmt: &SchedStmt) -> Box<Diagnostic> {
    let d = Diagnostic::error(Code::SCHEDULE, stmt.span, format!("`{}` cannot be read", text(stmt)))
        .help(format!("write `{0} RANK = ELEMENTS;`, such as `{0} M = 1024;`", stmt.word.name));
    Box::new(d)
}
