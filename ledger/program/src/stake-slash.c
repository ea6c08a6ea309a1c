// accounts: slasher, config, stake, treasury
//
// Who may slash is one key for now. The verdict's hash is kept for everyone who wants to check it.
#include "program.h"

typedef struct { u64 amount; Pubkey verdict; } SlashArgs;

u64 stake_slash(Params *p) {
  Account *a = p->accounts;
  SlashArgs args;
  ARGS(p, args);
  TRY(need_count(p, 4));
  TRY(need_signer(&a[0]));
  TRY(need_ours(p, 1, KIND_CONFIG, sizeof(Config)));
  TRY(need_ours(p, 2, KIND_STAKE, sizeof(Stake)));
  TRY(need_writable(&a[2]));
  TRY(need_writable(&a[3]));
  const Config *config = (const Config *)a[1].data;
  Stake *stake = (Stake *)a[2].data;
  // No signature fits a slasher of zeros: that is the address of the system program.
  CHECK(same_key(a[0].key, &config->slasher), NOT_SLASHER);
  CHECK(same_key(a[3].key, &config->treasury), WRONG_TREASURY);
  CHECK(args.amount > 0, ZERO_AMOUNT);
  CHECK(!is_zero(&args.verdict), ZERO_KEY);
  CHECK(!same_key(&args.verdict, &stake->verdict), VERDICT_REPEATED);
  u64 active = args.amount < stake->active ? args.amount : stake->active;
  CHECK(args.amount - active <= stake->unbonding, STAKE_TOO_SMALL);

  RUN(add(&stake->slashed, args.amount));
  stake->active -= active;
  stake->unbonding -= args.amount - active;
  stake->verdict = args.verdict;
  return pay(&a[2], &a[3], args.amount);
}
