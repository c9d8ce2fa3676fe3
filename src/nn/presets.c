/* presets.c: nets that the library carries, as text. */
#include "nn/presets.h"

#include <string.h>

#include "cotan/nn.h"

int32_t ct_preset_count(void) {
    int32_t n = 0;
    while (ct__presets[n].name) n++;
    return n;
}

const char *ct_preset_name(int32_t i) { return i >= 0 && i < ct_preset_count() ? ct__presets[i].name : NULL; }

const char *ct_preset_text(const char *name) {
    for (int32_t i = 0; ct__presets[i].name; i++)
        if (strcmp(ct__presets[i].name, name) == 0) return ct__presets[i].text;
    return NULL;
}
