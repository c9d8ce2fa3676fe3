/* check.c: cotan check: the ops' own cases on this machine, counted op by op. Exit status 1 when one fails, or when
 * an op has none. */
#include <string.h>

#include "cli/cli.h"

typedef struct listing { /* the op whose cases come in, told when the next one begins */
    cli *c;
    const char *op;
    json_t *each;
    int32_t cases, internal;
} listing;

static void tell(listing *l) {
    if (!l->op) return;
    if (l->c->json)
        json_object_set_new(l->each, l->op, json_integer(l->cases));
    else
        printf("%-26s %4d %s\n", l->op, l->cases, l->internal ? "cases of other ops" : "cases");
}

static void each(void *user, const ct_check_row *r) {
    listing *l = user;
    if (l->op && strcmp(l->op, r->op) != 0) {
        tell(l);
        l->cases = 0;
    }
    l->op = r->op;
    l->internal = r->internal;
    l->cases = r->internal ? r->cases : l->cases + 1;
    if (r->failure && !l->c->json) printf("FAILED  %s\n", r->failure);
}

int cli_check(cli *c) {
    ct_check_result r = {0};
    listing l = {.c = c, .each = json_object()};
    ct_check_options o = {.op = c->words ? c->word[0] : NULL, .seed = c->seed, .report = each, .user = &l};
    ct_status s = ct_check(&o, &r, &c->e);
    if (s && s != CT_EINTERNAL) {
        json_decref(l.each);
        return cli_fail(c);
    }
    tell(&l);
    if (c->json)
        cli_json(json_pack("{s:i, s:i, s:i, s:i, s:s, s:o}", "ops", r.ops, "cases", r.cases, "failed",
                           r.failed, "without", r.without, "first", r.first, "each", l.each));
    else
        printf("%d ops, %d cases, %d failed, %d ops without a case (%s, %s)\n", r.ops, r.cases, r.failed,
               r.without, ct_cpu_features(), ct_kernel_library());
    if (!c->json) json_decref(l.each);
    return s ? 1 : 0;
}
