// accounts: authority, provider, offer, system program
#include "provider.h"

typedef struct { Pubkey model; u64 input, cached, output; u32 context, flags; } OfferArgs;

u64 offer_set(Params *p) {
  Account *a = p->accounts;
  OfferArgs args;
  Clock clock;
  ARGS(p, args);
  TRY(need_count(p, 4));
  TRY(need_authority(p, 1));
  TRY(need_system(&a[3]));
  CHECK(!is_zero(&args.model), ZERO_KEY);
  RUN(sol_get_clock_sysvar(&clock));

  Offer *offer = (Offer *)a[2].data;
  if (a[2].data_len == 0) {
    Bytes seeds[4] = {{(const u8 *)"offer", 5}, {a[1].key->bytes, sizeof(Pubkey)}, {args.model.bytes, sizeof(Pubkey)}};
    Seeds named = {seeds, 3};
    const NewAccount wanted = {KIND_OFFER, sizeof(Offer), 0};
    RUN(create(p, 0, 2, &named, &wanted));
    offer->provider = *a[1].key;
    offer->model = args.model;
    RUN(add(&((Provider *)a[1].data)->offers, 1));
  }
  TRY(need_ours(p, 2, KIND_OFFER, sizeof(Offer)));
  TRY(need_writable(&a[2]));
  CHECK(same_key(&offer->provider, a[1].key), WRONG_PROVIDER);
  CHECK(same_key(&offer->model, &args.model), WRONG_ADDRESS);
  offer->input = args.input;
  offer->cached = args.cached;
  offer->output = args.output;
  offer->context = args.context;
  offer->flags = args.flags;
  offer->updated_at = clock.now;
  return 0;
}
