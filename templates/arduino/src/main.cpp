/* The whole program: hardware, then the conversation with the host, which runs the model when asked to. */
#include <Arduino.h>

#include "td_port.h"
#include "td_runner.h"

void setup()
{
    td_port_init();
}

/* Is called once: the runner does not return. */
void loop()
{
    td_runner_run();
}
