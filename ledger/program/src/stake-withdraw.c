// accounts: owner, stake
#include "stake.h"

u64 stake_withdraw(Params *p) {
  Account *a = p->accounts;
  Clock clock;
  TRY(need_args(p, 0));
  TRY(need_count(p, 2));
  TRY(need_owner(p));
  TRY(need_writable(&a[0]));
  Stake *stake = (Stake *)a[1].data;
  CHECK(stake->unbonding > 0 || stake->active == 0, STILL_BONDED);
  RUN(sol_get_clock_sysvar(&clock));
  CHECK(stake->unbonding == 0 || clock.now >= stake->unbond_at, UNBONDING_RUNNING);
  if (stake->active == 0) {
    destroy(&a[1], &a[0]);
    return 0;
  }
  u64 amount = stake->unbonding;
  stake->unbonding = 0;
  stake->unbond_at = 0;
  return pay(&a[1], &a[0], amount);
}
