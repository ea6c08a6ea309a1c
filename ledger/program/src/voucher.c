// Vouchers, as the Ed25519 instruction before this one has verified them. Nothing of it is believed but what is checked
// here: which bytes were signed, by which key.
#include "program.h"

// Ed25519 instruction: count u8 | padding u8 | count × 7 × u16: signature offset, its instruction, key offset, its
// instruction, message offset, message length, its instruction.
#define HEAD 2
#define OFFSETS 14
#define THIS_INSTRUCTION 0xffff

#define VOUCHER_BYTES 50
#define MAGIC 0x0156
typedef struct { Pubkey channel; u64 cumulative; i64 expires_at; } Voucher;

INLINE u64 read16(const u8 *at) { return at[0] | (u64)at[1] << 8; }

// Instructions sysvar: count u16 | offset u16 × count | instructions | index of the running one u16.
// Instruction: accounts u16 | (flags u8, key 32) × accounts | program 32 | length u16 | data.
u64 open_signatures(const Account *sysvar, u64 count, Signatures *out) {
  CHECK(same_key(sysvar->key, &INSTRUCTIONS_SYSVAR), WRONG_PROGRAM);
  u64 running = read16(sysvar->data + sysvar->data_len - 2);
  CHECK(running > 0, ED25519_MISSING);
  const u8 *at = sysvar->data + read16(sysvar->data + 2 * running);
  at += 2 + read16(at) * 33;
  CHECK(same_key(at, &ED25519_PROGRAM), ED25519_MISSING);
  out->len = read16(at + 32);
  out->data = at + 34;
  out->count = count;
  CHECK(out->len >= HEAD + OFFSETS * count, ED25519_BOUNDS);
  CHECK(out->data[0] == count, ED25519_COUNT);
  CHECK(out->data[1] == 0, ED25519_PADDING);
  return 0;
}

u64 check_voucher(const Signatures *in, u64 index, const Account *account, i64 now, u64 *cumulative) {
  const Channel *channel = (const Channel *)account->data;
  const u8 *offsets = in->data + HEAD + OFFSETS * index;
  CHECK(read16(offsets + 2) == THIS_INSTRUCTION, ED25519_INDEX);
  CHECK(read16(offsets + 6) == THIS_INSTRUCTION, ED25519_INDEX);
  CHECK(read16(offsets + 12) == THIS_INSTRUCTION, ED25519_INDEX);
  u64 key = read16(offsets + 4), message = read16(offsets + 8);
  CHECK(read16(offsets + 10) == VOUCHER_BYTES, VOUCHER_LENGTH);
  CHECK(key + sizeof(Pubkey) <= in->len, ED25519_BOUNDS);
  CHECK(message + VOUCHER_BYTES <= in->len, ED25519_BOUNDS);
  CHECK(same_key(in->data + key, &channel->signer), VOUCHER_OTHER_SIGNER);

  Voucher voucher;
  sol_memcpy_(&voucher, in->data + message + 2, sizeof voucher);
  CHECK(read16(in->data + message) == MAGIC, VOUCHER_MAGIC);
  CHECK(same_key(&voucher.channel, account->key), VOUCHER_OTHER_CHANNEL);
  CHECK(voucher.expires_at == 0 || voucher.expires_at > now, VOUCHER_EXPIRED);
  CHECK(voucher.cumulative > channel->settled, VOUCHER_NOT_HIGHER);
  CHECK(voucher.cumulative <= channel->deposit, VOUCHER_OVER_DEPOSIT);
  *cumulative = voucher.cumulative;
  return 0;
}
