"""Attention on an NVIDIA GPU beside PyTorch's SDPA (cuDNN, FlashAttention-2) and compiled FlexAttention, in one run on one card.

    cargo build --release -p einattn-tests --features cuda --bin gpu_check
    python tests/bench/gpu.py target/release/gpu_check [B,H,N,D[,TYPE][,causal] ..]

needs PyTorch with CUDA. Prints a table; one JSON line a case goes to the error stream, and all of them to gpu.json (in $OUT if set).
Ratios are of medians: above 1, ours is faster. Rounds alternate, so that clocks are the same for all."""
import json, os, statistics, subprocess, sys
import torch, torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

ROUNDS, REPEATS = 3, 30
binary = sys.argv[1]
shapes = sys.argv[2:] or [f"{16384 // n},{2048 // d},{n},{d}{c}" for d in (64, 128) for n in (1024, 4096, 16384)
                          for c in ("", ",causal")]
TYPES = dict(bf16=torch.bfloat16, f16=torch.float16, f32=torch.float32)
torch.manual_seed(0)


def milliseconds(f):
    for _ in range(5):
        f()
    events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(REPEATS)]
    for start, end in events:
        start.record()
        f()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(s.elapsed_time(e) for s, e in events)


def peers(q, k, v, causal):
    """The peers that take the shape, by name."""
    def sdpa(backend):
        def call():
            with sdpa_kernel(backend):
                return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return call

    torch._dynamo.reset()
    n = q.shape[2]
    mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, n, n, device="cuda") if causal else None
    compiled = torch.compile(flex_attention)
    candidates = {"cudnn": sdpa(SDPBackend.CUDNN_ATTENTION), "flash2": sdpa(SDPBackend.FLASH_ATTENTION),
                  "flex": lambda: compiled(q, k, v, block_mask=mask)}
    taken = {}
    for name, call in candidates.items():
        try:
            call()
            torch.cuda.synchronize()
            taken[name] = call
        except Exception as e:
            print(json.dumps(dict(peer=name, refused=str(e)[:200])), file=sys.stderr, flush=True)
    return taken


def ours(shape):
    report = os.path.join(os.environ.get("OUT", "."), "gpu_bench.json")
    run = subprocess.run([binary, "bench", shape, "--json", report], capture_output=True, text=True)
    lines = run.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else dict(error=run.stderr.strip()[-300:])


print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}")
print("| B,H,N,D | mask | ours TFLOP/s | cuDNN | FA2 | Flex | error |\n|---|---|---|---|---|---|---|")
results = []
for shape in shapes:
    words = shape.split(",")
    b, h, n, d = map(int, words[:4])
    causal, dtype = "causal" in words, TYPES[next((w for w in words[4:] if w in TYPES), "bf16")]
    q, k, v = (torch.randn(b, h, n, d, device="cuda", dtype=dtype) for _ in range(3))
    times, mine = {}, []
    with torch.no_grad():
        calls = peers(q, k, v, causal)
        for _ in range(ROUNDS):
            for name, call in calls.items():
                times.setdefault(name, []).append(milliseconds(call))
            mine.append(ours(shape))
    work = 4 * b * h * n * n * d * (0.5 if causal else 1) / 1e9
    case = dict(B=b, H=h, N=n, D=d, causal=causal, dtype=str(dtype), error=mine[0].get("error"))
    case.update({f"{name}_ms": statistics.median(t) for name, t in times.items()})
    if all("ms" in m for m in mine):
        case["ours_ms"] = statistics.median(m["ms"] for m in mine)
        case.update({f"ratio_{name}": case[f"{name}_ms"] / case["ours_ms"] for name in times})
    results.append(case)
    rate = lambda name: f"{work / case[name + '_ms']:.0f}" if name + "_ms" in case else "–"
    print(f"| {b},{h},{n},{d} | {'causal' if causal else 'full'} | " +
          " | ".join(rate(x) for x in ("ours", "cudnn", "flash2", "flex")) + f" | {case['error']} |", flush=True)
    print(json.dumps(case), file=sys.stderr, flush=True)
with open(os.path.join(os.environ.get("OUT", "."), "gpu.json"), "w") as f:
    json.dump(results, f, indent=1)
