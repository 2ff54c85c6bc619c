/* SPDX-License-Identifier: Apache-2.0 */
/* med_words.h - the wording of the report, each sentence once. Names that end in _F are formats:
 * the comment names their arguments. They are literals, so that the compiler checks them. */
#ifndef MED_WORDS_H
#define MED_WORDS_H

#define MED_WORDS_FORMAT "r1-medical-report/1"
#define MED_WORDS_GENES  "With the patient's genes"
#define MED_WORDS_GENES_ABOUT                                                                      \
    "Apart from the ranking above: its probabilities times what the genes say."
#define MED_WORDS_GENE_F  "%s, alleles %u, inheritance %s, likelihood ratio %.1f"
#define MED_WORDS_NO_GENE "no gene of it is hit"
#define MED_WORDS_BANNER                                                                           \
    "For clinical decision support by qualified professionals; not a diagnosis."
#define MED_WORDS_HTML_TITLE "R1 medical report"
#define MED_WORDS_LIKELIHOOD "likelihood" /* what ranked, without R1 */

/* What was read: sex, words, knowledge base, ranked by. The age follows where it is known. */
#define MED_WORDS_SEX_F   "Sex %s"
#define MED_WORDS_AGE_F   ", age %.1f years"
#define MED_WORDS_INPUT_F ", %u words read, knowledge base %s, ranked by %s"

/* Where the ranking has no room for all: findings left out, findings ranked. */
#define MED_WORDS_UNRANKED_F                                                                       \
    "%u observed findings are left out of the ranking, which takes the %d most informative."
#define MED_WORDS_NOT_READ_F                                                                       \
    "What was not read: %u possible findings, beyond the bound of a sentence; %u sentences were "  \
    "read in parts."

/* Headings; those in capitals are of plain text. _F: number of findings. */
#define MED_WORDS_TEXT_TITLE_F    "R1 MEDICAL REPORT: %s\n"
#define MED_WORDS_PDF_INPUT       "R1 medical report. "
#define MED_WORDS_CANDIDATES      "Candidates"
#define MED_WORDS_NOT_CONFIDENT   "No confident candidate; the nearest are"
#define MED_WORDS_OBSERVED        "Observed findings"
#define MED_WORDS_EXCLUDED        "Excluded findings"
#define MED_WORDS_OTHERS          "Mentioned otherwise"
#define MED_WORDS_SOURCES         "Sources"
#define MED_WORDS_CAPS_CANDIDATES "CANDIDATES"
#define MED_WORDS_CAPS_NOT        "NO CONFIDENT CANDIDATE. Nearest:"
#define MED_WORDS_CAPS_OBSERVED_F "OBSERVED (%zu)"
#define MED_WORDS_CAPS_EXCLUDED_F "EXCLUDED (%zu)"
#define MED_WORDS_CAPS_OTHERS_F   "MENTIONED OTHERWISE (family, hypothetical, uncertain) (%zu)"
#define MED_WORDS_CAPS_SOURCES    "SOURCES"
#define MED_WORDS_COLUMN_FINDING  "Finding"
#define MED_WORDS_COLUMN_QUOTE    "In the record"
#define MED_WORDS_COLUMN_STATUS   "Section, status"
#define MED_WORDS_COLUMN_WITHOUT  "Without it"

/* Candidates: percent; the finding of the disease that matches; percent of its patients. */
#define MED_WORDS_NONE_F      "None of these: %.1f %%"
#define MED_WORDS_MATCHED_F   " with %s"
#define MED_WORDS_TYPICAL     "Typical, not reported (ask next): "
#define MED_WORDS_FREQUENCY_F " (%.0f %%)"

/* Under the excluded findings. */
#define MED_WORDS_DENIED                                                                           \
    "A denied finding only lowers the candidates that usually show it. What they lose goes to "    \
    "\"none of these\", and no candidate rises."

/* Anchors: weight, change in points of a hundred. */
#define MED_WORDS_HTML_ANCHOR_F "anchor, weight %.1f"
#define MED_WORDS_WITHOUT_F     "%+.1f points"
#define MED_WORDS_PDF_ANCHOR_F  ", anchor of weight %.1f; without it %+.1f points"
#define MED_WORDS_TEXT_PINNED   "  [pinned]"
#define MED_WORDS_TEXT_ANCHOR_F                                                                    \
    "pinned with weight %.1f; without it the first candidate's probability changes by %+.1f "      \
    "points"

#define MED_WORDS_SOURCE_F "%s, %s. %s" /* name, version, licence */
#define MED_WORDS_PAGE_F   "   Page %d"

#endif
