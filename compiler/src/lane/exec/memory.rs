//! What the stages of a kernel find: arguments, derived by `prepare`, and tensors. The executors of lane and of SIMT programs share it.

use super::{Args, Machine};
use crate::lane::{Func, IntLayout, MemRole, MemTensor};

/// What a kernel finds when its stages begin.
pub(crate) struct Memory {
    /// Integer arguments, filled by `prepare`.
    pub(crate) ints: Vec<i64>,
    /// Float arguments.
    pub(crate) floats: Vec<f32>,
    /// Contents of the tensors, row-major.
    pub(crate) tensors: Vec<Vec<f64>>,
}

/// Lays out arguments, runs `prepare` and checks what it derived; kernels of CPUs and of GPUs share the convention.
pub(crate) fn prepare(types: &[MemTensor], layout: &IntLayout, func: &Func, args: &Args) -> Result<Memory, String> {
    let memory = Memory { ints: given_ints(layout, args)?, floats: args.floats.clone(), tensors: vec![] };
    let mut m = Machine { lanes: 1, types, memory, scratch: vec![] };
    m.call(func, 0, 0)?;
    m.memory.check_dims(types, layout, args)?;
    for (i, a) in layout.asserts.iter().enumerate() {
        if m.memory.ints[layout.assert(i)] != 1 {
            return Err(format!("assertion does not hold: {a}"));
        }
    }
    Ok(m.memory)
}

fn given_ints(layout: &IntLayout, args: &Args) -> Result<Vec<i64>, String> {
    let mut ints = vec![0; layout.len()];
    for (i, (name, _)) in layout.ranks.iter().enumerate() {
        ints[layout.rank(i)] = *args.ranks.get(i).ok_or_else(|| format!("no extent for {name}"))?;
    }
    for (i, name) in layout.scalars.iter().enumerate() {
        ints[layout.scalar(i)] = *args.scalars.get(i).ok_or_else(|| format!("no value for {name}"))?;
    }
    Ok(ints)
}

impl Memory {
    /// Sets the strides of the caller's tensors, which are row-major here, and allocates tables and workspace.
    fn check_dims(&mut self, types: &[MemTensor], layout: &IntLayout, args: &Args) -> Result<(), String> {
        for (t, tensor) in types.iter().enumerate() {
            let dims: Vec<i64> = (0..tensor.dims.len()).map(|d| self.ints[layout.dim(t, d)]).collect();
            let size = dims.iter().product::<i64>() as usize;
            let data = match &tensor.role {
                MemRole::Table(values) => values.clone(),
                MemRole::Workspace => vec![f64::NAN; size],
                MemRole::In | MemRole::Out | MemRole::InOut => {
                    args.tensors.get(t).cloned().ok_or_else(|| format!("no data for {}", tensor.name))?
                }
            };
            if data.len() != size {
                return Err(format!("{} has {} elements instead of {size}", tensor.name, data.len()));
            }
            self.tensors.push(data);
            let mut stride = i64::from(size != 0);
            for d in (0..tensor.dims.len()).rev() {
                let slot = layout.stride(t, d);
                let given = matches!(tensor.role, MemRole::In | MemRole::Out | MemRole::InOut);
                if !given && self.ints[slot] != stride {
                    return Err(format!("prepare sets stride {} of {} to {}", d, tensor.name, self.ints[slot]));
                }
                self.ints[slot] = stride;
                stride *= dims[d];
            }
        }
        Ok(())
    }

    /// Gives the caller what the kernel wrote.
    pub(crate) fn give_back(self, types: &[MemTensor], args: &mut Args) {
        for ((data, written), tensor) in args.tensors.iter_mut().zip(self.tensors).zip(types) {
            if matches!(tensor.role, MemRole::Out | MemRole::InOut) {
                *data = written;
            }
        }
    }

    /// The position of an element of a tensor, if it is inside.
    pub(crate) fn element(&self, types: &[MemTensor], tensor: usize, offset: i64) -> Result<usize, String> {
        let size = self.tensors.get(tensor).map_or(0, Vec::len);
        usize::try_from(offset)
            .ok()
            .filter(|i| *i < size)
            .ok_or_else(|| format!("offset {offset} leaves {}, which has {size} elements", types[tensor].name))
    }
}
