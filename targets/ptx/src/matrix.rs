//! Matrix products, reads of matrices, asynchronous copies.

use crate::func::{Func, Temp, asm};
use crate::memory::list;
use einattn_compiler::simt::{ArrayId, MatrixType, SharedMatrix, Val, Var};

impl Func<'_> {
    /// `acc += a · b`.
    pub(crate) fn mma(&mut self, of: MatrixType, a: &[Val; 4], b: &[Val; 2], acc: &[Var; 4]) {
        let (shape, ty) = match of {
            MatrixType::F16 => ("m16n8k16", "f16"),
            MatrixType::Bf16 => ("m16n8k16", "bf16"),
            MatrixType::Tf32 => ("m16n8k8", "tf32"),
        };
        let (a, b) = (list(&a.map(|v| self.word(of, v))), list(&b.map(|v| self.word(of, v))));
        let acc = list(&acc.map(|x| self.var(x)));
        asm!(self, "mma.sync.aligned.{shape}.row.col.f32.{ty}.{ty}.f32 {acc}, {a}, {b}, {acc}");
    }

    /// An operand as 32 bits.
    fn word(&mut self, of: MatrixType, v: Val) -> String {
        let x = self.val(v);
        if of != MatrixType::Tf32 {
            return x;
        }
        let word = self.temp(Temp::Word);
        asm!(self, "mov.b32 {word}, {x}");
        word
    }

    /// Multiplies in a warpgroup: the steps are issued together, then waited for.
    pub(crate) fn group_mma(
        &mut self,
        of: MatrixType,
        a: &[[Val; 4]],
        b: &SharedMatrix,
        acc: &[Var],
        accumulate: bool,
    ) {
        let ty = if of == MatrixType::F16 { "f16" } else { "bf16" };
        let shape = format!("m64n{}k16", acc.len() * 2);
        let acc = list(&acc.iter().map(|x| self.var(*x)).collect::<Vec<_>>());
        let (low, high) = self.descriptor(b);
        self.line("wgmma.fence.sync.aligned");
        for (step, a) in a.iter().enumerate() {
            let (here, whole, more) = (self.temp(Temp::Word), self.temp(Temp::Long), self.temp(Temp::Truth));
            asm!(self, "add.u32 {here}, {low}, {}", step_bytes(b, step as u32) >> 4);
            asm!(self, "mov.b64 {whole}, {{{here}, {high}}}");
            asm!(self, "setp.ne.u32 {more}, {}, 0", u32::from(accumulate || step > 0));
            let a = list(&a.map(|v| self.val(v)));
            let way = u32::from(b.across);
            asm!(self, "wgmma.mma_async.sync.aligned.{shape}.f32.{ty}.{ty} {acc}, {a}, {whole}, {more}, 1, 1, {way}");
        }
        self.line("wgmma.commit_group.sync.aligned");
        self.line("wgmma.wait_group.sync.aligned 0");
    }

    /// The two halves of a matrix descriptor (PTX ISA, asynchronous warpgroup instructions): address and leading byte offset; stride
    /// byte offset and swizzle mode.
    fn descriptor(&mut self, b: &SharedMatrix) -> (String, String) {
        let address = self.array_address(b.array, b.first);
        let (low, high) = (self.temp(Temp::Word), self.temp(Temp::Word));
        match address.split_once('+') {
            Some((register, more)) => asm!(self, "add.u32 {low}, {register}, {more}"),
            None => asm!(self, "mov.u32 {low}, {address}"),
        }
        let leading = if b.across { b.rows * b.width * 2 / 16 } else { 1 };
        asm!(self, "and.b32 {low}, {low}, 0x3ffff");
        asm!(self, "shr.u32 {low}, {low}, 4");
        asm!(self, "or.b32 {low}, {low}, {}", leading << 16);
        let mode = match b.width {
            64 => 1u32,
            32 => 2,
            _ => 3,
        };
        asm!(self, "mov.b32 {high}, {}", (mode << 30) | (8 * b.width * 2 / 16));
        (low, high)
    }

    /// Reads 8 × 8 matrices.
    pub(crate) fn load_matrix(&mut self, dst: &[Val], array: ArrayId, offset: Val, transposed: bool) {
        let address = self.array_address(array, offset);
        let names: Vec<String> = dst.iter().map(|v| self.val(*v)).collect();
        let trans = if transposed { ".trans" } else { "" };
        let count = names.len();
        // One register stands in braces too.
        let names = names.join(", ");
        asm!(self, "ldmatrix.sync.aligned.m8n8.x{count}{trans}.shared.b16 {{{names}}}, [{address}]");
    }

    /// Starts a copy of 16 bytes, or of as many zeros.
    pub(crate) fn copy_async(&mut self, (array, to): (ArrayId, Val), (tensor, from): (usize, Val), valid: Val) {
        let target = self.array_address(array, to);
        let source = self.tensor_address(tensor, from, 16);
        let (size, valid) = (self.temp(Temp::Word), self.val(valid));
        asm!(self, "selp.b32 {size}, 16, 0, {valid}");
        asm!(self, "cp.async.cg.shared.global [{target}], [{source}], 16, {size}");
    }
}

/// Bytes from the first element to that of a step of 16 contracted elements: rows of the first panel, or columns, panel by panel.
fn step_bytes(b: &SharedMatrix, step: u32) -> u32 {
    if b.across {
        return 16 * step * b.width * 2;
    }
    let column = 16 * step;
    (column / b.width * b.rows * b.width + column % b.width) * 2
}
