/* SPDX-License-Identifier: Apache-2.0 */
/* med_eval_annotate.c - see med_eval_annotate.h. Owns the readers of the corpora's layouts. */
#include "eval/med_eval_annotate.h"

#include "ontology/med_slurp.h"
#include "print/med_put.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GOLD_MAX = 4096, PHENOTYPES_MAX = 4096 };

typedef struct {
    uint32_t start, end, term; /* code points */
    bool negated;
    bool answered; /* a mention has it; no other one can */
    bool hit;      /* and reads it rightly */
} gold;

typedef struct {
    gold g[GOLD_MAX];
    uint32_t n;
} gold_list;

typedef struct {
    const med_kb *kb;
    const med_lexicon *lex;
    bool show;
    bool polar; /* the corpus marks what is denied */
    med_eval_annotate_result *out;
    uint64_t tp_pred, n_pred, tp_gold, n_gold, doc_tp, doc_pred, doc_gold, neg_tp, neg_pred,
        neg_gold;
    int64_t us;
} tally;

static uint32_t code_points(const char *s, uint32_t n)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) k += ((unsigned char)s[i] & 0xc0) != 0x80;
    return k;
}

static void gold_add(tally *t, gold_list *l, long start, long end, med_field id, bool negated)
{
    char norm[32];
    if (l->n == GOLD_MAX || id.len >= sizeof norm) return;
    memcpy(norm, id.s, id.len);
    norm[id.len] = '\0';
    char *bar = strchr(norm, '_');
    if (bar) *bar = ':';
    uint32_t term = med_kb_term(t->kb, norm, id.len);
    if (term == MED_NONE || !(t->kb->term[term].flags & MED_TERM_PHENOTYPE)) {
        t->out->unknown_gold++;
        return;
    }
    l->g[l->n++] = (gold){(uint32_t)start, (uint32_t)end, term, negated, false, false};
}

/* "12\t24\ttext\tHP:1[\tNeg]" or "[12::24] HP_1 | text". */
static void gold_line(tally *t, gold_list *l, const char *line, size_t n)
{
    med_field f[6];
    char *end;
    if (n && line[0] == '[') {
        long a = strtol(line + 1, &end, 10),
             b = strncmp(end, "::", 2) == 0 ? strtol(end + 2, &end, 10) : -1;
        const char *hp = memmem(line, n, "HP", 2);
        if (b > a && hp && hp + 10 <= line + n) gold_add(t, l, a, b, (med_field){hp, 10}, false);
        return;
    }
    size_t got = med_split(line, n, '\t', f, R1_COUNT(f));
    if (got < 4) return;
    bool neg = got > 4 && f[4].len >= 3 && strncasecmp(f[4].s, "Neg", 3) == 0;
    gold_add(t, l, strtol(f[0].s, NULL, 10), strtol(f[1].s, NULL, 10), f[3], neg);
}

/* "T1\tHP_1 12 24[;30 34]\ttext" or a label with the id in a note line; ids elsewhere are
 * ignored. */
static void brat_line(tally *t, gold_list *l, const char *line, size_t n)
{
    med_field f[4];
    if (n < 2 || line[0] != 'T' || med_split(line, n, '\t', f, R1_COUNT(f)) < 2) return;
    const char *hp = memmem(f[1].s, f[1].len, "HP", 2), *blank = memchr(f[1].s, ' ', f[1].len);
    if (!hp || !blank || hp > blank) return;
    char *end;
    long a = strtol(blank, &end, 10), b = strtol(end, &end, 10);
    while (*end == ';') {
        strtol(end + 1, &end, 10);
        b = strtol(end, &end, 10);
    }
    gold_add(t, l, a, b, (med_field){hp, (size_t)(blank - hp)}, false);
}

static bool eval_annotate_seen(const uint32_t *v, uint32_t n, uint32_t x)
{
    for (uint32_t i = 0; i < n; i++)
        if (v[i] == x) return true;
    return false;
}

static void score_docs(tally *t, const gold_list *l, const med_notes *notes)
{
    static uint32_t want[GOLD_MAX], got[PHENOTYPES_MAX];
    uint32_t n_want = 0, n_got = 0, both = 0;
    for (uint32_t i = 0; i < l->n; i++)
        if (!l->g[i].negated && !eval_annotate_seen(want, n_want, l->g[i].term))
            want[n_want++] = l->g[i].term;
    for (uint32_t i = 0; i < notes->n_mention && n_got < PHENOTYPES_MAX; i++)
        if (!(t->polar && notes->mention[i].status == MED_ABSENT) && !notes->mention[i].lab &&
            !eval_annotate_seen(got, n_got, notes->mention[i].term))
            got[n_got++] = notes->mention[i].term;
    for (uint32_t i = 0; i < n_got; i++) both += eval_annotate_seen(want, n_want, got[i]);
    t->doc_gold += n_want;
    t->doc_pred += n_got;
    t->doc_tp += both;
}

static void eval_annotate_show(const tally *t, const char *kind, const char *doc, const char *s,
                               uint32_t a, uint32_t b, uint32_t term)
{
    if (t->show)
        med_put(stderr, MED_TABLE, "%s\t%s\t%.*s\t%s\t%s\n", kind, doc, (int)(b > a ? b - a : 0),
                s + a, med_str(t->kb, t->kb->term[term].id),
                med_str(t->kb, t->kb->term[term].name));
}

static uint32_t byte_of(const char *s, size_t len, uint32_t point)
{
    uint32_t i = 0;
    for (uint32_t k = 0; i < len; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80 && k++ == point) break;
    return i;
}

/* The gold span that a mention answers, NULL for none: of the same finding, overlapping, not yet
 * answered; one of the mention's own polarity first, then the one that ends first. */
static gold *gold_answered(gold_list *l, uint32_t term, uint32_t a, uint32_t b, bool absent)
{
    gold *best = NULL;
    for (uint32_t k = 0; k < l->n; k++) {
        gold *g = &l->g[k];
        if (g->answered || g->term != term || g->start >= b || g->end <= a) continue;
        bool same = g->negated == absent, best_same = best && best->negated == absent;
        if (!best || (same && !best_same) || (same == best_same && g->end < best->end)) best = g;
    }
    if (!best) return NULL;
    best->answered = true;
    best->hit = !absent || best->negated;
    return best;
}

static r1_status score_text(tally *t, const char *doc, const char *text, size_t len, gold_list *l,
                            r1_err *err)
{
    med_notes notes;
    int64_t t0 = r1_mono_us();
    R1_TRY(med_notes_read(&notes, t->lex, t->kb, doc, text, len, err));
    t->us += r1_mono_us() - t0;
    t->out->n_word += notes.n_word;
    t->out->docs++;
    for (uint32_t i = 0; i < notes.n_mention; i++) {
        const med_mention *m = &notes.mention[i];
        if (m->lab) continue;
        uint32_t a = code_points(text, m->start), b = code_points(text, m->end);
        bool absent = t->polar && m->status == MED_ABSENT;
        const gold *g = gold_answered(l, m->term, a, b, absent);
        bool negated = g && g->negated, right = g && !g->negated;
        t->neg_tp += absent && negated;
        t->neg_pred += absent && (negated || right);
        if (absent && right) eval_annotate_show(t, "denied", doc, text, m->start, m->end, m->term);
        if (!absent && negated)
            eval_annotate_show(t, "affirmed", doc, text, m->start, m->end, m->term);
        if (absent || negated) continue;
        t->n_pred++;
        t->tp_pred += right;
        if (!right) eval_annotate_show(t, "wrong", doc, text, m->start, m->end, m->term);
    }
    for (uint32_t k = 0; k < l->n; k++) {
        t->neg_gold += l->g[k].negated;
        if (l->g[k].negated && !l->g[k].hit)
            eval_annotate_show(t, "unseen", doc, text, byte_of(text, len, l->g[k].start),
                               byte_of(text, len, l->g[k].end), l->g[k].term);
        if (l->g[k].negated) continue;
        t->n_gold++;
        t->tp_gold += l->g[k].hit;
        if (!l->g[k].hit)
            eval_annotate_show(t, "missed", doc, text, byte_of(text, len, l->g[k].start),
                               byte_of(text, len, l->g[k].end), l->g[k].term);
    }
    score_docs(t, l, &notes);
    med_notes_free(&notes);
    return R1_OK;
}

static r1_status score_file(tally *t, const char *doc, const char *text_path, const char *ann_path,
                            bool brat, r1_err *err)
{
    static gold_list l;
    char *text = NULL, *ann = NULL;
    size_t n_text = 0, n_ann = 0, n;
    const char *line;
    l.n = 0;
    R1_TRY(med_slurp(ann_path, MED_RECORD_BYTES_MAX, &ann, &n_ann, err));
    med_lines lines = {ann, ann + n_ann, 0};
    while (med_lines_next(&lines, &line, &n)) (brat ? brat_line : gold_line)(t, &l, line, n);
    free(ann);
    R1_TRY(med_slurp(text_path, MED_RECORD_BYTES_MAX, &text, &n_text, err));
    r1_status st = score_text(t, doc, text, n_text, &l, err);
    free(text);
    return st;
}

static int eval_annotate_by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static size_t names_in(const char *dir, const char *suffix, char **name, size_t max)
{
    DIR *d = opendir(dir);
    size_t n = 0, tail = strlen(suffix);
    for (struct dirent *e; d && n < max && (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name);
        if (e->d_name[0] == '.' || len < tail || strcmp(e->d_name + len - tail, suffix) != 0)
            continue;
        if ((name[n] = strdup(e->d_name)) != NULL) n++;
    }
    if (d) closedir(d);
    if (n) qsort(name, n, sizeof *name, eval_annotate_by_name);
    return n;
}

static r1_status score_folder(tally *t, const char *path, bool brat, r1_err *err)
{
    static const char *const ann_name[] = {"ann", "Annotations", "annotations"},
                             *const text_name[] = {"corpus", "Text", "text"};
    static char *name[20000];
    char ann[4096], text[4096], a[8400], b[8400];
    snprintf(ann, sizeof ann, "%s", path);
    snprintf(text, sizeof text, "%s", path);
    size_t n = brat ? names_in(path, ".ann", name, R1_COUNT(name)) : 0;
    for (size_t i = 0; i < 3 && !brat && !n; i++) {
        snprintf(ann, sizeof ann, "%s/%s", path, ann_name[i]);
        n = names_in(ann, "", name, R1_COUNT(name));
        snprintf(text, sizeof text, "%s/%s", path, text_name[i]);
    }
    if (n == 0)
        R1_FAIL(err, R1_E_NOT_FOUND, "%s: no annotations (expected %s)", path,
                brat ? "*.ann" : "the folders ann and corpus");
    r1_status st = R1_OK;
    for (size_t i = 0; i < n; i++) {
        snprintf(a, sizeof a, "%s/%s", ann, name[i]);
        if (brat) name[i][strlen(name[i]) - 4] = '\0';
        snprintf(b, sizeof b, "%s/%s%s", text, name[i], brat ? ".txt" : "");
        if (st == R1_OK) st = score_file(t, name[i], b, a, brat, err);
        free(name[i]);
    }
    return st;
}

/* Rows of one text stand together: StringID, ParticipantCount, Text, Term, Negated, Spans. */
static r1_status score_table(tally *t, const char *path, r1_err *err)
{
    static gold_list l;
    char *data = NULL, doc[80] = "";
    size_t len = 0, n;
    const char *line;
    med_field text = {NULL, 0};
    R1_TRY(med_slurp(path, (size_t)64 << 20, &data, &len, err));
    med_lines lines = {data, data + len, 0};
    r1_status st = R1_OK;
    l.n = 0;
    while (st == R1_OK && med_lines_next(&lines, &line, &n)) {
        med_field f[7];
        if (lines.number == 1 || n == 0) continue;
        if (med_split(line, n, '\t', f, R1_COUNT(f)) != 6) {
            st = r1_err_set(err, R1_E_FORMAT, __FILE__, __LINE__, "%s:%lld: expected 6 columns",
                            path, (long long)lines.number);
            break;
        }
        if (strlen(doc) != f[0].len || memcmp(doc, f[0].s, f[0].len) != 0) {
            if (text.s) st = score_text(t, doc, text.s, text.len, &l, err);
            snprintf(doc, sizeof doc, "%.*s", (int)f[0].len, f[0].s);
            text = f[2];
            l.n = 0;
        }
        if (f[3].len < 10) continue;
        char *end = NULL;
        long a = strtol(f[5].s, &end, 10), b = *end == '-' ? strtol(end + 1, &end, 10) : a;
        for (const char *p = end; p && *p == ',';) {
            strtol(p + 1, &end, 10);
            b = *end == '-' ? strtol(end + 1, &end, 10) : b;
            p = end;
        }
        gold_add(t, &l, a, b, f[3], f[4].len == 1 && f[4].s[0] == 'X');
    }
    if (st == R1_OK && text.s) st = score_text(t, doc, text.s, text.len, &l, err);
    free(data);
    return st;
}

static double eval_annotate_ratio(uint64_t a, uint64_t b) { return b ? (double)a / (double)b : 0; }
static double eval_annotate_harmonic(double p, double r)
{
    return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

r1_status med_eval_annotate(const char *format, const char *path, const med_kb *kb,
                            const med_lexicon *lex, bool print, med_eval_annotate_result *out,
                            r1_err *err)
{
    memset(out, 0, sizeof *out);
    tally t = {.kb = kb, .lex = lex, .show = print, .out = out};
    t.polar = strcmp(format, "gsc") != 0;
    bool table = strcmp(format, "bc8t3") == 0;
    R1_TRY(table ? score_table(&t, path, err)
                 : score_folder(&t, path, strcmp(format, "brat") == 0, err));
    out->gold = (uint32_t)t.n_gold;
    out->predicted = (uint32_t)t.n_pred;
    out->precision = eval_annotate_ratio(t.tp_pred, t.n_pred);
    out->recall = eval_annotate_ratio(t.tp_gold, t.n_gold);
    out->f1 = eval_annotate_harmonic(out->precision, out->recall);
    out->doc_f1 = eval_annotate_harmonic(eval_annotate_ratio(t.doc_tp, t.doc_pred),
                                         eval_annotate_ratio(t.doc_tp, t.doc_gold));
    out->negation_f1 = eval_annotate_harmonic(eval_annotate_ratio(t.neg_tp, t.neg_pred),
                                              eval_annotate_ratio(t.neg_tp, t.neg_gold));
    out->words_per_s = t.us ? out->n_word / ((double)t.us / 1e6) : 0;
    return R1_OK;
}
