#ifndef ESP_SYSTEM_H
#define ESP_SYSTEM_H

#include <stdlib.h>

#include "host_line.h"

typedef int esp_err_t;
#define ESP_OK 0
#define ESP_ERROR_CHECK(result) \
    do {                        \
        if ((result) != ESP_OK) { \
            abort();            \
        }                       \
    } while (0)

static inline void esp_restart(void)
{
    host_line_restart();
}

#endif
