// accounts: authority, provider, order
#include "provider.h"

// What the provider believes to lock: another order may lie at this address by now.
typedef struct { Pubkey request_hash; u64 max_cost; } LockArgs;

static bool is_allowed(const Order *order, const Pubkey *provider) {
  for (u64 i = 0; i < order->allowed_count; i++) {
    if (same_key(&order->allowed[i], provider)) return 1;
  }
  return order->allowed_count == 0;
}

u64 order_lock(Params *p) {
  Account *a = p->accounts;
  LockArgs args;
  Clock clock;
  ARGS(p, args);
  TRY(need_count(p, 3));
  TRY(need_authority(p, 1));
  TRY(need_ours(p, 2, KIND_ORDER, sizeof(Order)));
  TRY(need_writable(&a[2]));
  Order *order = (Order *)a[2].data;
  Provider *provider = (Provider *)a[1].data;
  CHECK(order->header.phase == ORDER_PHASE_OPEN, ORDER_NOT_OPEN);
  CHECK(same_key(&order->request_hash, &args.request_hash), ORDER_CHANGED);
  CHECK(order->max_cost == args.max_cost, ORDER_CHANGED);
  CHECK(is_allowed(order, a[1].key), PROVIDER_NOT_ALLOWED);
  CHECK(provider->settled >= order->min_reputation, REPUTATION_TOO_LOW);
  RUN(sol_get_clock_sysvar(&clock));
  CHECK(clock.now <= order->deadline, DEADLINE_PASSED);

  RUN(add(&provider->open_orders, 1));
  order->header.phase = ORDER_PHASE_LOCKED;
  order->provider = *a[1].key;
  order->locked_at = clock.now;
  return 0;
}
