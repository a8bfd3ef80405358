//! Executor of the SIMT IR, exact in f32: what tests run before any emitter, and what emitters are compared with.
//!
//! Items run one after another, the threads of a block in lockstep under a mask. Every access is checked: that it is inside, that what
//! is read was written, that a barrier lies between what two threads do to one element. A barrier that not all threads reach is
//! an error. So a kernel that runs here computes the same on a machine, whatever the order of its threads.

mod cells;
mod collective;
mod ops;

use super::typing::scalar_type;
use super::{ArrayId, Inst, Op, Place, SimtKernel, SimtStage, Space, Ty, Val, Var};
use crate::lane::exec::{Memory, prepare};
use crate::types::DType;
use cells::{Access, Cells};
use collective::Copies;
use ops::Word;

pub use crate::lane::exec::Args;

/// Runs all stages of a kernel on row-major tensors, which it updates.
pub fn run(kernel: &SimtKernel, args: &mut Args) -> Result<(), String> {
    super::verify(kernel).map_err(|e| e.join("; "))?;
    let mut memory = prepare(&kernel.tensors, &kernel.ints, &kernel.prepare, args)?;
    for (i, stage) in kernel.stages.iter().enumerate() {
        let (items, bytes) = (memory.ints[kernel.ints.items(i)], memory.ints[kernel.ints.scratch(i)]);
        let mut block = Block::new(kernel, stage, memory, bytes.div_euclid(4) as usize);
        for item in 0..items {
            block.item(item as i32).map_err(|e| format!("stage {} item {item}: {e}", stage.name))?;
        }
        memory = block.memory;
    }
    memory.give_back(&kernel.tensors, args);
    Ok(())
}

/// The threads of a block, and what they see.
struct Block<'a> {
    kernel: &'a SimtKernel,
    stage: &'a SimtStage,
    threads: usize,
    memory: Memory,
    /// Accesses to the tensors since the last barrier.
    touched: Vec<Vec<Access>>,
    arrays: Vec<Cells>,
    scratch: Cells,
    vals: Vec<Word>,
    vars: Vec<Word>,
    item: i32,
    /// Barriers and items so far.
    epoch: u32,
    copies: Vec<Copies>,
}

impl<'a> Block<'a> {
    fn new(kernel: &'a SimtKernel, stage: &'a SimtStage, memory: Memory, scratch: usize) -> Self {
        let threads = stage.threads as usize;
        let each = |space| if space == Space::Private { threads } else { 1 };
        Block {
            kernel,
            stage,
            threads,
            touched: memory.tensors.iter().map(|t| vec![Access::default(); t.len()]).collect(),
            memory,
            arrays: stage.arrays.iter().map(|a| Cells::new(&a.name, a.len as usize * each(a.space))).collect(),
            scratch: Cells::new("scratch", scratch),
            vals: vec![0; stage.vals.len() * threads],
            vars: vec![0; stage.vars.len() * threads],
            item: 0,
            epoch: 0,
            copies: vec![],
        }
    }

    /// Runs one item. Nothing is known of what the item before left behind.
    fn item(&mut self, item: i32) -> Result<(), String> {
        self.item = item;
        self.epoch += 1;
        self.arrays.iter_mut().chain([&mut self.scratch]).for_each(Cells::clear);
        self.copies = vec![Copies::default(); self.threads];
        let all: Vec<usize> = (0..self.threads).collect();
        self.block(&self.stage.body, &all)
    }

    fn block(&mut self, insts: &'a [Inst], active: &[usize]) -> Result<(), String> {
        insts.iter().try_for_each(|i| self.inst(i, active))
    }

    fn val(&self, v: Val, thread: usize) -> Word {
        self.vals[v.0 as usize * self.threads + thread]
    }

    fn int(&self, v: Val, thread: usize) -> i32 {
        ops::int(self.val(v, thread))
    }

    fn define(&mut self, v: Val, thread: usize, word: Word) {
        self.vals[v.0 as usize * self.threads + thread] = word;
    }

    fn var(&mut self, x: Var, thread: usize) -> &mut Word {
        &mut self.vars[x.0 as usize * self.threads + thread]
    }

    /// All threads of the block must be here.
    fn together(&self, what: &str, active: &[usize]) -> Result<(), String> {
        match active.len() == self.threads {
            true => Ok(()),
            false => Err(format!("{} of {} threads reach {what}", active.len(), self.threads)),
        }
    }

    fn inst(&mut self, inst: &'a Inst, active: &[usize]) -> Result<(), String> {
        match inst {
            Inst::Comment(_) => {}
            Inst::Let(v, op) => self.let_(*v, op, active).map_err(|e| format!("v{}: {e}", v.0))?,
            Inst::Set(var, v) => {
                for &t in active {
                    *self.var(*var, t) = self.val(*v, t);
                }
            }
            Inst::Loop { var, lo, hi, step, body } => self.looped(*var, (*lo, *hi, *step), body, active)?,
            Inst::If { cond, then, els } => {
                let (yes, no): (Vec<usize>, Vec<usize>) = active.iter().partition(|t| self.val(*cond, **t) != 0);
                for (side, active) in [(then, yes), (els, no)] {
                    if !active.is_empty() {
                        self.block(side, &active)?;
                    }
                }
            }
            Inst::Load { dst, from } => active.iter().try_for_each(|t| self.load(dst, *from, *t))?,
            Inst::Store { to, values } => active.iter().try_for_each(|t| self.store(*to, values, *t))?,
            Inst::Barrier => {
                self.together("a barrier", active)?;
                self.epoch += 1;
            }
            Inst::Mma { of, a, b, acc } => {
                self.together("a matrix product", active)?;
                self.mma(*of, a, b, acc);
            }
            Inst::GroupMma { of, a, b, acc, accumulate } => {
                self.together("a matrix product", active)?;
                self.group_mma(*of, a, b, acc, *accumulate)?;
            }
            Inst::LoadMatrix { dst, array, offset, transposed } => {
                self.together("a read of matrices", active)?;
                self.load_matrix(dst, *array, *offset, *transposed)?;
            }
            Inst::CopyAsync { array, to, tensor, from, valid } => {
                for &t in active {
                    let (to, from) = (i64::from(self.int(*to, t)), self.val(*from, t) as i64);
                    self.copy(*array, to, *tensor, from, self.val(*valid, t) != 0, t)?;
                }
            }
            Inst::CopyCommit => active.iter().for_each(|t| self.copies[*t].commit()),
            Inst::CopyWait(n) => active.iter().try_for_each(|t| self.wait(*n as usize, *t))?,
        }
        Ok(())
    }

    fn looped(
        &mut self,
        var: Val,
        (lo, hi, step): (Val, Val, i32),
        body: &'a [Inst],
        active: &[usize],
    ) -> Result<(), String> {
        let mut at: Vec<i64> = (0..self.threads).map(|t| i64::from(self.int(lo, t))).collect();
        let end: Vec<i64> = (0..self.threads).map(|t| i64::from(self.int(hi, t))).collect();
        loop {
            let running: Vec<usize> = active.iter().copied().filter(|t| at[*t] < end[*t]).collect();
            if running.is_empty() {
                return Ok(());
            }
            running.iter().for_each(|t| self.define(var, *t, ops::of_int(at[*t] as i32)));
            self.block(body, &running)?;
            running.iter().for_each(|t| at[*t] += i64::from(step));
        }
    }

    fn let_(&mut self, v: Val, op: &Op, active: &[usize]) -> Result<(), String> {
        let none = || format!("no such operation: {op:?}");
        match op {
            Op::Shuffle(a, mask) => {
                self.together("a shuffle", active)?;
                self.shuffle(v, *a, *mask as usize)
            }
            Op::Bin(op, a, b) => {
                let f = ops::binary(*op, self.stage.ty(*a)).ok_or_else(none)?;
                active.iter().for_each(|t| self.define(v, *t, f(self.val(*a, *t), self.val(*b, *t))));
                Ok(())
            }
            Op::Cmp(op, a, b) => {
                let f = ops::compare(*op, self.stage.ty(*a)).ok_or_else(none)?;
                active.iter().for_each(|t| self.define(v, *t, f(self.val(*a, *t), self.val(*b, *t))));
                Ok(())
            }
            Op::Un(_, a) | Op::ToOff(a) | Op::IntToFloat(a) | Op::FloatToInt(a) | Op::BoolToInt(a) => {
                self.unary(v, op, *a, active).ok_or_else(none)
            }
            Op::FloatBits(a) | Op::BitsFloat(a) => self.unary(v, op, *a, active).ok_or_else(none),
            _ => {
                for &t in active {
                    let word = self.op(op, t)?;
                    self.define(v, t, word);
                }
                Ok(())
            }
        }
    }

    fn unary(&mut self, v: Val, op: &Op, a: Val, active: &[usize]) -> Option<()> {
        let f = ops::unary(op, self.stage.ty(a))?;
        active.iter().for_each(|t| self.define(v, *t, f(self.val(a, *t))));
        Some(())
    }

    /// What has no table of functions.
    fn op(&self, op: &Op, t: usize) -> Result<Word, String> {
        let float = |v: &Val| ops::float(self.val(*v, t));
        Ok(match op {
            Op::ConstI(x) => ops::of_int(*x),
            Op::ConstF(x) => ops::of_float(*x),
            Op::ConstB(x) => ops::of_bool(*x),
            Op::Get(var) => self.vars[var.0 as usize * self.threads + t],
            Op::Int(slot) => ops::of_int(self.memory.ints[*slot] as i32),
            Op::IntOff(slot) => self.memory.ints[*slot] as Word,
            Op::FloatArg(slot) => ops::of_float(*self.memory.floats.get(*slot).ok_or("no such float")?),
            Op::Item => ops::of_int(self.item),
            Op::Thread => ops::of_int(t as i32),
            Op::Fma(a, b, c) => ops::of_float(float(a).mul_add(float(b), float(c))),
            Op::Select(c, a, b) => self.val(if self.val(*c, t) != 0 { *a } else { *b }, t),
            Op::Shl(a, n) => ops::of_int(self.int(*a, t) << n),
            Op::Shr(a, n) => ops::of_int(self.int(*a, t) >> n),
            Op::RoundTo(dtype, a) => ops::of_float(ops::round(*dtype, float(a))),
            Op::Pack(elem, a, b) => {
                let half = |v: &Val| ops::round(elem.dtype(), float(v));
                ops::of_pair(half(a), half(b))
            }
            _ => return Err(format!("no such operation: {op:?}")),
        })
    }

    /// First element of an access of `count` elements, which is aligned.
    fn first(&self, place: Place, count: usize, t: usize) -> Result<i64, String> {
        let offset = match place.offset_type() {
            Ty::Off => self.val(place.offset(), t) as i64,
            _ => i64::from(self.int(place.offset(), t)),
        };
        match offset % count as i64 {
            0 => Ok(offset),
            _ => Err(format!("{count} elements are moved at offset {offset}")),
        }
    }

    fn load(&mut self, dst: &[Val], from: Place, t: usize) -> Result<(), String> {
        let pairs = self.stage.ty(dst[0]) == Ty::Pair;
        let count = dst.len() * if pairs { 2 } else { 1 };
        let first = self.first(from, count, t)?;
        for (i, v) in dst.iter().enumerate() {
            let word = match pairs {
                true => {
                    let (a, b) = (
                        self.element(from, first + 2 * i as i64, t)?,
                        self.element(from, first + 2 * i as i64 + 1, t)?,
                    );
                    ops::of_pair(ops::float(a), ops::float(b))
                }
                false => self.element(from, first + i as i64, t)?,
            };
            self.define(*v, t, word);
        }
        Ok(())
    }

    /// Reads one element as its scalar type.
    fn element(&mut self, from: Place, at: i64, t: usize) -> Result<Word, String> {
        match from {
            Place::Global(tensor, _) => {
                let i = self.memory.element(&self.kernel.tensors, tensor, at)?;
                let tensor_type = &self.kernel.tensors[tensor];
                self.touched[tensor][i]
                    .read(self.epoch, t as u32)
                    .map_err(|e| format!("{e}: {}[{at}]", tensor_type.name))?;
                let x = self.memory.tensors[tensor][i];
                Ok(match scalar_type(tensor_type.dtype) {
                    Ty::I32 => ops::of_int(x as i32),
                    Ty::B => ops::of_bool(x != 0.0),
                    _ => ops::of_float(x as f32),
                })
            }
            Place::Array(a, _) => {
                let at = self.cell(a, at, t)?;
                self.arrays[a.0 as usize].read(at, self.epoch, t as u32).map(Word::from)
            }
            Place::Scratch(_) => self.scratch.read(at, self.epoch, t as u32).map(Word::from),
        }
    }

    /// Position of an array's element; each thread has its own private ones.
    fn cell(&self, a: ArrayId, at: i64, t: usize) -> Result<i64, String> {
        let array = &self.stage.arrays[a.0 as usize];
        if at < 0 || at >= i64::from(array.len) {
            return Err(format!("offset {at} leaves {}, which has {} elements", array.name, array.len));
        }
        Ok(if array.space == Space::Private { at + i64::from(array.len) * t as i64 } else { at })
    }

    fn store(&mut self, to: Place, values: &[Val], t: usize) -> Result<(), String> {
        let ty = self.stage.ty(values[0]);
        let count = values.len() * if ty == Ty::Pair { 2 } else { 1 };
        let first = self.first(to, count, t)?;
        for (i, v) in values.iter().enumerate() {
            let word = self.val(*v, t);
            if ty == Ty::Pair {
                let (a, b) = ops::pair(word);
                self.put(to, first + 2 * i as i64, Ty::F32, ops::of_float(a), t)?;
                self.put(to, first + 2 * i as i64 + 1, Ty::F32, ops::of_float(b), t)?;
            } else {
                self.put(to, first + i as i64, ty, word, t)?;
            }
        }
        Ok(())
    }

    /// Writes one element, converted to what is stored there.
    fn put(&mut self, to: Place, at: i64, ty: Ty, word: Word, t: usize) -> Result<(), String> {
        match to {
            Place::Global(tensor, _) => {
                let i = self.memory.element(&self.kernel.tensors, tensor, at)?;
                let tensor_type = &self.kernel.tensors[tensor];
                self.touched[tensor][i]
                    .write(self.epoch, t as u32)
                    .map_err(|e| format!("{e}: {}[{at}]", tensor_type.name))?;
                self.memory.tensors[tensor][i] = stored(tensor_type.dtype, ty, word);
                Ok(())
            }
            Place::Array(a, _) => {
                let at = self.cell(a, at, t)?;
                let elem = self.stage.arrays[a.0 as usize].elem.dtype();
                let word = if ty == Ty::F32 { ops::of_float(ops::round(elem, ops::float(word))) } else { word };
                self.arrays[a.0 as usize].write(at, word as u32, self.epoch, t as u32)
            }
            Place::Scratch(_) => self.scratch.write(at, word as u32, self.epoch, t as u32),
        }
    }
}

/// What a tensor holds after a value was stored.
fn stored(dtype: DType, ty: Ty, word: Word) -> f64 {
    let x = ops::int(word);
    match (ty, dtype) {
        (Ty::F32, _) => dtype.round(f64::from(ops::float(word))),
        (_, DType::I8) => f64::from(x as i8),
        (_, DType::U8) => f64::from(x as u8),
        _ => f64::from(x),
    }
}
