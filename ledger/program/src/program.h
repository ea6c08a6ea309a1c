// What every instruction is written with.
#pragma once
#include "accounts.h"
#include "errors.h"
#include "solana.h"

#define MAX_ACCOUNTS 16

typedef struct {
  Account accounts[MAX_ACCOUNTS];
  // Named more than once in this instruction.
  bool repeated[MAX_ACCOUNTS];
  u64 count;
  // Behind the number of the instruction.
  const u8 *args;
  u64 args_len;
  const Pubkey *program;
} Params;

// Three ways to fail, so that a tool can take each check out and see a test notice:
// CHECK a condition, TRY a function that only checks, RUN one that also acts.
#define CHECK(condition, error) do { if (!(condition)) return (error); } while (0)
#define TRY(call) do { u64 error_ = (call); if (error_) return error_; } while (0)
#define RUN(call) do { u64 error_ = (call); if (error_) return error_; } while (0)

// Copies the arguments, which are not aligned where they lie.
#define ARGS(p, args) do { TRY(need_args((p), sizeof(args))); sol_memcpy_(&(args), (p)->args, sizeof(args)); } while (0)

// check.c
u64 need_count(const Params *p, u64 count);
u64 need_args(const Params *p, u64 len);
u64 need_signer(const Account *a);
u64 need_writable(const Account *a);
u64 need_system(const Account *a);
// An account of this program, of that kind and length, named once.
u64 need_ours(const Params *p, u64 index, u8 kind, u64 len);

// create.c
typedef struct { u8 kind; u64 len, deposit; } NewAccount;
// `seeds` has room for one more, the bump. The payer pays the missing rent and the deposit.
u64 create(Params *p, u64 payer, u64 target, Seeds *seeds, const NewAccount *wanted);
u64 deposit(Params *p, u64 payer, u64 target, u64 lamports);
u64 rent_for(u64 len, u64 *lamports);
// Everything goes to `to`; the account returns to the system program.
void destroy(Account *a, Account *to);

// money.c
u64 add(u64 *sum, u64 more);
u64 pay(Account *from, Account *to, u64 lamports);
u64 need_fees(const Fees *fees);
// Where the money of a settlement goes: between two cumulative amounts.
typedef struct { u64 provider, pool, treasury, fee; } Split;
void split(const Fees *fees, u64 before, u64 after, Split *out);
typedef struct { Account *payout, *treasury, *pool; } Payees;
u64 need_payees(const Payees *to, const Provider *provider, const Config *config);
u64 pay_split(Account *from, const Payees *to, const Split *parts);

// voucher.c
typedef struct { const u8 *data; u64 len, count; } Signatures;
u64 open_signatures(const Account *sysvar, u64 count, Signatures *out);
// Checks the voucher at that place against its channel and gives its cumulative amount.
u64 check_voucher(const Signatures *in, u64 index, const Account *channel, i64 now, u64 *cumulative);

u64 config_init(Params *p);
u64 config_update(Params *p);
u64 provider_register(Params *p);
u64 provider_update(Params *p);
u64 provider_close(Params *p);
u64 provider_checkpoint(Params *p);
u64 offer_set(Params *p);
u64 offer_close(Params *p);
u64 channel_open(Params *p);
u64 channel_top_up(Params *p);
u64 channel_settle(Params *p);
u64 channel_request_close(Params *p);
u64 channel_finish_close(Params *p);
u64 order_open(Params *p);
u64 order_lock(Params *p);
u64 order_claim(Params *p);
u64 order_refund(Params *p);
u64 stake_deposit(Params *p);
u64 stake_unbond(Params *p);
u64 stake_withdraw(Params *p);
u64 stake_slash(Params *p);
