//! Builder of SIMT stages: numbers values, shares equal ones and places them as far out as they are invariant.
//!
//! A pure operation lands in the outermost open block that sees its operands. Blocks of an `If` are barriers to that: only
//! constants and arguments leave them.

use super::typing::infer;
use super::{Array, ArrayId, Elem, Inst, Op, Place, SimtBin, SimtStage, SimtUn, Space, Ty, Val, Var};
use crate::lane::{LaneBin, LaneCmp, LaneUn, exec};
use crate::math::Math;
use std::collections::BTreeMap;

/// A stage under construction.
#[derive(Default)]
pub struct Builder {
    vals: Vec<Ty>,
    vars: Vec<Ty>,
    arrays: Vec<Array>,
    blocks: Vec<Block>,
    depth: Vec<usize>,
    constants: BTreeMap<Val, i32>,
}

#[derive(Default)]
struct Block {
    insts: Vec<Inst>,
    known: BTreeMap<String, Val>,
    branch: bool,
}

impl Builder {
    /// An empty stage.
    pub fn new() -> Self {
        Builder { blocks: vec![Block::default()], ..Builder::default() }
    }

    /// The finished stage.
    pub fn finish(mut self, name: &str, threads: u32, subgroup: Option<u32>) -> SimtStage {
        self.blocks.truncate(1);
        let body = self.blocks.pop().map(|b| b.insts).unwrap_or_default();
        let Builder { vals, vars, arrays, .. } = self;
        SimtStage { name: name.to_string(), threads, subgroup, arrays, vals, vars, body }
    }

    /// Type of a value.
    pub fn ty(&self, v: Val) -> Ty {
        self.vals[v.0 as usize]
    }

    /// Type of a variable.
    pub fn var_type(&self, var: Var) -> Ty {
        self.vars[var.0 as usize]
    }

    /// A new array.
    pub fn array(&mut self, name: impl Into<String>, space: Space, elem: Elem, len: u32) -> ArrayId {
        self.arrays.push(Array { name: name.into(), space, elem, len });
        ArrayId(self.arrays.len() as u32 - 1)
    }

    /// The arrays so far.
    pub fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    /// Number of open blocks around the block that defines a value.
    pub fn depth(&self, v: Val) -> usize {
        self.depth[v.0 as usize]
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
        let here = self.blocks.len() - 1;
        if matches!(op, Op::Get(_) | Op::Shuffle(..)) {
            return self.define(op, here);
        }
        let key = format!("{op:?}");
        if let Some(v) = self.blocks.iter().find_map(|b| b.known.get(&key)) {
            return *v;
        }
        let constant = op.operands().is_empty();
        let branch = self.blocks.iter().rposition(|b| b.branch).unwrap_or(0);
        let floor = if constant { 0 } else { branch };
        let at = op.operands().iter().map(|v| self.depth[v.0 as usize]).max().unwrap_or(0).max(floor);
        let v = self.define(op, at);
        self.blocks[at].known.insert(key, v);
        v
    }

    fn define(&mut self, op: Op, at: usize) -> Val {
        // An ill-typed operation is reported by the verifier, which runs on every lowered kernel.
        let ty = infer(&self.vals, &self.vars, &op).unwrap_or(Ty::I32);
        let v = self.fresh(ty, at);
        if let Op::ConstI(c) = op {
            self.constants.insert(v, c);
        }
        self.blocks[at].insts.push(Inst::Let(v, op));
        v
    }

    fn fresh(&mut self, ty: Ty, depth: usize) -> Val {
        self.vals.push(ty);
        self.depth.push(depth);
        Val(self.vals.len() as u32 - 1)
    }

    /// Reads consecutive elements of a type.
    pub fn load_many(&mut self, ty: Ty, count: usize, from: Place) -> Vec<Val> {
        let here = self.blocks.len() - 1;
        let dst: Vec<Val> = (0..count).map(|_| self.fresh(ty, here)).collect();
        self.inst(Inst::Load { dst: dst.clone(), from });
        dst
    }

    /// Reads one element.
    pub fn load(&mut self, ty: Ty, from: Place) -> Val {
        self.load_many(ty, 1, from)[0]
    }

    /// Writes one element.
    pub fn store(&mut self, to: Place, value: Val) {
        self.inst(Inst::Store { to, values: vec![value] });
    }

    /// Reads matrices of 16-bit elements; see `Inst::LoadMatrix`.
    pub fn load_matrix(&mut self, count: usize, array: ArrayId, offset: Val, transposed: bool) -> Vec<Val> {
        let here = self.blocks.len() - 1;
        let dst: Vec<Val> = (0..count).map(|_| self.fresh(Ty::Pair, here)).collect();
        self.inst(Inst::LoadMatrix { dst: dst.clone(), array, offset, transposed });
        dst
    }

    /// A new variable.
    pub fn var(&mut self, ty: Ty) -> Var {
        self.vars.push(ty);
        Var(self.vars.len() as u32 - 1)
    }

    /// A new variable with its first value.
    pub fn var_of(&mut self, value: Val) -> Var {
        let var = self.var(self.ty(value));
        self.set(var, value);
        var
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
        self.fresh(Ty::I32, self.blocks.len() - 1)
    }

    /// Closes the innermost loop.
    pub fn end_loop(&mut self, var: Val, lo: Val, hi: Val, step: i32) {
        let body = self.blocks.pop().map(|b| b.insts).unwrap_or_default();
        self.inst(Inst::Loop { var, lo, hi, step, body });
    }

    /// Opens a branch; close it with `end_block`.
    pub fn begin_block(&mut self) {
        self.blocks.push(Block { branch: true, ..Block::default() });
    }

    /// Closes a branch and returns its instructions.
    pub fn end_block(&mut self) -> Vec<Inst> {
        self.blocks.pop().map(|b| b.insts).unwrap_or_default()
    }

    /// I32 constant.
    pub fn int(&mut self, v: i32) -> Val {
        self.op(Op::ConstI(v))
    }

    /// F32 constant.
    pub fn float(&mut self, v: f32) -> Val {
        self.op(Op::ConstF(v))
    }

    /// B constant.
    pub fn truth(&mut self, v: bool) -> Val {
        self.op(Op::ConstB(v))
    }

    /// The constant behind a value, if it is an I32 constant.
    pub fn as_int(&self, v: Val) -> Option<i32> {
        self.constants.get(&v).copied()
    }

    /// Offset into a tensor or scratch of an I32.
    pub fn off(&mut self, v: Val) -> Val {
        self.op(Op::ToOff(v))
    }

    /// Sum of one type with the most invariant terms first, so that their partial sums leave the inner loops; `None` of nothing.
    pub fn sum(&mut self, mut terms: Vec<Val>) -> Option<Val> {
        terms.sort_by_key(|v| self.depth(*v));
        terms.into_iter().reduce(|a, b| self.add(a, b))
    }

    /// Unary operation.
    pub fn unary(&mut self, op: SimtUn, a: Val) -> Val {
        self.op(Op::Un(op, a))
    }

    /// Binary operation; integer constants are folded, divisions by powers of two are shifts.
    pub fn binary(&mut self, op: SimtBin, a: Val, b: Val) -> Val {
        if self.ty(a) == Ty::I32 && self.ty(b) == Ty::I32 {
            let (x, y) = (self.as_int(a), self.as_int(b));
            if let Some(c) = x.zip(y).and_then(|(x, y)| fold(op, x, y)) {
                return self.int(c);
            }
            if let Some(v) = neutral(op, a, x, b, y) {
                return v;
            }
            if let Some(c) = y.filter(|c| *c > 0 && c.count_ones() == 1) {
                match op {
                    SimtBin::FloorDiv => return self.op(Op::Shr(a, c.trailing_zeros())),
                    SimtBin::Mod => {
                        let mask = self.int(c - 1);
                        return self.binary(SimtBin::And, a, mask);
                    }
                    _ => {}
                }
            }
        }
        self.op(Op::Bin(op, a, b))
    }
}

impl Math for Builder {
    type Val = Val;

    fn vfloat(&mut self, v: f32) -> Val {
        self.float(v)
    }

    fn vint(&mut self, v: i64) -> Val {
        self.int(v as i32)
    }

    fn un(&mut self, op: LaneUn, a: Val) -> Val {
        let op = match op {
            LaneUn::Neg => SimtUn::Neg,
            LaneUn::Abs => SimtUn::Abs,
            LaneUn::Not => SimtUn::Not,
            LaneUn::Sqrt => SimtUn::Sqrt,
            LaneUn::Floor => SimtUn::Floor,
            LaneUn::Ceil => SimtUn::Ceil,
            LaneUn::Round => SimtUn::Round,
            LaneUn::Popcount => SimtUn::Popcount,
            LaneUn::Ilog2 => SimtUn::Ilog2,
        };
        self.unary(op, a)
    }

    fn bin(&mut self, op: LaneBin, a: Val, b: Val) -> Val {
        let op = match op {
            LaneBin::Add => SimtBin::Add,
            LaneBin::Sub => SimtBin::Sub,
            LaneBin::Mul => SimtBin::Mul,
            LaneBin::Div => SimtBin::Div,
            LaneBin::Min => SimtBin::Min,
            LaneBin::Max => SimtBin::Max,
            LaneBin::FloorDiv => SimtBin::FloorDiv,
            LaneBin::Mod => SimtBin::Mod,
            LaneBin::And => SimtBin::And,
            LaneBin::Or => SimtBin::Or,
        };
        self.binary(op, a, b)
    }

    fn fma(&mut self, a: Val, b: Val, c: Val) -> Val {
        self.op(Op::Fma(a, b, c))
    }

    fn cmp(&mut self, op: LaneCmp, a: Val, b: Val) -> Val {
        self.op(Op::Cmp(op, a, b))
    }

    fn select(&mut self, c: Val, a: Val, b: Val) -> Val {
        if a == b { a } else { self.op(Op::Select(c, a, b)) }
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

    /// The machine's unit.
    fn exp2(&mut self, x: Val) -> Val {
        self.unary(SimtUn::Exp2, x)
    }
}

fn fold(op: SimtBin, x: i32, y: i32) -> Option<i32> {
    let wide = |f: fn(i64, i64) -> i64| i32::try_from(f(i64::from(x), i64::from(y))).ok();
    match op {
        SimtBin::Add => x.checked_add(y),
        SimtBin::Sub => x.checked_sub(y),
        SimtBin::Mul => x.checked_mul(y),
        SimtBin::Min => Some(x.min(y)),
        SimtBin::Max => Some(x.max(y)),
        SimtBin::FloorDiv => wide(exec::floor_div),
        SimtBin::Mod => wide(exec::floor_mod),
        SimtBin::And => Some(x & y),
        SimtBin::Or => Some(x | y),
        SimtBin::Xor => Some(x ^ y),
        SimtBin::Div => None,
    }
}

fn neutral(op: SimtBin, a: Val, x: Option<i32>, b: Val, y: Option<i32>) -> Option<Val> {
    match (op, x, y) {
        (SimtBin::Add | SimtBin::Or | SimtBin::Xor, Some(0), _) | (SimtBin::Mul, Some(1), _) => Some(b),
        (SimtBin::Add | SimtBin::Sub | SimtBin::Or | SimtBin::Xor, _, Some(0)) => Some(a),
        (SimtBin::Mul | SimtBin::FloorDiv, _, Some(1)) => Some(a),
        (SimtBin::Mul | SimtBin::And, Some(0), _) => Some(a),
        (SimtBin::Mul | SimtBin::And, _, Some(0)) => Some(b),
        _ => None,
    }
}
