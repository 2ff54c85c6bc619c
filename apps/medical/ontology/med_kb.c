/* SPDX-License-Identifier: Apache-2.0 */
/* med_kb.c - opens, checks and reads a knowledge base. Owns the mapping; building one is
 * med_kb_finish.c's work. A file is not trusted: sizes first, then the checksum, then every
 * index. */
#include "ontology/med_kb.h"

#include "ontology/med_disease_id.h"
#include "ontology/med_kb_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t element_size[SEC_COUNT] = {[SEC_STRINGS] = 1,
                                                 [SEC_TERM] = sizeof(med_term),
                                                 [SEC_PARENT] = 4,
                                                 [SEC_ANCESTOR] = 4,
                                                 [SEC_SYNONYM] = sizeof(med_synonym),
                                                 [SEC_TERM_ID] = sizeof(med_id),
                                                 [SEC_DISEASE] = sizeof(med_disease),
                                                 [SEC_LIST] = 4,
                                                 [SEC_ROW] = sizeof(med_row),
                                                 [SEC_PROFILE] = sizeof(med_profile),
                                                 [SEC_DISEASE_ID] = sizeof(med_id),
                                                 [SEC_SOURCE] = sizeof(med_source),
                                                 [SEC_PMID] = 4,
                                                 [SEC_OBSOLETE] = sizeof(med_obsolete),
                                                 [SEC_LOSS] = sizeof(med_source_loss),
                                                 [SEC_FACT] = sizeof(med_fact),
                                                 [SEC_FAMILY] = 4};

/* ---- checks ---------------------------------------------------------------------------------- */

static r1_status kb_check_header(const char *what, const char *b, size_t bytes, r1_err *err)
{
    const med_kb_header *h = (const med_kb_header *)(const void *)b;
    if (bytes < sizeof *h || memcmp(h->magic, MED_KB_MAGIC, 8) != 0)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: not a knowledge base of R1 (make one with `r1-medical ontology build`)", what);
    if (h->version != MED_KB_VERSION)
        R1_FAIL(err, R1_E_FORMAT, "%s: format version %u, this program reads %u; build it again",
                what, h->version, MED_KB_VERSION);
    if (h->bytes != bytes)
        R1_FAIL(err, R1_E_FORMAT, "%s: %zu bytes long, its header says %llu: truncated or damaged",
                what, bytes, (unsigned long long)h->bytes);
    if ((h->n_section != SEC_COUNT && h->n_section != SEC_OBSOLETE && h->n_section != SEC_LOSS) ||
        bytes < sizeof *h + h->n_section * sizeof(med_kb_section))
        R1_FAIL(err, R1_E_FORMAT, "%s: %u sections, expected %d, %d or %d", what, h->n_section,
                SEC_OBSOLETE, SEC_LOSS, SEC_COUNT);
    uint64_t sum = r1_hash64(b + sizeof *h, bytes - sizeof *h, MED_KB_VERSION);
    if (sum != h->checksum)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: checksum %016llx, its header says %016llx: damaged, build it again", what,
                (unsigned long long)sum, (unsigned long long)h->checksum);
    return R1_OK;
}

static r1_status check_sections(const char *what, const char *b, size_t bytes, r1_err *err)
{
    const med_kb_section *s = (const med_kb_section *)(const void *)(b + sizeof(med_kb_header));
    uint32_t n = ((const med_kb_header *)(const void *)b)->n_section;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t size;
        bool bad = s[i].tag != i || s[i].size != element_size[i] || s[i].offset % 8 != 0 ||
                   s[i].count > UINT32_MAX - 1;
        if (bad || __builtin_mul_overflow(s[i].count, (uint64_t)s[i].size, &size) ||
            s[i].offset > bytes || size > bytes - s[i].offset)
            R1_FAIL(err, R1_E_FORMAT, "%s: section %u does not fit the file", what, i);
    }
    if (s[SEC_STRINGS].count == 0 || b[s[SEC_STRINGS].offset + s[SEC_STRINGS].count - 1] != '\0')
        R1_FAIL(err, R1_E_FORMAT, "%s: its strings do not end", what);
    return R1_OK;
}

static bool span_ok(uint32_t at, uint32_t n, uint32_t total)
{
    return at <= total && n <= total - at;
}

static bool kb_below(const uint32_t *v, uint32_t n, uint32_t limit)
{
    for (uint32_t i = 0; i < n; i++)
        if (v[i] >= limit) return false;
    return true;
}

static bool terms_ok(const med_kb *k)
{
    for (uint32_t i = 0; i < k->n_term; i++) {
        const med_term *t = &k->term[i];
        if (t->id >= k->n_string || t->name >= k->n_string || t->definition >= k->n_string ||
            !span_ok(t->parent_at, t->n_parent, k->n_parent) ||
            !span_ok(t->ancestor_at, t->n_ancestor, k->n_ancestor) ||
            !span_ok(t->synonym_at, t->n_synonym, k->n_synonym))
            return false;
    }
    for (uint32_t i = 0; i < k->n_synonym; i++)
        if (k->synonym[i].text >= k->n_string || k->synonym[i].term >= k->n_term) return false;
    for (uint32_t i = 0; i < k->n_term_id; i++)
        if (k->term_id[i].text >= k->n_string || k->term_id[i].index >= k->n_term) return false;
    return kb_below(k->parent, k->n_parent, k->n_term) &&
           kb_below(k->ancestor, k->n_ancestor, k->n_term) &&
           (k->root == MED_NONE || k->root < k->n_term);
}

static bool diseases_ok(const med_kb *k)
{
    for (uint32_t i = 0; i < k->n_disease; i++) {
        const med_disease *d = &k->disease[i];
        if (d->id >= k->n_string || d->name >= k->n_string ||
            !span_ok(d->alias_at, d->n_alias, k->n_list) ||
            !span_ok(d->gene_at, d->n_gene, k->n_list) || !span_ok(d->row_at, d->n_row, k->n_row) ||
            !span_ok(d->profile_at, d->n_profile, k->n_profile))
            return false;
    }
    for (uint32_t i = 0; i < k->n_row; i++)
        if (k->row[i].term >= k->n_term || k->row[i].source >= k->n_source ||
            !span_ok(k->row[i].pmid_at, k->row[i].n_pmid, k->n_pmid))
            return false;
    for (uint32_t i = 0; i < k->n_profile; i++)
        if (MED_PROFILE_TERM(k->profile[i]) >= k->n_term) return false;
    for (uint32_t i = 0; i < k->n_disease_id; i++)
        if (k->disease_id[i].text >= k->n_string || k->disease_id[i].index >= k->n_disease)
            return false;
    for (uint32_t i = 0; i < k->n_source; i++) {
        const med_source *s = &k->source[i];
        if (s->name >= k->n_string || s->version >= k->n_string || s->licence >= k->n_string ||
            s->url >= k->n_string)
            return false;
    }
    return kb_below(k->list, k->n_list, k->n_string);
}

static bool obsolete_ok(const med_kb *k)
{
    for (uint32_t i = 0; i < k->n_obsolete; i++)
        if (k->obsolete[i].id >= k->n_string || k->obsolete[i].name >= k->n_string ||
            !span_ok(k->obsolete[i].consider_at, k->obsolete[i].n_consider, k->n_list))
            return false;
    return true;
}

static bool facts_ok(const med_kb *k)
{
    for (uint32_t i = 0; i < k->n_fact; i++)
        if (k->fact[i].disease >= k->n_disease || k->fact[i].source >= k->n_source ||
            k->fact[i].kind > MED_FACT_PREVALENCE)
            return false;
    for (uint32_t i = 0; k->family && i < k->n_disease; i++)
        if (k->family[i] != MED_NONE && k->family[i] >= k->n_disease) return false;
    return true;
}

/* The checksum begins behind the header, so what the header says is held against the rest. */
static bool kb_header_agrees(const med_kb *k, const char *b)
{
    const med_kb_header *h = (const med_kb_header *)(const void *)b;
    uint32_t n_profiled = 0;
    for (size_t i = 0; i < R1_COUNT(h->reserved); i++)
        if (h->reserved[i]) return false;
    for (uint32_t d = 0; d < k->n_disease; d++) n_profiled += k->disease[d].n_profile > 0;
    for (uint32_t t = 0; t < k->n_term; t++) {
        bool below = k->root == MED_NONE || med_kb_is_a(k, t, k->root);
        if (below != ((k->term[t].flags & MED_TERM_PHENOTYPE) != 0)) return false;
    }
    return n_profiled == k->n_profiled;
}

/* ---- opening --------------------------------------------------------------------------------- */

static const void *kb_section(const char *b, int i, uint32_t *count)
{
    const med_kb_section *s = (const med_kb_section *)(const void *)(b + sizeof(med_kb_header));
    *count = (uint32_t)s[i].count;
    return b + s[i].offset;
}

static void kb_attach(med_kb *k, const char *b)
{
    const med_kb_header *h = (const med_kb_header *)(const void *)b;
    k->strings = kb_section(b, SEC_STRINGS, &k->n_string);
    k->term = kb_section(b, SEC_TERM, &k->n_term);
    k->parent = kb_section(b, SEC_PARENT, &k->n_parent);
    k->ancestor = kb_section(b, SEC_ANCESTOR, &k->n_ancestor);
    k->synonym = kb_section(b, SEC_SYNONYM, &k->n_synonym);
    k->term_id = kb_section(b, SEC_TERM_ID, &k->n_term_id);
    k->disease = kb_section(b, SEC_DISEASE, &k->n_disease);
    k->list = kb_section(b, SEC_LIST, &k->n_list);
    k->row = kb_section(b, SEC_ROW, &k->n_row);
    k->profile = kb_section(b, SEC_PROFILE, &k->n_profile);
    k->disease_id = kb_section(b, SEC_DISEASE_ID, &k->n_disease_id);
    k->source = kb_section(b, SEC_SOURCE, &k->n_source);
    k->pmid = kb_section(b, SEC_PMID, &k->n_pmid);
    if (h->n_section > SEC_OBSOLETE) k->obsolete = kb_section(b, SEC_OBSOLETE, &k->n_obsolete);
    if (h->n_section > SEC_FAMILY) {
        uint32_t n_loss, n_family;
        k->loss = kb_section(b, SEC_LOSS, &n_loss);
        k->fact = kb_section(b, SEC_FACT, &k->n_fact);
        k->family = kb_section(b, SEC_FAMILY, &n_family);
        if (n_loss != k->n_source) k->loss = NULL;
        if (n_family != k->n_disease) k->family = NULL;
    }
    k->n_profiled = h->n_profiled;
    k->root = h->root;
    k->checksum = h->checksum;
}

static r1_status check_all(med_kb *k, const char *what, const char *block, size_t bytes,
                           r1_err *err)
{
    R1_TRY(kb_check_header(what, block, bytes, err));
    R1_TRY(check_sections(what, block, bytes, err));
    kb_attach(k, block);
    if (!terms_ok(k) || !diseases_ok(k) || !obsolete_ok(k) || !facts_ok(k))
        R1_FAIL(err, R1_E_FORMAT, "%s: an index points outside its section", what);
    if (!kb_header_agrees(k, block))
        R1_FAIL(err, R1_E_FORMAT,
                "%s: its header does not agree with the rest: damaged, build it again", what);
    return R1_OK;
}

r1_status med_kb_from_block(med_kb **out, void *block, size_t bytes, const char *what, r1_err *err)
{
    med_kb *k = calloc(1, sizeof *k);
    if (!k) R1_FAIL(err, R1_E_NOMEM, "%s: no memory", what);
    r1_status st = check_all(k, what, block, bytes, err);
    if (st != R1_OK) {
        free(k);
        return st;
    }
    k->block = block;
    k->bytes = bytes;
    *out = k;
    return R1_OK;
}

r1_status med_kb_open_file(med_kb **out, const char *path, r1_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would wait for a writer */
    struct stat sb;
    if (fd < 0 || fstat(fd, &sb) != 0) {
        int e = errno;
        if (fd >= 0) close(fd);
        R1_FAIL(err, R1_E_IO,
                "%s: %s (make a knowledge base with `r1-medical ontology fetch` and `build`)", path,
                strerror(e));
    }
    if (!S_ISREG(sb.st_mode) || sb.st_size == 0) {
        close(fd);
        R1_FAIL(err, R1_E_FORMAT, "%s: expected a knowledge base, found %s", path,
                S_ISREG(sb.st_mode)   ? "an empty file"
                : S_ISDIR(sb.st_mode) ? "a folder"
                                      : "a pipe, a socket or a device");
    }
    size_t bytes = sb.st_size > 0 ? (size_t)sb.st_size : 0;
    void *block = bytes ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (block == MAP_FAILED) R1_FAIL(err, R1_E_FORMAT, "%s: cannot be mapped", path);
    r1_status st = med_kb_from_block(out, block, bytes, path, err);
    if (st != R1_OK)
        munmap(block, bytes);
    else
        (*out)->mapped = true;
    return st;
}

void med_kb_free(med_kb *kb)
{
    if (!kb) return;
    if (kb->mapped)
        munmap(kb->block, kb->bytes);
    else
        free(kb->block);
    free(kb);
}

r1_status med_kb_hold(med_kb **kb, const char *what, r1_err *err)
{
    med_kb *held = NULL;
    if (!(*kb)->mapped) return R1_OK;
    void *copy = malloc((*kb)->bytes);
    if (!copy) R1_FAIL(err, R1_E_NOMEM, "%s: no memory for its %zu bytes", what, (*kb)->bytes);
    memcpy(copy, (*kb)->block, (*kb)->bytes);
    r1_status st = med_kb_from_block(&held, copy, (*kb)->bytes, what, err);
    if (st != R1_OK) {
        free(copy);
        return st;
    }
    med_kb_free(*kb);
    *kb = held;
    return R1_OK;
}

r1_status med_kb_save(const med_kb *kb, const char *path, r1_err *err)
{
    return r1_file_write(path, kb->block, kb->bytes, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

static uint32_t find_id(const med_kb *kb, const med_id *ids, uint32_t n, const char *id, size_t len)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const char *s = med_str(kb, ids[mid].text);
        int c = strncmp(s, id, len);
        if (c == 0 && s[len] != '\0') c = 1;
        if (c == 0) return ids[mid].index;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return MED_NONE;
}

uint32_t med_kb_term(const med_kb *kb, const char *id, size_t len)
{
    return find_id(kb, kb->term_id, kb->n_term_id, id, len);
}

uint32_t med_kb_disease(const med_kb *kb, const char *id, size_t len)
{
    char text[MED_DISEASE_ID_BYTES];
    size_t n = med_disease_id(id, len, text, sizeof text);
    return n ? find_id(kb, kb->disease_id, kb->n_disease_id, text, n) : MED_NONE;
}

const med_obsolete *med_kb_obsolete(const med_kb *kb, const char *id, size_t len)
{
    uint32_t lo = 0, hi = kb->n_obsolete;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const char *s = med_str(kb, kb->obsolete[mid].id);
        int c = strncmp(s, id, len);
        if (c == 0 && s[len] == '\0') return &kb->obsolete[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

bool med_kb_is_a(const med_kb *kb, uint32_t b, uint32_t a)
{
    const uint32_t *v = kb->ancestor + kb->term[b].ancestor_at;
    uint32_t lo = 0, hi = kb->term[b].n_ancestor;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (v[mid] == a) return true;
        if (v[mid] < a)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

float med_onset_from(uint32_t mask)
{
    static const float from[] = {-1, 0, 0.08f, 1, 10, 16, 60};
    uint32_t first = mask ? (uint32_t)__builtin_ctz(mask) : 0;
    return first < R1_COUNT(from) ? from[first] : from[0];
}

/* ---- profiles -------------------------------------------------------------------------------- */

bool med_row_left_out(const med_kb *kb, const med_row *row, med_leave_out out)
{
    if (row->flags & out.flags) return true;
    if (!out.pmid || (out.sole && row->n_pmid > 1)) return false;
    for (uint32_t i = 0; i < row->n_pmid; i++)
        if (kb->pmid[row->pmid_at + i] == out.pmid) return true;
    return false;
}

/* Rows are sorted by term. Counts weigh as many patients as they counted, a stated frequency as
 * ten, none as one. */
static float group_freq(const med_kb *kb, const med_row *row, uint32_t n, med_leave_out skip,
                        bool *any)
{
    double sum = 0, weight = 0;
    *any = false;
    for (uint32_t i = 0; i < n; i++) {
        const med_row *r = &row[i];
        if (med_row_left_out(kb, r, skip)) continue;
        double w = r->m ? r->m : r->freq >= 0 ? 10 : 1;
        double f = r->m ? (double)r->n / r->m : r->freq >= 0 ? r->freq : MED_FREQ_UNKNOWN;
        sum += (r->flags & MED_ROW_NEGATED) ? 0 : w * f;
        weight += w;
        *any = true;
    }
    return weight > 0 ? (float)(sum / weight) : 0;
}

static int by_term(const void *a, const void *b)
{
    uint32_t x = MED_PROFILE_TERM(*(const med_profile *)a),
             y = MED_PROFILE_TERM(*(const med_profile *)b);
    return (x > y) - (x < y);
}

uint32_t med_profile_make(const med_kb *kb, const med_row *row, uint32_t n_row, med_leave_out skip,
                          float *work, med_profile *out, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = 0, j; i < n_row; i = j) {
        for (j = i + 1; j < n_row && row[j].term == row[i].term; j++) {
        }
        bool any;
        float f = group_freq(kb, row + i, j - i, skip, &any);
        const med_term *t = &kb->term[row[i].term];
        if (!any || f < 0.005f || !(t->flags & MED_TERM_PHENOTYPE)) continue;
        for (uint32_t a = 0; a < t->n_ancestor; a++) {
            uint32_t at = kb->ancestor[t->ancestor_at + a];
            if (work[at] == 0 && n < max) out[n++].term = at;
            if (fabsf(work[at]) < f) work[at] = work[at] < 0 ? -f : f;
        }
        work[row[i].term] = -fabsf(work[row[i].term]); /* negative: annotated itself */
    }
    for (uint32_t i = 0; i < n; i++) {
        float f = work[out[i].term];
        work[out[i].term] = 0;
        out[i].freq = fabsf(f);
        if (f < 0) out[i].term |= MED_PROFILE_DIRECT;
    }
    qsort(out, n, sizeof *out, by_term);
    return n;
}
