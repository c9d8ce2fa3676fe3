/* build.c: one way to make a node. C builders, the text form, gradients and expansion all end here:
 * inputs and attributes are checked, slots bound to variables, shapes inferred, equal nodes found again. */
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"

typedef struct draft { /* a node in the making, on the stack until it is known to be new */
    ct_t in[CT__MAX_IN];
    ct__type in_type[CT__MAX_IN], out[CT__MAX_OUT];
    ct__value attr[CT__MAX_ATTRS];
    char name[768];
    int32_t n_in, n_out, attrs, data_inputs;
} draft;

static ct_t fail_memory(ct_graph *g) {
    ct_fail(&g->error, CT_ELIMIT, "graph: out of memory at %d nodes", g->nodes);
    return ct__poison(g);
}

/* ---- the hash table of nodes ---- */

static uint64_t mix(uint64_t h, uint64_t v) { return ct_hash64(&v, sizeof v, h); }

static uint64_t hash_attr(const ct__op *op, const ct__value *attr, int32_t n, uint64_t h) {
    for (int32_t i = 0; i < n; i++) {
        int32_t type = op->attrs[i].type;
        if (type == CT__TEXT)
            h = attr[i].s ? ct_hash64(attr[i].s, strlen(attr[i].s), h) : mix(h, 0);
        else if (type == CT__LIST)
            h = attr[i].list ? ct_hash64(attr[i].list, sizeof *attr[i].list, h) : mix(h, 1);
        else
            h = mix(h, (uint64_t)attr[i].i);
    }
    return h;
}

static int attr_equal(const ct__op *op, const ct__value *a, const ct__value *b, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        int32_t type = op->attrs[i].type;
        if (type == CT__TEXT || type == CT__LIST) {
            if (!a[i].s != !b[i].s) return 0;
            if (!a[i].s) continue;
            if (type == CT__TEXT ? strcmp(a[i].s, b[i].s) != 0
                                 : memcmp(a[i].list, b[i].list, sizeof *a[i].list) != 0)
                return 0;
        } else if (a[i].i != b[i].i) {
            return 0;
        }
    }
    return 1;
}

static uint64_t hash_draft(const ct__op *op, const draft *d) {
    uint64_t h = mix((uint64_t)(uintptr_t)op, (uint64_t)d->n_in);
    for (int32_t i = 0; i < d->n_in; i++)
        h = mix(h, d->in[i].node ? (uint64_t)d->in[i].node->id * 8 + (uint64_t)d->in[i].out : ~0ull);
    return hash_attr(op, d->attr, d->attrs, h);
}

static int same_node(const ct_node *n, const ct__op *op, const draft *d, uint64_t h) {
    if (n->hash != h || n->op != op || n->n_in != d->n_in) return 0;
    for (int32_t i = 0; i < d->n_in; i++)
        if (n->in[i].node != d->in[i].node || n->in[i].out != d->in[i].out) return 0;
    return attr_equal(op, n->attr, d->attr, d->attrs);
}

static ct_node *find_equal(ct_graph *g, const ct__op *op, const draft *d, uint64_t h) {
    if (!g->table_size) return NULL;
    for (uint64_t i = h;; i++) {
        int32_t id = g->table[i & (uint64_t)(g->table_size - 1)];
        if (!id) return NULL;
        if (same_node(g->node[id - 1], op, d, h)) return g->node[id - 1];
    }
}

static void table_put(ct_graph *g, int32_t id) {
    uint64_t i = g->node[id]->hash;
    while (g->table[i & (uint64_t)(g->table_size - 1)]) i++;
    g->table[i & (uint64_t)(g->table_size - 1)] = id + 1;
}

static int reserve(ct_graph *g) {
    if (g->nodes < g->capacity) return 1;
    const ct_allocator *a = &g->ctx->allocator;
    int32_t capacity = g->capacity ? 2 * g->capacity : 128, size = 4 * capacity;
    int32_t *table = ct_new_array(a, (uint64_t)size, sizeof *table);
    if (!table) return 0;
    ct_node **node =
        ct_resize(a, g->node, (size_t)g->capacity * sizeof *node, (size_t)capacity * sizeof *node);
    if (!node) {
        ct_delete(a, table, (size_t)size * sizeof *table);
        return 0;
    }
    ct_delete(a, g->table, (size_t)g->table_size * sizeof *table);
    g->node = node;
    g->capacity = capacity;
    g->table = table;
    g->table_size = size;
    for (int32_t i = 0; i < g->nodes; i++) table_put(g, i);
    return 1;
}

/* ---- the draft ---- */

static ct_status take_inputs(ct_graph *g, const ct__call *call, draft *d) {
    const ct__op *op = call->op;
    if (call->n_in < op->inputs_min || call->n_in > CT__MAX_IN ||
        (!(op->flags & CT__OP_INTERNAL) && call->n_in > op->inputs_max && !call->attr)) {
        ct__graph_fail(g, "%s: %d inputs; wanted %d to %d", op->name, call->n_in, op->inputs_min,
                       op->inputs_max);
        return CT_EUSAGE;
    }
    for (int32_t i = 0; i < call->n_in; i++) {
        ct_t x = call->in[i];
        d->in[i] = x;
        d->in_type[i] = (ct__type){0};
        if (!x.node) {
            if (i >= op->inputs_min) continue;
            ct__graph_fail(g, "%s: input %d is none; wanted a tensor", op->name, i + 1);
            return CT_EUSAGE;
        }
        if (x.node->id < 0 || g->error.status) return CT_EUSAGE;
        if (x.node->graph != g) {
            ct__graph_fail(g, "%s: input %d belongs to another graph; wanted one of this graph", op->name,
                           i + 1);
            return CT_EUSAGE;
        }
        if (!op->update && (x.node->op->update || (x.node->op->flags & CT__OP_ASSIGN))) {
            ct__graph_fail(
                g,
                "%s: input %d is the result of %s, an effect of a plan; wanted a tensor; take the value "
                "that it assigns",
                op->name, i + 1, x.node->op->name);
            return CT_EUSAGE;
        }
        d->in_type[i] = x.node->out[x.out];
    }
    d->n_in = d->data_inputs = call->n_in;
    return CT_OK;
}

static void read_option(const ct__attr *a, const void *options, ct__value *v, uint8_t *given) {
    const char *field = (const char *)options + a->offset;
    int32_t i;
    if (a->type == CT__FLOAT) {
        memcpy(&v->f, field, sizeof v->f);
        *given = v->f != 0;
    } else if (a->type == CT__TEXT) {
        memcpy(&v->s, field, sizeof v->s);
        *given = v->s != NULL;
    } else {
        memcpy(&i, field, sizeof i);
        v->i = i;
        *given = i != 0;
    }
}

static ct_status take_attrs(ct_graph *g, const ct__call *call, draft *d) {
    uint8_t given[CT__MAX_ATTRS] = {0};
    int32_t positional = 0;
    d->attrs = ct__attrs_count(call->op);
    if (call->attr) {
        memcpy(d->attr, call->attr, (size_t)d->attrs * sizeof *d->attr);
        return CT_OK;
    }
    for (int32_t i = 0; i < d->attrs; i++) {
        const ct__attr *a = &call->op->attrs[i];
        if (a->offset >= 0) {
            if (call->options) read_option(a, call->options, &d->attr[i], &given[i]);
        } else if (call->positional) {
            d->attr[i] = call->positional[positional++];
            given[i] = 1;
        }
    }
    return ct__attrs_complete(call->op, call->name, d->attr, given, &g->error);
}

static ct_status full_name(ct_graph *g, const ct__call *call, draft *d) {
    d->name[0] = '\0';
    if (!call->name) {
        if (!call->op->layer || call->n_in > call->op->inputs_max) return CT_OK;
        ct__graph_fail(g, "%s: no name; wanted one for its parameters, such as \"fc1\"", call->op->name);
        return CT_EUSAGE;
    }
    int n = snprintf(d->name, sizeof d->name, "%s%s", g->scope, call->name);
    if (n > 0 && (size_t)n < sizeof d->name && call->name[0]) return CT_OK;
    ct__graph_fail(g, "%s: name \"%.40s\" is empty or longer than %zu bytes", call->op->name, call->name,
                   sizeof d->name - 1);
    return CT_EUSAGE;
}

/* Numbers of a random op are keyed by its full name: two of one name would draw the same. */
static ct_status random_name(ct_graph *g, const ct__call *call, const draft *d) {
    if (!(call->op->flags & CT__OP_RANDOM) || !call->name || g->private_names) return CT_OK;
    for (int32_t i = 0; i < g->nodes; i++)
        if ((g->node[i]->op->flags & CT__OP_RANDOM) && strcmp(g->node[i]->name, d->name) == 0) {
            ct__graph_fail(g, "%s \"%s\": made twice in one graph (%s %s, then this one); use another name",
                           call->op->name, d->name, g->node[i]->op->name, d->name);
            return CT_EUSAGE;
        }
    return CT_OK;
}

static int32_t attr_index(const ct__op *op, const char *name) {
    for (int32_t i = 0; op->attrs && op->attrs[i].name; i++)
        if (strcmp(op->attrs[i].name, name) == 0) return i;
    return -1;
}

/* `init`, `init_a`, `init_b` of a layer override the rule of its first slot. */
static void apply_init(const ct__op *op, const draft *d, ct__slot *slot) {
    int32_t kind = attr_index(op, "init"), a = attr_index(op, "init_a"), b = attr_index(op, "init_b");
    if (kind < 0 || d->attr[kind].i == CT_INIT_DEFAULT) return;
    slot->init = (ct_init){(int32_t)d->attr[kind].i, 0, a >= 0 ? d->attr[a].f : 0, b >= 0 ? d->attr[b].f : 0};
}

/* Files hold a tied parameter under the layer's own name too, as PyTorch's do. */
static ct_status tied_name(ct_graph *g, const ct__call *call, const ct__slot *slot, ct_t to) {
    char full[1536];
    if (!ct_ok(to)) return CT_EUSAGE;
    snprintf(full, sizeof full, "%s%s.%s", g->private_names ? "" : g->scope, call->name, slot->name);
    return ct__alias_bind(g->ctx, full, to.node->var, &g->error);
}

static ct_status bind_slots(ct_graph *g, const ct__call *call, draft *d, const ct__infer *f) {
    ct__slot slot[CT__MAX_SLOTS];
    if (!call->op->slots || call->n_in > call->op->inputs_max) return CT_OK;
    memset(slot, 0, sizeof slot);
    int32_t n = call->op->slots(f, slot), tie = attr_index(call->op, "tie");
    if (n < 0) return CT_EUSAGE;
    apply_init(call->op, d, &slot[0]);
    d->n_in = call->op->inputs_max;
    for (int32_t i = call->n_in; i < d->n_in; i++) d->in[i] = ct__none();
    d->data_inputs = d->n_in;
    for (int32_t i = 0; i < n; i++, d->n_in++) {
        char full[1024];
        d->in[d->n_in] = ct__none();
        d->in_type[d->n_in] = (ct__type){0};
        if (slot[i].shape.rank < 0) continue;
        if (i == 0 && tie >= 0 && d->attr[tie].s) {
            d->in[d->n_in] = ct_graph_param(g, d->attr[tie].s);
            if (tied_name(g, call, &slot[i], d->in[d->n_in])) return CT_EUSAGE;
        } else {
            snprintf(full, sizeof full, "%s.%s", call->name, slot[i].name);
            d->in[d->n_in] =
                ct_var_new(g, (ct_var_kind)slot[i].kind, full,
                           slot[i].dtype ? (ct_dtype)slot[i].dtype : CT_F32, slot[i].shape, slot[i].init);
        }
        if (!ct_ok(d->in[d->n_in])) return CT_EUSAGE;
        d->in_type[d->n_in] = *ct__type_of(d->in[d->n_in]);
    }
    return CT_OK;
}

static ct_node *node_new(ct_graph *g, const ct__op *op, int32_t n_in, int32_t n_out, int32_t attrs,
                         const char *name) {
    if (!reserve(g)) return NULL;
    ct_node *n = ct_arena_new(&g->arena, sizeof *n);
    ct_t *in = ct_arena_array(&g->arena, (uint64_t)n_in + 1, sizeof *in);
    ct__type *out = ct_arena_array(&g->arena, (uint64_t)n_out, sizeof *out);
    ct__value *attr = ct_arena_array(&g->arena, (uint64_t)attrs + 1, sizeof *attr);
    const char *copy = name[0] ? ct_arena_text(&g->arena, name) : "";
    if (!n || !in || !out || !attr || !copy) return NULL;
    *n = (ct_node){.op = op,
                   .graph = g,
                   .name = copy,
                   .attr = attr,
                   .in = in,
                   .out = out,
                   .n_in = n_in,
                   .n_out = n_out,
                   .id = g->nodes};
    return n;
}

/* Text and lists of attributes may point to the caller's memory: the node keeps copies. */
static int copy_attrs(ct_graph *g, ct_node *n, const ct__value *attr, int32_t attrs) {
    ct__value *to = (ct__value *)(uintptr_t)n->attr;
    for (int32_t i = 0; i < attrs; i++) {
        to[i] = attr[i];
        if (n->op->attrs[i].type == CT__TEXT && attr[i].s && !(to[i].s = ct_arena_text(&g->arena, attr[i].s)))
            return 0;
        if (n->op->attrs[i].type == CT__LIST && attr[i].list &&
            !(to[i].list = ct__list_copy(&g->arena, attr[i].list->v, attr[i].list->count)))
            return 0;
    }
    return 1;
}

static ct_t node_commit(ct_graph *g, ct_node *n, uint64_t h) {
    n->hash = h;
    g->node[g->nodes++] = n;
    table_put(g, n->id);
    return (ct_t){n, 0, 0};
}

static ct_t draft_commit(ct_graph *g, const ct__op *op, const draft *d) {
    uint64_t h = hash_draft(op, d);
    int unique = g->no_merge || (op->flags & (CT__OP_RANDOM | CT__OP_ASSIGN)) != 0;
    ct_node *n = unique ? NULL : find_equal(g, op, d, h);
    if (n) return (ct_t){n, 0, 0};
    n = node_new(g, op, d->n_in, d->n_out, d->attrs, d->name);
    if (!n || !copy_attrs(g, n, d->attr, d->attrs)) return fail_memory(g);
    if (d->n_in) memcpy(n->in, d->in, (size_t)d->n_in * sizeof *n->in);
    memcpy(n->out, d->out, (size_t)d->n_out * sizeof *n->out);
    n->data_inputs = d->data_inputs;
    return node_commit(g, n, h);
}

ct_t ct__build_in(ct_graph *g, const ct__call *call) {
    draft d;
    if (g->error.status) return ct__poison(g);
    memset(d.out, 0, sizeof d.out);
    if (take_inputs(g, call, &d) || full_name(g, call, &d) || random_name(g, call, &d) ||
        take_attrs(g, call, &d))
        return ct__poison(g);
    ct__infer f = {call->op, call->name ? d.name : "", d.attr, d.n_in, 1, d.in_type, d.out, &g->error};
    if (bind_slots(g, call, &d, &f)) return ct__poison(g);
    f.n_in = d.n_in;
    if (d.n_in) d.out[0].dtype = d.in_type[0].dtype;
    if (call->op->infer(&f)) return ct__poison(g);
    d.n_out = f.n_out;
    return draft_commit(g, call->op, &d);
}

ct_t ct__build(const ct__call *call) {
    for (int32_t i = 0; i < call->n_in; i++)
        if (call->in[i].node) return ct__build_in(call->in[i].node->graph, call);
    return ct__none();
}

ct_t ct__make(const ct__op *op, const ct_t *in, int32_t n_in, const ct__value *attr) {
    static const ct__value none[1];
    ct__call call = {.op = op, .in = in, .n_in = n_in, .attr = attr ? attr : none};
    return ct__build(&call);
}

/* A constant's bytes: a graph never points into another one. */
static const void *copy_data(ct_graph *g, const ct_node *node) {
    uint64_t count = 0;
    ct_shape_count(&node->out[0].shape, 0, &count);
    size_t bytes = count * ct_dtype_size((ct_dtype)node->out[0].dtype);
    void *copy = ct_arena_new(&g->arena, bytes + 64);
    if (copy) memcpy(copy, node->data, bytes);
    return copy;
}

ct_t ct__rebuild(ct_graph *g, const ct_node *node, const ct_t *in) {
    draft d;
    int32_t attrs = ct__attrs_count(node->op);
    if (g->error.status) return ct__poison(g);
    if (node->var || node->data ||
        (node->op->flags & CT__OP_SOURCE)) { /* identity is the name, not the inputs */
        for (int32_t i = 0; i < g->nodes; i++)
            if (g->node[i]->op == node->op && g->node[i]->var == node->var &&
                !g->node[i]->data == !node->data &&
                ct_shape_equal(&g->node[i]->out[0].shape, &node->out[0].shape) &&
                strcmp(g->node[i]->name, node->name) == 0 &&
                attr_equal(node->op, g->node[i]->attr, node->attr, attrs))
                return (ct_t){g->node[i], 0, 0};
        ct_node *n = node_new(g, node->op, 0, node->n_out, attrs, node->name);
        if (!n || !copy_attrs(g, n, node->attr, attrs)) return fail_memory(g);
        memcpy(n->out, node->out, (size_t)node->n_out * sizeof *n->out);
        n->var = node->var;
        if (node->data && !(n->data = copy_data(g, node))) return fail_memory(g);
        return node_commit(g, n, ct__name_key(node->name));
    }
    d.n_in = node->n_in;
    d.data_inputs = node->data_inputs;
    d.n_out = node->n_out;
    d.attrs = attrs;
    snprintf(d.name, sizeof d.name, "%s", node->name);
    for (int32_t i = 0; i < d.n_in; i++) d.in[i] = in[i];
    if (attrs) memcpy(d.attr, node->attr, (size_t)attrs * sizeof *d.attr);
    memcpy(d.out, node->out, (size_t)node->n_out * sizeof *d.out);
    return draft_commit(g, node->op, &d);
}

const ct__op *ct__op_find(const char *name) {
    for (int32_t i = 0; ct__ops[i]; i++)
        if (strcmp(ct__ops[i]->name, name) == 0) return ct__ops[i];
    return NULL;
}
