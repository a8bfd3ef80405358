//! The table of systems: every paper of the lists is a row or out of scope, every row names a kernel that expresses it and
//! what verifies the kernel, and the page `compiler/lib/SYSTEMS.md` says exactly what the table and the compiler say.
//!
//! `systems.json` holds papers by list and number. `EINATTN_BLESS=1` writes the page.

use einattn_tests::systems::{Check, page, systems, table};
use std::collections::BTreeMap;
use std::path::Path;

/// Every number of every list occurs once.
#[test]
fn papers() {
    let table = table().expect("a table");
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let ids = table.systems.iter().flat_map(|s| &s.ids).chain(table.out_of_scope.iter().map(|(id, _)| id));
    // `002#89/Linformer` is an operator that paper 89 names.
    ids.filter(|id| !id.contains('/')).for_each(|id| *seen.entry(id.clone()).or_default() += 1);
    let wanted = table.papers.iter().flat_map(|(list, n)| (1..=*n).map(move |i| format!("{list}#{i}")));
    let mut wrong: Vec<String> = wanted.filter(|id| seen.remove(id) != Some(1)).collect();
    wrong.extend(seen.into_keys());
    assert!(wrong.is_empty(), "not in the table once: {wrong:?}");
}

/// Kernels exist with the params that rows set, and what verifies them exists.
#[test]
fn rows() {
    let all = systems().expect("kernels and checks");
    let mut wrong = vec![];
    for s in &all {
        if s.check == Check::Missing {
            wrong.push(format!("{}: nothing verifies `{}`", s.row.name, s.row.kernel));
        }
        if let Err(e) = s.instance() {
            wrong.push(format!("{}: {e}", s.row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all.len() > 220, "{} systems", all.len());
}

#[test]
fn the_page_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compiler/lib/SYSTEMS.md");
    let text = page().expect("a page");
    if std::env::var_os("EINATTN_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the page can be written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let changed = text.lines().zip(stored.lines()).find(|(new, old)| new != old);
    assert!(
        text == stored,
        "compiler/lib/SYSTEMS.md is not what the compiler says; EINATTN_BLESS=1 writes it\n{changed:?}"
    );
}
