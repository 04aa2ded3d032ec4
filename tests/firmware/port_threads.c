/* A board made of threads: one is the receive interrupt, one the transmit interrupt, main is main. The line is standard
 * input and output. The lock is a mutex that finds nesting and foreign unlocks. */
#define _GNU_SOURCE
#include "port_threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "td_link.h"
#include "td_port.h"
#include "td_runner.h"

static pthread_mutex_t lock;
static pthread_cond_t happened = PTHREAD_COND_INITIALIZER;
static pthread_cond_t to_send = PTHREAD_COND_INITIALIZER;

static void check(int failed)
{
    if (failed) {
        abort();
    }
}

static void *receive(void *unused)
{
    static uint8_t bytes[1024];
    ssize_t size;
    while ((size = read(STDIN_FILENO, bytes, sizeof bytes)) > 0) {
        check(pthread_mutex_lock(&lock));
        td_link_receive(bytes, (size_t)size);
        check(pthread_cond_broadcast(&happened));
        check(pthread_mutex_unlock(&lock));
    }
    _exit(0);
    return unused;
}

static void *transmit(void *unused)
{
    static uint8_t bytes[64];
    check(pthread_mutex_lock(&lock));
    for (;;) {
        size_t size = 0;
        for (int byte; size < sizeof bytes && (byte = td_link_transmit()) >= 0;) {
            bytes[size++] = (uint8_t)byte;
        }
        if (size == 0) {
            check(pthread_cond_broadcast(&happened));
            check(pthread_cond_wait(&to_send, &lock));
            continue;
        }
        check(pthread_mutex_unlock(&lock));
        for (size_t sent = 0; sent < size;) {
            const ssize_t written = write(STDOUT_FILENO, &bytes[sent], size - sent);
            if (written < 0) {
                _exit(0); /* the host has gone */
            }
            sent += (size_t)written;
        }
        check(pthread_mutex_lock(&lock));
    }
    return unused;
}

void td_port_init(void)
{
    pthread_mutexattr_t attributes;
    pthread_t thread;
    check(pthread_mutexattr_init(&attributes));
    check(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK));
    check(pthread_mutex_init(&lock, &attributes));
    check(pthread_create(&thread, NULL, receive, NULL));
    check(pthread_create(&thread, NULL, transmit, NULL));
}

void td_port_start_transmit(void)
{
    check(pthread_cond_signal(&to_send));
}

void port_threads_interrupt(void (*handler)(void))
{
    check(pthread_mutex_lock(&lock));
    handler();
    check(pthread_cond_broadcast(&happened));
    check(pthread_mutex_unlock(&lock));
}

uint32_t td_port_ticks(void)
{
    struct timespec now;
    check(clock_gettime(CLOCK_MONOTONIC, &now));
    return (uint32_t)((uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u);
}

void td_port_lock(void)
{
    check(pthread_mutex_lock(&lock));
}

void td_port_unlock(void)
{
    check(pthread_mutex_unlock(&lock));
}

void td_port_sleep(void)
{
    check(pthread_cond_wait(&happened, &lock));
}

void td_port_poll(void)
{
}

uint32_t td_port_stack_used(void)
{
    return 321;
}

void td_port_reset(void)
{
    char *const arguments[] = {(char[]){"firmware"}, NULL};
    check(execv("/proc/self/exe", arguments));
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* a host may leave while it is being answered */
    td_port_init();
    td_runner_run();
}
