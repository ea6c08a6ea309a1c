// accounts: authority, provider, stake, system program
#include "program.h"

typedef struct { u64 amount; } DepositArgs;

u64 stake_deposit(Params *p) {
  Account *a = p->accounts;
  DepositArgs args;
  Clock clock;
  ARGS(p, args);
  TRY(need_count(p, 4));
  TRY(need_signer(&a[0]));
  TRY(need_ours(p, 1, KIND_PROVIDER, sizeof(Provider)));
  TRY(need_system(&a[3]));
  CHECK(same_key(a[0].key, &((const Provider *)a[1].data)->authority), NOT_AUTHORITY);
  CHECK(args.amount > 0, ZERO_AMOUNT);
  RUN(sol_get_clock_sysvar(&clock));

  Stake *stake = (Stake *)a[2].data;
  if (a[2].data_len == 0) {
    Bytes seeds[3] = {{(const u8 *)"stake", 5}, {a[1].key->bytes, sizeof(Pubkey)}};
    Seeds named = {seeds, 2};
    const NewAccount wanted = {KIND_STAKE, sizeof(Stake), args.amount};
    RUN(create(p, 0, 2, &named, &wanted));
    stake->provider = *a[1].key;
    stake->owner = *a[0].key;
    stake->active = args.amount;
    stake->deposited_at = clock.now;
    return 0;
  }
  TRY(need_ours(p, 2, KIND_STAKE, sizeof(Stake)));
  TRY(need_writable(&a[2]));
  CHECK(same_key(&stake->provider, a[1].key), WRONG_PROVIDER);
  RUN(add(&stake->active, args.amount));
  stake->deposited_at = clock.now;
  return deposit(p, 0, 2, args.amount);
}
