// accounts: owner, stake
#include "stake.h"

// Longer than the window in which a receipt can be audited.
#define UNBOND_SECONDS (7 * 86400)

typedef struct { u64 amount; } UnbondArgs;

u64 need_owner(const Params *p) {
  const Stake *stake = (const Stake *)p->accounts[1].data;
  TRY(need_ours(p, 1, KIND_STAKE, sizeof(Stake)));
  TRY(need_writable(&p->accounts[1]));
  TRY(need_signer(&p->accounts[0]));
  CHECK(same_key(p->accounts[0].key, &stake->owner), NOT_OWNER);
  return 0;
}

u64 stake_unbond(Params *p) {
  UnbondArgs args;
  Clock clock;
  ARGS(p, args);
  TRY(need_count(p, 2));
  TRY(need_owner(p));
  Stake *stake = (Stake *)p->accounts[1].data;
  CHECK(args.amount > 0, ZERO_AMOUNT);
  CHECK(args.amount <= stake->active, STAKE_TOO_SMALL);
  RUN(sol_get_clock_sysvar(&clock));
  stake->active -= args.amount;
  RUN(add(&stake->unbonding, args.amount));
  stake->unbond_at = clock.now + UNBOND_SECONDS;
  return 0;
}
