//! The systems of the papers that the language is measured by, from `systems.json`: the kernel that expresses each, what
//! verifies the kernel, and what the compiler does with it.

mod page;
mod status;

pub use page::page;

use crate::oracle;
use crate::vectors::library_kernel;
use einattn_compiler::cascade::Cascade;
use einattn_compiler::check::{Options, check};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// One system.
#[derive(Clone, Debug)]
pub struct Row {
    /// Papers: list and number.
    pub ids: Vec<String>,
    /// What it is called.
    pub name: String,
    /// Kernel of the library.
    pub kernel: String,
    /// Params and extents that make the kernel this system.
    pub set: BTreeMap<String, String>,
    /// The test vector that verifies the kernel, if one does.
    pub vector: Option<String>,
    /// A construct that the language lacks, if a part of the system needs it.
    pub lacks: Option<String>,
    /// A remark.
    pub note: Option<String>,
}

/// `systems.json`.
#[derive(Clone, Debug)]
pub struct Table {
    /// Lists with their numbers of papers.
    pub papers: Vec<(String, usize)>,
    /// Systems in scope.
    pub systems: Vec<Row>,
    /// Papers without an operator to express, with the reason.
    pub out_of_scope: Vec<(String, String)>,
}

/// What verifies a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// A test vector.
    Vector(String),
    /// A reference of [`oracle`].
    Reference,
    /// Nothing.
    Missing,
}

/// A row with what verifies it.
#[derive(Clone, Debug)]
pub struct System {
    /// The row.
    pub row: Row,
    /// What verifies its kernel.
    pub check: Check,
    /// File of the library that holds the kernel, without its ending.
    pub family: &'static str,
}

fn text(json: &Json, key: &str) -> Option<String> {
    json[key].as_str().map(str::to_string)
}

fn row(json: &Json) -> Result<Row, String> {
    let need = |key: &str| text(json, key).ok_or_else(|| format!("a row without `{key}`: {json}"));
    let ids = json["ids"].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_string);
    let set = json["set"].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.to_string()));
    Ok(Row {
        ids: ids.collect(),
        name: need("name")?,
        kernel: need("kernel")?,
        set: set.collect(),
        vector: text(json, "vector"),
        lacks: text(json, "lacks"),
        note: text(json, "note"),
    })
}

/// Reads the table.
pub fn table() -> Result<Table, String> {
    let json: Json = serde_json::from_str(include_str!("../../systems.json")).map_err(|e| e.to_string())?;
    let object = |key: &str| json[key].as_object().into_iter().flatten();
    let papers = object("papers").map(|(list, n)| (list.clone(), n.as_u64().unwrap_or(0) as usize));
    let out = object("out_of_scope").map(|(id, why)| (id.clone(), why.as_str().unwrap_or_default().to_string()));
    Ok(Table {
        papers: papers.collect(),
        systems: json["systems"].as_array().into_iter().flatten().map(row).collect::<Result<_, _>>()?,
        out_of_scope: out.collect(),
    })
}

/// The vectors that are instances of a kernel, by kernel.
pub fn vectors() -> Result<BTreeMap<String, Vec<String>>, String> {
    let plans: Json = serde_json::from_str(include_str!("../../vectors.json")).map_err(|e| e.to_string())?;
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (vector, plan) in plans.as_object().into_iter().flatten() {
        if let Some(kernel) = plan["kernel"].as_str() {
            out.entry(kernel.to_string()).or_default().push(vector.clone());
        }
    }
    Ok(out)
}

/// What verifies a kernel: the vector that is asked for, else a reference.
pub fn check_of(kernel: &str, vector: Option<&str>, vectors: &BTreeMap<String, Vec<String>>) -> Check {
    let all = vectors.get(kernel).map(Vec::as_slice).unwrap_or_default();
    match vector {
        Some(v) if all.iter().any(|a| a == v) => Check::Vector(v.to_string()),
        Some(_) => Check::Missing,
        None if oracle::cases().any(|c| c.kernel == kernel) => Check::Reference,
        None => Check::Missing,
    }
}

/// The systems in scope.
pub fn systems() -> Result<Vec<System>, String> {
    let vectors = vectors()?;
    let system = |row: Row| {
        let family = status::family(&row.kernel).ok_or_else(|| format!("there is no kernel `{}`", row.kernel))?;
        let check = check_of(&row.kernel, row.vector.as_deref(), &vectors);
        Ok(System { row, check, family })
    };
    table()?.systems.into_iter().map(system).collect()
}

impl System {
    /// The kernel with the row's params, its floats in f32.
    pub fn instance(&self) -> Result<Cascade, String> {
        instance(&self.row.kernel, &self.row.set)
    }
}

/// The first member of a kernel of the library; the file must check without a warning.
pub fn instance(kernel: &str, set: &BTreeMap<String, String>) -> Result<Cascade, String> {
    let (file, _) = library_kernel(kernel).ok_or_else(|| format!("there is no kernel `{kernel}`"))?;
    let (checked, diags) = check(&file, &Options { set: set.clone().into_iter().collect() });
    if let Some(d) = diags.first() {
        return Err(format!("`{kernel}`: [{}] {}", d.code.0, d.message));
    }
    let members = checked.kernels.into_iter().flat_map(|k| k.members);
    members.into_iter().next().ok_or_else(|| format!("`{kernel}` has no member"))
}
