/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_iso.c - see message_iso.h. The parser walks the message. What holds one transaction or
 * one entry is made a tree, read, and let go. What stands before them (the group header, the
 * debtor of a batch, the account of a statement) is kept. Names count without their namespace, so
 * each version and each bank's wrapping is read. */
#include "payment/message_iso.h"

#include "payment/message_json.h"
#include "r1_assert.h"

#include <jansson.h>
#include <libxml/xmlreader.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_BYTES = 160 };

typedef enum { ISO_NO_ID, ISO_DATE, ISO_NAME, N_ISO_GUESS } iso_guess;

struct message_iso {
    xmlTextReaderPtr reader;
    int (*read)(void *ctx, char *to, int cap);
    void *ctx;
    size_t since; /* bytes that were read since the last transaction */
    bool failed, large;
    /* Owned; NULL: not there. Of the group header; of the batch; of the statement's account. */
    xmlChar *message_id, *created, *settled, *wanted, *debtor, *account, *statement_id;
    xmlNodePtr entry, detail; /* in hand; detail: the next one of it */
    size_t n_message, n_guess[N_ISO_GUESS];
    size_t line;
    char *text; /* of the last message */
    char why[WHY_BYTES];
};

static const struct {
    const char *kind, *root;
} iso_kinds[] = {{"pacs.008", "FIToFICstmrCdtTrf"},
                 {"pain.001", "CstmrCdtTrfInitn"},
                 {"camt.052", "BkToCstmrAcctRpt"},
                 {"camt.053", "BkToCstmrStmt"},
                 {"camt.054", "BkToCstmrDbtCdtNtfctn"}};

const char *message_iso_kind(const char *beginning)
{
    for (size_t i = 0; i < R1_COUNT(iso_kinds); i++)
        if (strstr(beginning, iso_kinds[i].kind) || strstr(beginning, iso_kinds[i].root))
            return iso_kinds[i].kind;
    return NULL;
}

/* ---- life ---- */

static int iso_read(void *ctx, char *to, int cap)
{
    message_iso *x = ctx;
    int n = x->read(x->ctx, to, cap);
    if (n < 0) x->failed = true;
    if (n > 0) x->since += (size_t)n;
    x->large = x->large || x->since > MESSAGE_ISO_BYTES_MAX;
    return x->large ? -1 : n;
}

/* The parser's own words are told by iso_refuse. */
static void iso_quiet(void *ctx, const char *text, xmlParserSeverities how,
                      xmlTextReaderLocatorPtr at)
{
    message_iso *x = ctx;
    (void)how, (void)at;
    if (!*x->why) snprintf(x->why, sizeof x->why, "%.*s", (int)strcspn(text, "\n"), text);
}

r1_status message_iso_new(message_iso **out, int (*read)(void *ctx, char *to, int cap), void *ctx,
                          r1_err *err)
{
    *out = NULL;
    message_iso *x = calloc(1, sizeof *x);
    if (!x) R1_FAIL(err, R1_E_NOMEM, "no memory to read XML");
    x->read = read;
    x->ctx = ctx;
    x->reader = xmlReaderForIO(iso_read, NULL, x, NULL, NULL,
                               XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES);
    if (!x->reader) {
        free(x);
        R1_FAIL(err, R1_E_NOMEM, "no memory to read XML");
    }
    xmlTextReaderSetErrorHandler(x->reader, iso_quiet, x);
    *out = x;
    return R1_OK;
}

static void iso_drop(xmlChar **text)
{
    xmlFree(*text);
    *text = NULL;
}

void message_iso_free(message_iso *x)
{
    if (!x) return;
    xmlFreeTextReader(x->reader);
    iso_drop(&x->message_id);
    iso_drop(&x->created);
    iso_drop(&x->settled);
    iso_drop(&x->wanted);
    iso_drop(&x->debtor);
    iso_drop(&x->account);
    iso_drop(&x->statement_id);
    free(x->text);
    free(x);
}

static r1_status iso_refuse(const message_iso *x, r1_err *err)
{
    const int line = xmlTextReaderGetParserLineNumber(x->reader);
    if (x->large)
        R1_FAIL(err, R1_E_FORMAT,
                "line %d: expected a transaction of at most %d bytes of XML, found a larger one",
                line, MESSAGE_ISO_BYTES_MAX);
    R1_FAIL(err, R1_E_FORMAT, "line %d: expected XML to its end, found a fault%s%s", line,
            *x->why ? ": " : "", x->why);
}

/* ---- texts of a tree ---- */

/* The element below by this name: the first one, or the next one behind `after`. */
static xmlNodePtr iso_child(const xmlNode *node, const char *name, size_t len, xmlNodePtr after)
{
    for (xmlNodePtr at = after ? after->next : node->children; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE && strlen((const char *)at->name) == len &&
            !memcmp(at->name, name, len))
            return at;
    return NULL;
}

/* By a path as "PmtId/TxId", the first one at each step. */
static xmlNodePtr iso_at(xmlNodePtr node, const char *path)
{
    while (node && *path) {
        const size_t len = strcspn(path, "/");
        node = iso_child(node, path, len, NULL);
        path += len + (path[len] == '/');
    }
    return node;
}

/* Without blanks at both ends; NULL: not there, or empty. xmlFree. */
static xmlChar *iso_text(xmlNodePtr node, const char *path)
{
    xmlNodePtr at = iso_at(node, path);
    xmlChar *text = at ? xmlNodeGetContent(at) : NULL;
    if (!text) return NULL;
    char *from = (char *)text;
    const size_t blank = strspn(from, " \t\r\n");
    size_t len = strlen(from + blank);
    while (len && strchr(" \t\r\n", from[blank + len - 1])) len--;
    memmove(from, from + blank, len);
    from[len] = 0;
    if (!len) iso_drop(&text);
    return text;
}

/* The first of these paths, which end with NULL, that has a text. */
static xmlChar *iso_first(xmlNodePtr node, const char *const *paths)
{
    xmlChar *text = NULL;
    for (; !text && *paths; paths++) text = iso_text(node, *paths);
    return text;
}

static bool iso_is(xmlNodePtr node, const char *path, const char *value)
{
    xmlChar *text = iso_text(node, path);
    const bool same = text && !strcmp((char *)text, value);
    xmlFree(text);
    return same;
}

static xmlChar *iso_account(xmlNodePtr account)
{
    static const char *const paths[] = {"Id/IBAN", "Id/Othr/Id", "Prxy/Id", NULL};
    return account ? iso_first(account, paths) : NULL;
}

/* Of the account below `at`, else the name of its owner there. */
static xmlChar *iso_party(message_iso *x, xmlNodePtr at, const char *account, const char *owner)
{
    char name[64];
    xmlChar *text = iso_account(iso_at(at, account));
    if (text) return text;
    snprintf(name, sizeof name, "%s/Nm", owner);
    text = iso_text(at, name);
    if (!text) { /* since 2019 a party stands one deeper */
        snprintf(name, sizeof name, "%s/Pty/Nm", owner);
        text = iso_text(at, name);
    }
    x->n_guess[ISO_NAME] += text != NULL;
    return text;
}

/* ---- one payment ---- */

/* Takes the text. */
static void iso_put_own(json_t *o, const char *key, xmlChar *text)
{
    if (text) json_object_set_new(o, key, json_string((char *)text));
    xmlFree(text);
}

static void iso_put_copy(json_t *o, const char *key, const xmlChar *text)
{
    if (text) json_object_set_new(o, key, json_string((const char *)text));
}

static xmlChar *iso_first_id(xmlNodePtr at, const char *const *paths)
{
    xmlChar *id = NULL;
    for (; !id && *paths; paths++) {
        id = iso_text(at, *paths);
        if (id && !strcmp((char *)id, "NOTPROVIDED")) iso_drop(&id);
    }
    return id;
}

/* banks: ids that a bank gave. What the payer wrote, such as an EndToEndId, is often one text for
 * all salaries, so the message's own id and the place of the payment go before it. */
static void iso_put_id(message_iso *x, json_t *o, xmlNodePtr at, const char *const *banks,
                       const char *const *payers)
{
    const xmlChar *of = x->statement_id ? x->statement_id : x->message_id;
    xmlChar *id = iso_first_id(at, banks);
    char own[128];
    if (!id && !of) id = iso_first_id(at, payers);
    if (!id) {
        x->n_guess[ISO_NO_ID]++;
        snprintf(own, sizeof own, "%.96s-%zu", of ? (const char *)of : "iso20022", x->n_message);
        json_object_set_new(o, "tx_id", json_string(own));
    }
    iso_put_own(o, "tx_id", id);
}

/* A date alone begins its day. Takes the text. */
static void iso_put_time(message_iso *x, json_t *o, xmlChar *time)
{
    char whole[40];
    if (time && !strchr((char *)time, 'T')) {
        x->n_guess[ISO_DATE]++;
        snprintf(whole, sizeof whole, "%.10sT00:00:00", (char *)time);
        json_object_set_new(o, "ts", json_string(whole));
        xmlFree(time);
        return;
    }
    iso_put_own(o, "ts", time);
}

static bool iso_put_amount(json_t *o, xmlNodePtr at, const char *path)
{
    xmlNodePtr amount = iso_at(at, path);
    if (!amount) return false;
    iso_put_own(o, "amount", iso_text(amount, ""));
    iso_put_own(o, "currency", xmlGetNoNsProp(amount, (const xmlChar *)"Ccy"));
    return true;
}

/* All lines of free text, else the creditor's reference. */
static void iso_put_remittance(json_t *o, xmlNodePtr at)
{
    xmlNodePtr info = iso_at(at, "RmtInf"), line = NULL;
    json_t *text = json_string("");
    while (info && (line = iso_child(info, "Ustrd", 5, line))) {
        xmlChar *part = xmlNodeGetContent(line);
        json_t *longer =
            json_sprintf("%s%s%s", json_string_value(text), json_string_length(text) ? " " : "",
                         part ? (char *)part : "");
        if (longer) json_decref(text), text = longer;
        xmlFree(part);
    }
    if (info && !json_string_length(text))
        iso_put_own(o, "text", iso_text(info, "Strd/CdtrRefInf/Ref"));
    if (json_string_length(text))
        json_object_set_new(o, "text", text);
    else
        json_decref(text);
}

static json_t *credit_transfer(message_iso *x, xmlNodePtr at)
{
    static const char *const banks[] = {"PmtId/TxId", "PmtId/UETR", NULL}, *const payers[] = {
                                                                               "PmtId/EndToEndId",
                                                                               "PmtId/InstrId",
                                                                               NULL};
    static const char *const times[] = {"AccptncDtTm", "IntrBkSttlmDt", NULL};
    json_t *o = json_object();
    iso_put_id(x, o, at, banks, payers);
    xmlChar *time = iso_text(at, times[0]);
    if (!time && x->created) time = xmlStrdup(x->created);
    if (!time) time = iso_first(at, times + 1);
    if (!time && (x->wanted || x->settled)) time = xmlStrdup(x->wanted ? x->wanted : x->settled);
    iso_put_time(x, o, time);
    json_object_set_new(o, "kind", json_string("transfer"));
    xmlChar *from = iso_party(x, at, "DbtrAcct", "Dbtr");
    if (from)
        iso_put_own(o, "from", from);
    else
        iso_put_copy(o, "from", x->debtor);
    iso_put_own(o, "to", iso_party(x, at, "CdtrAcct", "Cdtr"));
    if (!iso_put_amount(o, at, "IntrBkSttlmAmt")) iso_put_amount(o, at, "Amt/InstdAmt");
    iso_put_remittance(o, at);
    return o;
}

/* detail: of the entry, or the entry itself. */
static json_t *statement_payment(message_iso *x, xmlNodePtr entry, xmlNodePtr detail)
{
    static const char *const banks[] = {"Refs/TxId", "Refs/AcctSvcrRef", "AcctSvcrRef", NULL},
                             *const payers[] = {"Refs/EndToEndId", "NtryRef", NULL};
    static const char *const times[] = {"BookgDt/DtTm", "ValDt/DtTm", "BookgDt/Dt", "ValDt/Dt",
                                        NULL};
    const bool own_side = iso_at(detail, "CdtDbtInd") != NULL,
               debit = iso_is(own_side ? detail : entry, "CdtDbtInd", "DBIT");
    xmlNodePtr parties = iso_at(detail, "RltdPties");
    json_t *o = json_object();
    iso_put_id(x, o, detail, banks, payers);
    iso_put_time(x, o, iso_first(entry, times));
    const char *kind = "transfer";
    if (iso_is(entry, "BkTxCd/Domn/Fmly/SubFmlyCd", "CWDL")) kind = "cash";
    if (iso_is(entry, "BkTxCd/Domn/Fmly/SubFmlyCd", "POSD")) kind = "card";
    json_object_set_new(o, "kind", json_string(kind));
    xmlChar *other = !parties ? NULL
                     : debit  ? iso_party(x, parties, "CdtrAcct", "Cdtr")
                              : iso_party(x, parties, "DbtrAcct", "Dbtr");
    iso_put_copy(o, debit ? "from" : "to", x->account);
    iso_put_own(o, debit ? "to" : "from", other);
    if (!iso_put_amount(o, detail, "AmtDtls/TxAmt/Amt") && !iso_put_amount(o, detail, "Amt"))
        iso_put_amount(o, entry, "Amt");
    iso_put_remittance(o, detail);
    return o;
}

/* ---- the walk ---- */

static void iso_keep(xmlChar **kept, xmlChar *text)
{
    if (!text) return;
    iso_drop(kept);
    *kept = text;
}

static bool iso_is_statement(const char *name)
{
    return !strcmp(name, "Stmt") || !strcmp(name, "Rpt") || !strcmp(name, "Ntfctn");
}

/* What stands before the payments. false: the element has no such part, and is entered. */
static bool iso_header(message_iso *x, const char *name, xmlNodePtr node)
{
    static const char *const dates[] = {"DtTm", "Dt", "", NULL};
    if (!strcmp(name, "GrpHdr")) {
        iso_keep(&x->message_id, iso_text(node, "MsgId"));
        iso_keep(&x->created, iso_text(node, "CreDtTm"));
        iso_keep(&x->settled, iso_text(node, "IntrBkSttlmDt"));
    } else if (!strcmp(name, "ReqdExctnDt")) {
        iso_keep(&x->wanted, iso_first(node, dates));
    } else if (!strcmp(name, "DbtrAcct")) {
        iso_keep(&x->debtor, iso_account(node));
    } else if (!strcmp(name, "Acct")) {
        iso_keep(&x->account, iso_account(node));
    } else if (!strcmp(name, "Id")) {
        if (!node->parent || !iso_is_statement((const char *)node->parent->name)) return true;
        iso_keep(&x->statement_id, xmlNodeGetContent(node));
    } else {
        return false;
    }
    return true;
}

static bool iso_expanded(const char *name)
{
    static const char *const names[] = {"GrpHdr",      "ReqdExctnDt", "DbtrAcct", "Acct",
                                        "CdtTrfTxInf", "Ntry",        "Id"};
    for (size_t i = 0; i < R1_COUNT(names); i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

/* A batch, or a statement, begins: what stood in the one before does not count here. */
static void iso_begin(message_iso *x, const char *name)
{
    if (!strcmp(name, "PmtInf")) iso_drop(&x->debtor), iso_drop(&x->wanted);
    if (iso_is_statement(name)) iso_drop(&x->account), iso_drop(&x->statement_id);
}

/* Up to the next transaction or entry, into x->entry; NULL there: the end. */
static r1_status iso_walk(message_iso *x, r1_err *err)
{
    bool skip = x->entry != NULL;
    x->entry = x->detail = NULL;
    for (;;) {
        const int more = skip ? xmlTextReaderNext(x->reader) : xmlTextReaderRead(x->reader);
        if (more < 0 || x->large) return iso_refuse(x, err);
        if (!more) return R1_OK;
        const int type = xmlTextReaderNodeType(x->reader);
        if (type == XML_READER_TYPE_DOCUMENT_TYPE)
            R1_FAIL(err, R1_E_FORMAT,
                    "line %d: expected a message without a document type, found one",
                    xmlTextReaderGetParserLineNumber(x->reader));
        skip = false;
        if (type != XML_READER_TYPE_ELEMENT) continue;
        const char *name = (const char *)xmlTextReaderConstLocalName(x->reader);
        iso_begin(x, name);
        if (!iso_expanded(name)) continue;
        const bool payment = !strcmp(name, "CdtTrfTxInf") || !strcmp(name, "Ntry");
        xmlNodePtr node = xmlTextReaderExpand(x->reader);
        if (!node) return iso_refuse(x, err);
        x->line = (size_t)xmlGetLineNo(node);
        x->since = 0;
        if (payment) return x->entry = node, R1_OK;
        skip = iso_header(x, name, node);
    }
}

/* Why an entry is no payment; NULL: it is one. */
static const char *iso_none(xmlNodePtr entry)
{
    if (iso_is(entry, "RvslInd", "true")) return "an entry that takes back an earlier one";
    if (iso_is(entry, "Sts", "INFO") || iso_is(entry, "Sts/Cd", "INFO"))
        return "an entry for information alone";
    if (iso_is(entry, "Sts", "PDNG") || iso_is(entry, "Sts/Cd", "PDNG"))
        return "an entry that is not booked yet";
    return NULL;
}

/* Takes o. */
static r1_status iso_give(message_iso *x, json_t *o, fraud_messages_item *item, r1_err *err)
{
    free(x->text);
    x->text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (!x->text) R1_FAIL(err, R1_E_NOMEM, "no memory for a payment");
    *item = (fraud_messages_item){
        .what = FRAUD_MESSAGES_ONE, .text = x->text, .len = strlen(x->text), .line = x->line};
    if (item->len < FRAUD_MESSAGE_BYTES_MAX) return R1_OK;
    snprintf(x->why, sizeof x->why, "expected at most %d bytes of a payment, found %zu",
             FRAUD_MESSAGE_BYTES_MAX, item->len);
    *item = (fraud_messages_item){.what = FRAUD_MESSAGES_FAULT, .line = x->line, .why = x->why};
    return R1_OK;
}

/* The next detail of the entry in hand. */
static xmlNodePtr iso_detail(xmlNodePtr entry, xmlNodePtr after)
{
    xmlNodePtr batch = after ? after->parent : iso_child(entry, "NtryDtls", 8, NULL);
    xmlNodePtr next = batch ? iso_child(batch, "TxDtls", 6, after) : NULL;
    while (!next && batch && (batch = iso_child(entry, "NtryDtls", 8, batch)))
        next = iso_child(batch, "TxDtls", 6, NULL);
    return next;
}

r1_status message_iso_next(message_iso *x, fraud_messages_item *item, r1_err *err)
{
    *item = (fraud_messages_item){.what = FRAUD_MESSAGES_END};
    x->why[0] = 0;
    xmlNodePtr next = x->detail ? iso_detail(x->entry, x->detail) : NULL;
    if (next) {
        x->n_message++;
        x->detail = next;
        return iso_give(x, statement_payment(x, x->entry, next), item, err);
    }
    R1_TRY(iso_walk(x, err));
    if (!x->entry) return R1_OK;
    x->n_message++;
    if (!strcmp((const char *)x->entry->name, "CdtTrfTxInf"))
        return iso_give(x, credit_transfer(x, x->entry), item, err);
    const char *why = iso_none(x->entry);
    if (why) {
        snprintf(x->why, sizeof x->why, "Ntry: expected a payment, found %s", why);
        *item = (fraud_messages_item){.what = FRAUD_MESSAGES_FAULT, .line = x->line, .why = x->why};
        return R1_OK;
    }
    x->detail = iso_detail(x->entry, NULL);
    return iso_give(x, statement_payment(x, x->entry, x->detail ? x->detail : x->entry), item, err);
}

void message_iso_notes(const message_iso *x, FILE *out)
{
    static const char *const words[N_ISO_GUESS] = {
        [ISO_NO_ID] = "payments have no id by a bank: the message's id and their place stand in",
        [ISO_DATE] = "payments have a date without a time: they are taken to begin that day",
        [ISO_NAME] = "accounts are missing: the name of their owner stands in"};
    for (int i = 0; i < N_ISO_GUESS; i++)
        if (x->n_guess[i]) fprintf(out, "  %zu %s\n", x->n_guess[i], words[i]);
}
