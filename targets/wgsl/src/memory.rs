//! Reads and writes: one element, or some that follow each other, of a tensor, an array or the scratch.

use crate::layout::{Storage, binding_type, written};
use crate::stage::Writer;
use einattn_compiler::lane::{MemRole, MemTensor};
use einattn_compiler::simt::{Array, Elem, Place, Space, Ty, Val, typing::scalar_type};
use einattn_compiler::types::DType;

/// True for tensors that stages write; workspace is.
pub(crate) fn is_written(t: &MemTensor) -> bool {
    written(t) || t.role == MemRole::Workspace
}

/// The 16-bit type of an array, which keeps rounded f32.
fn half(a: &Array) -> Option<Elem> {
    (a.elem.bytes() == 2).then_some(a.elem)
}

fn type_word(elem: Elem) -> &'static str {
    elem.dtype().name()
}

impl Writer<'_> {
    /// Reads elements into values.
    pub(crate) fn load(&mut self, dst: &[Val], from: Place) {
        let at = self.operand(from.offset());
        if self.uniform.shares(self.kernel, self.stage, dst, from) {
            return self.load_for_all(dst, from, &at);
        }
        if let Place::Global(t, _) = from
            && let Some(words) = self.packed(t)
        {
            return self.load_packed(dst, t, &at, words);
        }
        let pairs = self.stage.ty(dst[0]) == Ty::Pair;
        for (i, v) in dst.iter().enumerate() {
            let text = match pairs {
                true => {
                    let elem = self.half_of(from);
                    let [a, b] = [2 * i, 2 * i + 1].map(|i| self.element(from, &plus(&at, i), Ty::F32));
                    format!("pack_{}({a}, {b})", type_word(elem))
                }
                false => self.element(from, &plus(&at, i), self.stage.ty(*v)),
            };
            self.define(*v, &text);
        }
    }

    /// Reads made by one thread for all.
    fn load_for_all(&mut self, dst: &[Val], from: Place, at: &str) {
        let name = format!("shared{}_for_all", self.number);
        for (i, v) in dst.iter().enumerate() {
            let ty = self.stage.ty(*v);
            let text = self.element(from, &plus(at, i), ty);
            self.line(&format!("if (thread == 0) {{ {name} = {}; }}", to_bits(&text, ty)));
            self.define(*v, &from_bits(&format!("workgroupUniformLoad(&{name})"), ty));
        }
        self.shares_word = true;
    }

    /// Storage of a caller's tensor of several elements a word.
    fn packed(&self, t: usize) -> Option<Storage> {
        let tensor = &self.kernel.tensors[t];
        let caller = matches!(tensor.role, MemRole::In | MemRole::Out | MemRole::InOut);
        Storage::of(tensor.dtype).filter(|s| caller && *s != Storage::Word)
    }

    /// The 16-bit type at a place.
    fn half_of(&self, place: Place) -> Elem {
        let half = match place {
            Place::Global(t, _) => Elem::half(self.kernel.tensors[t].dtype),
            Place::Array(a, _) => half(&self.stage.arrays[a.0 as usize]),
            Place::Scratch(_) => None,
        };
        half.unwrap_or(Elem::F16)
    }

    fn word(&self, t: usize, at: &str) -> String {
        let word = format!("{}[{at}]", self.tensor(t));
        if written(&self.kernel.tensors[t]) { format!("atomicLoad(&{word})") } else { word }
    }

    fn load_packed(&mut self, dst: &[Val], t: usize, at: &str, storage: Storage) {
        let dtype = self.kernel.tensors[t].dtype;
        let (shift, each) = if storage == Storage::Half { (1, 2) } else { (2, 4) };
        if self.stage.ty(dst[0]) == Ty::Pair {
            for (i, v) in dst.iter().enumerate() {
                let word = self.word(t, &plus(&format!("({at} >> 1u)"), i));
                self.define(*v, &word);
            }
            return;
        }
        // Aligned elements: each word is read once.
        let first = self.words;
        for (i, v) in dst.iter().enumerate() {
            let (text, element) = match dst.len() {
                1 => (self.word(t, &format!("{at} >> {shift}u")), at.to_string()),
                n => {
                    let within = n.min(each);
                    if i % within == 0 {
                        let word = self.word(t, &plus(&format!("({at} >> {shift}u)"), i / each));
                        self.line(&format!("let word_{}: u32 = {word};", self.words));
                        self.words += 1;
                    }
                    let element = if n < each { plus(at, i) } else { (i % each).to_string() };
                    (format!("word_{}", first + i / within), element)
                }
            };
            let text = match dtype {
                DType::F16 => format!("f16_at({text}, {element})"),
                DType::Bf16 => format!("bf16_at({text}, {element})"),
                DType::I8 => format!("i8_at({text}, {element})"),
                DType::U8 => format!("u8_at({text}, {element})"),
                _ => format!("u8_at({text}, {element}) != 0"),
            };
            self.define(*v, &text);
        }
    }

    /// One element as a value of a type; not of a packed tensor.
    fn element(&mut self, from: Place, at: &str, ty: Ty) -> String {
        match from {
            Place::Array(a, _) => format!("{}[{at}]", self.array(a)),
            Place::Scratch(_) => from_bits(&format!("pool[scratch + {at}]"), ty),
            Place::Global(t, _) => match &self.kernel.tensors[t].role {
                MemRole::Table(_) => from_bits(&format!("tables[{}]", plus(at, self.table_base(t))), ty),
                MemRole::Workspace => from_bits(&format!("pool[{} + {at}]", self.workspace_base(t)), ty),
                MemRole::In | MemRole::Out | MemRole::InOut => match self.packed(t) {
                    None => format!("{}[{at}]", self.tensor(t)),
                    Some(_) => self.packed_element(t, at),
                },
            },
        }
    }

    /// One element of a packed tensor.
    fn packed_element(&self, t: usize, at: &str) -> String {
        let dtype = self.kernel.tensors[t].dtype;
        let shift = if Storage::of(dtype) == Some(Storage::Half) { 1 } else { 2 };
        let word = self.word(t, &format!("({at}) >> {shift}u"));
        match dtype {
            DType::Bool => format!("u8_at({word}, {at}) != 0"),
            other => format!("{}_at({word}, {at})", other.name()),
        }
    }

    /// Writes values to elements.
    pub(crate) fn store(&mut self, to: Place, values: &[Val]) {
        let at = self.operand(to.offset());
        let texts: Vec<String> = values.iter().map(|v| self.operand(*v)).collect();
        let ty = self.stage.ty(values[0]);
        match to {
            Place::Array(a, _) => self.store_array(a.0 as usize, &at, &texts, ty),
            Place::Scratch(_) => {
                for (i, x) in texts.iter().enumerate() {
                    self.line(&format!("pool[scratch + {}] = {};", plus(&at, i), to_bits(x, ty)));
                }
            }
            Place::Global(t, _) if self.kernel.tensors[t].role == MemRole::Workspace => {
                self.store_workspace(t, &at, &texts, ty);
            }
            Place::Global(t, _) => match self.packed(t) {
                Some(Storage::Half) => self.store_halves(t, &at, &texts, ty),
                Some(_) => texts.iter().enumerate().for_each(|(i, x)| self.store_part(t, &plus(&at, i), 3, x, ty)),
                None => {
                    for (i, x) in texts.iter().enumerate() {
                        self.line(&format!("{}[{}] = {};", self.tensor(t), plus(&at, i), number(x, ty)));
                    }
                }
            },
        }
    }

    fn store_array(&mut self, a: usize, at: &str, texts: &[String], ty: Ty) {
        let array = &self.stage.arrays[a];
        let name = crate::names::array(array, self.number);
        for (i, x) in texts.iter().enumerate() {
            match half(array) {
                Some(elem) if ty == Ty::Pair => {
                    for k in 0..2 {
                        let at = plus(at, 2 * i + k);
                        self.line(&format!("{name}[{at}] = {}_at({x}, {k});", type_word(elem)));
                    }
                }
                Some(elem) => {
                    self.line(&format!("{name}[{}] = round_{}({x});", plus(at, i), type_word(elem)));
                }
                None => self.line(&format!("{name}[{}] = {};", plus(at, i), number(x, ty))),
            }
        }
    }

    /// Elements of workspace are words, rounded as their type says.
    fn store_workspace(&mut self, t: usize, at: &str, texts: &[String], ty: Ty) {
        let (dtype, base) = (self.kernel.tensors[t].dtype, self.workspace_base(t));
        for (i, x) in texts.iter().enumerate() {
            if ty == Ty::Pair {
                for k in 0..2 {
                    let (at, x) = (plus(at, 2 * i + k), format!("{}_at({x}, {k})", dtype.name()));
                    self.line(&format!("pool[{base} + {at}] = {};", to_bits(&x, Ty::F32)));
                }
                continue;
            }
            let x = match dtype {
                DType::F16 | DType::Bf16 => format!("round_{}({x})", dtype.name()),
                DType::I8 => format!("wrap_i8({x})"),
                DType::U8 => format!("({x} & 0xff)"),
                _ => x.clone(),
            };
            self.line(&format!("pool[{base} + {}] = {};", plus(at, i), to_bits(&x, ty)));
        }
    }

    /// Aligned 16-bit elements: whole words where there are two or more.
    fn store_halves(&mut self, t: usize, at: &str, texts: &[String], ty: Ty) {
        let bits = format!("{}_bits", self.kernel.tensors[t].dtype.name());
        let pack = format!("pack_{}", self.kernel.tensors[t].dtype.name());
        let words: Vec<String> = match (ty, texts) {
            (Ty::Pair, _) => texts.to_vec(),
            (_, [one]) => return self.store_part(t, at, 1, &format!("{bits}({one})"), ty),
            _ => texts.chunks(2).map(|x| format!("{pack}({})", x.join(", "))).collect(),
        };
        for (i, word) in words.iter().enumerate() {
            let at = plus(&format!("({at} >> 1u)"), i);
            self.line(&format!("atomicStore(&{}[{at}], {word});", self.tensor(t)));
        }
    }

    /// Replaces one element of a word. Other threads replace the others of the word meanwhile, never this one. `mask` is the number of
    /// elements of a word, less one.
    fn store_part(&mut self, t: usize, at: &str, mask: u32, x: &str, ty: Ty) {
        let (width, ones, shift) = if mask == 1 { (16, "0xffffu", 1) } else { (8, "0xffu", 2) };
        let bits = if mask == 1 { x.to_string() } else { format!("(u32({}) & 0xffu)", number(x, ty)) };
        let word =
            format!("{}[{at} >> {shift}u]", self.tensor(t)).replace(&format!("[{at} >>"), &format!("[({at}) >>"));
        self.open("{");
        self.line(&format!("let shift = {width}u * u32(({at}) & {mask});"));
        self.line(&format!("let bits = {bits} << shift;"));
        self.line(&format!("atomicAnd(&{word}, ~({ones} << shift));"));
        self.line(&format!("atomicOr(&{word}, bits);"));
        self.close("}");
    }
}

/// `at + i`.
fn plus(at: &str, i: usize) -> String {
    if i == 0 { at.to_string() } else { format!("{at} + {i}") }
}

/// A value as what a binding or an array holds.
fn number(x: &str, ty: Ty) -> String {
    if ty == Ty::B { format!("select(0, 1, {x})") } else { x.to_string() }
}

fn to_bits(x: &str, ty: Ty) -> String {
    match ty {
        Ty::Pair => x.to_string(),
        _ => format!("bitcast<u32>({})", number(x, ty)),
    }
}

fn from_bits(word: &str, ty: Ty) -> String {
    match ty {
        Ty::F32 => format!("bitcast<f32>({word})"),
        Ty::I32 | Ty::Off => format!("bitcast<i32>({word})"),
        Ty::B => format!("({word} != 0u)"),
        Ty::Pair => word.to_string(),
    }
}

/// Declaration of a tensor's binding.
pub(crate) fn declaration(t: &MemTensor, number: usize) -> String {
    let access = if written(t) { "read_write" } else { "read" };
    let binding = crate::layout::BINDING_TENSORS as usize + number;
    let dims = t.dims.join(", ");
    format!(
        "// {}: {}[{dims}]\n@group(0) @binding({binding}) var<storage, {access}> {}: array<{}>;\n",
        t.name,
        t.dtype,
        crate::names::tensor(t, number),
        binding_type(t)
    )
}

/// What one element of a tensor is read as.
pub(crate) fn has_storage(t: &MemTensor) -> bool {
    Storage::of(t.dtype).is_some() && scalar_type(t.dtype) != Ty::Pair
}

/// Declaration of an array.
pub(crate) fn array_declaration(a: &Array, number: usize) -> String {
    let ty = if a.elem == Elem::I32 { "i32" } else { "f32" };
    let space = if a.space == Space::Shared { "<workgroup>" } else { "" };
    format!("var{space} {}: array<{ty}, {}>;", crate::names::array(a, number), a.len)
}
