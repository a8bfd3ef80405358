//! Lane functions to Cranelift functions: control flow and memory.

use crate::isa::Features;
use crate::{Error, convert, op};
use cranelift_codegen::ir::{Function, InstBuilder, MemFlagsData, Type, Value, condcodes::IntCC, types};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use einattn_compiler::lane::{Func, Inst, LaneBin, LaneKernel, Op, Ty, Val, Var};

/// Memory that is there for the whole call; nothing is said about alignment.
pub(crate) const MEMORY: MemFlagsData = MemFlagsData::new().with_notrap();
/// Arguments that nobody writes during the call.
const CONSTANT: MemFlagsData = MemFlagsData::trusted().with_readonly().with_can_move();

/// Cranelift's type of a lane type.
pub(crate) fn clif_type(ty: Ty) -> Type {
    match ty {
        Ty::I64 => types::I64,
        Ty::F32 => types::F32,
        Ty::B => types::I8,
        Ty::VF => types::F32X4,
        Ty::VI | Ty::VB => types::I32X4,
    }
}

/// Builds one function.
pub(crate) struct Emit<'a, 'b> {
    pub(crate) b: FunctionBuilder<'b>,
    pub(crate) kernel: &'a LaneKernel,
    pub(crate) func: &'a Func,
    pub(crate) features: Features,
    /// Base pointers of the tensors.
    tensors: Vec<Value>,
    ints: Value,
    floats: Value,
    scratch: Value,
    /// True in `prepare`, which writes the slots it reads.
    writes_ints: bool,
    vals: Vec<Option<Value>>,
    /// `value = other + constant`, for offsets: the constant goes into the address of an access.
    sums: Vec<Option<(Val, i64)>>,
    constants: Vec<Option<i64>>,
    vars: Vec<Variable>,
}

/// Fills `out` with the code of `func`.
pub(crate) fn build(
    out: &mut Function,
    ctx: &mut FunctionBuilderContext,
    kernel: &LaneKernel,
    func: &Func,
    features: Features,
    writes_ints: bool,
    config: TargetFrontendConfig,
) -> Result<(), Error> {
    let mut b = FunctionBuilder::new(out, ctx);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.seal_block(entry);
    let args: [Value; 6] = b.block_params(entry).try_into().map_err(|_| Error::Bug("signature".into()))?;
    let [ptrs, ints, floats, scratch, begin, end] = args;
    let pointer = config.pointer_type();
    let tensors = (0..kernel.tensors.len()).map(|i| b.ins().load(pointer, CONSTANT, ptrs, 8 * i as i32)).collect();
    let vars = func.vars.iter().map(|ty| b.declare_var(clif_type(*ty))).collect();
    let mut vals = vec![None; func.vals.len().max(2)];
    vals[0] = Some(begin);
    vals[1] = Some(end);
    let (sums, constants) = (vec![None; vals.len()], vec![None; vals.len()]);
    let mut e =
        Emit { b, kernel, func, features, tensors, ints, floats, scratch, writes_ints, vals, sums, constants, vars };
    e.block(&func.body)?;
    e.b.ins().return_(&[]);
    e.b.finalize(config);
    Ok(())
}

impl Emit<'_, '_> {
    /// Cranelift's value of a lane value.
    pub(crate) fn val(&self, v: Val) -> Result<Value, Error> {
        let known = self.vals.get(v.0 as usize).copied().flatten();
        known.ok_or_else(|| Error::Bug(format!("value {} is used before it is defined", v.0)))
    }

    /// Cranelift's variable of a lane variable.
    pub(crate) fn var(&self, v: Var) -> Result<Variable, Error> {
        let known = self.vars.get(v.0 as usize).copied();
        known.ok_or_else(|| Error::Bug(format!("variable {} is not declared", v.0)))
    }

    fn block(&mut self, body: &[Inst]) -> Result<(), Error> {
        body.iter().try_for_each(|inst| self.inst(inst))
    }

    fn inst(&mut self, inst: &Inst) -> Result<(), Error> {
        match inst {
            Inst::Comment(_) => {}
            Inst::Let(v, op) => {
                self.vals[v.0 as usize] = Some(op::emit(self, *v, op)?);
                self.note_constants(*v, op);
            }
            Inst::Set(var, v) => {
                let (var, v) = (self.var(*var)?, self.val(*v)?);
                self.b.def_var(var, v);
            }
            Inst::Loop { var, lo, hi, step, body } => self.repeat(*var, *lo, *hi, *step, body)?,
            Inst::If { cond, then, els } => self.branch(*cond, then, els)?,
            Inst::StoreLocal { offset, value } => self.store_local(*offset, *value)?,
            Inst::StoreGlobal { tensor, offset, value } => {
                let (ty, v) = (self.func.ty(*value), self.val(*value)?);
                let (addr, disp) = self.global(*tensor, *offset)?;
                if ty == Ty::VF {
                    self.b.ins().store(MEMORY, v, addr, disp);
                    return Ok(());
                }
                convert::store(self, self.kernel.tensors[*tensor].dtype, (ty, v), addr, disp);
            }
            Inst::StoreInt { slot, value } => {
                let v = self.val(*value)?;
                self.b.ins().store(MEMORY, v, self.ints, 8 * *slot as i32);
            }
        }
        Ok(())
    }

    /// A loop that tests at its end, so that an iteration is one branch.
    fn repeat(&mut self, var: Val, lo: Val, hi: Val, step: i64, body: &[Inst]) -> Result<(), Error> {
        let (lo, hi) = (self.val(lo)?, self.val(hi)?);
        let (inside, exit) = (self.b.create_block(), self.b.create_block());
        let at = self.b.append_block_param(inside, types::I64);
        let any = self.b.ins().icmp(IntCC::SignedLessThan, lo, hi);
        self.b.ins().brif(any, inside, &[lo.into()], exit, &[]);
        self.b.switch_to_block(inside);
        self.vals[var.0 as usize] = Some(at);
        self.block(body)?;
        let next = self.b.ins().iadd_imm_s(at, step);
        let more = self.b.ins().icmp(IntCC::SignedLessThan, next, hi);
        self.b.ins().brif(more, inside, &[next.into()], exit, &[]);
        self.b.seal_block(inside);
        self.b.seal_block(exit);
        self.b.switch_to_block(exit);
        Ok(())
    }

    fn branch(&mut self, cond: Val, then: &[Inst], els: &[Inst]) -> Result<(), Error> {
        let cond = self.val(cond)?;
        let [yes, no, join] = std::array::from_fn(|_| self.b.create_block());
        self.b.ins().brif(cond, yes, &[], no, &[]);
        for (block, body) in [(yes, then), (no, els)] {
            self.b.seal_block(block);
            self.b.switch_to_block(block);
            self.block(body)?;
            self.b.ins().jump(join, &[]);
        }
        self.b.seal_block(join);
        self.b.switch_to_block(join);
        Ok(())
    }

    fn note_constants(&mut self, v: Val, op: &Op) {
        match op {
            Op::ConstI(n) => self.constants[v.0 as usize] = Some(*n),
            Op::Bin(LaneBin::Add, a, b) => {
                let [ka, kb] = [a, b].map(|x| self.constants[x.0 as usize]);
                self.sums[v.0 as usize] = kb.map(|k| (*a, k)).or(ka.map(|k| (*b, k)));
            }
            _ => {}
        }
    }

    /// Splits an offset into a value and a constant that fits an address of elements of `bytes` bytes.
    fn split(&self, offset: Val, bytes: i64) -> Result<(Value, i32), Error> {
        if let Some((rest, k)) = self.sums[offset.0 as usize]
            && let Some(disp) = k.checked_mul(bytes).and_then(|d| i32::try_from(d).ok())
        {
            return Ok((self.val(rest)?, disp));
        }
        Ok((self.val(offset)?, 0))
    }

    /// Address and displacement of a byte of scratch.
    pub(crate) fn local(&mut self, offset: Val) -> Result<(Value, i32), Error> {
        let (offset, disp) = self.split(offset, 1)?;
        Ok((self.b.ins().iadd(self.scratch, offset), disp))
    }

    /// Address and displacement of an element of a tensor.
    pub(crate) fn global(&mut self, tensor: usize, offset: Val) -> Result<(Value, i32), Error> {
        let bytes = self.kernel.tensors[tensor].dtype.bytes() as i64;
        let (offset, disp) = self.split(offset, bytes)?;
        let offset = self.b.ins().ishl_imm_u(offset, i64::from(bytes.trailing_zeros()));
        Ok((self.b.ins().iadd(self.tensors[tensor], offset), disp))
    }

    /// A slot of `ints`.
    pub(crate) fn int(&mut self, slot: usize) -> Value {
        let flags = if self.writes_ints { MEMORY } else { CONSTANT };
        self.b.ins().load(types::I64, flags, self.ints, 8 * slot as i32)
    }

    /// A slot of `floats`.
    pub(crate) fn float(&mut self, slot: usize) -> Value {
        self.b.ins().load(types::F32, CONSTANT, self.floats, 4 * slot as i32)
    }

    fn store_local(&mut self, offset: Val, value: Val) -> Result<(), Error> {
        let (addr, disp) = self.local(offset)?;
        let v = self.val(value)?;
        let v = match self.func.ty(value) {
            Ty::I64 => self.b.ins().ireduce(types::I32, v),
            Ty::B => self.b.ins().uextend(types::I32, v),
            Ty::F32 | Ty::VF | Ty::VI | Ty::VB => v,
        };
        self.b.ins().store(MEMORY, v, addr, disp);
        Ok(())
    }
}
