// What the owner's two instructions share.
#pragma once
#include "program.h"

// stake-unbond.c: account 0 owns and signs for the stake that is account 1.
u64 need_owner(const Params *p);
