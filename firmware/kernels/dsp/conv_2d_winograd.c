#include "td_conv_2d_winograd.h"

#include <stdbool.h>

#define COLUMN_WORDS 8 /* of 4 input channels: rows 0..3 of B' d, 2 words each */

/* Words from the first position of a column of the patch to its values, in the order of positions. */
#define POSITION_WORDS (2 * TD_WINOGRAD_TILES)
#define COLUMN_0 (8 * POSITION_WORDS)
#define COLUMN_1 0
#define COLUMN_2 (4 * POSITION_WORDS)
#define COLUMN_3 (12 * POSITION_WORDS)

/* a + b and a - b of both halfwords. No sum here leaves them. */
TD_ALWAYS_INLINE uint32_t add16(uint32_t a, uint32_t b)
{
#ifdef __ARM_FEATURE_DSP
    uint32_t result;
    __asm__("sadd16 %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    return td_pkhbt(a + b, (a >> 16) + (b >> 16));
#endif
}

TD_ALWAYS_INLINE uint32_t sub16(uint32_t a, uint32_t b)
{
#ifdef __ARM_FEATURE_DSP
    uint32_t result;
    __asm__("ssub16 %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    return td_pkhbt(a - b, (a >> 16) - (b >> 16));
#endif
}

/* A call's scratch memory. */
struct memory {
    uint32_t *values;
    int32_t *offsets;     /* of the tiles' outputs */
    uint32_t *columns[2]; /* columns 0 and 1, and 2 and 3 of B' d: [column 2][group][COLUMN_WORDS] */
    int8_t *zero_points;  /* a pixel of them */
};

static struct memory memory_of(const struct td_conv_2d_winograd *conv, int8_t *scratch)
{
    const int32_t groups = conv->channels.groups;
    uint32_t *const values = (uint32_t *)(void *)scratch;
    uint32_t *const offsets = values + groups * TD_WINOGRAD_GROUP_WORDS;
    uint32_t *const columns = offsets + TD_WINOGRAD_TILES;
    const struct memory memory = {
        .values = values,
        .offsets = (int32_t *)(void *)offsets,
        .columns = {columns, columns + 2 * groups * COLUMN_WORDS},
        .zero_points = (int8_t *)(void *)(columns + 4 * groups * COLUMN_WORDS),
    };
    memset(memory.zero_points, conv->input_zero_point, conv->input_channels);
    return memory;
}

/* A column of B' d from 4 pixels below each other: rows 0 - 2, 1 + 2, 2 - 1, 1 - 3. */
static __attribute__((noinline)) void transform_column(uint32_t *to, const int8_t *from0, const int8_t *from1,
                                                       const int8_t *from2, const int8_t *from3, int32_t groups)
{
    uint32_t *const end = to + groups * COLUMN_WORDS;

    do {
        const uint32_t row0 = td_load4(from0);
        const uint32_t row1 = td_load4(from1);
        const uint32_t row2 = td_load4(from2);
        const uint32_t row3 = td_load4(from3);
        to[0] = sub16(td_sxtb16(row0), td_sxtb16(row2));
        to[1] = sub16(td_sxtb16_ror8(row0), td_sxtb16_ror8(row2));
        to[2] = add16(td_sxtb16(row1), td_sxtb16(row2));
        to[3] = add16(td_sxtb16_ror8(row1), td_sxtb16_ror8(row2));
        to[4] = sub16(td_sxtb16(row2), td_sxtb16(row1));
        to[5] = sub16(td_sxtb16_ror8(row2), td_sxtb16_ror8(row1));
        to[6] = sub16(td_sxtb16(row1), td_sxtb16(row3));
        to[7] = sub16(td_sxtb16_ror8(row1), td_sxtb16_ror8(row3));
        from0 += 4;
        from1 += 4;
        from2 += 4;
        from3 += 4;
        to += COLUMN_WORDS;
    } while (to < end);
}

/* A row of (B' d) B for 2 of 4 input channels: columns 0 - 2, 1 + 2, 2 - 1, 1 - 3. The row's places are those in the
 * order of positions: in column 1, and in the others. */
TD_ALWAYS_INLINE void transform_row(uint32_t *to, uint32_t column0, uint32_t column1, uint32_t column2,
                                    uint32_t column3, int32_t place_in_1, int32_t place)
{
    to[COLUMN_0 + place * POSITION_WORDS] = sub16(column0, column2);
    to[COLUMN_1 + place_in_1 * POSITION_WORDS] = add16(column1, column2);
    to[COLUMN_2 + place * POSITION_WORDS] = sub16(column2, column1);
    to[COLUMN_3 + place * POSITION_WORDS] = sub16(column1, column3);
}

/* The values of a tile, from its columns of B' d: 0 and 1 at `left`, 2 and 3 at `right`. */
static __attribute__((noinline)) void transform_rows(uint32_t *to, const uint32_t *left, const uint32_t *right,
                                                     int32_t groups)
{
    const int32_t words = groups * COLUMN_WORDS;
    const uint32_t *const end = left + words;

    do {
#define ROW(row, place_in_1)                                                                                          \
    transform_row(to, left[2 * (row)], left[words + 2 * (row)], right[2 * (row)], right[words + 2 * (row)],           \
                  place_in_1, 3 - (row));                                                                             \
    transform_row(to + TD_WINOGRAD_TILES, left[2 * (row) + 1], left[words + 2 * (row) + 1], right[2 * (row) + 1],      \
                  right[words + 2 * (row) + 1], place_in_1, 3 - (row));
        ROW(0, 3)
        ROW(1, 0)
        ROW(2, 1)
        ROW(3, 2)
#undef ROW
        left += COLUMN_WORDS;
        right += COLUMN_WORDS;
        to += TD_WINOGRAD_GROUP_WORDS;
    } while (left < end);
}

/* The 4 input rows below a row of tiles: pixel x of row i is at from[i] + x * step[i], and zero points outside. */
struct rows {
    const int8_t *from[4];
    int32_t step[4];
};

/* Those from row `y` on, which may lie outside. */
static struct rows rows_from(const struct td_conv_2d_winograd *conv, const int8_t *input, int32_t y,
                             const int8_t *zero_points)
{
    struct rows rows;
    for (int32_t i = 0; i < 4; i++, y++) {
        const bool is_inside = y >= 0 && y < conv->input_height;
        rows.from[i] = is_inside ? input + y * conv->input_width * conv->input_channels : zero_points;
        rows.step[i] = is_inside ? conv->input_channels : 0;
    }
    return rows;
}

/* 2 columns of B' d, from column `x` of the input on; either may lie outside. */
static void find_columns(const struct td_conv_2d_winograd *conv, const struct rows *rows, int32_t x,
                         const int8_t *zero_points, uint32_t *to)
{
    const int32_t groups = conv->channels.groups;

    for (int32_t end = x + 2; x < end; x++, to += groups * COLUMN_WORDS) {
        if (x >= 0 && x < conv->input_width) {
            transform_column(to, rows->from[0] + x * rows->step[0], rows->from[1] + x * rows->step[1],
                             rows->from[2] + x * rows->step[2], rows->from[3] + x * rows->step[3], groups);
        } else {
            transform_column(to, zero_points, zero_points, zero_points, zero_points, groups);
        }
    }
}

/* Where a tile begins in one dimension: the last one is moved so that it lies wholly inside, if that is possible. */
static int32_t begin_of(int32_t begin, int32_t size)
{
    return begin + 2 <= size || size == 1 ? begin : size - 2;
}

/* The 4 tiles whose values are being collected. */
struct collection {
    struct memory memory;
    int32_t tiles; /* so far */
};

/* Adds a tile, whose columns are ready; `at`: of its first output, bytes. When there are 4, computes their outputs. */
static void collect(struct collection *collection, const struct td_conv_2d_winograd *conv, int32_t at, int8_t *output)
{
    const struct memory *const memory = &collection->memory;

    transform_rows(memory->values + collection->tiles, memory->columns[0], memory->columns[1], conv->channels.groups);
    memory->offsets[collection->tiles] = at;
    if (++collection->tiles == TD_WINOGRAD_TILES) {
        conv->tile(&conv->channels, memory->values, output);
        collection->tiles = 0;
    }
}

void td_conv_2d_winograd(const struct td_conv_2d_winograd *conv, const int8_t *input, int8_t *output, int8_t *scratch)
{
    struct collection collection = {memory_of(conv, scratch), 0};
    struct memory *const memory = &collection.memory;
    int32_t at = 0;

    for (int32_t row = 0; row < conv->output_height; row += 2) {
        const int32_t y = begin_of(row, conv->output_height);
        const struct rows rows = rows_from(conv, input, y - conv->pad_top, memory->zero_points);
        for (int32_t column = 0; column < conv->output_width; column += 2) {
            const int32_t x = begin_of(column, conv->output_width);
            uint32_t *const left = memory->columns[0];
            memory->columns[0] = memory->columns[1]; /* the right half of the tile before */
            memory->columns[1] = left;
            if (column == 0 || x != column) {
                find_columns(conv, &rows, x - conv->pad_left, memory->zero_points, memory->columns[0]);
            }
            find_columns(conv, &rows, x - conv->pad_left + 2, memory->zero_points, memory->columns[1]);
            at = (y * conv->output_width + x) * conv->output_channels;
            collect(&collection, conv, at, output);
        }
    }
    while (collection.tiles > 0) { /* the last tile also stands for those that are missing */
        collect(&collection, conv, at, output);
    }
}
