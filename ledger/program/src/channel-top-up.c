// accounts: payer, channel, system program
#include "program.h"

typedef struct { u64 amount; } TopUpArgs;

u64 channel_top_up(Params *p) {
  Account *a = p->accounts;
  TopUpArgs args;
  ARGS(p, args);
  TRY(need_count(p, 3));
  TRY(need_signer(&a[0]));
  TRY(need_ours(p, 1, KIND_CHANNEL, sizeof(Channel)));
  TRY(need_writable(&a[1]));
  TRY(need_system(&a[2]));
  Channel *channel = (Channel *)a[1].data;
  CHECK(same_key(a[0].key, &channel->payer), NOT_PAYER);
  CHECK(channel->header.phase != CHANNEL_PHASE_CLOSING, CHANNEL_CLOSING);
  CHECK(channel->header.phase != CHANNEL_PHASE_ENDED, CHANNEL_ENDED);
  CHECK(args.amount > 0, ZERO_AMOUNT);
  RUN(add(&channel->deposit, args.amount));
  return deposit(p, 0, 1, args.amount);
}
