// What both config instructions take and write.
#pragma once
#include "program.h"

typedef struct { Pubkey admin, slasher; Fees fees; } ConfigArgs;

// config_update.c
u64 write_config(Config *config, const ConfigArgs *args, const Account *treasury, const Account *pool);
