/**
 * A provider's own offers on chain: set when a model serves or its price changed, closed when it is served no longer. They
 * stay when the node ends: a start would only pay for them again.
 */
import { createHash } from 'node:crypto'
import b4a from 'b4a'
import type { ChainClient } from '../../ledger/chain/client.js'
import type { OfferAccount } from '../../ledger/chain/layout/accounts.js'
import type { OfferArgs } from '../../ledger/chain/layout/provider-instructions.js'
import type { Outbox } from '../../ledger/chain/outbox.js'
import type { Found } from '../../ledger/chain/readings.js'
import { isFree } from '../../ledger/price.js'
import type { OfferTerms } from '../../swarm/port.js'
import { flagsOf } from './listings.js'

/** What a node serves now. */
export interface Served {
  readonly terms: readonly OfferTerms[]
  /** Nothing more will come by itself: what is not among them is not served. */
  readonly complete: boolean
}

export interface PublisherChain {
  readonly client: Pick<ChainClient, 'provider' | 'providerAt' | 'setOffer' | 'closeOffer'>
  readonly outbox: Pick<Outbox, 'get'>
  /** Of this wallet's provider. */
  ownOffers(): Promise<readonly Found<OfferAccount>[]>
}

export interface Step {
  readonly set: readonly OfferArgs[]
  readonly close: readonly Found<OfferAccount>[]
}

/** Pure: what has to happen so that the chain says what is served. Free models are not worth a rent. */
export function plan(served: Served, standing: readonly Found<OfferAccount>[], network: Uint8Array): Step {
  const wanted = served.terms.filter(({ prices }) => !isFree(prices)).map((terms) => argsOf(terms, network))
  const at = (model: Uint8Array): Found<OfferAccount> | undefined =>
    standing.find(({ account }) => b4a.equals(account.model, model))
  return {
    set: wanted.filter((args) => !isSame(args, at(args.model)?.account)),
    close: served.complete
      ? standing.filter(({ account }) => !wanted.some(({ model }) => b4a.equals(model, account.model)))
      : [],
  }
}

/**
 * One round; true when the chain says what is served. False before the provider is registered. Throws what the chain says.
 */
export async function publish(chain: PublisherChain, served: Served, network: Uint8Array): Promise<boolean> {
  const { client, outbox } = chain
  if (!(await client.providerAt(client.provider))) return false
  const standing = await chain.ownOffers()
  const { set, close } = plan(served, standing, network)
  for (const args of set) {
    const before = standing.find(({ account }) => b4a.equals(account.model, args.model))
    await client.setOffer(args, free(outbox, 'offer', intention(args, before)))
  }
  for (const found of close) {
    const { model, updatedAt } = found.account
    await client.closeOffer(model, free(outbox, 'close-offer', `${short(model)}/${updatedAt}`))
  }
  return true
}

/**
 * Names the change by what it says and what it replaces: a crash between signing and landing finds it in the outbox and does
 * not pay for it twice, while going back to an earlier price is another change.
 */
function intention(args: OfferArgs, before: Found<OfferAccount> | undefined): string {
  const { input, cached, output, context, flags } = args
  const content = createHash('sha256').update([input, cached, output, context, flags].join('/')).digest('hex')
  return `${short(args.model)}/${content.slice(0, 16)}/${before?.account.updatedAt ?? 'new'}`
}

/** The first of its name that has not run its course: an offer that was closed since may be set again. */
function free(outbox: PublisherChain['outbox'], kind: string, name: string): string {
  for (let number = 0; ; number++) {
    const id = `${name}/${number}`
    if (outbox.get(`${kind}/${id}`)?.phase !== 'finalized') return id
  }
}

function argsOf({ modelRoot, prices, contextLength, features }: OfferTerms, network: Uint8Array): OfferArgs {
  const { input, cached, output } = prices
  return { model: modelRoot, input, cached, output, context: contextLength, flags: flagsOf(features, network) }
}

function isSame(args: OfferArgs, account: OfferAccount | undefined): boolean {
  return (
    account !== undefined &&
    account.input === args.input &&
    account.cached === args.cached &&
    account.output === args.output &&
    account.context === args.context &&
    account.flags === args.flags
  )
}

function short(model: Uint8Array): string {
  return b4a.toString(model, 'hex').slice(0, 16)
}
