// accounts: payer, channel, provider, config, system program
#include "program.h"

// An opening slot may be this old; a channel's account stays until its own is older (channel-finish-close.c).
#define RECENT_SLOTS 150
#define MIN_GRACE 60
#define MAX_GRACE (30 * 86400)

typedef struct { Pubkey signer, model; u64 salt, open_slot, deposit, grace; } OpenArgs;

u64 channel_open(Params *p) {
  Account *a = p->accounts;
  OpenArgs args;
  Clock clock;
  ARGS(p, args);
  TRY(need_count(p, 5));
  TRY(need_signer(&a[0]));
  TRY(need_ours(p, 2, KIND_PROVIDER, sizeof(Provider)));
  TRY(need_writable(&a[2]));
  TRY(need_ours(p, 3, KIND_CONFIG, sizeof(Config)));
  TRY(need_system(&a[4]));
  CHECK(args.deposit > 0, ZERO_AMOUNT);
  CHECK(!is_zero(&args.signer), ZERO_KEY);
  CHECK(args.grace >= MIN_GRACE, BAD_GRACE);
  CHECK(args.grace <= MAX_GRACE, BAD_GRACE);
  RUN(sol_get_clock_sysvar(&clock));
  CHECK(args.open_slot <= clock.slot, SLOT_IN_FUTURE);
  CHECK(args.open_slot + RECENT_SLOTS >= clock.slot, SLOT_NOT_RECENT);

  Bytes seeds[7] = {
    {(const u8 *)"channel", 7},
    {a[0].key->bytes, sizeof(Pubkey)},
    {a[2].key->bytes, sizeof(Pubkey)},
    {args.signer.bytes, sizeof(Pubkey)},
    {(const u8 *)&args.salt, sizeof(u64)},
    {(const u8 *)&args.open_slot, sizeof(u64)},
  };
  Seeds named = {seeds, 6};
  const NewAccount wanted = {KIND_CHANNEL, sizeof(Channel), args.deposit};
  RUN(create(p, 0, 1, &named, &wanted));

  Channel *channel = (Channel *)a[1].data;
  channel->payer = *a[0].key;
  channel->provider = *a[2].key;
  channel->signer = args.signer;
  channel->model = args.model;
  channel->salt = args.salt;
  channel->open_slot = args.open_slot;
  channel->deposit = args.deposit;
  channel->grace = args.grace;
  channel->fees = ((const Config *)a[3].data)->fees;
  channel->opened_at = clock.now;
  Provider *provider = (Provider *)a[2].data;
  RUN(add(&provider->open_channels, 1));
  return add(&provider->channels_opened, 1);
}
