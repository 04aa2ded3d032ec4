#include "td_fully_connected.h"

#include "td_dot.h"
#include "td_scale.h"

/* Four output channels are computed at once, so that each input value is loaded for four multiplications. */
void td_fully_connected(const struct td_fully_connected *layer, const int8_t *input, int8_t *output)
{
    const int32_t depth = layer->input_depth;
    const int32_t channels = layer->output_depth;
    const struct td_runs run = {.count = 1, .length = depth};
    int8_t *const start = output;
    int32_t sums[4];

    for (int32_t row = 0; row < layer->rows; row++, input += depth, output += channels) {
        const int8_t *weights = layer->weights;
        int32_t channel = 0;
        for (; channel + 4 <= channels; channel += 4, weights += 4 * depth) {
            for (int32_t i = 0; i < 4; i++) {
                sums[i] = layer->bias[channel + i];
            }
            td_dot_four(sums, &run, input, weights, depth);
            td_scale_channels(&layer->output_stage, channel, sums, 4, output + channel);
        }
        for (; channel < channels; channel++, weights += depth) {
            sums[0] = layer->bias[channel] + td_dot_one(&run, input, weights);
            td_scale_channels(&layer->output_stage, channel, sums, 1, output + channel);
        }
    }
    td_bound(&layer->output_stage, start, (int32_t)(output - start));
}
