/* The article's ninth block, RecommenderSystem(6, 9, 4): a rating by fc(cat(user_embedding(user), item_embedding(item))),
 * with the weights of weights.h, for three pairs. A linear layer on the two vectors side by side can only add what it
 * thinks of the user to what it thinks of the item: that they suit each other is more than it can say. */
#include "weights.h"

int main(void) {
    static const int64_t user[3] = {0, 3, 5}, item[3] = {8, 2, 2};
    float rating[3];
    ct_ctx *c = ct_open(NULL);
    ct_t u = ct_input(c, "user", CT_I64, CT_SHAPE(CT_N)), i = ct_input(c, "item", CT_I64, CT_SHAPE(CT_N));
    ct_t both[] = {ct_embedding(u, "user_embedding", 6, 4, (ct_embed){0}),
                   ct_embedding(i, "item_embedding", 9, 4, (ct_embed){0})};
    ct_t output = ct_linear(ct_concat(both, 2, 1), "fc", 1, (ct_lin){0});
    if (set_weights(c, "user_embedding.weight", 1) || set_weights(c, "item_embedding.weight", 2) ||
        set_weights(c, "fc.weight", 0.5) || set_weights(c, "fc.bias", 0.1))
        return 1;
    ct_plan *p;
    ct_session *s = ct_default_session(c);
    ct_err e = {0};
    if (ct_plan_new(&output, 1, NULL, 0, (ct_compile){0}, &p, &e)) return puts(e.text), 1;
    if (ct_run(s, p, (const void *[]){user, item}, 3, (void *[]){rating}))
        return puts(ct_session_error(s)), 1;
    print_row("rating", rating, 3);
    ct_plan_free(p);
    ct_close(c);
    return 0;
}
