/* SPDX-License-Identifier: Apache-2.0 */
/* med_person_sex.c - see med_person_parts.h: whose titles and pronouns are.
 *
 * "She" is of whom the text spoke last. Where that is a relative of that sex, or who refers or
 * treats, it says nothing of the patient. A title counts where the record says that the patient
 * bears it: behind "Patient:" or "Re:", behind "I reviewed", or as who has something. */
#include "notes/med_person_parts.h"

#include <math.h>
#include <string.h>

enum { TITLE_REACH = 4, KIN_REACH = 6, NAME_TOKENS = 8, SPOKE_SENTENCES = 2, OFFICE_SUBJECT = 3 };

static const char women[] = " mother mothers mum mom mummy mommy mama sister sisters aunt aunts "
                            "niece grandmother grandma granny wife girlfriend stepmother "
                            "stepsister mgm pgm ";
static const char men[] = " father fathers dad daddy brother brothers uncle uncles nephew "
                          "grandfather grandpa husband boyfriend stepfather stepbrother mgf pgf ";
static const char kindred[] = " parent parents sibling siblings cousin cousins partner twin "
                              "grandparents family carer carers guardian ";
static const char office[] =
    " dr doctor doctors consultant gp prof professor geneticist paediatrician pediatrician "
    "surgeon physician neurologist cardiologist colleague registrar nurse visitor midwife teacher "
    "therapist physiotherapist dietitian psychologist psychiatrist interpreter referrer clinician "
    "counsellor counselor secretary ophthalmologist radiologist pathologist worker practitioner "
    "specialist matron ";
static const char patients[] = " patient proband girl boy child infant baby toddler lady gentleman "
                               "man woman pt propositus teenager adolescent ";
static const char titles_f[] = " mrs ms miss ", titles_m[] = " mr master ";
static const char offspring[] = " child children son sons daughter daughters baby pregnancy "
                                "pregnancies toddler infant ";
/* What who refers or treats does, and not the patient. */
static const char treats[] = " asked wrote referred requested agrees agreed suggests suggested "
                             "recommends recommended diagnosed prescribed performed found brought "
                             "advised operated examined arranged ";
static const char worried[] = " worried concerned anxious ";

/* Behind these stands who is seen. */
static const char sees[] =
    " see seeing saw review reviewed reviewing refer referring met assess assessing examined "
    "regarding re about admitted discharged ";

static bool sex_title(const person *p, uint32_t i)
{
    return (person_in(p, i, titles_f) || person_in(p, i, titles_m)) && p->t[i].capital;
}

/* Behind a title: initials and names. Returns where they end; i itself: there is none. */
static uint32_t sex_name_end(const person *p, uint32_t i)
{
    uint32_t k = i + 1 + person_mark(p, i + 1, "."), first = k;
    while (k < p->n && k < i + NAME_TOKENS) {
        bool hyphen = k > first && person_mark(p, k, "-.") && p->t[k].joined;
        if (!hyphen && !(p->t[k].word[0] && p->t[k].capital)) break;
        k++;
    }
    return k == first ? i : k;
}

/* A word of an office beside the name, a greeting, a relative or another title with it. */
static bool sex_of_other(const person *p, uint32_t i, uint32_t end)
{
    bool seen = i && person_in(p, i - 1, sees); /* "Dear colleague, I saw Mrs ..." */
    for (uint32_t k = i; k-- > 0 && i - k <= TITLE_REACH && !seen;)
        if (person_in(p, k, office) || person_in(p, k, " dear cc sincerely faithfully regards ") ||
            sex_title(p, k))
            return true;
    for (uint32_t k = i; k-- > 0 && i - k <= KIN_REACH;)
        if (person_in(p, k, women) || person_in(p, k, men) || person_in(p, k, kindred)) return true;
    for (uint32_t k = end; k < p->n && k <= end + 2; k++)
        if (person_in(p, k, office)) return true;
    return person_is(p, i + 1, "and") && sex_title(p, i + 2);
}

/* What says that the title is the patient's. */
static bool sex_title_counts(const person *p, uint32_t i, uint32_t end)
{
    static const char has[] =
        " has had is was presents presented reports complains complained developed denies suffers "
        "attended attends underwent describes remains continues shows showed feels who whom "
        "came returned reported noticed ";
    uint32_t k = i;
    if (sex_of_other(p, i, end)) return false;
    while (k && person_mark(p, k - 1, ":|=-")) k--;
    if (k && k < i && person_in(p, k - 1, " patient name re regarding pt subject ")) return true;
    if (i && person_in(p, i - 1, sees)) return true;
    for (uint32_t j = end; j < p->n; j++)
        if (person_in(p, j, " dob born aged ")) return i == 0;
    if (i > 1 || (i == 1 && !person_in(p, 0, " this today then "))) return false;
    uint32_t behind = end + person_mark(p, end, ",");
    bool years = behind > end && behind < p->n && !isnan(p->t[behind].value);
    if (years && person_mark(p, behind + 1, ",")) behind += 2; /* "Ms R, 24, was brought" */
    return person_in(p, behind, has);
}

/* Whether the pronoun at i is somebody else's, of whom the text spoke last. */
static bool sex_not_patient(person_who who, bool she)
{
    return who == WHO_KIN || (who == WHO_WOMAN && she) || (who == WHO_MAN && !she);
}

static void sex_count(person *p, bool she, uint32_t weight) { *(she ? &p->she : &p->he) += weight; }

static void sex_possessive(person *p, uint32_t i, bool she, person_who *who)
{
    for (uint32_t k = i + 1; k < p->n && k <= i + 3 && !person_mark(p, k, ".,;:"); k++) {
        if (person_in(p, k, offspring)) return;
        if (person_in(p, k, " opinion view letter clinic practice help ")) return;
    }
    if (sex_not_patient(*who, she)) return;
    sex_count(p, she, 1);
}

static void sex_subject(person *p, uint32_t i, bool she, person_who *who)
{
    bool tells = person_in(p, i + 1, treats) ||
                 (person_in(p, i + 1, " is was also has kindly ") &&
                  (person_in(p, i + 2, worried) || person_in(p, i + 2, treats)));
    bool other = *who == WHO_OFFICE || sex_not_patient(*who, she);
    if (tells || other) {
        p->since = 0; /* of the same person still */
        return;
    }
    sex_count(p, she, 2);
    *who = WHO_PATIENT;
}

static void sex_of_title(person *p, uint32_t i, person_who *who)
{
    uint32_t end = sex_name_end(p, i);
    bool she = person_in(p, i, titles_f);
    if (end == i) return;
    if (sex_title_counts(p, i, end)) {
        person_set_sex(p, she ? MED_SEX_FEMALE : MED_SEX_MALE, WEAK);
        *who = WHO_PATIENT;
    } else {
        *who = she ? WHO_WOMAN : WHO_MAN;
    }
}

bool person_goes_on(const person *p)
{
    bool she = person_is(p, 0, "she");
    return (she || person_is(p, 0, "he")) && p->since < SPOKE_SENTENCES &&
           sex_not_patient(p->spoke, she) && p->own != (she ? MED_SEX_FEMALE : MED_SEX_MALE);
}

void person_find_pronouns(person *p)
{
    person_who who = p->since < SPOKE_SENTENCES ? p->spoke : WHO_NOBODY;
    bool subject = true, kin = false;
    p->since++;
    for (uint32_t i = 0; i < p->n; i++) {
        bool f = person_in(p, i, " she her hers "), m = person_in(p, i, " he his him ");
        person_who named = person_in(p, i, office)     ? WHO_OFFICE
                           : person_in(p, i, women)    ? WHO_WOMAN
                           : person_in(p, i, men)      ? WHO_MAN
                           : person_in(p, i, kindred)  ? WHO_KIN
                           : person_in(p, i, patients) ? WHO_PATIENT
                                                       : WHO_NOBODY;
        bool adult = person_in(p, i, " man woman lady gentleman ");
        if (adult && kin) named = WHO_NOBODY; /* "his father is a tall man" */
        kin |= named == WHO_WOMAN || named == WHO_MAN || named == WHO_KIN;
        if (named) {
            p->own = i && person_is(p, i - 1, "her")   ? MED_SEX_FEMALE
                     : i && person_is(p, i - 1, "his") ? MED_SEX_MALE
                                                       : MED_SEX_UNKNOWN;
            who = named;
            subject = i < OFFICE_SUBJECT && !person_is(p, 0, "dear");
            p->since = 0;
        }
        if (sex_title(p, i)) {
            sex_of_title(p, i, &who);
            subject = true;
            p->since = 0;
        } else if (person_in(p, i, " she he ")) {
            sex_subject(p, i, f, &who);
        } else if (f || m) {
            sex_possessive(p, i, f, &who);
        }
    }
    p->spoke = who == WHO_OFFICE && !subject ? WHO_NOBODY : who;
}
