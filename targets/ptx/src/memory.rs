//! Addresses, loads and stores.
//!
//! A constant that is added to an offset becomes the displacement of the address, so that neighbours share an address register.

use crate::Error;
use crate::func::{Base, Func, Temp, asm};
use einattn_compiler::lane::MemRole;
use einattn_compiler::simt::typing::stored_type;
use einattn_compiler::simt::{ArrayId, Op, Place, SimtBin, Space, Ty, Val};
use einattn_compiler::types::DType;

impl Func<'_> {
    /// An offset as a value and a constant.
    fn split(&self, v: Val) -> (Option<Val>, i64) {
        match self.def(v) {
            Some(Op::ConstI(c)) => (None, i64::from(*c)),
            Some(Op::ToOff(a)) => match self.constant(*a) {
                Some(c) => (None, i64::from(c)),
                None => (Some(v), 0),
            },
            Some(Op::Bin(SimtBin::Add, a, b)) => match (self.split(*a), self.split(*b)) {
                ((x, c), (None, d)) | ((None, c), (x, d)) => (x, c + d),
                _ => (Some(v), 0),
            },
            Some(Op::Bin(SimtBin::Sub, a, b)) => match (self.split(*a), self.split(*b)) {
                ((x, c), (None, d)) => (x, c - d),
                _ => (Some(v), 0),
            },
            _ => (Some(v), 0),
        }
    }

    /// The text of an address: `base + (offset · bytes) + start`.
    fn address(&mut self, base: Base, offset: Val, bytes: u32, start: u32) -> String {
        let (mut v, mut c) = self.split(offset);
        if i32::try_from(c * i64::from(bytes) + i64::from(start)).is_err() {
            (v, c) = (Some(offset), 0);
        }
        let reg = match v {
            Some(v) => self.address_register(base, v, bytes),
            None => self.base_register(base),
        };
        match c * i64::from(bytes) + i64::from(start) {
            0 => reg,
            d => format!("{reg}+{d}"),
        }
    }

    fn base_register(&self, base: Base) -> String {
        match base {
            Base::Tensor(t) => format!("%base{t}"),
            Base::Shared(_) => "%smem".to_string(),
            Base::Private(a) => format!("%private{a}"),
            Base::Scratch => "%scratch".to_string(),
        }
    }

    fn address_register(&mut self, base: Base, v: Val, bytes: u32) -> String {
        if let Some(known) = self.addresses.iter().find_map(|b| b.get(&(base, v))) {
            return known.clone();
        }
        let (x, from, shift) = (self.val(v), self.base_register(base), bytes.trailing_zeros());
        let reg = match (base, self.stage.ty(v)) {
            (Base::Shared(_), _) => {
                let reg = self.temp(Temp::Word);
                asm!(self, "shl.b32 {reg}, {x}, {shift}");
                asm!(self, "add.s32 {reg}, {reg}, {from}");
                reg
            }
            (_, Ty::Off) => {
                let reg = self.temp(Temp::Long);
                asm!(self, "shl.b64 {reg}, {x}, {shift}");
                asm!(self, "add.s64 {reg}, {reg}, {from}");
                reg
            }
            _ => {
                let reg = self.temp(Temp::Long);
                asm!(self, "mul.wide.s32 {reg}, {x}, {bytes}");
                asm!(self, "add.s64 {reg}, {reg}, {from}");
                reg
            }
        };
        if let Some(block) = self.addresses.last_mut() {
            block.insert((base, v), reg.clone());
        }
        reg
    }

    /// Address of an element of a tensor that is reached `bytes` at once.
    pub(crate) fn tensor_address(&mut self, t: usize, offset: Val, bytes: u32) -> String {
        self.tensors.insert(t);
        self.alignment[t] = self.alignment[t].max(bytes);
        let size = self.kernel.tensors[t].dtype.bytes() as u32;
        self.address(Base::Tensor(t), offset, size, 0)
    }

    /// Address of an element of an array.
    pub(crate) fn array_address(&mut self, a: ArrayId, offset: Val) -> String {
        let i = a.0 as usize;
        let array = &self.stage.arrays[i];
        let size = array.elem.bytes();
        match array.space {
            Space::Shared => self.address(Base::Shared(size), offset, size, self.shared[i]),
            Space::Private => self.address(Base::Private(a.0), offset, size, 0),
        }
    }

    /// State space and address of a place that is reached `bytes` at once.
    fn place(&mut self, place: Place, bytes: u32) -> (&'static str, String) {
        match place {
            Place::Global(t, v) => ("global", self.tensor_address(t, v, bytes)),
            Place::Array(a, v) => {
                let shared = self.stage.arrays[a.0 as usize].space == Space::Shared;
                (if shared { "shared" } else { "local" }, self.array_address(a, v))
            }
            Place::Scratch(v) => ("global", self.address(Base::Scratch, v, 4, 0)),
        }
    }

    /// True if nothing writes the tensor while the stage runs.
    fn read_only(&self, place: Place) -> bool {
        matches!(place, Place::Global(t, _)
            if !self.written.contains(&t) && self.kernel.tensors[t].role != MemRole::InOut)
    }

    fn stored(&self, place: Place) -> Result<Option<DType>, Error> {
        stored_type(self.kernel, &self.stage.arrays, place).map_err(Error::Bug)
    }

    /// Reads consecutive elements.
    pub(crate) fn load(&mut self, dst: &[Val], from: Place) -> Result<(), Error> {
        let ty = self.stage.ty(dst[0]);
        let dtype = self.stored(from)?.unwrap_or(if ty == Ty::F32 { DType::F32 } else { DType::I32 });
        let elements = dst.len() * if ty == Ty::Pair { 2 } else { 1 };
        let (space, address) = self.place(from, (elements * dtype.bytes()) as u32);
        let how = format!("ld.{space}{}", if self.read_only(from) { ".nc" } else { "" });
        let names: Vec<String> = dst.iter().map(|v| self.val(*v)).collect();
        match dtype {
            DType::F32 | DType::I32 => self.move_in(&how, "b32", &names, &address),
            DType::F16 | DType::Bf16 if ty == Ty::Pair => self.move_in(&how, "b32", &names, &address),
            DType::F16 | DType::Bf16 if dst.len() == 1 => {
                let half = self.temp(Temp::Half);
                asm!(self, "{how}.b16 {half}, [{address}]");
                self.widen(dtype, &names[0], &half);
            }
            DType::F16 | DType::Bf16 => {
                let words: Vec<String> = (0..dst.len() / 2).map(|_| self.temp(Temp::Word)).collect();
                self.move_in(&how, "b32", &words, &address);
                for (word, two) in words.iter().zip(names.chunks_exact(2)) {
                    self.unpack(dtype, [&two[0], &two[1]], word);
                }
            }
            DType::I8 => self.move_in(&how, "s8", &names, &address),
            DType::U8 => self.move_in(&how, "u8", &names, &address),
            DType::Bool | DType::F8E4M3 | DType::F8E5M2 => {
                let codes: Vec<String> = dst.iter().map(|_| self.temp(Temp::Word)).collect();
                self.move_in(&how, "u8", &codes, &address);
                for (name, code) in names.iter().zip(&codes) {
                    self.decode(dtype, name, code);
                }
            }
            DType::F64 => return Err(Error::Unsupported("f64".to_string())),
        }
        Ok(())
    }

    /// Writes consecutive elements.
    pub(crate) fn store(&mut self, to: Place, values: &[Val]) -> Result<(), Error> {
        let ty = self.stage.ty(values[0]);
        let dtype = self.stored(to)?.unwrap_or(DType::F32);
        let elements = values.len() * if ty == Ty::Pair { 2 } else { 1 };
        let names: Vec<String> = values.iter().map(|v| self.val(*v)).collect();
        // What is stored is made before the address, which others may use again.
        let (kind, words): (&str, Vec<String>) = match dtype {
            DType::F32 | DType::I32 if ty != Ty::B => ("b32", names),
            DType::F16 | DType::Bf16 if ty == Ty::Pair => ("b32", names),
            DType::F16 | DType::Bf16 if values.len() == 1 => ("b16", vec![self.narrow(dtype, &names[0])]),
            DType::F16 | DType::Bf16 => {
                ("b32", names.chunks_exact(2).map(|two| self.pack(dtype, [&two[0], &two[1]])).collect())
            }
            DType::F32 | DType::I32 => ("b32", names.iter().map(|p| self.bit(p)).collect()),
            DType::Bool | DType::I8 | DType::U8 if ty == Ty::B => ("u8", names.iter().map(|p| self.bit(p)).collect()),
            DType::Bool | DType::I8 | DType::U8 => ("u8", names),
            DType::F8E4M3 | DType::F8E5M2 => ("u8", names.iter().map(|x| self.encode(dtype, x)).collect()),
            DType::F64 => return Err(Error::Unsupported("f64".to_string())),
        };
        let (space, address) = self.place(to, (elements * dtype.bytes()) as u32);
        for (i, part) in words.chunks(4).enumerate() {
            let address = displaced(&address, i, part.len());
            asm!(self, "st.{space}{}.{kind} [{address}], {}", vector(part.len()), list(part));
        }
        Ok(())
    }

    /// One instruction for four registers at most; only bytes come as eight.
    fn move_in(&mut self, how: &str, kind: &str, names: &[String], address: &str) {
        for (i, part) in names.chunks(4).enumerate() {
            let address = displaced(address, i, part.len());
            asm!(self, "{how}{}.{kind} {}, [{address}]", vector(part.len()), list(part));
        }
    }

    fn bit(&mut self, truth: &str) -> String {
        let word = self.temp(Temp::Word);
        asm!(self, "selp.b32 {word}, 1, 0, {truth}");
        word
    }
}

/// The address of the `i`-th part of eight bytes.
fn displaced(address: &str, i: usize, len: usize) -> String {
    match (i, address.split_once('+')) {
        (0, _) => address.to_string(),
        (_, None) => format!("{address}+{}", i * len),
        (_, Some((reg, d))) => format!("{reg}+{}", d.parse::<i64>().unwrap_or(0) + (i * len) as i64),
    }
}

fn vector(n: usize) -> &'static str {
    match n {
        2 => ".v2",
        4 => ".v4",
        _ => "",
    }
}

/// Registers as the operand of a load or store.
pub(crate) fn list(names: &[String]) -> String {
    if let [one] = names { one.clone() } else { format!("{{{}}}", names.join(", ")) }
}
