// What provider and offer instructions share.
#pragma once
#include "program.h"

typedef struct { Pubkey box, payout; } ProviderArgs;

// provider-update.c
u64 write_provider(Provider *provider, const ProviderArgs *args, const Account *node, i64 now);
// An account 0 that signs for the provider at `index`.
u64 need_authority(const Params *p, u64 index);
