// accounts: payer, channel
#include "program.h"

u64 channel_request_close(Params *p) {
  Account *a = p->accounts;
  Clock clock;
  TRY(need_args(p, 0));
  TRY(need_count(p, 2));
  TRY(need_signer(&a[0]));
  TRY(need_ours(p, 1, KIND_CHANNEL, sizeof(Channel)));
  TRY(need_writable(&a[1]));
  Channel *channel = (Channel *)a[1].data;
  CHECK(same_key(a[0].key, &channel->payer), NOT_PAYER);
  CHECK(channel->header.phase != CHANNEL_PHASE_CLOSING, CHANNEL_CLOSING);
  CHECK(channel->header.phase != CHANNEL_PHASE_ENDED, CHANNEL_ENDED);
  RUN(sol_get_clock_sysvar(&clock));
  channel->header.phase = CHANNEL_PHASE_CLOSING;
  channel->close_at = clock.now + (i64)channel->grace;
  return 0;
}
