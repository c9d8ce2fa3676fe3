/* scan.h: JSON read in one pass, without a tree: what the header of a safetensors file needs.
 *
 * A tree takes twenty times the memory of its text, and knows no places. Here the reader asks for what must
 * come next, every string is checked UTF-8, and every error has its byte. */
#ifndef CT_MODEL_SCAN_H
#define CT_MODEL_SCAN_H

#include "cotan/base.h"

typedef struct ct__scan {
    const char *file, *text; /* text: not NUL-terminated */
    uint64_t length, at;
    uint64_t base; /* of the text in the file */
    ct_err *e;
} ct__scan;

#define CT__SCAN_FAIL(s, place, ...) \
    ct_fail_at((s)->e, CT_EDATA, (s)->file, (int64_t)((s)->base + (place)), __VA_ARGS__)

/* The next character that is no blank: 1 and taken when it is `c`. */
int ct__scan_accept(ct__scan *s, char c);
/* CT_EDATA unless it is `c`. */
ct_status ct__scan_expect(ct__scan *s, char c);
/* A string, decoded, in the arena; *place is where it begins. NUL inside is refused. */
ct_status ct__scan_string(ct__scan *s, ct_arena *a, char **out, uint64_t *place);
/* A string that is a short word: longer ones give "". */
#define CT__SCAN_WORD 24
ct_status ct__scan_word(ct__scan *s, char out[CT__SCAN_WORD], uint64_t *place);
/* A whole number from 0 to 2^53; `what` begins the text of its error. */
ct_status ct__scan_whole(ct__scan *s, const char *what, uint64_t *out);
/* Over any value, nested at most 64 deep (CT_ELIMIT). */
ct_status ct__scan_skip(ct__scan *s);
/* CT_EDATA unless only blanks follow. */
ct_status ct__scan_end(ct__scan *s);

#endif
