/* compare.c: cotan compare RUN RUN: is one model better than the other? */
#include "cli/cli.h"

static void print_json(const cli *c, const ct_comparison *r) {
    cli_json(json_pack("{s:s, s:s, s:[o,o], s:[o,o], s:o, s:[o,o], s:o, s:I, s:o}", "metric", r->metric,
                       "test", r->test, "runs", cli_path(c->word[0]), cli_path(c->word[1]), "values",
                       cli_number(r->first), cli_number(r->second), "difference", cli_number(r->difference),
                       "ci95", cli_number(r->low), cli_number(r->high), "p_value", cli_number(r->p_value),
                       "records", (json_int_t)r->pairs, "better",
                       r->better ? cli_path(c->word[r->better - 1]) : json_null()));
}

static void print_text(const cli *c, const ct_comparison *r) {
    char n[32], path[4200];
    int accuracy = r->metric[0] == 'a';
    double unit = accuracy ? 100 : 1;
    const char *after = accuracy ? " %" : "";
    printf("records in common  %s\n", ct_group_digits(r->pairs, n));
    printf("%-18s %.4g%s and %.4g%s\n", r->metric, r->first * unit, after, r->second * unit, after);
    printf("difference         %+.3g%s (95 %% interval %+.3g to %+.3g)\n", r->difference * unit,
           accuracy ? " points" : "", r->low * unit, r->high * unit);
    char p[32] = "p < 0.001"; /* smaller ones hang on the last records alone */
    if (!(r->p_value < 0.001)) snprintf(p, sizeof p, "%.3f", r->p_value);
    printf("p-value            %s (%s)\n", p, r->test);
    if (r->better)
        printf("better: %s\n", ct_escape(c->word[r->better - 1], path, sizeof path));
    else
        printf("better: neither, by these records\n");
}

int cli_compare(cli *c) {
    ct_comparison r;
    if (ct_compare_runs(cli_files(), NULL, c->word[0], c->word[1], c->metric, &r, &c->e)) return cli_fail(c);
    if (c->json)
        print_json(c, &r);
    else
        print_text(c, &r);
    return c->require_better && r.better != 2 ? 1 : 0;
}
