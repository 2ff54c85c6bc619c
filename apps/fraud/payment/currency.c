/* SPDX-License-Identifier: GPL-3.0-or-later */
/* currency.c - ISO 4217 alphabetic codes in use and the digits of their minor unit. Two digits
 * unless listed otherwise. */
#include "payment/payment.h"

#include <stdlib.h>
#include <string.h>

static const char codes[] =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP "
    "BYN BZD CAD CDF CHF "
    "CLP CNY COP CRC CUP "
    "CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IQD "
    "IRR ISK JMD JOD JPY "
    "KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU "
    "MUR MVR MWK MXN MYR "
    "MZN NAD NGN NIO NOK "
    "NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE "
    "SOS SRD SSP STN SVC "
    "SYP SZL THB TJS TMT "
    "TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG ";
static const char no_digits[] = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF ";
static const char three_digits[] = "BHD IQD JOD KWD LYD OMR TND ";

static bool currency_listed(const char *list, const char *code)
{
    for (const char *p = list; *p; p += 4)
        if (!memcmp(p, code, 3)) return true;
    return false;
}

int fraud_currency_digits(const char *code)
{
    if (strlen(code) != 3 || !currency_listed(codes, code)) return -1;
    return currency_listed(no_digits, code) ? 0 : currency_listed(three_digits, code) ? 3 : 2;
}
