/* TFLM's headers. Their warnings are not ours to repair, so that here they count as the system's. */
#ifndef TD_TFLM_LIBRARY_H
#define TD_TFLM_LIBRARY_H

#pragma GCC system_header

/* As in the library's own sources, so that inline functions are the same ones. */
#ifndef NDEBUG
#define NDEBUG
#endif

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

/* The profiler's interface was MicroProfiler itself until October 2022. */
#if __has_include("tensorflow/lite/micro/micro_profiler_interface.h")
#include "tensorflow/lite/micro/micro_profiler_interface.h"
using td_tflm_profiler = tflite::MicroProfilerInterface;
#else
#include "tensorflow/lite/micro/micro_profiler.h"
using td_tflm_profiler = tflite::MicroProfiler;
#endif

/* Until early 2023 the interpreter wanted an ErrorReporter, of which this was the usual one. */
#if __has_include("tensorflow/lite/micro/micro_error_reporter.h")
#include "tensorflow/lite/core/api/error_reporter.h"
#define TD_TFLM_HAS_ERROR_REPORTER
#endif

namespace tflite {
class MicroResourceVariables; /* unknown to the oldest versions */
}

#endif
