"""Recurrences in f32 beside PyTorch's eager chunked form of them, alternating in one run.

    cargo build --release -p einattn-tests --bin bench_scan
    python tests/bench/scan.py target/release/bench_scan [THREADS]

needs `pip install torch`. Prints a table and one JSON line a case; ratios are of medians. The chunked forms are checked
against the token recurrence before they are timed."""
import json, statistics, subprocess, sys, time
import torch

binary, threads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2
torch.set_num_threads(threads)
torch.manual_seed(0)
HEADS, LENGTH, DIM, CHUNK, ROUNDS = 8, 4096, 128, 64, 5


def chunks(x):
    return x.view(HEADS, -1, CHUNK, *x.shape[2:]).unbind(1)


def retention(q, k, v, g):
    """g: one logarithm of a decay per head, the same at every step."""
    return scalar_gate(q, k, v, g)


def scalar_gate(q, k, v, g):
    """S' = e^c S + K'V, O = QS + ((QK') . decay) V with the gates summed inside a chunk."""
    state, out = torch.zeros(HEADS, DIM, DIM), []
    lower = torch.ones(CHUNK, CHUNK, dtype=torch.bool).tril()
    for qc, kc, vc, gc in zip(*map(chunks, (q, k, v, g))):
        c = gc.cumsum(1)
        decay = (c[:, :, None] - c[:, None, :]).masked_fill(~lower, -torch.inf).exp()
        out.append(((qc @ kc.mT) * decay) @ vc + (qc * c.exp()[..., None]) @ state)
        last = c[:, -1:]
        state = last.exp()[..., None] * state + (kc * (last - c).exp()[..., None]).mT @ vc
    return torch.cat(out, 1)


def gla(q, k, v, g):
    """A gate for each key channel. One level: the gates of this benchmark are small enough for it."""
    state, out = torch.zeros(HEADS, DIM, DIM), []
    for qc, kc, vc, gc in zip(*map(chunks, (q, k, v, g))):
        c = gc.cumsum(1)
        qd = qc * c.exp()
        out.append((qd @ (kc * (-c).exp()).mT).tril() @ vc + qd @ state)
        last = c[:, -1:]
        state = last.mT.exp() * state + (kc * (last - c).exp()).mT @ vc
    return torch.cat(out, 1)


def gated_delta(q, k, v, g, beta):
    """WY form: the corrections of a chunk by one triangular solve."""
    state, out = torch.zeros(HEADS, DIM, DIM), []
    eye, lower = torch.eye(CHUNK), torch.ones(CHUNK, CHUNK, dtype=torch.bool).tril()
    for qc, kc, vc, gc, bc in zip(*map(chunks, (q, k, v, g, beta))):
        c = gc.cumsum(1)
        decay = (c[:, :, None] - c[:, None, :]).masked_fill(~lower, -torch.inf).exp()
        a = (bc[..., None] * (kc @ kc.mT) * decay).tril(-1)
        rhs = bc[..., None] * torch.cat([vc, kc * c.exp()[..., None]], -1)
        u, w = torch.linalg.solve_triangular(eye + a, rhs, upper=False, unitriangular=True).split(DIM, -1)
        new = u - w @ state
        out.append((qc * c.exp()[..., None]) @ state + ((qc @ kc.mT) * decay) @ new)
        last = c[:, -1:]
        state = last.exp()[..., None] * state + (kc * (last - c).exp()[..., None]).mT @ new
    return torch.cat(out, 1)


def by_token(q, k, v, g, beta=None):
    """The recurrence itself; g has the state's key channels or not."""
    state, out = torch.zeros(HEADS, DIM, DIM), []
    for t in range(q.shape[1]):
        gate = g[:, t].exp()
        state = state * (gate[..., None] if g.dim() == 3 else gate[:, None, None])
        new = v[:, t]
        if beta is not None:
            new = beta[:, t, None] * (new - (k[:, t, None] @ state)[:, 0])
        state = state + k[:, t, :, None] * new[:, None]
        out.append((q[:, t, None] @ state)[:, 0])
    return torch.stack(out, 1)


def inputs(kernel, length):
    q, k, v = ((torch.rand(HEADS, length, DIM) - 0.5) * 0.3 for _ in range(3))
    if kernel == "retention":
        g = torch.log(1 - 0.5 ** (5 + torch.arange(HEADS, dtype=torch.float32)))[:, None].expand(-1, length).contiguous()
    else:
        g = -0.1 * torch.rand(HEADS, length, *([DIM] if kernel == "gla" else []))
    return (q, k, v, g) + ((torch.rand(HEADS, length),) if kernel == "gated_delta" else ())


def median_ms(f, x, repeats=3):
    f(*x)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        f(*x)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


print(f"PyTorch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), {threads} threads, f32, "
      f"{HEADS} heads, T = {LENGTH}, {DIM} x {DIM}")
print("| kernel | ours ms | PyTorch ms | ratio of medians |\n|---|---|---|---|")
with torch.no_grad():
    for name, f in [("retention", retention), ("gla", gla), ("gated_delta", gated_delta)]:
        x = inputs(name, 2 * CHUNK)
        error = (f(*x) - by_token(*x)).abs().max() / by_token(*x).abs().max()
        assert error < 1e-4, (name, error)
        x, ours, theirs = inputs(name, LENGTH), [], []
        for _ in range(ROUNDS):
            theirs.append(median_ms(f, x))
            out = subprocess.run([binary, name, str(HEADS), str(LENGTH), str(threads)], capture_output=True, text=True, check=True)
            ours.append(json.loads(out.stdout))
        a, b = statistics.median(o["ms"] for o in ours), statistics.median(theirs)
        print(f"| {name} | {a:.1f} ({ours[0]['isa']}) | {b:.1f} | {b / a:.2f} |", flush=True)
        print(json.dumps(dict(case=name, ours_ms=a, torch_ms=b, ratio=b / a)), file=sys.stderr, flush=True)
