/* relayout.h: conversion between storage orders, for the planner and for variables read from outside. */
#ifndef CT_OP_RELAYOUT_H
#define CT_OP_RELAYOUT_H

#include "graph/graph.h"

int ct__layout_equal(const ct__layout *a, const ct__layout *b);
uint64_t ct__layout_bytes(const ct__layout *l, const ct__type *concrete); /* of storage */
/* "plain", "blocked16", "panel16", "flip16", "conv" */
const char *ct__layout_name(const ct__layout *l);
/* The step that converts l->in[0] in l->in_layout[0] to l->out_layout[0] (kernel, data, scratch filled). */
ct_status ct__relayout_lower(ct__lower *l);
/* The same at once, for a variable: allocates what it needs. */
ct_status ct__relayout_now(ct_ctx *c, const ct__type *type, const ct__layout *from, const ct__layout *to,
                           const void *src, void *dst, ct_err *e);
extern const ct__op ct__op_relayout;

#endif
