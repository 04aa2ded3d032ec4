#define _GNU_SOURCE
#include "host_line.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t *received;
static size_t capacity;
static size_t first;
static size_t waiting;

static void *receive(void *unused)
{
    uint8_t byte;
    size_t lost = 0;
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        pthread_mutex_lock(&lock);
        if (waiting < capacity) {
            received[(first + waiting++) % capacity] = byte;
        } else {
            lost++;
        }
        pthread_mutex_unlock(&lock);
    }
    if (lost > 0) {
        fprintf(stderr, "%zu bytes were lost\n", lost);
    }
    _exit(0);
    return unused;
}

void host_line_open(size_t receive_bytes)
{
    pthread_t thread;
    signal(SIGPIPE, SIG_IGN); /* a host may leave while it is being answered */
    capacity = receive_bytes;
    received = malloc(capacity);
    if (received == NULL || pthread_create(&thread, NULL, receive, NULL) != 0) {
        abort();
    }
}

size_t host_line_available(void)
{
    pthread_mutex_lock(&lock);
    const size_t available = waiting;
    pthread_mutex_unlock(&lock);
    return available;
}

size_t host_line_read(uint8_t *bytes, size_t size)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    while (count < size && waiting > 0) {
        bytes[count++] = received[first];
        first = (first + 1) % capacity;
        waiting--;
    }
    pthread_mutex_unlock(&lock);
    return count;
}

void host_line_write(const uint8_t *bytes, size_t size)
{
    if (size > HOST_LINE_ROOM) {
        abort(); /* a chip would have waited here */
    }
    while (size > 0) {
        const ssize_t written = write(STDOUT_FILENO, bytes, size);
        if (written < 0) {
            _exit(0); /* the host has gone */
        }
        bytes += written;
        size -= (size_t)written;
    }
}

uint32_t host_line_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u);
}

void host_line_wait_us(unsigned us)
{
    usleep(us);
}

void host_line_restart(void)
{
    char *const arguments[] = {(char[]){"firmware"}, NULL};
    execv("/proc/self/exe", arguments);
    abort();
}
