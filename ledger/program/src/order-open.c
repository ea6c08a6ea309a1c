// accounts: payer, order, config, system program
#include "program.h"

#define MAX_DEADLINE (30 * 86400)

typedef struct {
  Pubkey model, request_hash;
  u64 max_cost;
  i64 deadline;
  u64 min_reputation, salt;
  u32 context, allowed_count;
  Pubkey allowed[MAX_ALLOWED];
} OrderArgs;

u64 order_open(Params *p) {
  Account *a = p->accounts;
  OrderArgs args;
  Clock clock;
  ARGS(p, args);
  TRY(need_count(p, 4));
  TRY(need_signer(&a[0]));
  TRY(need_ours(p, 2, KIND_CONFIG, sizeof(Config)));
  TRY(need_system(&a[3]));
  CHECK(args.max_cost > 0, ZERO_AMOUNT);
  CHECK(args.allowed_count <= MAX_ALLOWED, TOO_MANY_PROVIDERS);
  RUN(sol_get_clock_sysvar(&clock));
  CHECK(args.deadline > clock.now, BAD_DEADLINE);
  CHECK(args.deadline <= clock.now + MAX_DEADLINE, BAD_DEADLINE);

  Bytes seeds[4] = {
    {(const u8 *)"order", 5},
    {a[0].key->bytes, sizeof(Pubkey)},
    {(const u8 *)&args.salt, sizeof(u64)},
  };
  Seeds named = {seeds, 3};
  const NewAccount wanted = {KIND_ORDER, sizeof(Order), args.max_cost};
  RUN(create(p, 0, 1, &named, &wanted));

  Order *order = (Order *)a[1].data;
  order->payer = *a[0].key;
  order->model = args.model;
  order->request_hash = args.request_hash;
  order->max_cost = args.max_cost;
  order->deadline = args.deadline;
  order->min_reputation = args.min_reputation;
  order->salt = args.salt;
  order->fees = ((const Config *)a[2].data)->fees;
  order->allowed_count = args.allowed_count;
  order->context = args.context;
  sol_memcpy_(order->allowed, args.allowed, sizeof args.allowed);
  return 0;
}
