//! One function: a flat match over instructions and operations.

use crate::{inline, names, put, refuse};
use einattn_compiler::diag::Refusal;
use einattn_compiler::lane::{Func, Inst, LaneBin, LaneCmp, LaneKernel, LaneUn, MemTensor, Op, Ty, Val, Var};
use einattn_compiler::types::DType;

/// Appends a function with the calling convention of stages.
pub(crate) fn function(
    out: &mut String,
    kernel: &LaneKernel,
    name: &str,
    func: &Func,
    features: Option<&str>,
) -> Result<(), Refusal> {
    let mut uses = vec![0; func.vals.len()];
    inline::count_uses(&func.body, &mut uses);
    let texts = vec![None; func.vals.len()];
    let mut e = Emit { kernel, func, texts, uses, local: vec![false; func.vars.len()], out };
    e.home_variables();
    if let Some(features) = features {
        e.line(1, format_args!("#[target_feature(enable = \"{features}\")]"));
    }
    e.line(1, format_args!("pub(super) unsafe extern \"C\" fn {name}("));
    for argument in
        ["ptrs: *const *mut u8", "ints: *mut i64", "floats: *const f32", "scratch: *mut u8", "v0: i64", "v1: i64"]
    {
        e.line(2, format_args!("{argument},"));
    }
    e.line(1, format_args!(") {{"));
    e.line(2, format_args!("// SAFETY: the launcher has checked arguments and memory against the description."));
    e.line(2, format_args!("unsafe {{"));
    e.bases();
    e.variables();
    e.block(&func.body, 3)?;
    e.line(2, format_args!("}}"));
    e.line(1, format_args!("}}"));
    Ok(())
}

struct Emit<'a> {
    kernel: &'a LaneKernel,
    func: &'a Func,
    /// Literals and expressions that are written where they are used.
    texts: Vec<Option<String>>,
    /// How often each value is used.
    uses: Vec<usize>,
    /// Variables that are declared by their first assignment.
    local: Vec<bool>,
    out: &'a mut String,
}

/// Path of a block: an index at every level. A variable may be declared by its first assignment if every other
/// mention lies in that block or below.
#[derive(Default)]
struct Homes {
    path: Vec<u32>,
    next: u32,
    home: Vec<Option<Vec<u32>>>,
    escapes: Vec<bool>,
}

impl Homes {
    fn mention(&mut self, var: Var, sets: bool) {
        let i = var.0 as usize;
        match &self.home[i] {
            None if sets => self.home[i] = Some(self.path.clone()),
            Some(h) if self.path.starts_with(h) => {}
            _ => self.escapes[i] = true,
        }
    }

    fn block(&mut self, insts: &[Inst]) {
        self.next += 1;
        self.path.push(self.next);
        for i in insts {
            match i {
                Inst::Set(var, _) => self.mention(*var, true),
                Inst::Let(_, Op::Get(var)) => self.mention(*var, false),
                Inst::Loop { body, .. } => self.block(body),
                Inst::If { then, els, .. } => {
                    self.block(then);
                    self.block(els);
                }
                _ => {}
            }
        }
        self.path.pop();
    }
}

impl Emit<'_> {
    fn line(&mut self, depth: usize, text: std::fmt::Arguments<'_>) {
        put(self.out, format_args!("{:1$}{2}\n", "", depth * 4, text));
    }

    fn home_variables(&mut self) {
        let n = self.func.vars.len();
        let mut homes = Homes { home: vec![None; n], escapes: vec![false; n], ..Homes::default() };
        homes.block(&self.func.body);
        self.local = homes.escapes.iter().map(|e| !e).collect();
    }

    /// Base pointers of the tensors.
    fn bases(&mut self) {
        for (i, t) in self.kernel.tensors.iter().enumerate() {
            if mentions(&self.func.body, i) {
                let name = base(i, t);
                self.line(3, format_args!("let {name} = *ptrs.add({i});"));
            }
        }
    }

    fn variables(&mut self) {
        for (i, ty) in self.func.vars.iter().enumerate() {
            if !self.local[i] {
                self.line(3, format_args!("let mut x{i}: {};", rust_type(*ty)));
            }
        }
        self.local.iter_mut().for_each(|l| *l = !*l);
    }

    fn v(&self, v: Val) -> String {
        self.texts[v.0 as usize].clone().unwrap_or_else(|| format!("v{}", v.0))
    }

    fn block(&mut self, insts: &[Inst], depth: usize) -> Result<(), Refusal> {
        for (i, inst) in insts.iter().enumerate() {
            if let Inst::Let(v, op) = inst
                && self.inline(*v, op, &insts[i + 1..])?
            {
                continue;
            }
            self.inst(inst, depth)?;
        }
        Ok(())
    }

    /// Keeps the text of a value for its use if that reads well and changes nothing.
    fn inline(&mut self, v: Val, op: &Op, rest: &[Inst]) -> Result<bool, Refusal> {
        let uses = self.uses[v.0 as usize];
        if let Op::Get(var) = op {
            let same = inline::uses_before_set(rest, v, *var) == uses;
            if same {
                self.texts[v.0 as usize] = Some(format!("x{}", var.0));
            }
            return Ok(same);
        }
        if uses != 1 || !inline::is_call(self.func, op) || rest.first().is_none_or(|i| inline::uses(i, v) != 1) {
            return Ok(false);
        }
        let text = self.operation(op)?;
        let short = text.len() <= 80;
        if short {
            self.texts[v.0 as usize] = Some(text);
        }
        Ok(short)
    }

    fn inst(&mut self, inst: &Inst, depth: usize) -> Result<(), Refusal> {
        match inst {
            Inst::Comment(text) => self.line(depth, format_args!("// {text}")),
            Inst::Let(v, op) => match op {
                Op::ConstI(c) => self.texts[v.0 as usize] = Some(names::int(*c)),
                Op::ConstF(c) => self.texts[v.0 as usize] = Some(names::float(*c)),
                Op::ConstB(c) => self.texts[v.0 as usize] = Some(c.to_string()),
                Op::Int(slot) => {
                    let what = names::slot(self.kernel, *slot);
                    self.line(depth, format_args!("let v{} = *ints.add({slot}); // {what}", v.0));
                }
                _ => {
                    let text = self.operation(op)?;
                    self.line(depth, format_args!("let v{} = {text};", v.0));
                }
            },
            Inst::Set(var, v) => {
                let value = self.v(*v);
                let declared = std::mem::replace(&mut self.local[var.0 as usize], true);
                let keyword = if declared { "" } else { "let mut " };
                self.line(depth, format_args!("{keyword}x{} = {value};", var.0));
            }
            Inst::Loop { var, lo, hi, step, body } => {
                let (i, lo, hi) = (var.0, self.v(*lo), self.v(*hi));
                self.line(depth, format_args!("let mut i{i} = {lo};"));
                self.line(depth, format_args!("while i{i} < {hi} {{"));
                self.line(depth + 1, format_args!("let v{i} = i{i};"));
                self.block(body, depth + 1)?;
                self.line(depth + 1, format_args!("i{i} = i{i}.wrapping_add({step});"));
                self.line(depth, format_args!("}}"));
            }
            Inst::If { cond, then, els } => {
                let cond = self.v(*cond);
                self.line(depth, format_args!("if {cond} {{"));
                self.block(then, depth + 1)?;
                if !els.is_empty() {
                    self.line(depth, format_args!("}} else {{"));
                    self.block(els, depth + 1)?;
                }
                self.line(depth, format_args!("}}"));
            }
            Inst::StoreLocal { offset, value } => {
                let put = match self.func.ty(*value) {
                    Ty::I64 => "put_i",
                    Ty::F32 => "put_f",
                    Ty::B => "put_b",
                    Ty::VI => "store_i",
                    Ty::VF => "store",
                    Ty::VB => "store_b",
                };
                let (offset, value) = (self.v(*offset), self.v(*value));
                self.line(depth, format_args!("{put}(scratch, {offset}, {value});"));
            }
            Inst::StoreGlobal { tensor, offset, value } => {
                let t = &self.kernel.tensors[*tensor];
                let (access, base) = (access(self.kernel, t)?, base(*tensor, t));
                if self.func.ty(*value) == Ty::VF {
                    let (offset, value) = (self.v(*offset), self.v(*value));
                    self.line(depth, format_args!("store_global({base}, {offset}, {value});"));
                    return Ok(());
                }
                let value = self.stored(t.dtype, *value);
                let offset = self.v(*offset);
                self.line(depth, format_args!("write_{access}({base}, {offset}, {value});"));
            }
            Inst::StoreInt { slot, value } => {
                let (value, what) = (self.v(*value), names::slot(self.kernel, *slot));
                self.line(depth, format_args!("*ints.add({slot}) = {value}; // {what}"));
            }
        }
        Ok(())
    }

    /// A value as the argument of a store to a tensor of this type.
    fn stored(&self, dtype: DType, v: Val) -> String {
        let text = self.v(v);
        match (self.func.ty(v), einattn_compiler::lane::load_type(dtype)) {
            (Ty::I64, Ty::F32) => format!("{text} as f32"),
            (Ty::B, Ty::F32) => format!("f32::from(u8::from({text}))"),
            (Ty::F32, Ty::I64) => format!("{text} as i64"),
            (Ty::B, Ty::I64) => format!("i64::from({text})"),
            (Ty::F32, Ty::B) => format!("{text} != 0.0"),
            (Ty::I64, Ty::B) => format!("{text} != 0"),
            _ => text,
        }
    }

    fn operation(&self, op: &Op) -> Result<String, Refusal> {
        let v = |v: &Val| self.v(*v);
        Ok(match op {
            Op::ConstI(_) | Op::ConstF(_) | Op::ConstB(_) | Op::Int(_) => String::new(),
            Op::Get(var) => format!("x{}", var.0),
            Op::FloatArg(i) => format!("*floats.add({i}) /* {} */", self.kernel.floats.get(*i).map_or("", |s| s)),
            Op::Un(op, a) => unary(*op, self.func.ty(*a), &v(a)),
            Op::Bin(op, a, b) => binary(*op, self.func.ty(*a), &v(a), &v(b)),
            Op::Fma(a, b, c) if self.func.ty(*a) == Ty::F32 => format!("{} * {} + {}", v(a), v(b), v(c)),
            Op::Fma(a, b, c) => format!("fma({}, {}, {})", v(a), v(b), v(c)),
            Op::Cmp(op, a, b) => compare(*op, self.func.ty(*a), &v(a), &v(b)),
            Op::Select(c, a, b) if self.func.ty(*c) == Ty::B => {
                format!("if {} {{ {} }} else {{ {} }}", v(c), v(a), v(b))
            }
            Op::Select(c, a, b) => {
                let suffix = match self.func.ty(*a) {
                    Ty::VI => "_i",
                    Ty::VB => "_b",
                    _ => "",
                };
                format!("select{suffix}({}, {}, {})", v(c), v(a), v(b))
            }
            Op::Splat(a) => match self.func.ty(*a) {
                Ty::I64 => format!("splat_i({})", v(a)),
                Ty::B => format!("splat_b({})", v(a)),
                _ => format!("splat({})", v(a)),
            },
            Op::Iota => "iota()".into(),
            Op::First(a) if self.func.ty(*a) == Ty::VI => format!("first_i({})", v(a)),
            Op::First(a) => format!("first({})", v(a)),
            Op::IntToFloat(a) if self.func.ty(*a) == Ty::VI => format!("float({})", v(a)),
            Op::IntToFloat(a) => format!("{} as f32", v(a)),
            Op::FloatToInt(a) if self.func.ty(*a) == Ty::VF => format!("int({})", v(a)),
            Op::FloatToInt(a) => format!("{} as i64", v(a)),
            Op::BoolToInt(a) if self.func.ty(*a) == Ty::VB => format!("bool_int({})", v(a)),
            Op::BoolToInt(a) => format!("i64::from({})", v(a)),
            Op::FloatBits(a) => format!("bits({})", v(a)),
            Op::BitsFloat(a) => format!("from_bits({})", v(a)),
            Op::Shl(a, n) => format!("shl::<{n}>({})", v(a)),
            Op::Shr(a, n) => format!("shr::<{n}>({})", v(a)),
            Op::RoundTo(t, a) => round(self.kernel, *t, &v(a))?,
            Op::LoadLocal(t, a) => {
                let get = match t {
                    Ty::I64 => "get_i",
                    Ty::F32 => "get_f",
                    Ty::B => "get_b",
                    Ty::VI => "load_i",
                    Ty::VF => "load",
                    Ty::VB => "load_b",
                };
                format!("{get}(scratch, {})", v(a))
            }
            Op::LoadGlobal(t, a) => {
                let tensor = &self.kernel.tensors[*t];
                format!("read_{}({}, {})", access(self.kernel, tensor)?, base(*t, tensor), v(a))
            }
            Op::LoadGlobalVec(t, a) => format!("load_global({}, {})", base(*t, &self.kernel.tensors[*t]), v(a)),
        })
    }
}

fn rust_type(ty: Ty) -> &'static str {
    match ty {
        Ty::I64 => "i64",
        Ty::F32 => "f32",
        Ty::B => "bool",
        Ty::VF => "VF",
        Ty::VI => "VI",
        Ty::VB => "VB",
    }
}

fn base(i: usize, t: &MemTensor) -> String {
    format!("t{i}_{}", names::identifier(&t.name))
}

/// Suffix of the access functions of a storage type.
fn access(kernel: &LaneKernel, t: &MemTensor) -> Result<&'static str, Refusal> {
    crate::dtype(kernel, t)?;
    Ok(t.dtype.name())
}

fn mentions(insts: &[Inst], tensor: usize) -> bool {
    insts.iter().any(|i| match i {
        Inst::Let(_, Op::LoadGlobal(t, _) | Op::LoadGlobalVec(t, _)) => *t == tensor,
        Inst::StoreGlobal { tensor: t, .. } => *t == tensor,
        Inst::Loop { body, .. } => mentions(body, tensor),
        Inst::If { then, els, .. } => mentions(then, tensor) || mentions(els, tensor),
        _ => false,
    })
}

fn round(kernel: &LaneKernel, t: DType, a: &str) -> Result<String, Refusal> {
    Ok(match t {
        DType::F32 | DType::F64 => a.to_string(),
        DType::F16 | DType::Bf16 | DType::F8E4M3 | DType::F8E5M2 => format!("round_{}({a})", t.name()),
        DType::I32 | DType::I8 | DType::U8 | DType::Bool => {
            return Err(refuse(kernel, format!("a float is rounded to {t}")));
        }
    })
}

fn unary(op: LaneUn, ty: Ty, a: &str) -> String {
    let name = match op {
        LaneUn::Neg => "neg",
        LaneUn::Abs => "abs",
        LaneUn::Not => "not",
        LaneUn::Sqrt => "sqrt",
        LaneUn::Floor => "floor",
        LaneUn::Ceil => "ceil",
        LaneUn::Round => "round",
        LaneUn::Popcount => return format!("i64::from({a}.count_ones())"),
        LaneUn::Ilog2 => return format!("ilog2({a})"),
    };
    match (ty, op) {
        (Ty::VF, _) => format!("{name}({a})"),
        (Ty::VI, _) => format!("{name}_i({a})"),
        (Ty::VB, _) => format!("{name}_b({a})"),
        (Ty::B, _) => format!("!{a}"),
        (Ty::I64, LaneUn::Neg) => format!("{a}.wrapping_neg()"),
        (Ty::I64, _) => format!("{a}.wrapping_abs()"),
        (Ty::F32, LaneUn::Neg) => format!("-{a}"),
        (Ty::F32, LaneUn::Round) => format!("{a}.round_ties_even()"),
        (Ty::F32, _) => format!("{a}.{name}()"),
    }
}

fn binary(op: LaneBin, ty: Ty, a: &str, b: &str) -> String {
    let (name, symbol) = match op {
        LaneBin::Add => ("add", "+"),
        LaneBin::Sub => ("sub", "-"),
        LaneBin::Mul => ("mul", "*"),
        LaneBin::Div => ("div", "/"),
        LaneBin::Min => ("min", ""),
        LaneBin::Max => ("max", ""),
        LaneBin::FloorDiv => return format!("floor_div({a}, {b})"),
        LaneBin::Mod => return format!("floor_mod({a}, {b})"),
        LaneBin::And => ("and", "&"),
        LaneBin::Or => ("or", "|"),
    };
    match ty {
        Ty::VF => format!("{name}({a}, {b})"),
        Ty::VI => format!("{name}_i({a}, {b})"),
        Ty::VB => format!("{name}_b({a}, {b})"),
        Ty::B => format!("{a} {symbol} {b}"),
        Ty::I64 if symbol.is_empty() => format!("{a}.{name}({b})"),
        Ty::I64 => format!("{a}.wrapping_{name}({b})"),
        Ty::F32 if symbol.is_empty() => format!("{name}_f({a}, {b})"),
        Ty::F32 => format!("{a} {symbol} {b}"),
    }
}

fn compare(op: LaneCmp, ty: Ty, a: &str, b: &str) -> String {
    let (name, symbol) = match op {
        LaneCmp::Eq => ("eq", "=="),
        LaneCmp::Ne => ("ne", "!="),
        LaneCmp::Lt => ("lt", "<"),
        LaneCmp::Le => ("le", "<="),
        LaneCmp::Gt => ("gt", ">"),
        LaneCmp::Ge => ("ge", ">="),
    };
    match ty {
        Ty::VF => format!("{name}({a}, {b})"),
        Ty::VI => format!("{name}_i({a}, {b})"),
        _ => format!("{a} {symbol} {b}"),
    }
}
