/* doctor.c: the plan that measures, made from any loss: activations are found by walking the graph, a layer's name is
 * that of the nearest named node that feeds it, gradients are the graph's own.
 *
 * Outputs, for a batch of `rows`: for each ReLU its greatest value and the share above 0, for each sigmoid and tanh the
 * share in the flat part, per row and unit; the norm of each weight's gradient; the logits. */
#include "nn/doctor.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define MOST_KEPT (1 << 24) /* elements of weights copied before a step */
#define MOST_ACTIVATIONS 256

static ct_status memory(ct_err *e) {
    return ct_fail(e, CT_ELIMIT, "doctor: out of memory; use a smaller net, or train without it");
}

/* ---- activations ---- */

static int32_t kind_of(ct_t y) {
    const char *op = ct_op_of(y);
    return strcmp(op, "relu") == 0      ? CT__RELU
           : strcmp(op, "sigmoid") == 0 ? CT__SIGMOID
           : strcmp(op, "tanh") == 0    ? CT__TANH
                                        : 0;
}

/* The nearest node with a name, along first inputs. */
static ct_t feeder(ct_t y) {
    ct_t at = y;
    for (int hops = 0; hops < 64; hops++) {
        ct_t in = ct_operand(at, 0);
        if (!in.node) return at;
        at = in;
        if (*ct_name_of(at)) return at;
    }
    return at;
}

/* Channels of [N,C,H,W] and, behind a layer of channels, [N,C,T]; else the last axis. */
static int32_t unit_axis(ct_t y, ct_t from) {
    int32_t rank = ct_shape_of(y).rank;
    const char *op = ct_op_of(from);
    int channels = rank == 4 || (rank == 3 && (strncmp(op, "conv", 4) == 0 || strcmp(op, "batch_norm") == 0));
    return channels ? 1 : rank - 1;
}

static int measurable(ct_t y) {
    ct_shape s = ct_shape_of(y);
    if (!kind_of(y) || s.rank < 2 || s.dim[0] != CT_N || ct_dtype_of(y) != CT_F32) return 0;
    for (int32_t i = 1; i < s.rank; i++)
        if (s.dim[i] < 1) return 0;
    return 1;
}

/* All axes but the rows' and the units'. */
static ct_shape others(ct_t y, int32_t axis) {
    ct_shape axes = {.rank = 0};
    for (int32_t i = 1; i < ct_shape_of(y).rank; i++)
        if (i != axis) axes.dim[axes.rank++] = i;
    return axes;
}
static ct_t mean_over(ct_t x, ct_shape axes) { return axes.rank ? ct_mean(x, axes, (ct_reduce){0}) : x; }

/* 1 where the slope is under a hundredth of its greatest, or the ReLU gives something: sigmoid beyond 0.01..0.99, tanh
 * beyond +-0.99. */
static ct_t marks(const ct__activation *a) {
    ct_graph *g = ct_graph_of(a->y);
    ct_t on = a->kind == CT__RELU      ? ct_gt(a->y, ct_number(g, 0))
              : a->kind == CT__SIGMOID ? ct_gt(ct_abs(ct_add_scalar(a->y, -0.5)), ct_number(g, 0.49))
                                       : ct_gt(ct_abs(a->y), ct_number(g, 0.99));
    return ct_cast(on, CT_F32);
}

static ct_status find_activations(ct_doctor *d, ct_t loss, ct_err *e) {
    int32_t n = ct_nodes_of(loss, NULL, 0);
    ct_t *node = ct_arena_array(&d->arena, (uint64_t)n + 1, sizeof *node);
    d->act = ct_arena_array(&d->arena, MOST_ACTIVATIONS, sizeof *d->act);
    if (n == 0 || !node || !d->act || ct_nodes_of(loss, node, n) != n) return memory(e);
    for (int32_t i = 0; i < n && d->acts < MOST_ACTIVATIONS; i++) {
        if (!measurable(node[i])) continue;
        ct_t from = feeder(node[i]);
        const char *name = ct_name_of(from);
        ct__activation *a = &d->act[d->acts++];
        *a = (ct__activation){.y = node[i], .kind = kind_of(node[i]), .axis = unit_axis(node[i], from)};
        a->layer = ct_arena_text(&d->arena, *name ? name : ct_op_of(node[i]));
        a->units = ct_shape_of(node[i]).dim[a->axis];
        a->share = ct_arena_array(&d->arena, (uint64_t)(d->o.rows * a->units), sizeof *a->share);
        if (a->kind == CT__RELU)
            a->most = ct_arena_array(&d->arena, (uint64_t)(d->o.rows * a->units), sizeof *a->most);
        if (!a->layer || !a->share || (a->kind == CT__RELU && !a->most)) return memory(e);
    }
    return CT_OK;
}

/* ---- weights ---- */

static ct_status find_weights(ct_doctor *d, const ct_t *param, int32_t n, ct_err *e) {
    int64_t kept = 0, largest = 0;
    d->weight = ct_arena_array(&d->arena, (uint64_t)n + 1, sizeof *d->weight);
    if (!d->weight) return memory(e);
    for (int32_t i = 0; i < n; i++) {
        uint64_t count;
        ct__weight *w = &d->weight[d->weights];
        ct_shape s = ct_shape_of(param[i]);
        if (s.rank < 2 || !ct_shape_count(&s, 1, &count))
            continue; /* matrices: no biases, no norms' scales */
        *w = (ct__weight){
            .name = ct_arena_text(&d->arena, ct_name_of(param[i])), .shape = s, .count = (int64_t)count};
        d->weights++;
        if (!w->name) return memory(e);
        if (ct_dtype_of(param[i]) != CT_F32 || kept + w->count > MOST_KEPT) continue;
        kept += w->count;
        largest = w->count > largest ? w->count : largest;
        w->before = ct_arena_array(&d->arena, count, sizeof *w->before);
        if (!w->before) return memory(e);
    }
    d->scratch = ct_arena_array(&d->arena, (uint64_t)largest + 1, sizeof *d->scratch);
    return d->scratch ? CT_OK : memory(e);
}

/* ---- the plan ---- */

static ct_status add_outputs(ct_doctor *d, ct_t *node, const ct_t *param, const ct_t *grad, int32_t params,
                             ct_t logits) {
    int32_t k = 0;
    for (int32_t i = 0; i < d->acts; i++) {
        ct__activation *a = &d->act[i];
        ct_shape axes = others(a->y, a->axis);
        d->out[k] = a->share;
        node[k++] = mean_over(marks(a), axes);
        if (!a->most) continue;
        d->out[k] = a->most;
        node[k++] = axes.rank ? ct_max(a->y, axes, (ct_reduce){0}) : a->y;
    }
    for (int32_t i = 0, w = 0; i < params && w < d->weights; i++) {
        if (strcmp(ct_name_of(param[i]), d->weight[w].name) != 0) continue;
        ct_t rows = {0, 0, 0}, values = ct_sparse_rows(grad[i], &rows), g = values.node ? values : grad[i];
        d->out[k] = &d->weight[w++].norm;
        node[k++] = ct_global_norm(&g, 1);
    }
    if (d->predictions) {
        d->out[k] = d->logits;
        node[k++] = logits;
    }
    d->n_out = k;
    return CT_OK;
}

static ct_status find_logits(ct_doctor *d, ct_t logits, ct_err *e) {
    ct_shape s = ct_shape_of(logits);
    if (!ct_ok(logits) || s.rank < 2 || s.dim[0] != CT_N || ct_dtype_of(logits) != CT_F32) return CT_OK;
    d->classes = s.dim[s.rank - 1];
    d->predictions = 1;
    for (int32_t i = 1; i < s.rank - 1; i++) d->predictions *= s.dim[i];
    if (d->classes < 2 || d->predictions < 1) {
        d->classes = d->predictions = 0;
        return CT_OK;
    }
    uint64_t rows, bytes;
    if (!ct_mul_ok((uint64_t)d->o.rows, (uint64_t)d->predictions, &rows) ||
        !ct_mul_ok(rows, (uint64_t)d->classes, &bytes))
        return memory(e);
    d->logits = ct_arena_array(&d->arena, bytes, sizeof *d->logits);
    return d->logits ? CT_OK : memory(e);
}

static ct_status make_plan(ct_doctor *d, ct_t loss, ct_t logits, ct_err *e) {
    int32_t params = ct_parameters(loss, NULL, 0);
    ct_status short_of = params == 0 ? ct_graph_status(ct_graph_of(loss), e) : CT_OK;
    if (short_of) return short_of;
    ct_t *param = ct_arena_array(&d->arena, 2 * (uint64_t)params + 1, sizeof *param), *grad;
    if (!param) return memory(e);
    grad = param + params;
    if (ct_parameters(loss, param, params) != params) return memory(e);
    ct_status s = find_activations(d, loss, e);
    if (!s) s = find_weights(d, param, params, e);
    if (!s) s = find_logits(d, logits, e);
    uint64_t most = 2 * (uint64_t)d->acts + (uint64_t)d->weights + 1;
    ct_t *node = ct_arena_array(&d->arena, most, sizeof *node);
    d->out = ct_arena_array(&d->arena, most, sizeof *d->out);
    if (!s && (!node || !d->out)) s = memory(e);
    if (!s) s = ct_grad(loss, NULL, param, params, grad);
    if (!s) s = add_outputs(d, node, param, grad, params, logits);
    if (ct_graph_status(ct_graph_of(loss), e)) return ct_graph_status(ct_graph_of(loss), e);
    if (!s && d->n_out)
        s = ct_plan_new(node, d->n_out, NULL, 0, (ct_compile){.batch = d->o.rows}, &d->plan, e);
    if (!s) s = ct_session_new(d->ctx, &d->session, e);
    return s;
}

static ct_status match(ct_doctor *d, const ct_source *like, ct_err *e) {
    d->n_inputs = d->plan ? ct_plan_inputs(d->plan) : 0;
    if (d->n_inputs > CT_MAX_FIELDS)
        return ct_fail(e, CT_EUSAGE, "doctor: the loss has %d inputs; wanted at most %d", d->n_inputs,
                       CT_MAX_FIELDS);
    for (int32_t i = 0; i < d->n_inputs; i++) {
        d->field[i] = -1;
        for (int32_t k = 0; k < like->fields; k++)
            if (strcmp(like->field[k].name, ct_plan_input_name(d->plan, i)) == 0) d->field[i] = k;
        if (d->field[i] < 0)
            return ct_fail(e, CT_EUSAGE,
                           "doctor: the data has no field \"%s\"; wanted one for each input of the loss",
                           ct_plan_input_name(d->plan, i));
    }
    if (d->o.label < 1 || d->o.label > like->fields || !d->classes) return CT_OK;
    const ct_field *f = &like->field[d->o.label - 1];
    uint64_t count;
    d->shares = f->dtype == CT_F32;
    if (!ct_shape_count(&f->shape, 1, &count) || (!d->shares && f->dtype != CT_I64)) return CT_OK;
    d->label_count = d->shares ? (int64_t)count / d->classes : (int64_t)count;
    return CT_OK;
}

/* ---- memory ---- */

static ct_status make_memory(ct_doctor *d, ct_err *e) {
    uint64_t units = 0;
    for (int32_t i = 0; i < d->acts; i++)
        if (d->act[i].most) units += (uint64_t)d->act[i].units;
    d->bytes = sizeof *d->m + (uint64_t)d->acts * sizeof *d->layer + (uint64_t)d->weights * sizeof *d->last +
               ((uint64_t)d->classes + units) * sizeof(double) + sizeof *d->nonfinite;
    d->m = ct_arena_new(&d->arena, d->bytes);
    if (!d->m) return memory(e);
    d->layer = (ct__layer_memory *)(d->m + 1);
    d->last = (ct__weight_memory *)(d->layer + d->acts);
    d->count = (double *)(d->last + d->weights);
    double *unit = d->count + d->classes;
    for (int32_t i = 0; i < d->acts; i++) {
        d->layer[i] = (ct__layer_memory){NAN, NAN, NAN};
        if (!d->act[i].most) continue;
        d->act[i].last = unit;
        unit += d->act[i].units;
    }
    for (int32_t i = 0; i < d->weights; i++) d->last[i] = (ct__weight_memory){NAN, NAN, NAN};
    d->nonfinite = (char(*)[400])(void *)unit;
    return CT_OK;
}

ct_status ct_doctor_save(const ct_doctor *d, ct_array *out, ct_err *e) {
    int64_t bytes = (int64_t)d->bytes;
    ct_status s = ct_array_new(d->allocator, CT_U8, ct_shape_make(1, &bytes), out, e);
    if (!s) memcpy(out->data, d->m, (size_t)d->bytes);
    return s;
}

ct_status ct_doctor_load(ct_doctor *d, const ct_array *from, ct_err *e) {
    if (from->dtype != CT_U8 || from->rank != 1 || from->dim[0] != (int64_t)d->bytes ||
        !ct_array_contiguous(from))
        return ct_fail(e, CT_EDATA,
                       "doctor: %lld bytes of memory; wanted %llu, as this net's has; begin anew",
                       (long long)ct_array_count(from), (unsigned long long)d->bytes);
    memcpy(d->m, from->data, (size_t)d->bytes);
    (*d->nonfinite)[sizeof *d->nonfinite - 1] = '\0';
    if (!(d->m->found >= 0 && d->m->found <= CT_FAULTS)) d->m->found = 0;
    for (int32_t i = 0; i < ct_doctor_findings(d); i++) ct__doctor_words(d, i);
    return CT_OK;
}

/* ---- from outside ---- */

ct_status ct_doctor_new(ct_t loss, ct_t logits, const ct_source *like, const ct_doctor_options *o,
                        ct_doctor **out, ct_err *e) {
    if (!ct_ok(loss) || ct_shape_of(loss).rank != 0 || o->steps < 1 || o->batch < 1)
        return ct_fail(e, CT_EUSAGE,
                       "doctor: no scalar loss, no steps or no batch; wanted all three; give them");
    const ct_allocator *a = ct_allocator_of(ct_context(loss));
    ct_doctor *d = ct_new(a, sizeof *d);
    if (!d) return memory(e);
    *d = (ct_doctor){.ctx = ct_context(loss), .allocator = a, .arena = {.allocator = a}, .o = *o};
    int64_t quarter = (o->batch + 3) / 4, rows = o->rows > 0 ? o->rows : quarter > 16 ? quarter : 16;
    d->o.rows = rows < o->batch ? rows : o->batch;
    d->o.every = o->every > 0 ? o->every : 64;
    if (d->o.every > o->steps) d->o.every = o->steps;
    ct_status s = make_plan(d, loss, logits, e);
    if (!s) s = match(d, like, e);
    if (!s) s = make_memory(d, e);
    if (s)
        ct_doctor_free(d);
    else
        *out = d;
    return s;
}

void ct_doctor_free(ct_doctor *d) {
    if (!d) return;
    const ct_allocator *a = d->allocator;
    ct_session_free(d->session);
    ct_plan_free(d->plan);
    ct_arena_free(&d->arena);
    ct_delete(a, d, sizeof *d);
}

int32_t ct_doctor_findings(const ct_doctor *d) { return (int32_t)d->m->found; }
const ct_finding *ct_doctor_finding(const ct_doctor *d, int32_t i) {
    return i >= 0 && i < ct_doctor_findings(d) ? &d->finding[i] : NULL;
}
int64_t ct_doctor_measured(const ct_doctor *d) { return (int64_t)d->m->measured; }
int64_t ct_doctor_rows(const ct_doctor *d) { return d->o.rows; }
double ct_doctor_seconds(const ct_doctor *d) { return d->seconds; }
int32_t ct_doctor_layers(const ct_doctor *d) { return d->acts; }
int32_t ct_doctor_weights(const ct_doctor *d) { return d->weights; }

ct_layer_health ct_doctor_layer(const ct_doctor *d, int32_t i) {
    static const char *const ops[] = {"", "relu", "sigmoid", "tanh"};
    if (i < 0 || i >= d->acts) return (ct_layer_health){"", "", 0, NAN, NAN, NAN};
    const ct__activation *a = &d->act[i];
    return (ct_layer_health){a->layer,           ops[a->kind],     a->units,
                             d->layer[i].active, d->layer[i].dead, d->layer[i].saturated};
}
ct_weight_health ct_doctor_weight(const ct_doctor *d, int32_t i) {
    if (i < 0 || i >= d->weights) return (ct_weight_health){"", NAN, NAN, NAN};
    return (ct_weight_health){d->weight[i].name, d->last[i].gradient, d->last[i].weight, d->last[i].update};
}
