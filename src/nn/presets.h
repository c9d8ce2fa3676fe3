/* presets.h: the table of presets that the build makes from src/nn/presets. */
#ifndef CT_NN_PRESETS_H
#define CT_NN_PRESETS_H

typedef struct ct__preset {
    const char *name, *text;
} ct__preset;
extern const ct__preset ct__presets[]; /* ends with name NULL */

#endif
