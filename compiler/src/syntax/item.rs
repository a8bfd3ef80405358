//! Files, items, attributes and schedules, and recovery from errors.

use super::ast::{Attr, File, FnDef, Ident, Item, Kernel, MaskDef, SchedStmt, Schedule, Stmt};
use super::cursor::{PResult, Parser, with_help};
use super::lex::Kind;
use crate::diag::{Diagnostic, SrcSpan};
use proc_macro2::Delimiter;

/// The words that start an item.
const ITEMS: &[&str] = &["kernel", "fn", "mask", "schedule"];

impl Parser<'_> {
    /// The whole input.
    pub(super) fn file(mut self) -> (File, Vec<Diagnostic>) {
        let mut file = File { docs: self.inner_docs(), items: vec![] };
        while !self.at_end() {
            let start = self.pos;
            match self.item() {
                Ok(item) => file.items.push(item),
                Err(stop) => {
                    self.report(stop);
                    self.skip_item(start);
                }
            }
        }
        (file, self.diags)
    }

    /// `//!` lines at the start of the file.
    fn inner_docs(&mut self) -> Vec<String> {
        let mut docs = vec![];
        while self.at("#") && matches!(self.ahead(1).kind, Kind::Op("!")) && self.opens(2, Delimiter::Bracket) {
            let end = self.skip_tree(self.pos + 2);
            if let Kind::Lit(lit) = &self.ahead(5).kind
                && self.word_ahead(3) == Some("doc")
            {
                docs.extend(string_value(lit));
            }
            self.pos = end;
        }
        docs
    }

    /// After an error in an item: goes to the next item, or past the next `;` or braces.
    fn skip_item(&mut self, start: usize) {
        self.skip_start(start);
        while !(self.at_end() || self.starts_item() || self.at("#")) {
            let stop = self.at(";") || self.opens(0, Delimiter::Brace);
            self.pos = self.skip_tree(self.pos);
            if stop {
                return;
            }
        }
    }

    fn starts_item(&self) -> bool {
        self.word().is_some_and(|w| ITEMS.contains(&w)) && self.is_name(1)
    }

    fn item(&mut self) -> PResult<Item> {
        let attrs = self.attrs()?;
        let start = self.span();
        let word = self.word().unwrap_or_default();
        match word {
            "kernel" => self.kernel(attrs, start),
            "fn" => self.function(attrs, start),
            "mask" => self.mask(attrs, start),
            "schedule" => self.schedule(attrs, start),
            _ if self.at_end() && !attrs.is_empty() => {
                Err(self.error(attrs[attrs.len() - 1].span, "this attribute or comment belongs to no item"))
            }
            _ => {
                let error = self.expected("`kernel`, `fn`, `mask` or `schedule`");
                if self.starts_stmt(0) {
                    return Err(with_help(error, "statements belong into `kernel name { .. }`"));
                }
                Err(error)
            }
        }
    }

    /// Attributes and documentation.
    fn attrs(&mut self) -> PResult<Vec<Attr>> {
        let mut attrs = vec![];
        while self.at("#") {
            attrs.push(self.attr()?);
        }
        Ok(attrs)
    }

    fn attr(&mut self) -> PResult<Attr> {
        let start = self.bump();
        if self.at("!") {
            return Err(self.error_here("inner documentation stands at the start of the file"));
        }
        self.open(Delimiter::Bracket, "`[` and an attribute")?;
        let name = self.ident("the name of an attribute")?;
        let mut args = vec![];
        let mut doc = None;
        if self.opens(0, Delimiter::Parenthesis) {
            self.bump();
            args = self.list("`,` or `)`", Self::expr)?;
        } else if name.name == "doc" && self.eat("=") {
            let Kind::Lit(lit) = &self.ahead(0).kind else { return Err(self.expected("a string")) };
            doc = string_value(lit);
            if doc.is_none() {
                return Err(self.expected("a string"));
            }
            self.bump();
        }
        self.close("`]`")?;
        Ok(Attr { name, args, doc, span: self.since(start) })
    }

    fn kernel(&mut self, attrs: Vec<Attr>, start: SrcSpan) -> PResult<Item> {
        self.bump();
        let name = self.ident("the name of the kernel")?;
        let stmts = self.body(Self::stmt_with_attrs)?;
        Ok(Item::Kernel(Kernel { attrs, name, stmts, span: self.since(start) }))
    }

    /// Statements in braces. A broken one is reported and skipped.
    fn body<T>(&mut self, stmt: impl Fn(&mut Self) -> PResult<T>) -> PResult<Vec<T>> {
        self.open(Delimiter::Brace, "`{`")?;
        let mut stmts = vec![];
        while !self.at_close() {
            let start = self.pos;
            match stmt(self) {
                Ok(s) => stmts.push(s),
                Err(stop) => {
                    self.report(stop);
                    self.skip_stmt(start);
                }
            }
        }
        self.bump();
        Ok(stmts)
    }

    /// After an error in a statement: goes past the next `;`, or to the next keyword that starts a statement.
    fn skip_stmt(&mut self, start: usize) {
        self.skip_start(start);
        while !self.at_close() && !self.starts_stmt(0) {
            let done = self.at(";");
            self.pos = self.skip_tree(self.pos);
            if done {
                return;
            }
        }
    }

    /// Passes over the attributes and the first token of what could not be parsed, so that it is not tried again.
    fn skip_start(&mut self, start: usize) {
        self.pos = start;
        while self.at("#") {
            self.pos = self.skip_tree(self.skip_tree(self.pos));
        }
        if !self.at_close() && !self.at(";") {
            self.pos = self.skip_tree(self.pos);
        }
    }

    fn stmt_with_attrs(&mut self) -> PResult<Stmt> {
        let attrs = self.attrs()?;
        if let Some(last) = attrs.last()
            && self.at_close()
        {
            return Err(self.error(last.span, "this attribute or comment belongs to no statement"));
        }
        let start = self.span();
        let kind = self.stmt()?;
        Ok(Stmt { attrs, kind, span: self.since(start) })
    }

    fn function(&mut self, attrs: Vec<Attr>, start: SrcSpan) -> PResult<Item> {
        self.bump();
        let name = self.ident("the name of the function")?;
        self.open(Delimiter::Parenthesis, "`(` and the parameters")?;
        let params = self.list("`,` or `)`", |p| {
            let param = p.ident("a parameter")?;
            p.expect(":")?;
            Ok((param, p.type_name()?))
        })?;
        if !self.eat("->") {
            let error = self.expected("`->` and the result type");
            return Err(with_help(error, "write `fn sq(x: f32) -> f32 = x * x;`"));
        }
        let result = self.type_name()?;
        self.defined_by()?;
        let body = self.expr()?;
        self.semicolon()?;
        Ok(Item::Fn(FnDef { attrs, name, params, result, body, span: self.since(start) }))
    }

    fn mask(&mut self, attrs: Vec<Attr>, start: SrcSpan) -> PResult<Item> {
        self.bump();
        let name = self.ident("the name of the mask")?;
        self.open(Delimiter::Parenthesis, "`(` and the parameters")?;
        let params = self.list("`,` or `)`", |p| {
            let param = p.ident("a parameter")?;
            if p.at(":") {
                return Err(p.error_here("parameters of a mask are indices and have no type"));
            }
            Ok(param)
        })?;
        self.defined_by()?;
        let body = self.expr()?;
        self.semicolon()?;
        Ok(Item::Mask(MaskDef { attrs, name, params, body, span: self.since(start) }))
    }

    fn defined_by(&mut self) -> PResult<()> {
        if self.opens(0, Delimiter::Brace) {
            let error = self.expected("`=` and an expression");
            return Err(with_help(error, "the body is one expression: `= expr;`"));
        }
        self.expect("=")
    }

    fn schedule(&mut self, attrs: Vec<Attr>, start: SrcSpan) -> PResult<Item> {
        self.bump();
        let kernel = self.ident("the name of a kernel")?;
        if !self.eat_word("on") {
            let error = self.expected("`on` and a target");
            return Err(with_help(error, "write `schedule kernel on target { .. }`"));
        }
        let target = self.ident("a target")?;
        let stmts = self.body(Self::sched_stmt)?;
        Ok(Item::Schedule(Schedule { attrs, kernel, target, stmts, span: self.since(start) }))
    }

    fn sched_stmt(&mut self) -> PResult<SchedStmt> {
        let start = self.span();
        let word: Ident = self.ident("a scheduling word such as `tile`")?;
        let mut tokens = vec![];
        let mut open = 0_u32;
        while !(open == 0 && (self.at(";") || self.at_close())) && !self.at_end() {
            let tok = self.ahead(0);
            match tok.kind {
                Kind::Open(_) => open += 1,
                Kind::Close(_) => open -= 1,
                Kind::Bad => return Err(self.expected("`;`")),
                Kind::Word(_) | Kind::Lit(_) | Kind::Op(_) | Kind::End => {}
            }
            tokens.push((tok.text(), tok.span));
            self.bump();
        }
        self.semicolon()?;
        Ok(SchedStmt { word, tokens, span: self.since(start) })
    }
}

/// The value of a string literal.
fn string_value(lit: &proc_macro2::Literal) -> Option<String> {
    match syn::Lit::new(lit.clone()) {
        syn::Lit::Str(s) => Some(s.value()),
        _ => None,
    }
}
