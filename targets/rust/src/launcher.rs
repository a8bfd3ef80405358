//! The launcher struct of a kernel: what a user of `attn!` sees. Text, from the signature alone, so that it exists
//! also for kernels that were refused.

use einattn_compiler::check::{CheckedKernel, ScalarSig, TensorSig};
use einattn_compiler::syntax::ast::Role;
use einattn_compiler::types::DType;
use std::fmt::Write as _;

/// The launcher of a kernel. `args` are the caller's tensors in the order of the compiled kernel's memory tensors;
/// `None` if the kernel was refused: then `run` returns `Error::NotCompiled`.
pub(crate) fn launcher(kernel: &CheckedKernel, args: Option<&[String]>) -> String {
    let name = &kernel.name.name;
    let generics = generics(kernel);
    let bounds: String = generics.iter().map(|g| format!(", {g}: ::einattn::Element")).collect();
    let names: String = generics.iter().map(|g| format!(", {g}")).collect();
    let mut out = docs(kernel);
    let _ = writeln!(out, "#[allow(non_camel_case_types, reason = \"the struct carries the kernel's name\")]");
    let _ = writeln!(out, "#[derive(Debug)]\npub struct {name}<'a{bounds}> {{");
    for t in &kernel.signature.tensors {
        let _ = writeln!(out, "    /// `{}: {}[{}]`, {}.", t.name, t.dtype, t.dims.join(", "), role(t));
        let _ = writeln!(out, "    pub {}: {},", t.name, tensor_type(t));
    }
    for s in &kernel.signature.scalars {
        let _ = writeln!(out, "    /// Scalar `{}: {}`.\n    pub {}: {},", s.name, s.dtype, s.name, scalar_type(s));
    }
    let _ = writeln!(out, "}}\n\nimpl<'a{bounds}> {name}<'a{names}> {{");
    out.push_str(RUN);
    match args {
        Some(args) => launch_body(kernel, args, &mut out),
        None => refused_body(name, &mut out),
    }
    out.push_str("}\n");
    out
}

const RUN: &str = "    /// Checks the arguments and runs the kernel on the current rayon pool.
    ///
    /// # Errors
    ///
    /// Any `einattn::Error`; no output has been written then.
    pub fn run(self) -> ::core::result::Result<(), ::einattn::Error> {
        self.run_with(::core::default::Default::default()).map(|_| ())
    }

    /// Like `run`, with options; returns the name of the instruction set that ran.
    ///
    /// # Errors
    ///
    /// Any `einattn::Error`; no output has been written then.
";

fn launch_body(kernel: &CheckedKernel, args: &[String], out: &mut String) {
    let name = &kernel.name.name;
    let mutable = kernel.signature.tensors.iter().any(|t| t.role != Role::In);
    let receiver = if mutable { "mut self" } else { "self" };
    let args = args.iter().map(|a| format!("self.{a}.arg()")).collect::<Vec<_>>().join(", ");
    let (ints, floats): (Vec<_>, Vec<_>) = kernel.signature.scalars.iter().partition(|s| is_int(s));
    let ints = ints.iter().map(|s| format!("({:?}, self.{} as i64)", s.name, s.name)).collect::<Vec<_>>().join(", ");
    let floats = floats.iter().map(|s| format!("({:?}, self.{})", s.name, s.name)).collect::<Vec<_>>().join(", ");
    let _ = writeln!(
        out,
        "    pub fn run_with({receiver}, options: ::einattn::cpu::Options<'_>) \
         -> ::core::result::Result<&'static str, ::einattn::Error> {{
        let launch = ::einattn::__private::cpu::Launch {{
            args: &[{args}],
            ints: &[{ints}],
            floats: &[{floats}],
            options,
        }};
        ::einattn::__private::cpu::launch(&{module}::KERNEL, &launch)
    }}",
        module = module_name(name),
    );
}

fn refused_body(name: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "    pub fn run_with(self, _options: ::einattn::cpu::Options<'_>) \
         -> ::core::result::Result<&'static str, ::einattn::Error> {{
        ::core::result::Result::Err(::einattn::Error::NotCompiled {{ kernel: {name:?}.into() }})
    }}"
    );
}

/// Name of the module that holds the compiled code of a kernel.
pub(crate) fn module_name(kernel: &str) -> String {
    format!("__einattn_{kernel}")
}

/// `dtype` variables that a tensor uses, in order of first use: type parameters of the launcher.
fn generics(kernel: &CheckedKernel) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    for t in &kernel.signature.tensors {
        if t.dtype.parse::<DType>().is_err() && !found.contains(&t.dtype) {
            found.push(t.dtype.clone());
        }
    }
    found
}

fn docs(kernel: &CheckedKernel) -> String {
    let mut out = String::new();
    let fallback = [format!("Launcher of the kernel `{}`.", kernel.name.name)];
    let lines = if kernel.docs.is_empty() { &fallback[..] } else { &kernel.docs[..] };
    for line in lines {
        let _ = writeln!(out, "#[doc = {:?}]", format!(" {}", line.trim()));
    }
    let _ = writeln!(out, "///\n/// # Launch\n///\n/// Fill in the fields and call `run`.");
    for t in &kernel.signature.tensors {
        let _ = writeln!(out, "///\n/// - `{}: {}[{}]`, {}", t.name, t.dtype, t.dims.join(", "), role(t));
    }
    out
}

fn role(t: &TensorSig) -> &'static str {
    match t.role {
        Role::In => "read",
        Role::Out => "written",
        Role::InOut => "read and written",
    }
}

fn tensor_type(t: &TensorSig) -> String {
    let view = if t.role == Role::In { "Tensor" } else { "TensorMut" };
    format!("::einattn::{view}<'a, {}>", element(&t.dtype))
}

/// The Rust type of an element. Storage types without one are refused for this target before launchers are made; a
/// stub shows bytes.
fn element(dtype: &str) -> String {
    match dtype.parse::<DType>() {
        Ok(DType::F32 | DType::I32 | DType::I8 | DType::U8 | DType::Bool) => dtype.to_string(),
        Ok(DType::F16) => "::einattn::f16".into(),
        Ok(DType::Bf16) => "::einattn::bf16".into(),
        Ok(DType::F64) => "f32".into(),
        Ok(DType::F8E4M3 | DType::F8E5M2) => "u8".into(),
        Err(()) => dtype.to_string(),
    }
}

fn is_int(s: &ScalarSig) -> bool {
    s.dtype == "int" || s.dtype.parse::<DType>().is_ok_and(|t| !t.is_float())
}

fn scalar_type(s: &ScalarSig) -> &'static str {
    match s.dtype.parse::<DType>() {
        Ok(DType::Bool) => "bool",
        _ if is_int(s) => "i64",
        _ => "f32",
    }
}
