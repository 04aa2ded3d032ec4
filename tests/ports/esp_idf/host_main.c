/* What ESP-IDF's main task does. */
#include <stdlib.h>

void app_main(void);

int main(void)
{
    app_main();
    abort(); /* the runner does not return */
}
