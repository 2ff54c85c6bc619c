/* SPDX-License-Identifier: Apache-2.0 */
/* build.c - the architecture: encoders of the four kinds of item, the common space, cross-modal
 * attention, CAWA blocks, heads at every position. Everything is causal in the order of the
 * items, so that one pass gives the logit after each evidence step.
 *
 *   item -> encoder -> d_align -> place in the sequence (row 0 is the learned prior)
 *   sequence -> norm -> [project | q k v] -> causal attention, n_head_cross heads -> d_model
 *            -> CAWA blocks -> norm -> heads
 *
 * Pretraining adds heads for what was masked and for what comes next.
 *
 * Folded (fold.h), an encoder's last layer goes straight to what would be read from the common
 * space. */
#include "model/build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float norm_eps = 1e-5f;
enum { INT8_SIDE_MIN = 16 };

typedef struct {
    r1_net *net;
    const r1_desc *d;
    const char *scope; /* prefix of weight names */
    r1_phase phase;
    const char *part;
    bool folded, steps, pretrain; /* build.h's form */
    bool asked;                   /* the item in hand is the one that memory asks */
    bool full;                    /* a table ran over: reported once at the end */
} builder;

static int16_t add_tensor(builder *b, r1_tensor t)
{
    int16_t id = r1_plan_tensor(&b->net->plan, &t);
    if (id < 0) b->full = true;
    return id < 0 ? 0 : id;
}

static int16_t build_weight(builder *b, const char *name, uint32_t rows, uint32_t cols,
                            r1_init init, float value)
{
    r1_tensor t = {.space = R1_SPACE_WEIGHT,
                   .sym = R1_SYM_ONE,
                   .mul = rows,
                   .cols = cols,
                   .init = (uint8_t)init};
    t.init_value = value;
    t.decay = init == R1_INIT_NORMAL && rows > 1;
    snprintf(t.name, sizeof t.name, "%.70s.%.40s", b->scope, name);
    return add_tensor(b, t);
}

static int16_t build_frozen(builder *b, const char *name, uint32_t rows, uint32_t cols,
                            r1_init init, float value)
{
    int16_t id = build_weight(b, name, rows, cols, init, value);
    b->net->plan.tensor[id].frozen = true;
    b->net->plan.tensor[id].decay = false;
    return id;
}

static int16_t build_matrix(builder *b, r1_space space, uint16_t sym, uint32_t mul, uint32_t cols,
                            r1_dtype dtype)
{
    r1_tensor t = {
        .space = (uint8_t)space, .sym = sym, .mul = mul, .cols = cols, .dtype = (uint8_t)dtype};
    return add_tensor(b, t);
}

static int16_t build_act(builder *b, uint16_t sym, uint32_t mul, uint32_t cols)
{
    return build_matrix(b, R1_SPACE_ACT, sym, mul, cols, R1_F32);
}

static int16_t build_array(builder *b, uint16_t sym, uint32_t mul, uint32_t plus, r1_dtype dtype)
{
    r1_tensor t = {.space = R1_SPACE_INPUT,
                   .sym = sym,
                   .mul = mul,
                   .plus = plus,
                   .cols = 1,
                   .dtype = (uint8_t)dtype};
    t.array = true;
    return add_tensor(b, t);
}

static r1_operand build_all(const builder *b, int16_t t)
{
    return (r1_operand){.t = t, .step = 1, .cols = t < 0 ? 0 : b->net->plan.tensor[t].cols};
}

static r1_operand build_part_of(int16_t t, uint32_t col, uint32_t cols)
{
    return (r1_operand){.t = t, .step = 1, .col = col, .cols = cols};
}

static r1_call *build_call(builder *b, r1_op op)
{
    static r1_call spill;
    r1_call *c = r1_plan_call(&b->net->plan, op, b->phase, b->part);
    if (!c) b->full = true;
    return c ? c : &spill;
}

/* A new activation with the row count of x. */
static int16_t build_like(builder *b, r1_operand x, uint32_t cols)
{
    const r1_tensor *t = &b->net->plan.tensor[x.t];
    return build_act(b, t->sym, x.step > 1 ? t->mul / x.step : t->mul, cols);
}

/* ---- linear layers, and what of them is rounded to learned steps ----------------------------- */

/* Folding merges what writes the common space with what reads it: of the first only the input is
 * still there when a model serves, of the second nothing. */
typedef enum { ROUND_NOTHING, ROUND_INPUT, ROUND_BOTH } rounding;

static bool same_operand(r1_operand a, r1_operand b)
{
    return a.t == b.t && a.step == b.step && a.row0 == b.row0 && a.col == b.col && a.cols == b.cols;
}

/* x rounded to multiples of its step, of which `rows` are learned. Readers of one x share its
 * step and its rounded values. */
static r1_operand build_rounded(builder *b, const char *layer, const char *what, r1_operand x,
                                uint32_t rows)
{
    char name[64];
    for (uint32_t i = 0; i < b->net->plan.n_call; i++) {
        const r1_call *c = &b->net->plan.call[i];
        if (c->op == R1_OP_LSQ && same_operand(c->v[R1_LSQ_X], x)) return c->v[R1_LSQ_Y];
    }
    snprintf(name, sizeof name, "%s.%s", layer, what);
    int16_t step = build_weight(b, name, rows, 1, R1_INIT_CONST, 1.0f / R1_INT8_LEARNED);
    b->net->plan.tensor[step].step = true;
    r1_operand y = build_all(b, build_like(b, x, x.cols));
    r1_call *c = build_call(b, R1_OP_LSQ);
    c->v[R1_LSQ_X] = x;
    c->v[R1_LSQ_STEP] = build_all(b, step);
    c->v[R1_LSQ_Y] = y;
    c->i[R1_LSQ_LIMIT] = R1_INT8_LEARNED;
    return y;
}

/* steps: the layer whose name the step of x bears. */
static void linear_as(builder *b, const char *name, const char *steps, r1_operand x, r1_operand y,
                      float gain, rounding how)
{
    char w[64], bias[64];
    snprintf(w, sizeof w, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    float sd = gain / sqrtf((float)x.cols);
    r1_operand wt = build_all(b, build_weight(b, w, y.cols, x.cols, R1_INIT_NORMAL, sd));
    int16_t bt = build_weight(b, bias, 1, y.cols, R1_INIT_ZERO, 0);
    if (!b->steps || !r1_net_int8(y.cols, x.cols)) how = ROUND_NOTHING;
    if (how != ROUND_NOTHING) x = build_rounded(b, steps, "input_step", x, 1);
    if (how == ROUND_BOTH) wt = build_rounded(b, name, "weight_step", wt, y.cols);
    r1_call *c = build_call(b, R1_OP_LINEAR);
    c->v[R1_LINEAR_X] = x;
    c->v[R1_LINEAR_W] = wt;
    c->v[R1_LINEAR_B] = build_all(b, bt);
    c->v[R1_LINEAR_Y] = y;
}

static void linear_to(builder *b, const char *name, r1_operand x, r1_operand y, float gain)
{
    linear_as(b, name, name, x, y, gain, ROUND_BOTH);
}

static r1_operand build_linear(builder *b, const char *name, r1_operand x, uint32_t cols,
                               float gain)
{
    r1_operand y = build_all(b, build_like(b, x, cols));
    linear_to(b, name, x, y, gain);
    return y;
}

/* A layer that reads the common space, or (folded) what is left of one. */
static r1_operand linear_reader(builder *b, const char *name, r1_operand x, uint32_t cols)
{
    r1_operand y = build_all(b, build_like(b, x, cols));
    linear_as(b, name, name, x, y, 1, ROUND_NOTHING);
    return y;
}

static r1_operand build_gelu(builder *b, r1_operand x)
{
    r1_operand y = build_all(b, build_like(b, x, x.cols));
    r1_call *c = build_call(b, R1_OP_ACT);
    c->i[R1_ACT_KIND] = R1_ACT_GELU;
    c->v[R1_ACT_X] = x;
    c->v[R1_ACT_Y] = y;
    return y;
}

static void norm_to(builder *b, const char *name, r1_operand x, r1_operand y)
{
    int16_t gain = build_weight(b, name, 1, x.cols, R1_INIT_CONST, 1);
    r1_call *c = build_call(b, R1_OP_RMSNORM);
    c->v[R1_RMSNORM_X] = x;
    c->v[R1_RMSNORM_GAIN] = build_all(b, gain);
    c->v[R1_RMSNORM_Y] = y;
    c->f[R1_RMSNORM_EPS] = norm_eps;
}

static r1_operand build_norm(builder *b, const char *name, r1_operand x)
{
    r1_operand y = build_all(b, build_like(b, x, x.cols));
    norm_to(b, name, x, y);
    return y;
}

static r1_operand build_add(builder *b, r1_operand x, r1_operand z)
{
    r1_operand y = build_all(b, build_like(b, x, x.cols));
    r1_call *c = build_call(b, R1_OP_ADD);
    c->v[R1_ADD_A] = x;
    c->v[R1_ADD_B] = z;
    c->v[R1_ADD_Y] = y;
    return y;
}

/* ---- the common space ------------------------------------------------------------------------ */

static uint32_t hidden_of(const r1_desc *d, const r1_item_desc *it)
{
    switch (it->kind) {
    case R1_ITEM_TABLE: return it->row.hidden;
    case R1_ITEM_TEXT: return it->hidden;
    case R1_ITEM_GRAPH: return 2 * it->hidden;
    case R1_ITEM_MEMORY: return d->d_memory;
    }
    return 0;
}

uint32_t r1_net_tail(const r1_desc *d)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < d->n_item; i++)
        if (hidden_of(d, &d->item[i]) > most) most = hidden_of(d, &d->item[i]);
    return most + 1;
}

static uint32_t tail_at(const r1_desc *d) { return 4 * d->d_model; }
static uint32_t asked_at(const r1_desc *d) { return tail_at(d) + r1_net_tail(d); }
static uint32_t asked_cols(const r1_desc *d)
{
    return d->d_memory + (d->cawa_context ? d->d_context : 0);
}

/* Columns of the sequence. */
static uint32_t space_cols(const builder *b)
{
    return b->folded ? asked_at(b->d) + (b->d->has_event ? asked_cols(b->d) : 0) : b->d->d_align;
}

/* An encoder's last layer. y: rows of the sequence's width, or -1 for as many rows as x has. */
static r1_operand build_align(builder *b, const char *name, r1_operand x, int16_t y)
{
    if (y < 0) y = build_like(b, x, space_cols(b));
    r1_operand to = b->folded ? build_part_of(y, 0, b->asked ? space_cols(b) : asked_at(b->d))
                              : build_all(b, y);
    linear_as(b, b->folded ? "fold" : name, name, x, to, 1, ROUND_INPUT);
    return build_all(b, y);
}

/* x / rms of the row + bias: the folded reader's columns x of the rows that `row` selects. */
static r1_operand tail_norm(builder *b, const char *bias, r1_operand row, uint32_t col,
                            uint32_t cols)
{
    r1_operand x = row, tail = row;
    x.col = col, x.cols = cols;
    tail.col = tail_at(b->d), tail.cols = r1_net_tail(b->d);
    r1_operand y = build_all(b, build_like(b, row, cols));
    r1_call *c = build_call(b, R1_OP_TAIL_NORM);
    c->v[R1_TAIL_NORM_X] = x;
    c->v[R1_TAIL_NORM_TAIL] = tail;
    c->v[R1_TAIL_NORM_B] = build_all(b, build_weight(b, bias, 1, cols, R1_INIT_ZERO, 0));
    c->v[R1_TAIL_NORM_Y] = y;
    c->f[R1_TAIL_NORM_EPS] = norm_eps;
    c->f[R1_TAIL_NORM_WIDTH] = (float)b->d->d_align;
    return y;
}

/* ---- table rows: items and events ------------------------------------------------------------ */

/* Widest output column first: numbers as bins, then embedded categories. */
static r1_operand build_encode_row(builder *b, const r1_row_desc *r, uint16_t sym, int16_t *num,
                                   int16_t *cat, int16_t *bins)
{
    uint32_t wide = r->n_num * (r->n_bin + 1), total = wide + r->n_cat * r->d_cat;
    int16_t x = build_act(b, sym, 1, total);
    *num = *cat = *bins = -1;
    if (r->n_num) {
        *num = build_matrix(b, R1_SPACE_INPUT, sym, 1, r->n_num, R1_F32);
        *bins = build_frozen(b, "bins", r->n_num, r->n_bin + 1, R1_INIT_RAMP, 0);
        r1_call *c = build_call(b, R1_OP_PLE);
        c->v[R1_PLE_X] = build_all(b, *num);
        c->v[R1_PLE_EDGE] = build_all(b, *bins);
        c->v[R1_PLE_Y] = build_part_of(x, 0, wide);
    }
    if (r->n_cat) {
        uint32_t rows = 0;
        for (uint32_t i = 0; i < r->n_cat; i++) rows += (uint32_t)r->cat[i].n + 2;
        *cat = build_matrix(b, R1_SPACE_INPUT, sym, 1, r->n_cat, R1_I32);
        int16_t table = build_weight(b, "categories", rows, r->d_cat, R1_INIT_NORMAL, 0.3f);
        int16_t first = build_frozen(b, "first", r->n_cat + 1, 1, R1_INIT_DERIVED, 0);
        b->net->plan.tensor[first].dtype = R1_I32;
        b->net->plan.tensor[first].array = true;
        r1_call *c = build_call(b, R1_OP_EMBED);
        c->v[R1_EMBED_ID] = build_all(b, *cat);
        c->v[R1_EMBED_TABLE] = build_all(b, table);
        c->v[R1_EMBED_FIRST] = build_all(b, first);
        c->v[R1_EMBED_Y] = build_part_of(x, wide, r->n_cat * r->d_cat);
    }
    return build_all(b, x);
}

static void build_event(builder *b)
{
    r1_net *n = b->net;
    n->event_num = n->event_cat = n->event_bins = n->entry = -1;
    if (!b->d->has_event) return;
    b->scope = b->part = "event";
    b->phase = R1_PHASE_EVENTS;
    r1_operand x = build_encode_row(b, &b->d->event, R1_SYM_EVENT, &n->event_num, &n->event_cat,
                                    &n->event_bins);
    r1_operand h = build_gelu(b, build_linear(b, "hidden", x, b->d->event.hidden, 1.4f));
    n->entry = build_act(b, R1_SYM_ENTRY, 1, 2 * b->d->d_memory);
    linear_to(b, "kv", h, build_all(b, n->entry), 1);
}

static r1_operand table_item(builder *b, const r1_item_desc *it, r1_item_io *io)
{
    r1_operand x = build_encode_row(b, &it->row, R1_SYM_SEQ, &io->num, &io->cat, &io->bins);
    return build_align(b, "mlp2", build_gelu(b, build_linear(b, "mlp1", x, it->row.hidden, 1.4f)),
                       -1);
}

/* ---- attention ------------------------------------------------------------------------------- */

/* First layer of the context factor. */
static r1_operand context_layer(builder *b, r1_operand context)
{
    return b->d->cawa_context ? build_linear(b, "cawa.context1", context, b->d->d_context, 1)
                              : (r1_operand){.t = -1};
}

/* Factor of CAWA from a context's first layer; m or a absent = switched off in the description. */
static r1_operand build_cawa(builder *b, r1_operand q, r1_operand context1, int16_t count,
                             uint32_t n_head, uint32_t length)
{
    r1_operand m = {.t = -1}, a = {.t = -1};
    if (b->d->cawa_context)
        m = build_linear(b, "cawa.context2", build_gelu(b, context1), n_head, 0.5f);
    if (b->d->cawa_length) {
        float start = 1 / logf(length > 2 ? (float)length : 2);
        a = build_all(b, build_weight(b, "cawa.length", 1, n_head, R1_INIT_CONST, start));
    }
    r1_operand y = build_all(b, build_like(b, q, q.cols));
    r1_call *c = build_call(b, R1_OP_CAWA_SCALE);
    c->v[R1_CAWA_SCALE_Q] = q;
    c->v[R1_CAWA_SCALE_CONTEXT] = m;
    c->v[R1_CAWA_SCALE_LENGTH] = a;
    c->v[R1_CAWA_SCALE_COUNT] = build_all(b, count);
    c->v[R1_CAWA_SCALE_Y] = y;
    c->i[R1_CAWA_SCALE_HEADS] = (int32_t)n_head;
    c->f[R1_CAWA_SCALE_BETA] = b->d->beta;
    c->f[R1_CAWA_SCALE_SCALE] = 1 / sqrtf((float)(q.cols / n_head));
    c->cawa = 1;
    return y;
}

/* Plain scaling, no factors. */
static r1_operand build_scale(builder *b, r1_operand q, uint32_t n_head)
{
    r1_operand y = build_all(b, build_like(b, q, q.cols));
    r1_call *c = build_call(b, R1_OP_CAWA_SCALE);
    c->v[R1_CAWA_SCALE_Q] = q;
    c->v[R1_CAWA_SCALE_Y] = y;
    c->i[R1_CAWA_SCALE_HEADS] = (int32_t)n_head;
    c->f[R1_CAWA_SCALE_SCALE] = 1 / sqrtf((float)(q.cols / n_head));
    return y;
}

static r1_call *build_attend(builder *b, r1_operand q, r1_operand k, r1_operand v, int16_t q_off,
                             int16_t k_off, uint32_t n_head, bool causal, r1_operand *out)
{
    *out = build_all(b, build_like(b, q, q.cols));
    r1_call *c = build_call(b, R1_OP_ATTEND);
    c->v[R1_ATTEND_Q] = q;
    c->v[R1_ATTEND_K] = k;
    c->v[R1_ATTEND_V] = v;
    c->v[R1_ATTEND_Q_OFF] = build_all(b, q_off);
    c->v[R1_ATTEND_K_OFF] = build_all(b, k_off);
    c->v[R1_ATTEND_Y] = *out;
    c->i[R1_ATTEND_HEADS] = (int32_t)n_head;
    c->i[R1_ATTEND_CAUSAL] = causal;
    return c;
}

/* A side of CAWA's key factor: both come from the normed tokens x. Absent where the description
 * has no key factor. */
static r1_operand build_factor_side(builder *b, const char *name, r1_operand x)
{
    uint32_t cols = b->d->n_head * b->d->cawa_rank;
    return cols ? build_linear(b, name, x, cols, 0.5f) : (r1_operand){.t = -1};
}

static r1_operand feed_forward(builder *b, r1_operand h, uint32_t d_ff)
{
    r1_operand x = build_gelu(b, build_linear(b, "ff1", build_norm(b, "norm_ff", h), d_ff, 1.4f));
    return build_add(b, h, build_linear(b, "ff2", x, h.cols, 0.7f));
}

/* ---- text ------------------------------------------------------------------------------------ */

static r1_operand text_block(builder *b, const r1_item_desc *it, const r1_item_io *io, r1_operand h)
{
    uint32_t d = it->hidden;
    r1_operand qkv = build_linear(b, "qkv", build_norm(b, "norm", h), 3 * d, 1), y;
    r1_operand q = build_scale(b, build_part_of(qkv.t, 0, d), it->n_head);
    build_attend(b, q, build_part_of(qkv.t, d, d), build_part_of(qkv.t, 2 * d, d), io->tok_off,
                 io->tok_off, it->n_head, false, &y);
    return feed_forward(b, build_add(b, h, build_linear(b, "out", y, d, 0.7f)), 2 * d);
}

static r1_operand build_text_item(builder *b, const r1_item_desc *it, r1_item_io *io)
{
    const char *scope = b->scope;
    char layer[72];
    io->token = build_matrix(b, R1_SPACE_INPUT, io->sym_b, 1, 2, R1_I32);
    io->tok_off = build_array(b, io->sym_a, 1, 1, R1_I32);
    int16_t table = build_weight(b, "tokens", it->n_vocab + it->n_token_max + 4, it->hidden,
                                 R1_INIT_NORMAL, 0.3f);
    int16_t first = build_frozen(b, "first", 3, 1, R1_INIT_DERIVED, 0);
    b->net->plan.tensor[first].dtype = R1_I32;
    b->net->plan.tensor[first].array = true;
    int16_t pair = build_act(b, io->sym_b, 1, 2 * it->hidden);
    r1_call *c = build_call(b, R1_OP_EMBED);
    c->v[R1_EMBED_ID] = build_all(b, io->token);
    c->v[R1_EMBED_TABLE] = build_all(b, table);
    c->v[R1_EMBED_FIRST] = build_all(b, first);
    c->v[R1_EMBED_Y] = build_all(b, pair);
    r1_operand h = build_linear(b, "join", build_all(b, pair), it->hidden, 1);
    for (uint32_t i = 0; i < it->n_layer; i++) {
        snprintf(layer, sizeof layer, "%.58s.%u", scope, i);
        b->scope = layer;
        h = text_block(b, it, io, h);
        b->scope = scope;
    }
    r1_operand mean = build_all(b, build_act(b, io->sym_a, 1, it->hidden)),
               last = build_norm(b, "norm_out", h);
    io->hidden = last.t;
    c = build_call(b, R1_OP_SEG_MEAN);
    c->v[R1_SEG_MEAN_X] = last;
    c->v[R1_SEG_MEAN_OFF] = build_all(b, io->tok_off);
    c->v[R1_SEG_MEAN_Y] = mean;
    return build_align(b, "align", mean, build_act(b, io->sym_row, 1, space_cols(b)));
}

/* ---- graph ----------------------------------------------------------------------------------- */

static r1_operand build_standard(builder *b, const char *name, int16_t in, uint32_t cols,
                                 uint16_t sym, int16_t *mean, int16_t *rstd)
{
    char n[40];
    snprintf(n, sizeof n, "%s_mean", name);
    *mean = build_frozen(b, n, 1, cols, R1_INIT_CONST, 0);
    snprintf(n, sizeof n, "%s_rstd", name);
    *rstd = build_frozen(b, n, 1, cols, R1_INIT_CONST, 1);
    r1_operand y = build_all(b, build_act(b, sym, 1, cols));
    r1_call *c = build_call(b, R1_OP_STANDARD);
    c->v[R1_STANDARD_X] = build_all(b, in);
    c->v[R1_STANDARD_MEAN] = build_all(b, *mean);
    c->v[R1_STANDARD_RSTD] = build_all(b, *rstd);
    c->v[R1_STANDARD_Y] = y;
    c->f[R1_STANDARD_CLIP] = 6;
    return y;
}

static r1_operand graph_layer(builder *b, const r1_item_desc *it, const r1_item_io *io,
                              r1_operand h, r1_operand e)
{
    uint32_t d = it->hidden;
    r1_operand hs = build_linear(b, "node", h, 2 * d, 1), es = build_linear(b, "edge", e, 2 * d, 1);
    int16_t joined = build_act(b, io->sym_a, 1, 3 * d);
    norm_to(b, "norm", h, build_part_of(joined, 0, d));
    r1_call *c = build_call(b, R1_OP_EDGE_MESSAGE);
    c->v[R1_EDGE_MESSAGE_H] = hs;
    c->v[R1_EDGE_MESSAGE_E] = es;
    c->v[R1_EDGE_MESSAGE_SRC] = build_all(b, io->src);
    c->v[R1_EDGE_MESSAGE_DST] = build_all(b, io->dst);
    c->v[R1_EDGE_MESSAGE_SCALE] = build_all(b, io->scale);
    c->v[R1_EDGE_MESSAGE_NODES] = build_all(b, io->off);
    c->v[R1_EDGE_MESSAGE_EDGES] = build_all(b, io->edge_off);
    c->v[R1_EDGE_MESSAGE_Y] = build_part_of(joined, d, 2 * d);
    return build_add(b, h, build_gelu(b, build_linear(b, "update", build_all(b, joined), d, 1)));
}

static r1_operand build_graph_item(builder *b, const r1_item_desc *it, r1_item_io *io)
{
    const char *scope = b->scope;
    uint32_t d = it->hidden, n_node = it->row.n_num;
    io->node = build_matrix(b, R1_SPACE_INPUT, io->sym_a, 1, n_node, R1_F32);
    io->edge = build_matrix(b, R1_SPACE_INPUT, io->sym_b, 1, it->n_edge_feature, R1_F32);
    io->src = build_array(b, io->sym_b, 1, 0, R1_I32);
    io->dst = build_array(b, io->sym_b, 1, 0, R1_I32);
    io->mark = build_array(b, io->sym_a, 1, 0, R1_I32);
    io->scale = build_matrix(b, R1_SPACE_INPUT, io->sym_a, 1, 2, R1_F32);
    io->off = build_array(b, R1_SYM_SEQ, 1, 1, R1_I32);
    io->edge_off = build_array(b, R1_SYM_SEQ, 1, 1, R1_I32);
    r1_operand e = build_standard(b, "edge", io->edge, it->n_edge_feature, io->sym_b,
                                  &io->edge_mean, &io->edge_rstd);
    r1_operand h = build_standard(b, "node", io->node, n_node, io->sym_a, &io->mean, &io->rstd);
    h = build_linear(b, "in", h, d, 1);
    for (uint32_t i = 0; i < it->n_layer; i++) {
        char layer[72];
        snprintf(layer, sizeof layer, "%.58s.%u", scope, i);
        b->scope = layer;
        h = graph_layer(b, it, io, h, e);
        b->scope = scope;
    }
    r1_operand pool = build_all(b, build_act(b, R1_SYM_SEQ, 1, 3 * d));
    r1_call *c = build_call(b, R1_OP_MARK_POOL);
    c->v[R1_MARK_POOL_H] = h;
    c->v[R1_MARK_POOL_MARK] = build_all(b, io->mark);
    c->v[R1_MARK_POOL_OFF] = build_all(b, io->off);
    c->v[R1_MARK_POOL_Y] = pool;
    return build_align(b, "mlp2", build_gelu(b, build_linear(b, "mlp1", pool, 2 * d, 1.4f)), -1);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static r1_operand build_memory_item(builder *b, const r1_item_desc *it, r1_item_io *io,
                                    int16_t sequence)
{
    const r1_desc *d = b->d;
    uint32_t dm = d->d_memory, p = b->net->n_position;
    io->index = build_array(b, io->sym_a, 1, 0, R1_I32);
    io->bucket = build_array(b, io->sym_a, 1, 0, R1_I32);
    io->log_weight = build_array(b, io->sym_a, 1, 0, R1_F32);
    io->ref_off = build_array(b, R1_SYM_SEQ, 1, 1, R1_I32);
    io->count = build_array(b, R1_SYM_SEQ, 1, 0, R1_I32);
    uint32_t wide = b->folded ? 0 : d->d_align; /* the token's part of the context */
    r1_operand token = {
        .t = sequence, .step = (uint16_t)p, .row0 = (uint32_t)it->query + 1, .cols = space_cols(b)};
    int16_t context = build_act(b, R1_SYM_SEQ, 1, wide + dm);
    if (!b->folded) norm_to(b, "norm", token, build_part_of(context, 0, wide));
    r1_operand k = build_part_of(b->net->entry, 0, dm), v = build_part_of(b->net->entry, dm, dm), y,
               q, first = {.t = -1};
    r1_call *c = build_call(b, R1_OP_SEG_MEAN);
    c->v[R1_SEG_MEAN_X] = v;
    c->v[R1_SEG_MEAN_INDEX] = build_all(b, io->index);
    c->v[R1_SEG_MEAN_OFF] = build_all(b, io->ref_off);
    c->v[R1_SEG_MEAN_Y] = build_part_of(context, wide, dm);
    if (b->folded) {
        int16_t both = tail_norm(b, "fold_asked.bias", token, asked_at(d), asked_cols(d)).t;
        q = build_part_of(both, 0, dm);
        if (d->cawa_context)
            first =
                build_add(b, build_part_of(both, dm, d->d_context),
                          linear_reader(b, "fold_context", build_all(b, context), d->d_context));
    } else {
        q = linear_reader(b, "query", build_part_of(context, 0, wide), dm);
        if (d->cawa_context)
            first = linear_reader(b, "cawa.context1", build_all(b, context), d->d_context);
    }
    q = build_cawa(b, q, first, io->count, d->n_head_memory, it->n_ref_max);
    int16_t bias = build_weight(b, "bucket", d->n_head_memory, it->n_bucket, R1_INIT_ZERO, 0);
    c = build_attend(b, q, k, v, b->net->seq_off, io->ref_off, d->n_head_memory, false, &y);
    c->v[R1_ATTEND_INDEX] = build_all(b, io->index);
    c->v[R1_ATTEND_BUCKET] = build_all(b, io->bucket);
    c->v[R1_ATTEND_BIAS] = build_all(b, bias);
    c->v[R1_ATTEND_LOG_WEIGHT] = build_all(b, io->log_weight);
    return build_align(b, "mlp2", build_gelu(b, build_linear(b, "mlp1", y, dm, 1.4f)), -1);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void build_place(builder *b, r1_operand x, int16_t map, int16_t sequence, uint32_t position)
{
    int16_t absent = build_weight(b, "absent", 1, space_cols(b), R1_INIT_NORMAL, 0.3f);
    r1_call *c = build_call(b, R1_OP_PLACE);
    c->v[R1_PLACE_X] = x;
    if (map >= 0) c->v[R1_PLACE_MAP] = build_all(b, map);
    c->v[R1_PLACE_ABSENT] = build_all(b, absent);
    c->v[R1_PLACE_Y] = (r1_operand){.t = sequence,
                                    .step = (uint16_t)b->net->n_position,
                                    .row0 = position,
                                    .cols = space_cols(b)};
}

static void build_item(builder *b, uint32_t i, int16_t sequence)
{
    const r1_item_desc *it = &b->d->item[i];
    r1_item_io *io = &b->net->item[i];
    char scope[80];
    snprintf(scope, sizeof scope, "item.%s", it->name);
    b->scope = scope;
    b->part = it->name;
    b->phase = it->kind == R1_ITEM_TEXT ? R1_PHASE_TEXTS : R1_PHASE_SAMPLES;
    b->asked = false;
    for (uint32_t k = 0; k < b->d->n_item; k++)
        b->asked |= b->d->item[k].kind == R1_ITEM_MEMORY && b->d->item[k].query == (int)i;
    r1_operand y;
    if (it->kind == R1_ITEM_TABLE)
        y = table_item(b, it, io);
    else if (it->kind == R1_ITEM_TEXT)
        y = build_text_item(b, it, io);
    else if (it->kind == R1_ITEM_GRAPH)
        y = build_graph_item(b, it, io);
    else
        y = build_memory_item(b, it, io, sequence);
    io->aligned = y.t;
    io->map = build_array(b, R1_SYM_SEQ, 1, 0, R1_I32);
    b->phase = R1_PHASE_SAMPLES;
    build_place(b, y, io->map, sequence, i + 1);
}

static r1_operand cross_modal(builder *b, int16_t sequence)
{
    const r1_desc *d = b->d;
    uint32_t w = d->d_model;
    b->scope = b->part = "cross";
    r1_operand y,
        pqkv = b->folded
                   ? tail_norm(b, "in.bias", build_all(b, sequence), 0, 4 * w)
                   : linear_reader(b, "in", build_norm(b, "norm", build_all(b, sequence)), 4 * w);
    r1_operand q = build_scale(b, build_part_of(pqkv.t, w, w), d->n_head_cross);
    build_attend(b, q, build_part_of(pqkv.t, 2 * w, w), build_part_of(pqkv.t, 3 * w, w),
                 b->net->trunk_off, b->net->trunk_off, d->n_head_cross, true, &y);
    r1_operand h = build_add(b, build_part_of(pqkv.t, 0, w), build_linear(b, "out", y, w, 0.7f));
    return build_add(
        b, h,
        build_all(b, build_weight(b, "position", b->net->n_position, w, R1_INIT_NORMAL, 0.1f)));
}

static r1_operand build_block(builder *b, uint32_t index, r1_operand h)
{
    const r1_desc *d = b->d;
    char scope[32];
    uint32_t w = d->d_model;
    snprintf(scope, sizeof scope, "block.%u", index);
    b->scope = scope;
    b->part = "trunk";
    int16_t context = build_like(b, h, 2 * w);
    r1_operand x = build_part_of(context, 0, w), y;
    norm_to(b, "norm", h, x);
    r1_call *c = build_call(b, R1_OP_CAUSAL_MEAN);
    c->v[R1_CAUSAL_MEAN_X] = x;
    c->v[R1_CAUSAL_MEAN_OFF] = build_all(b, b->net->trunk_off);
    c->v[R1_CAUSAL_MEAN_Y] = build_part_of(context, w, w);
    r1_operand qkv = build_linear(b, "qkv", x, 3 * w, 1);
    r1_operand q =
        build_cawa(b, build_part_of(qkv.t, 0, w), context_layer(b, build_all(b, context)),
                   b->net->trunk_count, d->n_head, b->net->n_position);
    r1_operand asks = build_factor_side(b, "cawa.query", x),
               answers = build_factor_side(b, "cawa.key", x);
    c = build_attend(b, q, build_part_of(qkv.t, w, w), build_part_of(qkv.t, 2 * w, w),
                     b->net->trunk_off, b->net->trunk_off, d->n_head, true, &y);
    c->v[R1_ATTEND_FACTOR_Q] = asks;
    c->v[R1_ATTEND_FACTOR_K] = answers;
    c->f[R1_ATTEND_BETA] = d->beta;
    c->cawa = 1;
    h = build_add(b, h, build_linear(b, "out", y, w, 0.7f));
    return feed_forward(b, h, d->d_ff);
}

/* ---- pretraining's heads --------------------------------------------------------------------- */

uint32_t r1_pretext_classes(const r1_row_desc *r, uint32_t column)
{
    if (column < r->n_num) return r->n_bin;
    uint32_t n = (uint32_t)r->cat[column - r->n_num].n;
    return n <= R1_PRETEXT_VALUES ? n + 1 : 0;
}

/* Masked tokens, out of the text alone: only the rows picked go through the head. */
static void token_head(builder *b, const r1_item_desc *it, r1_item_io *io)
{
    b->phase = R1_PHASE_TEXTS;
    io->pick = build_array(b, io->sym_pick, 1, 0, R1_I32);
    io->pick_off = build_array(b, io->sym_pick, 1, 1, R1_I32);
    r1_operand picked = build_all(b, build_act(b, io->sym_pick, 1, it->hidden));
    r1_call *c = build_call(b, R1_OP_SEG_MEAN);
    c->v[R1_SEG_MEAN_X] = build_all(b, io->hidden);
    c->v[R1_SEG_MEAN_INDEX] = build_all(b, io->pick);
    c->v[R1_SEG_MEAN_OFF] = build_all(b, io->pick_off);
    c->v[R1_SEG_MEAN_Y] = picked;
    io->tokens = build_linear(b, "tokens", picked, it->n_vocab, 0.3f).t;
}

/* Masked columns out of the whole sample (the trunk's last position); an item's row in the
 * common space out of the items before it. */
static void pretext_heads(builder *b, r1_operand trunk)
{
    const r1_desc *d = b->d;
    char scope[80];
    b->part = "pretrain";
    for (uint32_t i = 0; i < d->n_item; i++) {
        r1_item_io *io = &b->net->item[i];
        uint32_t n = 0, position = b->net->n_position;
        snprintf(scope, sizeof scope, "pretrain.%s", d->item[i].name);
        b->scope = scope;
        if (d->item[i].kind == R1_ITEM_TEXT) token_head(b, &d->item[i], io);
        b->phase = R1_PHASE_SAMPLES;
        r1_operand last = trunk, before = trunk;
        last.step = before.step = (uint16_t)position;
        last.row0 = position - 1;
        before.row0 = i;
        for (uint32_t c = 0;
             d->item[i].kind == R1_ITEM_TABLE && c < d->item[i].row.n_num + d->item[i].row.n_cat;
             c++)
            n += r1_pretext_classes(&d->item[i].row, c);
        if (n) io->columns = build_linear(b, "columns", last, n, 0.3f).t;
        if (i) io->next = build_linear(b, "next", before, d->d_align, 1).t;
    }
    b->scope = "pretrain";
    b->net->temperature =
        build_weight(b, "temperature", d->n_item, d->n_item, R1_INIT_CONST, logf(1 / 0.07f));
}

static void build_symbols(r1_net *net, const r1_desc *d, bool pretrain)
{
    uint16_t next = R1_SYM_ITEMS;
    for (uint32_t i = 0; i < d->n_item; i++) {
        memset(&net->item[i], 0xff, sizeof net->item[i]);
        net->item[i].sym_a = net->item[i].sym_b = net->item[i].sym_row = net->item[i].sym_pick =
            R1_SYM_SEQ;
        if (d->item[i].kind == R1_ITEM_TABLE) continue;
        net->item[i].sym_a = next++;
        if (d->item[i].kind != R1_ITEM_MEMORY) net->item[i].sym_b = next++;
        if (d->item[i].kind == R1_ITEM_TEXT) net->item[i].sym_row = next++;
        if (d->item[i].kind == R1_ITEM_TEXT && pretrain) net->item[i].sym_pick = next++;
    }
    net->plan.n_sym = next;
}

_Static_assert(R1_SYM_ITEMS + 4 * R1_ITEMS_MAX <= 2 * R1_SYMBOLS_MAX, "symbol table");

static void build_build(builder *b)
{
    r1_net *net = b->net;
    net->seq_off = build_array(b, R1_SYM_SEQ, 1, 1, R1_I32);
    net->trunk_off = build_array(b, R1_SYM_SEQ, 1, 1, R1_I32);
    net->trunk_count = build_array(b, R1_SYM_SEQ, net->n_position, 0, R1_I32);
    build_event(b);
    int16_t sequence = build_act(b, R1_SYM_SEQ, net->n_position, space_cols(b));
    b->scope = b->part = "prior";
    b->phase = R1_PHASE_SAMPLES;
    build_place(b, (r1_operand){.t = -1}, -1, sequence, 0);
    for (uint32_t i = 0; i < b->d->n_item; i++) build_item(b, i, sequence);
    r1_operand h = cross_modal(b, sequence);
    for (uint32_t i = 0; i < b->d->n_layer; i++) h = build_block(b, i, h);
    b->scope = b->part = "head";
    r1_operand trunk = build_norm(b, "norm", h);
    net->logits = build_linear(b, "out", trunk, b->d->n_output, 0.3f).t;
    net->temperature = -1;
    if (b->pretrain) pretext_heads(b, trunk);
}

bool r1_net_int8(int64_t rows, int64_t cols)
{
    return rows >= INT8_SIDE_MIN && cols >= INT8_SIDE_MIN;
}

r1_status r1_net_build(r1_net *net, const r1_desc *d, uint32_t form, r1_err *err)
{
    memset(net, 0, sizeof *net);
    net->n_position = d->n_item + 1;
    net->plan.tensor = calloc(R1_TENSORS_MAX, sizeof *net->plan.tensor);
    net->plan.call = calloc(R1_CALLS_MAX, sizeof *net->plan.call);
    build_symbols(net, d, form & R1_NET_PRETRAIN);
    builder b = {.net = net,
                 .d = d,
                 .folded = form & R1_NET_FOLDED,
                 .steps = form & R1_NET_STEPS,
                 .pretrain = form & R1_NET_PRETRAIN};
    if (!net->plan.tensor || !net->plan.call || net->plan.n_sym > R1_SYMBOLS_MAX) {
        r1_net_free(net);
        R1_FAIL(err, R1_E_NOMEM, "plan: out of memory or more than %d symbols", R1_SYMBOLS_MAX);
    }
    build_build(&b);
    if (b.full) {
        r1_net_free(net);
        R1_FAIL(err, R1_E_NOMEM, "plan: more than %d tensors or %d calls", R1_TENSORS_MAX,
                R1_CALLS_MAX);
    }
    r1_plan_check(&net->plan);
    return R1_OK;
}

void r1_net_free(r1_net *net)
{
    free(net->plan.tensor);
    free(net->plan.call);
    net->plan.tensor = NULL;
    net->plan.call = NULL;
}

void r1_net_symbols(const r1_net *net, const r1_desc *d, uint32_t n, uint32_t n_event,
                    uint32_t *sym)
{
    memset(sym, 0, R1_SYMBOLS_MAX * sizeof *sym);
    sym[R1_SYM_ONE] = 1;
    sym[R1_SYM_SEQ] = n;
    sym[R1_SYM_EVENT] = sym[R1_SYM_ENTRY] = n_event;
    for (uint32_t i = 0; i < d->n_item; i++) {
        const r1_item_desc *it = &d->item[i];
        const r1_item_io *io = &net->item[i];
        if (it->kind == R1_ITEM_GRAPH) {
            sym[io->sym_a] = n * it->n_node_max;
            sym[io->sym_b] = n * it->n_edge_max;
        } else if (it->kind == R1_ITEM_MEMORY) {
            sym[io->sym_a] = n * it->n_ref_max;
            sym[R1_SYM_ENTRY] += n * it->n_ref_max;
        } else if (it->kind == R1_ITEM_TEXT) {
            sym[io->sym_a] = sym[io->sym_row] = n;
            sym[io->sym_b] = n * it->n_token_max;
            if (io->pick >= 0) sym[io->sym_pick] = n * it->n_token_max;
        }
    }
}

/* ---- first values ---------------------------------------------------------------------------- */

static void init_tensor(const r1_tensor *t, float *w, r1_rng *rng)
{
    size_t n = (size_t)t->mul * t->cols;
    for (size_t i = 0; i < n; i++) {
        if (t->init == R1_INIT_NORMAL)
            w[i] = (float)(r1_rng_normal(rng) * t->init_value);
        else if (t->init == R1_INIT_CONST)
            w[i] = t->init_value;
        else if (t->init == R1_INIT_RAMP)
            w[i] = (float)(i % t->cols) / (float)(t->cols - 1);
        else
            w[i] = 0;
    }
}

void r1_net_init(const r1_net *net, const r1_desc *d, float *weights, uint64_t seed)
{
    r1_rng rng;
    r1_rng_seed(&rng, seed);
    for (uint32_t i = 0; i < net->plan.n_tensor; i++) {
        const r1_tensor *t = &net->plan.tensor[i];
        if (t->space == R1_SPACE_WEIGHT && t->init != R1_INIT_DERIVED)
            init_tensor(t, weights + t->offset / sizeof(float), &rng);
    }
    r1_net_derive(net, d, weights);
}

/* First rows of a row's categorical columns. */
static void derive_row(const r1_row_desc *r, int32_t *first)
{
    for (uint32_t c = 0; c < r->n_cat; c++) first[c + 1] = first[c] + r->cat[c].n + 2;
}

void r1_net_derive(const r1_net *net, const r1_desc *d, float *weights)
{
    for (uint32_t k = 0; k < net->plan.n_call; k++) {
        const r1_call *c = &net->plan.call[k];
        if (c->op != R1_OP_EMBED) continue;
        void *at = (char *)weights + net->plan.tensor[c->v[R1_EMBED_FIRST].t].offset;
        int32_t *first = at;
        first[0] = 0;
        if (c->v[R1_EMBED_ID].t == net->event_cat) derive_row(&d->event, first);
        for (uint32_t i = 0; i < d->n_item; i++) {
            const r1_item_io *io = &net->item[i];
            if (c->v[R1_EMBED_ID].t == io->cat) derive_row(&d->item[i].row, first);
            if (c->v[R1_EMBED_ID].t == io->token) {
                first[1] = (int32_t)d->item[i].n_vocab + 2;
                first[2] = first[1] + (int32_t)d->item[i].n_token_max + 2;
            }
        }
    }
}
