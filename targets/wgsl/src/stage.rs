//! One stage as an entry point.

use crate::layout::{ArgsLayout, slot, table_bases};
use crate::op::{literal, type_name};
use crate::uniform::Uniform;
use crate::{memory, names};
use einattn_compiler::lane::MemRole;
use einattn_compiler::simt::{ArrayId, Inst, Op, Place, SimtKernel, SimtStage, Space, Val};
use std::collections::BTreeSet;

/// Writes one stage.
pub(crate) struct Writer<'k> {
    pub(crate) kernel: &'k SimtKernel,
    pub(crate) stage: &'k SimtStage,
    pub(crate) number: usize,
    pub(crate) uniform: Uniform,
    /// Numbers of the words of packed tensors so far.
    pub(crate) words: usize,
    /// One thread reads for all somewhere.
    pub(crate) shares_word: bool,
    names: Vec<String>,
    /// What defines each value.
    ops: Vec<Option<&'k Op>>,
    /// What stands for a value instead of its name.
    inline: Vec<Option<String>>,
    table_bases: Vec<usize>,
    text: String,
    depth: usize,
}

/// Text of a stage: declarations of the module, and the function.
pub(crate) struct StageText {
    pub(crate) globals: String,
    pub(crate) function: String,
    /// What the function touches.
    pub(crate) touched: Touched,
    /// Bytes of workgroup memory.
    pub(crate) shared_bytes: u32,
}

/// What a stage touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Tensors, of any role.
    pub(crate) tensors: BTreeSet<usize>,
    /// Those, and the scratch, that it reads.
    reads: BTreeSet<Option<usize>>,
    /// Those, and the scratch, that it writes.
    writes: BTreeSet<Option<usize>>,
}

impl Touched {
    fn of(insts: &[Inst]) -> Touched {
        let mut t = Touched::default();
        t.block(insts);
        t
    }

    fn block(&mut self, insts: &[Inst]) {
        for inst in insts {
            match inst {
                Inst::Load { from, .. } => self.place(*from, false),
                Inst::Store { to, .. } => self.place(*to, true),
                Inst::Loop { body, .. } => self.block(body),
                Inst::If { then, els, .. } => {
                    self.block(then);
                    self.block(els);
                }
                _ => {}
            }
        }
    }

    fn place(&mut self, place: Place, write: bool) {
        let what = match place {
            Place::Global(t, _) => Some(t),
            Place::Scratch(_) => None,
            Place::Array(..) => return,
        };
        self.tensors.extend(what);
        if write {
            self.writes.insert(what)
        } else {
            self.reads.insert(what)
        };
    }

    /// True if the block has scratch.
    pub(crate) fn scratch(&self) -> bool {
        self.reads.contains(&None) || self.writes.contains(&None)
    }

    /// True if threads may see through memory what others wrote.
    fn exchanges(&self) -> bool {
        self.reads.intersection(&self.writes).next().is_some()
    }
}

/// Writes the stage with this number.
pub(crate) fn write(kernel: &SimtKernel, number: usize) -> StageText {
    let stage = &kernel.stages[number];
    let touched = Touched::of(&stage.body);
    let names = names::values(kernel, stage);
    let mut ops = vec![None; stage.vals.len()];
    each_op(&stage.body, &mut |v, op| ops[v.0 as usize] = Some(op));
    let mut w = Writer {
        kernel,
        stage,
        number,
        uniform: Uniform::of(kernel, stage),
        words: 0,
        shares_word: false,
        inline: inline(stage, &names),
        names,
        ops,
        table_bases: table_bases(kernel),
        text: String::new(),
        depth: 0,
    };
    w.function(&touched);
    let shared: Vec<_> = stage.arrays.iter().filter(|a| a.space == Space::Shared).collect();
    let mut globals: String = shared.iter().map(|a| memory::array_declaration(a, number) + "\n").collect();
    if w.shares_word {
        globals.push_str(&format!("var<workgroup> shared{number}_for_all: u32;\n"));
    }
    let shared_bytes =
        shared.iter().map(|a| a.len.saturating_mul(4)).fold(4 * u32::from(w.shares_word), u32::saturating_add);
    StageText { globals, function: w.text, touched, shared_bytes }
}

/// What stands for a value instead of its name: constants, the thread, the item, and offsets, which are integers here. An expression
/// of constants only would be evaluated by the compiler of the shader, which refuses overflows: constants in such a one are named.
fn inline(stage: &SimtStage, names: &[String]) -> Vec<Option<String>> {
    let mut constants: Vec<Option<String>> = vec![None; stage.vals.len()];
    each_op(&stage.body, &mut |v, op| {
        constants[v.0 as usize] = match op {
            Op::ToOff(a) => constants[a.0 as usize].clone(),
            other => literal(other),
        };
    });
    let mut named = BTreeSet::new();
    each_op(&stage.body, &mut |_, op| {
        let operands = op.operands();
        let evaluated = !matches!(op, Op::ToOff(_)) && operands.iter().all(|v| constants[v.0 as usize].is_some());
        named.extend(operands.into_iter().filter(|_| evaluated));
    });
    let mut texts = constants;
    named.iter().for_each(|v| texts[v.0 as usize] = None);
    each_op(&stage.body, &mut |v, op| match op {
        Op::Thread => texts[v.0 as usize] = Some("thread".to_string()),
        Op::Item => texts[v.0 as usize] = Some("item".to_string()),
        // Operands are defined before.
        Op::ToOff(a) if !named.contains(&v) => {
            let a = a.0 as usize;
            texts[v.0 as usize] = Some(texts[a].clone().unwrap_or_else(|| names[a].clone()));
        }
        _ => {}
    });
    texts
}

fn each_op<'k>(insts: &'k [Inst], f: &mut impl FnMut(Val, &'k Op)) {
    for inst in insts {
        match inst {
            Inst::Let(v, op) => f(*v, op),
            Inst::Loop { body, .. } => each_op(body, f),
            Inst::If { then, els, .. } => {
                each_op(then, f);
                each_op(els, f);
            }
            _ => {}
        }
    }
}

impl Writer<'_> {
    pub(crate) fn line(&mut self, text: &str) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(text);
        self.text.push('\n');
    }

    pub(crate) fn open(&mut self, text: &str) {
        self.line(text);
        self.depth += 1;
    }

    pub(crate) fn close(&mut self, text: &str) {
        self.depth -= 1;
        self.line(text);
    }

    /// A value where it is used.
    pub(crate) fn operand(&self, v: Val) -> String {
        let i = v.0 as usize;
        self.inline[i].clone().unwrap_or_else(|| self.names[i].clone())
    }

    pub(crate) fn define(&mut self, v: Val, text: &str) {
        let (name, ty) = (&self.names[v.0 as usize], type_name(self.stage.ty(v)));
        self.line(&format!("let {name}: {ty} = {text};"));
    }

    /// The operation that defines a value.
    pub(crate) fn op_of(&self, v: Val) -> Option<&Op> {
        self.ops[v.0 as usize]
    }

    pub(crate) fn tensor(&self, t: usize) -> String {
        names::tensor(&self.kernel.tensors[t], t)
    }

    pub(crate) fn array(&self, a: ArrayId) -> String {
        names::array(&self.stage.arrays[a.0 as usize], self.number)
    }

    /// First word of a table among the tables.
    pub(crate) fn table_base(&self, t: usize) -> usize {
        self.table_bases[t]
    }

    /// First word of a workspace tensor in the pool.
    pub(crate) fn workspace_base(&self, t: usize) -> String {
        slot("bases", self.workspaces(t))
    }

    /// Workspace tensors before a tensor.
    fn workspaces(&self, t: usize) -> usize {
        self.kernel.tensors[..t].iter().filter(|t| t.role == MemRole::Workspace).count()
    }

    fn function(&mut self, touched: &Touched) {
        let stage = self.stage;
        self.line(&format!("@compute @workgroup_size({})", stage.threads));
        self.open(&format!("fn {}(", names::entry(stage, self.number)));
        self.line("@builtin(workgroup_id) group: vec3<u32>,");
        self.line("@builtin(num_workgroups) groups: vec3<u32>,");
        self.line("@builtin(local_invocation_index) local: u32,");
        self.depth -= 1;
        self.open(") {");
        self.line("let thread = i32(local);");
        self.line(&format!("let inf = {};", slot("floats", 0)));
        self.line(&format!("let nan = {};", slot("floats", 1)));
        if touched.scratch() {
            let base = slot("bases", ArgsLayout::of(self.kernel).bases - 1);
            let bytes = slot("ints", self.kernel.ints.scratch(self.number));
            self.line(&format!("let scratch = {base} + i32(group.x) * (({bytes} + 3) / 4);"));
        }
        for a in stage.arrays.iter().filter(|a| a.space == Space::Private) {
            self.line(&memory::array_declaration(a, self.number));
        }
        let items = slot("ints", self.kernel.ints.items(self.number));
        self.open(&format!("for (var item = i32(group.x); item < {items}; item += i32(groups.x)) {{"));
        for (i, ty) in stage.vars.iter().enumerate() {
            self.line(&format!("var var_{i}: {};", type_name(*ty)));
        }
        self.block(&stage.body, touched);
        if touched.scratch() || stage.arrays.iter().any(|a| a.space == Space::Shared) {
            // The next item uses the same memory.
            self.barrier(touched);
        }
        self.close("}");
        self.close("}");
    }

    fn barrier(&mut self, touched: &Touched) {
        self.line("workgroupBarrier();");
        if touched.exchanges() {
            self.line("storageBarrier();");
        }
    }

    fn block(&mut self, insts: &[Inst], touched: &Touched) {
        insts.iter().for_each(|i| self.inst(i, touched));
    }

    fn inst(&mut self, inst: &Inst, touched: &Touched) {
        match inst {
            Inst::Comment(text) => text.lines().for_each(|l| self.line(&format!("// {l}"))),
            Inst::Let(v, op) => {
                if self.inline[v.0 as usize].is_none() {
                    self.define(*v, &self.expression(op));
                }
            }
            Inst::Set(var, v) => self.line(&format!("var_{} = {};", var.0, self.operand(*v))),
            Inst::Loop { var, lo, hi, step, body } => {
                let i = &self.names[var.0 as usize];
                let (lo, hi) = (self.operand(*lo), self.operand(*hi));
                self.open(&format!("for (var {i}: i32 = {lo}; {i} < {hi}; {i} += {step}) {{"));
                self.block(body, touched);
                self.close("}");
            }
            Inst::If { cond, then, els } => {
                self.open(&format!("if ({}) {{", self.operand(*cond)));
                self.block(then, touched);
                if !els.is_empty() {
                    self.depth -= 1;
                    self.open("} else {");
                    self.block(els, touched);
                }
                self.close("}");
            }
            Inst::Load { dst, from } => self.load(dst, *from),
            Inst::Store { to, values } => self.store(*to, values),
            Inst::Barrier => self.barrier(touched),
            // Refused before: see `limits`.
            Inst::Mma { .. }
            | Inst::GroupMma { .. }
            | Inst::LoadMatrix { .. }
            | Inst::CopyAsync { .. }
            | Inst::CopyCommit
            | Inst::CopyWait(_) => {}
        }
    }
}
