//! Reads the folder of vectors.

use einattn_compiler::interp::{Tensors, Value};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::path::{Path, PathBuf};

/// The folder: `EINATTN_VECTORS`, or `../shared/vectors` beside the workspace.
pub fn folder() -> Result<PathBuf, String> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let path = std::env::var_os("EINATTN_VECTORS").map_or_else(default, PathBuf::from);
    if path.join("index.json").is_file() {
        Ok(path)
    } else {
        Err(format!("no test vectors in {}: set EINATTN_VECTORS to the folder that holds index.json", path.display()))
    }
}

/// All tensors of a `.safetensors` file.
pub fn read_tensors(path: &Path) -> Result<Tensors, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    file.tensors().iter().map(|(name, view)| Ok((name.clone(), value(name, view)?))).collect()
}

fn value(name: &str, view: &TensorView<'_>) -> Result<Value, String> {
    let words = view.data().as_chunks::<4>().0.iter();
    let data = match view.dtype() {
        Dtype::F32 => words.map(|w| f64::from(f32::from_le_bytes(*w))).collect(),
        Dtype::I32 => words.map(|w| f64::from(i32::from_le_bytes(*w))).collect(),
        other => return Err(format!("`{name}` is {other:?}; only F32 and I32 are expected")),
    };
    Ok(Value { shape: view.shape().to_vec(), data })
}
