/* fuzz_csv.c: any bytes as CSV: an error with its place, or records that read alike twice. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/data.h"
#include "fuzz.h"

/* A hash of all fields and numbers; *records of them, or the error. */
static ct_status walk(ct_csv *c, uint64_t *sum, int64_t *records, ct_err *e) {
    int32_t more = 1, missing;
    *sum = 1, *records = 0;
    for (;;) {
        ct_status s = ct_csv_next(c, &more, e);
        if (s || !more) return s;
        ++*records;
        for (int32_t i = 0; i < ct_csv_columns(c); i++) {
            const char *text = ct_csv_text(c, i);
            double v = 0;
            ct_err ignored = {0};
            *sum = ct_hash64(text, strlen(text), *sum);
            ct_status t = ct_csv_number(c, i, &v, &missing, &ignored);
            fuzz_must(t == CT_OK || (t == CT_EDATA && strstr(ignored.text, "; wanted ")));
            fuzz_must(t || (missing ? isnan(v) : isfinite(v)));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const int32_t delimiters[] = {0, ',', ';', '\t', '|', ' '};
    ct_err e = {0};
    ct_csv *c = NULL;
    ct_csv_options o = {.delimiter = bytes ? delimiters[data[0] % 6] : 0,
                        .no_header = bytes > 1 ? data[1] & 1 : 0};
    size_t skip = bytes < 2 ? bytes : 2;
    ct_status s = ct_csv_parse(NULL, data + skip, bytes - skip, "x.csv", o, &c, &e);
    uint64_t first = 0, second = 0;
    int64_t records = 0, again = 0;
    fuzz_must((s == CT_OK) == (c != NULL));
    if (!s) {
        fuzz_must(ct_csv_columns(c) >= 1);
        for (int32_t i = 0; i < ct_csv_columns(c); i++) {
            int32_t found = -1;
            if (!ct_csv_name(c, i)[0]) continue; /* several may have none */
            fuzz_must(ct_csv_column(c, ct_csv_name(c, i), &found, &e) == CT_OK && found == i);
        }
        s = walk(c, &first, &records, &e);
    }
    if (!s) {
        fuzz_must(ct_csv_rewind(c, &e) == CT_OK && walk(c, &second, &again, &e) == CT_OK);
        fuzz_must(first == second && records == again);
    } else {
        fuzz_must((s == CT_EDATA || s == CT_ELIMIT) && strncmp(e.text, "x.csv", 5) == 0);
        fuzz_must(strstr(e.text, "; wanted ") != NULL);
    }
    ct_csv_close(c);
    return 0;
}

#define SEED(text) \
    { text, sizeof text - 1 }
void fuzz_seeds(void (*add)(void *user, const void *data, size_t bytes), void *user) {
    static const struct {
        const char *text;
        size_t bytes;
    } seeds[] = {SEED("\0\0a,b\n1,2\n3,4\n"),
                 SEED("\0\1"
                      "1,2\r\n+3, 4 \r\n"),
                 SEED("\0\0\xEF\xBB\xBF\"a\"\"x\";b\r\"1\n2\";NA\r"),
                 SEED("\3\0a\tb\n1e400\t0x1p3\n\n\n"),
                 SEED("\0\0a,a\n1,2\n"),
                 SEED("\0\0a,b\n1\n"),
                 SEED("\0\0a,b\n\"1,2\n"),
                 SEED("\0\0a,b\n1\"2,3\n"),
                 SEED("\5\0a b\n3,14 1_000\n")};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) add(user, seeds[i].text, seeds[i].bytes);
}
