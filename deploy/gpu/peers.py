#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's attention and products on the shapes of measure_device, on the first card: one JSON
object a line. TF32 is off, so that both sides multiply in f32; bf16 stands beside it."""
import json
import time

import torch
import torch.nn.functional as F


def measure(op, shape, flop, call):
    call()
    torch.cuda.synchronize()
    n, more, start, took = 0, 1, time.monotonic(), 0.0
    while took < 0.2:
        for _ in range(more):
            call()
        n, more = n + more, 2 * more
        torch.cuda.synchronize()
        took = time.monotonic() - start
    print(json.dumps({"op": op, "shape": shape, "us": round(1e6 * took / n, 2),
                      "gflop_per_s": round(1e-9 * flop * n / took, 1)}), flush=True)


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    for dtype, name in (torch.float32, "f32"), (torch.bfloat16, "bf16"):
        for k in 64, 256, 1024:
            x = torch.randn(4608, k, device="cuda", dtype=dtype)
            w = torch.randn(k, k, device="cuda", dtype=dtype)
            measure("linear", f"{name}, 4608 x {k} by {k}", 2 * 4608 * k * k,
                    lambda x=x, w=w: F.linear(x, w))
        for dh in 64, 128:
            for n in 512, 1024, 2048, 4096, 8192, 16384:
                q, k, v = (torch.randn(1, 8, n, dh, device="cuda", dtype=dtype) for _ in range(3))
                measure("attend", f"{name}, causal, {n} x 8 heads of {dh}", 2 * n * n * 8 * dh,
                        lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v,
                                                                             is_causal=True))


if __name__ == "__main__":
    main()
