// accounts: authority, node, provider
#include "provider.h"

// The node key signs, so that nobody can register the node of another provider as its own.
u64 write_provider(Provider *provider, const ProviderArgs *args, const Account *node, i64 now) {
  TRY(need_signer(node));
  CHECK(!is_zero(&args->box), ZERO_KEY);
  CHECK(!is_zero(&args->payout), ZERO_KEY);
  provider->node = *node->key;
  provider->box = args->box;
  provider->payout = args->payout;
  provider->updated_at = now;
  return 0;
}

u64 need_authority(const Params *p, u64 index) {
  const Provider *provider = (const Provider *)p->accounts[index].data;
  TRY(need_ours(p, index, KIND_PROVIDER, sizeof(Provider)));
  TRY(need_writable(&p->accounts[index]));
  TRY(need_signer(&p->accounts[0]));
  CHECK(same_key(p->accounts[0].key, &provider->authority), NOT_AUTHORITY);
  return 0;
}

u64 provider_update(Params *p) {
  Account *a = p->accounts;
  ProviderArgs args;
  Clock clock;
  ARGS(p, args);
  TRY(need_count(p, 3));
  TRY(need_authority(p, 2));
  RUN(sol_get_clock_sysvar(&clock));
  return write_provider((Provider *)a[2].data, &args, &a[1], clock.now);
}
