static inline unsigned uxTaskGetStackHighWaterMark(void *task)
{
    (void)task;
    return TD_STACK_BYTES - 1234u;
}
