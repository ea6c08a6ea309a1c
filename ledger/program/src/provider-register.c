// accounts: authority, node, provider, system program
#include "provider.h"

u64 provider_register(Params *p) {
  Account *a = p->accounts;
  ProviderArgs args;
  Clock clock;
  ARGS(p, args);
  TRY(need_count(p, 4));
  TRY(need_signer(&a[0]));
  TRY(need_system(&a[3]));
  RUN(sol_get_clock_sysvar(&clock));

  Bytes seeds[3] = {{(const u8 *)"provider", 8}, {a[0].key->bytes, sizeof(Pubkey)}};
  Seeds named = {seeds, 2};
  const NewAccount wanted = {KIND_PROVIDER, sizeof(Provider), 0};
  RUN(create(p, 0, 2, &named, &wanted));
  Provider *provider = (Provider *)a[2].data;
  provider->authority = *a[0].key;
  provider->registered_at = clock.now;
  return write_provider(provider, &args, &a[1], clock.now);
}
