/* Attempts of orders end before another node may go on with them. The loop's thread alone calls the function. */
#ifndef COURIER_CUT_ORDERS_H
#define COURIER_CUT_ORDERS_H

#include "courier/http.h"
#include "courier/queues.h"

/* Ends those that are under way. They are not charged, and are repeated if this node goes on. */
void cut_orders(struct http *http, const struct queues *queues);

#endif
