"""Plain attention in f32 beside PyTorch's SDPA, alternating in one run.

    cargo build --release -p einattn-tests --bin bench_sdpa
    python tests/bench/sdpa.py target/release/bench_sdpa [THREADS]

needs `pip install torch numpy`. Prints a table and one JSON line a case; ratios are of medians."""
import json, statistics, subprocess, sys, time
import torch, torch.nn.functional as F

binary, threads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2
torch.set_num_threads(threads)
torch.manual_seed(0)
ROUNDS = 5


def torch_ms(q, k, v, causal, repeats=5):
    F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


print(f"PyTorch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), {threads} threads, f32")
print("| shape | mask | ours GFLOP/s | PyTorch GFLOP/s | ratio of medians |\n|---|---|---|---|---|")
for heads, length, dim in [(8, 1024, 64), (8, 4096, 64), (8, 1024, 128), (8, 4096, 128)]:
    q, k, v = (torch.randn(1, heads, length, dim) for _ in range(3))
    for causal in (False, True):
        mask = "causal" if causal else "full"
        ours, theirs = [], []
        for _ in range(ROUNDS):
            with torch.no_grad():
                theirs.append(torch_ms(q, k, v, causal))
            out = subprocess.run([binary, str(heads), str(length), str(dim), mask, str(threads)],
                                 capture_output=True, text=True, check=True)
            ours.append(json.loads(out.stdout))
        a, b = statistics.median(o["ms"] for o in ours), statistics.median(theirs)
        work = 4 * heads * length * length * dim * (0.5 if causal else 1) / 1e6
        print(f"| (1,{heads},{length},{dim}) | {mask} | {work / a:.0f} ({ours[0]['isa']}) | {work / b:.0f} | {b / a:.2f} |", flush=True)
        print(json.dumps(dict(case="sdpa", heads=heads, length=length, dim=dim, causal=causal, isa=ours[0]["isa"],
                              ours_ms=a, torch_ms=b, ratio=b / a)), file=sys.stderr, flush=True)
