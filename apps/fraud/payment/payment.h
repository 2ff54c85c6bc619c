/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment.h - one payment as it comes from outside: decoded, checked, bounded, free of pointers.
 *
 * A message of the topic payments is a payment that can be scored, a payment that cannot (somebody
 * decides it all the same), or no payment. payment_read.c tells them apart, payment_map.h says how
 * other names and units become ours.
 *
 * Owns:    nothing; a fraud_payment is plain data of fixed size and may be copied with `=`.
 * Units:   time in milliseconds since 1970 (UTC), money in minor units of its currency (cents).
 * Threads: all functions are pure; fraud_payment_decode allocates inside jansson only and frees
 * before it returns.
 * Errors:  R1_E_FORMAT with field, expected and found.
 * The message format is schemas/messages/payment.schema.json. */
#ifndef FRAUD_PAYMENT_H
#define FRAUD_PAYMENT_H

#include "r1_base.h"

enum {
    FRAUD_PAYMENT_BYTES_MAX = 16384, /* of one encoded message */
    FRAUD_PAYMENT_DEPTH_MAX = 32,    /* of nesting, unknown fields included */
    FRAUD_TX_ID_BYTES = 256, /* each size includes the NUL; a longer id is an error, never cut */
    FRAUD_ACCOUNT_BYTES = 256,
    /* Remittance text. ISO 20022 has 140 characters, of at most 4 bytes; what is longer is cut
     * between two characters, with a note. */
    FRAUD_TEXT_BYTES = 1024,
    FRAUD_WORD_BYTES = 32
};
/* 10^14 minor units, and hundredths of the currency's unit: 10^14 of them add up 92,000 times. */
#define FRAUD_AMOUNT_MAX INT64_C(100000000000000)
#define FRAUD_DAY_MS     INT64_C(86400000)
#define FRAUD_TS_MIN     INT64_C(0)
#define FRAUD_TS_MAX     INT64_C(4102444800000) /* 2100-01-01 */

typedef enum { FRAUD_KIND_TRANSFER = 0, FRAUD_KIND_CARD, FRAUD_KIND_CASH, FRAUD_N_KIND } fraud_kind;

/* What stands at an end. Only ACCOUNT to ACCOUNT is an "inner" transfer, on which rates are
 * quoted. */
typedef enum {
    FRAUD_ROLE_ACCOUNT = 0,
    FRAUD_ROLE_CARD,     /* a card (default of `from` for kind card) */
    FRAUD_ROLE_MERCHANT, /* a shop or terminal (default of `to` for kind card) */
    /* salary payer, cash desk, another bank's pool: an end that is not one customer */
    FRAUD_ROLE_EXTERNAL,
    FRAUD_N_ROLE
} fraud_role;

/* Bits of fraud_payment.has. */
typedef enum {
    FRAUD_HAS_FROM_BALANCE = 1,
    FRAUD_HAS_TO_BALANCE = 2,
    FRAUD_HAS_POSITION = 4,
    FRAUD_HAS_PAID = 8
} fraud_has;

typedef struct fraud_payment {
    char tx_id[FRAUD_TX_ID_BYTES];
    int64_t ts;                 /* ms */
    int64_t amount_minor;       /* > 0 */
    int64_t from_balance_minor; /* before the payment; valid with FRAUD_HAS_FROM_BALANCE */
    int64_t to_balance_minor;   /* before the payment; valid with FRAUD_HAS_TO_BALANCE */
    /* What was paid, where amount and balances were converted to the stream's currency; valid with
     * FRAUD_HAS_PAID. */
    int64_t paid_minor;
    float lat, lon;             /* degrees; valid with FRAUD_HAS_POSITION */
    uint32_t has;               /* fraud_has bits */
    uint8_t kind;               /* fraud_kind */
    uint8_t from_role, to_role; /* fraud_role */
    uint8_t minor_digits;       /* of the currency: 2 for EUR, 0 for JPY */
    char currency[4];           /* ISO 4217 */
    char paid_currency[4];      /* of paid_minor */
    char country[4];            /* ISO 3166-1 alpha-2 of the place of payment; empty: missing */
    char from[FRAUD_ACCOUNT_BYTES];
    char to[FRAUD_ACCOUNT_BYTES];
    char channel[FRAUD_WORD_BYTES];   /* "app", "web", "pos", "atm"...; empty: missing */
    char category[FRAUD_WORD_BYTES];  /* merchant category; empty: missing */
    char device[FRAUD_ACCOUNT_BYTES]; /* empty: missing */
    char text[FRAUD_TEXT_BYTES];      /* empty: missing */
} fraud_payment;

/* What a message is. */
typedef enum {
    FRAUD_READ_PAYMENT = 0, /* a payment that can be scored */
    /* A JSON object with an id that cannot be scored; *p holds what could be read, with
     * kind FRAUD_N_KIND where it is unknown. */
    FRAUD_READ_UNSCORABLE,
    FRAUD_READ_NOTHING,  /* no payment: not JSON, no object, no id */
    FRAUD_READ_LEFT_OUT, /* a row that the mapping file leaves out, whatever else it holds */
    FRAUD_N_READING
} fraud_reading;

typedef struct fraud_map fraud_map; /* payment_map.h */

/* Decodes one message of the topic payments. *content is a hash of the fields as they were read.
 * A repeated message has the same one, whatever its blanks and the order of its keys. why tells the
 * first fault and is left alone for a payment.
 * map NULL: our own names. notes: NULL, or FRAUD_NOTES_BYTES for a JSON array of texts, "" where
 * nothing is to say (notes.h). Unknown fields are left alone. */
fraud_reading fraud_payment_read(const fraud_map *map, const char *json, size_t len,
                                 fraud_payment *p, char *notes, uint64_t *content, r1_err *why);

/* The message key that keeps the order of a payer's messages: the payer's account, else the id,
 * else "". false: the mapping file leaves the message out, why tells. */
bool fraud_payment_key(const fraud_map *map, const char *json, size_t len,
                       char key[FRAUD_ACCOUNT_BYTES], r1_err *why);

/* The same for those who only want payments that can be scored, in our own names. Otherwise
 * R1_E_FORMAT with the reason, and *p is all zero bytes. */
r1_status fraud_payment_decode(const char *json, size_t len, fraud_payment *p, r1_err *err);

/* What a log keeps of a payment whose message has other names, units or another currency: a message
 * in our own names, from which fraud_payment_decode makes the same payment, with rates that changed
 * meanwhile too. paid: as it was read; p: as it was applied. original, of len bytes, is kept as the
 * text "original" where it fits. Free it; NULL: no memory. */
char *fraud_payment_log(const fraud_payment *paid, const fraud_payment *p, const char *original,
                        size_t len);

/* The hash of a payment's fields, stable across versions. */
uint64_t fraud_payment_content(const fraud_payment *p);

/* Writes p as one JSON object without a newline, NUL-terminated; *len is without the NUL. cap of
 * FRAUD_PAYMENT_BYTES_MAX always suffices. decode(encode(p)) equals p. */
r1_status fraud_payment_encode(const fraud_payment *p, char *json, size_t cap, size_t *len,
                               r1_err *err);

/* The checks of decode on a payment made by a program: ranges, currency, UTF-8, ids present. A
 * decoded payment has passed them. */
r1_status fraud_payment_check(const fraud_payment *p, r1_err *err);

/* Digits of the minor unit, or -1 where ISO 4217 has no such currency. */
int fraud_currency_digits(const char *code);
/* Whether the text is an alpha-2 code of ISO 3166-1, in capital letters. */
bool fraud_country_exists(const char *code);

bool fraud_payment_inner(const fraud_payment *p); /* account to account */
const char *fraud_kind_name(unsigned kind);
const char *fraud_role_name(unsigned role);

/* A label as it comes from outside: {"tx_id", "is_fraud", "ts"} (ts: when it became known),
 * schemas/messages/label.schema.json. */
typedef struct fraud_label {
    char tx_id[FRAUD_TX_ID_BYTES];
    int64_t ts;
    bool is_fraud;
} fraud_label;
r1_status fraud_label_decode(const char *json, size_t len, fraud_label *l, r1_err *err);

#endif
