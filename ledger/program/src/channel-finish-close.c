// accounts: closer, channel, payer, provider
//
// While the opening slot could still be used, the account stays with its rent: otherwise the same address could be opened
// again, and an old voucher would be good for the new channel.
#include "program.h"

// As in channel-open.c.
#define RECENT_SLOTS 150

// The provider may finish at any time, others after the grace that began with the payer's request.
static u64 need_end(const Account *closer, const Channel *channel, const Provider *provider, i64 now) {
  if (same_key(closer->key, &provider->authority)) return 0;
  CHECK(channel->header.phase == CHANNEL_PHASE_CLOSING, CHANNEL_NOT_CLOSING);
  CHECK(now >= channel->close_at, GRACE_RUNNING);
  return 0;
}

u64 channel_finish_close(Params *p) {
  Account *a = p->accounts;
  Clock clock;
  TRY(need_args(p, 0));
  TRY(need_count(p, 4));
  TRY(need_signer(&a[0]));
  TRY(need_ours(p, 1, KIND_CHANNEL, sizeof(Channel)));
  TRY(need_writable(&a[1]));
  TRY(need_writable(&a[2]));
  Channel *channel = (Channel *)a[1].data;
  CHECK(same_key(a[2].key, &channel->payer), NOT_PAYER);
  CHECK(same_key(a[3].key, &channel->provider), WRONG_PROVIDER);
  RUN(sol_get_clock_sysvar(&clock));
  bool young = channel->open_slot + RECENT_SLOTS >= clock.slot;

  if (channel->header.phase != CHANNEL_PHASE_ENDED) {
    Provider *provider = (Provider *)a[3].data;
    TRY(need_ours(p, 3, KIND_PROVIDER, sizeof(Provider)));
    TRY(need_writable(&a[3]));
    TRY(need_end(&a[0], channel, provider, clock.now));
    channel->header.phase = CHANNEL_PHASE_ENDED;
    provider->open_channels -= 1;
    RUN(add(&provider->channels_closed, 1));
    if (young) return pay(&a[1], &a[2], channel->deposit - channel->settled);
  }
  CHECK(!young, CHANNEL_TOO_YOUNG);
  destroy(&a[1], &a[2]);
  return 0;
}
