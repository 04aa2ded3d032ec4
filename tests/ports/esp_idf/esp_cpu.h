#include "host_line.h"

static inline uint32_t esp_cpu_get_cycle_count(void)
{
    return host_line_us();
}
