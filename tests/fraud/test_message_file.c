/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages out of files: each form and each fault of it by a table of small files, random tables
 * of fields against what was written, and a pipe that stays open. */
#include "payment/message_csv.h"
#include "payment/message_file.h"
#include "payment/message_json.h"
#include "support/r1_test.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "id;from;to\n"

/* What a file gives, as one text: "L1 {...}" a message, "L2! why" a fault, "E why" the end by an
 * error; then the notes. */
static char *messages_of(const char *bytes, size_t len, bool as_lines)
{
    const char *path = r1_test_in_tmp("messages");
    r1_err err = {0};
    fraud_messages *m;
    fraud_messages_item item;
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    R1_ASSERT_OK(r1_file_write(path, bytes, len, &err), &err);
    R1_ASSERT_OK(fraud_messages_open(&m, path, as_lines, NULL, &err), &err);
    r1_status st;
    while ((st = fraud_messages_next(m, &item, &err)) == R1_OK && item.what != FRAUD_MESSAGES_END)
        fprintf(f, "L%zu%s %s\n", item.line, item.what == FRAUD_MESSAGES_FAULT ? "!" : "",
                item.what == FRAUD_MESSAGES_FAULT ? item.why : item.text);
    if (st != R1_OK) fprintf(f, "E %s\n", err.msg);
    fraud_messages_notes(m, f);
    char hint[256];
    fprintf(f, "%s", fraud_messages_hint(m, hint, sizeof hint));
    fraud_messages_counts c = fraud_messages_count(m);
    if (c.n_blank) fprintf(f, "blank %zu\n", c.n_blank);
    fclose(f);
    fraud_messages_close(m);
    return text;
}

static const struct {
    const char *file, *parts[4]; /* parts of what it gives; one that begins with '-' is not in it */
} files[] = {
    /* ISO 20022 */
    {"<?xml version=\"1.0\"?>\n<Document "
     "xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\">\n"
     "<FIToFICstmrCdtTrf><GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-30T14:05:09+01:00</CreDtTm>"
     "</GrpHdr>\n<CdtTrfTxInf><PmtId><EndToEndId>E1</EndToEndId><TxId> T1 </TxId></PmtId>"
     "<IntrBkSttlmAmt Ccy=\"EUR\">125.50</IntrBkSttlmAmt><Dbtr><Nm>Ann</Nm></Dbtr><DbtrAcct><Id>"
     "<IBAN>DE02120300000000202051</IBAN></Id></DbtrAcct><CdtrAcct><Id><Othr><Id>77</Id></Othr>"
     "</Id></CdtrAcct><RmtInf><Ustrd>rent &amp; heat</Ustrd><Ustrd>May</Ustrd></RmtInf>"
     "</CdtTrfTxInf>\n<CdtTrfTxInf><PmtId><EndToEndId>NOTPROVIDED</EndToEndId></PmtId>"
     "<IntrBkSttlmAmt Ccy=\"JPY\">9</IntrBkSttlmAmt><Cdtr><Nm>Bob</Nm></Cdtr></CdtTrfTxInf>"
     "</FIToFICstmrCdtTrf></Document>",
     {"L4 {\"tx_id\":\"T1\",\"ts\":\"2026-11-30T14:05:09+01:00\",\"kind\":\"transfer\","
      "\"from\":\"DE02120300000000202051\",\"to\":\"77\",\"amount\":\"125.50\",\"currency\":"
      "\"EUR\",\"text\":\"rent & heat May\"}",
      "L5 {\"tx_id\":\"M1-2\",", "\"to\":\"Bob\",\"amount\":\"9\",\"currency\":\"JPY\"}",
      "  1 payments have no id by a bank"}},
    {"<Document "
     "xmlns=\"urn:x:pain.001\"><CstmrCdtTrfInitn><GrpHdr><MsgId>M7</MsgId></GrpHdr><PmtInf>"
     "<Dbtr><Id><OrgId>firm</OrgId></Id></Dbtr>"
     "<CdtTrfTxInf><PmtId><EndToEndId>SALARY</EndToEndId></PmtId></CdtTrfTxInf>"
     "<CdtTrfTxInf><PmtId><EndToEndId>SALARY</EndToEndId></PmtId></CdtTrfTxInf></PmtInf>"
     "</CstmrCdtTrfInitn></Document>",
     {"\"tx_id\":\"M7-1\"", "\"tx_id\":\"M7-2\"", "2 payments have no id by a bank"}},
    {"<Document xmlns=\"urn:x:camt.053\"><BkToCstmrStmt><Stmt><Id>S1</Id><Ntry><NtryRef>1</NtryRef>"
     "</Ntry><Ntry><Sts>PDNG</Sts></Ntry></Stmt><Stmt><Id>S2</Id><Ntry><NtryRef>1</NtryRef></Ntry>"
     "</Stmt></BkToCstmrStmt></Document>",
     {"\"tx_id\":\"S1-1\"", "! Ntry: expected a payment, found an entry that is not booked yet",
      "\"tx_id\":\"S2-3\""}},
    {"<p:Document xmlns:p=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\"><p:CstmrCdtTrfInitn>"
     "<p:PmtInf><p:ReqdExctnDt><p:Dt>2026-12-01</p:Dt></p:ReqdExctnDt><p:DbtrAcct><p:Id><p:IBAN>"
     "A</p:IBAN></p:Id></p:DbtrAcct><p:CdtTrfTxInf><p:PmtId><p:EndToEndId>1</p:EndToEndId></"
     "p:PmtId>"
     "<p:Amt><p:InstdAmt Ccy=\"EUR\">1</p:InstdAmt></p:Amt><p:CdtrAcct><p:Id><p:IBAN>B</p:IBAN>"
     "</p:Id></p:CdtrAcct></p:CdtTrfTxInf></"
     "p:PmtInf><p:PmtInf><p:CdtTrfTxInf><p:PmtId><p:EndToEndId>"
     "2</p:EndToEndId></p:PmtId></p:CdtTrfTxInf></p:PmtInf></p:CstmrCdtTrfInitn></p:Document>",
     {"{\"tx_id\":\"1\",\"ts\":\"2026-12-01T00:00:00\",\"kind\":\"transfer\",\"from\":\"A\","
      "\"to\":\"B\",\"amount\":\"1\",\"currency\":\"EUR\"}",
      "{\"tx_id\":\"2\",\"kind\":\"transfer\"}", "1 payments have a date without a time"}},
    {"<Document "
     "xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><Stmt><Acct>"
     "<Id><IBAN>ME</IBAN></Id></Acct><Ntry><NtryRef>N1</NtryRef><Amt Ccy=\"EUR\">30</Amt>"
     "<CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><DtTm>2026-12-01T10:00:00Z</DtTm>"
     "</BookgDt><NtryDtls><TxDtls><Refs><TxId>a</TxId></Refs><Amt Ccy=\"EUR\">10</Amt><RltdPties>"
     "<CdtrAcct><Id><IBAN>X</IBAN></Id></CdtrAcct></RltdPties></TxDtls></"
     "NtryDtls><NtryDtls><TxDtls>"
     "<Refs><TxId>b</TxId></Refs><Amt Ccy=\"EUR\">20</Amt><RltdPties><Cdtr><Pty><Nm>Y</Nm></Pty>"
     "</Cdtr></RltdPties></TxDtls></NtryDtls></Ntry>\n<Ntry><NtryRef>N2</NtryRef><Amt Ccy=\"EUR\">5"
     "</Amt><CdtDbtInd>CRDT</CdtDbtInd><RvslInd>true</RvslInd></Ntry>\n<Ntry><NtryRef>N3</NtryRef>"
     "<Amt Ccy=\"EUR\">7</Amt><CdtDbtInd>CRDT</CdtDbtInd></Ntry></Stmt></BkToCstmrStmt></Document>",
     {"{\"tx_id\":\"a\",\"ts\":\"2026-12-01T10:00:00Z\",\"kind\":\"transfer\",\"from\":\"ME\","
      "\"to\":\"X\",\"amount\":\"10\",\"currency\":\"EUR\"}\nL1 {\"tx_id\":\"b\",",
      "\"to\":\"Y\",\"amount\":\"20\"", "L2! Ntry: expected a payment, found an entry that takes",
      "L3 {\"tx_id\":\"N3\",\"kind\":\"transfer\",\"to\":\"ME\",\"amount\":\"7\""}},
    {"<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><Document xmlns=\"urn:x:pacs.008\">"
     "<CdtTrfTxInf>&e;</CdtTrfTxInf></Document>",
     {"E ", "expected a message without a document type, found one", "-L1", "-root:"}},
    {"<Document xmlns=\"urn:x:pacs.008\"><CdtTrfTxInf><PmtId><TxId>1</TxId></PmtId></CdtTrfTxInf>\n"
     "<CdtTrfTxInf><PmtId>",
     {"L1 {\"tx_id\":\"1\"", "E ", "line 2: expected XML to its end, found a fault"}},
    {"<Document xmlns=\"urn:x:camt.053\"/>", {"-L1", "-E "}},
    /* CSV: rows */
    {HEAD "1;A;B\n2;A;\"B;\"\"x\"\n",
     {"L2 {\"id\":\"1\"", "L3 {\"id\":\"2\",\"from\":\"A\",\"to\":\"B;\\\"x\"}"}},
    {HEAD "1;A\n2;A;B\n", {"L2! expected 3 fields, as the header has, found 2", "L3 {"}},
    {HEAD "1;A;B;C\n2;A;B\n",
     {"L2! expected 3 fields, as the header has, found 4, the last one \"C\"", "L3 {"}},
    {HEAD "1;A;B;;\n", {"L2 {", "1 rows end in separators with nothing behind, first in line 2"}},
    {HEAD "\n;;\n1;A;B\n \n", {"L4 {", "blank 3"}},
    {HEAD "1;A;NULL\n2;A;\\N\n3;n/a;\"NULL\"\n",
     {"{\"id\":\"1\",\"from\":\"A\"}", "{\"id\":\"3\",\"to\":\"NULL\"}", "3 fields hold NULL",
      "first in line 2"}},
    {HEAD "1;A;B\nid;from;to\n2;A;B\n",
     {"L3! expected a row, found the names of the columns again", "L4 {"}},
    {HEAD "1; A ;\" B\"\n", {"\"from\":\"A\",\"to\":\" B\"}"}},
    /* CSV: quotes */
    {HEAD "1;A;\"B\n2;A;B\n",
     {"L2! field 3: expected a closing quote, found none up to the end", "L3 {"}},
    {HEAD "1;\"A;B\n2;A;B\n3;\"A\";B\n4;A;B\n",
     {"L2! field 2: expected ; or the end of the line behind the closing quote, which is that of "
      "line 4",
      "L3 {", "L4 {", "L5 {"}},
    {HEAD "1;\"A;B\n2;A;B\n3;A\";B\n4;A;B\n",
     {"L2! field 2: expected a closing quote, found one only lines below", "L3 {", "L4 {", "L5 {"}},
    {HEAD "1;\"A\"x;B\n2;A;B\n", {"found \"x\"", "L3 {"}},
    {HEAD "1;A;\"two\nlines\"\n\"2\";\"A\";\"B\n\nC\"\n3;A;B\n",
     {"\"to\":\"two\\nlines\"}", "L4 {\"id\":\"2\"", "\"to\":\"B\\n\\nC\"}", "L7 {"}},
    {HEAD "1;\"A\nx\"\n2;A;B\n",
     {"L2! expected 3 fields, as the header has, found 2 in lines 2 to 3", "L3! ", "L4 {"}},
    /* CSV: the header */
    {"sep=;\n" HEAD "1,5;A;B\n", {"L3 {\"id\":\"1,5\"", "line 1: \"sep=\" names the separator, ;"}},
    {"id|from|to\n1|A|B\n", {"L2 {\"id\":\"1\",\"from\":\"A\",\"to\":\"B\"}"}},
    {"id,amount (EUR; gross),to\n1,A,B\n",
     {"{\"id\":\"1\",\"amount (EUR; gross)\":\"A\",\"to\":\"B\"}"}},
    {"\n" HEAD "1;A;B\n", {"L3 {\"id\""}},
    {"id;IBAN;IBAN\n1;A;B\n",
     {"\"IBAN\":\"A\",\"IBAN (2)\":\"B\"", "line 1: column 3 has the name of an earlier one"}},
    {";from;to\n1;A;B\n",
     {"{\"column 1\":\"1\"", "line 1: column 1 has no name: read as \"column 1\""}},
    {"id;from;to;;\n1;A;B\n", {"L2 {"}},
    {"1;DE89370400440532013000;125.50\n2;A;3\n",
     {"E ", "line 1: expected the names of the columns, found values as \"DE89370400440532013000\" "
            "and \"125.50\""}},
    {"20;50K;59\nR1;A;B\n", {"L2 {\"20\":\"R1\""}},
    {"hello\nworld\n", {"expected JSON, or the names of columns", "found \"hello\""}},
    {"Account;DE1\n\n" HEAD "1;A;B\n2;A;B\n",
     {"L3! expected 2 fields", "Most rows have 3 fields, first in line 3, and the header has 2",
      "tail -n +3"}},
    {HEAD, {"-L", "-E"}},
    {"", {"-L", "-E"}},
    /* ends of line */
    {"id;a\r\n1;2\r\n", {"{\"id\":\"1\",\"a\":\"2\"}", "-several kinds"}},
    {"id;a\r1;2\r3;4", {"L2 {", "L3 {", "-several kinds"}},
    {"id;a\r\n1;2\n3;4\r5;6", {"L4 {", "several kinds: 1 LF, 1 CRLF, 1 CR"}},
    {"{\"id\":1}\r{\"id\":2}\r\n", {"L1 {\"id\":1}\n", "L2 {\"id\":2}\n"}},
    /* JSON */
    {"\xef\xbb\xbf{\"id\":1}\n\n{\"id\":\n", {"L1 {\"id\":1}", "L3 {\"id\":", "blank 1"}},
    {"{\n \"id\": 1,\n \"a\": \"} \\\" {\"\n}\n{ \"id\": 2 }\n",
     {"L1 { \"id\": 1, \"a\": \"} \\\" {\" }", "L5 { \"id\": 2 }"}},
    {"{\"a\": [\n{\"id\": 1},\n{\"id\": 2}\n]}\n", {"L1 {\"a\": [ {\"id\": 1}, {\"id\": 2} ]}\n"}},
    {"{\"id\":\"cut\nnonsense\n{\"id\":2}\n", {"L1 {\"id\":\"cut\n", "L3 {\"id\":2}\n"}},
    {"{\"id\":1,\n{\"id\":2}\n", {"L1 {\"id\":1,\n", "L2 {\"id\":2}\n"}},
    {"[{\"a\":125.10},\n\n [1, \"x\"], \"],\", 7]\n",
     {"L1 {\"a\":125.10}\n", "L3 [1, \"x\"]\n", "L3 \"],\"\n", "L3 7\n"}},
    {"[]", {"-L", "-E"}},
    {"[{\"a\":1}",
     {"L1 {", "E ", "line 1: expected a comma or ] behind a message of the array, found the end"}},
    {"[{\"a\":1},\n{\"a\":", {"L1 {", "line 2: expected the end of the message that begins here"}},
    {"[1,,2]", {"L1 1", "expected a message or ], found \",\""}},
    {"[1,]", {"L1 1", "expected a message or ], found \"]\""}},
    {"[1] 2", {"L1 1", "expected nothing behind the array's ], found \"2\""}},
    {"{\n\"a\":1},\n{\"b\":2}", {"L1 {", "expected { of the next message, found \",\""}},
    /* other files */
    {"<?xml version=\"1.0\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.029.001.02\">",
     {"found XML (root element Document, urn:iso:std:iso:20022:tech:xsd:camt.029.001.02): turn it "
      "into JSON"}},
    {"<!DOCTYPE html><html><body>", {"found HTML"}},
    {"PK\x03\x04 and so on", {"found a ZIP archive, as .xlsx"}},
    {"\x1f\x8b and so on", {"found gzip: write gunzip -c"}},
    {":20:STARTUMSE\n:25:", {"found a SWIFT statement (MT940 or MT942)"}},
    {"{1:F01BANKDEFF}{2:I103}", {"found a SWIFT message (FIN)"}},
    {HEAD "1;M\xfcller;B\n", {"line 2, byte 4: expected UTF-8, found byte 0xfc, as latin1 has"}},
    {"[\n{\"a\":\"\xfc\"}]", {"line 2, byte 7 of the message: expected UTF-8, found byte 0xfc"}},
};

static void test_files(void)
{
    for (size_t i = 0; i < R1_COUNT(files); i++) {
        char *found = messages_of(files[i].file, strlen(files[i].file), false);
        for (size_t k = 0; k < R1_COUNT(files[i].parts) && files[i].parts[k]; k++) {
            const char *part = files[i].parts[k];
            bool good = *part == '-' ? !strstr(found, part + 1) : strstr(found, part) != NULL;
            if (!good) printf("%s\nexpected %s, found\n%s\n", files[i].file, part, found);
            CU_ASSERT_TRUE(good);
        }
        free(found);
    }
}

static void test_bytes(void)
{
    static const char nul[] = HEAD "1;A\0B;C\n2;A;B\n";
    char *found = messages_of(nul, sizeof nul - 1, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(found, "L2! byte 4: expected text, found a byte of zero"));
    CU_ASSERT_PTR_NOT_NULL(strstr(found, "L3 {"));
    free(found);
    found = messages_of("no payment\n<x>\r\n", 16, true);
    CU_ASSERT_STRING_EQUAL(found, "L1 no payment\nL2 <x>\r\n");
    free(found);
}

/* A line or row of more than the bound costs itself alone. */
static void test_long(void)
{
    static const char *const begins[] = {"{}\n{\"a\":\"", HEAD "1;A;"}, *const ends[] = {
                                                                            "\"}\n{}\n",
                                                                            "\n2;A;B\n"};
    size_t size = FRAUD_MESSAGE_BYTES_MAX + 1000;
    char *file = malloc(size + 100);
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(begins[i]);
        memcpy(file, begins[i], n);
        memset(file + n, 'x', size);
        memcpy(file + n + size, ends[i], strlen(ends[i]));
        char *found = messages_of(file, n + size + strlen(ends[i]), false);
        CU_ASSERT_PTR_NOT_NULL(strstr(found, "L2! expected at most 1048576 bytes, found 1"));
        CU_ASSERT_PTR_NOT_NULL(strstr(found, "L3 {"));
        free(found);
    }
    free(file);
}

/* ---- random tables ---- */

enum { ROWS = 12, COLUMNS_MAX = 6, FIELD_BYTES = 16 };

/* A field of signs that CSV must quote; ends of line only where no separator is. */
static void random_field(r1_rng *rng, bool lines, char out[FIELD_BYTES])
{
    const char *signs = !lines || r1_rng_below(rng, 4) ? "ab;\"c d" : "ab\"\nd";
    size_t n = 1 + r1_rng_below(rng, FIELD_BYTES - 2);
    for (size_t i = 0; i < n; i++) out[i] = signs[r1_rng_below(rng, strlen(signs))];
    out[0] = out[n - 1] = 'x';
    out[n] = 0;
}

static void write_field(FILE *f, const char *text, bool always)
{
    bool quoted = always || strpbrk(text, ";\"\n");
    if (quoted) putc('"', f);
    for (; *text; text++) fprintf(f, *text == '"' ? "\"\"" : "%c", *text);
    if (quoted) putc('"', f);
}

/* Writes a table; want[i]: what row i must give. */
static void random_table(r1_rng *rng, bool lines, char *want[ROWS], char **text, size_t *len)
{
    char field[FIELD_BYTES], name[24];
    size_t n = 2 + r1_rng_below(rng, COLUMNS_MAX - 1);
    bool always = r1_rng_below(rng, 2);
    FILE *f = open_memstream(text, len);
    for (size_t k = 0; k < n; k++) fprintf(f, "%sc%zu", k ? ";" : "", k);
    putc('\n', f);
    for (int i = 0; i < ROWS; i++) {
        json_t *o = json_object();
        for (size_t k = 0; k < n; k++) {
            random_field(rng, lines, field);
            if (k) putc(';', f);
            write_field(f, field, always);
            snprintf(name, sizeof name, "c%zu", k);
            json_object_set_new(o, name, json_string(field));
        }
        fprintf(f, i % 2 ? "\r\n" : "\n");
        want[i] = json_dumps(o, JSON_COMPACT);
        json_decref(o);
    }
    fclose(f);
}

/* Each table comes back; and where rows are lines, one quote too many costs the row in which it
 * stands, and no other one but the next. */
static void test_random_tables(void)
{
    r1_rng rng;
    r1_rng_seed(&rng, r1_test_seed());
    for (int round = 0; round < 40; round++) {
        char *want[ROWS], *table;
        size_t len, missing = 0;
        random_table(&rng, round % 2, want, &table, &len);
        char *found = messages_of(table, len, false);
        for (int i = 0; i < ROWS; i++) {
            if (!strstr(found, want[i])) printf("%s\nlacks %s in\n%s\n", table, want[i], found);
            CU_ASSERT_PTR_NOT_NULL(strstr(found, want[i]));
        }
        CU_ASSERT_PTR_NULL(strstr(found, "!"));
        free(found);
        size_t at = (size_t)(strchr(table, '\n') - table) + 1;
        at += r1_rng_below(&rng, len - at);
        char *broken = malloc(len + 1);
        memcpy(broken, table, at);
        broken[at] = '"';
        memcpy(broken + at + 1, table + at, len - at);
        found = messages_of(broken, len + 1, false);
        for (int i = 0; i < ROWS; i++) missing += !strstr(found, want[i]);
        if (missing > 2 && !(round % 2))
            printf("%zu rows of\n%.*s\nare missing in\n%s\n", missing, (int)len + 1, broken, found);
        CU_ASSERT_TRUE(missing <= 2 || round % 2);
        for (int i = 0; i < ROWS; i++) free(want[i]);
        free(broken);
        free(found);
        free(table);
    }
}

/* ---- a pipe ---- */

/* Each message comes as soon as its line is whole, while the pipe stays open. */
static void test_pipe(void)
{
    static const char *const parts[][2] = {{"{\"id\":1}\n", "{\"id\":1}"},
                                           {"{\"id\":2}\r", "{\"id\":2}"},
                                           {"\n{\"id\":3}\n", "{\"id\":3}"}};
    const char *path = r1_test_in_tmp("pipe");
    r1_err err = {0};
    fraud_messages *m;
    fraud_messages_item item;
    unlink(path);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR); /* both ends: nobody waits for the other one */
    R1_ASSERT_OK(fraud_messages_open(&m, path, false, NULL, &err), &err);
    for (size_t i = 0; i < R1_COUNT(parts); i++) {
        CU_ASSERT_EQUAL(write(fd, parts[i][0], strlen(parts[i][0])), (ssize_t)strlen(parts[i][0]));
        R1_ASSERT_OK(fraud_messages_next(m, &item, &err), &err);
        CU_ASSERT_EQUAL(item.what, FRAUD_MESSAGES_ONE);
        CU_ASSERT_STRING_EQUAL(item.text, parts[i][1]);
        CU_ASSERT_EQUAL(item.line, i + 1);
    }
    close(fd);
    fraud_messages_close(m);
}

static bool always(void) { return true; }

/* A reader that waits for a pipe can be stopped; a path that is not there is named in full. */
static void test_ends(void)
{
    const char *path = r1_test_in_tmp("pipe");
    r1_err err = {0};
    fraud_messages *m;
    fraud_messages_item item;
    int fd = open(path, O_RDWR);
    R1_ASSERT_OK(fraud_messages_open(&m, path, false, always, &err), &err);
    CU_ASSERT_EQUAL(fraud_messages_next(m, &item, &err), R1_E_CANCELLED);
    fraud_messages_close(m);
    close(fd);
    CU_ASSERT_EQUAL(fraud_messages_open(&m, "no/such.csv", false, NULL, &err), R1_E_NOT_FOUND);
    char folder[2048];
    CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(folder, sizeof folder));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "no/such.csv: No such file"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, folder));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "/no/such.csv, from where the program was started"));
    CU_ASSERT_NOT_EQUAL(fraud_messages_open(&m, "/no/such.csv", false, NULL, &err), R1_OK);
    CU_ASSERT_PTR_NULL(strstr(err.msg, "relative"));
}

/* Who stops after a few messages is told of no end of line that the file does not have: the last
 * one read may be a CR whose LF was not looked at yet. */
static void test_stops_early(void)
{
    static const struct {
        const char *file;
        bool several;
    } cases[] = {{"id;a\r\n1;2\r\n3;4\r\n5;6\r\n", false},
                 {"id;a\r1;2\r3;4\r5;6\r", false},
                 {"id;a\n1;2\n3;4\n5;6\n", false},
                 {"{\"a\":1}\r\n{\"a\":2}\r\n{\"a\":3}\r\n", false},
                 {"id;a\r\n1;2\n3;4\r\n5;6\r\n", true},
                 {"id;a\r\n1;2\r3;4\r5;6", true}};
    const char *path = r1_test_in_tmp("messages");
    r1_err err = {0};
    fraud_messages *m;
    fraud_messages_item item;
    for (size_t i = 0; i < R1_COUNT(cases); i++)
        for (int limit = 2; limit < 5; limit++) {
            char *text;
            size_t n;
            R1_ASSERT_OK(r1_file_write(path, cases[i].file, strlen(cases[i].file), &err), &err);
            R1_ASSERT_OK(fraud_messages_open(&m, path, false, NULL, &err), &err);
            for (int k = 0; k < limit; k++) R1_ASSERT_OK(fraud_messages_next(m, &item, &err), &err);
            FILE *f = open_memstream(&text, &n);
            fraud_messages_notes(m, f);
            fclose(f);
            bool several = strstr(text, "several kinds");
            if (several != cases[i].several) printf("case %zu, %d messages: %s\n", i, limit, text);
            CU_ASSERT_EQUAL(several, cases[i].several);
            free(text);
            fraud_messages_close(m);
        }
}

R1_TEST_MAIN("message_file", {"files", test_files}, {"bytes", test_bytes}, {"long", test_long},
             {"random tables", test_random_tables}, {"a pipe", test_pipe}, {"ends", test_ends},
             {"ends of line where reading stops", test_stops_early})
