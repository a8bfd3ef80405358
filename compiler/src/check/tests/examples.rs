//! The kernels of the language reference, to their nodes.

use super::{accepted, executes, nodes, text};

const SRC: &str = include_str!("examples.attn");

#[test]
fn every_example_is_accepted() {
    let (all, diags) = accepted(SRC, &[]);
    let names: Vec<&str> = all.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names.len(), 18);
    assert_eq!(names[0], "mha_causal");
    let warnings: Vec<String> = diags.iter().map(text).collect();
    assert_eq!(warnings, ["A-OOB 62: index `Bk[p, m]` of `Tab` may leave its dimension"]);
}

#[test]
fn every_example_executes() {
    let small = ["E", "F", "J", "N", "D", "NB", "R"].map(|r| (r, "2"));
    let (all, _) = accepted(SRC, &small);
    all.iter().for_each(executes);
}

fn check(kernel: &str, expected: &[&str]) {
    let (all, _) = accepted(SRC, &[]);
    let found: Vec<String> = all.iter().filter(|c| c.name == kernel).flat_map(nodes).collect();
    assert_eq!(found, expected, "{kernel}");
}

#[test]
fn naive_softmax_keeps_its_statements() {
    check(
        "mha_causal",
        &[
            "S_1[b, h, p, m] = sum[e] acc f32 Q[b, h, p, e] * K[b, h, m, e]",
            "S[b, h, p, m] = S_1[b, h, p, m] / 11.313708498984761 dom (m <= p + (M - P))",
            "G[b, h, p] = max[m] acc f32 S[b, h, p, m] fold (m <= p + (M - P))",
            "N[b, h, p, m] = exp(S[b, h, p, m] - G[b, h, p]) dom (m <= p + (M - P))",
            "D[b, h, p] = sum[m] acc f32 N[b, h, p, m] fold (m <= p + (M - P))",
            "A[b, h, p, m] = N[b, h, p, m] / D[b, h, p] dom (m <= p + (M - P))",
            "O[b, h, p, f] = sum[m] acc f32 A[b, h, p, m] * V[b, h, m, f] fold (m <= p + (M - P))",
            "L[b, h, p] = G[b, h, p] + log(D[b, h, p])",
        ],
    );
}

#[test]
fn skewed_index_is_in_bounds_because_of_the_mask() {
    check(
        "music_transformer",
        &[
            "S_1[b, h, p, m] = sum[e] acc f32 Q[b, h, p, e] * K[b, h, m, e]",
            "S_2[b, h, p, m] = sum[e] acc f32 Q[b, h, p, e] * Er[h, m - p + (P - 1), e] dom (m - p + (P - 1) < P)",
            "S[b, h, p, m] = (S_1[b, h, p, m] + S_2[b, h, p, m]) / 8.0 dom (m <= p)",
            "G[b, h, p] = max[m] acc f32 S[b, h, p, m] fold (m <= p)",
            "N[b, h, p, m] = exp(S[b, h, p, m] - G[b, h, p]) dom (m <= p)",
            "D[b, h, p] = sum[m] acc f32 N[b, h, p, m] fold (m <= p)",
            "A[b, h, p, m] = N[b, h, p, m] / D[b, h, p] dom (m <= p)",
            "O[b, h, p, f] = sum[m] acc f32 A[b, h, p, m] * V[b, h, m, f] fold (m <= p)",
        ],
    );
}

#[test]
fn ragged_blocks_restrict_a_fold_and_topk_keeps_its_slot() {
    check(
        "block_select",
        &[
            "Kb_1[b, c, g, e] = sum[w] acc f32 K[b, c * 64 + w, g, e] fold (c * 64 + w < M)",
            "Kb[b, c, g, e] = Kb_1[b, c, g, e] / 64.0",
            "Sc[b, p, g, c] = sum[i, e] acc f32 Q[b, p, g * (H // G) + i, e] * Kb[b, c, g, e] dom (c * 64 <= p)",
            "Idx[b, p, g, j] = topk[c] acc f32 slot j Sc[b, p, g, c] fold (c * 64 <= p)",
        ],
    );
}

#[test]
fn views_carry_their_domain() {
    check(
        "paged_decode",
        &[
            "S_1[b, h, m] = sum[e] acc f32 Q[b, h, e] * Kc[Tbl[b, m // 16], m % 16, h // (H // G), e] dom (m < Len[b])",
            "S[b, h, m] = S_1[b, h, m] / 11.313708498984761 dom (m < Len[b])",
            "G_2[b, h] = max[m] acc f32 S[b, h, m] fold (m < Len[b])",
            "N[b, h, m] = exp(S[b, h, m] - G_2[b, h]) dom (m < Len[b])",
            "D[b, h] = sum[m] acc f32 N[b, h, m] fold (m < Len[b])",
            "A[b, h, m] = N[b, h, m] / D[b, h] dom (m < Len[b])",
            "O[b, h, f] = sum[m] acc f32 A[b, h, m] * Vc[Tbl[b, m // 16], m % 16, h // (H // G), f] fold (m < Len[b])",
        ],
    );
}

#[test]
fn recurrences_keep_their_generations() {
    check(
        "gated_delta_rule",
        &[
            "St[b, h, at 0, e, f] = 0.0",
            "Dc[b, h, t, e, f] = exp(Lg[b, t, h]) * St[b, h, t, e, f]",
            "U_1[b, t, h, f] = sum[e] acc f32 K[b, t, h, e] * Dc[b, h, t, e, f]",
            "U[b, t, h, f] = Beta[b, t, h] * (V[b, t, h, f] - U_1[b, t, h, f])",
            "St[b, h, t+1, e, f] = Dc[b, h, t, e, f] + K[b, t, h, e] * U[b, t, h, f]",
            "O_1[b, t, h, f] = sum[e] acc f32 Q[b, t, h, e] * St[b, h, t + 1, e, f]",
            "O[b, t, h, f] = O_1[b, t, h, f] / 11.313708498984761",
        ],
    );
}

#[test]
fn unusual_kernels_are_accepted_and_execute() {
    let (all, diags) = accepted(include_str!("variants.attn"), &[]);
    assert_eq!(all.len(), 13);
    all.iter().for_each(executes);
    // The ragged last block of a selection, and a level that only the data bounds.
    let warnings: Vec<&str> = diags.iter().map(|d| d.message.as_str()).collect();
    let expected =
        ["index `n // 8` of `chosen` may leave its dimension", "index `level[t, s]` of `lam` may leave its dimension"];
    assert_eq!(warnings, expected);
}
