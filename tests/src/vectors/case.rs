//! One vector and its library kernel.

use super::load::read_tensors;
use super::{Instance, Launch, folder};
use einattn_compiler::check::{Options, check};
use einattn_compiler::interp::{Tensors, Value};
use einattn_compiler::library;
use einattn_compiler::syntax::ast::{ExprKind, File, Item, Kernel, RankExtent, Role, StmtKind};
use einattn_compiler::syntax::parse_str;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is done with a vector.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// It is an instance of a library kernel.
    Kernel {
        /// Name.
        name: String,
        /// Params and extents.
        set: BTreeMap<String, String>,
        /// Scalars beyond those that the vector names as the kernel does.
        scalars: BTreeMap<String, f64>,
    },
    /// It is out of this version's scope, with the reason.
    OutOfScope(String),
    /// Nobody wrote a kernel yet.
    Missing,
}

/// A vector.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name.
    pub name: String,
    /// What is done with it.
    pub plan: Plan,
    /// Tensors of the file: inputs, `out.*` and what the backward pass needs.
    path: PathBuf,
    /// Entry of the index.
    index: Json,
}

/// All vectors in the order of the index.
pub fn suite() -> Result<Vec<Case>, String> {
    let folder = folder()?;
    let text = std::fs::read_to_string(folder.join("index.json")).map_err(|e| e.to_string())?;
    let index: Json = serde_json::from_str(&text).map_err(|e| format!("index.json: {e}"))?;
    let plans: Json = serde_json::from_str(include_str!("../../vectors.json")).map_err(|e| format!("plans: {e}"))?;
    let cases = index["cases"].as_array().ok_or("index.json has no cases")?;
    let case = |entry: &Json| {
        let name = entry["name"].as_str().ok_or("a case has no name")?.to_string();
        let plan = plan(&plans[&name], &entry["scalars"]).map_err(|e| format!("{name}: {e}"))?;
        let path = folder.join(format!("{name}.safetensors"));
        Ok(Case { name, plan, path, index: entry.clone() })
    };
    cases.iter().map(case).collect()
}

/// A plan as written; a text among numbers names a scalar of the vector.
fn plan(written: &Json, numbers: &Json) -> Result<Plan, String> {
    if let Some(reason) = written["out_of_scope"].as_str() {
        return Ok(Plan::OutOfScope(reason.to_string()));
    }
    let Some(name) = written["kernel"].as_str() else { return Ok(Plan::Missing) };
    let number = |v: &Json| {
        let v = v.as_str().map_or(v, |key| &numbers[key]);
        if v.is_number() { Ok(v.clone()) } else { Err(format!("{v} is no number")) }
    };
    let mut set = BTreeMap::new();
    for (k, v) in entries(&written["set"]) {
        set.insert(k.clone(), number(v)?.to_string());
    }
    let mut scalars = BTreeMap::new();
    for (k, v) in entries(numbers).chain(entries(&written["scalars"])) {
        if let Ok(x) = number(v) {
            scalars.insert(k.clone(), x.as_f64().unwrap_or_default());
        }
    }
    Ok(Plan::Kernel { name: name.to_string(), set, scalars })
}

fn entries(json: &Json) -> impl Iterator<Item = (&String, &Json)> {
    json.as_object().into_iter().flatten()
}

impl Case {
    /// The tensors of the vector.
    pub fn tensors(&self) -> Result<Tensors, String> {
        read_tensors(&self.path)
    }

    /// The error of an eager evaluation of an output (`o`) in a type, as the index records it.
    pub fn naive(&self, dtype: &str, output: &str) -> f64 {
        self.index["naive"][dtype][format!("out.{output}")]["rel"].as_f64().unwrap_or(0.0)
    }

    /// True if the floats of the kernel are of a type that can be chosen.
    pub fn is_generic(&self) -> bool {
        let Plan::Kernel { name, .. } = &self.plan else { return false };
        library_kernel(name).is_some_and(|(_, kernel)| has_dtype_variable(&kernel))
    }

    /// The kernel of the library that the vector is an instance of, with the values of its params, extents and
    /// `dtype` variables: floats are of type `dtype`.
    pub fn instance(&self, tensors: &Tensors, dtype: &str) -> Result<Instance, String> {
        let Plan::Kernel { name, set, .. } = &self.plan else { return Err("there is no kernel".to_string()) };
        let (_, kernel) = library_kernel(name).ok_or_else(|| format!("the library has no kernel `{name}`"))?;
        let mut options = extents(&kernel, tensors);
        options.extend(set.clone());
        if has_dtype_variable(&kernel) {
            options.insert("Elem".to_string(), dtype.to_string());
        }
        Ok(Instance { kernel: name.clone(), set: options })
    }

    /// The kernel of the library for the shapes and numbers of the vector, its floats in `dtype`.
    pub fn kernel(&self, tensors: &Tensors, dtype: &str) -> Result<Launch, String> {
        let instance = self.instance(tensors, dtype)?;
        let Plan::Kernel { name, scalars, .. } = &self.plan else { return Err("there is no kernel".to_string()) };
        let (file, _) = library_kernel(name).ok_or_else(|| format!("the library has no kernel `{name}`"))?;
        let (checked, diags) = check(&file, &Options { set: instance.set.clone().into_iter().collect() });
        if let Some(d) = diags.first() {
            let at = d.span.start.start();
            return Err(format!("[{}] {} ({}:{})", d.code.0, d.message, at.line, at.column));
        }
        let member = checked.kernels.into_iter().next().and_then(|k| k.members.into_iter().next());
        let cascade = member.ok_or("the checker made no member")?;
        let mut inputs = Tensors::new();
        for t in &cascade.tensors {
            if let Some(v) = tensors.get(&t.name) {
                let data = v.data.iter().map(|x| t.dtype.round(*x)).collect();
                inputs.insert(t.name.clone(), Value { shape: v.shape.clone(), data });
            }
        }
        Ok(Launch { instance, cascade, inputs, scalars: scalars.clone() })
    }
}

/// The file of the library that holds a kernel, without its other kernels, and the kernel.
pub fn library_kernel(name: &str) -> Option<(File, Kernel)> {
    let head = format!("kernel {name} {{");
    for (_, text) in library::FILES.iter().filter(|(_, text)| text.contains(&head)) {
        let (mut file, _) = parse_str(text);
        let is_it = |i: &Item| matches!(i, Item::Kernel(k) if k.name.name == name);
        let found = file.items.iter().find_map(|i| match i {
            Item::Kernel(k) if k.name.name == name => Some(k.clone()),
            Item::Kernel(_) | Item::Schedule(_) | Item::Fn(_) | Item::Mask(_) => None,
        });
        if let Some(kernel) = found {
            file.items.retain(|i| !matches!(i, Item::Kernel(_) | Item::Schedule(_)) || is_it(i));
            return Some((file, kernel));
        }
    }
    None
}

fn has_dtype_variable(kernel: &Kernel) -> bool {
    kernel.stmts.iter().any(|s| matches!(&s.kind, StmtKind::DType(name, _) if name.name == "Elem"))
}

/// Extents of the ranks that the kernel fixes by a literal, as the vector's shapes have them.
fn extents(kernel: &Kernel, tensors: &Tensors) -> BTreeMap<String, String> {
    let mut literal = vec![];
    for s in &kernel.stmts {
        if let StmtKind::Rank(defs) = &s.kind {
            let is_literal = |e: &RankExtent| matches!(e, RankExtent::Is(e) if matches!(e.kind, ExprKind::Int(_)));
            literal.extend(defs.iter().filter(|d| is_literal(&d.extent)).map(|d| d.name.name.as_str()));
        }
    }
    let mut out = BTreeMap::new();
    for s in &kernel.stmts {
        let StmtKind::Tensor(Role::In, name, _, dims) = &s.kind else { continue };
        let shape = tensors.get(&name.name).map(|v| v.shape.as_slice()).unwrap_or_default();
        for (dim, n) in dims.iter().zip(shape) {
            if let ExprKind::Name(rank) = &dim.kind
                && literal.contains(&rank.as_str())
            {
                out.insert(rank.clone(), n.to_string());
            }
        }
    }
    out
}
