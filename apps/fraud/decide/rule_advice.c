/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rule_advice.c - see rule_advice.h. */
#include "decide/rule_advice.h"

#include "decide/rule_words.h"
#include "payment/payment.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What stands there, a longer one before its beginning; words without regard to case. */
static const struct {
    const char *found, *advice;
} advices[] = {
    {"=>", "write >= to compare, or -> before the action"},
    {"=<", "write <="},
    {"<>", "write !="},
    {"=", "write == for equal"},
    {"&&", "write and"},
    {"||", "write or"},
    {"and", "write and in small letters"},
    {"or", "write or in small letters"},
    {"not", "write not in small letters"},
    {"!", "write not"},
    {"\xe2\x86\x92", "write ->"},
    {"'", "write double quotes"},
    {"\xe2\x80\x9c", "write straight double quotes"},
    {"\xe2\x80\x9d", "write straight double quotes"},
    {"\xe2\x80\x9e", "write straight double quotes"},
    {"\xe2\x80\x98", "write straight double quotes"},
    {"\xe2\x80\x99", "write straight double quotes"},
    {"\xe2\x80\x93", "write -"},
    {"\xc2\xa0", "write an ordinary blank"},
    {"[", "write ( and )"},
    {"{", "write ( and )"},
    {"\xe2\x82\xac", "write EUR behind the number"},
    {"$", "write USD, or another code, behind the number"},
    {"%", "write 0.8 for 80 %"},
    {"<", "join two comparisons by and, or write in 5..10"},
    {">", "join two comparisons by and, or write in 5..10"},
    {"between", "write in 5..10"},
    {"like", "write contains or begins"},
    {"matches", "write contains or begins"},
    {"is", "write =="},
    {"then", "write -> before the action"},
    {"true", "a flag stands alone, or behind not"},
    {"false", "a flag stands alone, or behind not"},
    {"null", "write \"\" for a text that is missing"},
    {"minutes", "write min"},
    {"hours", "write h"},
    {"hour", "write h"},
    {"days", "write d, without a blank before it"},
    {"day", "write d, without a blank before it"},
    {"weeks", "write w, without a blank before it"},
    {"m", "write min for minutes"},
    {"k", "write 1000 for a thousand"},
};

static bool advice_fits(const char *at, const char *found)
{
    size_t n = 0;
    for (; found[n]; n++)
        if (tolower((unsigned char)at[n]) != (unsigned char)found[n]) return false;
    return !isalpha((unsigned char)*found) || !(isalnum((unsigned char)at[n]) || at[n] == '_');
}

/* A code of ISO 4217 in small letters, or before its number. */
static bool is_currency(const char *at)
{
    char code[4] = "";
    for (int i = 0; i < 3 && isalpha((unsigned char)at[i]); i++)
        code[i] = (char)toupper((unsigned char)at[i]);
    return !isalnum((unsigned char)at[strlen(code)]) && fraud_currency_digits(code) >= 0;
}

const char *rule_advice(const char *at, bool text, char *out, size_t size)
{
    *out = 0;
    bool digits = *at == ',' && isdigit((unsigned char)at[1]);
    size_t word = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
    for (size_t i = 0; i < R1_COUNT(advices) && !*out; i++)
        if (advice_fits(at, advices[i].found)) snprintf(out, size, "; %s", advices[i].advice);
    if (*out) return out;
    char name[32] = "";
    if (word < sizeof name) memcpy(name, at, word);
    if (text && rule_field_of(name))
        snprintf(out, size, "; a field is compared with texts, not with another field");
    else if (text && word && word < 32)
        snprintf(out, size, "; write \"%.*s\"", (int)word, at);
    else if (digits)
        snprintf(out, size, "; write 1000.50, without marks between thousands");
    else if (is_currency(at))
        snprintf(out, size, "; write a currency in capitals behind its number, as 1000 EUR");
    return out;
}
