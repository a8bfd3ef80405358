//! Barriers. A statement says what it reads and writes of what threads share; a barrier comes before it if another thread may have
//! written that, or read what is written, since the last one.
//!
//! What a loop does in one turn is known only at its end, so all is assumed to be read where a turn begins, and nothing is left
//! unseen where it ends.

use super::Lower;
use crate::cascade::TensorId;
use crate::simt::Inst;
use crate::tile::{BufId, Expr, Stmt, TileStage};
use std::collections::BTreeSet;

/// Something that threads share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shared {
    /// A tile without lanes that is no variable.
    Tile(BufId),
    /// A tensor that the stage writes and reads, or writes twice.
    Tensor(TensorId),
    /// A row through which threads exchange values.
    Row,
    /// The array through which left operands pass.
    Left,
}

/// What happened since the last barrier.
#[derive(Clone, Default)]
pub(super) struct Sync {
    tensors: BTreeSet<TensorId>,
    read: BTreeSet<Shared>,
    /// All may have been read.
    read_all: bool,
    written: BTreeSet<Shared>,
}

impl Sync {
    pub(super) fn new(stage: &TileStage) -> Sync {
        let (mut read, mut stored, mut again) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        visit(&stage.body, &mut |s| {
            for e in s.exprs() {
                e.walk(&mut |e| {
                    if let Expr::Global(t, _) = e {
                        read.insert(*t);
                    }
                });
            }
            if let Stmt::Store { tensor, .. } = s
                && !stored.insert(*tensor)
            {
                again.insert(*tensor);
            }
        });
        let tensors = stored.iter().filter(|t| read.contains(t) || again.contains(t)).copied().collect();
        Sync { tensors, ..Sync::default() }
    }
}

fn visit<'s>(stmts: &'s [Stmt], f: &mut impl FnMut(&'s Stmt)) {
    for s in stmts {
        f(s);
        s.bodies().into_iter().for_each(|b| visit(b, f));
    }
}

impl Lower<'_> {
    /// What of shared things an expression reads.
    fn shared_in(&self, exprs: &[&Expr]) -> BTreeSet<Shared> {
        let mut out = BTreeSet::new();
        for e in exprs {
            e.walk(&mut |e| match e {
                Expr::Local(b) => out.extend(self.shared_tile(*b)),
                Expr::Global(t, _) if self.sync.tensors.contains(t) => {
                    out.insert(Shared::Tensor(*t));
                }
                _ => {}
            });
        }
        out
    }

    fn shared_tile(&self, b: BufId) -> Option<Shared> {
        self.is_shared(b).then_some(Shared::Tile(b))
    }

    fn barrier(&mut self) {
        if self.threads() > 1 {
            self.fb.inst(Inst::Barrier);
        }
        self.sync.read.clear();
        self.sync.written.clear();
        self.sync.read_all = false;
    }

    /// Before a statement that evaluates these expressions and writes a tile.
    pub(super) fn before_tile(&mut self, exprs: &[&Expr], dst: BufId) {
        let written = self.shared_tile(dst);
        self.before(exprs, written);
    }

    /// Before a statement that evaluates these expressions and writes a tensor.
    pub(super) fn before_tensor(&mut self, exprs: &[&Expr], t: TensorId) {
        let written = self.sync.tensors.contains(&t).then_some(Shared::Tensor(t));
        self.before(exprs, written);
    }

    pub(super) fn before(&mut self, exprs: &[&Expr], written: Option<Shared>) {
        let read = self.shared_in(exprs);
        let unseen = read.iter().chain(&written).any(|x| self.sync.written.contains(x));
        let in_use = written.is_some_and(|w| self.sync.read_all || self.sync.read.contains(&w));
        if unseen || in_use {
            self.barrier();
        }
        self.sync.read.extend(read);
        self.sync.written.extend(written);
    }

    /// Between writing a shared thing and reading it in one statement.
    pub(super) fn publish(&mut self, x: Shared) {
        self.barrier();
        self.sync.read.insert(x);
    }

    /// After a statement that writes a tile behind its last barrier.
    pub(super) fn wrote(&mut self, dst: BufId) {
        let written = self.shared_tile(dst);
        self.sync.written.extend(written);
    }

    /// Where a body begins or ends that runs several times.
    pub(super) fn turn(&mut self) {
        if !self.sync.written.is_empty() {
            self.barrier();
        }
        self.sync.read_all = true;
    }

    /// Makes the branches one after another, each from the state before all of them.
    pub(super) fn forked<T>(&mut self, mut branches: Vec<&mut dyn FnMut(&mut Self) -> T>) -> Vec<T> {
        let before = self.sync.clone();
        let mut after = before.clone();
        let mut out = vec![];
        for branch in &mut branches {
            self.sync = before.clone();
            out.push(branch(self));
            after.read.extend(&self.sync.read);
            after.written.extend(&self.sync.written);
            after.read_all |= self.sync.read_all;
        }
        self.sync = after;
        out
    }
}
