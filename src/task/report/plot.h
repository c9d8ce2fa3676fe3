/* plot.h: plots as SVG inside a page that needs nothing from elsewhere: no script, no font, no picture. */
#ifndef CT_TASK_PLOT_H
#define CT_TASK_PLOT_H

#include "cotan/base.h"

/* A page: head and styles (light and dark), then what follows, then its end. */
void ct__page_begin(ct_text *t, const char *title);
void ct__page_end(ct_text *t);
void ct__page_text(ct_text *t, const char *text); /* escaped */

/* A plot with axes from low to high; ticks at round numbers. */
typedef struct ct__plot {
    ct_text *t;
    double x_low, x_high, y_low, y_high;
    int32_t whole;   /* 1: ticks of x at whole numbers alone */
    int32_t height;  /* of a width of 640; 0: 400 */
    int32_t percent; /* 1: ticks of y are shares, shown as percent */
    int32_t reserved;
} ct__plot;
void ct__plot_begin(ct__plot *p, const char *title, const char *x_label, const char *y_label);
void ct__plot_end(ct__plot *p);
/* Series 0 or 1 of a page that styles them (s0, s1): a line with a gap where y is not finite; its name in the upper right
 * corner, `place` from the right; a mark at a point, with a vertical line. */
void ct__plot_series(ct__plot *p, const double *x, const double *y, int64_t n, int series);
void ct__plot_names(ct__plot *p, const char *first, const char *second);
void ct__plot_mark(ct__plot *p, double x, double y, int series, const char *text);
void ct__plot_bar(ct__plot *p, double x, double width, double y, const char *title);
void ct__plot_line(ct__plot *p, const double *x, const double *y, int64_t n);
/* `title` (NULL: none) is what a reader sees who points at it. */
void ct__plot_point(ct__plot *p, double x, double y, const char *colour, const char *title);
/* Of classes; the first seven told apart by colour-blind readers (Okabe and Ito 2008); grey beyond ten. */
const char *ct__plot_colour(int64_t index);
/* A colour of a scale from dark blue (0) to yellow (1). */
void ct__plot_scale(double share, char out[16]);
void ct__plot_number(ct_text *t, double v); /* three digits, as an axis has them */

#endif
