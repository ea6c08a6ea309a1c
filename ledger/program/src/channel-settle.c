// accounts: instructions sysvar, config, provider, payout, treasury, pool, then a channel for each voucher
//
// Whoever holds vouchers may submit them: the money goes where channel, provider and config say.
#include "program.h"

#define NAMED 6

static u64 settle_one(Params *p, u64 index, u64 cumulative, const Payees *to) {
  Account *account = &p->accounts[index];
  Channel *channel = (Channel *)account->data;
  Provider *provider = (Provider *)p->accounts[2].data;
  Split parts;
  split(&channel->fees, channel->settled, cumulative, &parts);
  RUN(add(&provider->settled, cumulative - channel->settled));
  RUN(add(&provider->fees, parts.fee));
  RUN(add(&provider->settlements, 1));
  channel->settled = cumulative;
  return pay_split(account, to, &parts);
}

u64 channel_settle(Params *p) {
  Account *a = p->accounts;
  Clock clock;
  Signatures signatures;
  TRY(need_args(p, 0));
  CHECK(p->count > NAMED, BAD_ACCOUNT_COUNT);
  TRY(need_ours(p, 1, KIND_CONFIG, sizeof(Config)));
  TRY(need_ours(p, 2, KIND_PROVIDER, sizeof(Provider)));
  TRY(need_writable(&a[2]));
  const Payees to = {&a[3], &a[4], &a[5]};
  TRY(need_payees(&to, (const Provider *)a[2].data, (const Config *)a[1].data));
  RUN(open_signatures(&a[0], p->count - NAMED, &signatures));
  RUN(sol_get_clock_sysvar(&clock));

  for (u64 i = NAMED; i < p->count; i++) {
    u64 cumulative;
    TRY(need_ours(p, i, KIND_CHANNEL, sizeof(Channel)));
    TRY(need_writable(&a[i]));
    const Channel *channel = (const Channel *)a[i].data;
    CHECK(same_key(&channel->provider, a[2].key), WRONG_PROVIDER);
    CHECK(channel->header.phase != CHANNEL_PHASE_ENDED, CHANNEL_ENDED);
    RUN(check_voucher(&signatures, i - NAMED, &a[i], clock.now, &cumulative));
    RUN(settle_one(p, i, cumulative, &to));
  }
  return 0;
}
