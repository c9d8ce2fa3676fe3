/* variable.c: the context's variables, found by full name.
 *
 * A variable's storage is in its home order; until a plan fixes that, home is the plain row-major order.
 * Values in other orders are the planner's derived copies; whoever reads or writes a variable from outside
 * (ct_var_get and ct_var_set, in the plan room, which knows the orders) sees the plain one. */
#include <string.h>

#include "graph/graph.h"

uint64_t ct__name_key(const char *full_name) { return ct_hash64(full_name, strlen(full_name), 0x636f74616e); }

static uint32_t slot_of(const ct_ctx *c, const char *name) {
    return (uint32_t)(ct__name_key(name) & (uint64_t)(c->var_table_size - 1));
}

ct__var *ct__var_lookup(const ct_ctx *c, const char *name) {
    if (!c->var_table_size) return NULL;
    for (uint32_t i = slot_of(c, name);; i = (i + 1) & (uint32_t)(c->var_table_size - 1)) {
        if (!c->var_table[i]) return NULL;
        ct__var *v = c->var[c->var_table[i] - 1];
        if (strcmp(v->name, name) == 0) return v;
    }
}

static void table_put(ct_ctx *c, int32_t index) {
    uint32_t i = slot_of(c, c->var[index]->name);
    while (c->var_table[i]) i = (i + 1) & (uint32_t)(c->var_table_size - 1);
    c->var_table[i] = index + 1;
}

static int table_reserve(ct_ctx *c) {
    if (c->vars < c->var_capacity) return 1;
    int32_t capacity = c->var_capacity ? 2 * c->var_capacity : 64, size = 4 * capacity;
    int32_t *table = ct_new_array(&c->allocator, (uint64_t)size, sizeof *table);
    if (!table) return 0;
    ct__var **var = ct_resize(&c->allocator, c->var, (size_t)c->var_capacity * sizeof *var,
                              (size_t)capacity * sizeof *var);
    if (!var) {
        ct_delete(&c->allocator, table, (size_t)size * sizeof *table);
        return 0;
    }
    ct_delete(&c->allocator, c->var_table, (size_t)c->var_table_size * sizeof *table);
    c->var = var;
    c->var_capacity = capacity;
    c->var_table = table;
    c->var_table_size = size;
    for (int32_t i = 0; i < c->vars; i++) table_put(c, i);
    return 1;
}

/* Fans as PyTorch's _calculate_fan_in_and_fan_out: weight [out, in, receptive field...]. */
static void set_fans(ct__var *v) {
    int64_t field = 1;
    for (int32_t i = 2; i < v->shape.rank; i++) field *= v->shape.dim[i];
    int64_t out = v->shape.rank > 0 ? v->shape.dim[0] : 1, in = v->shape.rank > 1 ? v->shape.dim[1] : out;
    v->fan_in = in * field;
    v->fan_out = out * field;
}

static ct__var *var_create(ct_ctx *c, ct_var_kind kind, const char *name, int32_t dtype,
                           const ct_shape *shape, uint64_t count, const ct_init *init, ct_err *e) {
    ct__var *v = table_reserve(c) ? ct_arena_new(&c->arena, sizeof *v) : NULL;
    const char *copy = v ? ct_arena_text(&c->arena, name) : NULL;
    uint64_t bytes = 0;
    int fits = ct_mul_ok((count + 63) / 64 * 64, ct_dtype_size((ct_dtype)dtype), &bytes),
        state = kind == CT_STATE;
    void *data = copy && fits && !state ? ct_new(&c->allocator, bytes ? bytes : 64) : NULL;
    if (!copy || (!data && !state)) {
        ct_fail(e, CT_ELIMIT,
                "variable \"%s\": out of memory for %llu elements; wanted them at once; make the net smaller",
                name, (unsigned long long)count);
        return NULL;
    }
    v->name = copy;
    v->kind = (int32_t)kind;
    v->dtype = dtype;
    v->index = c->vars;
    v->shape = *shape;
    v->count = count;
    v->init = *init;
    v->version = 1;
    v->data = data;
    v->bytes = state ? 0 : bytes ? bytes : 64; /* a state's values are each session's own */
    set_fans(v);
    if (dtype == CT_F32 && !state) ct__var_draw(v, c->options.seed, data);
    c->var[c->vars++] = v;
    table_put(c, v->index);
    return v;
}

/* ---- names of tied parameters ---- */

static const ct__alias *alias_of(const ct_ctx *c, const char *name) {
    for (int32_t i = 0; i < c->aliases; i++)
        if (strcmp(c->alias[i].name, name) == 0) return &c->alias[i];
    return NULL;
}

ct_status ct__alias_bind(ct_ctx *c, const char *name, const ct__var *v, ct_err *e) {
    const ct__alias *have = alias_of(c, name);
    const ct__var *other = have ? c->var[have->var] : ct__var_lookup(c, name);
    if (have && other == v) return CT_OK;
    if (other)
        return ct_fail(e, CT_EUSAGE,
                       "tie: \"%s\" is %s \"%s\"; wanted a layer of another name to share \"%s\"", name,
                       have ? "tied to" : "the variable", other->name, v->name);
    if (c->aliases == c->alias_capacity) {
        int32_t capacity = c->alias_capacity ? 2 * c->alias_capacity : 8;
        ct__alias *list = ct_resize(&c->allocator, c->alias, (size_t)c->alias_capacity * sizeof *list,
                                    (size_t)capacity * sizeof *list);
        if (!list) return ct_fail(e, CT_ELIMIT, "tie: out of memory");
        c->alias = list;
        c->alias_capacity = capacity;
    }
    const char *copy = ct_arena_text(&c->arena, name);
    if (!copy) return ct_fail(e, CT_ELIMIT, "tie: out of memory");
    c->alias[c->aliases++] = (ct__alias){copy, v->index, 0};
    return CT_OK;
}

int64_t ct_alias_count(const ct_ctx *c) { return c->aliases; }
ct_status ct_alias_at(const ct_ctx *c, int64_t i, const char **name, const char **of) {
    if (i < 0 || i >= c->aliases) return CT_EUSAGE;
    *name = c->alias[i].name;
    *of = c->var[c->alias[i].var]->name;
    return CT_OK;
}

ct__var *ct__var_bind(ct_ctx *c, ct_var_kind kind, const char *name, int32_t dtype, const ct_shape *shape,
                      const ct_init *init, ct_err *e) {
    char found[CT_SHAPE_TEXT], wanted[CT_SHAPE_TEXT];
    uint64_t count;
    if (kind < CT_PARAM || kind > CT_STATE) {
        ct_fail(e, CT_EUSAGE, "variable \"%s\": kind %d; wanted a ct_var_kind, %d to %d", name, (int)kind,
                CT_PARAM, CT_STATE);
        return NULL;
    }
    if (!ct_shape_count(shape, 0, &count)) {
        ct_fail(e, CT_EUSAGE,
                "variable \"%s\": shape %s; wanted extents whose product fits, at most %d of them", name,
                ct_shape_format(shape, wanted), CT_MAX_RANK);
        return NULL;
    }
    ct__var *v = ct__var_lookup(c, name);
    if (v) {
        static const char *const kinds[] = {"", "parameter", "buffer", "moment", "state"};
        if (ct_shape_equal(&v->shape, shape) && v->dtype == dtype && v->kind == (int32_t)kind) return v;
        ct_fail(e, CT_EUSAGE,
                "variable \"%s\": exists as %s %s %s; wanted %s %s %s; use another name or a new context",
                name, kinds[v->kind], ct_dtype_name((ct_dtype)v->dtype), ct_shape_format(&v->shape, found),
                kinds[kind], ct_dtype_name((ct_dtype)dtype), ct_shape_format(shape, wanted));
        return NULL;
    }
    const ct__alias *alias = alias_of(c, name);
    if (alias) {
        ct_fail(e, CT_EUSAGE, "variable \"%s\": is tied to \"%s\"; wanted another name, or the tie again",
                name, c->var[alias->var]->name);
        return NULL;
    }
    if (!name[0]) {
        ct_fail(e, CT_EUSAGE, "variable: its name is empty; wanted a name; give one");
        return NULL;
    }
    int32_t rows = ct__batch_axis(shape);
    if (kind == CT_STATE && rows == 0 && init->kind > CT_INIT_CONSTANT) {
        ct_fail(e, CT_EUSAGE,
                "state \"%s\": shape %s has N and a random initialiser; wanted zeros, ones or a constant",
                name, ct_shape_format(shape, wanted));
        return NULL;
    }
    if (rows != -1 && (kind != CT_STATE || rows != 0)) {
        ct_fail(e, CT_EUSAGE, "variable \"%s\": shape %s; wanted fixed extents, or N as a state's first",
                name, ct_shape_format(shape, wanted));
        return NULL;
    }
    return var_create(c, kind, name, dtype, shape, count, init, e);
}

int64_t ct_var_count(const ct_ctx *c) { return c->vars; }

static void info_of(const ct__var *v, ct_var_info *out) {
    *out = (ct_var_info){v->name, v->shape, v->dtype, v->kind, v->frozen, 0, v->count};
}

ct_status ct_var_at(const ct_ctx *c, int64_t index, ct_var_info *out) {
    if (index < 0 || index >= c->vars) return CT_EUSAGE;
    info_of(c->var[index], out);
    return CT_OK;
}

ct_status ct_var_find(const ct_ctx *c, const char *name, ct_var_info *out) {
    const ct__var *v = ct__var_lookup(c, name);
    if (!v) return CT_EUSAGE;
    info_of(v, out);
    return CT_OK;
}

int64_t ct_freeze(ct_ctx *c, const char *prefix, int frozen) {
    size_t length = strlen(prefix);
    int64_t matched = 0;
    for (int32_t i = 0; i < c->vars; i++) {
        ct__var *v = c->var[i];
        if (strncmp(v->name, prefix, length) != 0) continue;
        if (length && v->name[length] != '\0' && v->name[length] != '.') continue;
        v->frozen = frozen != 0;
        matched++;
    }
    return matched;
}
