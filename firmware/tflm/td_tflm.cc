#include "td_tflm.h"

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>

#include "td_sha256.h"
#include "td_tflm_library.h"

uint8_t td_tflm_sha256[TD_SHA256_BYTES];

namespace {

/* Where to go on when the arena is full; NULL while no interpreter is being started. */
std::jmp_buf *on_full_arena;

/* Takes TFLM's messages, and prints none. Most kernels use what the arena gives them without a look: where it is full they
 * would write to address 0. The allocator complains before it returns NULL, and that ends the start. */
void heed(const char *message)
{
    const bool is_full =
        std::strncmp(message, "Failed to allocate", 18) == 0 || std::strncmp(message, "Failed to resize", 16) == 0;
    if (is_full && on_full_arena != nullptr) {
        std::longjmp(*on_full_arena, 1);
    }
}

/* Tells of each op that has been computed. An event within an op's is a part of it. */
class LayerProfiler final : public td_tflm_profiler {
public:
    void start(td_layer_fn *after_layer)
    {
        after_layer_ = after_layer;
        layer_ = 0;
        depth_ = 0;
    }

    uint32_t BeginEvent(const char *) override
    {
        return depth_++;
    }

    void EndEvent(uint32_t) override
    {
        if (--depth_ == 0 && after_layer_ != nullptr) {
            after_layer_(layer_++);
        }
    }

    void operator delete(void *) /* a virtual destructor asks for it; there is no heap, and nothing is deleted */
    {
    }

private:
    td_layer_fn *after_layer_ = nullptr;
    uint32_t depth_ = 0;
    uint16_t layer_ = 0;
};

#ifdef TD_TFLM_HAS_ERROR_REPORTER
class Reporter final : public tflite::ErrorReporter {
public:
    int Report(const char *format, va_list) override
    {
        heed(format);
        return 0;
    }

    void operator delete(void *)
    {
    }
};
#endif

using Interpreter = tflite::MicroInterpreter;

/* What is made in these places is never destroyed: an interpreter that failed cannot be. */
alignas(Interpreter) uint8_t interpreter_place[sizeof(Interpreter)];
alignas(LayerProfiler) uint8_t profiler_place[sizeof(LayerProfiler)];

Interpreter *interpreter;
LayerProfiler *profiler;

/* Templates, so that only the constructor that there is has to exist; and overloads that one of two types chooses, where
 * C++17 would have `if constexpr`: Arduino's core for Mbed is compiled as C++14. */
using Variables = tflite::MicroResourceVariables *;

template <typename T, typename... Args>
T *construct_last(std::true_type, Args... args)
{
    return new (interpreter_place) T(args..., Variables{nullptr}, profiler);
}

#ifdef TD_TFLM_HAS_ERROR_REPORTER
template <typename T, typename... Args>
T *construct_last(std::false_type, Args... args)
{
    return new (interpreter_place) T(args..., profiler);
}

template <typename T, typename... Args>
T *construct_next(std::false_type, Args... args)
{
    alignas(Reporter) static uint8_t place[sizeof(Reporter)];
    tflite::ErrorReporter *const errors = new (place) Reporter;
    using HasVariables = std::is_constructible<T, Args..., tflite::ErrorReporter *, Variables, td_tflm_profiler *>;
    return construct_last<T, Args..., tflite::ErrorReporter *>(typename HasVariables::type{}, args..., errors);
}
#else
template <typename T, typename... Args>
T *construct_next(std::false_type, Args...)
{
    static_assert(sizeof(T) == 0, "this version of TFLM has another constructor of MicroInterpreter");
    return nullptr;
}
#endif

template <typename T, typename... Args>
T *construct_next(std::true_type, Args... args)
{
    return construct_last<T, Args...>(std::true_type{}, args...);
}

template <typename T, typename... Args>
T *construct(Args... args)
{
    using HasVariables = std::is_constructible<T, Args..., Variables, td_tflm_profiler *>;
    return construct_next<T, Args...>(typename HasVariables::type{}, args...);
}

bool is_aligned(const void *address)
{
    return reinterpret_cast<uintptr_t>(address) % TD_ALIGN == 0;
}

/* A fresh interpreter with the first `bytes` of the arena, which know nothing of an earlier one. */
int allocate(const td_tflm_model &model, const tflite::MicroOpResolver &ops, uint32_t bytes)
{
    std::jmp_buf full;
    interpreter = nullptr;
    profiler = new (profiler_place) LayerProfiler;
    std::memset(model.arena, 0, bytes);
    if (setjmp(full) != 0) {
        on_full_arena = nullptr;
        return TD_TFLM_ARENA_TOO_SMALL;
    }
    on_full_arena = &full;
    Interpreter *const made =
        construct<Interpreter, const tflite::Model *, const tflite::MicroOpResolver &, uint8_t *, size_t>(
            tflite::GetModel(model.data), ops, model.arena, bytes);
    const TfLiteStatus status = made->AllocateTensors();
    on_full_arena = nullptr;
    if (status != kTfLiteOk) {
        return TD_TFLM_OP_REFUSED;
    }
    interpreter = made;
    return 0;
}

/* What must be right before TFLM sees the model: it does not look itself. */
int check(const td_tflm_model &model)
{
    if (!is_aligned(model.data)) {
        return TD_TFLM_MODEL_MISALIGNED;
    }
    td_sha256(model.data, model.bytes, td_tflm_sha256);
    if (std::memcmp(td_tflm_sha256, model.sha256, TD_SHA256_BYTES) != 0) {
        return TD_TFLM_MODEL_ALTERED;
    }
    if (tflite::GetModel(model.data)->version() != TFLITE_SCHEMA_VERSION) {
        return TD_TFLM_SCHEMA_VERSION;
    }
    return is_aligned(model.arena) ? 0 : TD_TFLM_ARENA_MISALIGNED;
}

TfLiteType type_of(enum td_dtype dtype)
{
    switch (dtype) {
    case TD_FLOAT32:
        return kTfLiteFloat32;
    case TD_INT8:
        return kTfLiteInt8;
    case TD_UINT8:
        return kTfLiteUInt8;
    case TD_INT16:
        return kTfLiteInt16;
    case TD_INT32:
        return kTfLiteInt32;
    }
    return kTfLiteNoType;
}

bool is_same(const TfLiteTensor *tensor, const td_tensor &expected)
{
    return tensor != nullptr && tensor->data.raw != nullptr && tensor->bytes == expected.bytes &&
           tensor->type == type_of(expected.dtype);
}

bool has_inputs_of_td_model()
{
    bool same = interpreter->inputs_size() == td_model.inputs;
    for (uint8_t i = 0; same && i < td_model.inputs; i++) {
        same = is_same(interpreter->input(i), td_model.input[i]);
    }
    return same;
}

bool has_outputs_of_td_model()
{
    bool same = interpreter->outputs_size() == td_model.outputs;
    for (uint8_t i = 0; same && i < td_model.outputs; i++) {
        same = is_same(interpreter->output(i), td_model.output[i]);
    }
    return same;
}

} // namespace

/* TFLM's port: it has no other output than its messages. Their arguments have changed over the years, first none, then a
 * va_list; on all ABIs a callee may leave them alone. Weak, so that a library that is not linked from an archive can
 * bring its own. */
extern "C" __attribute__((weak)) void DebugLog(const char *message)
{
    heed(message);
}

extern "C" __attribute__((weak)) int DebugVsnprintf(char *buffer, size_t size, const char *, va_list)
{
    if (size > 0) {
        buffer[0] = '\0';
    }
    return 0;
}

int td_tflm_start(const td_tflm_model &model, const tflite::MicroOpResolver *ops, td_arena *arena)
{
    int status = check(model);
    if (status != 0) {
        return status;
    }
    if (ops == nullptr) {
        return TD_TFLM_OP_NOT_ADDED;
    }
    status = allocate(model, *ops, model.arena_bytes);
    if (status != 0) {
        return status;
    }
    arena->used = static_cast<uint32_t>(interpreter->arena_used_bytes());
    if (!has_inputs_of_td_model()) {
        return TD_TFLM_INPUTS_DIFFER;
    }
    return has_outputs_of_td_model() ? 0 : TD_TFLM_OUTPUTS_DIFFER;
}

void td_tflm_probe(const td_tflm_model &model, const tflite::MicroOpResolver *ops, td_arena *arena)
{
    uint32_t enough = model.arena_bytes;
    if (check(model) != 0 || ops == nullptr || allocate(model, *ops, enough) != 0) {
        return;
    }
    uint32_t too_small = (static_cast<uint32_t>(interpreter->arena_used_bytes()) - 1) / TD_ALIGN * TD_ALIGN;
    while (enough - too_small > TD_ALIGN) {
        const uint32_t tried = too_small + (enough - too_small) / (2 * TD_ALIGN) * TD_ALIGN;
        const bool starts = allocate(model, *ops, tried) == 0;
        enough = starts ? tried : enough;
        too_small = starts ? too_small : tried;
    }
    arena->smallest = enough;
}

int td_tflm_invoke(const uint8_t *inputs, uint8_t *outputs, td_layer_fn *after_layer)
{
    for (uint8_t i = 0; i < td_model.inputs; i++) {
        const td_tensor &input = td_model.input[i];
        std::memcpy(interpreter->input(i)->data.raw, inputs + input.offset, input.bytes);
    }
    profiler->start(after_layer);
    if (interpreter->Invoke() != kTfLiteOk) {
        return TD_TFLM_INVOKE_FAILED;
    }
    for (uint8_t i = 0; i < td_model.outputs; i++) {
        const td_tensor &output = td_model.output[i];
        std::memcpy(outputs + output.offset, interpreter->output(i)->data.raw, output.bytes);
    }
    return 0;
}
