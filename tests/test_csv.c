/* test_csv.c: the CSV reader: forms that must read alike, every refusal with its place, limits, files that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cotan/data.h"
#include "rows.h"

static ct_err e;

static void refuse(ct_status found, ct_status wanted, const char *text) {
    if (found != wanted || !strstr(e.text, text))
        fail_msg("status %d \"%s\"; wanted %d \"%s\"", (int)found, e.text, (int)wanted, text);
    ct_error_clear(&e);
}

/* The whole file as "name|name/field|field/...", or its error. */
static ct_status join(const char *data, size_t bytes, ct_csv_options o, char *out, size_t capacity) {
    ct_csv *c;
    int32_t more = 1;
    size_t used = 0;
    ct_status s = ct_csv_parse(NULL, data, bytes, "x.csv", o, &c, &e);
    if (s) return s;
    for (int32_t i = 0; i < ct_csv_columns(c); i++)
        used += (size_t)snprintf(out + used, capacity - used, "%s%s", i ? "|" : "", ct_csv_name(c, i));
    for (;;) {
        s = ct_csv_next(c, &more, &e);
        if (s || !more) break;
        for (int32_t i = 0; i < ct_csv_columns(c); i++)
            used += (size_t)snprintf(out + used, capacity - used, "%c%s", i ? '|' : '/', ct_csv_text(c, i));
    }
    ct_csv_close(c);
    return s;
}

static void forms(void **state) {
    static const struct {
        const char *data, *wanted;
    } rows[] = {
        {"a,b\n1,2\n3,4\n", "a|b/1|2/3|4"},
        {"a,b\r\n1,2\r\n3,4\r\n", "a|b/1|2/3|4"},
        {"a,b\r1,2\r3,4\r", "a|b/1|2/3|4"},
        {"a,b\n1,2\n3,4", "a|b/1|2/3|4"},
        {"a,b\n1,2\n3,4\n\n\r\n", "a|b/1|2/3|4"},
        {"\xEF\xBB\xBF"
         "a,b\n1,2\n3,4\n",
         "a|b/1|2/3|4"},
        {"a;b\n1;2\n3;4\n", "a|b/1|2/3|4"},
        {"a\tb\n1\t2\n3\t4\n", "a|b/1|2/3|4"},
        {"\"a\",\"b\"\n\"1\",2\n3,\"4\"\n", "a|b/1|2/3|4"},
        {"a,b\n1,2\n3,\"4\"", "a|b/1|2/3|4"},
        {"a,b\n\"x\"\"y\",\"1,2\"\n,\n", "a|b/x\"y|1,2/|"},
        {"a,b\n\"two\nlines\",\"\r\"\n", "a|b/two\nlines|\r"},
        {"\"a;b\",c\n1,2\n", "a;b|c/1|2"},
        {"one\n1\n2\n", "one/1/2"},
        {"one\n\"\"\n2\n\"\"", "one//2/"}, /* an empty field in quotes is no empty line */
        {"a,b\n", "a|b"},
        {"a,b,\n1,2,3\n", "a|b|/1|2|3"},
    };
    char text[200];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (join(rows[i].data, strlen(rows[i].data), (ct_csv_options){0}, text, sizeof text))
            fail_msg("row %zu: %s", i, e.text);
        assert_string_equal(text, rows[i].wanted);
    }
    assert_int_equal(join("1,2\n3,4\n", 8, (ct_csv_options){.no_header = 1}, text, sizeof text), CT_OK);
    assert_string_equal(text, "1|2/1|2/3|4");
    assert_int_equal(join("a b|c\n1 2|3\n", 12, (ct_csv_options){.delimiter = '|'}, text, sizeof text),
                     CT_OK);
    assert_string_equal(text, "a b|c/1 2|3");
}

/* As a job reads it: every record, every field a number. */
static ct_status read_numbers(const ct_allocator *a, const void *data, uint64_t bytes, ct_err *err) {
    ct_csv *c = NULL;
    int32_t more = 1, gone;
    double v;
    ct_status s = ct_csv_parse(a, data, bytes, "x.csv", (ct_csv_options){0}, &c, err);
    if (s) return s;
    for (;;) {
        s = ct_csv_next(c, &more, err);
        if (s || !more) break;
        for (int32_t i = 0; !s && i < ct_csv_columns(c); i++) s = ct_csv_number(c, i, &v, &gone, err);
        if (s) break;
    }
    ct_csv_close(c);
    return s;
}

static void refusals(void **state) {
    static const struct {
        const char *code, *data;
        size_t bytes; /* 0: to the NUL */
        const char *text;
    } rows[] = {
        {"C1", "", 0, "x.csv: empty"},
        {"C1", "\n\n", 0, "x.csv: empty"},
        {"C2", "a,b\n1,2\n1\n", 0, "x.csv:3:1: 1 field; wanted 2"},
        {"C2", "a,b\n1,2\n1,2,3\n", 0, "x.csv:3:1: 3 fields; wanted 2"},
        {"C2", "a,b\n1,2\n\n3,4\n", 0, "x.csv:3:1: an empty line"},
        {"C2", "a,b\n1,2\n\"\"\n", 0, "x.csv:3:1: 1 field; wanted 2"},
        {"C3", "a,b\n1,\"2\n3,4\n5,6\n", 0, "x.csv:2:3: a quote that is never closed"},
        {"C4", "a,b\n1,\"2\"x\n", 0, "x.csv:2:6: text after a closing quote"},
        {"C4", "a,b\n1,2\"x\n", 0, "x.csv:2:4: a quote inside a bare field"},
        {"C4", "a,b\n\"3\",2\n\"4\",2\"x\n", 0, "x.csv:3:6: a quote inside"},
        {"C5", "a,b\n1,12abc\n", 0, "x.csv:2:3: column 2 \"b\": \"12abc\"; wanted a number"},
        {"C6", "a,b\n1,1e400\n", 0,
         "x.csv:2:3: column 2 \"b\": \"1e400\"; wanted a number that a double can hold"},
        {"C8", "a;b\n1;3,14\n", 0,
         "x.csv:2:3: column 2 \"b\": \"3,14\"; wanted a number with a decimal point"},
        {"C9",
         "\xFF\xFE"
         "a\0,\0b\0\n\0",
         10, "x.csv:1:1: UTF-16"},
        {"C9", "\xFE\xFF\0a", 4, "UTF-16"},
        {"C10",
         "a,b\n1,2\0"
         "3\n",
         10, "x.csv:2:4: a NUL byte"},
        {"C14", "a,b,a\n1,2,3\n", 0, "x.csv:1:5: column 3 \"a\": the name stands twice"},
        {"C17", "a,b\n1,0x1p3\n", 0, "\"0x1p3\"; wanted a number"},
        {"C17", "a,b\n1,1_000\n", 0, "\"1_000\"; wanted a number"},
    };
    char text[200];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        rows_refused(rows[i].code, read_numbers, rows[i].data,
                     rows[i].bytes ? rows[i].bytes : strlen(rows[i].data), CT_EDATA, rows[i].text);
    rows_accepted("C11", read_numbers, "a,b\r\n1,2\r\n+5, 6 \r\n\r\n", 20);
    refuse(join("a\n", 2, (ct_csv_options){.delimiter = '"'}, text, sizeof text), CT_EUSAGE, "delimiter 34");
    assert_int_equal(join("a,b\n1\n", 6, (ct_csv_options){0}, text, sizeof text), CT_EDATA);
    assert_string_equal(e.file, "x.csv");
    assert_true(e.pos == 2 && e.column == 1);
    ct_error_clear(&e);
}

static ct_csv *open_text(const char *data) {
    ct_csv *c;
    int32_t more = 0;
    if (ct_csv_parse(NULL, data, strlen(data), "x.csv", (ct_csv_options){0}, &c, &e) ||
        ct_csv_next(c, &more, &e))
        fail_msg("%s", e.text);
    assert_int_equal(more, 1);
    return c;
}

static void numbers(void **state) {
    static const struct {
        const char *text;
        double wanted;
    } good[] = {{"3.14", 3.14},
                {"+5", 5},
                {"  -7 ", -7},
                {"1e3", 1000},
                {".5", 0.5},
                {"5.", 5},
                {"1E-7", 1e-7},
                {"0.1", 0.1},
                {"123456789012345678", 123456789012345678.0},
                {"9007199254740993", 9007199254740992.0},
                {"2.2250738585072014e-308", 2.2250738585072014e-308},
                {"1e-400", 0},
                {"1797693134862315700000000000000000000000000000000000000000000000000000000000000000000000000"
                 "00000000e210",
                 1.7976931348623157e308},
                {"0e999", 0}};
    static const char *const missing[] = {"",     " ",    "NA",  "n/a",  "nan",     "NaN",
                                          "null", "None", "inf", "-Inf", "Infinity"};
    static const struct {
        const char *text, *wanted;
    } bad[] = {{"12abc", "column 2 \"b\": \"12abc\"; wanted a number;"},
               {"1e400", "a number that a double can hold"},
               {"-1e400", "a number that a double can hold"},
               {"0x1p3", "wanted a number;"},
               {"1_000", "wanted a number;"},
               {"1 2", "wanted a number;"},
               {"1e", "wanted a number;"},
               {".", "wanted a number;"},
               {"--1", "wanted a number;"},
               {"\xd9\xa3", "wanted a number;"}};
    char line[300];
    double v;
    int32_t gone;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(line, sizeof line, "a,b\n1,%s\n", good[i].text);
        ct_csv *c = open_text(line);
        if (ct_csv_number(c, 1, &v, &gone, &e)) fail_msg("%s", e.text);
        if (gone || v < good[i].wanted || v > good[i].wanted) fail_msg("%s: %.17g", good[i].text, v);
        ct_csv_close(c);
    }
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        snprintf(line, sizeof line, "a,b\n1,%s\n", missing[i]);
        ct_csv *c = open_text(line);
        assert_int_equal(ct_csv_number(c, 1, &v, &gone, &e), CT_OK);
        assert_true(gone && isnan(v));
        ct_csv_close(c);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(line, sizeof line, "a,b\n1,%s\n", bad[i].text);
        ct_csv *c = open_text(line);
        refuse(ct_csv_number(c, 1, &v, &gone, &e), CT_EDATA, bad[i].wanted);
        ct_csv_close(c);
    }
    ct_csv *c = open_text("a;b\n1;3,14\n");
    refuse(ct_csv_number(c, 1, &v, &gone, &e), CT_EDATA,
           "x.csv:2:3: column 2 \"b\": \"3,14\"; wanted a number with a decimal point");
    ct_csv_close(c);
}

/* Random doubles in all their lengths read back as strtod has them. */
static void exact_numbers(void **state) {
    ct_random r = ct_random_stream(11, 0);
    char line[100], number[64];
    double v;
    int32_t gone;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        double x = ldexp(ct_random_uniform(&r) - 0.5, (int)ct_random_below(&r, 200) - 100);
        snprintf(number, sizeof number, "%.*g", 1 + (int)ct_random_below(&r, 20), x);
        snprintf(line, sizeof line, "a\n%s\n", number);
        ct_csv *c = open_text(line);
        assert_int_equal(ct_csv_number(c, 0, &v, &gone, &e), CT_OK);
        double wanted = strtod(number, NULL);
        assert_memory_equal(&v, &wanted, sizeof v);
        ct_csv_close(c);
    }
}

static void comma_locale(void **state) {
    (void)state;
    if (setlocale(LC_ALL, "de_DE.UTF-8")) { /* where it is installed */
        numbers(state);
        setlocale(LC_ALL, "C");
    }
}

static void columns(void **state) {
    ct_csv *c = open_text("width,height,kind\n1,2,3\n");
    int32_t i = -1;
    (void)state;
    assert_int_equal(ct_csv_column(c, "kind", &i, &e), CT_OK);
    assert_int_equal(i, 2);
    refuse(ct_csv_column(c, "hight", &i, &e), CT_EDATA,
           "no column \"hight\"; wanted \"height\"; there are width, height, kind");
    refuse(ct_csv_column(c, "zebra", &i, &e), CT_EDATA, "wanted one; there are width, height, kind");
    ct_csv_close(c);
}

static void limits(void **state) {
    enum { LONG = (64 << 20) + 100 };
    char *line = malloc(LONG), *many = malloc(65538 * 2);
    ct_csv *c;
    (void)state;
    assert_non_null(line);
    assert_non_null(many);
    memset(line, 'x', LONG);
    rows_refused("C12", read_numbers, line, LONG, CT_ELIMIT, "x.csv:1:1: a record of more than 64 MiB");
    for (int i = 0; i < 65538; i++) many[2 * i] = 'x', many[2 * i + 1] = ',';
    ct_status s = ct_csv_parse(NULL, many, 65536 * 2 - 1, "x.csv", (ct_csv_options){.no_header = 1}, &c, &e);
    assert_int_equal(s, CT_OK); /* exactly as many as allowed */
    assert_int_equal(ct_csv_columns(c), 65536);
    ct_csv_close(c);
    rows_refused("C13", read_numbers, many, 65537 * 2 - 1, CT_ELIMIT, "more than 65536 columns");
    free(line);
    free(many);
}

/* Records across the window's edges, through a file, one to seven bytes a read. */
typedef struct trickle {
    int64_t step;
} trickle;
static int64_t read_little(void *user, int fd, void *to, size_t bytes) {
    trickle *t = user;
    return read(fd, to, (size_t)t->step < bytes ? (size_t)t->step : bytes);
}

static void write_file(const char *path, const char *text, size_t bytes) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    fclose(f);
}

static void files(void **state) {
    char path[] = "/tmp/cotan_csv_XXXXXX";
    int fd = mkstemp(path);
    ct_text text = {0};
    (void)state;
    assert_true(fd >= 0);
    close(fd);
    ct_text_add(&text, "n,square\r\n");
    for (int i = 0; i < 2000; i++) ct_text_format(&text, "%d,\"%d\"\r\n", i, i * i);
    write_file(path, text.data, text.length);
    for (int64_t step = 1; step < 100000; step = step * 7 + 1) {
        trickle t = {step};
        ct_files f = {.user = &t, .read = read_little};
        ct_csv *c;
        int32_t more, gone;
        double a, b;
        if (ct_csv_open(&f, NULL, path, (ct_csv_options){0}, &c, &e)) fail_msg("%s", e.text);
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < 2000; i++) {
                assert_int_equal(ct_csv_next(c, &more, &e), CT_OK);
                assert_int_equal(ct_csv_line(c), i + 2);
                assert_false(ct_csv_number(c, 0, &a, &gone, &e) || ct_csv_number(c, 1, &b, &gone, &e));
                assert_true(a * a >= b && a * a <= b);
            }
            assert_int_equal(ct_csv_next(c, &more, &e), CT_OK);
            assert_int_equal(more, 0);
            assert_int_equal(ct_csv_rewind(c, &e), CT_OK);
        }
        ct_csv_close(c);
    }
    ct_text_free(&text);
    unlink(path);
}

static void changing_files(void **state) {
    char path[] = "/tmp/cotan_csv_XXXXXX";
    int fd = mkstemp(path);
    ct_csv *c;
    int32_t more = 0;
    (void)state;
    assert_true(fd >= 0);
    write_file(path, "a\n1\n2\n", 6);
    assert_int_equal(ct_csv_open(NULL, NULL, path, (ct_csv_options){0}, &c, &e), CT_OK);
    assert_int_equal(write(fd, "a\n1\n2\n3\n", 8), 8);
    while (!ct_csv_next(c, &more, &e) && more) {
    }
    assert_int_equal(e.status, CT_EIO);
    refuse((ct_status)e.status, CT_EIO, "changed while reading");
    refuse(ct_csv_rewind(c, &e), CT_EIO, "changed while reading");
    ct_csv_close(c);
    close(fd);
    unlink(path);
    refuse(ct_csv_open(NULL, NULL, path, (ct_csv_options){0}, &c, &e), CT_EIO, "cannot open");
    refuse(ct_csv_open(NULL, NULL, "/tmp", (ct_csv_options){0}, &c, &e), CT_EIO, "a folder");
    refuse(ct_csv_open(NULL, NULL, "/dev/zero", (ct_csv_options){0}, &c, &e), CT_EIO,
           "a pipe, socket or device");
}

/* Any byte changed to any value, any cut: read or refused, never worse (the sanitizers watch). */
static void mutations(void **state) {
    static const char good[] = "a,\"b\"\r\n1,\"x\"\"y\"\n-2.5e3,\"\n\"\n";
    char bytes[sizeof good], text[300];
    (void)state;
    for (size_t i = 0; i + 1 < sizeof good; i++) {
        for (int v = 0; v < 256; v++) {
            memcpy(bytes, good, sizeof good);
            bytes[i] = (char)v;
            ct_status s = join(bytes, sizeof good - 1, (ct_csv_options){0}, text, sizeof text);
            assert_true(s == CT_OK || s == CT_EDATA);
            ct_error_clear(&e);
        }
        char *cut = malloc(i + 1);
        assert_non_null(cut);
        memcpy(cut, good, i);
        ct_status s = join(cut, i, (ct_csv_options){0}, text, sizeof text);
        assert_true(s == CT_OK || s == CT_EDATA);
        ct_error_clear(&e);
        free(cut);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),         cmocka_unit_test(refusals),     cmocka_unit_test(numbers),
        cmocka_unit_test(exact_numbers), cmocka_unit_test(comma_locale), cmocka_unit_test(columns),
        cmocka_unit_test(limits),        cmocka_unit_test(files),        cmocka_unit_test(changing_files),
        cmocka_unit_test(mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
