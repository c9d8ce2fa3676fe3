/* check_shapes.c: from one written case many shapes.
 *
 * Equal extents of a case are one quantity: in "x=f32[N,3,5,5]; y=f32[5]; ..." the three fives change together, and
 * the 5 of i64<5> with them; so what had to fit still fits. Extents of 1 stay, they broadcast. The integers of the
 * call (channels, windows, pads) are quantities of their own, and so is the batch. What does not fit is
 * refused by the op with its error, and not counted. */
#include <string.h>

#include "plan/check.h"

#define MAX_TOKENS 64

enum { EXTENT, ARGUMENT, OPTION, BATCH };

typedef struct quantity {
    int64_t value, now;
    int32_t kind;
    int32_t reserved;
} quantity;

typedef struct pattern { /* a text with holes */
    const char *text;
    int32_t begin[MAX_TOKENS], end[MAX_TOKENS], quantity_of[MAX_TOKENS], tokens;
    quantity q[MAX_TOKENS];
    int32_t quantities;
} pattern;

static int is_digit(char c) { return c >= '0' && c <= '9'; }
static int is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void add_token(pattern *p, int32_t begin, int32_t end, int64_t value, int32_t kind) {
    int32_t k = p->quantities;
    if (p->tokens == MAX_TOKENS || (kind == EXTENT && value == 1)) return;
    for (int32_t i = 0; kind == EXTENT && i < p->quantities; i++)
        if (p->q[i].kind == EXTENT && p->q[i].value == value) k = i;
    if (k == p->quantities) p->q[p->quantities++] = (quantity){value, value, kind, 0};
    p->begin[p->tokens] = begin;
    p->end[p->tokens] = end;
    p->quantity_of[p->tokens++] = k;
}

/* Integers of the text: in brackets of declarations, and outside strings of the call. */
static void find_tokens(pattern *p) {
    int in_call = 0, in_string = 0, in_shape = 0;
    const char *s = p->text;
    for (int32_t i = 0; s[i]; i++) {
        if (s[i] == '(') in_call = 1;
        if (s[i] == '"') in_string = !in_string;
        if (s[i] == '[' || s[i] == '<') in_shape = 1;
        if (s[i] == ']' || s[i] == '>') in_shape = 0;
        if (!is_digit(s[i]) || in_string || (!in_call && !in_shape)) continue;
        if (i && (is_word(s[i - 1]) || s[i - 1] == '.')) continue;
        int64_t value = 0;
        int32_t end = i, sign = i && s[i - 1] == '-';
        for (; is_digit(s[end]); end++) value = value < 1000000 ? value * 10 + (s[end] - '0') : value;
        if (!is_word(s[end]) && s[end] != '.') {
            char before = i - sign > 0 ? s[i - sign - 1] : ' ';
            add_token(p, i - sign, end, sign ? -value : value,
                      !in_call        ? EXTENT
                      : before == '=' ? OPTION
                                      : ARGUMENT);
        }
        i = end - 1;
    }
    p->q[p->quantities++] = (quantity){CT__CHECK_BATCH, CT__CHECK_BATCH, BATCH, 0};
}

static uint64_t hash_of(const char *text) { return ct_hash64(text, strlen(text), 0); }

/* The text with the present values; "" when the op has had it, NULL when memory is out. */
static const char *render(ct__shapes *s, const pattern *p) {
    ct_text out = {.allocator = NULL};
    int32_t at = 0;
    if (p->q[p->quantities - 1].now != CT__CHECK_BATCH)
        ct_text_format(&out, "N=%lld; ", (long long)p->q[p->quantities - 1].now);
    for (int32_t i = 0; i < p->tokens; i++) {
        ct_text_bytes(&out, p->text + at, (size_t)(p->begin[i] - at));
        ct_text_format(&out, "%lld", (long long)p->q[p->quantity_of[i]].now);
        at = p->end[i];
    }
    ct_text_add(&out, p->text + at);
    const char *text = out.failed ? NULL : ct_arena_text(s->arena, out.data);
    ct_text_free(&out);
    if (!text || s->count == CT__SHAPES_MOST) return text ? "" : NULL;
    uint64_t h = hash_of(text);
    for (int32_t i = 0; i < s->count; i++)
        if (s->seen[i] == h) return "";
    s->seen[s->count++] = h;
    return text;
}

const char *ct__shapes_next(ct__shapes *s, const ct__case *c, int32_t k) {
    static const int64_t sizes[] = {7, 8, 9, 15, 16, 17, 1, 0};
    const int32_t n = (int32_t)(sizeof sizes / sizeof *sizes);
    pattern p = {.text = c->text};
    find_tokens(&p);
    for (int32_t i = p.quantities - 1; i >= 0; i--) {
        quantity *q = &p.q[i];
        if (q->kind == OPTION) continue;
        if (k < n) {
            q->now = q->kind == BATCH && sizes[k] == 0 ? 2 : sizes[k];
            return render(s, &p);
        }
        k -= n;
    }
    return NULL;
}

const char *ct__shapes_draw(ct__shapes *s, const ct__case *c, ct_random *r) {
    pattern p = {.text = c->text};
    find_tokens(&p);
    for (int32_t i = 0; i < p.quantities; i++) {
        quantity *q = &p.q[i];
        if (q->kind == EXTENT && ct_random_below(r, 3)) q->now = (int64_t)ct_random_below(r, 20);
        if (q->kind == BATCH) q->now = 1 + (int64_t)ct_random_below(r, 9);
        if ((q->kind == ARGUMENT || q->kind == OPTION) && ct_random_below(r, 4) == 0)
            q->now += (int64_t)ct_random_below(r, 5) - 2;
    }
    return render(s, &p);
}
