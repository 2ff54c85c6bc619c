/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rule_run.c - runs the program of a condition. */
#include "decide/rule_expr.h"
#include "r1_assert.h"

#include <math.h>
#include <string.h>

static bool run_holds(rule_relation relation, double x, double y)
{
    switch (relation) {
    case RULE_EQUAL: return x == y;
    case RULE_DIFFERENT: return x != y;
    case RULE_AT_MOST: return x <= y;
    case RULE_AT_LEAST: return x >= y;
    case RULE_BELOW: return x < y;
    default: return x > y;
    }
}

static bool run_in_currency(const rule_step *step, const fraud_subject *s)
{
    return !*step->currency || !strcmp(step->currency, s->payment->currency);
}

static bool run_compare(const rule_step *step, const fraud_subject *s, double x, double y)
{
    return isfinite(x) && isfinite(y) && run_in_currency(step, s) &&
           run_holds((rule_relation)step->relation, x, y);
}

static bool run_in_values(const rule_program *p, const rule_step *step, const fraud_subject *s,
                          double x)
{
    bool found = false;
    for (size_t i = 0; i < step->n; i++) found |= x == p->number[step->first + i];
    return found && run_in_currency(step, s);
}

static bool run_on_list(const rule_step *step, const fraud_subject *s, rule_hit *hit)
{
    const fraud_list_entry *e =
        fraud_account_list_find(step->list, step->of.field->text(s), s->payment->ts);
    if (e && hit) *hit = (rule_hit){step->list, e};
    return e != NULL;
}

static bool run_text(const rule_program *p, const rule_step *step, const fraud_subject *s)
{
    const rule_field *f = step->of.field;
    const char *text = p->text[step->first];
    if (step->op == RULE_OP_CONTAINS) return strstr(f->text(s), text) != NULL;
    if (step->op == RULE_OP_BEGINS) return !strncmp(f->text(s), text, strlen(text));
    for (size_t i = 0; i < step->n; i++)
        if (f->is(s, p->text[step->first + i])) return true;
    return false;
}

/* Takes two numbers off the stack and gives one. */
static double run_two(const rule_step *step, const fraud_subject *s, double x, double y)
{
    switch ((rule_op)step->op) {
    case RULE_OP_ADD: return x + y;
    case RULE_OP_SUBTRACT: return x - y;
    case RULE_OP_MULTIPLY: return x * y;
    case RULE_OP_DIVIDE: return x / y;
    default: return run_compare(step, s, x, y);
    }
}

static double run_push(const rule_program *p, const rule_step *step, const fraud_subject *s)
{
    switch ((rule_op)step->op) {
    case RULE_OP_NUMBER: return step->of.number;
    case RULE_OP_FIELD: return step->of.field->number(s);
    case RULE_OP_CALL: return step->of.function->number(s, &step->call);
    default: return run_text(p, step, s);
    }
}

bool rule_program_run(const rule_program *p, const fraud_subject *s, rule_hit *hit)
{
    double stack[RULE_STACK_MAX];
    size_t n = 0;
    for (size_t i = 0; i < p->n_step; i++) {
        const rule_step *step = &p->step[i];
        switch ((rule_op)step->op) {
        case RULE_OP_NUMBER:
        case RULE_OP_FIELD:
        case RULE_OP_CALL:
        case RULE_OP_IS_ANY:
        case RULE_OP_CONTAINS:
        case RULE_OP_BEGINS: stack[n++] = run_push(p, step, s); break;
        case RULE_OP_ON_LIST: stack[n++] = run_on_list(step, s, hit); break;
        case RULE_OP_NEGATE: stack[n - 1] = -stack[n - 1]; break;
        case RULE_OP_NOT: stack[n - 1] = stack[n - 1] == 0; break;
        case RULE_OP_IN_VALUES: stack[n - 1] = run_in_values(p, step, s, stack[n - 1]); break;
        case RULE_OP_IN_RANGE:
            n -= 2;
            stack[n - 1] = stack[n - 1] >= stack[n] && stack[n - 1] <= stack[n + 1] &&
                           run_in_currency(step, s);
            break;
        case RULE_OP_AND:
        case RULE_OP_OR:
            if ((stack[n - 1] != 0) == (step->op == RULE_OP_OR))
                i = (size_t)step->n - 1;
            else
                n--;
            break;
        default: n--; stack[n - 1] = run_two(step, s, stack[n - 1], stack[n]);
        }
    }
    R1_ASSERT(n == 1, "a rule left %zu values", n);
    return stack[0] != 0;
}
