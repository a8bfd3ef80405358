//! An object file linked into a C program that knows only the header.

use super::harness::{ATTENTION, Folder, attention, distance, f32s, random};
use std::process::Command;

const MAIN: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include "attention.h"

static float *read_floats(const char *name, long n) {
    float *data = malloc((n ? n : 1) * sizeof(float));
    FILE *f = fopen(name, "rb");
    if (!f || (long)fread(data, sizeof(float), n, f) != n) exit(2);
    fclose(f);
    return data;
}

int main(void) {
    int64_t shape[4][4] = {{B, H, P, E}, {B, G, M, E}, {B, G, M, E}, {B, H, P, E}};
    uint8_t *ptrs[ATTENTION_PTRS];
    float *o = malloc(B * H * P * E * sizeof(float)), *lse = malloc(B * H * P * sizeof(float));
    ptrs[ATTENTION_PTR_q] = (uint8_t *)read_floats("q.bin", B * H * P * E);
    ptrs[ATTENTION_PTR_k] = (uint8_t *)read_floats("k.bin", B * G * M * E);
    ptrs[ATTENTION_PTR_v] = (uint8_t *)read_floats("v.bin", B * G * M * E);
    ptrs[ATTENTION_PTR_o] = (uint8_t *)o;
    ptrs[ATTENTION_PTR_lse] = (uint8_t *)lse;
    int64_t ints[ATTENTION_INTS] = {0};
    ints[ATTENTION_RANK_B] = B; ints[ATTENTION_RANK_H] = H; ints[ATTENTION_RANK_G] = G; ints[ATTENTION_RANK_P] = P;
    ints[ATTENTION_RANK_M] = M; ints[ATTENTION_RANK_E] = E; ints[ATTENTION_RANK_F] = E;
    int first[5] = {ATTENTION_STRIDE_q, ATTENTION_STRIDE_k, ATTENTION_STRIDE_v, ATTENTION_STRIDE_o, ATTENTION_STRIDE_lse};
    for (int t = 0; t < 4; t++) {
        int64_t stride = 1;
        for (int d = 3; d >= 0; d--) { ints[first[t] + d] = stride; stride *= shape[t][d]; }
    }
    ints[first[4]] = H * P; ints[first[4] + 1] = P; ints[first[4] + 2] = 1;
    attention_prepare(0, ints, 0, 0, 0, 0);
    if (ints[ATTENTION_DIM_o + 2] != P || ints[ATTENTION_ASSERT_0] != 1) return 3;
    for (int s = 0; s < ATTENTION_STAGES; s++) {
        void *scratch = aligned_alloc(64, (ints[ATTENTION_SCRATCH_0 + 2 * s] + 64) / 64 * 64);
        int64_t items = ints[ATTENTION_ITEMS_0 + 2 * s], half = items / 2;
        /* In two parts, the second one first. */
        attention_stages[s]((uint8_t *const *)ptrs, ints, 0, scratch, half, items);
        attention_stages[s]((uint8_t *const *)ptrs, ints, 0, scratch, 0, half);
    }
    FILE *f = fopen("out.bin", "wb");
    fwrite(o, sizeof(float), B * H * P * E, f);
    fwrite(lse, sizeof(float), B * H * P, f);
    return fclose(f);
}
"#;

#[test]
fn a_c_program_links_and_runs_it() {
    if Command::new("cc").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no C compiler `cc`, so nothing was linked");
        return;
    }
    let shape @ [b, h, g, p, m, e] = [2, 4, 2, 21, 70, 20];
    for arch in ["native", "x86-64"] {
        if arch != "native" && !cfg!(target_arch = "x86_64") {
            continue;
        }
        let folder = Folder::new("a_c_program_links_and_runs_it");
        folder.write("attention.attn", ATTENTION);
        folder.attnc(&["build", "attention.attn", "--target", "cranelift", "-o", ".", "--arch", arch]).succeeded();
        let (q, k, v) = (random(b * h * p * e, 4), random(b * g * m * e, 5), random(b * g * m * e, 6));
        for (name, data) in [("q.bin", &q), ("k.bin", &k), ("v.bin", &v)] {
            std::fs::write(folder.path(name), f32s(data)).expect("an input of the program");
        }
        folder.write("main.c", MAIN);
        let sizes = [("B", b), ("H", h), ("G", g), ("P", p), ("M", m), ("E", e)].map(|(n, x)| format!("-D{n}={x}L"));
        let here = folder.path("");
        let made = Command::new("cc")
            .args(["-Wall", "-Werror", "-o", "main", "main.c", "attention.o"])
            .args(sizes)
            .current_dir(&here)
            .output()
            .expect("cc runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let ran = Command::new(folder.path("main")).current_dir(&here).status().expect("the program runs");
        assert_eq!(ran.code(), Some(0), "{arch}");
        let out = std::fs::read(folder.path("out.bin")).expect("its output");
        let out: Vec<f32> = out.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
        let (o, lse) = attention(&q, &k, &v, shape);
        let (got_o, got_lse) = out.split_at(o.len());
        let d = distance(got_o, &o).max(distance(got_lse, &lse));
        assert!(d < 1e-6, "{arch}: off by {d:e}");
    }
}
