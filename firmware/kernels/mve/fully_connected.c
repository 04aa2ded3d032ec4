#include "td_fully_connected.h"

#include "td_mve_dot.h"

void td_fully_connected(const struct td_fully_connected *layer, const int8_t *input, int8_t *output)
{
    const struct td_mve_matrix matrix = {
        .weights = layer->weights,
        .bias = layer->bias,
        .stage = &layer->output_stage,
        .channels = layer->output_depth,
        .depth = layer->input_depth,
    };
    td_mve_multiply_matrix(&matrix, input, layer->rows, output);
}
