/* SPDX-License-Identifier: Apache-2.0 */
/* med_labs.c - see med_labs.h. Owns how a value stands behind its name; what is measured stands in
 * data/measures.tsv. */
#include "notes/med_labs.h"

#include "med_data.h"
#include "r1_assert.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    LABS_STEPS = 24, /* words and marks between a name and its value, or behind it */
    LABS_NAME_WORDS = 6,
    LABS_NAME_BYTES = 64,
    LABS_BEFORE_WORDS = 4, /* in which a guard word is looked for */
    LABS_HEADING_BYTES = 120,
    LABS_LOWEST_AGE = 1 /* years from which ranges count where no age is known */
};

typedef enum { FLAG_NONE, FLAG_LOW, FLAG_HIGH, FLAG_NORMAL } labs_flag;

/* A value: one number, or all between two. */
typedef struct {
    double low, high;
    double other_low, other_high; /* in its other reading; NaN: none */
} labs_value;

typedef struct {
    double low, high;
    bool given;
} labs_bounds;

struct med_labs {
    med_plain p, head, row;
    med_measured found[MED_MEASURED_MAX];
    uint32_t n_found;
};

/* What is read once for the whole program, and never changes. */
static struct {
    pthread_once_t once;
    med_measures *measures;
    med_growth *growth;
    r1_status status;
    r1_err err;
} labs_tables = {.once = PTHREAD_ONCE_INIT};

typedef struct {
    med_labs *l;
    med_notes *n;
    const med_kb *kb;
    const med_measures *m;
    const char *c; /* the plain text */
    const med_sentence *s;
    uint32_t start; /* the characters before it are a heading's */
    med_specimen section;
    bool named; /* the unit names a measure */
} labs_run;

/* What stands about a name. */
typedef struct {
    const med_measure *measure;
    uint32_t name, name_end; /* characters */
    uint32_t end;            /* of all that was read */
    med_specimen specimen;
    labs_flag flag;
    int compare; /* -1: less than, 1: more than */
    bool dash, from, between;
    bool aged;     /* a word or mark says that a duration is an age */
    bool multiple; /* of the upper limit of normal */
    labs_bounds bounds;
    labs_value value;
    const med_measure_unit *unit;
    double scale; /* of the unit as written: 10^9 */
} labs_reading;

static void labs_tables_read(void)
{
    labs_tables.status = med_measures_new(&labs_tables.measures, "notes/data/measures.tsv",
                                          (const char *)med_data_measures, sizeof med_data_measures,
                                          &labs_tables.err);
    if (labs_tables.status == R1_OK)
        labs_tables.status =
            med_growth_new(&labs_tables.growth, "notes/data/growth.tsv",
                           (const char *)med_data_growth, sizeof med_data_growth, &labs_tables.err);
}

r1_status med_labs_new(med_labs **out, r1_err *err)
{
    pthread_once(&labs_tables.once, labs_tables_read);
    if (labs_tables.status != R1_OK) R1_FAIL(err, labs_tables.status, "%s", labs_tables.err.msg);
    *out = malloc(sizeof **out);
    if (!*out) R1_FAIL(err, R1_E_NOMEM, "no memory to read measured values");
    (*out)->n_found = 0;
    return R1_OK;
}

void med_labs_free(med_labs *l) { free(l); }

const med_measures *med_labs_measures(void)
{
    pthread_once(&labs_tables.once, labs_tables_read);
    return labs_tables.status == R1_OK ? labs_tables.measures : NULL;
}

/* ---- characters ------------------------------------------------------------------------------ */

static bool labs_digit(char c) { return c >= '0' && c <= '9'; }
static bool labs_letter(char c) { return c >= 'a' && c <= 'z'; }

static uint32_t labs_blanks(const labs_run *r, uint32_t i)
{
    while (r->c[i] == ' ') i++;
    return i;
}

static uint32_t labs_letters(const labs_run *r, uint32_t i)
{
    uint32_t k = i;
    while (labs_letter(r->c[k])) k++;
    return k - i;
}

static uint32_t labs_roles(const labs_run *r, uint32_t i, uint32_t len)
{
    return med_measures_roles(r->m, r->c + i, len);
}

static bool labs_role(const labs_run *r, uint32_t i, med_measure_role role)
{
    return labs_roles(r, i, labs_letters(r, i)) & (1u << role);
}

static bool labs_is_number(const labs_run *r, uint32_t i)
{
    return labs_digit(r->c[i]) || (r->c[i] == '.' && labs_digit(r->c[i + 1]));
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The end of a word of a name: letters and digits, and the sign of an ion behind them. */
static uint32_t labs_word_end(const labs_run *r, uint32_t i)
{
    while (labs_letter(r->c[i]) || labs_digit(r->c[i])) i++;
    bool ion = r->c[i] == '+' && !labs_digit(r->c[i + 1]) && !labs_letter(r->c[i + 1]);
    return i + ion;
}

static bool labs_exact(const labs_run *r, const med_measure_name *name, uint32_t from, uint32_t to)
{
    if (!name->exact) return true;
    const char *raw = r->l->p.raw;
    return strlen(name->exact) == to - from && memcmp(name->exact, raw + from, to - from) == 0;
}

/* The longest name at i, *end behind it; NULL: none. */
static const med_measure_name *labs_name(const labs_run *r, uint32_t i, uint32_t *end)
{
    const med_measure_name *best = NULL;
    char key[LABS_NAME_BYTES];
    uint32_t n = 0, at = i;
    for (uint32_t words = 0; words < LABS_NAME_WORDS; words++) {
        uint32_t stop = labs_word_end(r, at);
        if (stop == at || n + 1 + stop - at >= LABS_NAME_BYTES) break;
        if (words) key[n++] = ' ';
        memcpy(key + n, r->c + at, stop - at);
        n += stop - at;
        if (words == 0 && !med_measures_begins(r->m, key, n)) break;
        for (const med_measure_name *x = med_measures_find(r->m, key, n); x;
             x = med_measures_next(r->m, x)) {
            if (!labs_exact(r, x, i, stop)) continue;
            best = x;
            *end = stop;
            break;
        }
        at = stop;
        if (r->c[at] == '-' || r->c[at] == '.') at++;
        if (r->c[at] == ' ') at++;
    }
    return best;
}

/* ---- units ----------------------------------------------------------------------------------- */

/* The characters of the text that spell a unit, 0 for none. Blanks about a slash and ^ are passed
 * over. */
static uint32_t labs_spelled(const char *s, const char *unit)
{
    uint32_t i = 0;
    char before = 0;
    for (; *unit; unit++) {
        while (s[i] == '^' || (s[i] == ' ' && *unit != ' ' &&
                               (before == '/' || (s[i + 1] == '/' && *unit == '/'))))
            i++;
        bool same = s[i] == *unit || (*unit == ' ' && s[i] == '-');
        if (!same) return 0;
        before = *unit;
        i++;
    }
    char next = s[i];
    if (next == '/' || next == '^') return 0;
    if (labs_digit(next)) return before == 'p' ? i : 0;
    return labs_letter(next) && labs_letter(before) ? 0 : i;
}

/* "x 10^9", "10E9", "*10(9)": its characters, 0 for none; *power. */
static uint32_t labs_power(const char *s, double *power)
{
    uint32_t i = 0;
    bool times = s[i] == 'x' || s[i] == '*';
    if (times) i++;
    while (times && s[i] == ' ') i++;
    if (s[i] != '1' || s[i + 1] != '0') return 0;
    i += 2;
    while (s[i] == ' ' && (s[i + 1] == '^' || s[i + 1] == '*')) i++;
    bool raised = s[i] == '^' || s[i] == '*' || s[i] == 'e' || s[i] == '(';
    if (!raised && !times) return 0;
    bool open = s[i] == '(';
    if (raised) i++;
    if (!labs_digit(s[i])) return 0;
    int n = s[i++] - '0';
    while (s[i] == '^') i++;
    if (labs_digit(s[i])) n = n * 10 + s[i++] - '0';
    if (open && s[i] == ')') i++;
    if (n > 15 || labs_digit(s[i])) return 0;
    *power = pow(10, n);
    while (s[i] == ' ' && s[i + 1] == '/') i++;
    if (s[i] == ' ') i++;
    return i;
}

/* The unit of the measure at i, its characters in *len. NULL: none. */
static const med_measure_unit *labs_unit(const labs_run *r, const med_measure *x, uint32_t i,
                                         uint32_t *len, double *scale)
{
    const med_measure_unit *best = NULL;
    double power = 1;
    uint32_t raised = labs_power(r->c + i, &power), longest = 0;
    for (uint32_t k = 0; k < x->n_unit; k++) {
        const med_measure_unit *u = med_measures_unit(r->m, x->unit + k);
        const char *s;
        for (uint32_t j = 0; (s = med_measures_spelling(r->m, u->spell, j)) != NULL; j++) {
            if (raised && *s != '/') continue;
            uint32_t n = labs_spelled(r->c + i + raised, s);
            if (n <= longest) continue;
            longest = n;
            best = u;
        }
    }
    *len = longest + raised;
    *scale = power;
    return best;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* "st", "nd", "rd", "th" behind a number. */
static uint32_t labs_ordinal(const labs_run *r, uint32_t i)
{
    static const char *const ends[] = {"st", "nd", "rd", "th"};
    for (size_t k = 0; k < R1_COUNT(ends); k++)
        if (strncmp(r->c + i, ends[k], 2) == 0 && !labs_letter(r->c[i + 2])) return 2;
    return 0;
}

static char labs_separator(const labs_run *r) { return r->s->rules.separator; }

static bool labs_signed(const labs_run *r, const med_measure *x)
{
    return med_measures_unit(r->m, x->unit)->low < 0;
}

/* Whether what stands at i is a number of a date, a time or a ratio. */
static bool labs_goes_on(const labs_run *r, uint32_t i)
{
    char c = r->c[i];
    return (c == '/' || c == ':' || c == '-' || c == '.') && labs_digit(r->c[i + 1]);
}

typedef struct {
    double value, other;
    bool ordinal;
} labs_number;

/* A number with its sign and its ordinal ending. */
static bool labs_take_number(const labs_run *r, const med_measure *x, uint32_t *i, labs_number *out)
{
    med_number v;
    uint32_t k = *i;
    bool minus = r->c[k] == '-';
    if (minus || r->c[k] == '+') k = labs_blanks(r, k + 1);
    if (!med_number_at(r->c + k, labs_separator(r), &v)) return false;
    k += v.len;
    double sign = minus && labs_signed(r, x) ? -1 : 1;
    *out = (labs_number){sign * v.value, sign * v.other, false};
    uint32_t th = labs_ordinal(r, k);
    out->ordinal = th != 0;
    *i = k + th;
    return true;
}

/* Where the second number of "7 - 8", "7 to 8" or "between 7 and 8" stands, 0 for none. */
static uint32_t labs_second(const labs_run *r, const labs_reading *x, uint32_t i)
{
    uint32_t k = labs_blanks(r, i), n = labs_letters(r, k);
    if (r->c[k] == '-' && !(k > i && labs_signed(r, x->measure) && r->c[k + 1] != ' ')) {
        k = labs_blanks(r, k + 1);
        return labs_is_number(r, k) ? k : 0;
    }
    bool to = n == 2 && strncmp(r->c + k, "to", 2) == 0;
    bool and = n == 3 && strncmp(r->c + k, "and", 3) == 0 && x->between;
    k = labs_blanks(r, k + n);
    bool sign = (r->c[k] == '-' || r->c[k] == '+') && labs_is_number(r, k + 1);
    if ((to || and) && strncmp(r->c + k, "the ", 4) == 0) k += 4;
    return (to || and) && (labs_is_number(r, k) || sign) ? k : 0;
}

/* Of two pressures the first one counts: systolic and diastolic, right eye and left. */
static uint32_t labs_second_pressure(const labs_run *r, const labs_reading *x, uint32_t i)
{
    const med_measure_unit *u = med_measures_unit(r->m, x->measure->unit);
    if (u->spell != med_measures_spell(r->m, "mmhg")) return i;
    uint32_t k = labs_blanks(r, i);
    if (r->c[k] != '/' || !labs_digit(r->c[labs_blanks(r, k + 1)])) return i;
    k = labs_blanks(r, k + 1);
    while (labs_digit(r->c[k])) k++;
    return k;
}

/* The value at *i, which is a number. */
static bool labs_take_value(const labs_run *r, labs_reading *x, uint32_t *i)
{
    labs_number a, z;
    if (!labs_take_number(r, x->measure, i, &a)) return false;
    if (x->dash) a.value = -a.value, x->dash = false;
    x->value = (labs_value){a.value, a.value, a.other, a.other};
    uint32_t at = *i, unit, second;
    double scale;
    if (x->from && labs_unit(r, x->measure, labs_blanks(r, at), &unit, &scale))
        at = labs_blanks(r, at) + unit;
    second = labs_second(r, x, at);
    if (second && labs_take_number(r, x->measure, &second, &z)) {
        bool swap = z.value < a.value;
        x->value = x->from ? (labs_value){z.value, z.value, z.other, z.other}
                           : (labs_value){swap ? z.value : a.value, swap ? a.value : z.value,
                                          swap ? z.other : a.other, swap ? a.other : z.other};
        a.ordinal |= z.ordinal;
        *i = second;
    }
    if (a.ordinal) { /* of a centile, whatever stands behind it */
        const med_measure *m = x->measure;
        uint32_t centile = med_measures_spell(r->m, "centile");
        for (uint32_t k = 0; k < m->n_unit && !x->unit; k++) {
            const med_measure_unit *u = med_measures_unit(r->m, m->unit + k);
            if (u->spell == centile) x->unit = u;
        }
        if (!x->unit) return false;
    }
    *i = labs_second_pressure(r, x, *i);
    return !labs_goes_on(r, *i);
}

static void labs_compare(labs_value *v, int compare)
{
    if (compare < 0) v->low = v->other_low = -INFINITY;
    if (compare > 0) v->high = v->other_high = INFINITY;
}

/* ---- printed ranges -------------------------------------------------------------------------- */

/* Passes over what looks like a unit. */
static uint32_t labs_any_unit(const labs_run *r, uint32_t i)
{
    uint32_t k = labs_blanks(r, i), from = k;
    double power;
    k += labs_power(r->c + k, &power);
    if (k == from && !labs_letter(r->c[k]) && r->c[k] != '%' && r->c[k] != '/') return i;
    while (labs_letter(r->c[k]) || r->c[k] == '%' || r->c[k] == '/' || r->c[k] == '^' ||
           (k > from && labs_digit(r->c[k])))
        k++;
    return k;
}

/* A comparator as sign or word at *i: -1, 1, or 0 for none. */
static int labs_comparator(const labs_run *r, uint32_t *i)
{
    uint32_t k = *i, n = labs_letters(r, k);
    int sign = r->c[k] == '<' ? -1 : r->c[k] == '>' ? 1 : 0;
    if (sign) {
        *i = k + 1 + (r->c[k + 1] == '=');
        return sign;
    }
    uint32_t roles = n ? labs_roles(r, k, n) : 0;
    sign = roles & 1u << MED_ROLE_LESS ? -1 : roles & 1u << MED_ROLE_MORE ? 1 : 0;
    if (n == 2 && strncmp(r->c + k, "up", 2) == 0) sign = -1;
    if (!sign) return 0;
    static const char *const behind[] = {"than ", "to ", "or equal to ", "the "};
    k = labs_blanks(r, k + n);
    for (size_t w = 0; w < R1_COUNT(behind); w++)
        if (strncmp(r->c + k, behind[w], strlen(behind[w])) == 0) k += (uint32_t)strlen(behind[w]);
    *i = k;
    return sign;
}

/* "3.5-5.0", "< 200", "up to 40", "> 60" at *i. */
static bool labs_bare_range(const labs_run *r, uint32_t *i, labs_bounds *out)
{
    uint32_t k = *i;
    med_number a, z;
    int compare = labs_comparator(r, &k);
    k = labs_blanks(r, k);
    if (!med_number_at(r->c + k, labs_separator(r), &a)) return false;
    k = labs_any_unit(r, k + a.len);
    *out = (labs_bounds){-INFINITY, INFINITY, true};
    if (compare) {
        *(compare < 0 ? &out->high : &out->low) = a.value;
        *i = k;
        return true;
    }
    k = labs_blanks(r, k);
    bool to = strncmp(r->c + k, "to ", 3) == 0;
    if (!to && r->c[k] != '-') return false;
    k = labs_blanks(r, k + (to ? 2 : 1));
    if (r->c[k] == '-') k++; /* "--" */
    if (!med_number_at(r->c + k, labs_separator(r), &z) || z.value <= a.value) return false;
    if (labs_goes_on(r, k + z.len)) return false;
    *i = labs_any_unit(r, k + z.len);
    out->low = a.value;
    out->high = z.value;
    return true;
}

/* "(normal < 200", "ref: 3.5-5", "ULN 40" at *i. */
static bool labs_range(const labs_run *r, uint32_t *i, labs_bounds *out)
{
    uint32_t k = *i, words = 0;
    bool upper = false;
    for (int step = 0; step < LABS_STEPS; step++) {
        k = labs_blanks(r, k);
        uint32_t n = labs_letters(r, k), roles = n ? labs_roles(r, k, n) : 0;
        uint32_t compare = k;
        if (words && (labs_is_number(r, k) || labs_comparator(r, &compare))) break;
        if (roles & (1u << MED_ROLE_RANGE | 1u << MED_ROLE_UPPER)) {
            upper |= roles & 1u << MED_ROLE_UPPER;
            words++;
            k += n;
        } else if (words && (roles & 1u << MED_ROLE_LINK)) {
            k += n;
        } else if (words && r->c[k] && strchr(":=,.|([", r->c[k])) {
            k++;
        } else {
            return false;
        }
    }
    if (!words) return false;
    if (labs_bare_range(r, &k, out)) {
        *i = k;
        return true;
    }
    med_number v;
    if (!upper || !med_number_at(r->c + k, labs_separator(r), &v)) return false;
    *out = (labs_bounds){-INFINITY, v.value, true};
    *i = labs_any_unit(r, k + v.len);
    return true;
}

/* "20 x ULN", "15 times the upper limit of normal": behind the number. Returns where it ends. */
static uint32_t labs_multiple(const labs_run *r, uint32_t i)
{
    uint32_t k = labs_blanks(r, i), n, words = 0;
    if (r->c[k] == '-') k++;
    n = labs_letters(r, k);
    bool times = (n == 1 && r->c[k] == 'x') || (n == 5 && strncmp(r->c + k, "times", 5) == 0) ||
                 (n == 4 && strncmp(r->c + k, "fold", 4) == 0);
    if (!times) return 0;
    for (k += n; words < LABS_STEPS; words++) {
        k = labs_blanks(r, k);
        n = labs_letters(r, k);
        uint32_t roles = n ? labs_roles(r, k, n) : 0;
        if (roles & 1u << MED_ROLE_BEFORE || !roles) return 0;
        k += n;
        if (roles & (1u << MED_ROLE_UPPER | 1u << MED_ROLE_NORMAL)) break;
    }
    uint32_t next = labs_blanks(r, k);
    while (labs_role(r, next, MED_ROLE_RANGE) || labs_role(r, next, MED_ROLE_LINK)) {
        k = next + labs_letters(r, next);
        next = labs_blanks(r, k);
    }
    return k;
}

/* ---- before the value ------------------------------------------------------------------------ */

static labs_flag labs_flag_of(uint32_t roles)
{
    return roles & 1u << MED_ROLE_LOW      ? FLAG_LOW
           : roles & 1u << MED_ROLE_HIGH   ? FLAG_HIGH
           : roles & 1u << MED_ROLE_NORMAL ? FLAG_NORMAL
                                           : FLAG_NONE;
}

/* The laboratory's sign at i: H, L, *H, arrows. *len: its characters. */
static labs_flag labs_sign(const labs_run *r, uint32_t i, uint32_t *len)
{
    const char *raw = r->l->p.raw;
    uint32_t k = i;
    while (raw[k] == '*' || raw[k] == '!') k++;
    *len = 1 + k - i;
    if (!raw[k]) return FLAG_NONE;
    if (r->c[k] == MED_PLAIN_UP) return FLAG_HIGH;
    if (r->c[k] == MED_PLAIN_DOWN) return FLAG_LOW;
    uint32_t n = 0;
    while (raw[k + n] == raw[k] && n < 3) n++;
    char next = r->c[k + n];
    if (labs_letter(next) || labs_digit(next) || next == '/') return FLAG_NONE;
    *len = n + k - i;
    return raw[k] == 'H' ? FLAG_HIGH : raw[k] == 'L' ? FLAG_LOW : FLAG_NONE;
}

/* A bracket between name and value: a unit, a range, another name; one that holds the value is
 * only opened. */
static bool labs_open(const labs_run *r, labs_reading *x, uint32_t *i)
{
    char shut = r->c[*i] == '(' ? ')' : ']';
    uint32_t k = labs_blanks(r, *i + 1), len, at = k;
    double scale;
    const med_measure_unit *u = labs_unit(r, x->measure, k, &len, &scale);
    labs_bounds bounds;
    if (u && r->c[labs_blanks(r, k + len)] == shut) {
        x->unit = u;
        x->scale = scale;
        *i = labs_blanks(r, k + len) + 1;
        return true;
    }
    bool compare = r->c[k] == '<' || r->c[k] == '>';
    if (labs_range(r, &at, &bounds) || (compare && labs_bare_range(r, &at, &bounds))) {
        uint32_t end = labs_blanks(r, at);
        if (r->c[end] == shut &&
            labs_is_number(r, labs_blanks(r, end + 1 + (r->c[end + 1] == ':')))) {
            x->bounds = bounds;
            *i = end + 1;
            return true;
        }
    }
    if (labs_is_number(r, k) || compare || r->c[k] == '-' || r->c[k] == '+') {
        *i = k;
        return true;
    }
    for (uint32_t e = k; e < k + 30 && r->c[e]; e++) {
        if (labs_digit(r->c[e])) break;
        if (r->c[e] != shut) continue;
        med_specimen s = med_measures_specimen(r->m, r->c + k, labs_letters(r, k));
        if (s) x->specimen = s;
        if (!labs_flag_of(labs_roles(r, k, labs_letters(r, k)))) {
            *i = e + 1;
            return true;
        }
        break;
    }
    *i = k; /* "(low at 7.1)" */
    return true;
}

/* A word between name and value. False: it does not belong there. */
static bool labs_word(const labs_run *r, labs_reading *x, uint32_t *i)
{
    uint32_t k = *i, n = labs_letters(r, k), len, at = k;
    double scale;
    const med_measure_unit *u = labs_unit(r, x->measure, k, &len, &scale);
    if (u && !x->unit) {
        x->unit = u;
        x->scale = scale;
        *i = k + len;
        return true;
    }
    med_specimen specimen = med_measures_specimen(r->m, r->c + k, n);
    if (specimen) {
        x->specimen = specimen;
        if (strncmp(r->c + k + n, " fluid", 6) == 0) n += 6;
        *i = k + n;
        return true;
    }
    int compare = labs_comparator(r, &at);
    if (strncmp(r->c + k, "up ", 3) == 0) compare = 0; /* "up to 3000" was reached */
    if (compare && (labs_is_number(r, labs_blanks(r, at)) || r->c[labs_blanks(r, at)] == '-')) {
        x->compare = compare;
        *i = at;
        return true;
    }
    labs_bounds bounds;
    at = k;
    if (labs_range(r, &at, &bounds)) {
        uint32_t next = labs_blanks(r, at);
        while (r->c[next] && strchr("):=,|]", r->c[next])) next = labs_blanks(r, next + 1);
        if (labs_is_number(r, next)) {
            x->bounds = bounds;
            *i = at;
            return true;
        }
    }
    uint32_t roles = labs_roles(r, k, n), next = labs_blanks(r, k + n);
    bool change = strncmp(r->c + next, "to ", 3) == 0 || labs_role(r, next, MED_ROLE_FROM);
    if (labs_flag_of(roles) && !change) x->flag = labs_flag_of(roles);
    x->from |= (roles & 1u << MED_ROLE_FROM) != 0;
    x->between |= (roles & 1u << MED_ROLE_BETWEEN) != 0;
    x->aged |= (roles & 1u << MED_ROLE_AGE) != 0;
    *i = k + n;
    return labs_flag_of(roles) || (roles & 1u << MED_ROLE_LINK);
}

/* Behind "A:" of a question's answer; i itself where there is none. */
static uint32_t labs_answer(const labs_run *r, uint32_t i)
{
    uint32_t k = labs_blanks(r, i);
    return (r->c[k] | 32) == 'a' && r->c[k + 1] == ':' ? k + 2 : i;
}

/* From the end of the name to the value. */
static bool labs_between(const labs_run *r, labs_reading *x, uint32_t *i)
{
    bool grown = labs_signed(r, x->measure);
    for (int step = 0; step < LABS_STEPS; step++) {
        uint32_t k = *i = labs_blanks(r, *i), len;
        char c = r->c[k];
        bool sign = (c == '-' || c == '+') && labs_is_number(r, k + 1);
        if (labs_is_number(r, k) || sign) return true;
        if (c == '<' || c == '>') {
            x->compare = labs_comparator(r, i);
        } else if (c == '(' || c == '[') {
            if (!labs_open(r, x, i)) return false;
        } else if (c == '.' && r->c[k + 1] == '.') {
            while (r->c[*i] == '.') ++*i;
        } else if (c && strchr(":=|)]~*?", c)) {
            x->aged |= c == ':' || c == '|';
            *i = k + 1;
            if (c == '?') *i = labs_answer(r, *i);
        } else if (c == '-') {
            x->dash = grown && labs_is_number(r, labs_blanks(r, k + 1));
            *i = k + 1;
        } else if (c == ',') {
            uint32_t next = labs_blanks(r, k + 1);
            if (!med_measures_specimen(r->m, r->c + next, labs_letters(r, next))) return false;
            *i = next;
        } else if (c == MED_PLAIN_UP || c == MED_PLAIN_DOWN) {
            x->flag = labs_sign(r, k, &len);
            *i = k + len;
        } else if (!labs_letter(c) || !labs_word(r, x, i)) {
            return false;
        }
    }
    return false;
}

/* ---- behind the value ------------------------------------------------------------------------ */

/* A range behind the words of a bracket that begins at k: "(age-specific range 1.3-2.1)". */
static bool labs_range_within(const labs_run *r, uint32_t k, labs_bounds *out)
{
    for (int step = 0; step < LABS_STEPS; step++) {
        uint32_t at = k, n = labs_letters(r, k);
        if (labs_range(r, &at, out)) return true;
        k = labs_blanks(r, k + n + (r->c[k + n] == '-' || r->c[k + n] == ','));
        if (!n || !labs_letter(r->c[k])) return false;
    }
    return false;
}

/* A bracket behind the value: a range, a flag, a specimen. False: something else. */
static bool labs_behind_bracket(const labs_run *r, labs_reading *x, uint32_t *i)
{
    uint32_t k = labs_blanks(r, *i + 1), at = k, n = labs_letters(r, k), len;
    labs_bounds bounds;
    labs_flag sign = labs_sign(r, k, &len), word = labs_flag_of(n ? labs_roles(r, k, n) : 0);
    med_specimen specimen = n ? med_measures_specimen(r->m, r->c + k, n) : MED_SPECIMEN_ANY;
    bool grown = labs_signed(r, x->measure);
    if (labs_range_within(r, k, &bounds) || (!grown && labs_bare_range(r, &at, &bounds))) {
        if (!x->bounds.given) x->bounds = bounds;
    } else if (sign || word) {
        x->flag = sign ? sign : word;
    } else if (specimen) {
        x->specimen = specimen;
    } else {
        return false;
    }
    for (uint32_t e = k; e < k + 80 && r->c[e]; e++) {
        if (r->c[e] != ')' && r->c[e] != ']') continue;
        *i = e + 1;
        return true;
    }
    return false;
}

/* One thing behind the value: a flag, a range, a specimen, a border. False: nothing of these. */
static bool labs_behind_one(const labs_run *r, labs_reading *x, uint32_t *i, uint32_t *cells)
{
    uint32_t k = *i, n = labs_letters(r, k), len, at = k;
    char c = r->c[k];
    labs_bounds bounds;
    labs_flag sign = labs_sign(r, k, &len);
    if (sign) {
        x->flag = sign;
        *i = k + len;
        return true;
    }
    if (c == '(' || c == '[') return labs_behind_bracket(r, x, i);
    if (c == '|') {
        *i = k + 1;
        return ++*cells < 6;
    }
    if (labs_range(r, &at, &bounds) || (*cells && labs_bare_range(r, &at, &bounds))) {
        if (!x->bounds.given) x->bounds = bounds;
        *i = at;
        return true;
    }
    uint32_t roles = n ? labs_roles(r, k, n) : 0, next;
    if (labs_flag_of(roles) && !labs_name(r, labs_blanks(r, k + n), &next)) {
        x->flag = labs_flag_of(roles);
        *i = k + n;
        return true;
    }
    bool in = (n == 2 && (strncmp(r->c + k, "in", 2) == 0 || strncmp(r->c + k, "of", 2) == 0));
    if (in) {
        uint32_t word = labs_blanks(r, k + n);
        if (strncmp(r->c + word, "the ", 4) == 0) word += 4;
        med_specimen s = med_measures_specimen(r->m, r->c + word, labs_letters(r, word));
        if (!s) return false;
        x->specimen = s;
        *i = word + labs_letters(r, word);
        return true;
    }
    if ((c == ',' || c == '-' || c == ';') && c != labs_separator(r)) {
        at = labs_blanks(r, k + 1);
        n = labs_letters(r, at);
        bool range = labs_range(r, &at, &bounds);
        at = labs_blanks(r, k + 1);
        if (!range && !(n && labs_flag_of(labs_roles(r, at, n)))) return false;
        /* ", low sodium" is what follows */
        uint32_t end = labs_blanks(r, at + n);
        if (!range && r->c[end] && labs_letter(r->c[end])) return false;
        *i = at;
        return true;
    }
    return false;
}

/* The unit that stands in a cell of its own, the two bounds in cells of theirs. */
static void labs_cells(const labs_run *r, labs_reading *x, uint32_t *i)
{
    uint32_t k = labs_blanks(r, *i), len;
    double scale;
    if (r->c[k] != '|') return;
    k = labs_blanks(r, k + 1);
    const med_measure_unit *u = x->unit ? NULL : labs_unit(r, x->measure, k, &len, &scale);
    if (u) {
        x->unit = u;
        x->scale = scale;
        *i = k + len;
        k = labs_blanks(r, *i);
        if (r->c[k] != '|') return;
        k = labs_blanks(r, k + 1);
    }
    med_number a, z;
    if (!med_number_at(r->c + k, labs_separator(r), &a)) return;
    k = labs_blanks(r, k + a.len);
    if (x->value.low < x->value.high && (!r->c[k] || r->c[k] == '|')) { /* the range came first */
        x->bounds = (labs_bounds){x->value.low, x->value.high, true};
        x->value = (labs_value){a.value, a.value, a.other, a.other};
        *i = k;
        return;
    }
    if (!x->unit || r->c[k] != '|') return;
    k = labs_blanks(r, k + 1);
    if (!med_number_at(r->c + k, labs_separator(r), &z) || z.value <= a.value) return;
    uint32_t end = labs_blanks(r, k + z.len);
    if (r->c[end] && r->c[end] != '|') return;
    x->bounds = (labs_bounds){a.value, z.value, true};
    *i = end;
}

/* "below the mean" behind a number of standard deviations. */
static void labs_below_mean(const labs_run *r, labs_reading *x, uint32_t *i)
{
    uint32_t k = labs_blanks(r, *i), at = k;
    if (!labs_signed(r, x->measure) || x->unit != med_measures_unit(r->m, x->measure->unit)) return;
    int compare = labs_letter(r->c[k]) ? labs_comparator(r, &at) : 0;
    if (!compare) return;
    *i = at;
    if (compare > 0) return;
    labs_value v = x->value;
    x->value = (labs_value){-fabs(v.high), -fabs(v.low), NAN, NAN};
    x->compare = -x->compare;
}

/* Of heads and heights the centile or the standard deviations say more than the centimetres. */
static void labs_growth_behind(const labs_run *r, labs_reading *x, uint32_t *i)
{
    if (!x->unit || x->unit->table == MED_GROWTH_NONE) return;
    labs_reading y = *x;
    y.unit = NULL;
    y.compare = 0;
    y.dash = y.from = y.between = false;
    uint32_t k = *i;
    for (int step = 0; step < LABS_STEPS; step++) {
        k = labs_blanks(r, k);
        if (!r->c[k] || !strchr(",;(-|:/=[", r->c[k]) ||
            (r->c[k] == '-' && labs_is_number(r, k + 1)))
            break;
        k++;
    }
    uint32_t at = k;
    if (!labs_between(r, &y, &at) || !labs_take_value(r, &y, &at)) return;
    uint32_t len = 0, unit = labs_blanks(r, at);
    double scale = 1;
    const med_measure_unit *u = labs_unit(r, y.measure, unit, &len, &scale);
    if (u) y.unit = u, at = unit + len;
    if (!y.unit || y.unit->table != MED_GROWTH_NONE) return;
    y.scale = 1;
    labs_below_mean(r, &y, &at);
    *x = y;
    *i = at;
}

static bool labs_ends_bare(const labs_run *r, uint32_t i)
{
    uint32_t k = labs_blanks(r, i), end, n = labs_letters(r, k);
    char c = r->c[k];
    if (!c || strchr(",;.)]|(*", c)) return !labs_goes_on(r, k);
    if (c == '-' || c == '/') return k > i && r->c[k + 1] == ' ';
    if (strncmp(r->c + k, "of ", 3) == 0) return false;
    return n && (labs_role(r, k, MED_ROLE_LINK) || labs_name(r, k, &end));
}

static bool labs_is_time(const labs_run *r, const labs_reading *x)
{
    return x->unit && (x->unit->spell == med_measures_spell(r->m, "month") ||
                       x->unit->spell == med_measures_spell(r->m, "year"));
}

/* Unit, flags and range behind the value, which ends at i. */
static bool labs_behind(const labs_run *r, labs_reading *x, uint32_t i)
{
    uint32_t k = labs_blanks(r, i), len, cells = 0, multiple = labs_multiple(r, i);
    double scale;
    const med_measure_unit *u = labs_unit(r, x->measure, k, &len, &scale);
    if (multiple) {
        x->multiple = true;
        x->end = multiple;
        return true;
    }
    bool bare = !u && !x->unit;
    if (u) {
        x->unit = u;
        x->scale = scale;
        i = k + len;
    }
    labs_below_mean(r, x, &i);
    labs_cells(r, x, &i);
    bool ends = !bare || x->unit || labs_ends_bare(r, i);
    uint32_t any = bare && !x->unit ? labs_any_unit(r, i) : i;
    labs_growth_behind(r, x, &i);
    x->end = i;
    if (any > i) i = any;
    for (int step = 0; step < LABS_STEPS; step++) {
        uint32_t at = labs_blanks(r, i);
        if (!labs_behind_one(r, x, &at, &cells)) break;
        i = x->end = at;
    }
    bool flagged = x->flag != FLAG_NONE && x->measure->specimen != MED_SPECIMEN_ANY;
    if (labs_is_time(r, x) && !x->aged) return false;
    return ends || x->bounds.given || flagged;
}

/* ---- guards ---------------------------------------------------------------------------------- */

/* Whether words before the name say that it is wanted or given. */
static bool labs_guarded_before(const labs_run *r, uint32_t name)
{
    uint32_t i = name;
    for (uint32_t words = 0; words < LABS_BEFORE_WORDS && i > 0;) {
        char c = r->c[i - 1];
        if (!labs_letter(c)) {
            if (strchr(",;.|", c)) return false;
            i--;
            continue;
        }
        uint32_t end = i;
        while (i > 0 && labs_letter(r->c[i - 1])) i--;
        if (labs_roles(r, i, end - i) & 1u << MED_ROLE_BEFORE) return true;
        words++;
    }
    return false;
}

static bool labs_guarded_after(const labs_run *r, const labs_reading *x)
{
    uint32_t i = labs_blanks(r, x->end);
    for (uint32_t words = 0; words < 2; words++) {
        uint32_t n = labs_letters(r, i), roles = n ? labs_roles(r, i, n) : 0;
        if (roles & 1u << MED_ROLE_AFTER) return true;
        if ((roles & 1u << MED_ROLE_LATER) && labs_is_time(r, x)) return true;
        if (!n) return false;
        i = labs_blanks(r, i + n);
    }
    return false;
}

/* Whether the text tells of another age than the patient's: "at birth", "at 2 years". */
static bool labs_other_age(const labs_run *r)
{
    uint32_t month = med_measures_spell(r->m, "month"), year = med_measures_spell(r->m, "year");
    for (uint32_t i = r->start; r->c[i];) {
        uint32_t n = labs_letters(r, i);
        if (!n) {
            i++;
            continue;
        }
        if (labs_role(r, i, MED_ROLE_BIRTH)) return true;
        bool at = n == 2 && strncmp(r->c + i, "at", 2) == 0;
        i += n;
        med_number v;
        uint32_t k = labs_blanks(r, i);
        if (!at || !med_number_at(r->c + k, 0, &v)) continue;
        k = labs_blanks(r, k + v.len + (r->c[k + v.len] == '-'));
        double years = NAN;
        const char *s;
        for (uint32_t j = 0; (s = med_measures_spelling(r->m, month, j)) != NULL; j++)
            if (labs_spelled(r->c + k, s)) years = v.value / 12;
        for (uint32_t j = 0; (s = med_measures_spelling(r->m, year, j)) != NULL; j++)
            if (labs_spelled(r->c + k, s)) years = v.value;
        double known = (double)r->n->age_years;
        if (!isnan(years) && !(fabs(years - known) <= .1 * known)) return true;
    }
    return false;
}

/* ---- what it says ---------------------------------------------------------------------------- */

/* The usual range in units of the measure's unit `unit`; where age or sex is not known, the widest
 * of those that may hold. */
static bool labs_usual(const labs_run *r, const med_measure *x, uint32_t unit, labs_bounds *out)
{
    double years = (double)r->n->age_years;
    *out = (labs_bounds){INFINITY, -INFINITY, false};
    for (uint32_t i = 0; i < x->n_range; i++) {
        const med_measure_range *g = med_measures_range(r->m, x->range + i);
        bool sex = g->sex == MED_SEX_UNKNOWN || r->n->sex == MED_SEX_UNKNOWN || g->sex == r->n->sex;
        bool age = isnan(years) ? g->to > LABS_LOWEST_AGE : g->from <= years && years < g->to;
        if (g->unit != unit || !sex || !age) continue;
        if (g->low < out->low) out->low = g->low;
        if (g->high > out->high) out->high = g->high;
        out->given = true;
    }
    return out->given;
}

static bool labs_can_be(const med_measure_unit *u, double low, double high)
{
    bool a = isinf(low) || (low >= u->low && low <= u->high);
    bool z = isinf(high) || (high >= u->low && high <= u->high);
    return a && z && !(isinf(low) && isinf(high));
}

/* Chooses the reading of the number that can be, in the unit as written. What is counted in whole
 * numbers has no three decimals: 12.500 U/L are thousands. */
static bool labs_settle(labs_value *v, const med_measure_unit *u, double scale)
{
    bool two = !isnan(v->other_low) && !isnan(v->other_high);
    bool other = two && labs_can_be(u, v->other_low * scale, v->other_high * scale);
    bool first = labs_can_be(u, v->low * scale, v->high * scale);
    bool whole = u->low >= 1 && (v->other_low > v->low || v->other_high > v->high);
    if (!first && !other) return false;
    if (other && (!first || whole)) {
        v->low = v->other_low;
        v->high = v->other_high;
    }
    return true;
}

/* The unit of a value that has none: the only one in which it can be. */
static const med_measure_unit *labs_only_unit(const labs_run *r, const labs_reading *x)
{
    const med_measure_unit *only = NULL;
    for (uint32_t k = 0; k < x->measure->n_unit; k++) {
        const med_measure_unit *u = med_measures_unit(r->m, x->measure->unit + k);
        med_measure_unit bare = *u;
        bare.low = u->bare_low;
        bare.high = u->bare_high;
        if (u->written || !labs_can_be(&bare, x->value.low, x->value.high)) continue;
        if (only) return NULL;
        only = u;
    }
    return only;
}

static void labs_add(labs_run *r, const labs_reading *x, const char *id, labs_bounds b)
{
    med_labs *l = r->l;
    uint32_t term = *id ? med_kb_term(r->kb, id, strlen(id)) : MED_NONE;
    if (term == MED_NONE) return;
    if (l->n_found == MED_MEASURED_MAX) {
        r->n->n_unread++;
        return;
    }
    uint32_t start = x->name < r->start ? r->start : x->name, end = x->end;
    while (end > start + 1 && strchr(" ,;|", r->c[end - 1])) end--;
    double v = isinf(x->value.low) ? x->value.high : x->value.low;
    l->found[l->n_found++] = (med_measured){.term = term,
                                            .start = l->p.at[start],
                                            .end = l->p.at[end],
                                            .value = (float)v,
                                            .low = (float)b.low,
                                            .high = (float)b.high};
}

/* Says which side of the bounds all of the value lies on: -1, 0, 1. */
static int labs_side(labs_value v, labs_bounds b)
{
    if (v.high < b.low || (isinf(v.low) && v.high <= b.low)) return -1;
    if (v.low > b.high || (isinf(v.high) && v.low >= b.high)) return 1;
    return 0;
}

static void labs_say(labs_run *r, const labs_reading *x, int side, labs_bounds b)
{
    if (side) labs_add(r, x, side < 0 ? x->measure->below : x->measure->above, b);
}

/* Bands hold in the first unit. */
static void labs_bands(labs_run *r, const labs_reading *x, labs_bounds b)
{
    for (uint32_t i = 0; i < x->measure->n_band; i++) {
        const med_measure_band *band = med_measures_band(r->m, x->measure->band + i);
        bool all = isinf(x->value.low) && x->value.high <= band->high;
        bool in = x->value.high < band->high || all;
        if (x->value.low >= band->low && in) labs_add(r, x, band->id, b);
    }
}

/* A z-score from a length or a weight. False: not known. */
static bool labs_z(const labs_run *r, labs_value *v, const labs_reading *x, bool *beyond)
{
    double years = (double)r->n->age_years, f = x->unit->factor;
    if (isnan(years) || isinf(v->low) || isinf(v->high) || labs_other_age(r)) return false;
    med_growth_table table = (med_growth_table)x->unit->table;
    double low = med_growth_z(labs_tables.growth, table, r->n->sex, years, v->low * f, beyond);
    double high = med_growth_z(labs_tables.growth, table, r->n->sex, years, v->high * f, beyond);
    const med_measure_unit *z = med_measures_unit(r->m, x->measure->unit);
    if (isnan(low) || isnan(high) || !labs_can_be(z, low, high)) return false;
    *v = (labs_value){low, high, NAN, NAN};
    return true;
}

/* Against the range for age and sex. */
static void labs_against_usual(labs_run *r, labs_reading *x)
{
    labs_bounds b;
    bool beyond = false;
    if (!labs_settle(&x->value, x->unit, x->scale)) return;
    uint32_t unit = 0;
    while (med_measures_unit(r->m, x->measure->unit + unit) != x->unit) unit++;
    labs_value v = {x->value.low * x->scale, x->value.high * x->scale, NAN, NAN};
    double f = 1;
    if (x->unit->table != MED_GROWTH_NONE) {
        if (!labs_z(r, &v, x, &beyond)) return;
        unit = 0;
    } else if (!labs_usual(r, x->measure, unit, &b)) {
        f = x->unit->factor;
        unit = 0;
    }
    if (!labs_usual(r, x->measure, unit, &b)) return;
    v.low *= f;
    v.high *= f;
    int side = labs_side(v, b);
    if (x->flag == FLAG_NORMAL || (beyond && side > 0)) side = 0;
    labs_bounds shown = {b.low / f / x->scale, b.high / f / x->scale, true};
    if (x->unit->table != MED_GROWTH_NONE) shown = (labs_bounds){NAN, NAN, true};
    labs_say(r, x, side, shown);
    if (side < 0) labs_bands(r, x, shown);
}

static void labs_decide(labs_run *r, labs_reading *x)
{
    const labs_bounds none = {-INFINITY, INFINITY, false};
    bool flagged = x->flag == FLAG_LOW || x->flag == FLAG_HIGH;
    labs_compare(&x->value, x->compare);
    if (x->multiple) {
        labs_say(r, x, x->value.low > 1 ? 1 : 0, (labs_bounds){-INFINITY, 1, true});
    } else if (x->bounds.given) {
        if (x->unit) labs_settle(&x->value, x->unit, x->scale);
        int side = labs_side(x->value, x->bounds);
        labs_say(r, x, side, x->bounds);
        if (side < 0 && x->unit) labs_bands(r, x, x->bounds);
    } else if (flagged && x->measure->specimen != MED_SPECIMEN_ANY) {
        labs_say(r, x, x->flag == FLAG_LOW ? -1 : 1, none);
    } else {
        if (!x->unit) x->unit = labs_only_unit(r, x);
        if (x->unit) labs_against_usual(r, x);
    }
}

/* ---- the unit -------------------------------------------------------------------------------- */

static bool labs_specimen_fits(const labs_reading *x, med_specimen before)
{
    med_specimen is = x->specimen ? x->specimen : before ? before : MED_SPECIMEN_BLOOD;
    return x->measure->specimen == MED_SPECIMEN_ANY || x->measure->specimen == is;
}

/* Reads the value of a measure whose name ends at `end`. Returns where it ends, 0 for none. */
static uint32_t labs_measure(labs_run *r, const med_measure *x, uint32_t name, uint32_t end,
                             med_specimen specimen)
{
    labs_reading y = {.measure = x, .name = name, .name_end = end, .scale = 1};
    uint32_t i = end;
    if (!labs_between(r, &y, &i) || !labs_take_value(r, &y, &i)) return 0;
    if (!labs_behind(r, &y, i) || !labs_specimen_fits(&y, specimen)) return 0;
    if (labs_guarded_before(r, name) || labs_guarded_after(r, &y)) return 0;
    labs_decide(r, &y);
    return y.end;
}

/* "AST/ALT 310/250 U/L" */
static uint32_t labs_pair(labs_run *r, const med_measure_name *a, const med_measure_name *z,
                          uint32_t name, uint32_t end)
{
    labs_reading x = {.measure = med_measures_at(r->m, a->measure), .name = name, .scale = 1};
    uint32_t i = end;
    med_number first, second;
    if (!labs_between(r, &x, &i) || !med_number_at(r->c + i, 0, &first)) return 0;
    i = labs_blanks(r, i + first.len);
    if (r->c[i] != '/') return 0;
    i = labs_blanks(r, i + 1);
    if (!med_number_at(r->c + i, 0, &second)) return 0;
    labs_reading y = x;
    y.measure = med_measures_at(r->m, z->measure);
    if (x.unit || !labs_behind(r, &x, i + second.len) || !labs_behind(r, &y, i + second.len))
        return 0;
    x.value = (labs_value){first.value, first.value, first.other, first.other};
    y.value = (labs_value){second.value, second.value, second.other, second.other};
    labs_decide(r, &x);
    labs_decide(r, &y);
    return x.end;
}

/* The name at i and its value; *end: where reading goes on. False: no name. */
static bool labs_at(labs_run *r, uint32_t i, med_specimen specimen, uint32_t *end)
{
    uint32_t stop, stop2, done = 0;
    const med_measure_name *name = labs_name(r, i, &stop), *second = NULL;
    if (!name) return false;
    *end = stop;
    if (name->measure == MED_NONE) return true;
    uint32_t slash = labs_blanks(r, stop);
    if (r->c[slash] == '/') second = labs_name(r, labs_blanks(r, slash + 1), &stop2);
    if (second && second->measure != MED_NONE) done = labs_pair(r, name, second, i, stop2);
    for (const med_measure_name *x = name; x && !done; x = med_measures_next(r->m, x))
        if (x->measure != MED_NONE && labs_exact(r, x, i, stop))
            done = labs_measure(r, med_measures_at(r->m, x->measure), i, stop, specimen);
    if (done > stop) *end = done;
    return true;
}

/* Whether "and" or a mark of it joins two words of specimens: "blood and urine". */
static bool labs_joined(const labs_run *r, uint32_t from, uint32_t to)
{
    while (from < to && r->c[from] == ' ') from++;
    while (to > from && r->c[to - 1] == ' ') to--;
    uint32_t n = to - from;
    return (n == 1 && strchr("/,+&", r->c[from])) || (n == 3 && !memcmp(r->c + from, "and", 3));
}

/* Goes through the unit from name to name. A specimen holds up to a semicolon, or a comma before
 * which nothing was measured. */
static void labs_walk(labs_run *r)
{
    med_specimen specimen = r->section, last = MED_SPECIMEN_ANY;
    uint32_t last_end = 0; /* behind the specimen that was named last */
    bool used = false;
    for (uint32_t i = 0; r->c[i];) {
        char c = r->c[i];
        if (c == ';' || (c == ',' && !used)) specimen = r->section;
        used |= c == ':';
        bool word = labs_letter(c) || labs_digit(c);
        if (!word) {
            i++;
            continue;
        }
        uint32_t end;
        if (labs_at(r, i, specimen, &end)) {
            r->named = used = true;
            i = end;
            continue;
        }
        uint32_t n = labs_letters(r, i);
        med_specimen s = n ? med_measures_specimen(r->m, r->c + i, n) : MED_SPECIMEN_ANY;
        if (s) {
            bool several = last && last != s && labs_joined(r, last_end, i);
            specimen = several ? r->section : s;
            last = s;
            used = false;
        }
        while (labs_letter(r->c[i]) || labs_digit(r->c[i])) i++;
        if (s) last_end = i;
    }
}

static bool labs_has_digit(const char *text, uint32_t start, uint32_t end)
{
    for (uint32_t i = start; i < end; i++) {
        if (labs_digit(text[i])) return true;
    }
    return false;
}

/* The specimen that a section's heading names; none where it names several. */
static med_specimen labs_heading_specimen(const labs_run *r, const med_section *x)
{
    med_specimen named = MED_SPECIMEN_ANY;
    char word[LABS_NAME_BYTES];
    uint32_t n = 0;
    for (uint32_t i = x->head_start; i <= x->head_end; i++) {
        char c = i < x->head_end ? (char)(r->n->text[i] | 32) : ' ';
        if (labs_letter(c)) {
            if (n < sizeof word) word[n++] = c;
            continue;
        }
        med_specimen s =
            n && n < sizeof word ? med_measures_specimen(r->m, word, n) : MED_SPECIMEN_ANY;
        if (s && named && s != named) return MED_SPECIMEN_ANY;
        if (s) named = s;
        n = 0;
    }
    return named;
}

/* The first row of the table whose row a unit is. */
static uint32_t labs_table_top(const med_notes *n, uint32_t sentence)
{
    uint32_t top = sentence;
    while (top > 0 && n->sentence[top - 1].kind == MED_UNIT_ROW &&
           n->sentence[top - 1].section == n->sentence[sentence].section)
        top--;
    return top;
}

/* A row of values below a row of names: each value with the name of its column. */
static void labs_columns(labs_run *r, uint32_t sentence)
{
    med_labs *l = r->l;
    uint32_t top = labs_table_top(r->n, sentence);
    if (top == sentence || r->s->kind != MED_UNIT_ROW) return;
    const med_sentence *head = &r->n->sentence[top];
    med_plain_clear(&l->head);
    med_plain_clear(&l->row);
    med_plain_add(&l->head, r->n->text, head->start, head->end, head->rules);
    med_plain_add(&l->row, r->n->text, r->s->start, r->s->end, r->s->rules);
    for (uint32_t k = 0;; k++) {
        med_plain_clear(&l->p);
        if (!med_plain_cell(&l->p, &l->head, k)) return;
        med_plain_border(&l->p, r->s->start);
        r->start = l->p.n;
        if (!med_plain_cell(&l->p, &l->row, k)) return;
        labs_walk(r);
    }
}

uint32_t med_labs_read(med_labs *l, med_notes *n, const med_kb *kb, uint32_t sentence,
                       const med_measured **found)
{
    const med_sentence *s = &n->sentence[sentence];
    const med_section *x = &n->section[s->section];
    *found = l->found;
    l->n_found = 0;
    if (x->name == MED_SECTION_MEDICATIONS || !labs_has_digit(n->text, s->start, s->end)) return 0;
    labs_run r = {.l = l, .n = n, .kb = kb, .m = labs_tables.measures, .c = l->p.c, .s = s};
    r.section = labs_heading_specimen(&r, x);
    med_plain_clear(&l->p);
    char first = n->text[s->start];
    if ((labs_digit(first) || strchr("<>+-", first)) && x->head_end > x->head_start &&
        x->head_end <= s->start && x->head_end - x->head_start <= LABS_HEADING_BYTES)
        med_plain_add(&l->p, n->text, x->head_start, x->head_end, (med_token_rules){0});
    r.start = l->p.n;
    med_plain_add(&l->p, n->text, s->start, s->end, s->rules);
    labs_walk(&r);
    if (!r.named) labs_columns(&r, sentence);
    return l->n_found;
}
