/* SPDX-License-Identifier: MIT */
#include "proto/echo.h"

/* One record is answered at a time and reading stops above the high mark, so the hard bound of the
 * queue is out of reach: only a lack of memory ends up here. */
static void on_data(lr_conn *c, lr_slice bytes)
{
    lr_status status = lr_conn_write(c, bytes);

    if (status != LR_OK)
        lr_conn_abort(c, status);
}

static const lr_handlers handlers = {LR_HANDLERS, .on_data = on_data};

const lr_handlers *lr_echo_handlers(void)
{
    return &handlers;
}
