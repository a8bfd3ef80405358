//! The instances of library kernels that the vectors need, as calls of `attn_lib!`: each distinct choice of params,
//! extents and storage type once, without those that the compiler refuses.

use super::cpu::text;
use super::{Case, Instance, Plan};
use einattn_compiler::cascade::Cascade;
use einattn_compiler::driver;
use einattn_compiler::interp::Tensors;
use einattn_target_rust::isas;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write;

/// The text of a module with the instances for some storage types, and their list `KERNELS`.
///
/// # Errors
///
/// Names the vector whose kernel cannot be elaborated.
pub fn kernels_source(cases: &[Case], dtypes: &[&str]) -> Result<String, String> {
    let mut accepted: BTreeMap<Instance, bool> = BTreeMap::new();
    for case in cases.iter().filter(|c| matches!(c.plan, Plan::Kernel { .. })) {
        let tensors = case.tensors()?;
        for dtype in dtypes {
            add(case, &tensors, dtype, &mut accepted).map_err(|e| format!("{}: {e}", case.name))?;
        }
    }
    Ok(source(accepted.into_iter().filter(|(_, accepted)| *accepted).map(|(i, _)| i).collect()))
}

/// Adds the instance of a vector, and if the compiler accepts it.
fn add(case: &Case, tensors: &Tensors, dtype: &str, into: &mut BTreeMap<Instance, bool>) -> Result<(), String> {
    if let Entry::Vacant(place) = into.entry(case.instance(tensors, dtype)?) {
        place.insert(lowers(&case.kernel(tensors, dtype)?.cascade)?);
    }
    Ok(())
}

/// True if there is code for every instruction set, false if there is none for any.
fn lowers(cascade: &Cascade) -> Result<bool, String> {
    let lower = |caps| driver::lower(cascade, caps, &driver::Options::default());
    let [first, rest @ ..] = &isas::ALL;
    let accepted = lower(first).is_ok();
    for caps in rest {
        match lower(caps) {
            Err(refusals) if accepted => return Err(format!("{} is refused: {}", caps.name, text(&refusals))),
            Ok(_) if !accepted => return Err(format!("{} is not refused as {} is", caps.name, first.name)),
            _ => {}
        }
    }
    Ok(accepted)
}

fn source(instances: Vec<Instance>) -> String {
    let mut out = String::from(
        "//! Made by `EINATTN_BLESS=1 cargo test -p einattn-tests --test vectors instances`.\n\n\
         #![allow(dead_code, reason = \"kernels are launched by their descriptions\")]\n\n\
         use einattn::cpu::Kernel;\n\n",
    );
    for i in &instances {
        let set: Vec<String> = i.set.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        let _ = writeln!(out, "einattn::attn_lib!({} as {} {{ {} }});", i.kernel, i.name(), set.join(", "));
    }
    out.push_str("\n/// Names and kernels.\npub(crate) const KERNELS: &[(&str, &Kernel<'static>)] = &[\n");
    for i in &instances {
        let _ = writeln!(out, "    (\"{0}\", &__einattn_{0}::KERNEL),", i.name());
    }
    out.push_str("];\n");
    out
}

/// Vectors whose kernels are also compiled for 16-bit storage, from all families: all of them would double the time.
const NARROW: [&str; 38] = [
    "sdpa_full",
    "sdpa_causal_bottom_right_masked_rows",
    "sdpa_gqa",
    "rope_sdpa",
    "alibi",
    "t5_relative_bias_decoder",
    "shaw_relative",
    "additive_bias",
    "softcap_gemma2",
    "combo_window_cap_sink_gqa_segments",
    "cosine_attention",
    "talking_heads",
    "differential_attention",
    "forgetting_attention",
    "stick_breaking",
    "window_causal",
    "window_two_sided",
    "sink_window_streaming",
    "streaming_decode_ring_buffer",
    "kv_lengths_bottom_right",
    "document_mask_causal",
    "prefix_lm",
    "chunk_causal",
    "block_local",
    "dilated_window_causal",
    "sigmoid_attention",
    "relu_attention_over_n",
    "linear_elu_causal",
    "retnet",
    "gla",
    "vertical_slash_lists",
    "column_lists_per_head",
    "moba_block_lists",
    "bigbird_blocks",
    "paged_decode",
    "paged_prefill_append",
    "varlen_packed_causal",
    "decode_split_kv_partials",
];

/// The vectors that are run in bf16 and f16 through the macros.
///
/// # Errors
///
/// Names the vector that does not exist or whose kernel has no choice of types.
pub fn narrow(cases: &[Case]) -> Result<Vec<Case>, String> {
    let case = |name: &&str| {
        let found = cases.iter().find(|c| c.name == *name && c.is_generic());
        found.cloned().ok_or_else(|| format!("`{name}` is no vector with a choice of types"))
    };
    NARROW.iter().map(case).collect()
}
