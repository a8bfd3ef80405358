//! Builder of lane functions: numbers values, shares equal ones and places them as far out as they are invariant.
//!
//! A pure operation lands in the outermost open block that sees its operands, so loop-invariant code motion happens
//! while the code is built. Blocks of an `If` are barriers: only constants and arguments leave them. Loads from
//! scratch move likewise within one statement, as far as `statement` says that the statement does not write there.

use super::typing::infer;
use super::{Func, Inst, LaneBin, LaneCmp, LaneUn, Op, Ty, Val, Var};
use crate::math::Math;
use crate::types::DType;
use std::collections::BTreeMap;

/// A function under construction.
pub struct Builder {
    func: Func,
    tensors: Vec<DType>,
    blocks: Vec<Block>,
    depth: Vec<usize>,
    constants: BTreeMap<Val, i64>,
    splats: BTreeMap<Val, i64>,
    statement: usize,
    statement_depth: usize,
    hoist_globals: bool,
}

#[derive(Default)]
struct Block {
    insts: Vec<Inst>,
    known: BTreeMap<String, Val>,
    barrier: bool,
}

/// How far an operation may move.
enum Motion {
    /// To wherever its operands are visible, out of branches too.
    Free,
    /// Out of loops, not out of branches.
    Loops,
    /// Out of the loops of the current statement.
    Statement,
    /// Stays.
    Fixed,
}

impl Builder {
    /// An empty function over tensors of these types.
    pub fn new(tensors: Vec<DType>) -> Self {
        Builder {
            func: Func { vals: vec![Ty::I64, Ty::I64], vars: vec![], body: vec![] },
            tensors,
            blocks: vec![Block::default()],
            depth: vec![0, 0],
            constants: BTreeMap::new(),
            splats: BTreeMap::new(),
            statement: 0,
            statement_depth: 0,
            hoist_globals: false,
        }
    }

    /// The finished function.
    pub fn finish(mut self) -> Func {
        while self.blocks.len() > 1 {
            self.blocks.pop();
        }
        self.func.body = self.blocks.pop().map(|b| b.insts).unwrap_or_default();
        self.func
    }

    /// Type of a value.
    pub fn ty(&self, v: Val) -> Ty {
        self.func.ty(v)
    }

    /// Number of open blocks around the block that defines a value.
    pub fn depth(&self, v: Val) -> usize {
        self.depth[v.0 as usize]
    }

    /// Starts a statement: local loads made by `load_invariant` may move up to here.
    pub fn statement(&mut self) {
        self.statement += 1;
        self.statement_depth = self.blocks.len() - 1;
    }

    /// Lets loads of tensors move out of loops that are known to run.
    pub fn hoist_globals(&mut self, on: bool) {
        self.hoist_globals = on;
    }

    /// Adds an instruction to the current block.
    pub fn inst(&mut self, inst: Inst) {
        if let Some(b) = self.blocks.last_mut() {
            b.insts.push(inst);
        }
    }

    /// Adds a comment.
    pub fn comment(&mut self, text: impl Into<String>) {
        self.inst(Inst::Comment(text.into()));
    }

    /// Adds an operation, or finds an equal one that is in scope.
    pub fn op(&mut self, op: Op) -> Val {
        let motion = self.motion(&op);
        self.place(op, motion)
    }

    /// A load from scratch that the current statement does not write.
    pub fn load_invariant(&mut self, ty: Ty, offset: Val) -> Val {
        self.place(Op::LoadLocal(ty, offset), Motion::Statement)
    }

    fn motion(&self, op: &Op) -> Motion {
        match op {
            Op::ConstI(_) | Op::ConstF(_) | Op::ConstB(_) | Op::Int(_) | Op::FloatArg(_) | Op::Iota => Motion::Free,
            Op::Splat(a) if self.depth(*a) == 0 => Motion::Free,
            Op::LoadGlobal(..) | Op::LoadGlobalVec(..) if self.hoist_globals => Motion::Statement,
            Op::Get(_) | Op::LoadLocal(..) | Op::LoadGlobal(..) | Op::LoadGlobalVec(..) => Motion::Fixed,
            _ => Motion::Loops,
        }
    }

    fn place(&mut self, op: Op, motion: Motion) -> Val {
        let here = self.blocks.len() - 1;
        let barrier = self.blocks.iter().rposition(|b| b.barrier).unwrap_or(0);
        let floor = match motion {
            Motion::Free => 0,
            Motion::Loops => barrier,
            Motion::Statement => self.statement_depth.max(barrier),
            Motion::Fixed => return self.define(op, here),
        };
        let key = match motion {
            Motion::Statement => format!("{}:{op:?}", self.statement),
            Motion::Free | Motion::Loops | Motion::Fixed => format!("{op:?}"),
        };
        if let Some(v) = self.blocks.iter().find_map(|b| b.known.get(&key)) {
            return *v;
        }
        let at = op.operands().iter().map(|v| self.depth(*v)).max().unwrap_or(0).max(floor);
        let v = self.define(op, at);
        self.blocks[at].known.insert(key, v);
        v
    }

    fn define(&mut self, op: Op, at: usize) -> Val {
        // An ill-typed operation is reported by the verifier, which runs on every lowered kernel.
        let ty = infer(&self.func, &self.tensors, &op).unwrap_or(Ty::I64);
        let v = self.fresh(ty, at);
        match op {
            Op::ConstI(c) => {
                self.constants.insert(v, c);
            }
            Op::Splat(a) => {
                if let Some(c) = self.as_int(a) {
                    self.splats.insert(v, c);
                }
            }
            _ => {}
        }
        self.blocks[at].insts.push(Inst::Let(v, op));
        v
    }

    fn fresh(&mut self, ty: Ty, depth: usize) -> Val {
        self.func.vals.push(ty);
        self.depth.push(depth);
        Val(self.func.vals.len() as u32 - 1)
    }

    /// A new variable.
    pub fn var(&mut self, ty: Ty) -> Var {
        self.func.vars.push(ty);
        Var(self.func.vars.len() as u32 - 1)
    }

    /// Assigns a variable.
    pub fn set(&mut self, var: Var, value: Val) {
        self.inst(Inst::Set(var, value));
    }

    /// Reads a variable.
    pub fn get(&mut self, var: Var) -> Val {
        self.op(Op::Get(var))
    }

    /// Opens a loop body and returns the loop variable; close it with `end_loop`.
    pub fn begin_loop(&mut self) -> Val {
        self.blocks.push(Block::default());
        self.fresh(Ty::I64, self.blocks.len() - 1)
    }

    /// Closes the innermost loop.
    pub fn end_loop(&mut self, var: Val, lo: Val, hi: Val, step: i64) {
        let body = self.blocks.pop().map(|b| b.insts).unwrap_or_default();
        self.inst(Inst::Loop { var, lo, hi, step, body });
    }

    /// Opens a branch; close it with `end_block`.
    pub fn begin_block(&mut self) {
        self.blocks.push(Block { barrier: true, ..Block::default() });
    }

    /// Closes a branch and returns its instructions.
    pub fn end_block(&mut self) -> Vec<Inst> {
        self.blocks.pop().map(|b| b.insts).unwrap_or_default()
    }

    /// I64 constant.
    pub fn int(&mut self, v: i64) -> Val {
        self.op(Op::ConstI(v))
    }

    /// F32 constant.
    pub fn float(&mut self, v: f32) -> Val {
        self.op(Op::ConstF(v))
    }

    /// The constant behind a value, if it is an I64 constant.
    pub fn as_int(&self, v: Val) -> Option<i64> {
        self.constants.get(&v).copied()
    }

    /// The constant that a vector repeats, if it is the splat of an I64 constant.
    pub fn splat_of(&self, v: Val) -> Option<i64> {
        self.splats.get(&v).copied()
    }

    /// Sum with the most invariant terms first, so that their partial sums leave the inner loops.
    pub fn sum(&mut self, mut terms: Vec<Val>) -> Val {
        terms.sort_by_key(|v| self.depth(*v));
        let zero = self.int(0);
        terms.into_iter().fold(zero, |a, b| self.add(a, b))
    }
}

fn fold(op: LaneBin, x: i64, y: i64) -> Option<i64> {
    match op {
        LaneBin::Add => x.checked_add(y),
        LaneBin::Sub => x.checked_sub(y),
        LaneBin::Mul => x.checked_mul(y),
        LaneBin::Min => Some(x.min(y)),
        LaneBin::Max => Some(x.max(y)),
        LaneBin::FloorDiv => Some(super::exec::floor_div(x, y)),
        LaneBin::Mod => Some(super::exec::floor_mod(x, y)),
        LaneBin::Div | LaneBin::And | LaneBin::Or => None,
    }
}

fn neutral(op: LaneBin, a: Val, x: Option<i64>, b: Val, y: Option<i64>) -> Option<Val> {
    match (op, x, y) {
        (LaneBin::Add, Some(0), _) | (LaneBin::Mul, Some(1), _) => Some(b),
        (LaneBin::Add | LaneBin::Sub, _, Some(0)) => Some(a),
        (LaneBin::Mul | LaneBin::FloorDiv, _, Some(1)) => Some(a),
        (LaneBin::Mul, Some(0), _) => Some(a),
        (LaneBin::Mul, _, Some(0)) => Some(b),
        _ => None,
    }
}

impl Math for Builder {
    type Val = Val;

    fn vfloat(&mut self, v: f32) -> Val {
        let c = self.float(v);
        self.op(Op::Splat(c))
    }

    fn vint(&mut self, v: i64) -> Val {
        let c = self.int(v);
        self.op(Op::Splat(c))
    }

    fn un(&mut self, op: LaneUn, a: Val) -> Val {
        self.op(Op::Un(op, a))
    }

    /// Integer constants are folded.
    fn bin(&mut self, op: LaneBin, a: Val, b: Val) -> Val {
        if self.ty(a) == Ty::I64 && self.ty(b) == Ty::I64 {
            let (x, y) = (self.as_int(a), self.as_int(b));
            if let Some(c) = x.zip(y).and_then(|(x, y)| fold(op, x, y)) {
                return self.int(c);
            }
            if let Some(v) = neutral(op, a, x, b, y) {
                return v;
            }
        }
        self.op(Op::Bin(op, a, b))
    }

    fn fma(&mut self, a: Val, b: Val, c: Val) -> Val {
        self.op(Op::Fma(a, b, c))
    }

    fn cmp(&mut self, op: LaneCmp, a: Val, b: Val) -> Val {
        self.op(Op::Cmp(op, a, b))
    }

    fn select(&mut self, c: Val, a: Val, b: Val) -> Val {
        self.op(Op::Select(c, a, b))
    }

    fn float_bits(&mut self, a: Val) -> Val {
        self.op(Op::FloatBits(a))
    }

    fn bits_float(&mut self, a: Val) -> Val {
        self.op(Op::BitsFloat(a))
    }

    fn shl(&mut self, a: Val, n: u32) -> Val {
        self.op(Op::Shl(a, n))
    }

    fn shr(&mut self, a: Val, n: u32) -> Val {
        self.op(Op::Shr(a, n))
    }

    fn int_to_float(&mut self, a: Val) -> Val {
        self.op(Op::IntToFloat(a))
    }
}
