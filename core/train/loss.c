/* SPDX-License-Identifier: Apache-2.0 */
/* loss.c - cross-entropy of binary and class heads, listwise softmax of rank heads (Cao et al.
 * 2007), all in double. */
#include "train/loss.h"

#include <math.h>
#include <string.h>

typedef struct {
    const r1_desc *d;
    const r1_sample *s;
    size_t n, positions;
    const float *logits;
    float *grad;
    uint32_t h;
    double total; /* of the head in hand */
} job;

static double weight_of(const r1_sample *s) { return s->weight > 0 ? (double)s->weight : 1; }
static size_t loss_place(const job *j, size_t i, size_t p)
{
    return (i * j->positions + p) * j->d->n_output + j->d->head[j->h].output;
}
static bool loss_labelled(const job *j, size_t i) { return !isnan(j->s[i].label[j->h]); }

static double loss_binary(const job *j, size_t i, size_t p, double scale)
{
    double x = j->logits[loss_place(j, i, p)], y = j->s[i].label[j->h] > 0.5f, e = exp(-fabs(x));
    if (j->grad)
        j->grad[loss_place(j, i, p)] += (float)(scale * ((x >= 0 ? 1 / (1 + e) : e / (1 + e)) - y));
    return scale * (fmax(x, 0) - x * y + log1p(e));
}

static double loss_class(const job *j, size_t i, size_t p, double scale)
{
    uint32_t n = j->d->head[j->h].n, y = (uint32_t)fmaxf(j->s[i].label[j->h], 0);
    const float *x = j->logits + loss_place(j, i, p);
    double top = -INFINITY, sum = 0;
    if (y >= n) y = n - 1;
    for (uint32_t k = 0; k < n; k++) top = fmax(top, x[k]);
    for (uint32_t k = 0; k < n; k++) sum += exp(x[k] - top);
    for (uint32_t k = 0; j->grad && k < n; k++)
        j->grad[loss_place(j, i, p) + k] += (float)(scale * (exp(x[k] - top) / sum - (k == y)));
    return scale * (top + log(sum) - x[y]);
}

/* Samples first..last-1 are one group; targets are labels over their sum. */
static double loss_listwise(const job *j, size_t first, size_t last, double label_sum, size_t p,
                            double scale)
{
    double top = -INFINITY, sum = 0, loss = 0;
    for (size_t i = first; i < last; i++) top = fmax(top, j->logits[loss_place(j, i, p)]);
    for (size_t i = first; i < last; i++) sum += exp(j->logits[loss_place(j, i, p)] - top);
    for (size_t i = first; i < last; i++) {
        double x = j->logits[loss_place(j, i, p)] - top,
               t = fmax(j->s[i].label[j->h], 0) / label_sum;
        if (j->grad) j->grad[loss_place(j, i, p)] += (float)(scale * (exp(x) / sum - t));
        loss += t * (log(sum) - x);
    }
    return scale * loss;
}

/* Scale of position p: the final one counts 1, the others share step_loss. */
static double loss_share(const job *j, size_t p)
{
    return p + 1 == j->positions ? 1 : (double)j->d->step_loss / (double)(j->positions - 1);
}

static double pointwise_total(const job *j)
{
    double total = 0;
    for (size_t i = 0; i < j->n; i++) total += loss_labelled(j, i) ? weight_of(&j->s[i]) : 0;
    return total;
}

static double loss_pointwise(const job *j)
{
    double loss = 0;
    for (size_t i = 0; i < j->n; i++) {
        if (!loss_labelled(j, i)) continue;
        for (size_t p = 0; p < j->positions; p++) {
            double scale = loss_share(j, p) * weight_of(&j->s[i]) / j->total;
            double l = j->d->head[j->h].kind == R1_HEAD_BINARY ? loss_binary(j, i, p, scale)
                                                               : loss_class(j, i, p, scale);
            if (p + 1 == j->positions) loss += l;
        }
    }
    return loss;
}

static size_t group_end(const job *j, size_t i)
{
    size_t to = i + 1;
    while (to < j->n && j->s[i].group && j->s[to].group == j->s[i].group) to++;
    return to;
}

static double label_sum(const job *j, size_t from, size_t to)
{
    double sum = 0;
    for (size_t i = from; i < to; i++)
        sum += loss_labelled(j, i) ? fmax(j->s[i].label[j->h], 0) : NAN;
    return sum > 0 ? sum : 0;
}

static double ranked_total(const job *j)
{
    double total = 0;
    for (size_t i = 0, to; i < j->n; i = to) {
        to = group_end(j, i);
        if (label_sum(j, i, to) > 0) total += weight_of(&j->s[i]);
    }
    return total;
}

static double loss_ranked(const job *j)
{
    double loss = 0, sum;
    for (size_t i = 0, to; i < j->n; i = to) {
        to = group_end(j, i);
        if ((sum = label_sum(j, i, to)) <= 0) continue;
        for (size_t p = 0; p < j->positions; p++) {
            double l =
                loss_listwise(j, i, to, sum, p, loss_share(j, p) * weight_of(&j->s[i]) / j->total);
            if (p + 1 == j->positions) loss += l;
        }
    }
    return loss;
}

static bool loss_ranks(const job *j) { return j->d->head[j->h].kind == R1_HEAD_RANK; }

r1_loss_total r1_loss_weigh(const r1_desc *d, const r1_sample *sample, size_t n)
{
    r1_loss_total total = {{0}};
    job j = {.d = d, .s = sample, .n = n};
    for (j.h = 0; j.h < d->n_headc; j.h++)
        total.head[j.h] = loss_ranks(&j) ? ranked_total(&j) : pointwise_total(&j);
    return total;
}

double r1_loss(const r1_desc *d, uint32_t n_position, const r1_sample *sample, size_t n,
               const r1_loss_total *total, const float *logits, float *grad)
{
    job j = {.d = d, .s = sample, .n = n, .positions = n_position, .logits = logits, .grad = grad};
    double loss = 0;
    if (grad) memset(grad, 0, n * n_position * d->n_output * sizeof *grad);
    for (j.h = 0; j.h < d->n_headc; j.h++) {
        j.total = total->head[j.h];
        loss += loss_ranks(&j) ? loss_ranked(&j) : loss_pointwise(&j);
    }
    return loss;
}
