// The entry point: takes the runtime's input apart and calls the instruction with that number.
#include "program.h"

// A serialized account: marker u8 | signer | writable | executable | 4 | key 32 | owner 32 | lamports u64 | length u64 |
// data | 10,240 spare | padding to 8 | rent epoch u64. An account named before is its index and seven bytes.
#define SPARE 10240

static u64 parse(u8 *in, Params *p) {
  u64 count = *(u64 *)in;
  in += 8;
  CHECK(count <= MAX_ACCOUNTS, BAD_ACCOUNT_COUNT);
  for (u64 i = 0; i < count; i++) {
    Account *a = &p->accounts[i];
    u8 marker = in[0];
    p->repeated[i] = marker != 0xff;
    if (marker != 0xff) {
      p->repeated[marker] = 1;
      *a = p->accounts[marker];
      in += 8;
      continue;
    }
    a->is_signer = in[1];
    a->is_writable = in[2];
    a->executable = in[3];
    a->key = (Pubkey *)(in + 8);
    a->owner = (Pubkey *)(in + 40);
    a->lamports = (u64 *)(in + 72);
    a->data_len = *(u64 *)(in + 80);
    a->data = in + 88;
    in += 88 + ((a->data_len + SPARE + 7) & ~7UL);
    a->rent_epoch = *(u64 *)in;
    in += 8;
  }
  u64 len = *(u64 *)in;
  CHECK(len >= 1, BAD_INSTRUCTION);
  p->count = count;
  p->args = in + 9;
  p->args_len = len - 1;
  p->program = (Pubkey *)(in + 8 + len);
  return 0;
}

u64 entrypoint(u8 *input) {
  Params p;
  RUN(parse(input, &p));
  switch (p.args[-1]) {
  case 0x00: return config_init(&p);
  case 0x01: return config_update(&p);
  case 0x10: return provider_register(&p);
  case 0x11: return provider_update(&p);
  case 0x12: return provider_close(&p);
  case 0x13: return provider_checkpoint(&p);
  case 0x20: return offer_set(&p);
  case 0x21: return offer_close(&p);
  case 0x30: return channel_open(&p);
  case 0x31: return channel_top_up(&p);
  case 0x32: return channel_settle(&p);
  case 0x33: return channel_request_close(&p);
  case 0x34: return channel_finish_close(&p);
  case 0x40: return order_open(&p);
  case 0x41: return order_lock(&p);
  case 0x42: return order_claim(&p);
  case 0x43: return order_refund(&p);
  case 0x50: return stake_deposit(&p);
  case 0x51: return stake_unbond(&p);
  case 0x52: return stake_withdraw(&p);
  case 0x53: return stake_slash(&p);
  default: return BAD_INSTRUCTION;
  }
}
