// accounts: authority, provider
#include "provider.h"

typedef struct { Pubkey log, tree_hash; u64 length; } CheckpointArgs;

u64 provider_checkpoint(Params *p) {
  CheckpointArgs args;
  Clock clock;
  ARGS(p, args);
  TRY(need_count(p, 2));
  TRY(need_authority(p, 1));
  Provider *provider = (Provider *)p->accounts[1].data;
  CHECK(!is_zero(&args.log), ZERO_KEY);
  bool same_log = same_key(&args.log, &provider->log);
  CHECK(!same_log || args.length >= provider->log_length, CHECKPOINT_BEHIND);
  bool same_length = same_log && args.length == provider->log_length;
  CHECK(!same_length || same_key(&args.tree_hash, &provider->tree_hash), CHECKPOINT_FORKED);

  RUN(sol_get_clock_sysvar(&clock));
  // The first log is no change.
  if (!same_log && !is_zero(&provider->log)) RUN(add(&provider->log_changes, 1));
  provider->log = args.log;
  provider->tree_hash = args.tree_hash;
  provider->log_length = args.length;
  provider->anchored_at = clock.now;
  return 0;
}
