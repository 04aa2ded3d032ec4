/* As much of the Arduino API as the port uses, on this machine. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

#include "host_line.h"

void setup();
void loop();

class HostSerial {
public:
    int available()
    {
        return static_cast<int>(host_line_available());
    }

    size_t readBytes(char *bytes, size_t size)
    {
        return host_line_read(reinterpret_cast<uint8_t *>(bytes), size);
    }

    int availableForWrite()
    {
        return HOST_LINE_ROOM;
    }

    size_t write(const uint8_t *bytes, size_t size)
    {
        host_line_write(bytes, size);
        return size;
    }
};

extern HostSerial Serial;

#endif
