// accounts: authority, provider, offer
#include "provider.h"

u64 offer_close(Params *p) {
  Account *a = p->accounts;
  TRY(need_args(p, 0));
  TRY(need_count(p, 3));
  TRY(need_authority(p, 1));
  TRY(need_ours(p, 2, KIND_OFFER, sizeof(Offer)));
  TRY(need_writable(&a[0]));
  TRY(need_writable(&a[2]));
  CHECK(same_key(&((const Offer *)a[2].data)->provider, a[1].key), WRONG_PROVIDER);
  ((Provider *)a[1].data)->offers -= 1;
  destroy(&a[2], &a[0]);
  return 0;
}
