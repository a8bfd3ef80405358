//! Execution of a kernel at any level, on one set of arguments.

use einattn_compiler::cascade::Cascade;
use einattn_compiler::interp::{self, Bindings, Tensors, Value};
use einattn_compiler::lane::{self, IntLayout, MemRole, MemTensor};
use einattn_compiler::passes::{Ir, Level};
use einattn_compiler::simt;
use std::collections::BTreeMap;

/// Arguments of an execution.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Input tensors.
    pub inputs: Tensors,
    /// Run-time scalars.
    pub scalars: BTreeMap<String, f64>,
    /// Extents of free ranks.
    pub extents: BTreeMap<String, i64>,
}

impl Launch {
    /// Outputs of the kernel. `c` is the cascade that it came from: it tells the shapes of the tensors of lane programs.
    /// Streams run in blocks of `block` elements.
    pub fn execute(&self, c: &Cascade, ir: &Ir, block: usize) -> Result<Tensors, String> {
        match ir {
            Ir::Cascade(c) => interp::run_cascade(c, &self.inputs, &self.scalars, &self.extents),
            Ir::Stream(s) => interp::run_stream(s, &self.inputs, &self.scalars, &self.extents, block),
            Ir::Tile(t) => interp::run_tile(t, &self.inputs, &self.scalars, &self.extents),
            Ir::Lane(l) => self.program(c, &l.tensors, &l.ints, &l.floats, |args| lane::exec::run(l, args)),
            Ir::Simt(k) => self.program(c, &k.tensors, &k.ints, &k.floats, |args| simt::exec::run(k, args)),
        }
    }

    /// Runs a program of a target; all of them share their calling convention.
    fn program(
        &self,
        c: &Cascade,
        tensors: &[MemTensor],
        ints: &IntLayout,
        floats: &[String],
        run: impl FnOnce(&mut lane::exec::Args) -> Result<(), String>,
    ) -> Result<Tensors, String> {
        let bindings = interp::bind(c, &self.inputs, &self.scalars, &self.extents)?;
        // Ranks of the lowering's own are derived.
        let extent = |name: &String| c.rank_by_name(name).and_then(|r| bindings.extents[r.index()]).unwrap_or_default();
        let mut args = lane::exec::Args {
            ranks: ints.ranks.iter().map(|(name, _)| extent(name)).collect(),
            scalars: ints.scalars.iter().map(|s| self.scalars[s] as i64).collect(),
            floats: floats.iter().map(|s| self.scalars[s] as f32).collect(),
            tensors: vec![],
        };
        let shapes: Vec<Vec<usize>> = tensors.iter().map(|t| shape(c, &bindings, &t.name)).collect::<Result<_, _>>()?;
        for (t, shape) in tensors.iter().zip(&shapes) {
            let given = self.inputs.get(&t.name).map(|v| v.data.clone());
            args.tensors.push(given.unwrap_or_else(|| Value::filled(shape, f64::NAN).data));
        }
        run(&mut args)?;
        let written = |t: &MemTensor| matches!(t.role, MemRole::Out | MemRole::InOut);
        let all = tensors.iter().zip(shapes).zip(args.tensors);
        let outputs = all.filter(|((t, _), _)| written(t));
        Ok(outputs.map(|((t, shape), data)| (t.name.clone(), Value { shape, data })).collect())
    }
}

fn shape(c: &Cascade, bindings: &Bindings, name: &str) -> Result<Vec<usize>, String> {
    // Tensors of the lowering's own are tables and workspace: the executor makes them.
    let Some(id) = c.tensor_by_name(name) else { return Ok(vec![]) };
    let dim = |e| bindings.index(e).map(|n| n as usize).map_err(|f| f.to_string());
    c.tensor(id).dims.iter().map(dim).collect()
}

/// The first difference between the outputs of a kernel before and after a change, beyond the rounding
/// of `level`, relative to the size of the array, because sums cancel.
pub fn difference(want: &Tensors, got: &Tensors, level: Level) -> Option<String> {
    want.iter().find_map(|(name, want)| match got.get(name) {
        None => Some(format!("output `{name}` is lost")),
        Some(got) => element(want, got, level).map(|e| format!("`{name}`: {e}")),
    })
}

fn element(want: &Value, got: &Value, level: Level) -> Option<String> {
    if want.shape != got.shape {
        return Some(format!("shape {:?} became {:?}", want.shape, got.shape));
    }
    let (bound, least, most) = match level {
        Level::Cascade | Level::Stream | Level::Tile => (1e-11, 1e-3, f64::MAX),
        Level::Lane | Level::Simt => (2e-5, 1.0, f64::from(f32::MAX)),
    };
    // What f32 cannot hold is infinite there.
    let rounded = |x: f64| if level >= Level::Lane { f64::from(x as f32) } else { x };
    let scale = want.data.iter().filter(|x| x.abs() <= most).fold(least, |m: f64, x| m.max(x.abs()));
    want.data.iter().zip(&got.data).enumerate().find_map(|(i, (a, b))| {
        let a = rounded(*a);
        let same = a == *b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= bound * scale;
        (!same).then(|| format!("element {i} is {b}, was {a}"))
    })
}
