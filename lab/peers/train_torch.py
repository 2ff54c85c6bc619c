#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same model, trained by PyTorch on the CPU, beside `r1 train`: samples a second.

    pip install torch==2.8.0 numpy
    lab/peers/train_torch.py WORK SHARD [--r1 build/release/bin/r1] [--threads 1,2] [--compile]
                             [--width 512 --layers 4 --heads 8]

Reads the shard (docs/file-formats.md) and a model file that `r1 train` wrote, builds that model of
PyTorch's modules, and first checks that both give the same loss on the shard. Then both train on
the same samples in batches of the same size, on the same number of threads. They take turns, and
the best of --rounds counts. PyTorch has fused AdamW and its own attention. Its batches (tokens,
padding, indices) are made before the clock starts, while r1's clock includes making them. Prints
one JSON object.
"""
import argparse
import json
import math
import os
import pathlib
import re
import struct
import subprocess
import time

parser = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("work", type=pathlib.Path)
parser.add_argument("shard", type=pathlib.Path)
parser.add_argument("--r1", type=pathlib.Path,
                    default=pathlib.Path(__file__).parents[2] / "build/release/bin/r1")
parser.add_argument("--width", type=int, help="of the trunk; default: the shard's description")
parser.add_argument("--layers", type=int)
parser.add_argument("--heads", type=int, help="of the trunk, cross-modal ones too")
parser.add_argument("--batch", type=int, default=256)
parser.add_argument("--batches", type=int, default=20, help="of a round")
parser.add_argument("--epochs", type=int, default=3, help="r1's passes over the shard in a round, "
                    "so that the first touch of its memory counts little")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--threads", default="1,2", help="of both, by turns")
parser.add_argument("--slices", type=int, default=4, help="r1's, of a batch")
parser.add_argument("--compile", action="store_true",
                    help="torch.compile, its compilation outside of the clock")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = args.threads.split(",")[-1]

import numpy as np
import torch
import torch.nn.functional as F

# ---- files ---------------------------------------------------------------------------------------


class Bytes:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, form):
        v = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return v[0] if len(v) == 1 else v

    def array(self, dtype, n):
        v = np.frombuffer(self.data, dtype, n, self.at)
        self.at += v.nbytes
        return v

    def pad(self, start=0):
        self.at += (start - self.at) % 8


def read_gguf(path):
    """Keys and tensors (f32) of a model file."""
    b, kinds = Bytes(path.read_bytes()), "BbHhIif?"
    assert b.take("I") == 0x46554747
    _, n_tensor, n_key = b.take("I"), b.take("Q"), b.take("Q")

    def text():
        n = b.take("Q")
        return bytes(b.array("u1", n)).decode()

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            item, n = b.take("I"), b.take("Q")
            return [value(item) for _ in range(n)]
        return b.take(kinds[kind] if kind < 8 else {10: "Q", 11: "q", 12: "d"}[kind])

    keys = {text(): value(b.take("I")) for _ in range(n_key)}
    heads = []
    for _ in range(n_tensor):
        name, dims = text(), b.take("I")
        heads.append((name, [b.take("Q") for _ in range(dims)], b.take("I"), b.take("Q")))
    start = b.at + -b.at % keys.get("general.alignment", 32)
    return keys, {n: np.frombuffer(b.data, "<f4", math.prod(d), start + o).reshape(d[::-1]).copy()
                  for n, d, _, o in heads}


def read_shard(path, d):
    """Events, and samples as lists of items (None: absent)."""
    data = path.read_bytes()
    h = Bytes(data, 24)
    n_sample, n_event, index = h.take("QQQ")
    offset = np.frombuffer(data, "<u8", n_sample + n_event, index)
    ev = d["event"]
    b = Bytes(data)
    events = []
    for at in offset[n_sample:]:
        b.at = int(at)
        events.append((b.array("<f4", len(ev["num"])), b.array("<i4", len(ev["cat"]))))
    samples = []
    for at in offset[:n_sample]:
        b.at = int(at)
        _, _, weight, present, _, _ = b.take("QQfIII")
        label = b.array("<f4", len(d["heads"]))
        b.pad()
        items = []
        for i, it in enumerate(d["items"]):
            if not present >> i & 1:
                items.append(None)
                continue
            if it["kind"] == "table":
                items.append((b.array("<f4", len(it["num"])),
                              b.array("<i4", len(it.get("cat", [])))))
            elif it["kind"] == "text":
                n, _ = b.take("II")
                items.append(bytes(b.array("u1", n)))
            elif it["kind"] == "graph":
                n, m = b.take("II")
                items.append((b.array("<f4", n * len(it["node"])).reshape(n, -1),
                              b.array("<f4", m * len(it["edge"])).reshape(m, -1),
                              b.array("<i4", m), b.array("<i4", m), b.array("u1", n)))
            else:
                n, flags = b.take("II")
                ref = b.array("<u8", n).astype(np.int64)
                log_weight = b.array("<f4", n) if flags & 2 else np.zeros(n, np.float32)
                items.append((ref, b.array("u1", n) if flags & 1 else np.zeros(n, np.uint8),
                              log_weight))
            b.pad()
        samples.append((items, float(label[0]), weight if weight > 0 else 1.0))
    return events, samples


# ---- batches -------------------------------------------------------------------------------------


class Tokens:
    """Byte pairs, as core/file/bpe.c encodes them."""

    def __init__(self, merges, cap):
        self.rank = {tuple(merges[2 * i:2 * i + 2]): i for i in range(len(merges) // 2)}
        self.cap, self.word = cap, re.compile(rb" ?[0-9A-Za-z\x80-\xff]+|.", re.S)

    def encode(self, text):
        out = []
        for word in self.word.findall(text[:16 * self.cap]):
            ids = list(word)
            while len(ids) > 1:
                rank, at = min((self.rank.get((ids[i], ids[i + 1]), 1 << 30), i)
                               for i in range(len(ids) - 1))
                if rank == 1 << 30:
                    break
                ids[at:at + 2] = [256 + rank]
            out += ids
        return out[:self.cap]


def rows_of(values, it):
    """Categories to rows of the packed table: missing, 0..n-1, other, column after column."""
    first, out = 0, np.zeros(values.shape, np.int64)
    for c, column in enumerate(it.get("cat", [])):
        n, v = column["n"], values[:, c]
        out[:, c] = first + np.where(v == -1, 0, np.where((v >= 0) & (v < n), v + 1, n + 1))
        first += n + 2
    return out


def table_batch(rows, it, n):
    num = np.full((n, len(it["num"])), np.nan, np.float32)
    cat = np.full((n, len(it.get("cat", []))), -1, np.int64)
    for k, row in enumerate(rows):
        if row is not None:
            num[k], cat[k] = row
    return torch.from_numpy(num), torch.from_numpy(rows_of(cat, it))


def make_batch(samples, events, d, tokens):
    n, out = len(samples), {}
    for i, it in enumerate(d["items"]):
        rows = [s[0][i] for s in samples]
        if it["kind"] == "text":
            rows = [r if r else None for r in rows]
            # each text once
            texts = {t: k for k, t in enumerate(dict.fromkeys(r for r in rows if r is not None))}
            ids = [tokens[i].encode(t) for t in texts] or [[0]]
            wide = max(map(len, ids))
            id_ = np.zeros((len(ids), wide), np.int64)
            mask = np.zeros((len(ids), wide), bool)
            for k, t in enumerate(ids):
                id_[k, :len(t)], mask[k, :len(t)] = np.array(t) + 1, True
            batch = (torch.from_numpy(id_), torch.from_numpy(mask),
                     torch.tensor([texts[r] if r is not None else 0 for r in rows]))
        elif it["kind"] == "table":
            batch = table_batch(rows, it, n)
        elif it["kind"] == "graph":
            rows = [r if r is not None and len(r[0]) else None for r in rows]
            parts, at = [[] for _ in range(7)], 0
            for k, r in enumerate(rows):
                if r is None:
                    continue
                node, edge, src, dst, mark = r
                for p, v in zip(parts,
                                (node, edge, src + at, dst + at, mark, np.full(len(node), k))):
                    p.append(v)
                degree = np.stack([np.bincount(dst, minlength=len(node)),
                                   np.bincount(src, minlength=len(node))], 1)
                parts[6].append(np.where(degree > 0, np.log1p(degree) / np.maximum(degree, 1),
                                         0).astype(np.float32))
                at += len(node)
            batch = tuple(torch.from_numpy(np.concatenate(p)) for p in parts)
            batch = batch[:2] + tuple(t.long() for t in batch[2:6]) + batch[6:]
        else:
            rows = [r if r is not None and len(r[0]) else None for r in rows]
            wide = max([len(r[0]) for r in rows if r is not None] + [1])
            # each event once
            known = {e: k for k, e in enumerate(
                dict.fromkeys(int(e) for r in rows if r is not None for e in r[0]))}
            ref, bucket = np.zeros((n, wide), np.int64), np.zeros((n, wide), np.int64)
            log_weight = np.full((n, wide), -np.inf, np.float32)
            for k, r in enumerate(rows):
                if r is not None:
                    m = len(r[0])
                    ref[k, :m], bucket[k, :m], log_weight[k, :m] = [
                        known[int(e)] for e in r[0]], r[1], r[2]
            count = np.array([0 if r is None else len(r[0]) for r in rows])
            log_weight[count == 0] = 0 # nothing to see: the row is replaced below
            used = [events[e] for e in known] or [events[0]]
            batch = (table_batch(used, d["event"], len(used)),
                     *map(torch.from_numpy, (ref, bucket, log_weight, count)))
        out[it["name"]] = batch, torch.tensor([r is not None for r in rows])[:, None]
    label = torch.tensor([s[1] for s in samples])
    weight = torch.tensor([s[2] for s in samples])
    return out, label, weight


# ---- the model -----------------------------------------------------------------------------------


class Model(torch.nn.Module):
    """core/model/build.c, unfolded, as training runs it."""

    def __init__(self, d, weights):
        super().__init__()
        self.d, self.w, frozen = d, torch.nn.ParameterDict(), ("bins", "_mean", "_rstd")
        for name, value in weights.items():
            self.w[name.replace(".", "/")] = torch.nn.Parameter(
                torch.from_numpy(value), requires_grad=not name.endswith(frozen))

    def p(self, name):
        return self.w[name.replace(".", "/")]

    def linear(self, name, x):
        return F.linear(x, self.p(name + ".weight"), self.p(name + ".bias")[0])

    def norm(self, name, x):
        return F.rms_norm(x, x.shape[-1:], self.p(name)[0], 1e-5)

    def gelu(self, x):
        return F.gelu(x, approximate="tanh")

    def row(self, scope, batch):
        num, cat = batch
        parts = []
        if num.shape[1]:
            edge, x = self.p(scope + ".bins"), num[:, :, None]
            low, high = edge[:, :-1], edge[:, 1:]
            part = torch.where(x >= high, 1.0,
                               torch.where(x >= low, (x - low) / (high - low), 0.0)).nan_to_num(0)
            parts.append(torch.cat([part, x.isnan().float()], 2).flatten(1))
        if cat.shape[1]:
            parts.append(F.embedding(cat, self.p(scope + ".categories")).flatten(1))
        return torch.cat(parts, 1)

    def text(self, it, scope, batch):
        ids, mask, row = batch
        table, wide, place = self.p(scope + ".tokens"), ids.shape[1], it["n_vocab"] + 2 + 1
        pos = table[place:place + wide].expand(len(ids), -1, -1)
        h = self.linear(scope + ".join", torch.cat([F.embedding(ids, table), pos], 2))
        n_head, width = it.get("n_head", 4), it["hidden"]
        for layer in range(it.get("n_layer", 1)):
            s = f"{scope}.{layer}"
            q, k, v = (t.unflatten(2, (n_head, -1)).transpose(1, 2)
                       for t in self.linear(s + ".qkv", self.norm(s + ".norm", h)).chunk(3, 2))
            y = F.scaled_dot_product_attention(q, k, v, mask[:, None, None, :])
            h = h + self.linear(s + ".out", y.transpose(1, 2).flatten(2))
            h = h + self.linear(s + ".ff2",
                                self.gelu(self.linear(s + ".ff1", self.norm(s + ".norm_ff", h))))
        h = self.norm(scope + ".norm_out", h) * mask[:, :, None]
        return self.linear(scope + ".align", h.sum(1) / mask.sum(1, keepdim=True))[row]

    def standard(self, scope, name, x):
        x = (x - self.p(f"{scope}.{name}_mean")) * self.p(f"{scope}.{name}_rstd")
        return x.nan_to_num(0).clamp(-6, 6)

    def graph(self, it, scope, batch, n):
        node, edge, src, dst, mark, owner, scale = batch
        e = self.standard(scope, "edge", edge)
        h = self.linear(scope + ".in", self.standard(scope, "node", node))
        width = it["hidden"]
        for layer in range(it.get("n_layer", 2)):
            s = f"{scope}.{layer}"
            hs, es = self.linear(s + ".node", h), self.linear(s + ".edge", e)
            along = torch.zeros(len(h), width).index_add(
                0, dst, F.relu(hs[:, :width][src] + es[:, :width])) * scale[:, :1]
            against = torch.zeros(len(h), width).index_add(
                0, src, F.relu(hs[:, width:][dst] + es[:, width:])) * scale[:, 1:]
            h = h + self.gelu(self.linear(
                s + ".update", torch.cat([self.norm(s + ".norm", h), along, against], 1)))
        pools = []
        for keep in (mark == 1, mark == 2, torch.ones_like(mark, dtype=torch.bool)):
            total = torch.zeros(n, width).index_add(0, owner[keep], h[keep])
            pools.append(total / torch.bincount(owner[keep], minlength=n).clamp(min=1)[:, None])
        return self.linear(scope + ".mlp2",
                           self.gelu(self.linear(scope + ".mlp1", torch.cat(pools, 1))))

    def scale(self, scope, q, context, count, n_head):
        """CAWA: q[.., n_head * w] times both factors."""
        factor = q.shape[-1] // n_head
        by_count = torch.log(count.clamp(min=2).float())[..., None]
        factor = factor ** -0.5 * self.p(scope + ".cawa.length")[0] * by_count
        m = self.linear(scope + ".cawa.context2",
                        self.gelu(self.linear(scope + ".cawa.context1", context)))
        factor = factor * (1 + self.d.get("beta", 0.3) * torch.tanh(m))
        return (q.unflatten(-1, (n_head, -1)) * factor[..., None]).flatten(-2)

    def memory(self, it, scope, batch, asker):
        rows, ref, bucket, log_weight, count = batch
        kv = self.linear("event.kv",
                         self.gelu(self.linear("event.hidden", self.row("event", rows))))
        k, v = (t[ref] for t in kv.chunk(2, 1))
        n_head = self.d["event"].get("n_head", 4)
        seen = (log_weight > -torch.inf) & (count > 0)[:, None]
        token = self.norm(scope + ".norm", asker)
        mean = (v * seen[:, :, None]).sum(1) / count.clamp(min=1)[:, None]
        q = self.scale(scope, self.linear(scope + ".query", token), torch.cat([token, mean], 1),
                       count, n_head)
        q, k, v = (t.unflatten(-1, (n_head, -1)) for t in (q[:, None], k, v))
        bias = self.p(scope + ".bucket")[:, bucket].transpose(0, 1)[:, :, None]
        bias = bias + log_weight[:, None, None]
        y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2),
                                           bias, scale=1.0)
        return self.linear(scope + ".mlp2", self.gelu(self.linear(scope + ".mlp1", y.flatten(1))))

    def forward(self, items, n):
        d, rows = self.d, [self.p("prior.absent").expand(n, -1)]
        for it in d["items"]:
            scope, (batch, present) = "item." + it["name"], items[it["name"]]
            if it["kind"] == "table":
                y = self.linear(scope + ".mlp2",
                                self.gelu(self.linear(scope + ".mlp1", self.row(scope, batch))))
            elif it["kind"] == "text":
                y = self.text(it, scope, batch)
            elif it["kind"] == "graph":
                y = self.graph(it, scope, batch, n)
            else:
                y = self.memory(it, scope, batch,
                                rows[1 + [x["name"] for x in d["items"]].index(it["query"])])
            rows.append(torch.where(present, y, self.p(scope + ".absent")))
        x = torch.stack(rows, 1)
        count = torch.arange(1, len(rows) + 1)

        def attend(q, k, v, n_head, scale):
            q, k, v = (t.unflatten(2, (n_head, -1)).transpose(1, 2) for t in (q, k, v))
            return F.scaled_dot_product_attention(q, k, v, is_causal=True,
                                                  scale=scale).transpose(1, 2).flatten(2)

        h, q, k, v = self.linear("cross.in", self.norm("cross.norm", x)).chunk(4, 2)
        y = self.linear("cross.out", attend(q, k, v, d.get("n_head_cross", 4), None))
        h = h + y + self.p("cross.position")
        for layer in range(d.get("n_layer", 2)):
            s = f"block.{layer}"
            y = self.norm(s + ".norm", h)
            context = torch.cat([y, y.cumsum(1) / count[None, :, None]], 2)
            q, k, v = self.linear(s + ".qkv", y).chunk(3, 2)
            q = self.scale(s, q, context, count, d.get("n_head", 4))
            h = h + self.linear(s + ".out", attend(q, k, v, d.get("n_head", 4), 1.0))
            h = h + self.linear(s + ".ff2",
                                self.gelu(self.linear(s + ".ff1", self.norm(s + ".norm_ff", h))))
        return self.linear("head.out", self.norm("head.norm", h))[:, :, 0]


def losses(model, batch):
    """Per sample: of the last position, and the mean over the earlier ones."""
    items, label, weight = batch
    x = model(items, len(label))
    bce = F.binary_cross_entropy_with_logits(x, (label > 0.5).float()[:, None].expand_as(x),
                                             reduction="none") * weight[:, None]
    return bce[:, -1].sum() / weight.sum(), bce[:, :-1].mean(1).sum() / weight.sum()


# ---- both ----------------------------------------------------------------------------------------


def r1(*command):
    out = subprocess.run([str(args.r1), *map(str, command), "--json"], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)["figures"]


args.work.mkdir(parents=True, exist_ok=True)
start = args.work / "start.gguf"
base, desc = args.work / "probe.gguf", args.work / "description.json"
r1("train", "--epochs", 1, "--lr", 1e-7, "--batch", args.batch, "--out", base, args.shard)
d = json.loads(subprocess.run([str(args.r1), "info", "--description", str(base)], check=True,
                              capture_output=True, text=True).stdout)
if args.width:
    d.update(d_model=args.width, d_ff=2 * args.width)
if args.layers:
    d.update(n_layer=args.layers)
if args.heads:
    d.update(n_head=args.heads, n_head_cross=args.heads)
desc.write_text(json.dumps(d))
r1("train", "--description", desc, "--epochs", 1, "--lr", 1e-7, "--batch", args.batch, "--out",
   start, args.shard)
keys, weights = read_gguf(start)
events, samples = read_shard(args.shard, d)
tokens = [Tokens(keys.get(f"r1.item.{it['name']}.merges", []), it.get("n_token_max", 0))
          for it in d["items"]]
batches = [make_batch(samples[i:i + args.batch], events, d, tokens)
           for i in range(0, min(len(samples), args.batch * args.batches), args.batch)]
batches = [b for b in batches if len(b[1]) == args.batch]
model = Model(d, weights)
n_seen = args.batch * len(batches)

# the same model? r1 judges the whole shard; so does PyTorch here
with torch.no_grad():
    every = [make_batch(samples[i:i + args.batch], events, d, tokens)
             for i in range(0, len(samples), args.batch)]
    total = [(losses(model, b)[0] * b[2].sum(), b[2].sum()) for b in every]
    torch_loss = float(sum(t for t, _ in total) / sum(w for _, w in total))
r1_loss = r1("eval", "--model", start, args.shard)["loss"]
assert abs(torch_loss - r1_loss) < 1e-4 * (1 + r1_loss), (
    f"not the same model: loss {torch_loss} by PyTorch, {r1_loss} by r1")

trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.01, betas=(0.9, 0.99), fused=True)
step_loss = d.get("step_loss", 0.2)
run = torch.compile(losses, dynamic=True) if args.compile else losses


def step(batch):
    last, earlier = run(model, batch)
    optimizer.zero_grad(set_to_none=True)
    (last + step_loss * earlier).backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()


def torch_rate(threads):
    torch.set_num_threads(threads)
    for batch in batches[:2]:
        step(batch)
    begin = time.perf_counter()
    for batch in batches:
        step(batch)
    return n_seen / (time.perf_counter() - begin)


def r1_rate(threads):
    return r1("train", "--init", start, "--epochs", args.epochs, "--lr", 1e-4, "--item-drop", -1,
              "--batch", args.batch, "--slices", args.slices,
              "--threads", threads, "--out", args.work / "trained.gguf", args.shard)["samples_s"]


threads = [int(t) for t in args.threads.split(",")]
best_r1, best_torch = dict.fromkeys(threads, 0.0), dict.fromkeys(threads, 0.0)
for _ in range(args.rounds):
    for t in threads:
        best_r1[t] = max(best_r1[t], r1_rate(t))
        best_torch[t] = max(best_torch[t], torch_rate(t))
figures = {}
for t in threads:
    figures[f"r1_{t}_samples_s"], figures[f"torch_{t}_samples_s"] = best_r1[t], best_torch[t]
    figures[f"over_torch_{t}"] = best_r1[t] / best_torch[t]
figures.update(loss_r1=r1_loss, loss_torch=torch_loss, batch=args.batch, slices=args.slices,
               weights=sum(p.numel() for p in trained))
print(json.dumps({"command": "lab/peers/train_torch.py",
                  "peer": f"PyTorch {torch.__version__}, {'compiled' if args.compile else 'eager'}",
                  "figures": figures}, indent=1))
