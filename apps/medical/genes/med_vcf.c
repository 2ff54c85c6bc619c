/* SPDX-License-Identifier: Apache-2.0 */
/* med_vcf.c - VCF 4.x as text: FILTER, INFO's ANN or CSQ, and the genotype of the one sample. */
#include "genes/med_vcf.h"

#include "ontology/med_slurp.h"

#include <stdlib.h>
#include <string.h>

enum { VCF_COLUMNS = 12, VCF_PARTS = 128, VCF_GENES_OF_LINE = 64 };
enum { COL_ALT = 4, COL_FILTER = 6, COL_INFO = 7, COL_FORMAT = 8, COL_SAMPLE = 9 };

typedef struct {
    const char *what;
    int64_t line;
    bool has_csq, has_head, has_sample;
    size_t impact, symbol; /* fields of a CSQ entry */
    size_t frequency[8], n_frequency;
    uint64_t n, filtered, common, mild, absent, several, unnamed;
} vcf;

/* ---- the head ---- */

static bool field_is(const med_field *f, const char *name)
{
    return f->len == strlen(name) && memcmp(f->s, name, f->len) == 0;
}

/* Format: Allele|Consequence|IMPACT|SYMBOL|... in the description of CSQ. */
static r1_status vcf_csq(vcf *v, const char *s, size_t len, r1_err *err)
{
    static const char *const frequency[] = {"MAX_AF", "gnomADe_AF", "gnomADg_AF", "gnomAD_AF",
                                            "AF"};
    const char *format = memmem(s, len, "Format: ", 8);
    med_field f[VCF_PARTS];
    if (!format)
        R1_FAIL(err, R1_E_FORMAT, "%s:%lld: CSQ without a Format", v->what, (long long)v->line);
    format += 8;
    size_t n = 0, most = (size_t)(s + len - format);
    while (n < most && format[n] != '"' && format[n] != '>') n++;
    n = med_split(format, n, '|', f, VCF_PARTS);
    v->impact = v->symbol = VCF_PARTS;
    for (size_t i = 0; i < n && i < VCF_PARTS; i++) {
        if (field_is(&f[i], "IMPACT")) v->impact = i;
        if (field_is(&f[i], "SYMBOL")) v->symbol = i;
        for (size_t k = 0; k < R1_COUNT(frequency); k++)
            if (field_is(&f[i], frequency[k]) && v->n_frequency < R1_COUNT(v->frequency))
                v->frequency[v->n_frequency++] = i;
    }
    if (v->impact == VCF_PARTS || v->symbol == VCF_PARTS)
        R1_FAIL(err, R1_E_FORMAT, "%s:%lld: CSQ: expected the fields IMPACT and SYMBOL", v->what,
                (long long)v->line);
    v->has_csq = true;
    return R1_OK;
}

static r1_status vcf_columns(vcf *v, const char *s, size_t len, r1_err *err)
{
    med_field f[VCF_COLUMNS];
    size_t n = med_split(s, len, '\t', f, VCF_COLUMNS);
    v->has_head = true;
    v->has_sample = n > COL_SAMPLE;
    if (n > COL_SAMPLE + 1)
        R1_FAIL(err, R1_E_FORMAT,
                "%s:%lld: %zu samples, expected the patient's alone: bcftools view -s SAMPLE gives "
                "it",
                v->what, (long long)v->line, n - COL_SAMPLE);
    return R1_OK;
}

/* ---- a variant ---- */

/* Alleles other than the reference; 1 where there is no sample. */
static uint32_t vcf_alleles(const vcf *v, const med_field *f, size_t n)
{
    uint32_t alleles = 0;
    if (!v->has_sample) return 1;
    if (n <= COL_SAMPLE || f[COL_FORMAT].len < 2 || memcmp(f[COL_FORMAT].s, "GT", 2) != 0) return 0;
    for (size_t i = 0; i < f[COL_SAMPLE].len && f[COL_SAMPLE].s[i] != ':'; i++) {
        char c = f[COL_SAMPLE].s[i];
        bool first = i == 0 || f[COL_SAMPLE].s[i - 1] == '/' || f[COL_SAMPLE].s[i - 1] == '|';
        alleles += first && c >= '1' && c <= '9';
    }
    return alleles > 2 ? 2 : alleles;
}

/* The value of ANN= or CSQ= in INFO. */
static bool vcf_value(const med_field *info, const char *key, med_field *out)
{
    size_t n = strlen(key);
    for (const char *s = info->s, *end = info->s + info->len; s < end;) {
        const char *stop = memchr(s, ';', (size_t)(end - s));
        if (!stop) stop = end;
        if ((size_t)(stop - s) > n && memcmp(s, key, n) == 0) {
            *out = (med_field){s + n, (size_t)(stop - s) - n};
            return true;
        }
        s = stop + 1;
    }
    return false;
}

/* The highest frequency that an entry tells; 0: none. */
static double vcf_frequency(const vcf *v, const med_field *f, size_t n)
{
    double highest = 0;
    for (size_t i = 0; i < v->n_frequency; i++) {
        char text[32] = "";
        size_t at = v->frequency[i];
        if (at >= n || f[at].len == 0 || f[at].len >= sizeof text) continue;
        memcpy(text, f[at].s, f[at].len);
        double x = strtod(text, NULL);
        if (x > highest) highest = x;
    }
    return highest;
}

typedef enum { ENTRY_COUNTS, ENTRY_MILD, ENTRY_COMMON, ENTRY_UNNAMED } entry_kind;

static entry_kind vcf_entry(const vcf *v, bool csq, const char *s, size_t len, med_field *gene)
{
    med_field f[VCF_PARTS];
    size_t n = med_split(s, len, '|', f, VCF_PARTS), impact = csq ? v->impact : 2,
           symbol = csq ? v->symbol : 3;
    if (n > VCF_PARTS) n = VCF_PARTS;
    if (impact >= n || symbol >= n) return ENTRY_UNNAMED;
    if (!field_is(&f[impact], "HIGH") && !field_is(&f[impact], "MODERATE")) return ENTRY_MILD;
    if (csq && vcf_frequency(v, f, n) > MED_GENE_COMMON) return ENTRY_COMMON;
    *gene = f[symbol];
    return med_gene_symbol(gene->s, gene->len) ? ENTRY_COUNTS : ENTRY_UNNAMED;
}

/* Each gene of a line counts once, whatever the number of its transcripts. */
static r1_status vcf_genes(vcf *v, med_genes *g, const med_field *value, bool csq, uint32_t alleles,
                           r1_err *err)
{
    med_field seen[VCF_GENES_OF_LINE];
    size_t n = 0;
    uint64_t kinds[4] = {0};
    for (const char *s = value->s, *end = value->s + value->len; s < end;) {
        const char *stop = memchr(s, ',', (size_t)(end - s));
        med_field gene;
        if (!stop) stop = end;
        entry_kind kind = vcf_entry(v, csq, s, (size_t)(stop - s), &gene);
        kinds[kind]++;
        s = stop + 1;
        size_t i = 0;
        while (kind == ENTRY_COUNTS && i < n &&
               (seen[i].len != gene.len || memcmp(seen[i].s, gene.s, gene.len) != 0))
            i++;
        if (kind != ENTRY_COUNTS || i < n || n == VCF_GENES_OF_LINE) continue;
        seen[n++] = gene;
        R1_TRY(med_genes_add(g, gene.s, gene.len, alleles, err));
    }
    if (n) return R1_OK;
    if (kinds[ENTRY_COMMON])
        v->common++;
    else if (kinds[ENTRY_MILD])
        v->mild++;
    else
        v->unnamed++;
    return R1_OK;
}

static r1_status vcf_variant(vcf *v, med_genes *g, const char *s, size_t len, r1_err *err)
{
    med_field f[VCF_COLUMNS], value;
    size_t n = med_split(s, len, '\t', f, VCF_COLUMNS);
    if (n <= COL_INFO)
        R1_FAIL(err, R1_E_FORMAT, "%s:%lld: %zu columns, expected at least %d", v->what,
                (long long)v->line, n, COL_INFO + 1);
    v->n++;
    if (!field_is(&f[COL_FILTER], "PASS") && !field_is(&f[COL_FILTER], ".")) {
        v->filtered++;
        return R1_OK;
    }
    uint32_t alleles = vcf_alleles(v, f, n);
    if (!alleles) {
        v->absent++;
        return R1_OK;
    }
    v->several += memchr(f[COL_ALT].s, ',', f[COL_ALT].len) != NULL;
    if (vcf_value(&f[COL_INFO], "ANN=", &value))
        return vcf_genes(v, g, &value, false, alleles, err);
    if (vcf_value(&f[COL_INFO], "CSQ=", &value) && v->has_csq)
        return vcf_genes(v, g, &value, true, alleles, err);
    v->unnamed++;
    return R1_OK;
}

static void vcf_tell(const vcf *v, med_genes *g)
{
    med_genes_note(
        g,
        "Of %llu variants, left out: %llu by their FILTER, %llu that the sample has not, "
        "%llu of low impact, %llu that are common, %llu without gene and consequence.",
        (unsigned long long)v->n, (unsigned long long)v->filtered, (unsigned long long)v->absent,
        (unsigned long long)v->mild, (unsigned long long)v->common, (unsigned long long)v->unnamed);
    if (!v->n_frequency)
        med_genes_note(g, "The VCF tells no frequency in a population: common variants count too.");
    if (!v->has_sample)
        med_genes_note(g, "The VCF has no sample: each variant counts as one allele.");
    if (v->several)
        med_genes_note(g,
                       "%llu sites have several alternatives, taken as one: bcftools norm -m - "
                       "splits them.",
                       (unsigned long long)v->several);
}

r1_status med_vcf_read(med_genes *g, const char *what, const char *bytes, size_t len, r1_err *err)
{
    vcf v = {.what = what};
    med_lines lines = {.at = bytes, .end = bytes + len};
    const char *s;
    size_t n;
    while (med_lines_next(&lines, &s, &n)) {
        v.line = lines.number;
        if (n == 0) continue;
        if (n > 14 && memcmp(s, "##INFO=<ID=CSQ", 14) == 0)
            R1_TRY(vcf_csq(&v, s, n, err));
        else if (n > 6 && memcmp(s, "#CHROM", 6) == 0)
            R1_TRY(vcf_columns(&v, s, n, err));
        else if (*s != '#' && !v.has_head)
            R1_FAIL(err, R1_E_FORMAT, "%s:%lld: a variant before the line #CHROM", what,
                    (long long)v.line);
        else if (*s != '#')
            R1_TRY(vcf_variant(&v, g, s, n, err));
        if (g->n > 16u * MED_GENES_MAX) R1_TRY(med_genes_merge(g, what, err));
    }
    if (v.n && v.unnamed == v.n)
        R1_FAIL(err, R1_E_FORMAT,
                "%s: no variant has ANN or CSQ: annotate it with SnpEff or VEP first", what);
    vcf_tell(&v, g);
    return R1_OK;
}
