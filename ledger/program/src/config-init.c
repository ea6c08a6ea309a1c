// accounts: authority, config, program data, treasury, pool, system program
#include "config.h"

// The upgradeable loader's account: state u32 (3 = program data) | slot u64 | has authority u8 | authority 32 | code
#define PROGRAM_DATA 3
#define AUTHORITY_AT 13
#define PROGRAM_DATA_HEAD 45

// Without this, whoever comes first on a fresh cluster would own the fees.
static u64 need_upgrade_authority(const Params *p, const Account *program_data, const Account *authority) {
  const Bytes seeds[1] = {{p->program->bytes, sizeof(Pubkey)}};
  Pubkey derived;
  u8 bump;
  RUN(sol_try_find_program_address(seeds, 1, &UPGRADEABLE_LOADER, &derived, &bump));
  CHECK(same_key(program_data->key, &derived), WRONG_ADDRESS);
  const u8 *data = program_data->data;
  CHECK(program_data->data_len >= PROGRAM_DATA_HEAD && data[0] == PROGRAM_DATA, NOT_UPGRADE_AUTHORITY);
  CHECK(data[AUTHORITY_AT - 1] == 1, NOT_UPGRADE_AUTHORITY);
  CHECK(same_key(data + AUTHORITY_AT, authority->key), NOT_UPGRADE_AUTHORITY);
  return 0;
}

u64 config_init(Params *p) {
  Account *a = p->accounts;
  ConfigArgs args;
  ARGS(p, args);
  TRY(need_count(p, 6));
  TRY(need_signer(&a[0]));
  TRY(need_upgrade_authority(p, &a[2], &a[0]));
  TRY(need_system(&a[5]));

  Bytes seeds[2] = {{(const u8 *)"config", 6}};
  Seeds named = {seeds, 1};
  const NewAccount wanted = {KIND_CONFIG, sizeof(Config), 0};
  RUN(create(p, 0, 1, &named, &wanted));
  return write_config((Config *)a[1].data, &args, &a[3], &a[4]);
}
