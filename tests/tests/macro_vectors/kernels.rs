//! Made by `EINATTN_BLESS=1 cargo test -p einattn-tests --test vectors instances`.

#![allow(dead_code, reason = "kernels are launched by their descriptions")]

use einattn::cpu::Kernel;

einattn::attn_lib!(abc as abc_e16_elem_f32_f16_m8 { E = 16, Elem = f32, F = 16, M = 8 });
einattn::attn_lib!(attention as attention_e128_elem_f32_f128 { E = 128, Elem = f32, F = 128 });
einattn::attn_lib!(attention as attention_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention as attention_e32_elem_f32_f32 { E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(attention as attention_e64_elem_f32_f16 { E = 64, Elem = f32, F = 16 });
einattn::attn_lib!(attention as attention_e64_elem_f32_f32 { E = 64, Elem = f32, F = 32 });
einattn::attn_lib!(attention as attention_e96_elem_f32_f40 { E = 96, Elem = f32, F = 40 });
einattn::attn_lib!(attention_alibi as attention_alibi_d11_e24_elem_f32_f24 { D = 11, E = 24, Elem = f32, F = 24 });
einattn::attn_lib!(attention_bias as attention_bias_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_block_bitmap as attention_block_bitmap_e16_elem_f32_f16_w16 { E = 16, Elem = f32, F = 16, W = 16 });
einattn::attn_lib!(attention_block_bitmap_causal as attention_block_bitmap_causal_e16_elem_f32_f16_w16 { E = 16, Elem = f32, F = 16, W = 16 });
einattn::attn_lib!(attention_block_bitmap_dynamic as attention_block_bitmap_dynamic_e16_elem_f32_f16_w16 { E = 16, Elem = f32, F = 16, W = 16 });
einattn::attn_lib!(attention_causal as attention_causal_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_causal as attention_causal_e32_elem_f32_f32 { E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(attention_causal as attention_causal_e64_elem_f32_f64 { E = 64, Elem = f32, F = 64 });
einattn::attn_lib!(attention_causal_top_left as attention_causal_top_left_e40_elem_f32_f40 { E = 40, Elem = f32, F = 40 });
einattn::attn_lib!(attention_cosine as attention_cosine_e24_elem_f32_f24 { E = 24, Elem = f32, F = 24 });
einattn::attn_lib!(attention_documents as attention_documents_e32_elem_f32_f32 { E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(attention_entmax15 as attention_entmax15_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_gaussian as attention_gaussian_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_int8 as attention_int8_e32_elem_f32_f32_wk32_wq16 { E = 32, Elem = f32, F = 32, WK = 32, WQ = 16 });
einattn::attn_lib!(attention_int8_quantise as attention_int8_quantise_e32_elem_f32_f32_wk16_wq16 { E = 32, Elem = f32, F = 32, WK = 16, WQ = 16 });
einattn::attn_lib!(attention_key_size as attention_key_size_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_keymask as attention_keymask_e24_elem_f32_f24 { E = 24, Elem = f32, F = 24 });
einattn::attn_lib!(attention_keymask as attention_keymask_e32_elem_f32_f32 { E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(attention_lengths as attention_lengths_e32_elem_f32_f32 { E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(attention_logn as attention_logn_e32_elem_f32_f32_n016 { E = 32, Elem = f32, F = 32, N0 = 16 });
einattn::attn_lib!(attention_prefix as attention_prefix_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_rela as attention_rela_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_relu as attention_relu_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_relu_squared as attention_relu_squared_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_rope as attention_rope_e32_elem_f32_f32 { E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(attention_segments as attention_segments_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_shaw as attention_shaw_c9_e16_elem_f32_f16 { C = 9, E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_sigmoid as attention_sigmoid_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_sigmoid_causal as attention_sigmoid_causal_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_sink as attention_sink_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_sink_window as attention_sink_window_e16_elem_f32_f16_w24 { E = 16, Elem = f32, F = 16, W = 24 });
einattn::attn_lib!(attention_sink_window_cap_segments as attention_sink_window_cap_segments_e16_elem_f32_f16_w19 { E = 16, Elem = f32, F = 16, W = 19 });
einattn::attn_lib!(attention_softcap as attention_softcap_e32_elem_f32_f32_w20 { E = 32, Elem = f32, F = 32, W = 20 });
einattn::attn_lib!(attention_sparsemax as attention_sparsemax_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(attention_statistics as attention_statistics_e16_elem_f32_f16_w16 { E = 16, Elem = f32, F = 16, W = 16 });
einattn::attn_lib!(attention_t5 as attention_t5_e16_elem_f32_f16_n32 { E = 16, Elem = f32, F = 16, N = 32 });
einattn::attn_lib!(attention_t5_causal as attention_t5_causal_e16_elem_f32_f16_n32 { E = 16, Elem = f32, F = 16, N = 32 });
einattn::attn_lib!(attention_varlen as attention_varlen_e40_elem_f32_f40 { E = 40, Elem = f32, F = 40 });
einattn::attn_lib!(attention_varlen_causal as attention_varlen_causal_e32_elem_f32_f32 { E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(axial_row_or_column as axial_row_or_column_e16_elem_f32_f16_x11 { E = 16, Elem = f32, F = 16, X = 11 });
einattn::attn_lib!(axial_two_stage as axial_two_stage_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(based_taylor as based_taylor_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(bigbird as bigbird_e16_elem_f32_f16_w16 { E = 16, Elem = f32, F = 16, W = 16 });
einattn::attn_lib!(block_local as block_local_e16_elem_f32_f16_w13 { E = 16, Elem = f32, F = 16, W = 13 });
einattn::attn_lib!(chunk_causal as chunk_causal_e16_elem_f32_f16_l2_w12 { E = 16, Elem = f32, F = 16, L = 2, W = 12 });
einattn::attn_lib!(clear_disc as clear_disc_e16_elem_f32_f16_n7_r210_x9 { E = 16, Elem = f32, F = 16, N = 7, R2 = 10, X = 9 });
einattn::attn_lib!(column_lists as column_lists_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(convolution_causal as convolution_causal_elem_f32 { Elem = f32 });
einattn::attn_lib!(convolution_circular as convolution_circular_elem_f32 { Elem = f32 });
einattn::attn_lib!(cosformer as cosformer_e16_elem_f32_f16_l61 { E = 16, Elem = f32, F = 16, L = 61 });
einattn::attn_lib!(cosformer_causal as cosformer_causal_e16_elem_f32_f16_l61 { E = 16, Elem = f32, F = 16, L = 61 });
einattn::attn_lib!(deltanet as deltanet_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(differential_attention as differential_attention_e16_elem_f32_f32 { E = 16, Elem = f32, F = 32 });
einattn::attn_lib!(flare as flare_e16_elem_f32_f16_l12 { E = 16, Elem = f32, F = 16, L = 12 });
einattn::attn_lib!(flowformer as flowformer_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(flowformer_causal as flowformer_causal_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(fnet as fnet {  });
einattn::attn_lib!(forgetting_attention as forgetting_attention_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(gam_memory_bank as gam_memory_bank_d32_elem_f32_j3 { D = 32, Elem = f32, J = 3 });
einattn::attn_lib!(gated_deltanet as gated_deltanet_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(gla as gla_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(gsa as gsa_e16_elem_f32_f16_m8 { E = 16, Elem = f32, F = 16, M = 8 });
einattn::attn_lib!(hgrn2 as hgrn2_d16_e16_elem_f32 { D = 16, E = 16, Elem = f32 });
einattn::attn_lib!(hgrn_vector as hgrn_vector_elem_f32 { Elem = f32 });
einattn::attn_lib!(hydra as hydra_elem_f32_n8_p16 { Elem = f32, N = 8, P = 16 });
einattn::attn_lib!(hyena as hyena_elem_f32 { Elem = f32 });
einattn::attn_lib!(kda as kda_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(key_only_softmax as key_only_softmax_elem_f32_f16 { Elem = f32, F = 16 });
einattn::attn_lib!(lightning_attention as lightning_attention_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(linear_elu as linear_elu_e16_elem_f32_f32 { E = 16, Elem = f32, F = 32 });
einattn::attn_lib!(linear_elu_causal as linear_elu_causal_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(linear_hedgehog as linear_hedgehog_d24_e32_elem_f32_f32 { D = 24, E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(linear_hedgehog_causal as linear_hedgehog_causal_d16_e16_elem_f32_f16 { D = 16, E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(linear_relu as linear_relu_e32_elem_f32_f32 { E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(linear_token_mix_causal as linear_token_mix_causal_elem_f32 { Elem = f32 });
einattn::attn_lib!(linformer as linformer_e16_elem_f32_f16_l12 { E = 16, Elem = f32, F = 16, L = 12 });
einattn::attn_lib!(lizard_hybrid as lizard_hybrid_d16_e16_elem_f32_f16_r4_w14 { D = 16, E = 16, Elem = f32, F = 16, R = 4, W = 14 });
einattn::attn_lib!(log_linear_attention as log_linear_attention_e16_elem_f32_f16_l7 { E = 16, Elem = f32, F = 16, L = 7 });
einattn::attn_lib!(lolcats_hybrid as lolcats_hybrid_d16_e16_elem_f32_f16_w12 { D = 16, E = 16, Elem = f32, F = 16, W = 12 });
einattn::attn_lib!(longformer as longformer_e16_elem_f32_f16_r7 { E = 16, Elem = f32, F = 16, R = 7 });
einattn::attn_lib!(longnet_dilated as longnet_dilated_e16_elem_f32_f16_r11_r22_r34_w112_w224_w348 { E = 16, Elem = f32, F = 16, R1 = 1, R2 = 2, R3 = 4, W1 = 12, W2 = 24, W3 = 48 });
einattn::attn_lib!(mala as mala_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(mamba2_ssd as mamba2_ssd_elem_f32_n16_p16 { Elem = f32, N = 16, P = 16 });
einattn::attn_lib!(mamba_selective_scan as mamba_selective_scan_elem_f32_n8 { Elem = f32, N = 8 });
einattn::attn_lib!(merge_partials as merge_partials_elem_f32_f16 { Elem = f32, F = 16 });
einattn::attn_lib!(minference_vertical_slash as minference_vertical_slash_a4_c5_e16_elem_f32_f16_i10_j5_n16 { A = 4, C = 5, E = 16, Elem = f32, F = 16, I = 10, J = 5, N = 16 });
einattn::attn_lib!(mla as mla_e16_elem_f32_f16_l32_r8 { E = 16, Elem = f32, F = 16, L = 32, R = 8 });
einattn::attn_lib!(mla_decode as mla_decode_elem_f32_l64_r16 { Elem = f32, L = 64, R = 16 });
einattn::attn_lib!(mlp_mixer as mlp_mixer_elem_f32 { Elem = f32 });
einattn::attn_lib!(mlstm as mlstm_d16_e16_elem_f32 { D = 16, E = 16, Elem = f32 });
einattn::attn_lib!(moba as moba_e16_elem_f32_f16_n2_w8 { E = 16, Elem = f32, F = 16, N = 2, W = 8 });
einattn::attn_lib!(moba_blocks as moba_blocks_e16_elem_f32_f16_w12 { E = 16, Elem = f32, F = 16, W = 12 });
einattn::attn_lib!(multi_token_attention as multi_token_attention_e16_elem_f32_f16_i4_j5 { E = 16, Elem = f32, F = 16, I = 4, J = 5 });
einattn::attn_lib!(multi_token_attention_mixed as multi_token_attention_mixed_e16_elem_f32_f16_i3_j5 { E = 16, Elem = f32, F = 16, I = 3, J = 5 });
einattn::attn_lib!(music_transformer as music_transformer_c32_elem_f32_f32 { C = 32, Elem = f32, F = 32 });
einattn::attn_lib!(nalaformer as nalaformer_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(neighborhood_1d as neighborhood_1d_e24_elem_f32_f24_w9 { E = 24, Elem = f32, F = 24, W = 9 });
einattn::attn_lib!(neighborhood_1d_causal as neighborhood_1d_causal_d3_e24_elem_f32_f24_w7 { D = 3, E = 24, Elem = f32, F = 24, W = 7 });
einattn::attn_lib!(neighborhood_2d as neighborhood_2d_dx2_dy3_e16_elem_f32_f16_wx3_wy3_x13 { DX = 2, DY = 3, E = 16, Elem = f32, F = 16, WX = 3, WY = 3, X = 13 });
einattn::attn_lib!(neighborhood_2d as neighborhood_2d_e16_elem_f32_f16_wx5_wy3_x11 { E = 16, Elem = f32, F = 16, WX = 5, WY = 3, X = 11 });
einattn::attn_lib!(neighborhood_3d_causal as neighborhood_3d_causal_dy2_e16_elem_f32_f16_wx3_wy3_wz3_x5_y6 { DY = 2, E = 16, Elem = f32, F = 16, WX = 3, WY = 3, WZ = 3, X = 5, Y = 6 });
einattn::attn_lib!(nsa as nsa_e16_elem_f32_f16_l12_n4_w8 { E = 16, Elem = f32, F = 16, L = 12, N = 4, W = 8 });
einattn::attn_lib!(nsa_compressed as nsa_compressed_e16_elem_f32_f16_w8 { E = 16, Elem = f32, F = 16, W = 8 });
einattn::attn_lib!(nsa_selected as nsa_selected_e16_elem_f32_f16_j3_n8 { E = 16, Elem = f32, F = 16, J = 3, N = 8 });
einattn::attn_lib!(nystromformer as nystromformer_e16_elem_f32_f16_j6_l8 { E = 16, Elem = f32, F = 16, J = 6, L = 8 });
einattn::attn_lib!(paged_decode as paged_decode_e32_elem_f32_f32_w16 { E = 32, Elem = f32, F = 32, W = 16 });
einattn::attn_lib!(paged_prefill as paged_prefill_e16_elem_f32_f16_w8 { E = 16, Elem = f32, F = 16, W = 8 });
einattn::attn_lib!(perceiver as perceiver_e16_elem_f32_l10 { E = 16, Elem = f32, L = 10 });
einattn::attn_lib!(pooled_block_topk as pooled_block_topk_e16_elem_f32_f16_n2_w8 { E = 16, Elem = f32, F = 16, N = 2, W = 8 });
einattn::attn_lib!(poolformer as poolformer_elem_f32_u3_v3 { Elem = f32, U = 3, V = 3 });
einattn::attn_lib!(power_attention as power_attention_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(power_attention_blocks as power_attention_blocks_e16_elem_f32_f16_w16 { E = 16, Elem = f32, F = 16, W = 16 });
einattn::attn_lib!(qin_target as qin_target_e32_elem_f32_f32 { E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(rala as rala_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(retnet as retnet_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(ring_buffer_decode as ring_buffer_decode_e32_elem_f32_f32_s4 { E = 32, Elem = f32, F = 32, S = 4 });
einattn::attn_lib!(ring_step as ring_step_e32_elem_f32_f32 { E = 32, Elem = f32, F = 32 });
einattn::attn_lib!(rwkv4 as rwkv4_elem_f32 { Elem = f32 });
einattn::attn_lib!(rwkv6 as rwkv6_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(rwkv7 as rwkv7_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(shifted_groups as shifted_groups_e16_elem_f32_f16_s2_w22 { E = 16, Elem = f32, F = 16, S = 2, W = 22 });
einattn::attn_lib!(simple_gla as simple_gla_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(sparse_transformer_fixed as sparse_transformer_fixed_c2_e16_elem_f32_f16_l12 { C = 2, E = 16, Elem = f32, F = 16, L = 12 });
einattn::attn_lib!(sparse_transformer_strided as sparse_transformer_strided_e16_elem_f32_f16_l10 { E = 16, Elem = f32, F = 16, L = 10 });
einattn::attn_lib!(split_decode as split_decode_e40_elem_f32_f40_n48 { E = 40, Elem = f32, F = 40, N = 48 });
einattn::attn_lib!(stick_breaking as stick_breaking_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(swin_shifted_window as swin_shifted_window_e16_elem_f32_f16_n49_s2_w4_x12 { E = 16, Elem = f32, F = 16, N = 49, S = 2, W = 4, X = 12 });
einattn::attn_lib!(talking_heads as talking_heads_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(taylorshift as taylorshift_e8_elem_f32_f16 { E = 8, Elem = f32, F = 16 });
einattn::attn_lib!(titans as titans_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(titans_chunked as titans_chunked_c16_e16_elem_f32_f16 { C = 16, E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(transformer_xl as transformer_xl_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(transnormer as transnormer_e16_elem_f32_f32 { E = 16, Elem = f32, F = 32 });
einattn::attn_lib!(transnormer_causal as transnormer_causal_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(vertical_slash as vertical_slash_e16_elem_f32_f16 { E = 16, Elem = f32, F = 16 });
einattn::attn_lib!(window_causal as window_causal_e32_elem_f32_f32_w16 { E = 32, Elem = f32, F = 32, W = 16 });
einattn::attn_lib!(window_dilated as window_dilated_d4_e16_elem_f32_f16_w9 { D = 4, E = 16, Elem = f32, F = 16, W = 9 });
einattn::attn_lib!(window_sinks as window_sinks_e16_elem_f32_f16_s4_w21 { E = 16, Elem = f32, F = 16, S = 4, W = 21 });
einattn::attn_lib!(window_two_sided as window_two_sided_e16_elem_f32_f16_l10_r3 { E = 16, Elem = f32, F = 16, L = 10, R = 3 });
einattn::attn_lib!(xattention as xattention_e16_elem_f32_f16_s4_w16 { E = 16, Elem = f32, F = 16, S = 4, W = 16 });

/// Names and kernels.
pub(crate) const KERNELS: &[(&str, &Kernel<'static>)] = &[
    ("abc_e16_elem_f32_f16_m8", &__einattn_abc_e16_elem_f32_f16_m8::KERNEL),
    ("attention_e128_elem_f32_f128", &__einattn_attention_e128_elem_f32_f128::KERNEL),
    ("attention_e16_elem_f32_f16", &__einattn_attention_e16_elem_f32_f16::KERNEL),
    ("attention_e32_elem_f32_f32", &__einattn_attention_e32_elem_f32_f32::KERNEL),
    ("attention_e64_elem_f32_f16", &__einattn_attention_e64_elem_f32_f16::KERNEL),
    ("attention_e64_elem_f32_f32", &__einattn_attention_e64_elem_f32_f32::KERNEL),
    ("attention_e96_elem_f32_f40", &__einattn_attention_e96_elem_f32_f40::KERNEL),
    ("attention_alibi_d11_e24_elem_f32_f24", &__einattn_attention_alibi_d11_e24_elem_f32_f24::KERNEL),
    ("attention_bias_e16_elem_f32_f16", &__einattn_attention_bias_e16_elem_f32_f16::KERNEL),
    ("attention_block_bitmap_e16_elem_f32_f16_w16", &__einattn_attention_block_bitmap_e16_elem_f32_f16_w16::KERNEL),
    ("attention_block_bitmap_causal_e16_elem_f32_f16_w16", &__einattn_attention_block_bitmap_causal_e16_elem_f32_f16_w16::KERNEL),
    ("attention_block_bitmap_dynamic_e16_elem_f32_f16_w16", &__einattn_attention_block_bitmap_dynamic_e16_elem_f32_f16_w16::KERNEL),
    ("attention_causal_e16_elem_f32_f16", &__einattn_attention_causal_e16_elem_f32_f16::KERNEL),
    ("attention_causal_e32_elem_f32_f32", &__einattn_attention_causal_e32_elem_f32_f32::KERNEL),
    ("attention_causal_e64_elem_f32_f64", &__einattn_attention_causal_e64_elem_f32_f64::KERNEL),
    ("attention_causal_top_left_e40_elem_f32_f40", &__einattn_attention_causal_top_left_e40_elem_f32_f40::KERNEL),
    ("attention_cosine_e24_elem_f32_f24", &__einattn_attention_cosine_e24_elem_f32_f24::KERNEL),
    ("attention_documents_e32_elem_f32_f32", &__einattn_attention_documents_e32_elem_f32_f32::KERNEL),
    ("attention_entmax15_e16_elem_f32_f16", &__einattn_attention_entmax15_e16_elem_f32_f16::KERNEL),
    ("attention_gaussian_e16_elem_f32_f16", &__einattn_attention_gaussian_e16_elem_f32_f16::KERNEL),
    ("attention_int8_e32_elem_f32_f32_wk32_wq16", &__einattn_attention_int8_e32_elem_f32_f32_wk32_wq16::KERNEL),
    ("attention_int8_quantise_e32_elem_f32_f32_wk16_wq16", &__einattn_attention_int8_quantise_e32_elem_f32_f32_wk16_wq16::KERNEL),
    ("attention_key_size_e16_elem_f32_f16", &__einattn_attention_key_size_e16_elem_f32_f16::KERNEL),
    ("attention_keymask_e24_elem_f32_f24", &__einattn_attention_keymask_e24_elem_f32_f24::KERNEL),
    ("attention_keymask_e32_elem_f32_f32", &__einattn_attention_keymask_e32_elem_f32_f32::KERNEL),
    ("attention_lengths_e32_elem_f32_f32", &__einattn_attention_lengths_e32_elem_f32_f32::KERNEL),
    ("attention_logn_e32_elem_f32_f32_n016", &__einattn_attention_logn_e32_elem_f32_f32_n016::KERNEL),
    ("attention_prefix_e16_elem_f32_f16", &__einattn_attention_prefix_e16_elem_f32_f16::KERNEL),
    ("attention_rela_e16_elem_f32_f16", &__einattn_attention_rela_e16_elem_f32_f16::KERNEL),
    ("attention_relu_e16_elem_f32_f16", &__einattn_attention_relu_e16_elem_f32_f16::KERNEL),
    ("attention_relu_squared_e16_elem_f32_f16", &__einattn_attention_relu_squared_e16_elem_f32_f16::KERNEL),
    ("attention_rope_e32_elem_f32_f32", &__einattn_attention_rope_e32_elem_f32_f32::KERNEL),
    ("attention_segments_e16_elem_f32_f16", &__einattn_attention_segments_e16_elem_f32_f16::KERNEL),
    ("attention_shaw_c9_e16_elem_f32_f16", &__einattn_attention_shaw_c9_e16_elem_f32_f16::KERNEL),
    ("attention_sigmoid_e16_elem_f32_f16", &__einattn_attention_sigmoid_e16_elem_f32_f16::KERNEL),
    ("attention_sigmoid_causal_e16_elem_f32_f16", &__einattn_attention_sigmoid_causal_e16_elem_f32_f16::KERNEL),
    ("attention_sink_e16_elem_f32_f16", &__einattn_attention_sink_e16_elem_f32_f16::KERNEL),
    ("attention_sink_window_e16_elem_f32_f16_w24", &__einattn_attention_sink_window_e16_elem_f32_f16_w24::KERNEL),
    ("attention_sink_window_cap_segments_e16_elem_f32_f16_w19", &__einattn_attention_sink_window_cap_segments_e16_elem_f32_f16_w19::KERNEL),
    ("attention_softcap_e32_elem_f32_f32_w20", &__einattn_attention_softcap_e32_elem_f32_f32_w20::KERNEL),
    ("attention_sparsemax_e16_elem_f32_f16", &__einattn_attention_sparsemax_e16_elem_f32_f16::KERNEL),
    ("attention_statistics_e16_elem_f32_f16_w16", &__einattn_attention_statistics_e16_elem_f32_f16_w16::KERNEL),
    ("attention_t5_e16_elem_f32_f16_n32", &__einattn_attention_t5_e16_elem_f32_f16_n32::KERNEL),
    ("attention_t5_causal_e16_elem_f32_f16_n32", &__einattn_attention_t5_causal_e16_elem_f32_f16_n32::KERNEL),
    ("attention_varlen_e40_elem_f32_f40", &__einattn_attention_varlen_e40_elem_f32_f40::KERNEL),
    ("attention_varlen_causal_e32_elem_f32_f32", &__einattn_attention_varlen_causal_e32_elem_f32_f32::KERNEL),
    ("axial_row_or_column_e16_elem_f32_f16_x11", &__einattn_axial_row_or_column_e16_elem_f32_f16_x11::KERNEL),
    ("axial_two_stage_e16_elem_f32_f16", &__einattn_axial_two_stage_e16_elem_f32_f16::KERNEL),
    ("based_taylor_e16_elem_f32_f16", &__einattn_based_taylor_e16_elem_f32_f16::KERNEL),
    ("bigbird_e16_elem_f32_f16_w16", &__einattn_bigbird_e16_elem_f32_f16_w16::KERNEL),
    ("block_local_e16_elem_f32_f16_w13", &__einattn_block_local_e16_elem_f32_f16_w13::KERNEL),
    ("chunk_causal_e16_elem_f32_f16_l2_w12", &__einattn_chunk_causal_e16_elem_f32_f16_l2_w12::KERNEL),
    ("clear_disc_e16_elem_f32_f16_n7_r210_x9", &__einattn_clear_disc_e16_elem_f32_f16_n7_r210_x9::KERNEL),
    ("column_lists_e16_elem_f32_f16", &__einattn_column_lists_e16_elem_f32_f16::KERNEL),
    ("convolution_causal_elem_f32", &__einattn_convolution_causal_elem_f32::KERNEL),
    ("convolution_circular_elem_f32", &__einattn_convolution_circular_elem_f32::KERNEL),
    ("cosformer_e16_elem_f32_f16_l61", &__einattn_cosformer_e16_elem_f32_f16_l61::KERNEL),
    ("cosformer_causal_e16_elem_f32_f16_l61", &__einattn_cosformer_causal_e16_elem_f32_f16_l61::KERNEL),
    ("deltanet_e16_elem_f32_f16", &__einattn_deltanet_e16_elem_f32_f16::KERNEL),
    ("differential_attention_e16_elem_f32_f32", &__einattn_differential_attention_e16_elem_f32_f32::KERNEL),
    ("flare_e16_elem_f32_f16_l12", &__einattn_flare_e16_elem_f32_f16_l12::KERNEL),
    ("flowformer_e16_elem_f32_f16", &__einattn_flowformer_e16_elem_f32_f16::KERNEL),
    ("flowformer_causal_e16_elem_f32_f16", &__einattn_flowformer_causal_e16_elem_f32_f16::KERNEL),
    ("fnet", &__einattn_fnet::KERNEL),
    ("forgetting_attention_e16_elem_f32_f16", &__einattn_forgetting_attention_e16_elem_f32_f16::KERNEL),
    ("gam_memory_bank_d32_elem_f32_j3", &__einattn_gam_memory_bank_d32_elem_f32_j3::KERNEL),
    ("gated_deltanet_e16_elem_f32_f16", &__einattn_gated_deltanet_e16_elem_f32_f16::KERNEL),
    ("gla_e16_elem_f32_f16", &__einattn_gla_e16_elem_f32_f16::KERNEL),
    ("gsa_e16_elem_f32_f16_m8", &__einattn_gsa_e16_elem_f32_f16_m8::KERNEL),
    ("hgrn2_d16_e16_elem_f32", &__einattn_hgrn2_d16_e16_elem_f32::KERNEL),
    ("hgrn_vector_elem_f32", &__einattn_hgrn_vector_elem_f32::KERNEL),
    ("hydra_elem_f32_n8_p16", &__einattn_hydra_elem_f32_n8_p16::KERNEL),
    ("hyena_elem_f32", &__einattn_hyena_elem_f32::KERNEL),
    ("kda_e16_elem_f32_f16", &__einattn_kda_e16_elem_f32_f16::KERNEL),
    ("key_only_softmax_elem_f32_f16", &__einattn_key_only_softmax_elem_f32_f16::KERNEL),
    ("lightning_attention_e16_elem_f32_f16", &__einattn_lightning_attention_e16_elem_f32_f16::KERNEL),
    ("linear_elu_e16_elem_f32_f32", &__einattn_linear_elu_e16_elem_f32_f32::KERNEL),
    ("linear_elu_causal_e16_elem_f32_f16", &__einattn_linear_elu_causal_e16_elem_f32_f16::KERNEL),
    ("linear_hedgehog_d24_e32_elem_f32_f32", &__einattn_linear_hedgehog_d24_e32_elem_f32_f32::KERNEL),
    ("linear_hedgehog_causal_d16_e16_elem_f32_f16", &__einattn_linear_hedgehog_causal_d16_e16_elem_f32_f16::KERNEL),
    ("linear_relu_e32_elem_f32_f32", &__einattn_linear_relu_e32_elem_f32_f32::KERNEL),
    ("linear_token_mix_causal_elem_f32", &__einattn_linear_token_mix_causal_elem_f32::KERNEL),
    ("linformer_e16_elem_f32_f16_l12", &__einattn_linformer_e16_elem_f32_f16_l12::KERNEL),
    ("lizard_hybrid_d16_e16_elem_f32_f16_r4_w14", &__einattn_lizard_hybrid_d16_e16_elem_f32_f16_r4_w14::KERNEL),
    ("log_linear_attention_e16_elem_f32_f16_l7", &__einattn_log_linear_attention_e16_elem_f32_f16_l7::KERNEL),
    ("lolcats_hybrid_d16_e16_elem_f32_f16_w12", &__einattn_lolcats_hybrid_d16_e16_elem_f32_f16_w12::KERNEL),
    ("longformer_e16_elem_f32_f16_r7", &__einattn_longformer_e16_elem_f32_f16_r7::KERNEL),
    ("longnet_dilated_e16_elem_f32_f16_r11_r22_r34_w112_w224_w348", &__einattn_longnet_dilated_e16_elem_f32_f16_r11_r22_r34_w112_w224_w348::KERNEL),
    ("mala_e16_elem_f32_f16", &__einattn_mala_e16_elem_f32_f16::KERNEL),
    ("mamba2_ssd_elem_f32_n16_p16", &__einattn_mamba2_ssd_elem_f32_n16_p16::KERNEL),
    ("mamba_selective_scan_elem_f32_n8", &__einattn_mamba_selective_scan_elem_f32_n8::KERNEL),
    ("merge_partials_elem_f32_f16", &__einattn_merge_partials_elem_f32_f16::KERNEL),
    ("minference_vertical_slash_a4_c5_e16_elem_f32_f16_i10_j5_n16", &__einattn_minference_vertical_slash_a4_c5_e16_elem_f32_f16_i10_j5_n16::KERNEL),
    ("mla_e16_elem_f32_f16_l32_r8", &__einattn_mla_e16_elem_f32_f16_l32_r8::KERNEL),
    ("mla_decode_elem_f32_l64_r16", &__einattn_mla_decode_elem_f32_l64_r16::KERNEL),
    ("mlp_mixer_elem_f32", &__einattn_mlp_mixer_elem_f32::KERNEL),
    ("mlstm_d16_e16_elem_f32", &__einattn_mlstm_d16_e16_elem_f32::KERNEL),
    ("moba_e16_elem_f32_f16_n2_w8", &__einattn_moba_e16_elem_f32_f16_n2_w8::KERNEL),
    ("moba_blocks_e16_elem_f32_f16_w12", &__einattn_moba_blocks_e16_elem_f32_f16_w12::KERNEL),
    ("multi_token_attention_e16_elem_f32_f16_i4_j5", &__einattn_multi_token_attention_e16_elem_f32_f16_i4_j5::KERNEL),
    ("multi_token_attention_mixed_e16_elem_f32_f16_i3_j5", &__einattn_multi_token_attention_mixed_e16_elem_f32_f16_i3_j5::KERNEL),
    ("music_transformer_c32_elem_f32_f32", &__einattn_music_transformer_c32_elem_f32_f32::KERNEL),
    ("nalaformer_e16_elem_f32_f16", &__einattn_nalaformer_e16_elem_f32_f16::KERNEL),
    ("neighborhood_1d_e24_elem_f32_f24_w9", &__einattn_neighborhood_1d_e24_elem_f32_f24_w9::KERNEL),
    ("neighborhood_1d_causal_d3_e24_elem_f32_f24_w7", &__einattn_neighborhood_1d_causal_d3_e24_elem_f32_f24_w7::KERNEL),
    ("neighborhood_2d_dx2_dy3_e16_elem_f32_f16_wx3_wy3_x13", &__einattn_neighborhood_2d_dx2_dy3_e16_elem_f32_f16_wx3_wy3_x13::KERNEL),
    ("neighborhood_2d_e16_elem_f32_f16_wx5_wy3_x11", &__einattn_neighborhood_2d_e16_elem_f32_f16_wx5_wy3_x11::KERNEL),
    ("neighborhood_3d_causal_dy2_e16_elem_f32_f16_wx3_wy3_wz3_x5_y6", &__einattn_neighborhood_3d_causal_dy2_e16_elem_f32_f16_wx3_wy3_wz3_x5_y6::KERNEL),
    ("nsa_e16_elem_f32_f16_l12_n4_w8", &__einattn_nsa_e16_elem_f32_f16_l12_n4_w8::KERNEL),
    ("nsa_compressed_e16_elem_f32_f16_w8", &__einattn_nsa_compressed_e16_elem_f32_f16_w8::KERNEL),
    ("nsa_selected_e16_elem_f32_f16_j3_n8", &__einattn_nsa_selected_e16_elem_f32_f16_j3_n8::KERNEL),
    ("nystromformer_e16_elem_f32_f16_j6_l8", &__einattn_nystromformer_e16_elem_f32_f16_j6_l8::KERNEL),
    ("paged_decode_e32_elem_f32_f32_w16", &__einattn_paged_decode_e32_elem_f32_f32_w16::KERNEL),
    ("paged_prefill_e16_elem_f32_f16_w8", &__einattn_paged_prefill_e16_elem_f32_f16_w8::KERNEL),
    ("perceiver_e16_elem_f32_l10", &__einattn_perceiver_e16_elem_f32_l10::KERNEL),
    ("pooled_block_topk_e16_elem_f32_f16_n2_w8", &__einattn_pooled_block_topk_e16_elem_f32_f16_n2_w8::KERNEL),
    ("poolformer_elem_f32_u3_v3", &__einattn_poolformer_elem_f32_u3_v3::KERNEL),
    ("power_attention_e16_elem_f32_f16", &__einattn_power_attention_e16_elem_f32_f16::KERNEL),
    ("power_attention_blocks_e16_elem_f32_f16_w16", &__einattn_power_attention_blocks_e16_elem_f32_f16_w16::KERNEL),
    ("qin_target_e32_elem_f32_f32", &__einattn_qin_target_e32_elem_f32_f32::KERNEL),
    ("rala_e16_elem_f32_f16", &__einattn_rala_e16_elem_f32_f16::KERNEL),
    ("retnet_e16_elem_f32_f16", &__einattn_retnet_e16_elem_f32_f16::KERNEL),
    ("ring_buffer_decode_e32_elem_f32_f32_s4", &__einattn_ring_buffer_decode_e32_elem_f32_f32_s4::KERNEL),
    ("ring_step_e32_elem_f32_f32", &__einattn_ring_step_e32_elem_f32_f32::KERNEL),
    ("rwkv4_elem_f32", &__einattn_rwkv4_elem_f32::KERNEL),
    ("rwkv6_e16_elem_f32_f16", &__einattn_rwkv6_e16_elem_f32_f16::KERNEL),
    ("rwkv7_e16_elem_f32_f16", &__einattn_rwkv7_e16_elem_f32_f16::KERNEL),
    ("shifted_groups_e16_elem_f32_f16_s2_w22", &__einattn_shifted_groups_e16_elem_f32_f16_s2_w22::KERNEL),
    ("simple_gla_e16_elem_f32_f16", &__einattn_simple_gla_e16_elem_f32_f16::KERNEL),
    ("sparse_transformer_fixed_c2_e16_elem_f32_f16_l12", &__einattn_sparse_transformer_fixed_c2_e16_elem_f32_f16_l12::KERNEL),
    ("sparse_transformer_strided_e16_elem_f32_f16_l10", &__einattn_sparse_transformer_strided_e16_elem_f32_f16_l10::KERNEL),
    ("split_decode_e40_elem_f32_f40_n48", &__einattn_split_decode_e40_elem_f32_f40_n48::KERNEL),
    ("stick_breaking_e16_elem_f32_f16", &__einattn_stick_breaking_e16_elem_f32_f16::KERNEL),
    ("swin_shifted_window_e16_elem_f32_f16_n49_s2_w4_x12", &__einattn_swin_shifted_window_e16_elem_f32_f16_n49_s2_w4_x12::KERNEL),
    ("talking_heads_e16_elem_f32_f16", &__einattn_talking_heads_e16_elem_f32_f16::KERNEL),
    ("taylorshift_e8_elem_f32_f16", &__einattn_taylorshift_e8_elem_f32_f16::KERNEL),
    ("titans_e16_elem_f32_f16", &__einattn_titans_e16_elem_f32_f16::KERNEL),
    ("titans_chunked_c16_e16_elem_f32_f16", &__einattn_titans_chunked_c16_e16_elem_f32_f16::KERNEL),
    ("transformer_xl_e16_elem_f32_f16", &__einattn_transformer_xl_e16_elem_f32_f16::KERNEL),
    ("transnormer_e16_elem_f32_f32", &__einattn_transnormer_e16_elem_f32_f32::KERNEL),
    ("transnormer_causal_e16_elem_f32_f16", &__einattn_transnormer_causal_e16_elem_f32_f16::KERNEL),
    ("vertical_slash_e16_elem_f32_f16", &__einattn_vertical_slash_e16_elem_f32_f16::KERNEL),
    ("window_causal_e32_elem_f32_f32_w16", &__einattn_window_causal_e32_elem_f32_f32_w16::KERNEL),
    ("window_dilated_d4_e16_elem_f32_f16_w9", &__einattn_window_dilated_d4_e16_elem_f32_f16_w9::KERNEL),
    ("window_sinks_e16_elem_f32_f16_s4_w21", &__einattn_window_sinks_e16_elem_f32_f16_s4_w21::KERNEL),
    ("window_two_sided_e16_elem_f32_f16_l10_r3", &__einattn_window_two_sided_e16_elem_f32_f16_l10_r3::KERNEL),
    ("xattention_e16_elem_f32_f16_s4_w16", &__einattn_xattention_e16_elem_f32_f16_s4_w16::KERNEL),
];
