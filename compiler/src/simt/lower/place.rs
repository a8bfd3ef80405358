//! Tiles as variables, arrays and scratch.

use super::Lower;
use super::plan::Kind;
use crate::diag::Refusal;
use crate::lane::LaneCmp;
use crate::math::Math;
use crate::simt::{ArrayId, Elem, Op, Place, Space, Ty, Val, Var};
use crate::tile::{AxisId, BufId, BufType, Tile};

/// Where a tile lies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Home {
    /// A variable of every thread.
    Var(Var),
    /// An array of every thread, or of the block.
    Array(ArrayId),
    /// Scratch, from this word on. With lanes, an element of all threads lies together.
    Scratch(Val),
}

impl Lower<'_> {
    /// Makes variables and arrays, and lays out the scratch as `prepare` counts it.
    pub(super) fn homes(&mut self) {
        let zero = self.fb.int(0);
        let mut at = self.fb.off(zero);
        for (i, kind) in self.plan.kinds.iter().enumerate() {
            let (buf, id) = (&self.stage.bufs[i], BufId(i as u32));
            let array = |s: &mut Self, space, n| Home::Array(s.fb.array(buf.name.clone(), space, element(buf.ty), n));
            let home = match kind {
                Kind::Var => Home::Var(self.zeroed(value_type(buf.ty))),
                Kind::Private(n) => array(self, Space::Private, *n),
                Kind::Shared(n) => array(self, Space::Shared, *n),
                Kind::Scratch => {
                    let first = at;
                    let mut size = self.scratch_unit(id);
                    for a in self.loop_axes(&buf.axes) {
                        let n = self.axis_size(a);
                        let n = self.fb.off(n);
                        size = self.fb.mul(size, n);
                    }
                    at = self.fb.add(at, size);
                    Home::Scratch(first)
                }
            };
            self.homes.push(home);
        }
    }

    /// A variable that has a value on every path, as the verifier asks.
    fn zeroed(&mut self, ty: Ty) -> Var {
        let zero = match ty {
            Ty::F32 => self.fb.float(0.0),
            Ty::B => self.fb.truth(false),
            Ty::I32 | Ty::Off | Ty::Pair => self.fb.int(0),
        };
        self.fb.var_of(zero)
    }

    /// Words from an element of a tile in scratch to the next.
    fn scratch_unit(&mut self, b: BufId) -> Val {
        let n = if self.has_lanes(b) { self.threads() } else { 1 };
        let n = self.fb.int(n);
        self.fb.off(n)
    }

    /// Allocated elements of a tile along an axis.
    fn axis_size(&mut self, a: AxisId) -> Val {
        match self.axis(a).tile {
            Tile::One => self.fb.int(1),
            Tile::Fixed(t) => self.int(t),
            Tile::Whole => self.extent(self.axis(a).rank),
        }
    }

    pub(super) fn has_lanes(&self, b: BufId) -> bool {
        self.lane.is_some_and(|l| self.stage.buf(b).axes.contains(&l))
    }

    /// True for a tile that the threads of a block share.
    pub(super) fn is_shared(&self, b: BufId) -> bool {
        !self.has_lanes(b) && !matches!(self.homes[b.index()], Home::Var(_))
    }

    pub(super) fn buf_type(&self, b: BufId) -> Ty {
        value_type(self.stage.buf(b).ty)
    }

    /// The element of an array or of scratch at the current point.
    fn element_place(&mut self, b: BufId, home: Home) -> Result<Place, Refusal> {
        let axes = self.loop_axes(&self.stage.buf(b).axes);
        let mut terms = vec![];
        let scratch = matches!(home, Home::Scratch(_));
        let one = self.fb.int(1);
        let mut stride = if scratch { self.scratch_unit(b) } else { one };
        for a in axes.iter().rev() {
            let Some((_, index)) = self.points[a.index()].at else {
                return Err(self.refuse(format!("axis {} is not in scope", self.axis(*a).name)));
            };
            let (mut index, mut size) = (index, self.axis_size(*a));
            if scratch {
                (index, size) = (self.fb.off(index), self.fb.off(size));
            }
            terms.push(self.fb.mul(index, stride));
            stride = self.fb.mul(stride, size);
        }
        if let Home::Scratch(first) = home {
            terms.push(first);
            if self.has_lanes(b) {
                let thread = self.thread();
                terms.push(self.fb.off(thread));
            }
        }
        let at = self.fb.sum(terms);
        let zero = self.fb.int(0);
        let at = at.unwrap_or(zero);
        Ok(match home {
            Home::Array(array) => Place::Array(array, at),
            Home::Scratch(_) | Home::Var(_) => Place::Scratch(at),
        })
    }

    /// Reads a tile at the current point.
    pub(super) fn read_tile(&mut self, b: BufId) -> Result<Val, Refusal> {
        let home = self.homes[b.index()];
        if let Home::Var(var) = home {
            return Ok(self.fb.get(var));
        }
        let from = self.element_place(b, home)?;
        Ok(match self.buf_type(b) {
            Ty::B => {
                let (word, zero) = (self.fb.load(Ty::I32, from), self.fb.int(0));
                self.fb.cmp(LaneCmp::Ne, word, zero)
            }
            ty => self.fb.load(ty, from),
        })
    }

    /// Writes a tile at the current point.
    pub(super) fn write_tile(&mut self, b: BufId, value: Val) -> Result<(), Refusal> {
        let home = self.homes[b.index()];
        if let Home::Var(var) = home {
            self.fb.set(var, value);
            return Ok(());
        }
        let to = self.element_place(b, home)?;
        let value = if self.fb.ty(value) == Ty::B { self.fb.op(Op::BoolToInt(value)) } else { value };
        self.fb.store(to, value);
        Ok(())
    }
}

fn value_type(ty: BufType) -> Ty {
    match ty {
        BufType::F32 => Ty::F32,
        BufType::I32 => Ty::I32,
        BufType::Bool => Ty::B,
    }
}

/// What an array of values of a type is made of.
pub(super) fn element(ty: BufType) -> Elem {
    match ty {
        BufType::F32 => Elem::F32,
        BufType::I32 | BufType::Bool => Elem::I32,
    }
}
