//! Matrix products, reads of matrices, asynchronous copies.

use crate::func::{Func, Temp, asm};
use crate::memory::list;
use einattn_compiler::simt::{ArrayId, MatrixType, Val, Var};

impl Func<'_> {
    /// `acc += a · b`.
    pub(crate) fn mma(&mut self, of: MatrixType, a: &[Val; 4], b: &[Val; 2], acc: &[Var; 4]) {
        let (shape, ty) = match of {
            MatrixType::F16 => ("m16n8k16", "f16"),
            MatrixType::Bf16 => ("m16n8k16", "bf16"),
            MatrixType::Tf32 => ("m16n8k8", "tf32"),
        };
        let a: Vec<String> = a.iter().map(|v| self.operand(of, *v)).collect();
        let b: Vec<String> = b.iter().map(|v| self.operand(of, *v)).collect();
        let acc = list(&acc.map(|x| self.var(x)));
        asm!(self, "mma.sync.aligned.{shape}.row.col.f32.{ty}.{ty}.f32 {acc}, {}, {}, {acc}", list(&a), list(&b));
    }

    fn operand(&mut self, of: MatrixType, v: Val) -> String {
        let x = self.val(v);
        if of != MatrixType::Tf32 {
            return x;
        }
        let rounded = self.temp(Temp::Word);
        asm!(self, "cvt.rna.tf32.f32 {rounded}, {x}");
        rounded
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
