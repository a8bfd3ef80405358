//! One stage → one entry: registers, control flow, parameters.
//!
//! A value is a virtual register named after its number: `%i` I32, `%o` Off, `%f` F32, `%p` B, `%h` Pair; a variable
//! likewise with `x` before the letter. Registers of the emitter's own are `%r` (32 bits), `%d` (64), `%q` (predicates), `%s` (16).

use crate::Error;
use einattn_compiler::simt::{Inst, Op, SimtKernel, SimtStage, Space, Ty, Val, Var};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Appends a line to the text of a function.
macro_rules! asm {
    ($func:expr, $($text:tt)*) => { $func.line(&format!($($text)*)) };
}
pub(crate) use asm;

/// Registers of the emitter's own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Temp {
    /// 32 bits.
    Word,
    /// 64 bits.
    Long,
    /// A predicate.
    Truth,
    /// 16 bits.
    Half,
}

/// What an address register was computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Base {
    /// A tensor.
    Tensor(usize),
    /// The shared block, offsets in units of this many bytes.
    Shared(u32),
    /// An array of the thread.
    Private(u32),
    /// The block's scratch.
    Scratch,
}

/// One stage under emission.
pub(crate) struct Func<'k> {
    pub(crate) kernel: &'k SimtKernel,
    pub(crate) stage: &'k SimtStage,
    index: usize,
    defs: Vec<Option<&'k Op>>,
    out: String,
    depth: usize,
    temps: [u32; 4],
    labels: u32,
    /// Address registers that are known, by open block.
    pub(crate) addresses: Vec<BTreeMap<(Base, Val), String>>,
    /// Byte offset of each shared array in the block's shared memory.
    pub(crate) shared: Vec<u32>,
    pub(crate) tensors: BTreeSet<usize>,
    pub(crate) written: BTreeSet<usize>,
    pub(crate) alignment: Vec<u32>,
    pub(crate) uses_scratch: bool,
    /// Warpgroups multiply.
    groups: bool,
}

impl<'k> Func<'k> {
    /// An entry without instructions.
    pub(crate) fn new(kernel: &'k SimtKernel, index: usize) -> Self {
        let stage = &kernel.stages[index];
        let mut func = Func {
            kernel,
            stage,
            index,
            defs: vec![None; stage.vals.len()],
            out: String::new(),
            depth: 1,
            temps: [0; 4],
            labels: 0,
            addresses: vec![BTreeMap::new()],
            shared: vec![],
            tensors: BTreeSet::new(),
            written: BTreeSet::new(),
            alignment: vec![1; kernel.tensors.len()],
            uses_scratch: false,
            groups: false,
        };
        let mut end = 0u32;
        for a in &stage.arrays {
            func.shared.push(end);
            if a.space == Space::Shared {
                end = (end + a.len * a.elem.bytes()).next_multiple_of(1024);
            }
        }
        func.shared.push(end);
        func.scan(&stage.body);
        func
    }

    /// Finds definitions, tensors that are written, and scratch.
    fn scan(&mut self, insts: &'k [Inst]) {
        use einattn_compiler::simt::Place;
        for inst in insts {
            match inst {
                Inst::Let(v, op) => self.defs[v.0 as usize] = Some(op),
                Inst::Store { to: Place::Global(t, _), .. } => {
                    self.written.insert(*t);
                }
                Inst::Load { from: Place::Scratch(_), .. } | Inst::Store { to: Place::Scratch(_), .. } => {
                    self.uses_scratch = true;
                }
                Inst::GroupMma { .. } => self.groups = true,
                Inst::Loop { body, .. } => self.scan(body),
                Inst::If { then, els, .. } => {
                    self.scan(then);
                    self.scan(els);
                }
                Inst::Comment(_)
                | Inst::Set(..)
                | Inst::Load { .. }
                | Inst::Store { .. }
                | Inst::Barrier
                | Inst::Mma { .. }
                | Inst::LoadMatrix { .. }
                | Inst::CopyAsync { .. }
                | Inst::CopyCommit
                | Inst::CopyWait(_) => {}
            }
        }
    }

    /// Bytes of dynamic shared memory.
    pub(crate) fn shared_bytes(&self) -> u32 {
        self.shared.last().copied().unwrap_or(0)
    }

    /// The operation that defines a value.
    pub(crate) fn def(&self, v: Val) -> Option<&'k Op> {
        self.defs[v.0 as usize]
    }

    /// The constant behind a value, if it is an I32 constant.
    pub(crate) fn constant(&self, v: Val) -> Option<i32> {
        match self.def(v) {
            Some(Op::ConstI(c)) => Some(*c),
            _ => None,
        }
    }

    /// Register of a value.
    pub(crate) fn val(&self, v: Val) -> String {
        format!("%{}{}", letter(self.stage.ty(v)), v.0)
    }

    /// Register of a variable.
    pub(crate) fn var(&self, x: Var) -> String {
        format!("%x{}{}", letter(self.stage.vars[x.0 as usize]), x.0)
    }

    /// A new register.
    pub(crate) fn temp(&mut self, kind: Temp) -> String {
        let n = &mut self.temps[kind as usize];
        *n += 1;
        format!("%{}{}", TEMPS[kind as usize].0, *n - 1)
    }

    /// A new label.
    fn label(&mut self) -> String {
        self.labels += 1;
        format!("$L{}", self.labels - 1)
    }

    /// Appends a line.
    pub(crate) fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{:1$}{text};", "", 2 * self.depth);
    }

    fn mark(&mut self, label: &str) {
        let _ = writeln!(self.out, "{label}:");
    }

    /// Emits the body.
    pub(crate) fn body(&mut self) -> Result<(), Error> {
        let stage = self.stage;
        self.insts(&stage.body)
    }

    fn insts(&mut self, insts: &[Inst]) -> Result<(), Error> {
        insts.iter().try_for_each(|i| self.inst(i))
    }

    fn block(&mut self, insts: &[Inst]) -> Result<(), Error> {
        self.addresses.push(BTreeMap::new());
        self.depth += 1;
        let done = self.insts(insts);
        self.depth -= 1;
        self.addresses.pop();
        done
    }

    fn inst(&mut self, inst: &Inst) -> Result<(), Error> {
        match inst {
            Inst::Comment(text) => {
                let _ = writeln!(self.out, "{:1$}// {2}", "", 2 * self.depth, text.replace('\n', " "));
                Ok(())
            }
            Inst::Let(v, op) => self.op(*v, op),
            Inst::Set(x, v) => {
                asm!(self, "mov.{} {}, {}", bits(self.stage.ty(*v)), self.var(*x), self.val(*v));
                Ok(())
            }
            Inst::Loop { var, lo, hi, step, body } => self.loop_(*var, [*lo, *hi], *step, body),
            Inst::If { cond, then, els } => self.branch(*cond, then, els),
            Inst::Load { dst, from } => self.load(dst, *from),
            Inst::Store { to, values } => self.store(*to, values),
            Inst::Barrier => {
                if self.groups {
                    // What was written before the barrier is read by the asynchronous proxy after it.
                    self.line("fence.proxy.async.shared::cta");
                }
                self.line("bar.sync 0");
                Ok(())
            }
            Inst::Mma { of, a, b, acc } => {
                self.mma(*of, a, b, acc);
                Ok(())
            }
            Inst::GroupMma { of, a, b, acc, accumulate } => {
                self.group_mma(*of, a, b, acc, *accumulate);
                Ok(())
            }
            Inst::LoadMatrix { dst, array, offset, transposed } => {
                self.load_matrix(dst, *array, *offset, *transposed);
                Ok(())
            }
            Inst::CopyAsync { array, to, tensor, from, valid } => {
                self.copy_async((*array, *to), (*tensor, *from), *valid);
                Ok(())
            }
            Inst::CopyCommit => {
                self.line("cp.async.commit_group");
                Ok(())
            }
            Inst::CopyWait(n) => {
                asm!(self, "cp.async.wait_group {n}");
                Ok(())
            }
        }
    }

    /// The test stands at the end too: one branch a round.
    fn loop_(&mut self, var: Val, [lo, hi]: [Val; 2], step: i32, body: &[Inst]) -> Result<(), Error> {
        let (top, end) = (self.label(), self.label());
        let (var, lo, hi, test) = (self.val(var), self.val(lo), self.val(hi), self.temp(Temp::Truth));
        asm!(self, "mov.b32 {var}, {lo}");
        asm!(self, "setp.ge.s32 {test}, {var}, {hi}");
        asm!(self, "@{test} bra {end}");
        self.mark(&top);
        self.block(body)?;
        asm!(self, "add.s32 {var}, {var}, {step}");
        asm!(self, "setp.lt.s32 {test}, {var}, {hi}");
        asm!(self, "@{test} bra {top}");
        self.mark(&end);
        Ok(())
    }

    fn branch(&mut self, cond: Val, then: &[Inst], els: &[Inst]) -> Result<(), Error> {
        let (other, end) = (self.label(), self.label());
        asm!(self, "@!{} bra {}", self.val(cond), if els.is_empty() { &end } else { &other });
        self.block(then)?;
        if !els.is_empty() {
            asm!(self, "bra {end}");
            self.mark(&other);
            self.block(els)?;
        }
        self.mark(&end);
        Ok(())
    }

    /// The whole entry.
    pub(crate) fn text(&self, name: &str) -> String {
        let mut out = format!("\n.visible .entry {name}(\n{}\n)\n", self.parameters());
        let _ = writeln!(out, ".maxntid {}, 1, 1\n{{", self.stage.threads);
        self.registers(&mut out);
        for (i, a) in self.stage.arrays.iter().enumerate().filter(|(_, a)| a.space == Space::Private) {
            let _ = writeln!(out, "  .local .align 16 .b8 private{i}[{}];", a.len * a.elem.bytes());
        }
        self.prologue(&mut out);
        out.push_str(&self.out);
        if self.uses_scratch {
            out.push_str("  bar.sync 0;\n  mov.u32 %round, %nctaid.x;\n  add.s32 %taken, %taken, %round;\n");
            out.push_str("  bra $items;\n$done:\n");
        }
        out.push_str("  ret;\n}\n");
        out
    }

    fn parameters(&self) -> String {
        let mut all: Vec<String> = (0..self.kernel.tensors.len()).map(|t| format!(".param .u64 tensor{t}")).collect();
        all.push(".param .u64 scratch".to_string());
        all.push(format!(".param .align 8 .b8 ints[{}]", 8 * self.kernel.ints.len()));
        all.extend((0..self.kernel.floats.len()).map(|i| format!(".param .f32 float{i}")));
        all.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join(",\n")
    }

    fn registers(&self, out: &mut String) {
        for ty in [Ty::I32, Ty::Off, Ty::F32, Ty::B, Ty::Pair] {
            for (prefix, types) in [("", &self.stage.vals), ("x", &self.stage.vars)] {
                if types.contains(&ty) {
                    let _ = writeln!(out, "  .reg .{} %{prefix}{}<{}>;", register(ty), letter(ty), types.len());
                }
            }
        }
        for ((letter, ty), n) in TEMPS.iter().zip(self.temps).filter(|(_, n)| *n > 0) {
            let _ = writeln!(out, "  .reg .{ty} %{letter}<{n}>;");
        }
        let _ = writeln!(out, "  .reg .b32 %item, %items, %taken, %round, %smem;\n  .reg .pred %last;");
        let _ = writeln!(out, "  .reg .b64 %base<{}>, %scratch, %each;", self.kernel.tensors.len().max(1));
        let private = self.stage.arrays.iter().filter(|a| a.space == Space::Private).count();
        if private > 0 {
            let _ = writeln!(out, "  .reg .b64 %private<{}>;", self.stage.arrays.len());
        }
    }

    /// Base addresses and the item. The last items come first: under causal masks they are the longest.
    fn prologue(&self, out: &mut String) {
        for t in &self.tensors {
            let _ = writeln!(out, "  ld.param.u64 %base{t}, [tensor{t}];\n  cvta.to.global.u64 %base{t}, %base{t};");
        }
        if self.shared_bytes() > 0 {
            out.push_str("  mov.u32 %smem, smem;\n");
        }
        for (i, _) in self.stage.arrays.iter().enumerate().filter(|(_, a)| a.space == Space::Private) {
            let _ = writeln!(out, "  mov.u64 %private{i}, private{i};");
        }
        let (items, bytes) = (8 * self.kernel.ints.items(self.index), 8 * self.kernel.ints.scratch(self.index));
        let _ = writeln!(out, "  mov.u32 %taken, %ctaid.x;\n  ld.param.u32 %items, [ints+{items}];");
        if self.uses_scratch {
            out.push_str("  ld.param.u64 %scratch, [scratch];\n  cvta.to.global.u64 %scratch, %scratch;\n");
            let _ = writeln!(out, "  ld.param.u32 %round, [ints+{bytes}];\n  mul.wide.u32 %each, %taken, %round;");
            out.push_str("  add.s64 %scratch, %scratch, %each;\n");
            out.push_str("$items:\n  setp.ge.s32 %last, %taken, %items;\n  @%last bra $done;\n");
        }
        out.push_str("  sub.s32 %item, %items, %taken;\n  sub.s32 %item, %item, 1;\n");
    }
}

/// Letters and types of the emitter's own registers, in the order of `Temp`.
const TEMPS: [(&str, &str); 4] = [("r", "b32"), ("d", "b64"), ("q", "pred"), ("s", "b16")];

fn letter(ty: Ty) -> &'static str {
    match ty {
        Ty::I32 => "i",
        Ty::Off => "o",
        Ty::F32 => "f",
        Ty::B => "p",
        Ty::Pair => "h",
    }
}

fn register(ty: Ty) -> &'static str {
    match ty {
        Ty::I32 | Ty::Pair => "b32",
        Ty::Off => "b64",
        Ty::F32 => "f32",
        Ty::B => "pred",
    }
}

/// Type suffix of a move.
pub(crate) fn bits(ty: Ty) -> &'static str {
    match ty {
        Ty::I32 | Ty::Pair | Ty::F32 => "b32",
        Ty::Off => "b64",
        Ty::B => "pred",
    }
}
