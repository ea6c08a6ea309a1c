// What the Solana runtime gives a program: types, system calls, well-known keys. Written from the published ABI.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;
typedef _Bool bool;

#define INLINE static inline __attribute__((always_inline))

typedef struct { u8 bytes[32]; } __attribute__((aligned(8))) Pubkey;
typedef struct { const u8 *addr; u64 len; } Bytes;
typedef struct { const Bytes *addr; u64 len; } Seeds;
typedef struct { const Pubkey *key; bool is_writable, is_signer; } AccountMeta;
typedef struct {
  const Pubkey *program;
  const AccountMeta *accounts;
  u64 account_count;
  const u8 *data;
  u64 data_len;
} Instruction;

// SolAccountInfo: handed on to sol_invoke_signed_c, so its layout is the runtime's.
typedef struct {
  const Pubkey *key;
  u64 *lamports;
  u64 data_len;
  u8 *data;
  Pubkey *owner;
  u64 rent_epoch;
  bool is_signer, is_writable, executable;
} Account;

typedef struct { u64 slot; i64 epoch_start; u64 epoch, leader_epoch; i64 now; } Clock;
// The threshold is a double, which this machine cannot compute with: it is compared by its bits.
typedef struct { u64 lamports_per_byte; u64 threshold_bits; u8 burn_percent; } Rent;

void sol_memcpy_(void *to, const void *from, u64 len);
void sol_memset_(void *to, u8 value, u64 len);
u64 sol_get_clock_sysvar(Clock *out);
u64 sol_get_rent_sysvar(Rent *out);
u64 sol_try_find_program_address(const Bytes *seeds, u64 count, const Pubkey *program, Pubkey *out, u8 *bump);
u64 sol_invoke_signed_c(const Instruction *, const Account *, u64 count, const Seeds *signers, u64 signer_count);

static const Pubkey SYSTEM_PROGRAM = {{0}};
// Ed25519SigVerify111111111111111111111111111
static const Pubkey ED25519_PROGRAM = {{0x03, 0x7d, 0x46, 0xd6, 0x7c, 0x93, 0xfb, 0xbe, 0x12, 0xf9, 0x42, 0x8f, 0x83, 0x8d, 0x40, 0xff,
                                        0x05, 0x70, 0x74, 0x49, 0x27, 0xf4, 0x8a, 0x64, 0xfc, 0xca, 0x70, 0x44, 0x80, 0x00, 0x00, 0x00}};
// Sysvar1nstructions1111111111111111111111111
static const Pubkey INSTRUCTIONS_SYSVAR = {{0x06, 0xa7, 0xd5, 0x17, 0x18, 0x7b, 0xd1, 0x66, 0x35, 0xda, 0xd4, 0x04, 0x55, 0xfd, 0xc2, 0xc0,
                                            0xc1, 0x24, 0xc6, 0x8f, 0x21, 0x56, 0x75, 0xa5, 0xdb, 0xba, 0xcb, 0x5f, 0x08, 0x00, 0x00, 0x00}};
// BPFLoaderUpgradeab1e11111111111111111111111
static const Pubkey UPGRADEABLE_LOADER = {{0x02, 0xa8, 0xf6, 0x91, 0x4e, 0x88, 0xa1, 0xb0, 0xe2, 0x10, 0x15, 0x3e, 0xf7, 0x63, 0xae, 0x2b,
                                           0x00, 0xc2, 0xb9, 0x3d, 0x16, 0xc1, 0x24, 0xd2, 0xc0, 0x53, 0x7a, 0x10, 0x04, 0x80, 0x00, 0x00}};

// Loads need no alignment on this machine.
INLINE bool same_key(const void *a, const void *b) {
  const u64 *x = a, *y = b;
  return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

INLINE bool is_zero(const void *key) { return same_key(key, &SYSTEM_PROGRAM); }
