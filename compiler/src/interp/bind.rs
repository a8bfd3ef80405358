//! Extents of a launch: inferred from the shapes of inputs, checked everywhere.

use super::Tensors;
use super::eval::{Fault, Source, eval, holds, index};
use crate::cascade::{Assert, Cascade, Expr, Extent, RankId, ScalarId, TensorId, TensorKind};
use std::collections::BTreeMap;

/// What is known about a launch: extents of ranks and values of scalars, by id.
///
/// Also evaluates closed expressions (extents and scalars only), with `None` for what is not known yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Bindings {
    /// Extent of each rank.
    pub extents: Vec<Option<i64>>,
    /// Value of each scalar.
    pub scalars: Vec<Option<f64>>,
}

impl Bindings {
    /// From names; derived and constant extents are filled in as far as they are known.
    pub fn new(c: &Cascade, scalars: &BTreeMap<String, f64>, extents: &BTreeMap<String, i64>) -> Bindings {
        let given = |name: &String, e: &Extent| match e {
            Extent::Const(n) => Some(*n),
            Extent::Free => extents.get(name).copied(),
            Extent::Derived(_) => None,
        };
        let mut b = Bindings {
            extents: c.ranks.iter().map(|r| given(&r.name, &r.extent)).collect(),
            scalars: c.scalars.iter().map(|s| scalars.get(&s.name).copied()).collect(),
        };
        b.derive(c);
        b
    }

    /// Evaluates derived extents whose operands are known.
    fn derive(&mut self, c: &Cascade) {
        // One round a rank is enough for the longest chain.
        for _ in 0..c.ranks.len() {
            for (i, r) in c.ranks.iter().enumerate() {
                if let (None, Extent::Derived(e)) = (self.extents[i], &r.extent) {
                    self.extents[i] = index(e, self).ok();
                }
            }
        }
    }

    /// The value of a closed index expression.
    pub fn index(&self, e: &Expr) -> Result<i64, Fault> {
        index(e, self)
    }

    /// The value of any closed expression.
    pub fn value(&self, e: &Expr) -> Result<f64, Fault> {
        eval(e, self)
    }

    /// The only free rank that keeps a dimension from being known.
    fn unknown_in(&self, c: &Cascade, e: &Expr) -> Option<RankId> {
        let mut found = vec![];
        collect_unknown(self, c, e, &mut found);
        found.dedup();
        if found.len() == 1 { found.pop() } else { None }
    }

    /// Finds the extent of the one unknown rank that makes `e` equal `n`, if `e` is linear in it.
    fn solve(&mut self, c: &Cascade, e: &Expr, n: i64) -> bool {
        let Some(r) = self.unknown_in(c, e) else { return false };
        let at = |x: i64| {
            let mut b = self.clone();
            b.extents[r.index()] = Some(x);
            b.derive(c);
            index(e, &b).ok()
        };
        let (Some(y0), Some(y1)) = (at(0), at(1)) else { return false };
        if y0 == y1 {
            return false;
        }
        let x = (n - y0) / (y1 - y0);
        if x < 0 || at(x) != Some(n) {
            return false;
        }
        self.extents[r.index()] = Some(x);
        self.derive(c);
        true
    }
}

fn collect_unknown(b: &Bindings, c: &Cascade, e: &Expr, out: &mut Vec<RankId>) {
    e.walk(&mut |e| {
        let Expr::Extent(r) = e else { return };
        if b.extents[r.index()].is_some() {
            return;
        }
        match &c.ranks[r.index()].extent {
            Extent::Derived(inner) => collect_unknown(b, c, inner, out),
            Extent::Free | Extent::Const(_) if !out.contains(r) => out.push(*r),
            Extent::Free | Extent::Const(_) => {}
        }
    });
}

impl Source for Bindings {
    fn var(&self, _: RankId) -> Result<i64, Fault> {
        Err(Fault::new("a rank variable has no value at launch"))
    }
    fn extent(&self, r: RankId) -> Result<i64, Fault> {
        self.extents[r.index()].ok_or_else(|| Fault::new("an extent is not known"))
    }
    fn scalar(&self, s: ScalarId) -> Result<f64, Fault> {
        self.scalars[s.index()].ok_or_else(|| Fault::new("a scalar is not given"))
    }
    fn read(&self, _: TensorId, _: &[i64]) -> Result<f64, Fault> {
        Err(Fault::new("an element has no value at launch"))
    }
}

/// Infers all extents and checks shapes and asserts.
pub fn bind(
    c: &Cascade,
    inputs: &Tensors,
    scalars: &BTreeMap<String, f64>,
    extents: &BTreeMap<String, i64>,
) -> Result<Bindings, String> {
    let mut b = Bindings::new(c, scalars, extents);
    if let Some(i) = b.scalars.iter().position(Option::is_none) {
        return Err(format!("scalar `{}` is not given", c.scalars[i].name));
    }
    let dims = input_dims(c, inputs)?;
    while dims.iter().any(|(_, e, n)| b.solve(c, e, *n)) {}
    if let Some(i) = b.extents.iter().position(Option::is_none) {
        return Err(format!("the extent of rank `{}` follows from no input and is not given", c.ranks[i].name));
    }
    for (name, e, n) in dims {
        let want = b.index(e).map_err(|f| format!("dimension of `{name}`: {f}"))?;
        if want != n {
            return Err(format!("a dimension of `{name}` is {n}, expected {want}"));
        }
    }
    if let Some(i) = b.extents.iter().position(|n| n.is_some_and(|n| n < 0)) {
        return Err(format!("the extent of rank `{}` is negative", c.ranks[i].name));
    }
    asserts(c, &b)?;
    Ok(b)
}

fn input_dims<'a>(c: &'a Cascade, inputs: &Tensors) -> Result<Vec<(&'a str, &'a Expr, i64)>, String> {
    let mut out = vec![];
    for t in c.tensors.iter().filter(|t| matches!(t.kind, TensorKind::In | TensorKind::InOut)) {
        let v = inputs.get(&t.name).ok_or_else(|| format!("input `{}` is not given", t.name))?;
        if v.shape.len() != t.dims.len() {
            return Err(format!("`{}` has {} dimensions, expected {}", t.name, v.shape.len(), t.dims.len()));
        }
        if v.data.len() != v.shape.iter().product::<usize>() {
            return Err(format!("`{}` has {} elements for the shape {:?}", t.name, v.data.len(), v.shape));
        }
        out.extend(t.dims.iter().zip(&v.shape).map(|(e, n)| (t.name.as_str(), e, *n as i64)));
    }
    Ok(out)
}

fn asserts(c: &Cascade, b: &Bindings) -> Result<(), String> {
    for a in &c.asserts {
        if let Assert::Holds { pred, text, .. } = a
            && !holds(pred, b).map_err(|f| format!("assert `{text}`: {f}"))?
        {
            return Err(format!("assert `{text}` does not hold"));
        }
    }
    Ok(())
}
