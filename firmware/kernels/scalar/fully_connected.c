#include "td_fully_connected.h"

#include "td_dot.h"
#include "td_scale.h"

/* So many output channels are computed, and then scaled, at once. */
#define GROUP 16

/* Computes `channels` sums, a multiple of four: four share each input value that is loaded. td_dot_fours() for one run,
 * which small layers need: it takes half as many instructions beside the products. */
static __attribute__((noinline)) void multiply(int32_t *sums, const int32_t *bias, int32_t channels,
                                               const int8_t *values, int32_t depth, const int8_t *weights)
{
    const int8_t *first = weights;

    for (; channels > 0; channels -= 4, first += 3 * depth) {
        const int8_t *value = values;
        const int8_t *second = first + depth;
        const int8_t *third = second + depth;
        const int8_t *fourth = third + depth;
        int32_t a = *bias++;
        int32_t b = *bias++;
        int32_t c = *bias++;
        int32_t d = *bias++;
        TD_DOT_RUN(depth);
        *sums++ = a;
        *sums++ = b;
        *sums++ = c;
        *sums++ = d;
    }
}

static inline int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

void td_fully_connected(const struct td_fully_connected *layer, const int8_t *input, int8_t *output)
{
    const int32_t depth = layer->input_depth;
    const int32_t channels = layer->output_depth;
    const struct td_runs run = {.count = 1, .length = depth, .step = 0, .skip = 0};
    int8_t *const start = output;
    int32_t sums[GROUP];

    for (int32_t row = 0; row < layer->rows; row++, input += depth) {
        const int8_t *weights = layer->weights;
        for (int32_t channel = 0; channel < channels;) {
            const int32_t left = channels - channel;
            const int32_t count = left < 4 ? 1 : smaller(left & ~3, GROUP);
            const int32_t *const bias = layer->bias + channel;
            if (count == 1) { /* the last ones, up to three */
                sums[0] = *bias + td_dot_one(&run, input, weights);
            } else {
                multiply(sums, bias, count, input, depth, weights);
            }
            td_scale_channels(&layer->output_stage, channel, sums, count, output);
            output += count;
            channel += count;
            weights += count * depth;
        }
    }
    td_bound(&layer->output_stage, start, (int32_t)(output - start));
}
