// accounts: authority, provider
#include "provider.h"

u64 provider_close(Params *p) {
  Account *a = p->accounts;
  TRY(need_args(p, 0));
  TRY(need_count(p, 2));
  TRY(need_authority(p, 1));
  TRY(need_writable(&a[0]));
  const Provider *provider = (const Provider *)a[1].data;
  CHECK(provider->open_channels == 0, PROVIDER_IN_USE);
  CHECK(provider->open_orders == 0, PROVIDER_IN_USE);
  CHECK(provider->offers == 0, PROVIDER_IN_USE);
  destroy(&a[1], &a[0]);
  return 0;
}
