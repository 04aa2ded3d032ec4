/* The whole program: hardware, then the conversation with the host, which runs the model when asked to. */
#include "td_port.h"
#include "td_runner.h"

void app_main(void);

void app_main(void)
{
    td_port_init();
    td_runner_run();
}
