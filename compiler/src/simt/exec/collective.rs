//! What the threads of a subgroup do together, and asynchronous copies.

use super::{Block, Word, ops};
use crate::simt::{ArrayId, MatrixType, Place, SharedMatrix, Val, Var, swizzle};

/// Copies of one thread that are under way: committed groups, the oldest first, and those of no group yet.
#[derive(Clone, Default)]
pub(super) struct Copies {
    groups: Vec<Vec<Copy>>,
    open: Vec<Copy>,
}

/// One element that arrives.
#[derive(Clone)]
struct Copy {
    array: usize,
    at: i64,
    word: u32,
}

impl Copies {
    pub(super) fn commit(&mut self) {
        self.groups.push(std::mem::take(&mut self.open));
    }
}

/// Side of the matrices of `LoadMatrix`, and elements of their rows.
const SIDE: usize = 8;
/// Threads of a subgroup that multiplies matrices.
const WARP: usize = 32;

impl Block<'_> {
    pub(super) fn shuffle(&mut self, v: Val, a: Val, mask: usize) -> Result<(), String> {
        let size = self.stage.subgroup.unwrap_or(1) as usize;
        if mask >= size {
            return Err(format!("a shuffle by {mask} leaves a subgroup of {size}"));
        }
        let given: Vec<Word> = (0..self.threads).map(|t| self.val(a, t ^ mask)).collect();
        given.into_iter().enumerate().for_each(|(t, w)| self.define(v, t, w));
        Ok(())
    }

    pub(super) fn mma(&mut self, of: MatrixType, a: &[Val; 4], b: &[Val; 2], acc: &[Var; 4]) {
        for first in (0..self.threads).step_by(WARP) {
            let left = self.fragments(of, first, a, left_place);
            let right = self.fragments(of, first, b, right_place);
            for t in 0..WARP {
                for (i, x) in acc.iter().enumerate() {
                    let (row, col) = (t / 4 + SIDE * (i / 2), 2 * (t % 4) + i % 2);
                    let sum: f64 = (0..depth(of)).map(|k| left[row][k] * right[k][col]).sum();
                    let x = self.var(*x, first + t);
                    *x = ops::of_float((f64::from(ops::float(*x)) + sum) as f32);
                }
            }
        }
    }

    /// The operand that the values of a subgroup are; `place` tells row and column of a value's first element. In a left operand a
    /// pair's second element is in the next column, in a right one in the next row.
    fn fragments(
        &self,
        of: MatrixType,
        first: usize,
        vals: &[Val],
        place: impl Fn(MatrixType, usize, usize) -> (usize, usize),
    ) -> [[f64; 16]; 16] {
        let mut m = [[0.0; 16]; 16];
        for t in 0..WARP {
            for (i, v) in vals.iter().enumerate() {
                let (row, col) = place(of, t, i);
                let word = self.val(*v, first + t);
                if of == MatrixType::Tf32 {
                    m[row][col] = f64::from(tf32(ops::float(word)));
                    continue;
                }
                let (x, y) = ops::pair(word);
                let next = if vals.len() == 4 { (row, col + 1) } else { (row + 1, col) };
                m[row][col] = f64::from(x);
                m[next.0][next.1] = f64::from(y);
            }
        }
        m
    }

    pub(super) fn group_mma(
        &mut self,
        of: MatrixType,
        a: &[[Val; 4]],
        b: &SharedMatrix,
        acc: &[Var],
        accumulate: bool,
    ) -> Result<(), String> {
        let columns = acc.len() * 2;
        for warp in (0..self.threads).step_by(WARP) {
            let mut right = vec![vec![0.0; columns]; 16 * a.len()];
            let first = i64::from(self.int(b.first, warp));
            for (k, row) in right.iter_mut().enumerate() {
                for (n, x) in row.iter_mut().enumerate() {
                    let (r, c) = if b.across { (k, n) } else { (n, k) };
                    let at = first + i64::from(swizzle::offset(b.rows, b.width, r as u32, c as u32));
                    let at = self.cell(b.array, at, warp)?;
                    let word = self.arrays[b.array.0 as usize].read(at, self.epoch, warp as u32)?;
                    *x = f64::from(f32::from_bits(word));
                }
            }
            let left: Vec<_> = a.iter().map(|a| self.fragments(of, warp, a, left_place)).collect();
            for t in 0..WARP {
                for (i, x) in acc.iter().enumerate() {
                    let (row, col) = (t / 4 + SIDE * (i % 4 / 2), SIDE * (i / 4) + 2 * (t % 4) + i % 2);
                    let sum: f64 = (0..right.len()).map(|k| left[k / 16][row][k % 16] * right[k][col]).sum();
                    let x = self.var(*x, warp + t);
                    let old = if accumulate { f64::from(ops::float(*x)) } else { 0.0 };
                    *x = ops::of_float((old + sum) as f32);
                }
            }
        }
        Ok(())
    }

    pub(super) fn load_matrix(
        &mut self,
        dst: &[Val],
        array: ArrayId,
        offset: Val,
        transposed: bool,
    ) -> Result<(), String> {
        for first in (0..self.threads).step_by(WARP) {
            for (i, v) in dst.iter().enumerate() {
                let mut rows = vec![];
                for r in 0..SIDE {
                    let at = i64::from(self.int(offset, first + SIDE * i + r));
                    if at % SIDE as i64 != 0 {
                        return Err(format!("a row of a matrix begins at offset {at}"));
                    }
                    rows.push(at);
                }
                for t in 0..WARP {
                    let (g, c) = (t / 4, 2 * (t % 4));
                    let places = if transposed { [(c, g), (c + 1, g)] } else { [(g, c), (g, c + 1)] };
                    let mut pair = [0.0; 2];
                    for (x, (row, col)) in pair.iter_mut().zip(places) {
                        let at = self.cell(array, rows[row] + col as i64, first + t)?;
                        let word = self.arrays[array.0 as usize].read(at, self.epoch, (first + t) as u32)?;
                        *x = f32::from_bits(word);
                    }
                    self.define(*v, first + t, ops::of_pair(pair[0], pair[1]));
                }
            }
        }
        Ok(())
    }

    /// Starts a copy of 16 bytes.
    pub(super) fn copy(
        &mut self,
        array: ArrayId,
        to: i64,
        tensor: usize,
        from: i64,
        valid: bool,
        t: usize,
    ) -> Result<(), String> {
        let elem = self.stage.arrays[array.0 as usize].elem;
        let count = i64::from(16 / elem.bytes());
        if to % count != 0 || from % count != 0 {
            return Err(format!("a copy of {count} elements from offset {from} to offset {to}"));
        }
        for i in 0..count {
            let at = self.cell(array, to + i, t)?;
            let place = Place::Global(tensor, Val(0));
            let word = self.element(place, from + i, t)?;
            self.arrays[array.0 as usize].begin_copy(at, self.epoch, t as u32)?;
            let word = if valid { word as u32 } else { 0 };
            self.copies[t].open.push(Copy { array: array.0 as usize, at, word });
        }
        Ok(())
    }

    /// Completes all but the newest n groups of a thread.
    pub(super) fn wait(&mut self, n: usize, t: usize) -> Result<(), String> {
        let groups = &mut self.copies[t].groups;
        let done: Vec<Vec<Copy>> = groups.drain(..groups.len().saturating_sub(n)).collect();
        done.into_iter().flatten().try_for_each(|c| self.arrays[c.array].end_copy(c.at, c.word, self.epoch, t as u32))
    }
}

/// Depth of a product.
fn depth(of: MatrixType) -> usize {
    match of {
        MatrixType::F16 | MatrixType::Bf16 => 16,
        MatrixType::Tf32 => 8,
    }
}

fn left_place(of: MatrixType, t: usize, i: usize) -> (usize, usize) {
    let (g, c) = (t / 4, t % 4);
    let (row, half) = (g + SIDE * (i % 2), i / 2);
    match of {
        MatrixType::F16 | MatrixType::Bf16 => (row, 2 * c + SIDE * half),
        MatrixType::Tf32 => (row, c + 4 * half),
    }
}

fn right_place(of: MatrixType, t: usize, i: usize) -> (usize, usize) {
    let (g, c) = (t / 4, t % 4);
    match of {
        MatrixType::F16 | MatrixType::Bf16 => (2 * c + SIDE * i, g),
        MatrixType::Tf32 => (c + 4 * i, g),
    }
}

/// Rounds to 10 bits of fraction, ties away from zero.
fn tf32(x: f32) -> f32 {
    if x.is_finite() { f32::from_bits((x.to_bits() + 0x1000) & !0x1fff) } else { x }
}
