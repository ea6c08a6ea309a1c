// accounts: admin, config, treasury, pool
#include "config.h"

// An account that cannot hold a small sum would make every settlement fail.
static u64 need_fee_account(const Account *a) {
  u64 rent;
  TRY(need_writable(a));
  RUN(rent_for(a->data_len, &rent));
  CHECK(*a->lamports >= rent, UNFUNDED_FEE_ACCOUNT);
  return 0;
}

u64 write_config(Config *config, const ConfigArgs *args, const Account *treasury, const Account *pool) {
  TRY(need_fees(&args->fees));
  CHECK(!is_zero(&args->admin), ZERO_KEY);
  TRY(need_fee_account(treasury));
  TRY(need_fee_account(pool));
  config->admin = args->admin;
  config->slasher = args->slasher;
  config->treasury = *treasury->key;
  config->pool = *pool->key;
  config->fees = args->fees;
  return 0;
}

u64 config_update(Params *p) {
  Account *a = p->accounts;
  ConfigArgs args;
  ARGS(p, args);
  TRY(need_count(p, 4));
  TRY(need_signer(&a[0]));
  TRY(need_ours(p, 1, KIND_CONFIG, sizeof(Config)));
  TRY(need_writable(&a[1]));
  Config *config = (Config *)a[1].data;
  CHECK(same_key(a[0].key, &config->admin), NOT_ADMIN);
  return write_config(config, &args, &a[2], &a[3]);
}
