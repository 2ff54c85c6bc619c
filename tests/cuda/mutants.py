#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants bugs into the CUDA sources, one at a time, and asks whether the emulated tests see them.

    mutants.py [--build build/release] [--only TEXT]

Each bug is a change of one place. It is caught where the sources no longer compile, or where
test_cuda_kernels fails under one of three orders of lanes and warps. Ends with 1 where fewer than
95 % are caught, or where one that is listed as missed is caught. Takes some minutes.
"""
import argparse
import os
import subprocess
import sys
import tempfile

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FORWARD, BACKWARD, TABLE = "r1_kernels.cuh", "r1_kernels_backward.cuh", "r1_backend_cuda.cu"
INT8 = "r1_kernels_int8.cuh"

# file, what stands there (once), what takes its place
MUTANTS = [
    # bounds
    (FORWARD,
     "if (t >= a.v[R1_ACT_X].rows * cols) return;",
     "if (t > a.v[R1_ACT_X].rows * cols) return;"),
    (FORWARD,
     "if (t >= a.v[R1_ADD_A].rows * cols) return;",
     "if (t > a.v[R1_ADD_A].rows * cols) return;"),
    (FORWARD,
     "if (r >= a.v[R1_RMSNORM_X].rows) return;",
     "if (r > a.v[R1_RMSNORM_X].rows) return;"),
    (FORWARD,
     "for (int c = lane; c < cols; c += R1_WARP) sum += x[c] * x[c];",
     "for (int c = lane; c <= cols; c += R1_WARP) sum += x[c] * x[c];"),
    (FORWARD,
     "for (int j = off[b]; j < off[b + 1]; j++)",
     "for (int j = off[b]; j <= off[b + 1]; j++)"),
    (FORWARD,
     "mine < last && which(mine)",
     "which(mine)"),
    (FORWARD, "if (t >= a.v[R1_PLACE_Y].rows * cols) return;", ""),
    (BACKWARD, "if (n >= a.g[R1_LINEAR_B].cols) return;", "if (n > a.g[R1_LINEAR_B].cols) return;"),
    (BACKWARD,
     "if (e >= a.v[R1_EDGE_MESSAGE_E].rows) return;",
     "if (e > a.v[R1_EDGE_MESSAGE_E].rows) return;"),
    (BACKWARD, "if (row > rows) return;", "if (row > rows + 1) return;"),
    (FORWARD, "*first = edge[graph];", "*first = 0;"),
    (FORWARD, "*last = edge[graph + 1];", "*last = static_cast<int>(a.v[R1_EDGE_MESSAGE_E].rows);"),
    # constants and mathematics
    (FORWARD, "0.044715f * x * x * x", "0.0447f * x * x * x"),
    (FORWARD, "tanhf(0.7978845608f *", "tanhf(0.7980f *"),
    (BACKWARD, "3.0f * 0.044715f", "3.0f * 0.0447f"),
    (FORWARD, "x >= edge[b + 1])", "x > edge[b + 1])"),
    (FORWARD, "else if (!missing && x >= edge[b])", "else if (!missing && x > edge[b] + 0.01f)"),
    (FORWARD, "r1_int(a.v[R1_CAWA_SCALE_COUNT])[r], 2)", "r1_int(a.v[R1_CAWA_SCALE_COUNT])[r], 1)"),
    (BACKWARD, "length * beta * (1.0f - th * th)", "length * (1.0f - th * th)"),
    (FORWARD, "if (isnan(z)) z = 0.0f;", ""),
    (FORWARD, "z > clip ? clip", "z > clip ? z"),
    (FORWARD, "static_cast<float>(cols) + eps", "static_cast<float>(cols)"),
    (FORWARD, "id == -1 ? 0", "id < 0 ? 0"),
    (FORWARD, "n = first[c + 1] - first[c] - 2", "n = first[c + 1] - first[c] - 3"),
    (FORWARD, "keep = expf(top - new_top)", "keep = 1.0f"),
    (FORWARD,
     "min(n, static_cast<int>(r) - q_off[s] + 1)", "min(n, static_cast<int>(r) - q_off[s] + 2)"),
    (FORWARD, "h * dh + c] = n > 0 ? y[k] / sum : 0.0f;", "h * dh + c] = y[k] / sum;"),
    (FORWARD, "if (log_weight) score += log_weight[j];", ""),
    (FORWARD, "score *= 1.0f + a.f[R1_ATTEND_BETA]", "score *= a.f[R1_ATTEND_BETA]"),
    (FORWARD,
     "off[b + 1] > off[b] ? sum / static_cast<float>(off[b + 1] - off[b]) : 0.0f",
     "sum / static_cast<float>(off[b + 1] - off[b])"),
    (FORWARD,
     "if (v > 0.0f) r1_at(a.v[R1_EDGE_MESSAGE_Y], n)[c] += v * scale;",
     "r1_at(a.v[R1_EDGE_MESSAGE_Y], n)[c] += v * scale;"),
    (FORWARD, "group != 2 && mark[i] != group + 1", "group != 2 && mark[i] != group"),
    (FORWARD, "r1_at(a.v[R1_ADD_B], r % a.v[R1_ADD_B].rows)", "r1_at(a.v[R1_ADD_B], r)"),
    (BACKWARD, "dot = r1_warp_sum(dot) * inv * inv * inv", "dot = r1_warp_sum(dot) * inv * inv"),
    (BACKWARD, "mean = n > 0 ? mean / sum : 0.0f;", "mean = 0.0f;"),
    (BACKWARD, "if (j - k_off[s] >= r1_visible(a, s, r)) continue;", ""),
    (BACKWARD,
     "float log_sum = n > 0 ? top + logf(sum) : INFINITY;",
     "float log_sum = top + logf(sum);"),
    (BACKWARD, "if (h[c] + x[c] > 0.0f) r1_at", "r1_at"),
    (BACKWARD,
     "for (int r = off[g + 1] - 1; r >= off[g]; r--)",
     "for (int r = off[g + 1] - 1; r > off[g]; r--)"),
    (BACKWARD, "row)[k] += from[k];", "row)[k] += 2 * from[k];"),
    (BACKWARD, "fabs(v) < limit ? rint(v) - v : copysign(limit, v)", "rint(v) - v"),
    (FORWARD, "id >= 0 && id < values ? 1 + id", "id >= 0 ? 1 + id"),
    # lanes
    (FORWARD,
     "for (int d = R1_WARP / 2; d > 0; d /= 2) x +=",
     "for (int d = R1_WARP / 4; d > 0; d /= 2) x +="),
    (FORWARD, "hits &= hits - 1", "hits = 0"),
    (BACKWARD,
     "if (lane == 0) r1_at(a.g[R1_LINEAR_B], 0)[n] += sum;",
     "r1_at(a.g[R1_LINEAR_B], 0)[n] += sum;"),
    (BACKWARD, "if (c - lane >= cols) return;", "if (c >= cols) return;"),
    # memory and copies
    (TABLE, "cudaMemset(*p, 0, bytes ? bytes : 256)", "cudaMemset(*p, 0, bytes / 2)"),
    (TABLE, "cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost"),
    (TABLE,
     "cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost",
     "cudaMemcpyAsync(host, device, bytes + 4, cudaMemcpyDeviceToHost"),
    (TABLE, "kept->mean = kept->log_sum + n;", "kept->mean = kept->log_sum;"),
    (TABLE, "a->v[k].dtype != R1_F32 && a->v[k].dtype != R1_I32", "a->v[k].dtype == R1_I8"),
    # the library's product
    (TABLE,
     "p.left = w->p, p.ld_left = w->ld, p.turn_left = true;",
     "p.left = w->p, p.ld_left = w->ld;"),
    (TABLE, "p.right = x->p, p.ld_right = x->ld;", "p.right = x->p, p.ld_right = x->cols;"),
    (TABLE, "p.out = y->p, p.ld_out = y->ld;", "p.out = y->p, p.ld_out = y->cols;"),
    (TABLE,
     "p.right = gy->p, p.ld_right = gy->ld, p.turn_right = true;",
     "p.right = gy->p, p.ld_right = gy->ld;"),
    (TABLE, "float one = 1.0f, keep = p->add ? 1.0f : 0.0f;", "float one = 1.0f, keep = 0.0f;"),
    (TABLE, "p.bias = a->v[R1_LINEAR_B].p;", ""),
    (TABLE, "product_says(d->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &bias, sizeof bias)", "true"),
    (TABLE, "uint32_t whole = CUBLASLT_REDUCTION_SCHEME_NONE;", "uint32_t whole = 1;"),
    # 8-bit products
    (INT8, "if (top >= R1_INT8_INFINITE) return NAN;", ""),
    (INT8, "if (most < 1e-30f) return 0.0f;", ""),
    (INT8, "#define R1_INT8_ROUNDER 12582912.0f", "#define R1_INT8_ROUNDER 12582911.0f"),
    (INT8, "r1_int8_round(learned ? r1_int8_cut(v, R1_INT8_LEARNED) : v)", "r1_int8_round(v)"),
    (INT8,
     "limit = w.x_step != 0.0f ? R1_INT8_LEARNED : R1_INT8_LIMIT",
     "limit = R1_INT8_LIMIT"),
    (INT8, "if (there && c < w.k && inverse > 0.0f)", "if (there && inverse > 0.0f)"),
    (INT8, "r1_int8_four(x8 + k), r1_int8_four(x0 + k + 16)",
     "r1_int8_four(x0 + k + 16), r1_int8_four(x8 + k)"),
    (INT8, "x8 = x0 + 8L * w.k_pad", "x8 = x0 + 4L * w.k_pad"),
    (INT8, "r = row0 + side + e / 2 * 8", "r = row0 + side + e % 2 * 8"),
    (INT8, "if (r >= x.n || n >= w.n) continue;", "if (r >= x.n || n > w.n) continue;"),
    (INT8,
     "__fadd_rn(__fmul_rn(__int2float_rn(sum[j][e]), step), bias)",
     "__fadd_rn(__fmul_rn(__fmul_rn(__int2float_rn(sum[j][e]), w.scale[n]), x.scale[r]), bias)"),
    (INT8, "r1_at(a.v[R1_LINEAR_Y], x.first + r)", "r1_at(a.v[R1_LINEAR_Y], r)"),
    (TABLE, "x.scale = (float *)(void *)(x.q + most * w.k_pad);",
     "x.scale = (float *)(void *)x.q;"),
    (TABLE, "int8_whole(p->n, R1_INT8_COLS)", "int8_whole(p->n, 1)"),
    (TABLE, "room / R1_INT8_ROWS * R1_INT8_ROWS", "room + R1_INT8_ROWS"),
    # launches
    (TABLE, "(threads + R1_BLOCK - 1) / R1_BLOCK", "threads / R1_BLOCK"),
    (TABLE,
     "R1_OP_LAUNCH(tail_norm, a.v[R1_TAIL_NORM_X].rows * R1_WARP)",
     "R1_OP_LAUNCH(tail_norm, a.v[R1_TAIL_NORM_X].rows)"),
]

# What changes no answer, with the reason.
MISSED = {
    "x >= edge[b + 1])": "at the edge itself the value between the edges is 1 as well",
    "float log_sum = n > 0 ? top + logf(sum) : INFINITY;": "without keys nobody reads it",
}


def squeeze(text):
    return " ".join(text.split())


def plant(text, old, new):
    """The text with the bug; blanks and line ends of the formatter do not count."""
    words, flat, places = squeeze(old), [], []
    for i, c in enumerate(text):
        c = " " if c.isspace() else c
        if c == " " and flat and flat[-1] == " ":
            continue
        flat.append(c)
        places.append(i)
    at = "".join(flat).find(words)
    if at < 0:
        sys.exit(f"mutants.py: no longer there: {old}")
    first, last = places[at], places[at + len(words) - 1] + 1
    return text[:first] + new + text[last:]


def caught(folder, objects):
    command = ["g++", "-x", "c++", "-std=c++17", "-O1", "-w", "-DR1_EMU", f"-I{folder}",
               f"-I{TREE}/core/include", f"-I{TREE}/tests", "-include", "cuda/cuda_emulator.h",
               "-include", "cuda/cublaslt_emulator.h", "-c", f"{folder}/{TABLE}", "-o",
               f"{folder}/plugin.o"]
    if subprocess.run(command, capture_output=True).returncode:
        return "does not compile"
    link = ["g++", "-o", f"{folder}/test", *objects[:1], f"{folder}/plugin.o", *objects[1:]]
    done = subprocess.run(link, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"mutants.py: {done.stderr[-2000:]}")
    for order in "012":
        env = {**os.environ, "R1_EMU_ORDER": order, "R1_TEST_SEED": "1"}
        try:
            if subprocess.run([f"{folder}/test"], capture_output=True, env=env,
                              timeout=120).returncode:
                return f"order {order}"
        except subprocess.TimeoutExpired:
            return f"order {order}, stands still"
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default=os.path.join(TREE, "build/release"))
    p.add_argument("--only", default="")
    args = p.parse_args()
    build = args.build
    objects = [f"{build}/tests/cuda/CMakeFiles/test_cuda_kernels.dir/test_cuda_kernels.c.o",
               f"{build}/tests/core/libr1_op_cases.a", f"{build}/tests/libr1_test_support.a",
               f"{build}/core/libr1_core_internal.a", "-lcunit", "-ldnnl", "-lgomp", "-ljansson",
               "-lpthread", "-ldl", "-lm"]
    for name, old, new in MUTANTS:
        with open(os.path.join(TREE, "cuda", name), encoding="utf-8") as source:
            plant(source.read(), old, new)
    seen = missed = 0
    wrong = []
    for name, old, new in MUTANTS:
        if args.only and args.only not in old:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for f in (FORWARD, BACKWARD, INT8, TABLE):
                with open(os.path.join(TREE, "cuda", f), encoding="utf-8") as source:
                    text = source.read()
                with open(os.path.join(folder, f), "w", encoding="utf-8") as out:
                    out.write(plant(text, old, new) if f == name else text)
            how = caught(folder, objects)
        seen += how is not None
        missed += how is None
        print(f"{'caught ' if how else 'MISSED '} {squeeze(old)[:70]}{': ' + how if how else ''}",
              flush=True)
        if (how is None) != (old in MISSED):
            wrong.append(old)
    total = seen + missed
    print(f"{seen} of {total} caught; listed as missed: {len(MISSED)}")
    sys.exit(bool(wrong) or seen < 0.95 * total)


if __name__ == "__main__":
    main()
