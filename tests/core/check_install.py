#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs libr1 into a temporary prefix and uses it from there, as a user who has nothing else.

    check_install.py CMAKE BUILD SOURCE VERSION CC [FLAG...]    FLAGs: the sanitizers' of this build

Every header compiles alone. r1.h includes them all, and its page of usage compiles. What pkg-config
says builds the examples, which then pass check_examples.py.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CMAKE, BUILD, SOURCE, VERSION, CC, *FLAGS = sys.argv[1:]
STRICT = ["-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


# What the page of usage in r1.h takes as given.
GIVEN = """#include <math.h>
#include <stdio.h>
#include "r1.h"
r1_status my_linear(r1_stream *stream, const r1_op_args *args, r1_err *err);
r1_status run(void *ctx, r1_request *const *request, size_t n, uint64_t *executed, r1_err *err);
void page(r1_model *model, const char *description, uint64_t account, const float *key,
          const float *query, const char *path, const char *other, const char *unseen);
void page(r1_model *model, const char *description, uint64_t account, const float *key,
          const float *query, const char *path, const char *other, const char *unseen)
{
    r1_session *session; r1_memory *memory; r1_longterm *lt;
    r1_shard_writer *writer; r1_batcher *batcher;
    r1_train_report report; r1_eval eval; r1_longterm_hit hit[10];
    uint64_t ticket, id, ref[32]; size_t n_ref, n_hit;
"""


def page(header):
    """The statements of the header's first comment: what stands five blanks in.

    The command line among them is left out.
    """
    lines = header.split("#ifndef", 1)[0].split("\n")
    code = [line[7:] for line in lines
            if line.startswith(" *     ") and not line[7:].startswith("cc ")]
    assert len(code) > 25, f"only {len(code)} lines of code in r1.h's page"
    return GIVEN + "\n".join(code) + "\n}\n"


def output(command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300,
                          **more)
    assert done.returncode == 0, (f"{' '.join(map(str, command))}: exit code {done.returncode}\n"
                                  f"{done.stdout}{done.stderr}")
    return done.stdout


def main():
    with tempfile.TemporaryDirectory() as tmp:
        prefix, elsewhere = Path(tmp, "prefix"), Path(tmp, "elsewhere")
        output([CMAKE, "--install", BUILD, "--prefix", prefix, "--component", "libr1"])
        library = next(prefix.rglob("libr1.so")).parent
        env = {**os.environ, "PKG_CONFIG_PATH": str(library / "pkgconfig"),
               "LD_LIBRARY_PATH": str(library)}
        assert output(["pkg-config", "--modversion", "libr1"], env=env).strip() == VERSION
        cflags = output(["pkg-config", "--cflags", "libr1"], env=env).split()
        libs = output(["pkg-config", "--libs", "libr1"], env=env).split()
        assert not [x for x in cflags + libs if SOURCE in x], (
            f"the source tree stands in {cflags + libs}")

        installed = sorted(p.name for p in prefix.rglob("*.h"))
        ours = sorted(p.name for p in Path(SOURCE, "core/include").glob("*.h"))
        assert installed == ours and "r1.h" in installed, (
            f"installed {installed}, in the source {ours}")
        umbrella = (Path(SOURCE) / "core/include/r1.h").read_text(encoding="utf-8")
        for header in installed:
            output([CC, *STRICT, *cflags, "-fsyntax-only", "-x", "c", "-"],
                   input=f'#include "{header}"\nint x;\n')
            assert header == "r1.h" or f'#include "{header}"' in umbrella, (
                f"r1.h does not include {header}")

        output([CC, "-std=c17", "-Wall", "-Wextra", "-Werror", "-Wno-unused-value",
                "-Wno-unused-but-set-variable", *cflags, "-fsyntax-only",
                "-x", "c", "-"], input=page(umbrella))

        elsewhere.mkdir()
        programs = sorted(Path(SOURCE, "core/examples").glob("example_*.c"))
        for program in programs:  # -lm: the examples' own log10
            output([CC, *STRICT, *FLAGS, *cflags, program, *libs, "-lm", "-o",
                    elsewhere / program.stem])
        print(output([sys.executable, Path(SOURCE, "tests/core/check_examples.py"), elsewhere],
                     env=env), end="")
        needs = output(["ldd", elsewhere / "example_infer"], env=env)
        assert str(library) in needs, needs
        print(f"{len(installed)} headers, {len(programs)} programs against {prefix}")


main()
