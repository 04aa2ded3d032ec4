/* SOFTMAX along the last dimension, int8, output scale 1/256 and zero point -128. */
#ifndef TD_SOFTMAX_H
#define TD_SOFTMAX_H

#include <stdint.h>

struct td_softmax {
    int32_t rows;
    int32_t depth;               /* elements a row, at most 4095: the sum of the exponentials has 12 integer bits */
    int32_t entries;             /* of the table, 1 to 256; all further exponentials are as good as 0 */
    const int32_t *exponentials; /* [entries], exp(-d * input scale * beta) * 2^31 for differences d from the maximum */
};

/* `input` and `output` [rows][depth]. `output` may be the same memory as `input`; otherwise they must not overlap.
 * No alignment is needed. */
void td_softmax(const struct td_softmax *softmax, const int8_t *input, int8_t *output);

#endif
