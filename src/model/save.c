/* save.c: a net that was written in C, saved whole: its text and its inputs are taken from its graph and put into the
 * document, which the reader builds it from. That reading is tried here first, so that no file is written that does
 * not open. */
#include <stdlib.h>
#include <string.h>

#include "model/document.h"

#define MAX_INPUTS 16 /* as ct_model_open reads */

typedef struct inputs {
    ct_net_input in[MAX_INPUTS];
    int32_t n;
} inputs;

static ct_status find_inputs(ct_t y, inputs *out, ct_err *e) {
    const ct_allocator *a = ct_allocator_of(ct_context(y));
    int32_t n = ct_nodes_of(y, NULL, 0);
    ct_t *node = ct_new_array(a, (uint64_t)n + 1, sizeof *node);
    ct_status s =
        node && ct_nodes_of(y, node, n) == n ? CT_OK : ct_fail(e, CT_ELIMIT, "model: out of memory");
    for (int32_t i = 0; i < n && !s; i++) {
        if (strcmp(ct_op_of(node[i]), "input") != 0) continue;
        if (out->n == MAX_INPUTS)
            s = ct_fail(e, CT_ELIMIT,
                        "model: the net has more than %d inputs; wanted at most so many; join some",
                        MAX_INPUTS);
        else
            out->in[out->n++] = (ct_net_input){.name = ct_name_of(node[i]),
                                               .shape = ct_shape_of(node[i]),
                                               .dtype = (int32_t)ct_dtype_of(node[i])};
    }
    ct_delete(a, node, ((uint64_t)n + 1) * sizeof *node);
    return s;
}

/* The text makes this net: built beside it in the same context, it takes the same parameters and has as many nodes. */
static ct_status try_text(ct_t y, const char *net, const inputs *in, ct_err *e) {
    ct_graph *g = ct_graph_new(ct_context(y));
    ct_net_env env = {.inputs = in->in, .n_inputs = in->n};
    ct_err why = {0};
    ct_t built;
    if (!g) return ct_fail(e, CT_ELIMIT, "model: out of memory");
    ct_status s = ct_net_build(g, net, "net", &env, &built, &why);
    ct_shape have = ct_shape_of(y), made = s ? have : ct_shape_of(built);
    int same = !s && ct_shape_equal(&have, &made) && ct_nodes_of(y, NULL, 0) == ct_nodes_of(built, NULL, 0);
    if (s == CT_ELIMIT)
        ct_fail(e, s, "%s", why.text);
    else if (!same)
        s = ct_fail(e, CT_EUSAGE,
                    "model: the net cannot be read back from its text (%.300s); wanted one that can; give "
                    "plain names, "
                    "and see docs/net.md",
                    s ? why.text : "another net");
    ct_graph_free(g);
    return s;
}

static json_t *inputs_json(const inputs *in) {
    json_t *list = json_array();
    for (int32_t i = 0; i < in->n; i++) {
        json_t *shape = json_array();
        for (int32_t d = 0; d < in->in[i].shape.rank; d++)
            json_array_append_new(shape, json_integer(in->in[i].shape.dim[d]));
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", in->in[i].name, "dtype",
                                              ct_dtype_name((ct_dtype)in->in[i].dtype), "shape", shape));
    }
    return list;
}

static ct_status complete(json_t *doc, const char *net, const inputs *in, char **text, ct_err *e) {
    if (json_object_get(doc, "net") || json_object_get(doc, "inputs"))
        return ct_fail(
            e, CT_EUSAGE,
            "model: the document has a net or inputs of its own; wanted those of the graph alone; leave "
            "them out, or call ct_model_save");
    int failed = json_object_set_new(doc, "net", json_string(net));
    failed |= json_object_set_new(doc, "inputs", inputs_json(in));
    *text = failed ? NULL : ct__document_dump(doc);
    return *text ? CT_OK : ct_fail(e, CT_ELIMIT, "model: out of memory for its document");
}

ct_status ct_model_save_net(ct_t y, const char *path, const char *document, ct_err *e) {
    if (!ct_context(y))
        return ct_fail(e, CT_EUSAGE,
                       "model: no tensor; wanted the net's output; give what the last op returned");
    ct_text net = {.allocator = ct_allocator_of(ct_context(y))};
    inputs in = {.n = 0};
    char *text = NULL;
    json_t *doc = NULL;
    ct_status s = ct_net_of(y, &net, e);
    if (!s) s = find_inputs(y, &in, e);
    if (!s) s = try_text(y, net.data, &in, e);
    if (!s && !(doc = ct__document_parse(document ? document : "{}", "model", e))) s = CT_EUSAGE;
    if (!s) s = complete(doc, net.data, &in, &text, e);
    if (!s) s = ct_model_save(ct_context(y), path, text, e);
    json_decref(doc);
    free(text);
    ct_text_free(&net);
    return s;
}
