// Accounts come and go: created at the address of their seeds, destroyed with their rent returned.
#include "program.h"

// Instructions of the system program: number u32 LE | arguments.
#define SYSTEM_ASSIGN 1
#define SYSTEM_TRANSFER 2
#define SYSTEM_ALLOCATE 8
typedef struct { u32 number; u64 value; } __attribute__((packed)) SystemAmount;
typedef struct { u32 number; Pubkey owner; } __attribute__((packed)) SystemAssign;

#define RENT_OVERHEAD 128
// 1.0 and 2.0 as doubles.
#define THRESHOLD_ONE 0x3ff0000000000000UL
#define THRESHOLD_TWO 0x4000000000000000UL

u64 rent_for(u64 len, u64 *lamports) {
  Rent rent;
  RUN(sol_get_rent_sysvar(&rent));
  bool doubled = rent.threshold_bits == THRESHOLD_TWO;
  CHECK(doubled || rent.threshold_bits == THRESHOLD_ONE, UNKNOWN_RENT);
  *lamports = (RENT_OVERHEAD + len) * rent.lamports_per_byte << doubled;
  return 0;
}

u64 deposit(Params *p, u64 payer, u64 target, u64 lamports) {
  TRY(need_writable(&p->accounts[payer]));
  SystemAmount data = {SYSTEM_TRANSFER, lamports};
  const AccountMeta metas[2] = {{p->accounts[payer].key, 1, 1}, {p->accounts[target].key, 1, 0}};
  const Instruction transfer = {&SYSTEM_PROGRAM, metas, 2, (const u8 *)&data, sizeof data};
  return sol_invoke_signed_c(&transfer, p->accounts, p->count, 0, 0);
}

// Transfer, allocate, assign: create_account refuses an address to which somebody sent a lamport before.
u64 create(Params *p, u64 payer, u64 target, Seeds *seeds, const NewAccount *wanted) {
  Account *a = &p->accounts[target];
  Pubkey derived;
  u8 bump;
  RUN(sol_try_find_program_address(seeds->addr, seeds->len, p->program, &derived, &bump));
  CHECK(same_key(&derived, a->key), WRONG_ADDRESS);
  CHECK(same_key(a->owner, &SYSTEM_PROGRAM) && a->data_len == 0, ALREADY_EXISTS);
  TRY(need_writable(a));

  u64 rent, sum = wanted->deposit;
  RUN(rent_for(wanted->len, &rent));
  if (*a->lamports < rent) RUN(add(&sum, rent - *a->lamports));
  if (sum > 0) RUN(deposit(p, payer, target, sum));

  ((Bytes *)seeds->addr)[seeds->len] = (Bytes){&bump, 1};
  const Seeds signer = {seeds->addr, seeds->len + 1};
  const AccountMeta meta = {a->key, 1, 1};
  SystemAmount space = {SYSTEM_ALLOCATE, wanted->len};
  const Instruction allocate = {&SYSTEM_PROGRAM, &meta, 1, (const u8 *)&space, sizeof space};
  RUN(sol_invoke_signed_c(&allocate, p->accounts, p->count, &signer, 1));
  SystemAssign owner = {SYSTEM_ASSIGN, *p->program};
  const Instruction assign = {&SYSTEM_PROGRAM, &meta, 1, (const u8 *)&owner, sizeof owner};
  RUN(sol_invoke_signed_c(&assign, p->accounts, p->count, &signer, 1));

  *(Header *)a->data = (Header){wanted->kind, VERSION, bump, 0, {0}};
  return 0;
}

void destroy(Account *a, Account *to) {
  *to->lamports += *a->lamports;
  *a->lamports = 0;
  sol_memset_(a->data, 0, a->data_len);
  // The length lies directly before the data in the runtime's input.
  ((u64 *)a->data)[-1] = 0;
  *a->owner = SYSTEM_PROGRAM;
}
