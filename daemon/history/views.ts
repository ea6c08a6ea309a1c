/** One transaction as the history shows it. */
import b4a from 'b4a'
import type { Check, Verdict } from '../../ledger/proof.js'
import { isFreeOfCharge, receiptHash } from '../../ledger/transaction.js'
import { counterparty } from '../../ledger/store/entry.js'
import type { Detail, Row } from './items.js'
import type { ModelNames } from './model-names.js'
import type { Found } from './selection.js'

export function rowOf({ position, entry }: Found, names: Pick<ModelNames, 'nameOf'>): Row {
  const { role, times, transaction } = entry
  const { statement, providerSignature, consumerSignature } = transaction
  const model = hex(statement.modelRoot)
  const signed =
    providerSignature && consumerSignature
      ? 'both'
      : providerSignature
        ? 'provider'
        : consumerSignature
          ? 'consumer'
          : 'nobody'
  return {
    id: hex(statement.id),
    position,
    role,
    kind: statement.kind,
    time: times.done,
    model,
    modelName: names.nameOf(model),
    peer: hex(counterparty(entry)),
    usage: statement.usage,
    finish: statement.finish,
    cost: String(statement.cost),
    channel: isFreeOfCharge(statement) ? null : hex(statement.channel),
    signed,
  }
}

export function detailOf(
  found: Found,
  names: Pick<ModelNames, 'nameOf'>,
  content: Detail['content'],
  verdict: Verdict,
): Detail {
  const { statement } = found.entry.transaction
  const { prices, sampling } = statement
  return {
    ...rowOf(found, names),
    times: found.entry.times,
    prices: { input: String(prices.input), cached: String(prices.cached), output: String(prices.output) },
    cumulative: String(statement.cumulative),
    consumer: hex(statement.consumer),
    provider: hex(statement.provider),
    counter: statement.counter,
    receipt: hex(receiptHash(statement)),
    requestHash: hex(statement.request.hash),
    responseHash: hex(statement.response.hash),
    requestBytes: statement.request.bytes,
    responseBytes: statement.response.bytes,
    runtime: { ...statement.runtime },
    sampling: { ...sampling, seed: String(sampling.seed) },
    content,
    // Windows are an auditor's matter; nothing is said about what was not looked at.
    checks: verdict.checks.filter(({ name }: Check) => name !== 'output windows'),
    holds: verdict.holds,
    agreed: verdict.agreed,
  }
}

function hex(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'hex')
}
