//! Every operation, run on hand-built functions, for this machine and for the least x86-64.

mod convert;
mod files;
mod flow;
mod ops;

use crate::Arch;
use crate::jit::compile_for;
use einattn_compiler::lane::{Func, Inst, IntLayout, LaneKernel, LaneStage, MemRole, MemTensor, Op, Ty, Val, Var};
use einattn_compiler::types::DType;

/// Builds a function by hand.
pub(crate) struct Build {
    func: Func,
    open: Vec<Vec<Inst>>,
}

impl Build {
    pub(crate) fn new() -> Self {
        Build { func: Func { vals: vec![Ty::I64, Ty::I64], ..Func::default() }, open: vec![vec![]] }
    }

    pub(crate) fn inst(&mut self, inst: Inst) {
        self.open.last_mut().expect("an open block").push(inst);
    }

    pub(crate) fn val(&mut self, ty: Ty) -> Val {
        self.func.vals.push(ty);
        Val(self.func.vals.len() as u32 - 1)
    }

    pub(crate) fn op(&mut self, ty: Ty, op: Op) -> Val {
        let v = self.val(ty);
        self.inst(Inst::Let(v, op));
        v
    }

    pub(crate) fn var(&mut self, ty: Ty) -> Var {
        self.func.vars.push(ty);
        Var(self.func.vars.len() as u32 - 1)
    }

    pub(crate) fn int(&mut self, n: i64) -> Val {
        self.op(Ty::I64, Op::ConstI(n))
    }

    /// The instructions that `body` makes.
    pub(crate) fn nested(&mut self, body: impl FnOnce(&mut Self)) -> Vec<Inst> {
        self.open.push(vec![]);
        body(self);
        self.open.pop().expect("the block opened above")
    }

    fn finish(mut self) -> Func {
        self.func.body = self.open.pop().expect("the outermost block");
        self.func
    }
}

/// A kernel of one stage over tensors of the given storage types.
pub(crate) fn kernel(stage: Func, tensors: &[DType]) -> LaneKernel {
    let tensor = |(i, dtype): (usize, &DType)| MemTensor {
        name: format!("t{i}"),
        dtype: *dtype,
        dims: vec!["M".into()],
        role: MemRole::InOut,
    };
    LaneKernel {
        name: "test".into(),
        spec: String::new(),
        sources: vec![],
        lanes: 4,
        tensors: tensors.iter().enumerate().map(tensor).collect(),
        ints: IntLayout::default(),
        floats: vec![],
        prepare: Func { vals: vec![Ty::I64; 2], ..Func::default() },
        stages: vec![LaneStage { name: "stage".into(), func: stage }],
    }
}

/// Memory of one call.
#[repr(C, align(64))]
pub(crate) struct Scratch(pub(crate) [u8; 256]);

impl Scratch {
    pub(crate) fn new() -> Self {
        Scratch([0; 256])
    }

    pub(crate) fn word(&self, i: usize) -> [u8; 4] {
        std::array::from_fn(|j| self.0[4 * i + j])
    }

    pub(crate) fn set(&mut self, i: usize, word: [u8; 4]) {
        self.0[4 * i..][..4].copy_from_slice(&word);
    }
}

/// The instruction sets that every test runs on.
pub(crate) fn arches() -> Vec<Arch> {
    let least = "x86-64".parse().expect("a known name");
    if cfg!(target_arch = "x86_64") { vec![Arch::Native, least] } else { vec![Arch::Native] }
}

/// Runs the stage once per instruction set on copies of the memory, checks that all agree, and returns it.
pub(crate) fn run(
    kernel: &LaneKernel,
    tensors: &mut [Vec<u8>],
    ints: &mut [i64],
    floats: &[f32],
    scratch: &mut Scratch,
    range: (i64, i64),
) {
    let before = (tensors.to_vec(), ints.to_vec(), scratch.0);
    for (n, arch) in arches().iter().enumerate() {
        let compiled = compile_for(kernel, arch).expect("compiles");
        let (mut t, mut i, mut s) = (before.0.clone(), before.1.clone(), Scratch(before.2));
        let ptrs: Vec<*mut u8> = t.iter_mut().map(|t| t.as_mut_ptr()).collect();
        for f in [compiled.prepare(), compiled.stages()[0]] {
            // SAFETY: the functions under test stay inside the memory that their test gives them.
            unsafe { f(ptrs.as_ptr(), i.as_mut_ptr(), floats.as_ptr(), s.0.as_mut_ptr(), range.0, range.1) };
        }
        if n > 0 {
            assert_eq!((&t[..], &i[..], &s.0), (&*tensors, &*ints, &scratch.0), "{arch:?} differs");
        }
        tensors.clone_from_slice(&t);
        ints.copy_from_slice(&i);
        scratch.0 = s.0;
    }
}
