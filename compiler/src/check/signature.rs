//! What callers of a kernel see, as written: known also for kernels with errors, so that stubs can be emitted.

use crate::syntax::ast::{Kernel, Role, StmtKind, TypeKind, TypeName};
use crate::syntax::print_expr;

/// Parameters of a kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signature {
    /// Tensors in declaration order.
    pub tensors: Vec<TensorSig>,
    /// Run-time scalars in declaration order.
    pub scalars: Vec<ScalarSig>,
}

/// A tensor parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSig {
    /// Name.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Type as written; the name of a `dtype` variable stays.
    pub dtype: String,
    /// Dimensions as written.
    pub dims: Vec<String>,
}

/// A scalar parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarSig {
    /// Name.
    pub name: String,
    /// Type as written.
    pub dtype: String,
}

/// The signature of a kernel.
pub(super) fn signature(k: &Kernel) -> Signature {
    let mut out = Signature::default();
    for s in &k.stmts {
        match &s.kind {
            StmtKind::Tensor(role, name, ty, dims) => out.tensors.push(TensorSig {
                name: name.name.clone(),
                role: *role,
                dtype: type_text(ty),
                dims: dims.iter().map(print_expr).collect(),
            }),
            StmtKind::Scalar(name, ty) => {
                out.scalars.push(ScalarSig { name: name.name.clone(), dtype: type_text(ty) });
            }
            _ => {}
        }
    }
    out
}

fn type_text(ty: &TypeName) -> String {
    match &ty.kind {
        TypeKind::DType(t) => t.to_string(),
        TypeKind::Int => "int".to_string(),
        TypeKind::Var(name) => name.clone(),
    }
}
