/* page.c: the frame of a report and its numbers as text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "task/report/plot.h"
#include "task/report/report.h"

void ct__report_text(ct_text *t, const char *text) {
    size_t room = 4 * strlen(text) + 5;
    char *safe = ct_new(t->allocator, room);
    t->failed |= !safe;
    if (safe) ct__page_text(t, ct_escape(text, safe, room));
    ct_delete(t->allocator, safe, room);
}

void ct__report_words(ct_text *t, const char *text) {
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, " ");
        int whole = at[0] == '-' && n < 40;
        char *word = ct_new(t->allocator, n + 1);
        t->failed |= !word;
        if (!word) return;
        memcpy(word, at, n);
        word[n] = '\0';
        if (whole) ct_text_add(t, "<span class=\"whole\">");
        ct__report_text(t, word);
        if (whole) ct_text_add(t, "</span>");
        ct_delete(t->allocator, word, n + 1);
        at += n;
        if (*at) ct_text_add(t, " "), at++;
    }
}

void ct__report_begin(ct_text *t, const char *title) {
    ct_text_add(t, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>");
    ct__report_text(t, title);
    ct_text_add(t, "</title>\n<style>\n");
    ct_text_add(t, ct__report_css);
    ct_text_add(t, "</style>\n</head>\n<body>\n");
}

void ct__report_end(ct_text *t) {
    ct_text_add(t, "<script>\n");
    ct_text_add(t, ct__report_js);
    ct_text_add(t, "</script>\n</body>\n</html>\n");
}

/* ---- numbers ---- */

static void begin(ct_text *t, const char *key, const char *more) {
    ct_text_add(t, "<span data-v=\"");
    ct__report_text(t, key);
    ct_text_format(t, "\"%s>", more);
}

static void grouped(ct_text *t, uint64_t v) {
    if (v >= 1000) {
        grouped(t, v / 1000);
        ct_text_format(t, ",%03u", (unsigned)(v % 1000));
    } else {
        ct_text_format(t, "%u", (unsigned)v);
    }
}

/* So many places behind the point, with a point whatever the locale. */
static void fixed(ct_text *t, double v, int decimals) {
    uint64_t unit = 1;
    for (int i = 0; i < decimals; i++) unit *= 10;
    double scaled = round(fabs(v) * (double)unit);
    if (!(scaled < 1e15)) {
        ct_text_add(t, isfinite(v) ? "" : "&ndash;");
        if (isfinite(v)) ct__plot_number(t, v);
        return;
    }
    uint64_t whole = (uint64_t)scaled;
    if (v < 0 && whole) ct_text_add(t, "&minus;");
    grouped(t, whole / unit);
    if (decimals) ct_text_format(t, ".%0*llu", decimals, (unsigned long long)(whole % unit));
}

void ct__report_value(ct_text *t, const char *key, double v, int decimals) {
    begin(t, key, "");
    fixed(t, v, decimals);
    ct_text_add(t, "</span>");
}
void ct__report_percent(ct_text *t, const char *key, double share, int decimals) {
    begin(t, key, " data-p");
    fixed(t, share * 100, decimals);
    ct_text_add(t, "</span>&#8239;%");
}
void ct__report_short(ct_text *t, const char *key, double v) {
    begin(t, key, "");
    if (isfinite(v))
        ct__plot_number(t, v);
    else
        ct_text_add(t, "&ndash;");
    ct_text_add(t, "</span>");
}
void ct__report_whole(ct_text *t, const char *key, int64_t v) {
    begin(t, key, "");
    grouped(t, v < 0 ? 0 : (uint64_t)v);
    ct_text_add(t, "</span>");
}

void ct__report_bar(ct_text *t, double share, int second) {
    long tenths = lrint(1000 * (share > 1 ? 1 : share > 0 ? share : 0));
    ct_text_format(t, "<span class=\"bar%s\"><i style=\"width:%ld.%ld%%\"></i></span>", second ? " b" : "",
                   tenths / 10, tenths % 10);
}
