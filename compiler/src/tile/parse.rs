//! Reads the textual form of the tile IR (see `print.rs` for the grammar by example).
//!
//! Guarantees only well-formedness of the text; `verify` judges the meaning.

use super::{Axis, AxisId, Buf, BufId, BufType, Expr, Range, Stmt, Tile, TileKernel, TileStage};
use crate::cascade::text::{COMPARE, Cursor, PREFIX, Tok, next_infix, parse_rank, parse_tensor};
use crate::cascade::{self, Cascade, ScalarId};
use crate::types::{BinOp, DType, RedOp, UnOp};

/// Nesting depth at which the parser gives up instead of exhausting the stack.
const MAX_DEPTH: usize = 256;

/// Reads a kernel: its cascade, then `memory` and the stages. An error is `line: message`.
pub fn parse(text: &str) -> Result<TileKernel, String> {
    let start = text.lines().position(|l| l.starts_with("memory")).ok_or("there is no `memory` line")?;
    let head: Vec<&str> = text.lines().take(start).collect();
    let cascade = cascade::parse(&head.join("\n"))?;
    let mut lines = Lines { lines: text.lines().enumerate().skip(start).collect(), at: 0 };
    let (memory, workspace) = lines.one(|cur| memory(cur, &cascade))?;
    let mut k = TileKernel { cascade, memory, workspace, stages: vec![] };
    while lines.peek().is_some() {
        let s = stage(&mut lines, &k.cascade)?;
        k.stages.push(s);
    }
    Ok(k)
}

/// Lines that are left.
struct Lines<'a> {
    lines: Vec<(usize, &'a str)>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn peek(&mut self) -> Option<&'a str> {
        while self.lines.get(self.at).is_some_and(|(_, l)| l.trim().is_empty()) {
            self.at += 1;
        }
        self.lines.get(self.at).map(|(_, l)| l.trim())
    }

    fn starts(&mut self, word: &str) -> bool {
        self.peek().is_some_and(|l| l.split(' ').next() == Some(word))
    }

    /// Reads the next line to its end.
    fn one<T>(&mut self, f: impl FnOnce(&mut Cursor) -> Result<T, String>) -> Result<T, String> {
        let Some(line) = self.peek() else { return Err("the text ends too early".to_string()) };
        let number = self.lines[self.at].0 + 1;
        self.at += 1;
        let mut cur = Cursor::new(line).map_err(|m| format!("{number}: {m}"))?;
        let out = f(&mut cur).and_then(|x| cur.end().map(|()| x));
        out.map_err(|m| format!("{number}: {m}"))
    }
}

fn memory(cur: &mut Cursor, c: &Cascade) -> Result<(Vec<cascade::TensorId>, usize), String> {
    cur.expect("memory")?;
    let (mut memory, mut first) = (vec![], None);
    while !cur.at_end() {
        if cur.eat("workspace") {
            first = Some(memory.len());
        } else {
            memory.push(parse_tensor(cur, c)?);
        }
    }
    let workspace = first.map_or(0, |f| memory.len() - f);
    Ok((memory, workspace))
}

fn stage(lines: &mut Lines<'_>, c: &Cascade) -> Result<TileStage, String> {
    let name = lines.one(|cur| {
        cur.expect("stage")?;
        cur.name()
    })?;
    let mut s = TileStage { name, axes: vec![], grid: vec![], bufs: vec![], body: vec![] };
    while lines.starts("axis") {
        let a = lines.one(|cur| axis(cur, c))?;
        s.axes.push(a);
    }
    while lines.starts("buf") {
        let b = lines.one(|cur| buf(cur, &s))?;
        s.bufs.push(b);
    }
    s.grid = lines.one(|cur| {
        cur.expect("grid")?;
        let mut grid = vec![];
        while !cur.at_end() {
            grid.push(axis_id(cur, &s)?);
        }
        Ok(grid)
    })?;
    let p = Parser { c, s: &s };
    let mut body = vec![];
    while lines.peek().is_some() && !lines.starts("stage") {
        body.push(p.stmt(lines)?);
    }
    s.body = body;
    Ok(s)
}

fn axis(cur: &mut Cursor, c: &Cascade) -> Result<Axis, String> {
    cur.expect("axis")?;
    let name = cur.name()?;
    let rank = parse_rank(cur, c)?;
    let tile = if cur.eat("one") {
        Tile::One
    } else if cur.eat("whole") {
        Tile::Whole
    } else {
        Tile::Fixed(cur.int()?)
    };
    Ok(Axis { name, rank, tile, lane: cur.eat("lane") })
}

fn buf(cur: &mut Cursor, s: &TileStage) -> Result<Buf, String> {
    cur.expect("buf")?;
    let name = cur.name()?;
    let word = cur.name()?;
    let ty = [BufType::F32, BufType::I32, BufType::Bool].into_iter().find(|t| t.name() == word);
    let ty = ty.ok_or_else(|| format!("`{word}` is no element type"))?;
    cur.expect("[")?;
    Ok(Buf { name, ty, axes: cur.list("]", |cur| axis_id(cur, s))? })
}

fn axis_id(cur: &mut Cursor, s: &TileStage) -> Result<AxisId, String> {
    let name = cur.name()?;
    let i = s.axes.iter().position(|a| a.name == name).ok_or_else(|| format!("`{name}` is no axis"))?;
    Ok(AxisId(i as u32))
}

struct Parser<'a> {
    c: &'a Cascade,
    s: &'a TileStage,
}

impl Parser<'_> {
    fn stmt(&self, lines: &mut Lines<'_>) -> Result<Stmt, String> {
        match lines.peek().and_then(|l| l.split(' ').next()) {
            Some("loop") => self.loop_stmt(lines),
            Some("for") => self.for_stmt(lines),
            Some("when") => self.if_stmt(lines),
            Some("store") => lines.one(|cur| self.store(cur)),
            _ => lines.one(|cur| self.assign(cur)),
        }
    }

    /// Statements up to a line that starts with `}`.
    fn block(&self, lines: &mut Lines<'_>) -> Result<Vec<Stmt>, String> {
        let mut out = vec![];
        while lines.peek().is_some_and(|l| !l.starts_with('}')) {
            out.push(self.stmt(lines)?);
        }
        Ok(out)
    }

    fn loop_stmt(&self, lines: &mut Lines<'_>) -> Result<Stmt, String> {
        let (axis, ranges) = lines.one(|cur| {
            cur.expect("loop")?;
            let axis = axis_id(cur, self.s)?;
            let mut ranges = vec![];
            while cur.eat("in") || cur.eat(",") {
                ranges.push(self.range(cur)?);
            }
            cur.expect("{")?;
            Ok((axis, ranges))
        })?;
        let full = self.block(lines)?;
        lines.one(|cur| words(cur, &["}", "partial", "{"]))?;
        let partial = self.block(lines)?;
        lines.one(|cur| words(cur, &["}"]))?;
        Ok(Stmt::Loop { axis, ranges, full, partial })
    }

    fn for_stmt(&self, lines: &mut Lines<'_>) -> Result<Stmt, String> {
        let (axis, (lo, hi)) = lines.one(|cur| {
            cur.expect("for")?;
            let axis = axis_id(cur, self.s)?;
            cur.expect("in")?;
            let bounds = self.interval(cur)?;
            cur.expect("{")?;
            Ok((axis, bounds))
        })?;
        let body = self.block(lines)?;
        lines.one(|cur| words(cur, &["}"]))?;
        Ok(Stmt::For { axis, lo, hi, body })
    }

    fn if_stmt(&self, lines: &mut Lines<'_>) -> Result<Stmt, String> {
        let cond = lines.one(|cur| {
            words(cur, &["when", "("])?;
            let e = self.expr(cur, 0, 0)?;
            words(cur, &[")", "{"])?;
            Ok(e)
        })?;
        let then = self.block(lines)?;
        lines.one(|cur| words(cur, &["}", "otherwise", "{"]))?;
        let els = self.block(lines)?;
        lines.one(|cur| words(cur, &["}"]))?;
        Ok(Stmt::If { cond, then, els })
    }

    fn range(&self, cur: &mut Cursor) -> Result<Range, String> {
        let (lo, hi) = self.interval(cur)?;
        let full = if cur.eat("full") { Some(self.interval(cur)?) } else { None };
        Ok(Range { lo, hi, full })
    }

    fn interval(&self, cur: &mut Cursor) -> Result<(Expr, Expr), String> {
        cur.expect("[")?;
        let lo = self.expr(cur, 0, 0)?;
        cur.expect(",")?;
        let hi = self.expr(cur, 0, 0)?;
        cur.expect(")")?;
        Ok((lo, hi))
    }

    fn store(&self, cur: &mut Cursor) -> Result<Stmt, String> {
        cur.expect("store")?;
        let tensor = parse_tensor(cur, self.c)?;
        cur.expect("[")?;
        let idx = cur.list("]", |cur| self.expr(cur, 0, 0))?;
        let mut axes = vec![];
        if cur.eat("over") {
            axes = self.axes(cur)?;
        }
        cur.expect("=")?;
        Ok(Stmt::Store { tensor, idx, axes, value: self.expr(cur, 0, 0)? })
    }

    fn axes(&self, cur: &mut Cursor) -> Result<Vec<AxisId>, String> {
        let mut axes = vec![axis_id(cur, self.s)?];
        while cur.eat(",") {
            axes.push(axis_id(cur, self.s)?);
        }
        Ok(axes)
    }

    /// `tile [op]= value`, `tile op= fold over ..` or `tile [sum]= contract ..`.
    fn assign(&self, cur: &mut Cursor) -> Result<Stmt, String> {
        let dst = self.buf(cur)?;
        let op = match cur.peek(0) {
            Some(Tok::Ident(word)) => {
                let op = RedOp::from_name(word).ok_or_else(|| format!("`{word}` is no reduction"))?;
                cur.name()?;
                Some(op)
            }
            _ => None,
        };
        cur.expect("=")?;
        if cur.is("fold") && cur.is_ahead(1, "over") {
            words(cur, &["fold", "over"])?;
            let over = self.axes(cur)?;
            let value = self.parenthesised(cur)?;
            let op = op.ok_or("a fold needs an operator")?;
            return Ok(Stmt::Reduce { dst, op, over, value });
        }
        if cur.eat("contract") {
            let over = axis_id(cur, self.s)?;
            let a = self.parenthesised(cur)?;
            let b = self.buf(cur)?;
            return match op {
                None | Some(RedOp::Sum) => Ok(Stmt::Contract { dst, over, a, b, accumulate: op.is_some() }),
                Some(op) => Err(format!("a product does not combine by `{}`", op.name())),
            };
        }
        Ok(Stmt::Map { dst, op, value: self.expr(cur, 0, 0)? })
    }

    fn buf(&self, cur: &mut Cursor) -> Result<BufId, String> {
        let name = cur.name()?;
        let i = self.s.bufs.iter().position(|b| b.name == name).ok_or_else(|| format!("`{name}` is no tile"))?;
        Ok(BufId(i as u32))
    }

    fn parenthesised(&self, cur: &mut Cursor) -> Result<Expr, String> {
        cur.expect("(")?;
        let e = self.expr(cur, 0, 0)?;
        cur.expect(")")?;
        Ok(e)
    }

    fn expr(&self, cur: &mut Cursor, min: u8, depth: usize) -> Result<Expr, String> {
        if depth > MAX_DEPTH {
            return Err("the expression is nested too deeply".to_string());
        }
        let mut lhs = self.prefix(cur, depth)?;
        while let Some((op, prec)) = next_infix(cur).filter(|(_, prec)| *prec >= min) {
            cur.rewind(cur.pos() + 1);
            lhs = Expr::bin(op, lhs, self.expr(cur, prec + 1, depth + 1)?);
            if prec == COMPARE && next_infix(cur).is_some_and(|(_, p)| p == COMPARE) {
                return Err("comparisons do not chain".to_string());
            }
        }
        Ok(lhs)
    }

    fn prefix(&self, cur: &mut Cursor, depth: usize) -> Result<Expr, String> {
        if cur.eat("!") {
            return Ok(Expr::un(UnOp::Not, self.expr(cur, PREFIX, depth + 1)?));
        }
        if !cur.is("-") {
            return self.primary(cur, depth);
        }
        match cur.peek(1) {
            Some(Tok::Int(_)) => cur.int().map(Expr::Int),
            Some(Tok::Float(_)) => cur.float().map(Expr::Float),
            Some(Tok::Ident(s)) if s == "inf" || s == "nan" => cur.float().map(Expr::Float),
            _ => {
                cur.expect("-")?;
                Ok(Expr::un(UnOp::Neg, self.expr(cur, PREFIX, depth + 1)?))
            }
        }
    }

    fn primary(&self, cur: &mut Cursor, depth: usize) -> Result<Expr, String> {
        let list = |cur: &mut Cursor, close: &str| cur.list(close, |cur| self.expr(cur, 0, depth + 1));
        match cur.peek(0) {
            Some(Tok::Int(_)) => return cur.int().map(Expr::Int),
            Some(Tok::Float(_)) => return cur.float().map(Expr::Float),
            Some(Tok::Punct("(")) => return self.parenthesised(cur),
            Some(Tok::Ident(_) | Tok::Str(_)) => {}
            _ => return Err(format!("expected an expression, found {}", cur.found())),
        }
        if cur.is_ahead(1, "[") {
            let t = parse_tensor(cur, self.c)?;
            cur.expect("[")?;
            return Ok(Expr::Global(t, list(cur, "]")?));
        }
        if cur.eat("if") {
            let c = self.expr(cur, 0, depth + 1)?;
            cur.expect("{")?;
            let a = self.expr(cur, 0, depth + 1)?;
            words(cur, &["}", "else", "{"])?;
            let b = self.expr(cur, 0, depth + 1)?;
            cur.expect("}")?;
            return Ok(Expr::select(c, a, b));
        }
        if !cur.is_ahead(1, "(") {
            let name = cur.name()?;
            return self.named(&name);
        }
        let name = cur.name()?;
        cur.expect("(")?;
        if name == "base" || name == "count" {
            let a = axis_id(cur, self.s)?;
            cur.expect(")")?;
            return Ok(if name == "base" { Expr::Base(a) } else { Expr::Count(a) });
        }
        call(&name, list(cur, ")")?)
    }

    fn named(&self, name: &str) -> Result<Expr, String> {
        match name {
            "true" => return Ok(Expr::Bool(true)),
            "false" => return Ok(Expr::Bool(false)),
            "inf" => return Ok(Expr::Float(f64::INFINITY)),
            "nan" => return Ok(Expr::Float(f64::NAN)),
            _ => {}
        }
        if let Some(i) = self.s.axes.iter().position(|a| a.name == name) {
            return Ok(Expr::Coord(AxisId(i as u32)));
        }
        if let Some(i) = self.s.bufs.iter().position(|b| b.name == name) {
            return Ok(Expr::Local(BufId(i as u32)));
        }
        if let Some(r) = self.c.rank_by_name(name) {
            return Ok(Expr::Extent(r));
        }
        match self.c.scalars.iter().position(|s| s.name == name) {
            Some(i) => Ok(Expr::Scalar(ScalarId(i as u32))),
            None => Err(format!("`{name}` is no axis, tile, rank or scalar")),
        }
    }
}

fn call(name: &str, mut args: Vec<Expr>) -> Result<Expr, String> {
    let arity = if BinOp::from_name(name).is_some() { 2 } else { 1 };
    if args.len() != arity {
        return Err(format!("`{name}` takes {arity} arguments, not {}", args.len()));
    }
    let (Some(last), first) = (args.pop(), args.pop()) else { return Err(format!("`{name}` takes arguments")) };
    match (UnOp::from_name(name), BinOp::from_name(name), first) {
        (_, Some(op), Some(first)) => Ok(Expr::bin(op, first, last)),
        (Some(op), ..) => Ok(Expr::un(op, last)),
        _ => {
            let ty: DType = name.parse().map_err(|()| format!("`{name}` is no operator"))?;
            Ok(Expr::Cast(ty, Box::new(last)))
        }
    }
}

fn words(cur: &mut Cursor, all: &[&str]) -> Result<(), String> {
    all.iter().try_for_each(|w| cur.expect(w))
}
