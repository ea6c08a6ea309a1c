// accounts: by, order, payer, and the provider's if the order is locked and not claimed
#include "program.h"

u64 order_refund(Params *p) {
  Account *a = p->accounts;
  Clock clock;
  TRY(need_args(p, 0));
  CHECK(p->count >= 3, BAD_ACCOUNT_COUNT);
  TRY(need_signer(&a[0]));
  TRY(need_ours(p, 1, KIND_ORDER, sizeof(Order)));
  TRY(need_writable(&a[1]));
  TRY(need_writable(&a[2]));
  const Order *order = (const Order *)a[1].data;
  bool locked = order->header.phase == ORDER_PHASE_LOCKED;
  TRY(need_count(p, locked ? 4 : 3));
  CHECK(same_key(a[2].key, &order->payer), NOT_PAYER);
  RUN(sol_get_clock_sysvar(&clock));
  bool claimed_by_payer = order->header.phase == ORDER_PHASE_CLAIMED && same_key(a[0].key, &order->payer);
  CHECK(claimed_by_payer || clock.now > order->deadline, DEADLINE_RUNNING);

  if (locked) {
    Provider *provider = (Provider *)a[3].data;
    TRY(need_ours(p, 3, KIND_PROVIDER, sizeof(Provider)));
    TRY(need_writable(&a[3]));
    CHECK(same_key(a[3].key, &order->provider), WRONG_PROVIDER);
    RUN(add(&provider->orders_refunded, 1));
    provider->open_orders -= 1;
  }
  destroy(&a[1], &a[2]);
  return 0;
}
