/* SPDX-License-Identifier: Apache-2.0 */
/* test_med_genes.c - which variants of a VCF and which symbols count, with how many alleles; that
 * the ratios are those of the formula, rise with the alleles and lower nothing; and that a ranking
 * with genes is the one without them times the ratios. */
#include "genes/med_genes.h"
#include "ontology/med_sources.h"
#include "support/r1_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static r1_err err;

static uint32_t alleles_of(const med_genes *g, const char *symbol)
{
    const med_gene_hit *h = med_genes_find(g, symbol);
    return h ? h->alleles : 0;
}

static bool noted(const med_genes *g, const char *words)
{
    for (uint32_t i = 0; i < g->n_note; i++)
        if (strstr(g->note[i], words)) return true;
    return false;
}

static void test_symbols(void)
{
    static const char list[] = "# of a panel\nFBN1\ncftr\t2\n\n ABCA4 \r\nABCA4\nHLA-A\t1\n";
    med_genes g;
    R1_ASSERT_OK(med_genes_read(&g, "list", list, sizeof list - 1, &err), &err);
    CU_ASSERT_EQUAL(g.n, 4);
    CU_ASSERT_EQUAL(alleles_of(&g, "FBN1"), 1);
    CU_ASSERT_EQUAL(alleles_of(&g, "CFTR"), 2);
    CU_ASSERT_EQUAL(alleles_of(&g, "ABCA4"), 2);
    CU_ASSERT_EQUAL(alleles_of(&g, "fbn1"), 1);
    CU_ASSERT_EQUAL(alleles_of(&g, "FBN2"), 0);
    med_genes_free(&g);
    static const char *const bad[] = {"two words\n", "FBN1\t3\n", "FBN1\thet\n", "<b>\n",
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF\n"};
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        CU_ASSERT_EQUAL(med_genes_read(&g, "list", bad[i], strlen(bad[i]), &err), R1_E_FORMAT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "list:1"));
        med_genes_free(&g);
    }
}

/* Genes that no disease of the knowledge base names are told, and so is one without genes. */
static void test_unknown_genes(void)
{
    static const char bare[] = "<r1-ontology version=\"1\"><findings><finding id=\"R1:0\" "
                               "name=\"root\" root=\"true\"/></findings></r1-ontology>";
    static const char list[] = "FBN1\nZZZZ9\n";
    const char *path = r1_test_in_tmp("bare.xml");
    R1_ASSERT_OK(r1_file_write(path, bare, sizeof bare - 1, &err), &err);
    const char *const source[] = {r1_test_source("ontology/r1med.xml"), path};
    static const char *const says[] = {"1 of 2, the first is ZZZZ9", "names no gene"};
    for (int i = 0; i < 2; i++) {
        med_kb *kb = NULL;
        med_genes g;
        R1_ASSERT_OK(med_sources_open(&kb, source[i], &err), &err);
        R1_ASSERT_OK(med_genes_read(&g, "list", list, sizeof list - 1, &err), &err);
        med_genes_check(&g, kb);
        CU_ASSERT(noted(&g, says[i]));
        med_genes_free(&g);
        med_kb_free(kb);
    }
}

#define HEAD                                                                                       \
    "##fileformat=VCFv4.2\n##INFO=<ID=CSQ,Number=.,Type=String,Description=\"x. Format: "          \
    "Allele|Consequence|IMPACT|SYMBOL|gnomADe_AF\">\n"                                             \
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
#define SAMPLE                "\tFORMAT\tS1\n"
#define LINE(f, i, gt)        "1\t5\t.\tA\tG\t9\t" f "\t" i "\tGT:DP\t" gt ":3\n"
#define CSQ(impact, gene, af) "DP=1;CSQ=G|x|" impact "|" gene "|" af
#define ANN(impact, gene)     "ANN=G|missense|" impact "|" gene "|id|more;X=1"

static void test_vcf(void)
{
    static const char vcf[] = HEAD SAMPLE LINE("PASS", CSQ("HIGH", "AAA1", ""), "0/1") LINE(
        ".", CSQ("MODERATE", "AAA1", "0.0001"), "1|0") LINE("PASS", CSQ("HIGH", "BBB1", ""), "1/1")
        LINE("PASS", CSQ("HIGH", "CCC1", "0.02"), "1/1") LINE("q10", CSQ("HIGH", "DDD1", ""), "1/1")
            LINE("PASS", CSQ("LOW", "EEE1", ""), "1/1") LINE("PASS", CSQ("HIGH", "FFF1", ""), "0/0")
                LINE("PASS", CSQ("HIGH", "GGG1", ""), "./.") LINE(
                    "PASS", CSQ("HIGH", "HHH1", ""), "1") LINE("PASS", ANN("HIGH", "III1"), "0/1")
                    LINE("PASS", CSQ("HIGH", "JJJ1", "") ",G|x|HIGH|JJJ1|,G|x|LOW|KKK1|", "0/1")
                        LINE("PASS", "DP=1", "0/1");
    static const struct {
        const char *symbol;
        uint32_t alleles;
    } cases[] = {{"AAA1", 2}, {"BBB1", 2}, {"CCC1", 0}, {"DDD1", 0}, {"EEE1", 0}, {"FFF1", 0},
                 {"GGG1", 0}, {"HHH1", 1}, {"III1", 1}, {"JJJ1", 1}, {"KKK1", 0}};
    med_genes g;
    R1_ASSERT_OK(med_genes_read(&g, "v.vcf", vcf, sizeof vcf - 1, &err), &err);
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        if (alleles_of(&g, cases[i].symbol) != cases[i].alleles)
            printf("%s: %u\n", cases[i].symbol, alleles_of(&g, cases[i].symbol));
        CU_ASSERT_EQUAL(alleles_of(&g, cases[i].symbol), cases[i].alleles);
    }
    CU_ASSERT(noted(&g, "Of 12 variants, left out: 1 by their FILTER, 2 that the sample has not, 1 "
                        "of low impact, 1 that are common, 1 without"));
    CU_ASSERT(!noted(&g, "no frequency"));
    med_genes_free(&g);
}

static void test_vcf_refused(void)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {HEAD "\tFORMAT\tS1\tS2\n", "2 samples"},
        {HEAD SAMPLE "1\t5\t.\tA\n", "4 columns"},
        {"##fileformat=VCFv4.2\n1\t5\t.\tA\tG\t9\tPASS\tX\n", "before the line #CHROM"},
        {HEAD SAMPLE LINE("PASS", "DP=1", "0/1"), "SnpEff or VEP"},
        {"##fileformat=VCFv4.2\n##INFO=<ID=CSQ,Description=\"Format: Allele|SYMBOL\">\n", "IMPACT"},
    };
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        med_genes g;
        r1_status st = med_genes_read(&g, "v.vcf", bad[i].text, strlen(bad[i].text), &err);
        CU_ASSERT_EQUAL(st, R1_E_FORMAT);
        CU_ASSERT(strncmp(err.msg, "v.vcf", 5) == 0 && strstr(err.msg, bad[i].why));
        med_genes_free(&g);
    }
}

static void test_ratios(void)
{
    const double ad = exp(-.9) * 10, ar1 = exp(-1.9) * 20, ar2 = exp(-1.9) * 400;
    CU_ASSERT_DOUBLE_EQUAL(med_gene_ratio(MED_INHERIT_AD, 0, 1), ad, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(med_gene_ratio(MED_INHERIT_AD, 0, 2), ad, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(med_gene_ratio(MED_INHERIT_AR, 0, 1), ar1, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(med_gene_ratio(MED_INHERIT_AR, 0, 2), ar2, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(med_gene_ratio(MED_INHERIT_AR | MED_INHERIT_AD, 0, 1), ad, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(med_gene_ratio(MED_INHERIT_XLR, MED_SEX_MALE, 1), ad, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(med_gene_ratio(MED_INHERIT_XLR, MED_SEX_FEMALE, 1), ar1, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(med_gene_ratio(0, 0, 1), ad, 1e-9);
    for (uint32_t mask = 0; mask < 256; mask++)
        for (int sex = 0; sex < 3; sex++) {
            CU_ASSERT_EQUAL(med_gene_ratio(mask, (med_sex)sex, 0), 1);
            for (uint32_t k = 0; k < 4; k++)
                CU_ASSERT(med_gene_ratio(mask, (med_sex)sex, k + 1) >=
                          med_gene_ratio(mask, (med_sex)sex, k));
        }
}

/* Every disease of our ontology that has a gene, hit in it: its odds against each other one rise by
 * its ratio, and those that are not hit keep theirs. */
static void test_ranking(void)
{
    enum { LIST = 12, WIDE = 40 };
    med_kb *kb = NULL;
    med_ranker *r = NULL;
    R1_ASSERT_OK(med_sources_open(&kb, r1_test_source("ontology/r1med.xml"), &err), &err);
    R1_ASSERT_OK(med_ranker_new(&r, kb, &err), &err);
    uint32_t term = med_kb_term(kb, "HP:0001083", 10), asked = 0;
    const med_case c = {.observed = &term, .n_observed = 1, .age_years = NAN};
    for (uint32_t d = 0; d < kb->n_disease; d++) {
        med_candidate list[LIST], wide[WIDE];
        med_gene_candidate out[WIDE];
        uint32_t n, n_wide;
        float none_with;
        med_genes g;
        if (!kb->disease[d].n_gene) continue;
        const char *symbol = med_str(kb, kb->list[kb->disease[d].gene_at]);
        R1_ASSERT_OK(med_genes_read(&g, "one", symbol, strlen(symbol), &err), &err);
        med_case_open(r, &c);
        R1_ASSERT_OK(med_rank(r, list, LIST, &n, &err), &err);
        R1_ASSERT_OK(med_rank(r, wide, WIDE, &n_wide, &err), &err);
        float none = med_posterior_likelihood(list, n);
        uint32_t k = med_genes_rank(&g, kb, MED_SEX_UNKNOWN, list, n, none, wide, n_wide, out, WIDE,
                                    &none_with);
        double sum = (double)none_with;
        CU_ASSERT(k >= n);
        for (uint32_t i = 0; i < k; i++) {
            double ratio;
            med_genes_of(&g, kb, out[i].c.disease, MED_SEX_UNKNOWN, &ratio);
            sum += (double)out[i].c.posterior;
            CU_ASSERT(i == 0 || out[i].c.posterior <= out[i - 1].c.posterior);
            CU_ASSERT_DOUBLE_EQUAL(out[i].ratio, ratio, 1e-12);
            if (!out[i].before) {
                CU_ASSERT(out[i].hit && isnan(out[i].posterior_before));
                continue;
            }
            CU_ASSERT_EQUAL(list[out[i].before - 1].disease, out[i].c.disease);
            double odds = (double)out[i].c.posterior / (double)none_with,
                   was = (double)out[i].posterior_before / (double)none;
            CU_ASSERT_DOUBLE_EQUAL(odds, was * ratio, 1e-4 * (odds + 1e-9));
        }
        CU_ASSERT_DOUBLE_EQUAL(sum, 1, 1e-5);
        asked++;
        med_genes_free(&g);
        med_case_close(r);
    }
    CU_ASSERT(asked > 10);
    med_ranker_free(r);
    med_kb_free(kb);
}

static void test_import(void)
{
    static const char dir_file[] = "%s/genes_to_disease.txt";
    static const char genes[] = "ncbi_gene_id\tgene_symbol\tassociation_type\tdisease_id\tsource\n"
                                "NCBIGene:1\tNEW1\tMENDELIAN\tOMIM:154700\tx\n"
                                "NCBIGene:2\t-\tUNKNOWN\tOMIM:154700\tx\n";
    static const char old[] = "#Format: entrez-gene-id<tab>entrez-gene-symbol<tab>HPO-Term-ID<tab>"
                              "disease-ID for link\n1\tNEW2\tHP:1\tOMIM:154700\n";
    char path[4200];
    med_kb *kb = NULL;
    const char *text[] = {genes, old};
    for (int i = 0; i < 2; i++) {
        bool found = false;
        snprintf(path, sizeof path, dir_file, r1_test_tmpdir());
        R1_ASSERT_OK(r1_file_write(path, text[i], strlen(text[i]), &err), &err);
        const char *sources[] = {r1_test_source("ontology/r1med.xml"), path};
        R1_ASSERT_OK(med_sources_build(sources, 2, &kb, NULL, &err), &err);
        const med_disease *d = &kb->disease[med_kb_disease(kb, "OMIM:154700", 11)];
        for (uint32_t k = 0; k < d->n_gene; k++) {
            const char *s = med_str(kb, kb->list[d->gene_at + k]);
            found = found || strcmp(s, i ? "NEW2" : "NEW1") == 0;
            CU_ASSERT(strcmp(s, "-") != 0);
        }
        CU_ASSERT(found);
        med_kb_free(kb);
    }
}

R1_TEST_MAIN("genes", {"symbols", test_symbols}, {"unknown genes", test_unknown_genes},
             {"VCF", test_vcf}, {"VCF that is refused", test_vcf_refused}, {"ratios", test_ratios},
             {"ranking", test_ranking}, {"import", test_import})
