// Sums, fees, and who gets them.
#include "program.h"

#define BPS 10000
// In code, so that no config can ever take more.
#define MAX_FEE_BPS 1000

u64 add(u64 *sum, u64 more) {
  CHECK(more <= ~*sum, OVERFLOW);
  *sum += more;
  return 0;
}

// Only from an account of this program. All lamports there are fit in a u64, so the receiving side cannot overflow.
u64 pay(Account *from, Account *to, u64 lamports) {
  CHECK(lamports <= *from->lamports, NOT_COVERED);
  *from->lamports -= lamports;
  *to->lamports += lamports;
  return 0;
}

u64 need_fees(const Fees *fees) {
  CHECK(fees->fee <= MAX_FEE_BPS, FEE_TOO_HIGH);
  CHECK((u64)fees->trainer + fees->pool + fees->treasury == BPS, BAD_SHARES);
  return 0;
}

// floor(amount × bps / 10,000) without a product that could overflow.
static u64 part(u64 amount, u64 bps) { return amount / BPS * bps + amount % BPS * bps / BPS; }

// All parts are differences of floors of cumulative amounts: they do not depend on how a sum was split over settlements.
void split(const Fees *fees, u64 before, u64 after, Split *out) {
  u64 fee_before = part(before, fees->fee), fee_after = part(after, fees->fee);
  out->fee = fee_after - fee_before;
  out->provider = after - before - out->fee;
  out->pool = part(fee_after, fees->pool) - part(fee_before, fees->pool);
  // The trainer's share is in here as long as no model is on chain.
  out->treasury = out->fee - out->pool;
}

u64 need_payees(const Payees *to, const Provider *provider, const Config *config) {
  CHECK(same_key(to->payout->key, &provider->payout), WRONG_PAYOUT);
  CHECK(same_key(to->treasury->key, &config->treasury), WRONG_TREASURY);
  CHECK(same_key(to->pool->key, &config->pool), WRONG_POOL);
  TRY(need_writable(to->payout));
  TRY(need_writable(to->treasury));
  TRY(need_writable(to->pool));
  return 0;
}

u64 pay_split(Account *from, const Payees *to, const Split *parts) {
  RUN(pay(from, to->payout, parts->provider));
  RUN(pay(from, to->pool, parts->pool));
  return pay(from, to->treasury, parts->treasury);
}
