//! What `--set` and the scalars of the input file choose: for the checker, and for the launch.

use crate::data::{File, type_name};
use einattn_compiler::syntax::ast::{ExprKind, Kernel, RankDef, RankExtent, Role, StmtKind, TypeKind, TypeName};
use std::collections::BTreeMap;

/// Choices by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// Params, members of sets: they specialise the kernel.
    pub(crate) checker: Vec<(String, String)>,
    /// Run-time scalars.
    pub(crate) scalars: BTreeMap<String, f64>,
    /// Extents of free ranks.
    pub(crate) extents: BTreeMap<String, i64>,
}

/// What a name of a kernel is.
enum Named<'k> {
    /// A constant of the specialisation.
    Param,
    /// A rank that the specialisation fixes.
    Fixed,
    /// A rank whose extent is known at the launch.
    Free,
    /// A run-time scalar.
    Scalar,
    /// A variable over storage types.
    DType(&'k [TypeName]),
}

/// Sorts `NAME=VALUE` texts and single-number tensors of the file by what their names are in the kernel.
pub(crate) fn settings(kernel: &Kernel, set: &[String], file: &File) -> Result<Settings, String> {
    let names = names(kernel);
    let mut out = Settings::default();
    for text in set {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("`--set {text}` is not NAME=VALUE"))?;
        let (name, value) = (name.trim(), value.trim());
        let Some((_, named)) = names.iter().find(|(n, _)| *n == name) else {
            return Err(unknown(kernel, name, &names));
        };
        out.add(name, value, named)?;
    }
    for (name, named) in &names {
        if !out.has(name) {
            out.take_from_file(kernel, name, named, file)?;
        }
    }
    Ok(out)
}

fn unknown(kernel: &Kernel, name: &str, names: &[(&str, Named<'_>)]) -> String {
    let kernel = &kernel.name.name;
    if names.is_empty() {
        return format!("`{kernel}` has nothing to set, so no `{name}`");
    }
    let names = names.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ");
    format!("`{kernel}` has no `{name}` to set; it has {names}")
}

fn names(kernel: &Kernel) -> Vec<(&str, Named<'_>)> {
    let mut out = vec![];
    for stmt in &kernel.stmts {
        match &stmt.kind {
            StmtKind::Rank(defs) => out.extend(defs.iter().filter_map(rank)),
            StmtKind::Iter(def) => out.extend(rank(def)),
            StmtKind::DType(name, types) => out.push((&*name.name, Named::DType(types))),
            StmtKind::Param(name, ..) => out.push((&*name.name, Named::Param)),
            StmtKind::Scalar(name, _) => out.push((&*name.name, Named::Scalar)),
            StmtKind::Const(..)
            | StmtKind::Tensor(..)
            | StmtKind::View(..)
            | StmtKind::State(..)
            | StmtKind::Init(..)
            | StmtKind::Let(..)
            | StmtKind::Assign(..)
            | StmtKind::Assert(_) => {}
        }
    }
    out
}

/// Derived ranks follow from others and cannot be set.
fn rank(def: &RankDef) -> Option<(&str, Named<'_>)> {
    let named = match &def.extent {
        RankExtent::Free => Named::Free,
        RankExtent::In(_) => Named::Fixed,
        RankExtent::Is(e) if matches!(e.kind, ExprKind::Int(_)) => Named::Fixed,
        RankExtent::Is(_) => return None,
    };
    Some((&def.name.name, named))
}

impl Settings {
    fn has(&self, name: &str) -> bool {
        self.checker.iter().any(|(n, _)| n == name)
            || self.scalars.contains_key(name)
            || self.extents.contains_key(name)
    }

    fn add(&mut self, name: &str, value: &str, named: &Named<'_>) -> Result<(), String> {
        match named {
            Named::Param | Named::Fixed | Named::DType(_) => self.checker.push((name.to_string(), value.to_string())),
            Named::Free => {
                let n = value.parse().ok().filter(|n| *n >= 0);
                self.extents.insert(name.to_string(), n.ok_or_else(|| format!("`{value}` is no extent for `{name}`"))?);
            }
            Named::Scalar => {
                let x = value.parse().map_err(|_| format!("`{value}` is no number for `{name}`"))?;
                self.scalars.insert(name.to_string(), x);
            }
        }
        Ok(())
    }

    /// A param or scalar that the file holds as a single number; a storage type from the tensors that have it.
    fn take_from_file(&mut self, kernel: &Kernel, name: &str, named: &Named<'_>, file: &File) -> Result<(), String> {
        match named {
            Named::Param | Named::Scalar => {
                let Some(stored) = file.get(name) else { return Ok(()) };
                let [x] = stored.value.data[..] else {
                    return Err(format!(
                        "`{name}` of the input file has the shape {:?}, not one number",
                        stored.value.shape
                    ));
                };
                if matches!(named, Named::Scalar) {
                    self.scalars.insert(name.to_string(), x);
                } else {
                    self.checker.push((name.to_string(), x.to_string()));
                }
            }
            Named::DType(members) => {
                if let Some(found) = stored_type(kernel, name, file) {
                    let member = members.iter().any(|m| matches!(&m.kind, TypeKind::DType(t) if t.name() == found));
                    if !member && members.len() > 1 {
                        return Err(format!(
                            "the file's tensors of type `{name}` are {found}; choose with --set {name}=TYPE"
                        ));
                    }
                    if member {
                        self.checker.push((name.to_string(), found));
                    }
                }
            }
            Named::Fixed | Named::Free => {}
        }
        Ok(())
    }
}

/// Type in the file of the first input that is declared with this type variable.
fn stored_type(kernel: &Kernel, variable: &str, file: &File) -> Option<String> {
    kernel.stmts.iter().find_map(|s| match &s.kind {
        StmtKind::Tensor(Role::In | Role::InOut, name, ty, _) if ty.kind == TypeKind::Var(variable.to_string()) => {
            file.get(&name.name).map(|t| type_name(t.dtype))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Settings, settings};
    use crate::data::{File, Stored};
    use einattn_compiler::interp::Value;
    use einattn_compiler::syntax::ast::{Item, Kernel};
    use einattn_compiler::syntax::parse_str;
    use safetensors::Dtype;

    fn kernel() -> Kernel {
        let (file, diags) = parse_str(
            "kernel k { rank M, N = 4, E in {64, 128}, R = M + 1; dtype T in {f32, bf16}; param W: int = 3; \
             scalar cap: f32; in q: T[M, E]; out o: T[M, E]; o[m, e] = q[m, e]; }",
        );
        assert!(diags.is_empty(), "{}", diags[0].message);
        let Some(Item::Kernel(k)) = file.items.into_iter().next() else { panic!("a kernel") };
        k
    }

    fn file(tensors: &[(&str, Dtype, &[f64])]) -> File {
        let stored =
            |dtype, data: &[f64]| Stored { dtype, value: Value { shape: vec![data.len()], data: data.to_vec() } };
        tensors.iter().map(|(name, dtype, data)| ((*name).to_string(), stored(*dtype, data))).collect()
    }

    #[track_caller]
    fn check(set: &[&str], tensors: &[(&str, Dtype, &[f64])], expected: Result<&str, &str>) {
        let set: Vec<String> = set.iter().map(ToString::to_string).collect();
        let show = |s: Settings| format!("{:?} {:?} {:?}", s.checker, s.scalars, s.extents).replace('"', "");
        let got = settings(&kernel(), &set, &file(tensors)).map(show);
        assert_eq!(got.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn names_go_where_they_belong() {
        check(&[], &[], Ok("[] {} {}"));
        check(
            &["M=7", "cap=2.5", "W=9", "E=64", "N=5", "T = bf16"],
            &[],
            Ok("[(W, 9), (E, 64), (N, 5), (T, bf16)] {cap: 2.5} {M: 7}"),
        );
        check(&["W=1"], &[("W", Dtype::I64, &[5.0]), ("cap", Dtype::F32, &[0.5])], Ok("[(W, 1)] {cap: 0.5} {}"));
        check(&[], &[("W", Dtype::I64, &[5.0])], Ok("[(W, 5)] {} {}"));
        check(&[], &[("q", Dtype::BF16, &[1.0, 2.0])], Ok("[(T, bf16)] {} {}"));
        check(&["T=f32"], &[("q", Dtype::F16, &[1.0])], Ok("[(T, f32)] {} {}"));
    }

    #[test]
    fn mistakes_are_named() {
        let names = "it has M, N, E, T, W, cap";
        check(&["X=1"], &[], Err(&format!("`k` has no `X` to set; {names}")));
        check(&["R=1"], &[], Err(&format!("`k` has no `R` to set; {names}")));
        check(&["M"], &[], Err("`--set M` is not NAME=VALUE"));
        check(&["M=-1"], &[], Err("`-1` is no extent for `M`"));
        check(&["cap=big"], &[], Err("`big` is no number for `cap`"));
        check(
            &[],
            &[("cap", Dtype::F32, &[1.0, 2.0])],
            Err("`cap` of the input file has the shape [2], not one number"),
        );
        let choose = "the file's tensors of type `T` are f16; choose with --set T=TYPE";
        check(&[], &[("q", Dtype::F16, &[1.0])], Err(choose));
    }
}
