// The checks that all instructions share.
#include "program.h"

u64 need_count(const Params *p, u64 count) {
  CHECK(p->count == count, BAD_ACCOUNT_COUNT);
  return 0;
}

u64 need_args(const Params *p, u64 len) {
  CHECK(p->args_len == len, BAD_DATA_LENGTH);
  return 0;
}

u64 need_signer(const Account *a) {
  CHECK(a->is_signer, MISSING_SIGNATURE);
  return 0;
}

u64 need_writable(const Account *a) {
  CHECK(a->is_writable, NOT_WRITABLE);
  return 0;
}

u64 need_system(const Account *a) {
  CHECK(same_key(a->key, &SYSTEM_PROGRAM), WRONG_PROGRAM);
  return 0;
}

u64 need_ours(const Params *p, u64 index, u8 kind, u64 len) {
  const Account *a = &p->accounts[index];
  const Header *header = (const Header *)a->data;
  CHECK(same_key(a->owner, p->program), WRONG_OWNER);
  CHECK(!p->repeated[index], DUPLICATE_ACCOUNT);
  CHECK(a->data_len >= sizeof(Header) && header->kind == kind, WRONG_KIND);
  CHECK(header->version == VERSION, WRONG_VERSION);
  CHECK(a->data_len == len, WRONG_LENGTH);
  return 0;
}
