//! Made by `EINATTN_BLESS=1 cargo test -p einattn-tests --test vectors instances`.

#![allow(dead_code, reason = "kernels are launched by their descriptions")]

use einattn::cpu::Kernel;

einattn::attn_lib!(attention as attention_e32_elem_bf16_f32 { E = 32, Elem = bf16, F = 32 });
einattn::attn_lib!(attention as attention_e32_elem_f16_f32 { E = 32, Elem = f16, F = 32 });
einattn::attn_lib!(attention_alibi as attention_alibi_d11_e24_elem_bf16_f24 { D = 11, E = 24, Elem = bf16, F = 24 });
einattn::attn_lib!(attention_alibi as attention_alibi_d11_e24_elem_f16_f24 { D = 11, E = 24, Elem = f16, F = 24 });
einattn::attn_lib!(attention_bias as attention_bias_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(attention_bias as attention_bias_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(attention_causal as attention_causal_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(attention_causal as attention_causal_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(attention_causal as attention_causal_e32_elem_bf16_f32 { E = 32, Elem = bf16, F = 32 });
einattn::attn_lib!(attention_causal as attention_causal_e32_elem_f16_f32 { E = 32, Elem = f16, F = 32 });
einattn::attn_lib!(attention_cosine as attention_cosine_e24_elem_bf16_f24 { E = 24, Elem = bf16, F = 24 });
einattn::attn_lib!(attention_cosine as attention_cosine_e24_elem_f16_f24 { E = 24, Elem = f16, F = 24 });
einattn::attn_lib!(attention_documents as attention_documents_e32_elem_bf16_f32 { E = 32, Elem = bf16, F = 32 });
einattn::attn_lib!(attention_documents as attention_documents_e32_elem_f16_f32 { E = 32, Elem = f16, F = 32 });
einattn::attn_lib!(attention_lengths as attention_lengths_e32_elem_bf16_f32 { E = 32, Elem = bf16, F = 32 });
einattn::attn_lib!(attention_lengths as attention_lengths_e32_elem_f16_f32 { E = 32, Elem = f16, F = 32 });
einattn::attn_lib!(attention_prefix as attention_prefix_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(attention_prefix as attention_prefix_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(attention_relu as attention_relu_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(attention_relu as attention_relu_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(attention_rope as attention_rope_e32_elem_bf16_f32 { E = 32, Elem = bf16, F = 32 });
einattn::attn_lib!(attention_rope as attention_rope_e32_elem_f16_f32 { E = 32, Elem = f16, F = 32 });
einattn::attn_lib!(attention_shaw as attention_shaw_c9_e16_elem_bf16_f16 { C = 9, E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(attention_shaw as attention_shaw_c9_e16_elem_f16_f16 { C = 9, E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(attention_sigmoid as attention_sigmoid_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(attention_sigmoid as attention_sigmoid_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(attention_sink_window_cap_segments as attention_sink_window_cap_segments_e16_elem_bf16_f16_w19 { E = 16, Elem = bf16, F = 16, W = 19 });
einattn::attn_lib!(attention_sink_window_cap_segments as attention_sink_window_cap_segments_e16_elem_f16_f16_w19 { E = 16, Elem = f16, F = 16, W = 19 });
einattn::attn_lib!(attention_softcap as attention_softcap_e32_elem_bf16_f32_w20 { E = 32, Elem = bf16, F = 32, W = 20 });
einattn::attn_lib!(attention_softcap as attention_softcap_e32_elem_f16_f32_w20 { E = 32, Elem = f16, F = 32, W = 20 });
einattn::attn_lib!(attention_t5_causal as attention_t5_causal_e16_elem_bf16_f16_n32 { E = 16, Elem = bf16, F = 16, N = 32 });
einattn::attn_lib!(attention_t5_causal as attention_t5_causal_e16_elem_f16_f16_n32 { E = 16, Elem = f16, F = 16, N = 32 });
einattn::attn_lib!(attention_varlen_causal as attention_varlen_causal_e32_elem_bf16_f32 { E = 32, Elem = bf16, F = 32 });
einattn::attn_lib!(attention_varlen_causal as attention_varlen_causal_e32_elem_f16_f32 { E = 32, Elem = f16, F = 32 });
einattn::attn_lib!(bigbird as bigbird_e16_elem_bf16_f16_w16 { E = 16, Elem = bf16, F = 16, W = 16 });
einattn::attn_lib!(bigbird as bigbird_e16_elem_f16_f16_w16 { E = 16, Elem = f16, F = 16, W = 16 });
einattn::attn_lib!(block_local as block_local_e16_elem_bf16_f16_w13 { E = 16, Elem = bf16, F = 16, W = 13 });
einattn::attn_lib!(block_local as block_local_e16_elem_f16_f16_w13 { E = 16, Elem = f16, F = 16, W = 13 });
einattn::attn_lib!(chunk_causal as chunk_causal_e16_elem_bf16_f16_l2_w12 { E = 16, Elem = bf16, F = 16, L = 2, W = 12 });
einattn::attn_lib!(chunk_causal as chunk_causal_e16_elem_f16_f16_l2_w12 { E = 16, Elem = f16, F = 16, L = 2, W = 12 });
einattn::attn_lib!(column_lists as column_lists_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(column_lists as column_lists_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(differential_attention as differential_attention_e16_elem_bf16_f32 { E = 16, Elem = bf16, F = 32 });
einattn::attn_lib!(differential_attention as differential_attention_e16_elem_f16_f32 { E = 16, Elem = f16, F = 32 });
einattn::attn_lib!(forgetting_attention as forgetting_attention_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(forgetting_attention as forgetting_attention_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(gla as gla_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(gla as gla_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(linear_elu_causal as linear_elu_causal_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(linear_elu_causal as linear_elu_causal_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(moba_blocks as moba_blocks_e16_elem_bf16_f16_w12 { E = 16, Elem = bf16, F = 16, W = 12 });
einattn::attn_lib!(moba_blocks as moba_blocks_e16_elem_f16_f16_w12 { E = 16, Elem = f16, F = 16, W = 12 });
einattn::attn_lib!(paged_decode as paged_decode_e32_elem_bf16_f32_w16 { E = 32, Elem = bf16, F = 32, W = 16 });
einattn::attn_lib!(paged_decode as paged_decode_e32_elem_f16_f32_w16 { E = 32, Elem = f16, F = 32, W = 16 });
einattn::attn_lib!(paged_prefill as paged_prefill_e16_elem_bf16_f16_w8 { E = 16, Elem = bf16, F = 16, W = 8 });
einattn::attn_lib!(paged_prefill as paged_prefill_e16_elem_f16_f16_w8 { E = 16, Elem = f16, F = 16, W = 8 });
einattn::attn_lib!(retnet as retnet_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(retnet as retnet_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(ring_buffer_decode as ring_buffer_decode_e32_elem_bf16_f32_s4 { E = 32, Elem = bf16, F = 32, S = 4 });
einattn::attn_lib!(ring_buffer_decode as ring_buffer_decode_e32_elem_f16_f32_s4 { E = 32, Elem = f16, F = 32, S = 4 });
einattn::attn_lib!(split_decode as split_decode_e40_elem_bf16_f40_n48 { E = 40, Elem = bf16, F = 40, N = 48 });
einattn::attn_lib!(split_decode as split_decode_e40_elem_f16_f40_n48 { E = 40, Elem = f16, F = 40, N = 48 });
einattn::attn_lib!(stick_breaking as stick_breaking_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(stick_breaking as stick_breaking_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(talking_heads as talking_heads_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(talking_heads as talking_heads_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(vertical_slash as vertical_slash_e16_elem_bf16_f16 { E = 16, Elem = bf16, F = 16 });
einattn::attn_lib!(vertical_slash as vertical_slash_e16_elem_f16_f16 { E = 16, Elem = f16, F = 16 });
einattn::attn_lib!(window_causal as window_causal_e32_elem_bf16_f32_w16 { E = 32, Elem = bf16, F = 32, W = 16 });
einattn::attn_lib!(window_causal as window_causal_e32_elem_f16_f32_w16 { E = 32, Elem = f16, F = 32, W = 16 });
einattn::attn_lib!(window_dilated as window_dilated_d4_e16_elem_bf16_f16_w9 { D = 4, E = 16, Elem = bf16, F = 16, W = 9 });
einattn::attn_lib!(window_dilated as window_dilated_d4_e16_elem_f16_f16_w9 { D = 4, E = 16, Elem = f16, F = 16, W = 9 });
einattn::attn_lib!(window_sinks as window_sinks_e16_elem_bf16_f16_s4_w21 { E = 16, Elem = bf16, F = 16, S = 4, W = 21 });
einattn::attn_lib!(window_sinks as window_sinks_e16_elem_f16_f16_s4_w21 { E = 16, Elem = f16, F = 16, S = 4, W = 21 });
einattn::attn_lib!(window_two_sided as window_two_sided_e16_elem_bf16_f16_l10_r3 { E = 16, Elem = bf16, F = 16, L = 10, R = 3 });
einattn::attn_lib!(window_two_sided as window_two_sided_e16_elem_f16_f16_l10_r3 { E = 16, Elem = f16, F = 16, L = 10, R = 3 });

/// Names and kernels.
pub(crate) const KERNELS: &[(&str, &Kernel<'static>)] = &[
    ("attention_e32_elem_bf16_f32", &__einattn_attention_e32_elem_bf16_f32::KERNEL),
    ("attention_e32_elem_f16_f32", &__einattn_attention_e32_elem_f16_f32::KERNEL),
    ("attention_alibi_d11_e24_elem_bf16_f24", &__einattn_attention_alibi_d11_e24_elem_bf16_f24::KERNEL),
    ("attention_alibi_d11_e24_elem_f16_f24", &__einattn_attention_alibi_d11_e24_elem_f16_f24::KERNEL),
    ("attention_bias_e16_elem_bf16_f16", &__einattn_attention_bias_e16_elem_bf16_f16::KERNEL),
    ("attention_bias_e16_elem_f16_f16", &__einattn_attention_bias_e16_elem_f16_f16::KERNEL),
    ("attention_causal_e16_elem_bf16_f16", &__einattn_attention_causal_e16_elem_bf16_f16::KERNEL),
    ("attention_causal_e16_elem_f16_f16", &__einattn_attention_causal_e16_elem_f16_f16::KERNEL),
    ("attention_causal_e32_elem_bf16_f32", &__einattn_attention_causal_e32_elem_bf16_f32::KERNEL),
    ("attention_causal_e32_elem_f16_f32", &__einattn_attention_causal_e32_elem_f16_f32::KERNEL),
    ("attention_cosine_e24_elem_bf16_f24", &__einattn_attention_cosine_e24_elem_bf16_f24::KERNEL),
    ("attention_cosine_e24_elem_f16_f24", &__einattn_attention_cosine_e24_elem_f16_f24::KERNEL),
    ("attention_documents_e32_elem_bf16_f32", &__einattn_attention_documents_e32_elem_bf16_f32::KERNEL),
    ("attention_documents_e32_elem_f16_f32", &__einattn_attention_documents_e32_elem_f16_f32::KERNEL),
    ("attention_lengths_e32_elem_bf16_f32", &__einattn_attention_lengths_e32_elem_bf16_f32::KERNEL),
    ("attention_lengths_e32_elem_f16_f32", &__einattn_attention_lengths_e32_elem_f16_f32::KERNEL),
    ("attention_prefix_e16_elem_bf16_f16", &__einattn_attention_prefix_e16_elem_bf16_f16::KERNEL),
    ("attention_prefix_e16_elem_f16_f16", &__einattn_attention_prefix_e16_elem_f16_f16::KERNEL),
    ("attention_relu_e16_elem_bf16_f16", &__einattn_attention_relu_e16_elem_bf16_f16::KERNEL),
    ("attention_relu_e16_elem_f16_f16", &__einattn_attention_relu_e16_elem_f16_f16::KERNEL),
    ("attention_rope_e32_elem_bf16_f32", &__einattn_attention_rope_e32_elem_bf16_f32::KERNEL),
    ("attention_rope_e32_elem_f16_f32", &__einattn_attention_rope_e32_elem_f16_f32::KERNEL),
    ("attention_shaw_c9_e16_elem_bf16_f16", &__einattn_attention_shaw_c9_e16_elem_bf16_f16::KERNEL),
    ("attention_shaw_c9_e16_elem_f16_f16", &__einattn_attention_shaw_c9_e16_elem_f16_f16::KERNEL),
    ("attention_sigmoid_e16_elem_bf16_f16", &__einattn_attention_sigmoid_e16_elem_bf16_f16::KERNEL),
    ("attention_sigmoid_e16_elem_f16_f16", &__einattn_attention_sigmoid_e16_elem_f16_f16::KERNEL),
    ("attention_sink_window_cap_segments_e16_elem_bf16_f16_w19", &__einattn_attention_sink_window_cap_segments_e16_elem_bf16_f16_w19::KERNEL),
    ("attention_sink_window_cap_segments_e16_elem_f16_f16_w19", &__einattn_attention_sink_window_cap_segments_e16_elem_f16_f16_w19::KERNEL),
    ("attention_softcap_e32_elem_bf16_f32_w20", &__einattn_attention_softcap_e32_elem_bf16_f32_w20::KERNEL),
    ("attention_softcap_e32_elem_f16_f32_w20", &__einattn_attention_softcap_e32_elem_f16_f32_w20::KERNEL),
    ("attention_t5_causal_e16_elem_bf16_f16_n32", &__einattn_attention_t5_causal_e16_elem_bf16_f16_n32::KERNEL),
    ("attention_t5_causal_e16_elem_f16_f16_n32", &__einattn_attention_t5_causal_e16_elem_f16_f16_n32::KERNEL),
    ("attention_varlen_causal_e32_elem_bf16_f32", &__einattn_attention_varlen_causal_e32_elem_bf16_f32::KERNEL),
    ("attention_varlen_causal_e32_elem_f16_f32", &__einattn_attention_varlen_causal_e32_elem_f16_f32::KERNEL),
    ("bigbird_e16_elem_bf16_f16_w16", &__einattn_bigbird_e16_elem_bf16_f16_w16::KERNEL),
    ("bigbird_e16_elem_f16_f16_w16", &__einattn_bigbird_e16_elem_f16_f16_w16::KERNEL),
    ("block_local_e16_elem_bf16_f16_w13", &__einattn_block_local_e16_elem_bf16_f16_w13::KERNEL),
    ("block_local_e16_elem_f16_f16_w13", &__einattn_block_local_e16_elem_f16_f16_w13::KERNEL),
    ("chunk_causal_e16_elem_bf16_f16_l2_w12", &__einattn_chunk_causal_e16_elem_bf16_f16_l2_w12::KERNEL),
    ("chunk_causal_e16_elem_f16_f16_l2_w12", &__einattn_chunk_causal_e16_elem_f16_f16_l2_w12::KERNEL),
    ("column_lists_e16_elem_bf16_f16", &__einattn_column_lists_e16_elem_bf16_f16::KERNEL),
    ("column_lists_e16_elem_f16_f16", &__einattn_column_lists_e16_elem_f16_f16::KERNEL),
    ("differential_attention_e16_elem_bf16_f32", &__einattn_differential_attention_e16_elem_bf16_f32::KERNEL),
    ("differential_attention_e16_elem_f16_f32", &__einattn_differential_attention_e16_elem_f16_f32::KERNEL),
    ("forgetting_attention_e16_elem_bf16_f16", &__einattn_forgetting_attention_e16_elem_bf16_f16::KERNEL),
    ("forgetting_attention_e16_elem_f16_f16", &__einattn_forgetting_attention_e16_elem_f16_f16::KERNEL),
    ("gla_e16_elem_bf16_f16", &__einattn_gla_e16_elem_bf16_f16::KERNEL),
    ("gla_e16_elem_f16_f16", &__einattn_gla_e16_elem_f16_f16::KERNEL),
    ("linear_elu_causal_e16_elem_bf16_f16", &__einattn_linear_elu_causal_e16_elem_bf16_f16::KERNEL),
    ("linear_elu_causal_e16_elem_f16_f16", &__einattn_linear_elu_causal_e16_elem_f16_f16::KERNEL),
    ("moba_blocks_e16_elem_bf16_f16_w12", &__einattn_moba_blocks_e16_elem_bf16_f16_w12::KERNEL),
    ("moba_blocks_e16_elem_f16_f16_w12", &__einattn_moba_blocks_e16_elem_f16_f16_w12::KERNEL),
    ("paged_decode_e32_elem_bf16_f32_w16", &__einattn_paged_decode_e32_elem_bf16_f32_w16::KERNEL),
    ("paged_decode_e32_elem_f16_f32_w16", &__einattn_paged_decode_e32_elem_f16_f32_w16::KERNEL),
    ("paged_prefill_e16_elem_bf16_f16_w8", &__einattn_paged_prefill_e16_elem_bf16_f16_w8::KERNEL),
    ("paged_prefill_e16_elem_f16_f16_w8", &__einattn_paged_prefill_e16_elem_f16_f16_w8::KERNEL),
    ("retnet_e16_elem_bf16_f16", &__einattn_retnet_e16_elem_bf16_f16::KERNEL),
    ("retnet_e16_elem_f16_f16", &__einattn_retnet_e16_elem_f16_f16::KERNEL),
    ("ring_buffer_decode_e32_elem_bf16_f32_s4", &__einattn_ring_buffer_decode_e32_elem_bf16_f32_s4::KERNEL),
    ("ring_buffer_decode_e32_elem_f16_f32_s4", &__einattn_ring_buffer_decode_e32_elem_f16_f32_s4::KERNEL),
    ("split_decode_e40_elem_bf16_f40_n48", &__einattn_split_decode_e40_elem_bf16_f40_n48::KERNEL),
    ("split_decode_e40_elem_f16_f40_n48", &__einattn_split_decode_e40_elem_f16_f40_n48::KERNEL),
    ("stick_breaking_e16_elem_bf16_f16", &__einattn_stick_breaking_e16_elem_bf16_f16::KERNEL),
    ("stick_breaking_e16_elem_f16_f16", &__einattn_stick_breaking_e16_elem_f16_f16::KERNEL),
    ("talking_heads_e16_elem_bf16_f16", &__einattn_talking_heads_e16_elem_bf16_f16::KERNEL),
    ("talking_heads_e16_elem_f16_f16", &__einattn_talking_heads_e16_elem_f16_f16::KERNEL),
    ("vertical_slash_e16_elem_bf16_f16", &__einattn_vertical_slash_e16_elem_bf16_f16::KERNEL),
    ("vertical_slash_e16_elem_f16_f16", &__einattn_vertical_slash_e16_elem_f16_f16::KERNEL),
    ("window_causal_e32_elem_bf16_f32_w16", &__einattn_window_causal_e32_elem_bf16_f32_w16::KERNEL),
    ("window_causal_e32_elem_f16_f32_w16", &__einattn_window_causal_e32_elem_f16_f32_w16::KERNEL),
    ("window_dilated_d4_e16_elem_bf16_f16_w9", &__einattn_window_dilated_d4_e16_elem_bf16_f16_w9::KERNEL),
    ("window_dilated_d4_e16_elem_f16_f16_w9", &__einattn_window_dilated_d4_e16_elem_f16_f16_w9::KERNEL),
    ("window_sinks_e16_elem_bf16_f16_s4_w21", &__einattn_window_sinks_e16_elem_bf16_f16_s4_w21::KERNEL),
    ("window_sinks_e16_elem_f16_f16_s4_w21", &__einattn_window_sinks_e16_elem_f16_f16_s4_w21::KERNEL),
    ("window_two_sided_e16_elem_bf16_f16_l10_r3", &__einattn_window_two_sided_e16_elem_bf16_f16_l10_r3::KERNEL),
    ("window_two_sided_e16_elem_f16_f16_l10_r3", &__einattn_window_two_sided_e16_elem_f16_f16_l10_r3::KERNEL),
];
