/* presets.c: cotan presets [NAME]. */
#include <string.h>

#include "cli/cli.h"

static int print_one(cli *c, const char *name) {
    const char *text = ct_preset_text(name), *names[64];
    int32_t n = 0;
    if (text && c->json)
        cli_json(json_pack("{s:s, s:s}", "name", name, "net", text));
    else if (text)
        fputs(text, stdout);
    if (text) return 0;
    for (; n < ct_preset_count() && n < 64; n++) names[n] = ct_preset_name(n);
    const char *near = ct_nearest(name, names, (size_t)n);
    ct_fail(&c->e, CT_EUSAGE, "%.60s: no such preset; wanted %s; see cotan presets", name,
            near ? near : "one of the list");
    return cli_fail(c);
}

/* Names and the first comment of each, without its "# ". */
static void print_list(void) {
    for (int32_t i = 0; i < ct_preset_count(); i++) {
        const char *text = ct_preset_text(ct_preset_name(i));
        int first = (int)strcspn(text, "\n");
        printf("%-12s %.*s\n", ct_preset_name(i), text[0] == '#' ? first - 2 : 0, text + 2);
    }
}

int cli_presets(cli *c) {
    if (c->words == 1) return print_one(c, c->word[0]);
    if (!c->json) {
        print_list();
        return 0;
    }
    json_t *list = json_array();
    for (int32_t i = 0; i < ct_preset_count(); i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "name", ct_preset_name(i), "net",
                                              ct_preset_text(ct_preset_name(i))));
    cli_json(json_pack("{s:o}", "presets", list));
    return 0;
}
