/* check.c: cotan check: the ops' own cases on this machine. Exit status 1 when one fails. */
#include <string.h>

#include "cli/cli.h"

static void each(void *user, const ct_check_row *r) {
    const cli *c = user;
    if (r->failure && !c->json) printf("FAILED  %s\n", r->failure);
}

int cli_check(cli *c) {
    ct_check_result r = {0};
    ct_check_options o = {.op = c->words ? c->word[0] : NULL, .seed = c->seed, .report = each, .user = c};
    ct_status s = ct_check(&o, &r, &c->e);
    if (s && s != CT_EINTERNAL) return cli_fail(c);
    if (c->json)
        cli_json(json_pack("{s:i, s:i, s:i, s:s}", "ops", r.ops, "cases", r.cases, "failed", r.failed,
                           "first", r.first));
    else
        printf("%d ops, %d cases, %d failed (%s, %s)\n", r.ops, r.cases, r.failed, ct_cpu_features(),
               ct_kernel_library());
    return s ? 1 : 0;
}
