/**
 * Random transactions for the property test: mostly what an honest party would send, from a small domain so that parties,
 * channels and amounts meet often, and then changed in one of the ways that an attacker has.
 */
import type { PublicKey } from '@solana/web3.js'
import { Ed25519Program, SystemProgram, SYSVAR_INSTRUCTIONS_PUBKEY, TransactionInstruction } from '@solana/web3.js'
import { lamports } from '../../ledger/amount.js'
import * as channels from '../../ledger/chain/layout/channel-instructions.js'
import * as configs from '../../ledger/chain/layout/config-instructions.js'
import { build, meta } from '../../ledger/chain/layout/instruction.js'
import * as orders from '../../ledger/chain/layout/order-instructions.js'
import * as providers from '../../ledger/chain/layout/provider-instructions.js'
import * as stakes from '../../ledger/chain/layout/stake-instructions.js'
import { voucherSignatures } from '../../ledger/chain/layout/voucher-signatures.js'
import type { VoucherSignature } from '../../ledger/chain/layout/voucher-signatures.js'
import { signVoucher } from '../../ledger/voucher.js'
import type { Model } from './program-model.js'
import type { World } from './program-world.js'

export const PAYERS = ['alice', 'bob'] as const
export const PROVIDERS = ['pat', 'quinn'] as const
export const PARTIES = [
  ...PAYERS,
  ...PROVIDERS,
  'mallory',
  'patPayout',
  'quinnPayout',
  'treasury',
  'pool',
  'admin',
  'slasher',
  'patNode',
  'quinnNode',
]
const MAX = 2n ** 64n - 1n

export interface Step {
  readonly title: string
  readonly instructions: readonly TransactionInstruction[]
  readonly areSignaturesGood: boolean
}

interface KnownChannel {
  readonly key: PublicKey
  readonly payer: string
  readonly provider: string
}

/** mulberry32: small, and the same everywhere. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }

  one<T>(of: readonly T[]): T {
    const chosen = of[this.below(of.length)]
    if (chosen === undefined) throw new Error('nothing to choose from')
    return chosen
  }

  /** True once in `times`. */
  rarely(times: number): boolean {
    return this.below(times) === 0
  }
}

export class Steps {
  readonly #random: Random
  readonly #world: World
  readonly #model: Model
  readonly #channels: KnownChannel[] = []
  readonly #vouchers: VoucherSignature[] = []
  readonly #keys: PublicKey[]

  constructor(random: Random, world: World, model: Model) {
    this.#random = random
    this.#world = world
    this.#model = model
    this.#keys = [...PARTIES.map((name) => world.key(name)), SystemProgram.programId, this.#at('config')]
  }

  next(): Step {
    const makers = [
      () => this.#open(),
      () => this.#open(),
      () => this.#settle(),
      () => this.#settle(),
      () => this.#settle(),
      () => this.#topUp(),
      () => this.#requestClose(),
      () => this.#finish(),
      () => this.#finish(),
      () => this.#order(),
      () => this.#order(),
      () => this.#order(),
      () => this.#order(),
      () => this.#provider(),
      () => this.#provider(),
      () => this.#stake(),
      () => this.#stake(),
      () => this.#updateConfig(),
      () => this.#gift(),
    ]
    const step = this.#random.one(makers)()
    return this.#random.rarely(5) ? this.#tampered(step) : step
  }

  #at(...seeds: readonly (string | Uint8Array)[]): PublicKey {
    return this.#model.addresses.of(seeds).key
  }

  #key(name: string): PublicKey {
    return this.#world.key(name)
  }

  #providerAt(name: string): PublicKey {
    return this.#at('provider', this.#key(name).toBytes())
  }

  /** Small, around what fees round at; seldom at the other end. */
  #amount(): bigint {
    if (this.#random.rarely(60)) return MAX - BigInt(this.#random.below(3))
    return BigInt(this.#random.below(41))
  }

  /** `title` is the name of the instruction as well. */
  #step(instruction: TransactionInstruction, title: string): Step {
    for (const { pubkey } of instruction.keys) {
      if (this.#keys.length < 60 && !this.#keys.includes(pubkey)) this.#keys.push(pubkey)
    }
    return { title, instructions: [instruction], areSignaturesGood: true }
  }

  #open(): Step {
    const payer = this.#random.one(PAYERS)
    const provider = this.#random.one(PROVIDERS)
    const openSlot = this.#model.slot - BigInt(this.#random.one([0, 0, 0, 1, 150, 151, -1]))
    const salt = BigInt(this.#random.below(2))
    const { publicKey: signer } = this.#world.pair(`${payer}Voucher`)
    const keys = { payer: this.#key(payer), provider: this.#providerAt(provider) }
    const seeds = ['channel', keys.payer.toBytes(), keys.provider.toBytes(), signer, word(salt), word(openSlot)]
    const channel = this.#at(...seeds)
    this.#channels.push({ key: channel, payer, provider })
    if (this.#channels.length > 8) this.#channels.shift()
    const grace = BigInt(this.#random.one([60, 60, 61, 59]))
    const terms = { signer, model: new Uint8Array(32), salt, openSlot, deposit: lamports(this.#amount()), grace }
    const named = { ...keys, channel, config: this.#at('config'), systemProgram: SystemProgram.programId }
    return this.#step(build(channels.CHANNEL_OPEN, this.#world.program, named, terms), 'open')
  }

  #channel(): KnownChannel {
    if (this.#channels.length === 0) this.#open()
    return this.#random.one(this.#channels)
  }

  #settle(): Step {
    const first = this.#channel()
    const others = this.#channels.filter(({ provider, key }) => provider === first.provider && key !== first.key)
    const chosen = this.#random.rarely(3) ? [first, ...others.slice(0, this.#random.below(3))] : [first]
    let areSignaturesGood = true
    const vouchers = chosen.map((channel): VoucherSignature => {
      // An old one again: also of channels that are long closed.
      if (this.#vouchers.length > 0 && this.#random.rarely(8)) return this.#random.one(this.#vouchers)
      const by = this.#random.rarely(20) ? 'mallory' : `${channel.payer}Voucher`
      const names = this.#random.rarely(20) ? this.#channel().key : channel.key
      const made = this.#voucher(names, by, this.#model.entry(channel.key).body.channel?.settled ?? 0n)
      if (!this.#random.rarely(40)) return made
      areSignaturesGood = false
      return {
        ...made,
        signed: { ...made.signed, signature: made.signed.signature.with(3, 1 ^ (made.signed.signature[3] ?? 0)) },
      }
    })
    const provider = this.#providerAt(first.provider)
    const config = this.#model.entry(this.#at('config')).body.config
    const payout = this.#model.entry(provider).body.provider?.payout ?? this.#key('patPayout')
    const named = {
      instructions: SYSVAR_INSTRUCTIONS_PUBKEY,
      config: this.#at('config'),
      provider,
      payout,
      treasury: config?.treasury ?? this.#key('treasury'),
      pool: config?.pool ?? this.#key('pool'),
    }
    const more = chosen.map(({ key }) => meta(key, 'writable'))
    const step = this.#step(build(channels.CHANNEL_SETTLE, this.#world.program, named, {}, more), 'settle')
    const signatures = this.#signatures(vouchers)
    const all = this.#random.rarely(15) ? step.instructions : [signatures, ...step.instructions]
    // Without its instruction a bad signature harms nobody.
    return { title: 'settle', instructions: all, areSignaturesGood: areSignaturesGood || all.length === 1 }
  }

  #voucher(channel: PublicKey, by: string, settled: bigint): VoucherSignature {
    const pair = this.#world.pair(by)
    const cumulative = this.#random.rarely(4) ? this.#amount() : settled + BigInt(this.#random.below(12))
    const expiresAt = this.#random.one([0n, 0n, 0n, this.#model.now, this.#model.now + 1n, this.#model.now + 100n])
    const voucher = { channel: channel.toBytes(), cumulative: lamports(cumulative), expiresAt }
    const made = { signed: signVoucher(voucher, pair.secretKey), signer: pair.publicKey }
    this.#vouchers.push(made)
    if (this.#vouchers.length > 30) this.#vouchers.shift()
    return made
  }

  #signatures(vouchers: readonly VoucherSignature[]): TransactionInstruction {
    const it = voucherSignatures(vouchers)
    if (!this.#random.rarely(15)) return it
    const data = Buffer.from(it.data)
    // What the precompile takes and the program must not: a padding, an index that names this instruction by its number.
    if (this.#random.rarely(4)) data[1] = 1
    else data.writeUInt16LE(0, 2 + this.#random.one([2, 6, 12]))
    return new TransactionInstruction({ programId: Ed25519Program.programId, keys: [], data })
  }

  #topUp(): Step {
    const { key: channel, payer } = this.#channel()
    const named = { payer: this.#key(payer), channel, systemProgram: SystemProgram.programId }
    const args = { amount: lamports(this.#amount()) }
    return this.#step(build(channels.CHANNEL_TOP_UP, this.#world.program, named, args), 'top up')
  }

  #requestClose(): Step {
    const { key: channel, payer } = this.#channel()
    const named = { payer: this.#key(payer), channel }
    return this.#step(build(channels.CHANNEL_REQUEST_CLOSE, this.#world.program, named, {}), 'request close')
  }

  #finish(): Step {
    const { key: channel, payer, provider } = this.#channel()
    const closer = this.#key(this.#random.one([provider, provider, payer, 'mallory']))
    const named = { closer, channel, payer: this.#key(payer), provider: this.#providerAt(provider) }
    return this.#step(build(channels.CHANNEL_FINISH_CLOSE, this.#world.program, named, {}), 'finish close')
  }

  #order(): Step {
    const payer = this.#random.one(PAYERS)
    const name = this.#random.one(PROVIDERS)
    const salt = BigInt(this.#random.below(2))
    const order = this.#at('order', this.#key(payer).toBytes(), word(salt))
    const known = this.#model.entry(order).body.order
    const provider = this.#providerAt(name)
    const config = this.#at('config')
    const byProvider = { authority: this.#key(name), provider, order }
    const requestHash = new Uint8Array(32).fill(this.#random.below(2))
    const makers = [
      () => {
        const money = {
          maxCost: lamports(this.#amount()),
          minReputation: lamports(BigInt(this.#random.one([0, 0, 0, 5, 50]))),
        }
        const deadline = this.#model.now + BigInt(this.#random.one([0, 1, 60, 100, 2_592_000, 2_592_001]))
        const allowed = this.#random.one([[], [], [provider], [this.#providerAt('quinn'), provider]])
        const allowedCount = this.#random.rarely(10) ? this.#random.below(10) : allowed.length
        const terms = {
          model: new Uint8Array(32),
          requestHash,
          ...money,
          deadline,
          salt,
          context: 0,
          allowed,
          allowedCount,
        }
        const named = { payer: this.#key(payer), order, config, systemProgram: SystemProgram.programId }
        return this.#step(build(orders.ORDER_OPEN, this.#world.program, named, terms), 'open order')
      },
      () => {
        const expected = this.#random.rarely(8) ? { requestHash, maxCost: lamports(7n) } : null
        const terms = expected ?? {
          requestHash: known?.requestHash ?? requestHash,
          maxCost: known?.maxCost ?? lamports(7n),
        }
        return this.#step(build(orders.ORDER_LOCK, this.#world.program, byProvider, terms), 'lock')
      },
      () => {
        const to = this.#model.entry(config).body.config
        const payout = this.#model.entry(provider).body.provider?.payout ?? this.#key('patPayout')
        const fees = { treasury: to?.treasury ?? this.#key('treasury'), pool: to?.pool ?? this.#key('pool') }
        const args = { responseHash: requestHash, cost: lamports(this.#amount()) }
        const named = { ...byProvider, payout, ...fees, config }
        return this.#step(build(orders.ORDER_CLAIM, this.#world.program, named, args), 'claim')
      },
      () => {
        const by = this.#key(this.#random.one([payer, payer, 'mallory']))
        const more = known?.phase === 1 && !this.#random.rarely(5) ? [meta(known.provider, 'writable')] : []
        const named = { by, order, payer: this.#key(payer) }
        return this.#step(build(orders.ORDER_REFUND, this.#world.program, named, {}, more), 'refund')
      },
    ]
    return this.#random.one(makers)()
  }

  #provider(): Step {
    const name = this.#random.one(PROVIDERS)
    const authority = this.#key(name)
    const provider = this.#providerAt(name)
    const program = this.#world.program
    const systemProgram = SystemProgram.programId
    const node = this.#key(this.#random.one(['patNode', 'quinnNode', name]))
    const box = new Uint8Array(32).fill(this.#random.below(20))
    const identity = { box, payout: this.#key(this.#random.one(['patPayout', 'quinnPayout', name, 'alice'])) }
    const model = new Uint8Array(32).fill(this.#random.below(3))
    const offer = this.#at('offer', provider.toBytes(), model)
    const terms = { model, input: this.#amount(), cached: 0n, output: 1n, context: this.#random.below(9), flags: 0 }
    const [log, treeHash] = [this.#random.below(3), this.#random.below(2)].map((byte) => new Uint8Array(32).fill(byte))
    const checkpoint = { log: log ?? box, treeHash: treeHash ?? box, length: BigInt(this.#random.below(6)) }
    const close = build(providers.PROVIDER_CLOSE, program, { authority, provider }, {})
    const register = build(providers.PROVIDER_REGISTER, program, { authority, node, provider, systemProgram }, identity)
    // A provider in use is the rule: closed seldom, and often registered again.
    if (this.#random.rarely(6)) return this.#step(close, 'close provider')
    if (this.#model.entry(provider).body.provider === undefined) return this.#step(register, 'register')
    const makers = [
      () => this.#step(register, 'register'),
      () => this.#step(build(providers.PROVIDER_UPDATE, program, { authority, node, provider }, identity), 'update'),
      () =>
        this.#step(build(providers.PROVIDER_CHECKPOINT, program, { authority, provider }, checkpoint), 'checkpoint'),
      () =>
        this.#step(build(providers.OFFER_SET, program, { authority, provider, offer, systemProgram }, terms), 'offer'),
      () => this.#step(build(providers.OFFER_CLOSE, program, { authority, provider, offer }, {}), 'close offer'),
      () => this.#step(build(providers.OFFER_CLOSE, program, { authority, provider, offer }, {}), 'close offer'),
    ]
    return this.#random.one(makers)()
  }

  #stake(): Step {
    const name = this.#random.one(PROVIDERS)
    const owner = this.#key(name)
    const provider = this.#providerAt(name)
    const stake = this.#at('stake', provider.toBytes())
    const config = this.#at('config')
    const program = this.#world.program
    const amount = lamports(this.#amount())
    const deposit = { authority: owner, provider, stake, systemProgram: SystemProgram.programId }
    const { slasher = this.#key('slasher'), treasury = this.#key('treasury') } =
      this.#model.entry(config).body.config ?? {}
    const verdict = new Uint8Array(32).fill(this.#random.below(4))
    const makers = [
      () => this.#step(build(stakes.STAKE_DEPOSIT, program, deposit, { amount }), 'deposit'),
      () => this.#step(build(stakes.STAKE_UNBOND, program, { owner, stake }, { amount }), 'unbond'),
      () => this.#step(build(stakes.STAKE_WITHDRAW, program, { owner, stake }, {}), 'withdraw'),
      () =>
        this.#step(
          build(stakes.STAKE_SLASH, program, { slasher, config, stake, treasury }, { amount, verdict }),
          'slash',
        ),
    ]
    return this.#random.one(makers)()
  }

  #updateConfig(): Step {
    const feeBps = this.#random.one([0, 333, 999, 1000, 1001])
    const trainerBps = this.#random.one([0, 3000, 3333])
    const poolBps = this.#random.one([0, 2000, 6667])
    const treasuryBps = 10_000 - trainerBps - poolBps + (this.#random.rarely(8) ? 1 : 0)
    const treasury = this.#key(this.#random.one(['treasury', 'treasury', 'patPayout', 'bob']))
    const pool = this.#key(this.#random.one(['pool', 'treasury']))
    const people = { admin: this.#key('admin'), slasher: this.#key(this.#random.one(['slasher', 'pat'])) }
    const named = { admin: this.#key('admin'), config: this.#at('config'), treasury, pool }
    const args = { ...people, feeBps, trainerBps, poolBps, treasuryBps }
    return this.#step(build(configs.CONFIG_UPDATE, this.#world.program, named, args), 'config')
  }

  /** Lamports for an address that may not exist yet: nothing that the program creates may mind. */
  #gift(): Step {
    const to = this.#random.one(this.#keys)
    const amount = this.#random.one([1, 890_879, 890_880, 3_000_000])
    const gift = { fromPubkey: this.#key('mallory'), toPubkey: to, lamports: amount }
    const step = { title: 'gift', instructions: [SystemProgram.transfer(gift)], areSignaturesGood: true }
    return to.equals(SystemProgram.programId) || to.equals(SYSVAR_INSTRUCTIONS_PUBKEY) ? this.next() : step
  }

  /** The last instruction with one thing changed. */
  #tampered(step: Step): Step {
    const last = step.instructions.at(-1)
    if (!last || last.keys.length === 0 || step.title === 'gift') return step
    const keys = [...last.keys]
    const place = this.#random.below(keys.length)
    const other = this.#random.below(keys.length)
    const at = keys[place]
    if (!at) return step
    let { data } = last
    const makers = [
      () => (keys[place] = { ...at, isSigner: !at.isSigner }),
      () => (keys[place] = { ...at, isWritable: !at.isWritable }),
      () => (keys[place] = { ...at, pubkey: this.#random.one(this.#keys) }),
      () => (keys[place] = { ...at, pubkey: this.#random.one(this.#keys) }),
      () => (keys[place] = { ...at, pubkey: keys[other]?.pubkey ?? at.pubkey }),
      () => ([keys[place], keys[other]] = [keys[other] ?? at, at]),
      () => keys.pop(),
      () => keys.push({ ...at, pubkey: this.#random.one(this.#keys) }),
      () => (data = Buffer.from(data.subarray(0, -1))),
      () => (data = Buffer.concat([data, Buffer.of(0)])),
      () => (data = Buffer.from(data.with(this.#random.below(data.length), this.#random.below(256)))),
    ]
    this.#random.one(makers)()
    const changed = new TransactionInstruction({ programId: last.programId, keys, data })
    return { ...step, title: `${step.title}, tampered`, instructions: [...step.instructions.slice(0, -1), changed] }
  }
}

function word(value: bigint): Uint8Array {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, BigInt.asUintN(64, value), true)
  return out
}
