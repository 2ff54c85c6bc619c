/* SPDX-License-Identifier: GPL-3.0-or-later */
/* words.c - see words.h. Each table is sorted by the text that is looked up. */
#include "payment/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char word[24];
    int value;
} word_row;

/* One row per word of another system, by rising word. A direct debit moves money from account to
 * account, as a credit transfer does; the payee starts it. */
static const word_row kind_words[] = {
    {"ach", FRAUD_KIND_TRANSFER},
    {"ach_credit", FRAUD_KIND_TRANSFER},
    {"ach_debit", FRAUD_KIND_TRANSFER},
    {"amex", FRAUD_KIND_CARD},
    {"atm", FRAUD_KIND_CASH},
    {"atm_withdrawal", FRAUD_KIND_CASH},
    {"bank_transfer", FRAUD_KIND_TRANSFER},
    {"barauszahlung", FRAUD_KIND_CASH},
    {"bargeldauszahlung", FRAUD_KIND_CASH},
    {"card", FRAUD_KIND_CARD},
    {"card_not_present", FRAUD_KIND_CARD},
    {"card_payment", FRAUD_KIND_CARD},
    {"card_present", FRAUD_KIND_CARD},
    {"card_purchase", FRAUD_KIND_CARD},
    {"cash", FRAUD_KIND_CASH},
    {"cash_deposit", FRAUD_KIND_CASH},
    {"cash_out", FRAUD_KIND_CASH},
    {"cash_withdrawal", FRAUD_KIND_CASH},
    {"cashout", FRAUD_KIND_CASH},
    {"charge", FRAUD_KIND_CARD},
    {"contactless", FRAUD_KIND_CARD},
    {"credit_transfer", FRAUD_KIND_TRANSFER},
    {"dauerauftrag", FRAUD_KIND_TRANSFER},
    {"direct_debit", FRAUD_KIND_TRANSFER},
    {"e_commerce", FRAUD_KIND_CARD},
    {"ecom", FRAUD_KIND_CARD},
    {"ecommerce", FRAUD_KIND_CARD},
    {"faster_payment", FRAUD_KIND_TRANSFER},
    {"fps", FRAUD_KIND_TRANSFER},
    {"giro", FRAUD_KIND_TRANSFER},
    {"giro_transfer", FRAUD_KIND_TRANSFER},
    {"instant_payment", FRAUD_KIND_TRANSFER},
    {"instant_transfer", FRAUD_KIND_TRANSFER},
    {"internal_transfer", FRAUD_KIND_TRANSFER},
    {"karte", FRAUD_KIND_CARD},
    {"kartenzahlung", FRAUD_KIND_CARD},
    {"kreditkarte", FRAUD_KIND_CARD},
    {"lastschrift", FRAUD_KIND_TRANSFER},
    {"mastercard", FRAUD_KIND_CARD},
    {"p2p", FRAUD_KIND_TRANSFER},
    {"pix", FRAUD_KIND_TRANSFER},
    {"point_of_sale", FRAUD_KIND_CARD},
    {"pos", FRAUD_KIND_CARD},
    {"pos_purchase", FRAUD_KIND_CARD},
    {"rtp", FRAUD_KIND_TRANSFER},
    {"sct", FRAUD_KIND_TRANSFER},
    {"sct_inst", FRAUD_KIND_TRANSFER},
    {"sdd", FRAUD_KIND_TRANSFER},
    {"sdd_b2b", FRAUD_KIND_TRANSFER},
    {"sdd_core", FRAUD_KIND_TRANSFER},
    {"sepa", FRAUD_KIND_TRANSFER},
    {"sepa_credit_transfer", FRAUD_KIND_TRANSFER},
    {"sepa_direct_debit", FRAUD_KIND_TRANSFER},
    {"sepa_instant", FRAUD_KIND_TRANSFER},
    {"sepa_transfer", FRAUD_KIND_TRANSFER},
    {"standing_order", FRAUD_KIND_TRANSFER},
    {"swift", FRAUD_KIND_TRANSFER},
    {"transfer", FRAUD_KIND_TRANSFER},
    {"ueberweisung", FRAUD_KIND_TRANSFER},
    {"upi", FRAUD_KIND_TRANSFER},
    {"visa", FRAUD_KIND_CARD},
    {"wire", FRAUD_KIND_TRANSFER},
    {"wire_transfer", FRAUD_KIND_TRANSFER},
    {"withdrawal", FRAUD_KIND_CASH},
    {"\xc3\x9c"
     "berweisung",
     FRAUD_KIND_TRANSFER}, /* capital and small u with two dots */
    {"\xc3\xbc"
     "berweisung",
     FRAUD_KIND_TRANSFER},
};

/* One row per word, by rising word. */
static const word_row role_words[] = {
    {"account", FRAUD_ROLE_ACCOUNT},      {"acquirer", FRAUD_ROLE_MERCHANT},
    {"bank_account", FRAUD_ROLE_ACCOUNT}, {"card", FRAUD_ROLE_CARD},
    {"cardholder", FRAUD_ROLE_CARD},      {"external", FRAUD_ROLE_EXTERNAL},
    {"iban", FRAUD_ROLE_ACCOUNT},         {"merchant", FRAUD_ROLE_MERCHANT},
    {"shop", FRAUD_ROLE_MERCHANT},        {"terminal", FRAUD_ROLE_MERCHANT},
};

typedef struct {
    char alpha2[3], alpha3[4];
} country;

/* ISO 3166-1, every code that is assigned, and XK, which payments use for Kosovo; by rising
 * alpha-2. */
static const country countries[] = {
    /* clang-format off */
    {"AD", "AND"}, {"AE", "ARE"}, {"AF", "AFG"}, {"AG", "ATG"}, {"AI", "AIA"}, {"AL", "ALB"},
    {"AM", "ARM"}, {"AO", "AGO"}, {"AQ", "ATA"}, {"AR", "ARG"}, {"AS", "ASM"}, {"AT", "AUT"},
    {"AU", "AUS"}, {"AW", "ABW"}, {"AX", "ALA"}, {"AZ", "AZE"}, {"BA", "BIH"}, {"BB", "BRB"},
    {"BD", "BGD"}, {"BE", "BEL"}, {"BF", "BFA"}, {"BG", "BGR"}, {"BH", "BHR"}, {"BI", "BDI"},
    {"BJ", "BEN"}, {"BL", "BLM"}, {"BM", "BMU"}, {"BN", "BRN"}, {"BO", "BOL"}, {"BQ", "BES"},
    {"BR", "BRA"}, {"BS", "BHS"}, {"BT", "BTN"}, {"BV", "BVT"}, {"BW", "BWA"}, {"BY", "BLR"},
    {"BZ", "BLZ"}, {"CA", "CAN"}, {"CC", "CCK"}, {"CD", "COD"}, {"CF", "CAF"}, {"CG", "COG"},
    {"CH", "CHE"}, {"CI", "CIV"}, {"CK", "COK"}, {"CL", "CHL"}, {"CM", "CMR"}, {"CN", "CHN"},
    {"CO", "COL"}, {"CR", "CRI"}, {"CU", "CUB"}, {"CV", "CPV"}, {"CW", "CUW"}, {"CX", "CXR"},
    {"CY", "CYP"}, {"CZ", "CZE"}, {"DE", "DEU"}, {"DJ", "DJI"}, {"DK", "DNK"}, {"DM", "DMA"},
    {"DO", "DOM"}, {"DZ", "DZA"}, {"EC", "ECU"}, {"EE", "EST"}, {"EG", "EGY"}, {"EH", "ESH"},
    {"ER", "ERI"}, {"ES", "ESP"}, {"ET", "ETH"}, {"FI", "FIN"}, {"FJ", "FJI"}, {"FK", "FLK"},
    {"FM", "FSM"}, {"FO", "FRO"}, {"FR", "FRA"}, {"GA", "GAB"}, {"GB", "GBR"}, {"GD", "GRD"},
    {"GE", "GEO"}, {"GF", "GUF"}, {"GG", "GGY"}, {"GH", "GHA"}, {"GI", "GIB"}, {"GL", "GRL"},
    {"GM", "GMB"}, {"GN", "GIN"}, {"GP", "GLP"}, {"GQ", "GNQ"}, {"GR", "GRC"}, {"GS", "SGS"},
    {"GT", "GTM"}, {"GU", "GUM"}, {"GW", "GNB"}, {"GY", "GUY"}, {"HK", "HKG"}, {"HM", "HMD"},
    {"HN", "HND"}, {"HR", "HRV"}, {"HT", "HTI"}, {"HU", "HUN"}, {"ID", "IDN"}, {"IE", "IRL"},
    {"IL", "ISR"}, {"IM", "IMN"}, {"IN", "IND"}, {"IO", "IOT"}, {"IQ", "IRQ"}, {"IR", "IRN"},
    {"IS", "ISL"}, {"IT", "ITA"}, {"JE", "JEY"}, {"JM", "JAM"}, {"JO", "JOR"}, {"JP", "JPN"},
    {"KE", "KEN"}, {"KG", "KGZ"}, {"KH", "KHM"}, {"KI", "KIR"}, {"KM", "COM"}, {"KN", "KNA"},
    {"KP", "PRK"}, {"KR", "KOR"}, {"KW", "KWT"}, {"KY", "CYM"}, {"KZ", "KAZ"}, {"LA", "LAO"},
    {"LB", "LBN"}, {"LC", "LCA"}, {"LI", "LIE"}, {"LK", "LKA"}, {"LR", "LBR"}, {"LS", "LSO"},
    {"LT", "LTU"}, {"LU", "LUX"}, {"LV", "LVA"}, {"LY", "LBY"}, {"MA", "MAR"}, {"MC", "MCO"},
    {"MD", "MDA"}, {"ME", "MNE"}, {"MF", "MAF"}, {"MG", "MDG"}, {"MH", "MHL"}, {"MK", "MKD"},
    {"ML", "MLI"}, {"MM", "MMR"}, {"MN", "MNG"}, {"MO", "MAC"}, {"MP", "MNP"}, {"MQ", "MTQ"},
    {"MR", "MRT"}, {"MS", "MSR"}, {"MT", "MLT"}, {"MU", "MUS"}, {"MV", "MDV"}, {"MW", "MWI"},
    {"MX", "MEX"}, {"MY", "MYS"}, {"MZ", "MOZ"}, {"NA", "NAM"}, {"NC", "NCL"}, {"NE", "NER"},
    {"NF", "NFK"}, {"NG", "NGA"}, {"NI", "NIC"}, {"NL", "NLD"}, {"NO", "NOR"}, {"NP", "NPL"},
    {"NR", "NRU"}, {"NU", "NIU"}, {"NZ", "NZL"}, {"OM", "OMN"}, {"PA", "PAN"}, {"PE", "PER"},
    {"PF", "PYF"}, {"PG", "PNG"}, {"PH", "PHL"}, {"PK", "PAK"}, {"PL", "POL"}, {"PM", "SPM"},
    {"PN", "PCN"}, {"PR", "PRI"}, {"PS", "PSE"}, {"PT", "PRT"}, {"PW", "PLW"}, {"PY", "PRY"},
    {"QA", "QAT"}, {"RE", "REU"}, {"RO", "ROU"}, {"RS", "SRB"}, {"RU", "RUS"}, {"RW", "RWA"},
    {"SA", "SAU"}, {"SB", "SLB"}, {"SC", "SYC"}, {"SD", "SDN"}, {"SE", "SWE"}, {"SG", "SGP"},
    {"SH", "SHN"}, {"SI", "SVN"}, {"SJ", "SJM"}, {"SK", "SVK"}, {"SL", "SLE"}, {"SM", "SMR"},
    {"SN", "SEN"}, {"SO", "SOM"}, {"SR", "SUR"}, {"SS", "SSD"}, {"ST", "STP"}, {"SV", "SLV"},
    {"SX", "SXM"}, {"SY", "SYR"}, {"SZ", "SWZ"}, {"TC", "TCA"}, {"TD", "TCD"}, {"TF", "ATF"},
    {"TG", "TGO"}, {"TH", "THA"}, {"TJ", "TJK"}, {"TK", "TKL"}, {"TL", "TLS"}, {"TM", "TKM"},
    {"TN", "TUN"}, {"TO", "TON"}, {"TR", "TUR"}, {"TT", "TTO"}, {"TV", "TUV"}, {"TW", "TWN"},
    {"TZ", "TZA"}, {"UA", "UKR"}, {"UG", "UGA"}, {"UM", "UMI"}, {"US", "USA"}, {"UY", "URY"},
    {"UZ", "UZB"}, {"VA", "VAT"}, {"VC", "VCT"}, {"VE", "VEN"}, {"VG", "VGB"}, {"VI", "VIR"},
    {"VN", "VNM"}, {"VU", "VUT"}, {"WF", "WLF"}, {"WS", "WSM"}, {"XK", "XKX"}, {"YE", "YEM"},
    {"YT", "MYT"}, {"ZA", "ZAF"}, {"ZM", "ZMB"}, {"ZW", "ZWE"},
    /* clang-format on */
};

static int word_by_text(const void *key, const void *row)
{
    return strcmp(key, ((const word_row *)row)->word);
}

static int word_find(const char *word, const word_row *rows, size_t n, int missing)
{
    char key[sizeof rows->word];
    size_t len = strlen(word);
    if (len >= sizeof key) return missing;
    for (size_t i = 0; i <= len; i++)
        key[i] = word[i] == ' ' || word[i] == '-' ? '_' : (char)tolower((unsigned char)word[i]);
    const word_row *row = bsearch(key, rows, n, sizeof *rows, word_by_text);
    return row ? row->value : missing;
}

fraud_kind fraud_kind_of(const char *word)
{
    return (fraud_kind)word_find(word, kind_words, R1_COUNT(kind_words), FRAUD_N_KIND);
}

fraud_role fraud_role_of(const char *word)
{
    return (fraud_role)word_find(word, role_words, R1_COUNT(role_words), FRAUD_N_ROLE);
}

static int country_by_code(const void *key, const void *row)
{
    return memcmp(key, ((const country *)row)->alpha2, 3);
}

const char *fraud_country_of(const char *word)
{
    char key[4] = {0};
    size_t len = strlen(word);
    if (len != 2 && len != 3) return NULL;
    for (size_t i = 0; i < len; i++) key[i] = (char)toupper((unsigned char)word[i]);
    if (len == 2) {
        const country *row =
            bsearch(key, countries, R1_COUNT(countries), sizeof *countries, country_by_code);
        return row ? row->alpha2 : NULL;
    }
    for (size_t i = 0; i < R1_COUNT(countries); i++)
        if (!memcmp(key, countries[i].alpha3, 3)) return countries[i].alpha2;
    return NULL;
}

bool fraud_country_exists(const char *code)
{
    const char *found = fraud_country_of(code);
    return found && !strcmp(found, code);
}
