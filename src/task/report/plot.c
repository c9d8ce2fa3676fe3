/* plot.c: SVG by hand: a frame, ticks at 1, 2 or 5 times a power of ten, and marks. */
#include "task/report/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 640, LEFT = 64, RIGHT = 16, TOP = 34, BOTTOM = 50 };

/* ---- pages ---- */

void ct__page_text(ct_text *t, const char *text) {
    for (; *text; text++) {
        const char *entity = *text == '<'   ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '&' ? "&amp;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        if (entity)
            ct_text_add(t, entity);
        else
            ct_text_bytes(t, text, 1);
    }
}

void ct__page_begin(ct_text *t, const char *title) {
    ct_text_add(t, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width\"><title>");
    ct__page_text(t, title);
    ct_text_add(
        t,
        "</title>\n<style>\n"
        ":root{color-scheme:light dark;--ink:#222;--soft:#666;--rule:#ddd;--paper:#fff;--mark:#0072b2}\n"
        "@media(prefers-color-scheme:dark){:root{--ink:#ddd;--soft:#999;--rule:#333;--paper:#16181c;--mark:#"
        "56b4e9}svg circle{fill-opacity:.9!important}}\n"
        "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1340px;"
        "margin:2em auto;padding:0 1em}\nh1{font-size:1.4em;margin-bottom:.2em}\n"
        ".plots{display:flex;flex-wrap:wrap;align-items:flex-start;gap:1.5em}.plots>div{max-width:640px}"
        "\nsvg{display:block;max-width:"
        "100%;height:auto}\n"
        "table{border-collapse:collapse;margin:1em 0}td,th{padding:.15em .9em .15em 0;text-align:right;"
        "border-bottom:1px solid "
        "var(--rule)}\nth{color:var(--soft);font-weight:500}td:first-child,th:first-child"
        "{text-align:left}\nsvg text{fill:var(--ink);font:12px system-ui,sans-serif}svg "
        ".soft{fill:var(--soft)}\n"
        "svg .rule{stroke:var(--rule)}svg .axis{stroke:var(--soft);fill:none}svg .bar{fill:var(--mark)}\n"
        "svg .line{stroke:#d55e00;fill:none;stroke-width:2}svg circle{fill-opacity:.65}\n"
        ".key{display:inline-block;margin-right:1.2em}.key i{display:inline-block;width:.75em;height:.75em;"
        "border-radius:50%;margin-right:.4em}\n</style></head><body>\n<h1>");
    ct__page_text(t, title);
    ct_text_add(t, "</h1>\n");
}
void ct__page_end(ct_text *t) { ct_text_add(t, "</body></html>\n"); }

/* ---- axes ---- */

static int height(const ct__plot *p) { return p->height ? p->height : 400; }
static double x_at(const ct__plot *p, double x) {
    return LEFT + (x - p->x_low) / (p->x_high - p->x_low) * (WIDTH - LEFT - RIGHT);
}
static double y_at(const ct__plot *p, double y) {
    return height(p) - BOTTOM - (y - p->y_low) / (p->y_high - p->y_low) * (height(p) - TOP - BOTTOM);
}

/* With a point whatever the locale, to a tenth of a pixel. */
static void pixels(ct_text *t, double v) {
    double bound = v < -1e6 || isnan(v) ? -1e6 : v > 1e6 ? 1e6 : v;
    long tenths = lrint(bound * 10);
    ct_text_format(t, "%s%ld.%ld", tenths < 0 ? "-" : "", labs(tenths) / 10, labs(tenths) % 10);
}
static void coordinate(ct_text *t, const char *name, double v) { /* name="12.3" */
    ct_text_format(t, " %s=\"", name);
    pixels(t, v);
    ct_text_add(t, "\"");
}

/* Through text such as "117e-31", as 10^31 is no double: the number nearest to three digits prints as them. */
void ct__plot_number(ct_text *t, double v) {
    double rounded = v;
    if (isfinite(v) && fabs(v) > 0) {
        char three[48];
        int power = 2 - (int)floor(log10(fabs(v)));
        double digits = power > 300 ? v * 1e300 * pow(10, power - 300) : v * pow(10, power);
        snprintf(three, sizeof three, "%lde%d", (long)round(digits), -power);
        (void)ct_parse_number(three, &rounded);
    }
    ct_text_number(t, rounded + 0.0);
}

/* 1, 2 or 5 times a power of ten, so that about six of them fit. */
static double step_of(double span) {
    double rough = span / 6, power = pow(10, floor(log10(rough))), share = rough / power;
    return (share > 5 ? 10 : share > 2 ? 5 : share > 1 ? 2 : 1) * power;
}

/* i steps, with the digits that tell it from its neighbours. */
static void tick(ct_text *t, double i, double step) {
    double power = pow(10, 1 - floor(log10(step)));
    ct_text_number(t, round(i * step * power) / power + 0.0);
}

static void x_ticks(const ct__plot *p) {
    double step = step_of(p->x_high - p->x_low);
    if (p->whole && step < 1) step = 1;
    for (double i = ceil(p->x_low / step); i * step <= p->x_high + 1e-9 * step; i++) {
        ct_text_format(p->t, "<line class=\"rule\" y1=\"%d\" y2=\"%d\"", TOP, height(p) - BOTTOM);
        coordinate(p->t, "x1", x_at(p, i * step));
        coordinate(p->t, "x2", x_at(p, i * step));
        ct_text_format(p->t, "/><text class=\"soft\" text-anchor=\"middle\" y=\"%d\"",
                       height(p) - BOTTOM + 16);
        coordinate(p->t, "x", x_at(p, i * step));
        ct_text_add(p->t, ">");
        tick(p->t, i, step);
        ct_text_add(p->t, "</text>\n");
    }
}
static void y_ticks(const ct__plot *p) {
    double step = step_of(p->y_high - p->y_low);
    for (double i = ceil(p->y_low / step); i * step <= p->y_high + 1e-9 * step; i++) {
        ct_text_format(p->t, "<line class=\"rule\" x1=\"%d\" x2=\"%d\"", LEFT, WIDTH - RIGHT);
        coordinate(p->t, "y1", y_at(p, i * step));
        coordinate(p->t, "y2", y_at(p, i * step));
        ct_text_format(p->t, "/><text class=\"soft\" text-anchor=\"end\" x=\"%d\"", LEFT - 6);
        coordinate(p->t, "y", y_at(p, i * step) + 4);
        ct_text_add(p->t, ">");
        tick(p->t, i, p->percent ? 100 * step : step);
        ct_text_add(p->t, p->percent ? "&#8239;%</text>\n" : "</text>\n");
    }
}

void ct__plot_begin(ct__plot *p, const char *title, const char *x_label, const char *y_label) {
    ct_text *t = p->t;
    if (!(p->x_high > p->x_low)) p->x_low -= 1, p->x_high += 1;
    if (!(p->y_high > p->y_low)) p->y_low -= 1, p->y_high += 1;
    ct_text_format(
        t,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
        "class=\"plot\" role=\"img\" aria-label=\"",
        WIDTH, height(p), WIDTH, height(p));
    ct__page_text(t, title);
    ct_text_format(t, "\">\n<text x=\"%d\" y=\"20\" font-weight=\"600\">", LEFT);
    ct__page_text(t, title);
    ct_text_add(t, "</text>\n");
    x_ticks(p);
    y_ticks(p);
    ct_text_format(t, "<rect class=\"axis\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", LEFT, TOP,
                   WIDTH - LEFT - RIGHT, height(p) - TOP - BOTTOM);
    ct_text_format(t, "<text text-anchor=\"middle\" x=\"%d\" y=\"%d\">", (LEFT + WIDTH - RIGHT) / 2,
                   height(p) - 12);
    ct__page_text(t, x_label);
    ct_text_format(t, "</text><text text-anchor=\"middle\" transform=\"translate(16 %d) rotate(-90)\">",
                   (TOP + height(p) - BOTTOM) / 2);
    ct__page_text(t, y_label);
    ct_text_add(t, "</text>\n");
}
void ct__plot_end(ct__plot *p) { ct_text_add(p->t, "</svg>\n"); }

/* ---- marks ---- */

void ct__plot_bar(ct__plot *p, double x, double width, double y, const char *title) {
    double left = x_at(p, x - width / 2), top = y_at(p, y);
    ct_text_add(p->t, "<rect class=\"bar\"");
    coordinate(p->t, "x", left);
    coordinate(p->t, "y", top);
    coordinate(p->t, "width", x_at(p, x + width / 2) - left);
    coordinate(p->t, "height", y_at(p, 0) - top);
    ct_text_add(p->t, "><title>");
    ct__page_text(p->t, title);
    ct_text_add(p->t, "</title></rect>\n");
}

void ct__plot_line(ct__plot *p, const double *x, const double *y, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        ct_text_add(p->t, "<line class=\"line\"");
        coordinate(p->t, "x1", x_at(p, x[i - 1]));
        coordinate(p->t, "y1", y_at(p, y[i - 1]));
        coordinate(p->t, "x2", x_at(p, x[i]));
        coordinate(p->t, "y2", y_at(p, y[i]));
        ct_text_add(p->t, "/>\n");
    }
}

void ct__plot_series(ct__plot *p, const double *x, const double *y, int64_t n, int series) {
    int open = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(y[i]) || !isfinite(x[i])) {
            if (open) ct_text_add(p->t, "\"/>\n");
            open = 0;
            continue;
        }
        if (!open) ct_text_format(p->t, "<polyline class=\"s%d\" points=\"", series);
        if (open) ct_text_add(p->t, " ");
        pixels(p->t, x_at(p, x[i]));
        ct_text_add(p->t, ",");
        pixels(p->t, y_at(p, y[i]));
        open = 1;
    }
    if (open) ct_text_add(p->t, "\"/>\n");
}

void ct__plot_names(ct__plot *p, const char *first, const char *second) {
    ct_text_format(p->t, "<text text-anchor=\"end\" x=\"%d\" y=\"20\"><tspan class=\"s0\">", WIDTH - RIGHT);
    ct__page_text(p->t, first);
    ct_text_add(p->t, "</tspan><tspan class=\"s1\" dx=\"14\">");
    ct__page_text(p->t, second);
    ct_text_add(p->t, "</tspan></text>\n");
}

void ct__plot_mark(ct__plot *p, double x, double y, int series, const char *text) {
    ct_text_format(p->t, "<line class=\"best\" y1=\"%d\" y2=\"%d\"", TOP, height(p) - BOTTOM);
    coordinate(p->t, "x1", x_at(p, x));
    coordinate(p->t, "x2", x_at(p, x));
    ct_text_format(p->t, "/><circle r=\"4.5\" class=\"s%d\"", series);
    coordinate(p->t, "cx", x_at(p, x));
    coordinate(p->t, "cy", y_at(p, y));
    int left = x_at(p, x) > WIDTH / 2, low = y_at(p, y) < TOP + 24; /* away from the line it marks */
    ct_text_format(p->t, "/><text class=\"soft\" text-anchor=\"%s\" y=\"%d\"", left ? "end" : "start",
                   low ? height(p) - BOTTOM - 10 : TOP + 14);
    coordinate(p->t, "x", x_at(p, x) + (left ? -7 : 7));
    ct_text_add(p->t, ">");
    ct__page_text(p->t, text);
    ct_text_add(p->t, "</text>\n");
}

void ct__plot_point(ct__plot *p, double x, double y, const char *colour, const char *title) {
    ct_text_add(p->t, "<circle r=\"3\"");
    coordinate(p->t, "cx", x_at(p, x));
    coordinate(p->t, "cy", y_at(p, y));
    ct_text_format(p->t, " fill=\"%s\"%s", colour, title ? "><title>" : "/>\n");
    if (!title) return;
    ct__page_text(p->t, title);
    ct_text_add(p->t, "</title></circle>\n");
}

const char *ct__plot_colour(int64_t index) {
    static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00",
                                          "#56b4e9", "#f0e442", "#8c564b", "#6a3d9a", "#7fb83d"};
    return index >= 0 && index < 10 ? colours[index] : "#999999";
}

/* From blue over green to yellow, ever lighter, and neither end lost on a dark or a light page. */
void ct__plot_scale(double share, char out[16]) {
    static const unsigned char stop[5][3] = {
        {66, 90, 170}, {38, 130, 160}, {40, 165, 130}, {120, 195, 80}, {215, 200, 50}};
    double at = share < 0 || isnan(share) ? 0 : share > 1 ? 4 : share * 4;
    int i = at >= 4 ? 3 : (int)at;
    double t = at - i;
    int c[3];
    for (int k = 0; k < 3; k++) c[k] = (int)lrint(stop[i][k] + t * (stop[i + 1][k] - stop[i][k]));
    snprintf(out, 16, "#%02x%02x%02x", (unsigned)c[0] & 255, (unsigned)c[1] & 255, (unsigned)c[2] & 255);
}
