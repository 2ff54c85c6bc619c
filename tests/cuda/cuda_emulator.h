/* SPDX-License-Identifier: Apache-2.0 */
/* cuda_emulator.h - runs the kernels of cuda/ on the CPU, so that machines without a GPU can
 * compare them with the scalar reference.
 *
 * Each CUDA thread of a block is a fiber with its own stack. It runs until it leaves the kernel
 * or meets a warp collective; the last lane to arrive does the collective for all. Lanes that
 * meet in different collectives, with different masks, or that wait for a lane which has left,
 * abort with a message. R1_EMU_ORDER=seed shuffles the order in which lanes and warps run.
 * "Device" memory is filled with NaN, so that reads of unset memory show.
 *
 * What it cannot show: races between blocks, memory ordering, timing, the card's own rounding of
 * expf and tanhf. x86-64 and glibc's ucontext; test programs only. */
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <ucontext.h>
#include <vector>

#define __global__ static
#define __device__
struct dim3 {
    unsigned x, y, z;
    explicit dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
using std::isnan;
using std::max;
using std::min;

namespace emu
{
enum class state { run, warp, done };

struct fiber {
    ucontext_t context;
    std::vector<char> stack;
    unsigned lane_in_block = 0, mask = 0;
    int op = 0;
    void *arg = nullptr;
    state now = state::done;
};

inline std::vector<fiber> lanes;
inline fiber *current;
inline ucontext_t home;
inline unsigned block_x, block_size;
inline std::function<void()> body;

[[noreturn]] inline void die(const char *what)
{
    fprintf(stderr, "cuda_emulator: %s: block %u", what, block_x);
    if (current) fprintf(stderr, ", thread %u", current->lane_in_block);
    fputc('\n', stderr);
    abort();
}

inline void entry()
{
    body();
    current->now = state::done;
    swapcontext(&current->context, &home);
    abort();
}

/* fn gets the argument of every lane in the mask (null elsewhere) once all of them have come. */
typedef void (*collective)(void **arg);
inline void collect(unsigned mask, int op, void *arg, collective fn)
{
    unsigned me = current->lane_in_block & 31;
    fiber *warp = current - me;
    unsigned width = std::min(32u, block_size - (current->lane_in_block & ~31u));
    if (width < 32) mask &= (1u << width) - 1;
    if (!(mask >> me & 1)) die("lane not in its own mask");
    current->mask = mask;
    current->op = op;
    current->arg = arg;
    void *all[32] = {};
    for (unsigned i = 0; i < width; i++) {
        if (!(mask >> i & 1)) continue;
        fiber *f = warp + i;
        if (f != current && f->now == state::done) die("a lane of the mask has left the kernel");
        if (f != current && f->now != state::warp) {
            current->now = state::warp;
            swapcontext(&current->context, &home);
            return; /* another lane did it */
        }
        if (f->op != op || f->mask != mask)
            die("lanes meet in different collectives or with different masks");
        all[i] = f->arg;
    }
    fn(all);
    for (unsigned i = 0; i < width; i++)
        if (mask >> i & 1) warp[i].now = state::run;
}

inline void run_block(std::vector<unsigned> &order, uint64_t &seed)
{
    for (unsigned i = 0; i < block_size; i++) {
        fiber &f = lanes[i];
        f.lane_in_block = i;
        f.now = state::run;
        getcontext(&f.context);
        f.context.uc_stack.ss_sp = f.stack.data();
        f.context.uc_stack.ss_size = f.stack.size();
        f.context.uc_link = nullptr;
        makecontext(&f.context, entry, 0);
    }
    for (;;) {
        if (seed)
            for (size_t i = order.size() - 1; i > 0; i--) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                std::swap(order[i], order[(seed >> 33) % (i + 1)]);
            }
        size_t ran = 0, done = 0;
        for (unsigned i : order) {
            if (lanes[i].now != state::run) continue;
            current = &lanes[i];
            ran++;
            swapcontext(&home, &current->context);
        }
        current = nullptr;
        for (unsigned i = 0; i < block_size; i++) done += lanes[i].now == state::done;
        if (done == block_size) return;
        if (!ran) die("deadlock: a collective that not every lane reaches");
    }
}

inline void launch(dim3 grid, dim3 block, std::function<void()> kernel)
{
    const char *text = getenv("R1_EMU_ORDER");
    uint64_t seed = text ? strtoull(text, nullptr, 10) : 0;
    if (!block.x || block.x > 1024) die("bad block size");
    block_size = block.x;
    body = std::move(kernel);
    if (lanes.size() != block_size) {
        lanes = std::vector<fiber>(block_size);
        for (fiber &f : lanes) f.stack.resize(64 * 1024);
    }
    std::vector<unsigned> order(block_size);
    for (unsigned i = 0; i < block_size; i++) order[i] = i;
    for (block_x = 0; block_x < grid.x; block_x++) run_block(order, seed);
}

struct index {
    unsigned x;
};
inline index thread_index() { return {current->lane_in_block}; }

struct shuffle_arg {
    float value, result;
    unsigned source;
};
struct vote_arg {
    bool mine;
    unsigned result;
};
} // namespace emu

#define threadIdx (emu::thread_index())
#define blockIdx  (emu::index{emu::block_x})
#define blockDim  (emu::index{emu::block_size})

inline float __shfl_xor_sync(unsigned mask, float value, int d)
{
    emu::shuffle_arg s{value, value, (emu::current->lane_in_block & 31) ^ static_cast<unsigned>(d)};
    emu::collect(mask, 1, &s, [](void **all) {
        for (int i = 0; i < 32; i++) {
            auto *me = static_cast<emu::shuffle_arg *>(all[i]);
            if (!me) continue;
            if (!all[me->source]) emu::die("shuffle from a lane outside of the mask");
            me->result = static_cast<emu::shuffle_arg *>(all[me->source])->value;
        }
    });
    return s.result;
}

inline unsigned __ballot_sync(unsigned mask, bool mine)
{
    emu::vote_arg v{mine, 0};
    emu::collect(mask, 2, &v, [](void **all) {
        unsigned bits = 0;
        for (unsigned i = 0; i < 32; i++)
            if (all[i] && static_cast<emu::vote_arg *>(all[i])->mine) bits |= 1u << i;
        for (int i = 0; i < 32; i++)
            if (all[i]) static_cast<emu::vote_arg *>(all[i])->result = bits;
    });
    return v.result;
}

inline int __ffs(int x) { return __builtin_ffs(x); }

/* ---- runtime ---- */

typedef int cudaError_t;
typedef void *cudaStream_t;
typedef void *cudaEvent_t;
enum {
    cudaSuccess = 0,
    cudaErrorMemoryAllocation = 2,
    cudaStreamNonBlocking = 1,
    cudaEventDisableTiming = 2
};
enum { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
struct cudaDeviceProp {
    char name[64];
    size_t totalGlobalMem;
    int major, minor;
};
inline cudaError_t cudaMalloc(void **p, size_t n)
{
    *p = aligned_alloc(256, (n + 255) / 256 * 256);
    if (*p) memset(*p, 0xff, n);
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFree(void *p) { return free(p), cudaSuccess; }
inline cudaError_t cudaMemset(void *p, int v, size_t n) { return memset(p, v, n), cudaSuccess; }
inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, int, cudaStream_t)
{
    return memcpy(to, from, n), cudaSuccess;
}
inline cudaError_t cudaGetDeviceCount(int *n) { return *n = 1, cudaSuccess; }
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int)
{
    *p = {};
    snprintf(p->name, sizeof p->name, "emulated device");
    return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, int)
{
    return *s = nullptr, cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, int)
{
    return *e = nullptr, cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, int) { return cudaSuccess; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char *cudaGetErrorString(cudaError_t e) { return e ? "out of memory" : "no error"; }
