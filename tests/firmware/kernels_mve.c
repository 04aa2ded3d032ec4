/* Compares the MVE kernels with the reference ones on random layers, bit for bit, on a Cortex-M55.
 *
 * The reference kernels are linked under other names: reference_td_conv_2d() and so on. Exits through semihosting: with
 * 0 if all agree, else with 1 after a line that names kernel and seed. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "td_add.h"
#include "td_average_pool_2d.h"
#include "td_conv_2d.h"
#include "td_depthwise_conv_2d.h"
#include "td_fully_connected.h"
#include "td_lookup.h"
#include "td_max_pool_2d.h"
#include "td_mul.h"

#define CASES 300 /* for each kernel */

#define WITH_REFERENCE(name) extern __typeof__(name) reference_##name

WITH_REFERENCE(td_add);
WITH_REFERENCE(td_average_pool_2d);
WITH_REFERENCE(td_conv_2d);
WITH_REFERENCE(td_depthwise_conv_2d);
WITH_REFERENCE(td_fully_connected);
WITH_REFERENCE(td_lookup);
WITH_REFERENCE(td_max_pool_2d);
WITH_REFERENCE(td_mul);

enum { INPUTS = 1 << 16, WEIGHTS = 1 << 17, OUTPUTS = 1 << 14, CHANNELS = 64 };

static int8_t first[INPUTS], second[INPUTS], weights[WEIGHTS];
static int8_t expected[OUTPUTS], got[OUTPUTS]; /* the largest layer here has half of it */
static int32_t bias[CHANNELS], mantissa[CHANNELS];
static int8_t shift[CHANNELS];
static uint32_t state;

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

static void finish(uint32_t code)
{
    const uint32_t reason[2] = {0x20026, code}; /* ADP_Stopped_ApplicationExit */
    semihosting(0x20, reason);                  /* SYS_EXIT_EXTENDED */
    for (;;) {
    }
}

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

/* Noise; sometimes only the extremes, or one of them. */
static void fill(int8_t *values, int32_t n)
{
    const int32_t kind = between(0, 7);
    for (int32_t i = 0; i < n; i++) {
        const bool is_low = kind == 0 || (kind == 1 && one_in(2));
        values[i] = kind > 2 ? (int8_t)draw() : is_low ? INT8_MIN : INT8_MAX;
    }
}

/* Weights without -128, as converters write them; sometimes with it. */
static void fill_weights(int32_t n)
{
    const bool is_full = one_in(4);
    fill(weights, n);
    for (int32_t i = 0; i < n && !is_full; i++) {
        weights[i] = weights[i] == INT8_MIN ? -127 : weights[i];
    }
}

static int32_t random_mantissa(void)
{
    const int32_t kind = between(0, 15);
    if (kind == 0) {
        return 0;
    }
    return kind == 1 ? INT32_C(1) << 30 : kind == 2 ? INT32_MAX : (int32_t)(draw() | UINT32_C(0x40000000)) & INT32_MAX;
}

/* Bounds of an output with this zero point: those of a ReLU or nearly, of int8, or any. */
static void random_bounds(int32_t zero_point, int16_t *min, int16_t *max)
{
    const int32_t kind = between(0, 3);
    const int32_t near = zero_point > -128 ? zero_point - between(0, 1) : zero_point;
    *min = (int16_t)(kind == 0 ? near : kind == 1 ? between(-128, 127) : -128);
    *max = (int16_t)(kind == 1 ? between(*min, 127) : kind == 2 ? between(zero_point, 127) : 127);
    *max = *max < *min ? *min : *max;
}

/* A stage for sums of `depth` products: outputs are spread over their range, or shifts are anything. */
static struct td_output_stage random_stage(int32_t channels, int32_t depth)
{
    const bool is_wild = one_in(6);
    const int32_t rough = is_wild ? 0 : -6 - (31 - __builtin_clz((uint32_t)depth | 1u)) / 2;
    struct td_output_stage stage = {mantissa, shift, one_in(2), (int16_t)between(-128, 127), 0, 0};

    stage.zero_point = one_in(3) ? -128 : stage.zero_point;
    random_bounds(stage.zero_point, &stage.min, &stage.max);
    for (int32_t i = 0; i < channels; i++) {
        mantissa[i] = random_mantissa();
        shift[i] = (int8_t)(is_wild ? between(-31, 30) : rough + between(-3, 2));
        bias[i] = one_in(8) ? between(-(1 << 28), 1 << 28) : between(-20000, 20000);
    }
    return stage;
}

static void clear_outputs(void)
{
    memset(expected, 0x55, sizeof expected);
    memset(got, 0x55, sizeof got);
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

/* Whether a layer fits into the arrays here; one that does not is left out. */
static bool fits(int32_t inputs, int32_t weight_count, int32_t outputs)
{
    return inputs <= INPUTS && weight_count <= WEIGHTS && outputs <= OUTPUTS / 2;
}

static void test_conv_2d(void)
{
    struct td_conv_2d conv = {
        .kernel_height = (uint16_t)(one_in(3) ? 1 : between(1, 5)),
        .stride_height = (uint16_t)between(1, 3),
        .dilation_height = (uint16_t)(one_in(4) ? between(1, 3) : 1),
        .dilation_width = (uint16_t)(one_in(4) ? between(1, 3) : 1),
        .input_zero_point = (int16_t)between(-128, 127),
        .weights = weights,
        .bias = bias,
    };
    const bool is_point = one_in(3);
    conv.kernel_width = (uint16_t)(is_point ? 1 : between(1, 5));
    conv.kernel_height = is_point ? 1 : conv.kernel_height;
    conv.stride_width = (uint16_t)(one_in(2) ? 1 : between(1, 3));
    conv.stride_height = is_point && one_in(2) ? conv.stride_width : conv.stride_height;
    conv.output_height = (uint16_t)between(1, 6);
    conv.output_width = (uint16_t)between(1, 9);
    conv.input_height = random_input_size(conv.output_height, conv.kernel_height, conv.stride_height,
                                          conv.dilation_height, &conv.pad_top);
    conv.input_width = random_input_size(conv.output_width, conv.kernel_width, conv.stride_width, conv.dilation_width,
                                         &conv.pad_left);
    conv.input_channels = (uint16_t)(one_in(2) ? 16 * between(1, 4) : between(1, one_in(4) ? 300 : 70));
    conv.output_channels = (uint16_t)between(1, 21);
    const int32_t depth = conv.kernel_height * conv.kernel_width * conv.input_channels;
    const int32_t inputs = conv.input_height * conv.input_width * conv.input_channels;
    if (!fits(inputs, depth * conv.output_channels, conv.output_height * conv.output_width * conv.output_channels)) {
        return;
    }
    fill(first, inputs);
    fill_weights(depth * conv.output_channels);
    conv.output_stage = random_stage(conv.output_channels, depth);
    reference_td_conv_2d(&conv, first, expected);
    td_conv_2d(&conv, first, got);
}

static void test_depthwise_conv_2d(void)
{
    struct td_depthwise_conv_2d conv = {
        .kernel_height = (uint16_t)(one_in(2) ? 3 : between(1, 10)),
        .kernel_width = (uint16_t)between(1, 7),
        .stride_height = (uint16_t)between(1, 3),
        .stride_width = (uint16_t)between(1, 3),
        .dilation_height = (uint16_t)(one_in(4) ? between(1, 3) : 1),
        .dilation_width = (uint16_t)(one_in(4) ? between(1, 3) : 1),
        .depth_multiplier = (uint16_t)(one_in(3) ? between(1, 4) : 1),
        .input_zero_point = (int16_t)between(-128, 127),
        .weights = weights,
        .bias = bias,
    };
    conv.kernel_width = conv.kernel_height == 3 && !one_in(3) ? 3 : conv.kernel_width;
    conv.output_height = (uint16_t)between(1, 6);
    conv.output_width = (uint16_t)(one_in(8) ? between(10, 40) : between(1, 9));
    conv.input_height = random_input_size(conv.output_height, conv.kernel_height, conv.stride_height,
                                          conv.dilation_height, &conv.pad_top);
    conv.input_width = random_input_size(conv.output_width, conv.kernel_width, conv.stride_width, conv.dilation_width,
                                         &conv.pad_left);
    conv.input_channels = (uint16_t)(one_in(3) ? 1 << between(0, 4) : between(1, 40 / conv.depth_multiplier));
    conv.depth_multiplier = (uint16_t)(conv.input_channels == 1 ? between(1, 40) : conv.depth_multiplier);
    conv.output_channels = (uint16_t)(conv.input_channels * conv.depth_multiplier);
    const int32_t depth = conv.kernel_height * conv.kernel_width;
    const int32_t inputs = conv.input_height * conv.input_width * conv.input_channels;
    if (!fits(inputs, depth * conv.output_channels, conv.output_height * conv.output_width * conv.output_channels)) {
        return;
    }
    fill(first, inputs);
    fill_weights(depth * conv.output_channels);
    conv.output_stage = random_stage(conv.output_channels, depth);
    reference_td_depthwise_conv_2d(&conv, first, expected);
    td_depthwise_conv_2d(&conv, first, got);
}

static void test_fully_connected(void)
{
    struct td_fully_connected layer = {
        .rows = between(1, 7),
        .input_depth = (uint16_t)(one_in(2) ? 16 * between(1, 40) : between(1, 200)),
        .output_depth = (uint16_t)between(1, 40),
        .weights = weights,
        .bias = bias,
    };
    fill(first, layer.rows * layer.input_depth);
    fill_weights(layer.input_depth * layer.output_depth);
    layer.output_stage = random_stage(layer.output_depth, layer.input_depth);
    reference_td_fully_connected(&layer, first, expected);
    td_fully_connected(&layer, first, got);
}

/* Loops over at most four dimensions, along each of which either input may be repeated. */
static struct td_broadcast random_loops(void)
{
    struct td_broadcast loops;
    int32_t first_size = 1;
    int32_t second_size = 1;

    for (int32_t i = 3; i >= 0; i--) {
        const int32_t repeated = one_in(3) ? between(0, 1) : 2;
        loops.count[i] = i == 3 ? between(1, 50) : between(1, 3);
        loops.first_step[i] = repeated == 0 ? 0 : first_size;
        loops.second_step[i] = repeated == 1 ? 0 : second_size;
        first_size *= repeated == 0 ? 1 : loops.count[i];
        second_size *= repeated == 1 ? 1 : loops.count[i];
    }
    fill(first, first_size);
    fill(second, second_size);
    return loops;
}

static void test_add(void)
{
    struct td_add add = {
        .broadcast = random_loops(),
        .first_zero_point = (int16_t)between(-128, 127),
        .second_zero_point = (int16_t)between(-128, 127),
        .zero_point = (int16_t)between(-128, 127),
        .first = {random_mantissa(), one_in(2) ? 0 : between(-31, 0)},
        .second = {random_mantissa(), one_in(2) ? 0 : between(-8, 0)},
        .result = {random_mantissa(), one_in(4) ? between(-31, 0) : between(-21, -17)},
        .sign = one_in(2) ? 1 : -1,
    };
    random_bounds(add.zero_point, &add.min, &add.max);
    reference_td_add(&add, first, second, expected);
    td_add(&add, first, second, got);
}

static void test_mul(void)
{
    struct td_mul mul = {
        .broadcast = random_loops(),
        .first_zero_point = (int16_t)between(-128, 127),
        .second_zero_point = (int16_t)between(-128, 127),
        .zero_point = (int16_t)between(-128, 127),
        .result = {random_mantissa(), one_in(4) ? between(-31, 14) : between(-9, -5)},
    };
    random_bounds(mul.zero_point, &mul.min, &mul.max);
    reference_td_mul(&mul, first, second, expected);
    td_mul(&mul, first, second, got);
}

static void test_lookup(void)
{
    const struct td_lookup lookup = {between(1, 200), second};
    fill(first, lookup.count);
    fill(second, 256);
    reference_td_lookup(&lookup, first, expected);
    td_lookup(&lookup, first, got);
}

static struct td_pool random_pool(void)
{
    struct td_pool pool = {
        .channels = (uint16_t)between(1, 40),
        .output_height = (uint16_t)between(1, 4),
        .output_width = (uint16_t)between(1, 4),
        .filter_height = (uint16_t)between(1, 5),
        .filter_width = (uint16_t)between(1, 5),
        .stride_height = (uint16_t)between(1, 3),
        .stride_width = (uint16_t)between(1, 3),
    };
    if (one_in(10)) { /* more values in a row than 16 bits have room for */
        pool.channels = (uint16_t)between(1, 4);
        pool.filter_width = (uint16_t)between(600, 900);
    }
    /* Every window has to have a value in the input. */
    pool.pad_top = (uint16_t)between(0, pool.filter_height - 1);
    pool.pad_left = (uint16_t)between(0, pool.filter_width - 1);
    const int32_t rows = (pool.output_height - 1) * pool.stride_height + 1 - pool.pad_top;
    const int32_t columns = (pool.output_width - 1) * pool.stride_width + 1 - pool.pad_left;
    pool.input_height = (uint16_t)((rows < 1 ? 1 : rows) + between(0, pool.filter_height - 1));
    pool.input_width = (uint16_t)((columns < 1 ? 1 : columns) + between(0, pool.filter_width - 1));
    random_bounds(between(-128, 127), &pool.min, &pool.max);
    fill(first, pool.input_height * pool.input_width * pool.channels);
    return pool;
}

static void test_average_pool_2d(void)
{
    const struct td_average_pool_2d pool = {random_pool()};
    reference_td_average_pool_2d(&pool, first, expected);
    td_average_pool_2d(&pool, first, got);
}

static void test_max_pool_2d(void)
{
    const struct td_max_pool_2d pool = {random_pool()};
    reference_td_max_pool_2d(&pool, first, expected);
    td_max_pool_2d(&pool, first, got);
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

/* Runs a test with as many seeds as there are cases; whether outputs, and what is behind them, were always the same. */
static bool agrees(const char *name, void (*test)(void))
{
    for (uint32_t seed = 1; seed <= CASES; seed++) {
        state = seed * UINT32_C(2654435761);
        clear_outputs();
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
        {"lookup", test_lookup},
        {"max_pool_2d", test_max_pool_2d},
        {"mul", test_mul},
    };
    uint32_t failures = 0;

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        failures += !agrees(tests[i].name, tests[i].test);
    }
    finish(failures > 0);
    return 0;
}

extern uint32_t bss_start[], bss_end[], stack_top[];
void reset(void);
void fault(void);

void reset(void)
{
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: floating point and MVE */
    __asm__ volatile("dsb\n isb" ::: "memory");
    for (uint32_t *word = bss_start; word < bss_end;) {
        *word++ = 0;
    }
    main();
}

void fault(void)
{
    print("fault\n");
    finish(2);
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*exception[15])(void);
} vectors = {stack_top, {reset, fault, fault, fault, fault, fault, fault}};
