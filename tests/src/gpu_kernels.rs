//! The kernels of `tests/kernels` in the types and head dimensions that GPUs are tested with.

/// Names and texts.
pub const KERNELS: [(&str, &str); 12] = [
    ("softmax", include_str!("../kernels/01-softmax.attn")),
    ("causal", include_str!("../kernels/02-causal.attn")),
    ("sliding_window", include_str!("../kernels/03-sliding_window.attn")),
    ("gqa_softcap_alibi", include_str!("../kernels/04-gqa_softcap_alibi.attn")),
    ("sinks", include_str!("../kernels/05-sinks.attn")),
    ("key_padding", include_str!("../kernels/06-key_padding.attn")),
    ("sigmoid", include_str!("../kernels/07-sigmoid.attn")),
    ("cosine", include_str!("../kernels/08-cosine.attn")),
    ("neighbourhood_2d", include_str!("../kernels/09-neighbourhood_2d.attn")),
    ("t5_bias", include_str!("../kernels/10-t5_bias.attn")),
    ("row_statistics", include_str!("../kernels/11-row_statistics.attn")),
    ("documents", include_str!("../kernels/12-documents.attn")),
];

/// A text with its tensors of floats in another type, and the extents that give it a head dimension.
pub fn text_for(text: &str, dtype: &str, head: i64) -> (String, Vec<(String, String)>) {
    let set = ["E", "F"].into_iter().filter(|name| text.contains(&format!("{name} = 16")));
    let set = set.map(|name| (name.to_string(), head.to_string())).collect();
    (text.replace(": f32[", &format!(": {dtype}[")), set)
}
