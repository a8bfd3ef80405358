//! Executor of the lane IR, exact in f32: what tests run before any emitter, and what emitters are compared with.
//!
//! Every access is checked; a kernel that leaves its memory is an error, not undefined behaviour.

use super::{Func, Inst, LaneBin, LaneCmp, LaneKernel, LaneUn, MemTensor, Op, Ty, Val};

mod memory;

pub(crate) use memory::{Memory, prepare};

/// Arguments of a run: what the caller of a kernel provides.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// Extents of the ranks (derived ones are ignored).
    pub ranks: Vec<i64>,
    /// Integer scalars.
    pub scalars: Vec<i64>,
    /// Float scalars.
    pub floats: Vec<f32>,
    /// Row-major contents of the tensors in memory order; tables and workspace are ignored.
    pub tensors: Vec<Vec<f64>>,
}

/// Runs all stages of a kernel on row-major tensors, which it updates.
pub fn run(kernel: &LaneKernel, args: &mut Args) -> Result<(), String> {
    if kernel.lanes > MAX_LANES {
        return Err(format!("vectors of {} lanes", kernel.lanes));
    }
    let memory = prepare(&kernel.tensors, &kernel.ints, &kernel.prepare, args)?;
    let mut m = Machine { lanes: kernel.lanes, types: &kernel.tensors, memory, scratch: vec![] };
    for (i, stage) in kernel.stages.iter().enumerate() {
        let (items, bytes) = (m.memory.ints[kernel.ints.items(i)], m.memory.ints[kernel.ints.scratch(i)]);
        m.scratch = vec![0xffff_ffff; bytes.div_euclid(4) as usize];
        m.call(&stage.func, 0, items)?;
    }
    m.memory.give_back(&kernel.tensors, args);
    Ok(())
}

/// Floor division; 0 if the divisor is 0.
pub fn floor_div(a: i64, b: i64) -> i64 {
    if b == 0 {
        return 0;
    }
    let q = a.wrapping_div(b);
    if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { q - 1 } else { q }
}

/// Modulus with the divisor's sign; 0 if the divisor is 0.
pub fn floor_mod(a: i64, b: i64) -> i64 {
    if b == 0 { 0 } else { a.wrapping_sub(floor_div(a, b).wrapping_mul(b)) }
}

/// Lanes of the longest vector; shorter ones leave the rest unused.
const MAX_LANES: usize = 16;

#[derive(Clone, Copy, Debug)]
enum Value {
    I(i64),
    F(f32),
    B(bool),
    VI([i32; MAX_LANES]),
    VF([f32; MAX_LANES]),
    VB([bool; MAX_LANES]),
}

struct Machine<'a> {
    lanes: usize,
    types: &'a [MemTensor],
    memory: Memory,
    scratch: Vec<u32>,
}

struct Frame {
    vals: Vec<Option<Value>>,
    vars: Vec<Option<Value>>,
}

impl Machine<'_> {
    fn call(&mut self, func: &Func, begin: i64, end: i64) -> Result<(), String> {
        let mut frame = Frame { vals: vec![None; func.vals.len()], vars: vec![None; func.vars.len()] };
        frame.vals[Func::BEGIN.0 as usize] = Some(Value::I(begin));
        frame.vals[Func::END.0 as usize] = Some(Value::I(end));
        self.block(&mut frame, &func.body)
    }

    fn block(&mut self, f: &mut Frame, insts: &[Inst]) -> Result<(), String> {
        insts.iter().try_for_each(|i| self.inst(f, i))
    }

    fn inst(&mut self, f: &mut Frame, inst: &Inst) -> Result<(), String> {
        match inst {
            Inst::Comment(_) => {}
            Inst::Let(v, op) => {
                let value = self.op(f, op).map_err(|e| format!("v{}: {e} in {op:?}", v.0))?;
                f.vals[v.0 as usize] = Some(value);
            }
            Inst::Set(var, v) => f.vars[var.0 as usize] = Some(f.get(*v)?),
            Inst::Loop { var, lo, hi, step, body } => {
                let (mut i, hi) = (f.int(*lo)?, f.int(*hi)?);
                while i < hi {
                    f.vals[var.0 as usize] = Some(Value::I(i));
                    self.block(f, body)?;
                    i += step;
                }
            }
            Inst::If { cond, then, els } => match f.get(*cond)? {
                Value::B(true) => self.block(f, then)?,
                Value::B(false) => self.block(f, els)?,
                other => return Err(format!("branch on {other:?}")),
            },
            Inst::StoreLocal { offset, value } => self.store_local(f.int(*offset)?, f.get(*value)?)?,
            Inst::StoreGlobal { tensor, offset, value } if matches!(f.get(*value)?, Value::VF(_)) => {
                let Value::VF(row) = f.get(*value)? else { return Err("a row is no vector".to_string()) };
                for (x, i) in row.into_iter().take(self.lanes).zip(0..) {
                    let at = self.global(*tensor, f.int(*offset)? + i)?;
                    self.memory.tensors[*tensor][at] = f64::from(x);
                }
            }
            Inst::StoreGlobal { tensor, offset, value } => {
                let x = match f.get(*value)? {
                    Value::F(x) => f64::from(x),
                    Value::I(x) => x as f64,
                    Value::B(x) => f64::from(u8::from(x)),
                    other => return Err(format!("store of {other:?}")),
                };
                let at = self.global(*tensor, f.int(*offset)?)?;
                self.memory.tensors[*tensor][at] = self.types[*tensor].dtype.round(x);
            }
            Inst::StoreInt { slot, value } => self.memory.ints[*slot] = f.int(*value)?,
        }
        Ok(())
    }

    fn global(&self, tensor: usize, offset: i64) -> Result<usize, String> {
        self.memory.element(self.types, tensor, offset)
    }

    fn local(&self, offset: i64, words: usize) -> Result<usize, String> {
        let at = offset / 4;
        if offset < 0 || offset % 4 != 0 || at as usize + words > self.scratch.len() {
            return Err(format!("offset {offset} leaves the scratch of {} bytes", 4 * self.scratch.len()));
        }
        Ok(at as usize)
    }

    fn store_local(&mut self, offset: i64, value: Value) -> Result<(), String> {
        let mut words = [0; MAX_LANES];
        let mut count = self.lanes;
        match value {
            Value::I(x) => (words[0], count) = (x as u32, 1),
            Value::F(x) => (words[0], count) = (x.to_bits(), 1),
            Value::B(x) => (words[0], count) = (u32::from(x), 1),
            Value::VI(x) => words = x.map(|x| x as u32),
            Value::VF(x) => words = x.map(f32::to_bits),
            Value::VB(x) => words = x.map(|x| if x { u32::MAX } else { 0 }),
        }
        let at = self.local(offset, count)?;
        self.scratch[at..at + count].copy_from_slice(&words[..count]);
        Ok(())
    }

    fn load_local(&self, ty: Ty, offset: i64) -> Result<Value, String> {
        let words = if ty.is_vector() { self.lanes } else { 1 };
        let at = self.local(offset, words)?;
        let mut w = [0; MAX_LANES];
        w[..words].copy_from_slice(&self.scratch[at..at + words]);
        Ok(match ty {
            Ty::I64 => Value::I(i64::from(w[0] as i32)),
            Ty::F32 => Value::F(f32::from_bits(w[0])),
            Ty::B => Value::B(w[0] != 0),
            Ty::VI => Value::VI(w.map(|x| x as i32)),
            Ty::VF => Value::VF(w.map(f32::from_bits)),
            Ty::VB => Value::VB(w.map(|x| x != 0)),
        })
    }

    fn op(&self, f: &Frame, op: &Op) -> Result<Value, String> {
        Ok(match op {
            Op::ConstI(x) => Value::I(*x),
            Op::ConstF(x) => Value::F(*x),
            Op::ConstB(x) => Value::B(*x),
            Op::Get(var) => f.vars[var.0 as usize].ok_or("variable is not set")?,
            Op::Int(slot) => Value::I(self.memory.ints[*slot]),
            Op::FloatArg(slot) => Value::F(*self.memory.floats.get(*slot).ok_or("no such float")?),
            Op::Un(op, a) => unary(*op, f.get(*a)?)?,
            Op::Bin(op, a, b) => binary(*op, f.get(*a)?, f.get(*b)?)?,
            Op::Fma(a, b, c) => match (f.get(*a)?, f.get(*b)?, f.get(*c)?) {
                (Value::F(a), Value::F(b), Value::F(c)) => Value::F(a.mul_add(b, c)),
                (Value::VF(a), Value::VF(b), Value::VF(c)) => {
                    Value::VF(std::array::from_fn(|i| a[i].mul_add(b[i], c[i])))
                }
                _ => return Err("operands do not fit".into()),
            },
            Op::Cmp(op, a, b) => compare(*op, f.get(*a)?, f.get(*b)?)?,
            Op::Select(c, a, b) => select(f.get(*c)?, f.get(*a)?, f.get(*b)?)?,
            Op::Splat(a) => match f.get(*a)? {
                Value::I(x) => Value::VI([x as i32; MAX_LANES]),
                Value::F(x) => Value::VF([x; MAX_LANES]),
                Value::B(x) => Value::VB([x; MAX_LANES]),
                _ => return Err("operand is a vector".into()),
            },
            Op::Iota => Value::VI(std::array::from_fn(|i| i as i32)),
            Op::First(a) => match f.get(*a)? {
                Value::VF(x) => Value::F(x[0]),
                Value::VI(x) => Value::I(i64::from(x[0])),
                _ => return Err("operand is no vector of numbers".into()),
            },
            Op::RoundTo(dtype, a) => match f.get(*a)? {
                Value::F(x) => Value::F(dtype.round(f64::from(x)) as f32),
                _ => return Err("operand is no float".into()),
            },
            Op::LoadLocal(ty, offset) => self.load_local(*ty, f.int(*offset)?)?,
            Op::LoadGlobal(t, offset) => {
                let x = self.memory.tensors[*t][self.global(*t, f.int(*offset)?)?];
                match super::load_type(self.types[*t].dtype) {
                    Ty::I64 => Value::I(x as i64),
                    Ty::B => Value::B(x != 0.0),
                    _ => Value::F(x as f32),
                }
            }
            Op::LoadGlobalVec(t, offset) => {
                let first = f.int(*offset)?;
                let at = self.global(*t, first)?;
                self.global(*t, first + self.lanes as i64 - 1)?;
                Value::VF(std::array::from_fn(|i| {
                    if i < self.lanes { self.memory.tensors[*t][at + i] as f32 } else { 0.0 }
                }))
            }
            Op::IntToFloat(a)
            | Op::FloatToInt(a)
            | Op::BoolToInt(a)
            | Op::FloatBits(a)
            | Op::BitsFloat(a)
            | Op::Shl(a, _)
            | Op::Shr(a, _) => convert(op, f.get(*a)?)?,
        })
    }
}

impl Frame {
    fn get(&self, v: Val) -> Result<Value, String> {
        self.vals[v.0 as usize].ok_or_else(|| format!("v{} is not defined", v.0))
    }

    fn int(&self, v: Val) -> Result<i64, String> {
        match self.get(v)? {
            Value::I(x) => Ok(x),
            other => Err(format!("v{} is {other:?}", v.0)),
        }
    }
}

fn convert(op: &Op, a: Value) -> Result<Value, String> {
    Ok(match (op, a) {
        (Op::IntToFloat(_), Value::I(x)) => Value::F(x as f32),
        (Op::IntToFloat(_), Value::VI(x)) => Value::VF(x.map(|x| x as f32)),
        (Op::FloatToInt(_), Value::F(x)) => Value::I(x as i64),
        (Op::FloatToInt(_), Value::VF(x)) => Value::VI(x.map(|x| x as i32)),
        (Op::BoolToInt(_), Value::B(x)) => Value::I(i64::from(x)),
        (Op::BoolToInt(_), Value::VB(x)) => Value::VI(x.map(i32::from)),
        (Op::FloatBits(_), Value::VF(x)) => Value::VI(x.map(|x| x.to_bits() as i32)),
        (Op::BitsFloat(_), Value::VI(x)) => Value::VF(x.map(|x| f32::from_bits(x as u32))),
        (Op::Shl(_, n), Value::VI(x)) => Value::VI(x.map(|x| x << n)),
        (Op::Shr(_, n), Value::VI(x)) => Value::VI(x.map(|x| x >> n)),
        (_, a) => return Err(format!("operand {a:?} does not fit")),
    })
}

fn unary(op: LaneUn, a: Value) -> Result<Value, String> {
    let float: Option<fn(f32) -> f32> = match op {
        LaneUn::Neg => Some(|x| -x),
        LaneUn::Abs => Some(f32::abs),
        LaneUn::Sqrt => Some(f32::sqrt),
        LaneUn::Floor => Some(f32::floor),
        LaneUn::Ceil => Some(f32::ceil),
        LaneUn::Round => Some(f32::round_ties_even),
        LaneUn::Not | LaneUn::Popcount | LaneUn::Ilog2 => None,
    };
    Ok(match (op, a, float) {
        (_, Value::F(x), Some(g)) => Value::F(g(x)),
        (_, Value::VF(x), Some(g)) => Value::VF(x.map(g)),
        (LaneUn::Neg, Value::I(x), _) => Value::I(x.wrapping_neg()),
        (LaneUn::Neg, Value::VI(x), _) => Value::VI(x.map(i32::wrapping_neg)),
        (LaneUn::Abs, Value::I(x), _) => Value::I(x.wrapping_abs()),
        (LaneUn::Abs, Value::VI(x), _) => Value::VI(x.map(i32::wrapping_abs)),
        (LaneUn::Not, Value::B(x), _) => Value::B(!x),
        (LaneUn::Not, Value::VB(x), _) => Value::VB(x.map(|x| !x)),
        (LaneUn::Popcount, Value::I(x), _) => Value::I(i64::from(x.count_ones())),
        (LaneUn::Ilog2, Value::I(x), _) => Value::I(x.checked_ilog2().map_or(-1, i64::from)),
        (op, a, _) => return Err(format!("{op:?} of {a:?}")),
    })
}

fn float_bin(op: LaneBin, a: f32, b: f32) -> f32 {
    match op {
        LaneBin::Add => a + b,
        LaneBin::Sub => a - b,
        LaneBin::Mul => a * b,
        LaneBin::Div => a / b,
        LaneBin::Min => {
            if a < b {
                a
            } else {
                b
            }
        }
        LaneBin::Max => {
            if a > b {
                a
            } else {
                b
            }
        }
        LaneBin::FloorDiv | LaneBin::Mod | LaneBin::And | LaneBin::Or => f32::NAN,
    }
}

fn int_bin(op: LaneBin, a: i64, b: i64) -> i64 {
    match op {
        LaneBin::Add => a.wrapping_add(b),
        LaneBin::Sub => a.wrapping_sub(b),
        LaneBin::Mul => a.wrapping_mul(b),
        LaneBin::Min => a.min(b),
        LaneBin::Max => a.max(b),
        LaneBin::FloorDiv => floor_div(a, b),
        LaneBin::Mod => floor_mod(a, b),
        LaneBin::And => a & b,
        LaneBin::Or => a | b,
        LaneBin::Div => 0,
    }
}

fn binary(op: LaneBin, a: Value, b: Value) -> Result<Value, String> {
    let logic = |a: bool, b: bool| if op == LaneBin::And { a && b } else { a || b };
    Ok(match (a, b) {
        (Value::I(a), Value::I(b)) => Value::I(int_bin(op, a, b)),
        (Value::F(a), Value::F(b)) => Value::F(float_bin(op, a, b)),
        (Value::B(a), Value::B(b)) => Value::B(logic(a, b)),
        (Value::VI(a), Value::VI(b)) => {
            Value::VI(std::array::from_fn(|i| int_bin(op, i64::from(a[i]), i64::from(b[i])) as i32))
        }
        (Value::VF(a), Value::VF(b)) => Value::VF(std::array::from_fn(|i| float_bin(op, a[i], b[i]))),
        (Value::VB(a), Value::VB(b)) => Value::VB(std::array::from_fn(|i| logic(a[i], b[i]))),
        (a, b) => return Err(format!("{op:?} of {a:?} and {b:?}")),
    })
}

fn holds<T: PartialOrd>(op: LaneCmp, a: T, b: T) -> bool {
    match op {
        LaneCmp::Eq => a == b,
        LaneCmp::Ne => a != b,
        LaneCmp::Lt => a < b,
        LaneCmp::Le => a <= b,
        LaneCmp::Gt => a > b,
        LaneCmp::Ge => a >= b,
    }
}

fn compare(op: LaneCmp, a: Value, b: Value) -> Result<Value, String> {
    Ok(match (a, b) {
        (Value::I(a), Value::I(b)) => Value::B(holds(op, a, b)),
        (Value::F(a), Value::F(b)) => Value::B(holds(op, a, b)),
        (Value::VI(a), Value::VI(b)) => Value::VB(std::array::from_fn(|i| holds(op, a[i], b[i]))),
        (Value::VF(a), Value::VF(b)) => Value::VB(std::array::from_fn(|i| holds(op, a[i], b[i]))),
        (a, b) => return Err(format!("{op:?} of {a:?} and {b:?}")),
    })
}

fn blend<T: Copy>(c: [bool; MAX_LANES], a: [T; MAX_LANES], b: [T; MAX_LANES]) -> [T; MAX_LANES] {
    std::array::from_fn(|i| if c[i] { a[i] } else { b[i] })
}

fn select(c: Value, a: Value, b: Value) -> Result<Value, String> {
    Ok(match (c, a, b) {
        (Value::B(c), a, b) => {
            if c {
                a
            } else {
                b
            }
        }
        (Value::VB(c), Value::VF(a), Value::VF(b)) => Value::VF(blend(c, a, b)),
        (Value::VB(c), Value::VI(a), Value::VI(b)) => Value::VI(blend(c, a, b)),
        (Value::VB(c), Value::VB(a), Value::VB(b)) => Value::VB(blend(c, a, b)),
        (c, a, b) => return Err(format!("choice of {a:?} and {b:?} by {c:?}")),
    })
}
