/* Compares the scalar kernels with the reference ones on random layers, bit for bit: on the host under sanitizers, or
 * on an emulated Cortex-M.
 *
 * The scalar kernels are compiled under other names: scalar_td_add() and so on. Every array ends where its memory does,
 * so that it stands at any address and sanitizers see what is read behind it. Ends with status 0 if all agree, else
 * with 1 after a line that names kernel and seed. All fits into 16 KB of RAM. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "td_add.h"
#include "td_average_pool_2d.h"
#include "td_conv_2d.h"
#include "td_depthwise_conv_2d.h"
#include "td_fully_connected.h"
#include "td_max_pool_2d.h"

#define WITH_SCALAR(name) extern __typeof__(name) scalar_##name

WITH_SCALAR(td_add);
WITH_SCALAR(td_average_pool_2d);
WITH_SCALAR(td_conv_2d);
WITH_SCALAR(td_depthwise_conv_2d);
WITH_SCALAR(td_fully_connected);
WITH_SCALAR(td_max_pool_2d);

#define CASES 300 /* for each kernel */

enum { INPUT = 2600, WEIGHTS = 3000, OUTPUT = 1800, CHANNELS = 40 };

static int8_t first_memory[INPUT], second_memory[600], weights_memory[WEIGHTS];
static int8_t expected[OUTPUT], got[OUTPUT];
static int32_t bias_memory[CHANNELS], mantissa_memory[CHANNELS];
static int8_t shift_memory[CHANNELS];
static uint32_t state;
static int32_t skipped;

#define END_OF(memory, count) ((memory) + (sizeof(memory) / sizeof((memory)[0]) - (size_t)(count)))

#if defined(__arm__)
static void semihosting(int32_t operation, const void *argument)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *text)
{
    semihosting(0x04, text); /* SYS_WRITE0 */
}

static void finish(uint32_t status)
{
    const uint32_t reason[2] = {0x20026, status}; /* ADP_Stopped_ApplicationExit */
    semihosting(0x20, reason);                    /* SYS_EXIT_EXTENDED */
    for (;;) {
    }
}
#else
#include <stdio.h>
#include <stdlib.h>

static void print(const char *text)
{
    fputs(text, stdout);
}

static void finish(uint32_t status)
{
    exit((int)status);
}
#endif

/* xorshift32, Marsaglia 2003. */
static uint32_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* In [low, high]. */
static int32_t between(int32_t low, int32_t high)
{
    return low + (int32_t)(draw() % (uint32_t)(high - low + 1));
}

static bool one_in(int32_t n)
{
    return between(1, n) == 1;
}

/* Noise; sometimes only the extremes. */
static const int8_t *noise(int8_t *values, int32_t n)
{
    const bool is_extreme = one_in(4);
    for (int32_t i = 0; i < n; i++) {
        values[i] = is_extreme ? (int8_t)(one_in(2) ? INT8_MIN : INT8_MAX) : (int8_t)draw();
    }
    return values;
}

static int32_t random_mantissa(void)
{
    const int32_t kind = between(0, 15);
    if (kind == 0) {
        return 0;
    }
    return kind == 1 ? INT32_C(1) << 30 : kind == 2 ? INT32_MAX : (int32_t)(draw() | UINT32_C(0x40000000)) & INT32_MAX;
}

/* Bounds of an output with this zero point: int8's, those of a ReLU, or any, sometimes crossed. */
static void random_bounds(int32_t zero_point, int16_t *min, int16_t *max)
{
    const int32_t kind = between(0, 4);
    *min = (int16_t)(kind == 0 ? zero_point : kind == 1 ? between(-128, 127) : -128);
    *max = (int16_t)(kind == 1 ? between(-128, 127) : kind == 2 ? between(zero_point, 127) : 127);
}

/* How far a sum of products can be from 0, its bias left out. */
static int32_t reach_of(const int8_t *weights, int32_t depth)
{
    int32_t reach = 0;
    for (int32_t i = 0; i < depth; i++) {
        reach += 128 * (weights[i] < 0 ? -weights[i] : weights[i]);
    }
    return reach;
}

/* A stage for sums of `depth` products, and their biases: outputs are spread over their range, or shifts are anything
 * and biases as large as they may be. */
static struct td_output_stage random_stage(int32_t channels, int32_t depth, const int8_t *weights)
{
    const bool is_wild = one_in(3);
    const int32_t rough = -6 - (31 - __builtin_clz((uint32_t)depth | 1u)) / 2;
    int32_t *const mantissas = END_OF(mantissa_memory, channels);
    int8_t *const shifts = END_OF(shift_memory, channels);
    int32_t *const biases = END_OF(bias_memory, channels);
    struct td_output_stage stage = {mantissas, shifts, one_in(2), (int16_t)between(-128, 127), 0, 0};

    random_bounds(stage.zero_point, &stage.min, &stage.max);
    for (int32_t i = 0; i < channels; i++) {
        const int32_t reach = reach_of(weights + i * depth, depth);
        const bool is_last = stage.per_channel || i == channels - 1;
        int32_t left = 0;
        biases[i] = between(-20000, 20000);
        mantissas[i] = random_mantissa();
        shifts[i] = (int8_t)(is_wild ? between(-31, 0) : rough + between(-3, 2));
        while (left < 30 && reach + 20000 <= (INT32_MAX - 256) >> (left + 1)) {
            left++;
        }
        if (is_wild && one_in(2)) { /* to the left, as far as no sum overflows */
            shifts[i] = (int8_t)(stage.per_channel ? between(0, left) : 0);
        } else if (is_wild && is_last) {
            const int32_t room = INT32_MAX - 256 - reach;
            shifts[i] = shifts[i] > 0 ? 0 : shifts[i];
            biases[i] = one_in(2) ? room : -room;
        }
    }
    return stage;
}

/* A side of a sliding window: how large the input is for so many outputs, with padding that may leave windows empty. */
static uint16_t random_input_size(int32_t output, int32_t kernel, int32_t stride, int32_t dilation, uint16_t *pad)
{
    const int32_t reach = (output - 1) * stride + (kernel - 1) * dilation + 1;
    const int32_t before = one_in(3) ? 0 : between(0, (kernel - 1) * dilation);
    const int32_t behind = one_in(3) ? 0 : between(0, (kernel - 1) * dilation);
    const int32_t size = reach - before - behind;
    *pad = (uint16_t)before;
    return (uint16_t)(size < 1 ? 1 : size);
}

static void test_conv_2d(void)
{
    const bool is_point = one_in(3);
    struct td_conv_2d conv = {
        .kernel_height = (uint16_t)(is_point ? 1 : between(1, 5)),
        .kernel_width = (uint16_t)(is_point ? 1 : between(1, 5)),
        .stride_height = (uint16_t)(one_in(2) ? 1 : between(1, 3)),
        .stride_width = (uint16_t)(one_in(2) ? 1 : between(1, 3)),
        .dilation_height = (uint16_t)(one_in(4) ? between(1, 3) : 1),
        .dilation_width = (uint16_t)(one_in(4) ? between(1, 3) : 1),
        .input_channels = (uint16_t)(one_in(2) ? between(1, 4) : between(1, 40)),
        .output_channels = (uint16_t)between(1, 13),
        .output_height = (uint16_t)between(1, 7),
        .output_width = (uint16_t)between(1, 11),
        .input_zero_point = (int16_t)between(-128, 127),
    };
    conv.input_height = random_input_size(conv.output_height, conv.kernel_height, conv.stride_height,
                                          conv.dilation_height, &conv.pad_top);
    conv.input_width = random_input_size(conv.output_width, conv.kernel_width, conv.stride_width, conv.dilation_width,
                                         &conv.pad_left);
    const int32_t depth = conv.kernel_height * conv.kernel_width * conv.input_channels;
    const int32_t values = conv.input_height * conv.input_width * conv.input_channels;
    if (values > INPUT || depth * conv.output_channels > WEIGHTS) {
        skipped++;
        return;
    }
    const int8_t *const input = noise(END_OF(first_memory, values), values);
    conv.weights = noise(END_OF(weights_memory, depth * conv.output_channels), depth * conv.output_channels);
    conv.output_stage = random_stage(conv.output_channels, depth, conv.weights);
    conv.bias = END_OF(bias_memory, conv.output_channels);
    const int32_t outputs = conv.output_height * conv.output_width * conv.output_channels;
    td_conv_2d(&conv, input, END_OF(expected, outputs));
    scalar_td_conv_2d(&conv, input, END_OF(got, outputs));
}

static void test_depthwise_conv_2d(void)
{
    const bool is_usual = one_in(2);
    struct td_depthwise_conv_2d conv = {
        .kernel_height = (uint16_t)(is_usual ? 3 : between(1, 7)),
        .kernel_width = (uint16_t)(is_usual ? 3 : between(1, 7)),
        .stride_height = (uint16_t)between(1, is_usual ? 2 : 3),
        .stride_width = (uint16_t)between(1, is_usual ? 2 : 3),
        .dilation_height = (uint16_t)(one_in(4) ? between(1, 3) : 1),
        .dilation_width = (uint16_t)(one_in(4) ? between(1, 3) : 1),
        .depth_multiplier = (uint16_t)(one_in(3) ? between(1, 4) : 1),
        .input_channels = (uint16_t)(one_in(3) ? 1 : between(1, 10)),
        .output_height = (uint16_t)between(1, 7),
        .output_width = (uint16_t)(one_in(8) ? between(12, 200) : between(1, 12)),
        .input_zero_point = (int16_t)between(-128, 127),
    };
    conv.input_height = random_input_size(conv.output_height, conv.kernel_height, conv.stride_height,
                                          conv.dilation_height, &conv.pad_top);
    conv.input_width = random_input_size(conv.output_width, conv.kernel_width, conv.stride_width, conv.dilation_width,
                                         &conv.pad_left);
    conv.output_channels = (uint16_t)(conv.input_channels * conv.depth_multiplier);
    const int32_t depth = conv.kernel_height * conv.kernel_width;
    const int32_t values = conv.input_height * conv.input_width * conv.input_channels;
    const int32_t outputs = conv.output_height * conv.output_width * conv.output_channels;
    if (values > INPUT || outputs > OUTPUT || depth * conv.output_channels > WEIGHTS) {
        skipped++;
        return;
    }
    const int8_t *const input = noise(END_OF(first_memory, values), values);
    conv.weights = noise(END_OF(weights_memory, depth * conv.output_channels), depth * conv.output_channels);
    conv.output_stage = random_stage(conv.output_channels, depth, conv.weights);
    conv.bias = END_OF(bias_memory, conv.output_channels);
    td_depthwise_conv_2d(&conv, input, END_OF(expected, outputs));
    scalar_td_depthwise_conv_2d(&conv, input, END_OF(got, outputs));
}

static void test_fully_connected(void)
{
    struct td_fully_connected layer = {
        .rows = between(1, 4),
        .input_depth = (uint16_t)between(1, one_in(2) ? 9 : 75),
        .output_depth = (uint16_t)between(1, 40),
    };
    const int32_t values = layer.rows * layer.input_depth;
    const int32_t count = layer.input_depth * layer.output_depth;
    const int32_t outputs = layer.rows * layer.output_depth;
    const int8_t *const input = noise(END_OF(first_memory, values), values);
    layer.weights = noise(END_OF(weights_memory, count), count);
    layer.output_stage = random_stage(layer.output_depth, layer.input_depth, layer.weights);
    layer.bias = END_OF(bias_memory, layer.output_depth);
    td_fully_connected(&layer, input, END_OF(expected, outputs));
    scalar_td_fully_connected(&layer, input, END_OF(got, outputs));
}

static void test_add(void)
{
    struct td_add add = {
        .first_zero_point = (int16_t)between(-128, 127),
        .second_zero_point = (int16_t)between(-128, 127),
        .zero_point = (int16_t)between(-128, 127),
        .first = {random_mantissa(), one_in(2) ? 0 : between(-31, 0)},
        .second = {random_mantissa(), one_in(2) ? 0 : between(-8, 0)},
        .result = {random_mantissa(), one_in(4) ? between(-31, 0) : between(-21, -17)},
        .sign = one_in(2) ? 1 : -1,
    };
    int32_t sizes[2] = {1, 1};
    int32_t outputs = 1;

    for (int32_t i = 3; i >= 0; i--) {
        const int32_t repeated = one_in(3) ? between(0, 1) : 2; /* an input, or neither */
        add.broadcast.count[i] = i == 3 ? between(1, 20) : between(1, 3);
        add.broadcast.first_step[i] = repeated == 0 ? 0 : sizes[0];
        add.broadcast.second_step[i] = repeated == 1 ? 0 : sizes[1];
        sizes[0] *= repeated == 0 ? 1 : add.broadcast.count[i];
        sizes[1] *= repeated == 1 ? 1 : add.broadcast.count[i];
        outputs *= add.broadcast.count[i];
    }
    const int8_t *const first = noise(END_OF(first_memory, sizes[0]), sizes[0]);
    const int8_t *const second = noise(END_OF(second_memory, sizes[1]), sizes[1]);
    random_bounds(add.zero_point, &add.min, &add.max);
    td_add(&add, first, second, END_OF(expected, outputs));
    scalar_td_add(&add, first, second, END_OF(got, outputs));
    if (sizes[0] == outputs) { /* in place */
        int8_t *const both = END_OF(got, outputs);
        memcpy(both, first, (size_t)outputs);
        scalar_td_add(&add, both, second, both);
    }
}

static struct td_pool random_pool(void)
{
    struct td_pool pool = {
        .channels = (uint16_t)between(1, 20),
        .output_height = (uint16_t)between(1, 4),
        .output_width = (uint16_t)between(1, 4),
        .filter_height = (uint16_t)between(1, 4),
        .filter_width = (uint16_t)(one_in(10) ? between(50, 100) : between(1, 4)),
        .stride_height = (uint16_t)between(1, 3),
        .stride_width = (uint16_t)between(1, 3),
    };
    /* Every window has to have a value in the input. */
    pool.pad_top = (uint16_t)between(0, pool.filter_height - 1);
    pool.pad_left = (uint16_t)between(0, pool.filter_width - 1);
    const int32_t rows = (pool.output_height - 1) * pool.stride_height + 1 - pool.pad_top;
    const int32_t columns = (pool.output_width - 1) * pool.stride_width + 1 - pool.pad_left;
    pool.input_height = (uint16_t)((rows < 1 ? 1 : rows) + between(0, pool.filter_height - 1));
    pool.input_width = (uint16_t)((columns < 1 ? 1 : columns) + between(0, pool.filter_width - 1));
    while (pool.input_height * pool.input_width * pool.channels > INPUT) {
        pool.channels--;
    }
    random_bounds(between(-128, 127), &pool.min, &pool.max);
    return pool;
}

static const int8_t *pool_input(const struct td_pool *pool)
{
    const int32_t values = pool->input_height * pool->input_width * pool->channels;
    return noise(END_OF(first_memory, values), values);
}

static void test_average_pool_2d(void)
{
    const struct td_average_pool_2d pool = {random_pool()};
    const int32_t outputs = pool.window.output_height * pool.window.output_width * pool.window.channels;
    const int8_t *const input = pool_input(&pool.window);
    td_average_pool_2d(&pool, input, END_OF(expected, outputs));
    scalar_td_average_pool_2d(&pool, input, END_OF(got, outputs));
}

static void test_max_pool_2d(void)
{
    const struct td_max_pool_2d pool = {random_pool()};
    const int32_t outputs = pool.window.output_height * pool.window.output_width * pool.window.channels;
    const int8_t *const input = pool_input(&pool.window);
    td_max_pool_2d(&pool, input, END_OF(expected, outputs));
    scalar_td_max_pool_2d(&pool, input, END_OF(got, outputs));
}

static void print_number(uint32_t number)
{
    char digits[11];
    char *text = digits + sizeof digits - 1;
    *text = '\0';
    do {
        *--text = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    print(text);
}

/* Runs a test with as many seeds as there are cases; whether outputs, and what is before them, were always the same. */
static bool agrees(const char *name, void (*test)(void))
{
    skipped = 0;
    for (uint32_t seed = 1; seed <= CASES + (uint32_t)skipped; seed++) {
        state = seed * UINT32_C(2654435761);
        memset(expected, 0x55, sizeof expected);
        memset(got, 0x55, sizeof got);
        test();
        if (memcmp(expected, got, sizeof got) != 0) {
            print(name);
            print(" differs, seed ");
            print_number(seed);
            print("\n");
            return false;
        }
    }
    print(name);
    print(" agrees\n");
    return true;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*test)(void);
    } tests[] = {
        {"add", test_add},
        {"average_pool_2d", test_average_pool_2d},
        {"conv_2d", test_conv_2d},
        {"depthwise_conv_2d", test_depthwise_conv_2d},
        {"fully_connected", test_fully_connected},
        {"max_pool_2d", test_max_pool_2d},
    };
    uint32_t failures = 0;

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        failures += !agrees(tests[i].name, tests[i].test);
    }
    finish(failures > 0);
    return 0;
}

#if defined(__arm__)
/* No start-up code: QEMU clears the memory, and nothing is initialised. */
extern uint32_t stack_top[];
void fault(void);

void fault(void)
{
    print("fault\n");
    finish(2);
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    int (*reset)(void);
    void (*exception[14])(void);
} vectors = {stack_top, main, {fault, fault, fault, fault, fault}};
#endif
