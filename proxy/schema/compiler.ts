/**
 * Compiles a route's schema at its first request: ajv and its compilations cost more than 100 ms, and the API must answer
 * within 300 ms of process start. `warm()` does the same ahead of time.
 */
import { createRequire } from 'node:module'
import type { ErrorObject, ValidateFunction } from 'ajv'
import { ProxyError } from '../errors.js'

type Checker = (body: unknown) => { error: ProxyError } | { value: unknown }

export class SchemaCompiler {
  readonly #validators: (() => ValidateFunction)[] = []
  #ajv: { compile(schema: object): ValidateFunction } | null = null

  /** A check that throws nothing: `{ value }`, or `{ error }` naming the parameter. */
  compile(schema: object): Checker {
    let validate: ValidateFunction | null = null
    const get = (): ValidateFunction => (validate ??= this.#load().compile(schema))
    this.#validators.push(get)
    return (body) => {
      const check = get()
      if (check(body)) return { value: body }
      return { error: explain(check.errors?.[0] ?? null) }
    }
  }

  warm(): void {
    for (const get of this.#validators) get()
  }

  #load(): { compile(schema: object): ValidateFunction } {
    if (this.#ajv === null) {
      const { Ajv } = createRequire(import.meta.url)('ajv') as typeof import('ajv')
      // No coercion and no removal: a string is not a number, and unknown fields stay for the refusals to see.
      this.#ajv = new Ajv({ strict: false, allErrors: false, addUsedSchema: false })
    }
    return this.#ajv
  }
}

function explain(error: ErrorObject | null): ProxyError {
  if (error === null) return ProxyError.INVALID_BODY('The body does not fit.')
  const path = parameter(error.instancePath)
  const params = error.params as Readonly<Record<string, unknown>>
  if (error.keyword === 'required') {
    const missing = String(params['missingProperty'])
    return ProxyError.MISSING_PARAMETER(path === '' ? missing : `${path}.${missing}`)
  }
  if (path === '') return ProxyError.INVALID_BODY(`The body ${error.message ?? 'does not fit'}.`)
  if (error.keyword === 'enum') {
    return ProxyError.INVALID_VALUE(path, `must be one of ${JSON.stringify(params['allowedValues'])}`)
  }
  if (error.keyword === 'type') {
    return ProxyError.INVALID_TYPE(path, `must be ${[params['type']].flat().join(' or ')}`)
  }
  return ProxyError.INVALID_VALUE(path, error.message ?? 'does not fit')
}

/** `/messages/0/content` → `messages[0].content`; JSON Pointer escapes undone. */
function parameter(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~').slice(0, 100))
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`), '')
}
