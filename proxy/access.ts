/**
 * Who may call. Pure decisions over header values, so that a web page cannot spend the owner's money through the browser:
 *
 * - `Host` names this machine, or DNS rebinding turned a stranger's page into a same-origin caller;
 * - `Origin`, which a browser sends and a page cannot forge, is a page of this machine or a configured one;
 * - with a key set, `Authorization: Bearer` or `X-Api-Key` carries it, compared in constant time.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { ProxyError } from './errors.js'

export interface AccessRules {
  /** The bound address. Off loopback the Host may be any name; the key, then mandatory, does the guarding. */
  readonly host: string
  readonly key: string | null
  /** Further keys by the name under which their callers' spending is counted; only beside `key`. */
  readonly keys?: ReadonlyMap<string, string>
  /** Exact origins beside those of this machine; `*` is any. */
  readonly allowOrigins: readonly string[]
  /** Exact host names beside those of this machine, e.g. of a reverse proxy. */
  readonly allowHosts: readonly string[]
}

/** Headers as Node gives them, lower-case. */
export interface CallerHeaders {
  readonly host?: string | undefined
  readonly origin?: string | undefined
  readonly authorization?: string | undefined
  readonly 'x-api-key'?: string | readonly string[] | undefined
}

const MAX_KEY = 4096

export class Access {
  readonly #rules: AccessRules
  readonly #keyHash: Buffer | null
  readonly #named: readonly { readonly name: string; readonly keyHash: Buffer }[]
  readonly #checkHost: boolean

  constructor(rules: AccessRules) {
    this.#rules = rules
    this.#keyHash = rules.key === null ? null : hash(rules.key)
    this.#named = [...(rules.keys ?? [])].map(([name, key]) => ({ name, keyHash: hash(key) }))
    this.#checkHost = isLoopback(rules.host)
  }

  /** Throws `KEY_REQUIRED` when others could reach the API and nothing asks who they are. */
  assertBindable(): void {
    if (this.#rules.key === '') throw ProxyError.INVALID_VALUE('key', 'must not be empty')
    if (!isLoopback(this.#rules.host) && this.#rules.key === null) throw ProxyError.KEY_REQUIRED(this.#rules.host)
  }

  /** Null, or why this caller is sent away. */
  refuse(headers: CallerHeaders): ProxyError | null {
    if (!this.#hostFits(headers.host)) {
      return ProxyError.FORBIDDEN(
        'forbidden_host',
        'The Host header does not name this machine. Ask http://127.0.0.1 or http://localhost, or allow the name in the configuration.',
      )
    }
    if (headers.origin !== undefined && !this.originFits(headers.origin)) {
      return ProxyError.FORBIDDEN(
        'forbidden_origin',
        'Web pages of this origin may not use the local API. Allow the origin in the configuration if they should.',
      )
    }
    return null
  }

  /** True when no key is set, or the caller has it. */
  holdsKey(headers: CallerHeaders): boolean {
    if (this.#keyHash === null) return true
    const given = hashOfGiven(headers)
    return given !== null && (timingSafeEqual(given, this.#keyHash) || this.#nameOf(given) !== null)
  }

  /** The name of the key that the caller sent; null = the owner's own, or none. */
  callerName(headers: CallerHeaders): string | null {
    if (this.#named.length === 0) return null
    const given = hashOfGiven(headers)
    return given === null ? null : this.#nameOf(given)
  }

  originFits(origin: string): boolean {
    if (this.#rules.allowOrigins.includes('*') || this.#rules.allowOrigins.includes(origin)) return true
    return URL.canParse(origin) && isLocalName(new URL(origin).hostname)
  }

  /** Compares with every key, so that the time tells nothing about which one came near. */
  #nameOf(given: Buffer): string | null {
    return this.#named.filter(({ keyHash }) => timingSafeEqual(given, keyHash))[0]?.name ?? null
  }

  #hostFits(host: string | undefined): boolean {
    if (!this.#checkHost) return true
    if (host === undefined) return false
    const name = hostName(host)
    return name !== null && (isLocalName(name) || this.#rules.allowHosts.includes(name))
  }
}

/** 127.0.0.0/8, ::1 and the names that resolve to them alone. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare) || bare === '::ffff:127.0.0.1'
}

/** `host.docker.internal` is how a container names its host; no resolver lets a stranger claim it. */
function isLocalName(name: string): boolean {
  return isLoopback(name) || name.endsWith('.localhost') || name === 'host.docker.internal'
}

/** `host[:port]` or `[v6][:port]` → the name, lower-case; null when it is neither. */
function hostName(host: string): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host)
  return match?.[1]?.toLowerCase() ?? null
}

function hashOfGiven(headers: CallerHeaders): Buffer | null {
  const given = bearer(headers.authorization) ?? single(headers['x-api-key'])
  return given === null || given.length > MAX_KEY ? null : hash(given)
}

function bearer(authorization: string | undefined): string | null {
  const match = authorization === undefined ? null : /^bearer +(\S+) *$/i.exec(authorization)
  return match?.[1] ?? null
}

function single(value: string | readonly string[] | undefined): string | null {
  if (value === undefined) return null
  return typeof value === 'string' ? value : (value[0] ?? null)
}

/** Hashing first makes both sides equally long: the comparison then tells nothing, not even the length. */
function hash(text: string): Buffer {
  return createHash('sha256').update('swarmd api key\0').update(text).digest()
}
