// accounts: authority, provider, order, payout, treasury, pool, config
//
// The rest stays for order_refund: a payer without a lamport could not receive a small one, and would take the claim down.
#include "provider.h"

typedef struct { Pubkey response_hash; u64 cost; } ClaimArgs;

u64 order_claim(Params *p) {
  Account *a = p->accounts;
  ClaimArgs args;
  Clock clock;
  ARGS(p, args);
  TRY(need_count(p, 7));
  TRY(need_authority(p, 1));
  TRY(need_ours(p, 2, KIND_ORDER, sizeof(Order)));
  TRY(need_writable(&a[2]));
  TRY(need_ours(p, 6, KIND_CONFIG, sizeof(Config)));
  Order *order = (Order *)a[2].data;
  Provider *provider = (Provider *)a[1].data;
  CHECK(order->header.phase == ORDER_PHASE_LOCKED, ORDER_NOT_LOCKED);
  CHECK(same_key(&order->provider, a[1].key), WRONG_PROVIDER);
  const Payees to = {&a[3], &a[4], &a[5]};
  TRY(need_payees(&to, provider, (const Config *)a[6].data));
  CHECK(args.cost <= order->max_cost, COST_TOO_HIGH);
  RUN(sol_get_clock_sysvar(&clock));
  CHECK(clock.now <= order->deadline, DEADLINE_PASSED);

  Split parts;
  split(&order->fees, 0, args.cost, &parts);
  RUN(add(&provider->settled, args.cost));
  RUN(add(&provider->fees, parts.fee));
  RUN(add(&provider->orders_claimed, 1));
  provider->open_orders -= 1;
  order->header.phase = ORDER_PHASE_CLAIMED;
  order->response_hash = args.response_hash;
  order->cost = args.cost;
  return pay_split(&a[2], &to, &parts);
}
