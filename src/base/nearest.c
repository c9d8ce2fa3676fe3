/* nearest.c: "did you mean".
 *
 * Edit distance (insert, delete, replace, swap of two neighbours: one each; case is free) by the usual
 * table, of which three rows are kept. A name is near when at most about a third of the word would have to
 * change; a guess further off than that helps nobody. A word of three letters or more that a name begins with
 * counts as one change: people abbreviate. */
#include "cotan/base.h"

#include <string.h>

#define LONGEST 127u

static int fold(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint32_t distance(const char *a, size_t m, const char *b, size_t n) {
    uint32_t row[3][LONGEST + 1];
    uint32_t *two = row[0], *one = row[1], *now = row[2]; /* of a's prefixes i-2, i-1 and i */
    for (uint32_t j = 0; j <= n; j++) one[j] = two[j] = j;
    for (uint32_t i = 1; i <= m; i++) {
        now[0] = i;
        for (uint32_t j = 1; j <= n; j++) {
            uint32_t differs = fold(a[i - 1]) != fold(b[j - 1]);
            now[j] = least(one[j - 1] + differs, least(one[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
                now[j] = least(now[j], two[j - 2] + 1);
        }
        uint32_t *oldest = two;
        two = one;
        one = now;
        now = oldest;
    }
    return one[n];
}

const char *ct_nearest(const char *word, const char *const *names, size_t count) {
    const char *best = NULL;
    size_t m = word ? strlen(word) : 0;
    uint32_t limit = (uint32_t)(m <= LONGEST ? m + 1 : 0) / 3;
    if (m == 0 || m > LONGEST) return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t n = names[i] ? strlen(names[i]) : 0;
        int begins = m >= 3 && limit >= 1 && n > m && n <= LONGEST && strncmp(names[i], word, m) == 0;
        if (!begins && (n == 0 || n > LONGEST || n > m + limit || m > n + limit)) continue;
        uint32_t d = begins ? 1 : distance(word, m, names[i], n);
        if (d > limit || (best && d == limit)) continue;
        best = names[i];
        if (d == 0) break;
        limit = d;
    }
    return best;
}
