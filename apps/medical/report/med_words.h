/* SPDX-License-Identifier: Apache-2.0 */
/* med_words.h - the wording of the report, each sentence once, in English and in Chinese. Names
 * that end in _F are formats: the comment names their arguments, which both languages take in the
 * same order. MED_SAY gives one in a language, and the compiler checks its arguments against the
 * English one; a test holds the Chinese one to the same conversions.
 *
 * Threads: constants. */
#ifndef MED_WORDS_H
#define MED_WORDS_H

typedef enum { MED_WORDS_EN, MED_WORDS_ZH, MED_WORDS_LANGUAGES } med_words_language;

#define MED_WORDS_FORMAT "r1-medical-report/2"

/* clang-format off */
#define MED_WORDS(X)                                                                               \
/* the head */                                                                                     \
X(BANNER, "For clinical decision support by qualified professionals; not a diagnosis.",            \
  "仅供合格专业人员作临床决策参考；不是诊断。")                                                    \
X(TITLE, "Rare disease report", "罕见病报告")                                                      \
X(LIKELIHOOD, "likelihood", "似然比") /* what ranked, without R1 */                                \
X(PATIENT, "Patient", "患者")                                                                      \
X(RECORD, "Record", "病历")                                                                        \
X(DATE, "Date", "日期")                                                                            \
X(VERSIONS, "Versions", "版本")                                                                    \
X(FEMALE, "female", "女")                                                                          \
X(MALE, "male", "男")                                                                              \
X(SEX_UNKNOWN, "sex not stated", "性别未说明")                                                     \
X(AGE_UNKNOWN, "age not stated", "年龄未说明")                                                     \
X(YEARS_F, "%.0f years", "%.0f 岁") /* age */                                                      \
X(MONTHS_F, "%.0f months", "%.0f 个月")                                                            \
X(DAYS_F, "%.0f days", "%.0f 天")                                                                  \
X(BORN_F, "born %s", "出生于 %s")                                                                  \
/* words read, sentences */                                                                        \
X(READ_F, "words read: %u, sentences: %u", "已读 %u 词、%u 句")                                    \
/* program, model, knowledge base's checksum, its diseases */                                      \
X(INPUT_F, "%s; ranked by %s; knowledge base %s with %u diseases",                                 \
  "%s；排序模型：%s；知识库 %s，含 %u 种疾病")                                                     \
/* findings */                                                                                     \
X(LISTED_F, "listed findings: %u, no text was read", "所列异常：%u 项，未读取文本")                \
X(SIGNED, "Signed", "签署")                                                                        \
X(NOT_SIGNED, "not signed", "未签署")                                                              \
/* name, time */                                                                                   \
X(SIGNED_F, "%s at %s", "%s，时间 %s")                                                             \
/* number, hash */                                                                                 \
X(REVIEW_F, "review %u, SHA-256 %s", "审阅 %u，SHA-256 %s")                                        \
/* diseases, the source's name */                                                                  \
X(FEW_F, "This ranking knows only %u diseases (%s): a disease outside of them cannot be found, "   \
  "and the probabilities hold among them alone.",                                                  \
  "本排序仅限于 %u 种疾病（%s）：其他疾病无法被发现，概率也只在这些疾病之间成立。")                \
/* findings left out, findings ranked */                                                           \
X(UNRANKED_F, "Observed findings that are listed, but left out of the ranking: %u. It takes "      \
  "the %d most informative.", "已列出但未参与排序的异常：%u 项。排序只取信息量最大的 %d 项。")     \
/* possible findings; sentences */                                                                 \
X(NOT_READ_F, "What was not read: %u possible findings, beyond the bound of a sentence; %u "       \
  "sentences were read in parts.", "未读内容：超出单句上限的可能异常 %u 项；%u 个句子只读了一部分。") \
X(ALL_READ, "The whole text was read.", "全文均已读取。")                                          \
X(NO_TEXT, "The findings came as a list.", "异常以列表形式给出。")                                      \
X(NO_SEX, "The record does not say the patient's sex: it does not count in the ranking.",          \
  "病历未说明患者性别：排序未计入性别。")                                                          \
X(NO_AGE, "The record does not say the patient's age: it does not count in the ranking.",          \
  "病历未说明患者年龄：排序未计入年龄。")                                                          \
X(DISEASE_NAMES, "Names of diseases are in English: no source with a free licence has others.",    \
  "疾病名称为英文：没有可自由使用的中文来源。")                                                      \
/* finding, sex */                                                                                 \
X(SEX_FINDING_F, "Sex and finding contradict each other: %s in a patient whose sex is %s.",        \
  "性别与异常不符：%s，而患者性别为%s。")                                                          \
/* finding, its opposite */                                                                        \
X(OPPOSITE_F, "Both are reported, and at one time they exclude each other: %s, %s.",               \
  "两者均有报告，但同一时间互相排斥：%s，%s。")                                                    \
/* the summary */                                                                                  \
X(SUMMARY, "Summary", "摘要")                                                                      \
/* findings, denied, systems */                                                                    \
X(COUNTS_F, "Findings reported: %u; denied: %u; body systems concerned: %u.",                   \
  "病历报告 %u 项异常，否认 %u 项，涉及 %u 个身体系统。")                                          \
/* disease, percent, explained, weighed */                                                         \
X(FIRST_F, "First candidate: %s, post-test probability %.0f %%. It explains %u of the %u findings "\
  "that were weighed.", "首位候选：%s，检验后概率 %.0f %%。它能解释所权衡的 %u 项（共 %u 项）异常。") \
X(NEAREST_F, "No candidate is confident. The nearest is %s with %.0f %%; it explains %u of the %u "\
  "findings that were weighed.",                                                                   \
  "没有把握足够的候选。最接近的是 %s，概率 %.0f %%；它能解释所权衡的 %u 项（共 %u 项）异常。")     \
X(NO_RANKING, "No candidate: the record reports no finding that could be ranked.",                 \
  "没有候选：病历中没有可用于排序的异常。")                                                        \
X(TELLING_F, "Most telling for it: %s.", "最有力的依据：%s。") /* findings */                      \
X(AGAINST_F, "It does not explain: %s.", "它不能解释：%s。") /* findings */                        \
X(DENIED_F, "Usual in it, but denied: %s.", "此病常见、但病历否认：%s。") /* findings */           \
/* finding, disease, percent now, present, denied */                                               \
X(NEXT_F, "Ask next: %s. For %s, %.0f %% becomes %.0f %% if it is present, and %.0f %% if it is "  \
  "denied.", "下一步询问：%s。%s 的概率由 %.0f %% 变为：存在则 %.0f %%，否认则 %.0f %%。")         \
X(NO_QUESTION, "No open finding would let a listed candidate rise by a point or more.",            \
  "没有哪项未知的异常能使所列候选上升一个百分点以上。")                                            \
X(CONTRADICTED_F, "Findings reported in one place and denied, at least in general, in "            \
  "another: %u.", "%u 项异常在一处被报告，在另一处被否认（至少就大类而言）。")                         \
X(NONE_OF_THESE_F, "None of these diseases: %.0f %%.", "不是这些疾病：%.0f %%。") /* percent */    \
/* headings */                                                                                     \
X(SYSTEMS, "Body systems", "身体系统")                                                             \
/* system, observed, denied */                                                                     \
X(FIGURE_F, "%s: %u", "%s：%u")                                                                    \
X(FIGURE_BOTH_F, "%s: %u, %u denied", "%s：%u，否认 %u")                                           \
X(FIGURE_DENIED_F, "%s: %u denied", "%s：否认 %u")                                                 \
X(ELSEWHERE, "Not in one place:", "不限于某一部位：")                                              \
X(DIFFERENTIAL, "Differential", "鉴别诊断")                                                        \
X(NOT_CONFIDENT, "No confident candidate; the nearest are", "没有把握足够的候选；最接近的是")      \
X(QUESTIONS, "Next best questions", "下一步最值得询问")                                            \
X(CONTRADICTIONS, "Contradictions in the text", "文中的矛盾")                                      \
X(UNEXPLAINED, "Findings that no listed candidate explains", "所列候选均不能解释的异常")           \
X(EVIDENCE, "Evidence for each candidate", "各候选的依据")                                         \
X(OBSERVED, "Observed findings", "存在的异常")                                                     \
X(EXCLUDED, "Excluded findings", "已否认的异常")                                                   \
X(OTHERS, "Mentioned otherwise (family, past, uncertain, hypothetical)",                           \
  "以其他方式提及（家族、既往、不确定、假设）")                                                    \
X(GENE_LIST, "Beside the ranking: with the patient's genes", "排序之外：结合患者基因")                      \
/* rank, name, id, percent, what the gene says, what it was without */                             \
X(GENE_ROW_F, "%u. %s (%s), %.1f %%: %s; %s", "%u. %s（%s），%.1f %%：%s；%s")                     \
/* gene, alleles, inheritance, ratio */                                                            \
X(GENE_HIT_F, "%s with alleles hit: %u, inheritance %s, likelihood ratio %.1f",                    \
  "%s 受累等位基因 %u 个，遗传方式 %s，似然比 %.1f")                                               \
X(GENE_NONE, "no gene of it is hit", "其基因均未受累")                                             \
/* rank, percent */                                                                                \
X(GENE_BEFORE_F, "without genes rank %u, %.1f %%", "不计基因时排第 %u，%.1f %%")                   \
X(GENE_NEW, "without genes not among the candidates", "不计基因时不在候选之列")                    \
X(PINS, "The findings that weigh most, and what each changes", "权重最大的异常及其影响")           \
X(READING, "What was not read, and how the file was read", "未读内容与读取方式")                   \
X(SOURCES, "Sources", "来源")                                                                      \
X(ANNEX, "Annex", "附录")                                                                          \
X(FINDING, "Finding", "异常")                                                                      \
X(QUOTE, "In the record", "病历原文")                                                              \
X(STATUS, "Section, status", "章节，状态")                                                         \
X(DISEASE, "Disease", "疾病")                                                                      \
X(PROBABILITY, "Post-test probability", "检验后概率")                                              \
X(EXPLAINS, "Explains", "可解释")                                                                  \
X(RATIO, "Likelihood ratio", "似然比")                                                             \
X(NO_ROWS, "None.", "无。")                                                                        \
X(OTHER_SYSTEM, "Other", "其他")                                                                   \
X(OF_F, "%u of %u", "%u / %u")                                                                     \
X(LIST_COMMA, ", ", "、")                                                                          \
/* the differential */                                                                             \
X(NONE_F, "None of these: %.1f %%", "不是以上疾病：%.1f %%") /* percent */                         \
X(RATIO_NOTE, "Bars: likelihood ratio of each finding by published frequencies, on a scale of "    \
  "powers of ten. To the right it speaks for the disease, to the left against it.",                \
  "条形：按已发表频率得出的各异常似然比，以十的幂为刻度。向右支持该病，向左反对。")                \
X(RATIO_F, "%.1f", "%.1f")                                                                         \
X(RATIO_LARGE_F, "%.0f", "%.0f")                                                                   \
X(RATIO_FINE_F, "%.2f", "%.2f")                                                                    \
X(RATIO_SMALL_F, "1/%.0f", "1/%.0f")                                                               \
X(MATCHED, "Matched", "吻合")                                                                      \
X(IN_GENERAL, "Only in general", "仅大类相符")                                                     \
X(UNMATCHED, "Unmatched and denied", "不吻合与否认")                                               \
X(MATCH_EXACT, "the same finding", "相同的异常")                                                   \
X(MATCH_RELATED_F, "as %s", "对应：%s") /* the disease's own finding */                            \
X(MATCH_BROAD_F, "it has: %s", "此病有：%s")                                          \
X(MATCH_NONE, "not known in it", "此病未见报道")                                                   \
/* the disease's own finding */                                                                    \
X(MATCH_OPPOSITE_F, "speaks against it, which has the opposite: %s", "不利于该病：此病为相反的异常：%s") \
X(MATCH_EXCLUDED, "denied in the record", "病历中已否认")                                          \
X(PATIENTS_F, "%u of %u patients", "%u / %u 例患者")                                            \
X(SINGLE_CASE, "single case", "仅单例报道")                                                        \
X(PERCENT_F, "%.0f %% of patients", "%.0f %% 的患者")                                              \
X(FREQUENCY_UNKNOWN, "frequency not stated", "频率未说明")                                         \
X(TYPICAL, "Typical and not reported, the most informative first", "典型但未提及（按信息量排列）") \
X(SPEAK_AGAINST, "Would speak against it, if denied", "若否认则不利于该病")                        \
X(TIMES_F, "its probability times %.2f", "其概率乘以 %.2f")                                        \
X(NOT_EXPLAINED, "Not explained by it", "该病不能解释")                                            \
X(GENES, "Genes", "基因")                                                                          \
X(INHERITANCE, "Inheritance", "遗传方式")                                                          \
X(ONSET, "Onset", "起病年龄")                                                                      \
X(PREVALENCE, "Prevalence", "患病率")                                                              \
X(PREVALENCE_F, "1 in %.0f", "1 / %.0f")                                                           \
X(TOGETHER, "Counted as one with", "与下列条目合并计算")                                             \
/* entries, names */                                                                               \
X(TOGETHER_F, "It stands for %u entries that are one disease, also: %s.",                          \
  "该项代表属同一疾病的 %u 个条目，另有：%s。")                                                    \
X(TOGETHER_MORE_F, "%u more", "另有 %u 条")                                                        \
X(ORIGIN, "As stated by", "来源说明")                                                              \
X(LINKS, "Links", "链接")                                                                          \
X(MISSING, "Not in the knowledge base", "知识库中没有")                                            \
X(TRACE, "Reasoning trace: what each step added to the log odds",                                  \
  "推理过程：各步骤对对数几率的贡献")                                                              \
X(CAUTION, "Caution", "注意")                                                                      \
X(AD, "autosomal dominant", "常染色体显性")                                                        \
X(AR, "autosomal recessive", "常染色体隐性")                                                       \
X(XLD, "X-linked dominant", "X 连锁显性")                                                          \
X(XLR, "X-linked recessive", "X 连锁隐性")                                                         \
X(MITOCHONDRIAL, "mitochondrial", "线粒体遗传")                                                    \
X(YLINKED, "Y-linked", "Y 连锁")                                                                   \
X(MULTIFACTORIAL, "multifactorial", "多因素")                                                      \
X(SPORADIC, "sporadic", "散发")                                                                    \
X(ANTENATAL, "pregnancy", "胎儿期")                                                             \
X(NEONATAL, "birth", "出生时")                                                                  \
X(INFANCY, "infancy", "婴儿期")                                                                    \
X(CHILDHOOD, "childhood", "儿童期")                                                                \
X(TEENS, "adolescence", "青少年期")                                                                \
X(ADULT, "adult age", "成年期")                                                                    \
X(LATE, "late adult age", "老年期")                                                                \
X(CAUTION_GIRL, "X-linked or Y-linked: it seldom affects girls and women in full. The patient is " \
  "female.", "X 或 Y 连锁遗传：女性很少完全发病。患者为女性。")                                    \
/* findings */                                                                                     \
X(CAUTION_NOT_F, "Its sources say that patients with it do not show: %s.",                         \
  "其来源称该病患者不出现：%s。")                                                                  \
/* onset, age */                                                                                   \
X(CAUTION_EARLY_F, "Its known onset is not later than %s; the patient is %s old. It should have " \
  "shown since then.", "已知起病不晚于%s；患者现年 %s。应自那时起已有表现。")                      \
X(CAUTION_LATE_F, "Its known onset is not before %s; the patient is %s old.",                      \
  "已知起病不早于%s；患者现年 %s。")                                                               \
/* the steps of R1 */                                                                              \
X(STEP_PRIOR, "before any evidence", "无任何证据时")                                               \
X(STEP_FIT, "overall fit of the findings", "异常的总体吻合")                                       \
X(STEP_FINDINGS, "the single findings", "各项异常")                                                \
X(STEP_MATCH, "matched and unexplained findings", "吻合与不能解释的异常")                          \
X(STEP_TYPICAL, "typical findings not reported", "典型但未提及的异常")                             \
X(STEP_AGAINST, "sex, age and kind of entry", "性别、年龄与条目类型")                              \
X(STEP_DENIED, "denied findings", "否认的异常")                                                    \
X(STEP_SUM, "sum", "合计")                                                                         \
/* findings */                                                                                     \
X(DENIED_NOTE, "A denied finding only lowers the candidates that usually show it. What they lose " \
  "goes to \"none of these\", and no candidate rises.",                                            \
  "否认的异常只会降低通常有此异常的候选；降低的部分归入“不是以上疾病”，没有候选因此上升。")        \
X(PRESENT, "present", "存在")                                                                      \
X(ABSENT, "denied", "否认")                                                                        \
X(FAMILY, "of the family", "家族")                                                                 \
X(HISTORICAL, "in the past", "既往")                                                               \
X(HYPOTHETICAL, "hypothetical", "假设")                                                            \
X(UNCERTAIN, "uncertain", "不确定")                                                                \
X(ADDED_BY_REVIEWER, "added by the reviewer, not quoted from the record", "审阅者添加，非病历原文")      \
X(SECTION_START, "at the start of the record", "首个标题之前")                                     \
X(SECTION_OTHER, "under another heading", "其他标题下")                                            \
X(SECTION_PRESENT, "History of present illness", "现病史")                                         \
X(SECTION_PAST, "Past medical history", "既往史")                                                  \
X(SECTION_FAMILY, "Family history", "家族史")                                                      \
X(SECTION_EXAMINATION, "Physical examination", "体格检查")                                         \
X(SECTION_LABORATORY, "Laboratory", "实验室检查")                                                  \
X(SECTION_IMAGING, "Imaging", "影像学检查")                                                        \
X(SECTION_ASSESSMENT, "Assessment", "评估")                                                        \
X(SECTION_PLAN, "Plan", "计划")                                                                    \
X(SECTION_MEDICATIONS, "Medications", "用药")                                                      \
X(SECTION_SOCIAL, "Social history", "个人史")                                                      \
X(PINNED, "weighs most", "权重最大")                                                               \
X(NOT_RANKED, "not ranked", "未参与排序")                                                          \
X(MENTIONS_F, "%u mentions", "提及 %u 次")                                                         \
X(AND_DENIED_F, "denied as %s", "否认为：%s") /* the denied term */                                \
/* weight, points of a hundred, disease that is first without it */                                \
X(WITHOUT_F, "weight %.1f; without it the first candidate's probability changes by %+.1f "         \
  "percentage points, and first is %s",                                                            \
  "权重 %.1f；去掉它后首位候选的概率变化 %+.1f 个百分点，首位为 %s")                               \
X(QUESTION_F, "%s (%s): %.0f %% now, %.0f %% if present, %.0f %% if denied",                       \
  "%s（%s）：现为 %.0f %%，若存在 %.0f %%，若否认 %.0f %%")                                        \
X(SOURCE_F, "%s, version or date %s. %s. %s%s", "%s，版本或日期 %s。%s。%s%s")                     \
/* rows, rows */                                                                                   \
X(LEFT_OUT_F, ". Left out: %u rows that cannot be read, %u of unknown findings",                   \
  "。未采用：无法读取的行 %u，未知异常的行 %u")                                                    \
X(MORE_F, "%u more in the annex.", "另有 %u 项见附录。")                                           \
X(PAGE_F, "Page %d of %d", "第 %d 页，共 %d 页")
/* clang-format on */

/* The numbers of the table's rows, and the English ones for the compiler's check. */
#define MED_WORDS_NUMBER(id, en, zh) MED_WORD_##id,
typedef enum { MED_WORDS(MED_WORDS_NUMBER) MED_WORD_COUNT } med_word;
#undef MED_WORDS_NUMBER
#define MED_WORDS_ENGLISH(id, en, zh) static const char med_english_##id[] = en;
MED_WORDS(MED_WORDS_ENGLISH)
#undef MED_WORDS_ENGLISH

/* english: the row's own. */
__attribute__((format_arg(3))) const char *med_words_in(med_words_language language, med_word word,
                                                        const char *english);
#define MED_SAY(language, id) med_words_in((language), MED_WORD_##id, med_english_##id)

/* The word for a status, section, match or evidence step as the report names them ("absent"), in
 * that language; the name itself where we have none. */
const char *med_words_of(med_words_language language, const char *name);

#endif
