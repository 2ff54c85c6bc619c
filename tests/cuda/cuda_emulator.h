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
 * expf and tanhf. x86-64; test programs only. */
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <sys/mman.h>
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
    void *sp = nullptr; /* of a fiber that does not run */
    std::vector<char> stack;
    unsigned lane_in_block = 0, mask = 0;
    int op = 0;
    void *arg = nullptr;
    state now = state::done;
};

/* Keeps the registers that a call must keep on the stack, hands over to another stack. */
#define EMU_SAVE "push %rbp\n\tpush %rbx\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
#define EMU_BACK "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tpop %rbp\n\tret\n\t"
extern "C" void emu_switch(void **from, void *to);
asm(".text\n\t.weak emu_switch\n\t.type emu_switch, @function\nemu_switch:\n\t" EMU_SAVE
    "mov %rsp, (%rdi)\n\tmov %rsi, %rsp\n\t" EMU_BACK ".size emu_switch, .-emu_switch");

inline std::vector<fiber> lanes;
inline fiber *current;
inline void *home;
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
    emu_switch(&current->sp, home);
    abort();
}

/* A stack on which emu_switch starts the kernel. */
inline void fiber_start(fiber &f)
{
    auto top = reinterpret_cast<uintptr_t>(f.stack.data() + f.stack.size()) & ~uintptr_t{15};
    void **p = reinterpret_cast<void **>(top);
    *--p = nullptr; /* where a call's return address would be */
    *--p = reinterpret_cast<void *>(entry);
    for (int i = 0; i < 6; i++) *--p = nullptr;
    f.sp = p;
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
            emu_switch(&current->sp, home);
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
        fiber_start(f);
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
            emu_switch(&home, current->sp);
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
    uint32_t value, result; /* bits */
    unsigned source;
};
struct mma_arg {
    int *c;
    const unsigned *a, *b;
};
struct vote_arg {
    bool mine;
    unsigned result;
};
} // namespace emu

#define threadIdx (emu::thread_index())
#define blockIdx  (emu::index{emu::block_x})
#define blockDim  (emu::index{emu::block_size})

template <typename T> inline T __shfl_xor_sync(unsigned mask, T value, int d)
{
    static_assert(sizeof(T) == sizeof(uint32_t), "shuffles move 32 bits");
    emu::shuffle_arg s{0, 0, (emu::current->lane_in_block & 31) ^ static_cast<unsigned>(d)};
    memcpy(&s.value, &value, sizeof value);
    emu::collect(mask, 1, &s, [](void **all) {
        for (int i = 0; i < 32; i++) {
            auto *me = static_cast<emu::shuffle_arg *>(all[i]);
            if (!me) continue;
            if (!all[me->source]) emu::die("shuffle from a lane outside of the mask");
            me->result = static_cast<emu::shuffle_arg *>(all[me->source])->value;
        }
    });
    memcpy(&value, &s.result, sizeof value);
    return value;
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

inline void __syncwarp(unsigned mask = ~0u)
{
    int nothing;
    emu::collect(mask, 3, &nothing, [](void **) {});
}

/* mma.sync.m16n8k32 of 8-bit integers, by the layouts of PTX's manual: lane l holds four bytes a
 * register. */
inline void r1_mma_s8(int *c, const unsigned *a, const unsigned *b)
{
    emu::mma_arg s{c, a, b};
    emu::collect(~0u, 4, &s, [](void **all) {
        static int8_t left[16][32], right[8][32];
        for (int l = 0; l < 32; l++) {
            auto *m = static_cast<emu::mma_arg *>(all[l]);
            int at = l % 4 * 4;
            for (int i = 0; i < 4; i++)
                memcpy(&left[l / 4 + i % 2 * 8][at + i / 2 * 16], &m->a[i], 4);
            for (int i = 0; i < 2; i++) memcpy(&right[l / 4][at + i * 16], &m->b[i], 4);
        }
        for (int l = 0; l < 32; l++)
            for (int e = 0; e < 4; e++)
                for (int k = 0; k < 32; k++)
                    static_cast<emu::mma_arg *>(all[l])->c[e] +=
                        left[l / 4 + e / 2 * 8][k] * right[l % 4 * 2 + e % 2][k];
    });
}

inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __float_as_int(float x)
{
    int bits;
    return memcpy(&bits, &x, sizeof bits), bits;
}
inline float __int_as_float(int bits)
{
    float x;
    return memcpy(&x, &bits, sizeof x), x;
}
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }

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
/* A buffer ends before a page that may not be touched, and begins behind one. The bytes that its
 * alignment leaves before the page are looked at when it is freed. */
namespace emu
{
struct block {
    size_t bytes, mapped;
    char *map;
};
inline std::map<void *, block> blocks;
enum { PAGE = 4096, ALIGN = 256, SLACK = 0x5a };
} // namespace emu
inline cudaError_t cudaMalloc(void **p, size_t n)
{
    size_t room = (n + emu::ALIGN - 1) / emu::ALIGN * emu::ALIGN,
           pages = (room + emu::PAGE - 1) / emu::PAGE * emu::PAGE, mapped = pages + 2 * emu::PAGE;
    void *map = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return cudaErrorMemoryAllocation;
    char *first = static_cast<char *>(map) + emu::PAGE;
    if (mprotect(first, pages, PROT_READ | PROT_WRITE)) emu::die("mprotect");
    *p = first + pages - room;
    memset(*p, 0xff, n);
    memset(static_cast<char *>(*p) + n, emu::SLACK, room - n);
    emu::blocks[*p] = {n, mapped, static_cast<char *>(map)};
    return cudaSuccess;
}
inline cudaError_t cudaFree(void *p)
{
    if (!p) return cudaSuccess;
    auto at = emu::blocks.find(p);
    if (at == emu::blocks.end()) emu::die("a pointer is freed that is none of the device's");
    emu::block b = at->second;
    for (char *c = static_cast<char *>(p) + b.bytes; c < b.map + b.mapped - emu::PAGE; c++)
        if (*c != emu::SLACK) emu::die("bytes behind a buffer's end were written");
    emu::blocks.erase(at);
    munmap(b.map, b.mapped);
    return cudaSuccess;
}
/* Whether n bytes from p lie within one buffer of the device. */
inline bool emu_on_device(const void *p, size_t n)
{
    auto at = emu::blocks.upper_bound(const_cast<void *>(p));
    if (at == emu::blocks.begin()) return false;
    --at;
    auto *first = static_cast<const char *>(at->first), *from = static_cast<const char *>(p);
    return from < first + at->second.bytes && from + n <= first + at->second.bytes;
}
inline cudaError_t cudaMemset(void *p, int v, size_t n)
{
    if (!emu_on_device(p, n)) emu::die("memset beyond a buffer of the device");
    return memset(p, v, n), cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, int kind, cudaStream_t)
{
    bool up = kind == cudaMemcpyHostToDevice;
    if (n && !emu_on_device(up ? to : from, n)) emu::die("a copy beyond a buffer of the device");
    if (n && emu_on_device(up ? from : to, 1)) emu::die("a copy in the wrong direction");
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
