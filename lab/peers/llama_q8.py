#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's Q8_0 prompt processing as the peer of int8 layers: the layer shapes of `r1-bench
score`'s wide-512 model, random weights.

    python3 -m venv VENV && VENV/bin/pip install xllamacpp==2026.10.11549 gguf==0.19.0
    OMP_NUM_THREADS=1 VENV/bin/python lab/peers/llama_q8.py [--r1-bench PROGRAM]
        [--rounds 3] [--json]

The peer is a GPT-2 of 4 layers: qkv 512 -> 1,536, output 512 -> 512, feed-forward 512 -> 2,048 -> 512 with GELU, 8 heads, matrices in Q8_0 (32 values
share a scale), a vocabulary of 256, so that reading out costs next to nothing. One thread each, by turns, the best of the rounds; the
prompt is 288 tokens, as many as 32 samples of 9 tokens have. Two ratios are given:

  tokens     tokens a second through the model. Ours does more per token: eight encoders and cross-modal attention come before the same 4 layers
  products   operations a second in matrix products and what belongs to them: ours as `r1 info` counts a sample, the peer's 2 x weights x tokens
"""
import argparse
import json
import os
import random
import subprocess
import tempfile

import gguf
import numpy as np
import xllamacpp

WIDTH, LAYERS, HEADS, HIDDEN, VOCAB, PROMPT, PER_SAMPLE = 512, 4, 8, 2048, 256, 288, 9
LAYER_WEIGHTS = WIDTH * 3 * WIDTH + WIDTH * WIDTH + 2 * WIDTH * HIDDEN


def write_model(path):
    rng = np.random.default_rng(1)
    w = gguf.GGUFWriter(path, "gpt2")
    w.add_context_length(1024)
    w.add_embedding_length(WIDTH)
    w.add_feed_forward_length(HIDDEN)
    w.add_block_count(LAYERS)
    w.add_head_count(HEADS)
    w.add_layer_norm_eps(1e-5)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list([chr(0x100 + i) for i in range(VOCAB)])
    w.add_token_types([gguf.TokenType.NORMAL] * VOCAB)
    w.add_token_merges(["\u0100 \u0101"])
    w.add_bos_token_id(0)
    w.add_eos_token_id(1)

    def plain(name, *shape):
        w.add_tensor(name, rng.normal(0, 0.1, shape).astype(np.float32))

    def matrix(name, rows, cols):
        x = rng.normal(0, cols**-0.5, (rows, cols)).astype(np.float32)
        w.add_tensor(name, gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0), raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    matrix("token_embd.weight", VOCAB, WIDTH)
    plain("position_embd.weight", 1024, WIDTH)
    for name in ("output_norm",):
        plain(name + ".weight", WIDTH)
        plain(name + ".bias", WIDTH)
    for i in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            plain(f"blk.{i}.{name}.weight", WIDTH)
            plain(f"blk.{i}.{name}.bias", WIDTH)
        for name, rows, cols in (("attn_qkv", 3 * WIDTH, WIDTH), ("attn_output", WIDTH, WIDTH),
                                 ("ffn_up", HIDDEN, WIDTH), ("ffn_down", WIDTH, HIDDEN)):
            matrix(f"blk.{i}.{name}.weight", rows, cols)
            plain(f"blk.{i}.{name}.bias", rows)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def open_server(path):
    p = xllamacpp.CommonParams()
    p.model.path = path
    p.n_ctx = 1024
    p.n_batch = p.n_ubatch = 512
    p.n_parallel = 1
    p.n_gpu_layers = 0
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1
    p.cache_prompt = False
    p.verbosity = -1
    return xllamacpp.Server(p)


def tokens_a_second(server, rng):
    best = 0
    for _ in range(20):
        prompt = [rng.randrange(2, VOCAB) for _ in range(PROMPT)]
        r = server.handle_completions({"prompt": prompt, "n_predict": 1, "cache_prompt": False})
        t = (json.loads(r) if isinstance(r, (str, bytes)) else r)["timings"]
        if t["prompt_n"] < PROMPT - 1:
            raise SystemExit(f"llama.cpp processed {t['prompt_n']} tokens of {PROMPT}")
        best = max(best, t["prompt_per_second"])
    return best


def ours(program):
    out = subprocess.run([program, "score", "--seconds", "1", "--json"], capture_output=True,
                         check=True, text=True)
    return json.loads(out.stdout)["figures"]


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--r1-bench", default="build/release/bin/r1-bench")
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--json", action="store_true")
    a = args.parse_args()
    rng, peer, score = random.Random(1), 0, {}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "wide.gguf")
        write_model(path)
        server = open_server(path)
        for _ in range(a.rounds):
            peer = max(peer, tokens_a_second(server, rng))
            for k, v in ours(a.r1_bench).items():
                if isinstance(v, (int, float)):
                    score[k] = max(score.get(k, v), v)
    out = {"llama_tokens_s": peer, "llama_gops": 2e-9 * LAYERS * LAYER_WEIGHTS * peer}
    for kind, name in (("f32", "wide-512_f32"), ("int8", "wide-512_int8"), ("learned", "wide-512_learned_int8")):
        rate = score[name + "_samples_s"]
        out[f"{kind}_tokens_s"] = PER_SAMPLE * rate
        out[f"{kind}_gops"] = rate * score["wide-512_mflop_sample"] * 1e-3
        out[f"{kind}_over_llama_tokens"] = out[f"{kind}_tokens_s"] / peer
        out[f"{kind}_over_llama_products"] = out[f"{kind}_gops"] / out["llama_gops"]
    if a.json:
        print(json.dumps(out))
    else:
        for k, v in out.items():
            print(f"{k:28s} {v:.4g}")


main()
