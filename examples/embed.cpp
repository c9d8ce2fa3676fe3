// A trained model inside a C++20 program: handles in unique_ptr, options as designated initialisers. It trains a small
// model, saves it, loads it and predicts.   c++ -std=c++20 embed.cpp -lcotan
#include <cstdio>
#include <memory>
#include <vector>

#include "cotan/model.h"
#include "cotan/nn.h"

template <typename T, void (*Free)(T *)> struct freed_by {
    void operator()(T *p) const { Free(p); }
};
using context = std::unique_ptr<ct_ctx, freed_by<ct_ctx, ct_close>>;
using model = std::unique_ptr<ct_model, freed_by<ct_model, ct_model_close>>;
using session = std::unique_ptr<ct_session, freed_by<ct_session, ct_session_free>>;

static ct_t net(ct_t x) { // [N,1,8,8]
    x = ct_relu(ct_conv2d(x, "conv", 4, 3, {.pad = 1}));
    return ct_linear(ct_flatten(ct_maxpool2d(x, 2, {})), "fc", 2, {}); // [N,2]
}

static ct_status make_model(const char *path, ct_err *e) {
    std::vector<float> pictures(64 * 64);
    std::vector<int64_t> labels(64);
    ct_random r = ct_random_stream(1, 0);
    for (size_t i = 0; i < pictures.size(); i++) {
        labels[i / 64] = int64_t(i / 64 % 2);
        pictures[i] = float(0.5 * ct_random_uniform(&r) + 0.5 * double(labels[i / 64]));
    }
    context c(ct_open(nullptr));
    ct_t x = ct_input(c.get(), "x", CT_F32, CT_SHAPE(CT_N, 1, 8, 8)),
         y = ct_input(c.get(), "y", CT_I64, CT_SHAPE(CT_N));
    ct_t logits = net(x), loss = ct_cross_entropy(logits, y, {}, {});
    ct_fit_options o = {.epochs = 20, .batch = 16, .train = {.lr = 0.01}};
    const void *data[] = {pictures.data(), labels.data()};
    if (ct_status s = ct_fit_rows(loss, data, 64, &o, nullptr)) return ct_fail(e, s, "%s", ct_error(c.get()));
    return ct_model_save_net(logits, path, R"({"task": "example", "labels": ["dark", "bright"]})", e);
}

int main() {
    const char *path = "embed_example_cpp.safetensors";
    ct_err e = {};
    ct_model *loaded = nullptr;
    if (make_model(path, &e) || ct_model_open(path, nullptr, &loaded, &e))
        return std::fprintf(stderr, "%s\n", e.text), 1;
    model m(loaded);
    ct_session *made = nullptr;
    if (ct_session_new(ct_model_context(m.get()), &made, &e)) return std::fprintf(stderr, "%s\n", e.text), 1;
    session s(made);
    std::vector<float> in(2 * 64, 0.2f), out(2 * 2); // one dark picture, one bright
    for (size_t i = 64; i < 128; i++) in[i] = 0.8f;
    const void *ins[] = {in.data()};
    void *outs[] = {out.data()};
    if (ct_run(s.get(), ct_model_plan(m.get()), ins, 2, outs))
        return std::fprintf(stderr, "%s\n", ct_session_error(s.get())), 1;
    for (int i = 0; i < 2; i++)
        std::printf("picture %d is %s\n", i, ct_model_label(m.get(), out[2 * i + 1] > out[2 * i]));
}
