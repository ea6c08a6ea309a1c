// The program's accounts, byte for byte as in ledger/chain/layout/accounts.ts.
#pragma once
#include "solana.h"

#define KIND_CONFIG 1
#define KIND_PROVIDER 2
#define KIND_OFFER 3
#define KIND_CHANNEL 4
#define KIND_ORDER 5
#define KIND_STAKE 6
#define VERSION 1

#define MAX_ALLOWED 8

typedef struct { u8 kind, version, bump, phase, zero[4]; } Header;

// Hundredths of a percent: `fee` of what is paid, the others of the fee.
typedef struct { u16 fee, trainer, pool, treasury; } Fees;

typedef struct {
  Header header;
  Pubkey admin, treasury, pool, slasher;
  Fees fees;
} Config;

typedef struct {
  Header header;
  Pubkey authority, node, box, payout;
  i64 registered_at, updated_at;
  u64 open_channels, open_orders, offers;
  u64 channels_opened, channels_closed, settlements;
  u64 settled, fees;
  u64 orders_claimed, orders_refunded;
  Pubkey log, tree_hash;
  u64 log_length;
  i64 anchored_at;
  u64 log_changes;
} Provider;

typedef struct {
  Header header;
  Pubkey provider, model;
  u64 input, cached, output;
  u32 context, flags;
  i64 updated_at;
} Offer;

enum { CHANNEL_PHASE_OPEN, CHANNEL_PHASE_CLOSING, CHANNEL_PHASE_ENDED };

typedef struct {
  Header header;
  Pubkey payer, provider, signer, model;
  u64 salt, open_slot;
  u64 deposit, settled;
  u64 grace;
  Fees fees;
  i64 close_at, opened_at;
} Channel;

enum { ORDER_PHASE_OPEN, ORDER_PHASE_LOCKED, ORDER_PHASE_CLAIMED };

typedef struct {
  Header header;
  Pubkey payer, model, request_hash, response_hash, provider;
  u64 max_cost, cost;
  i64 deadline;
  u64 min_reputation, salt;
  Fees fees;
  i64 locked_at;
  u32 allowed_count, context;
  Pubkey allowed[MAX_ALLOWED];
} Order;

typedef struct {
  Header header;
  Pubkey provider, owner;
  u64 active, unbonding;
  i64 unbond_at;
  u64 slashed;
  Pubkey verdict;
  i64 deposited_at;
} Stake;

_Static_assert(sizeof(Config) == 144, "config");
_Static_assert(sizeof(Provider) == 320, "provider");
_Static_assert(sizeof(Offer) == 112, "offer");
_Static_assert(sizeof(Channel) == 200, "channel");
_Static_assert(sizeof(Order) == 488, "order");
_Static_assert(sizeof(Stake) == 144, "stake");
