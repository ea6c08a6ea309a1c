/**
 * The TypeScript type of a JSON Schema written `as const`: one schema is the type, the check and the documentation.
 *
 * Covers what the dialects use: `type` (one or several), `enum`, `properties` with `required`, `items`,
 * `additionalProperties` as a schema. A schema library would do the same and cost 200 ms of the daemon's start.
 */
export type Static<S> = S extends { readonly enum: readonly (infer E)[] }
  ? E
  : S extends { readonly type: readonly (infer T)[] }
    ? OfType<T, S>
    : S extends { readonly type: infer T }
      ? OfType<T, S>
      : unknown

type OfType<T, S> = T extends 'string'
  ? string
  : T extends 'number' | 'integer'
    ? number
    : T extends 'boolean'
      ? boolean
      : T extends 'null'
        ? null
        : T extends 'array'
          ? readonly (S extends { readonly items: infer I } ? Static<I> : unknown)[]
          : T extends 'object'
            ? ObjectOf<S>
            : never

type ObjectOf<S> = S extends { readonly properties: infer P }
  ? { readonly [K in keyof P as K extends RequiredKeys<S> ? K : never]: Static<P[K]> } & {
      readonly [K in keyof P as K extends RequiredKeys<S> ? never : K]?: Static<P[K]>
    }
  : S extends { readonly additionalProperties: infer V }
    ? Readonly<Record<string, Static<V>>>
    : Readonly<Record<string, unknown>>

type RequiredKeys<S> = S extends { readonly required: readonly (infer R)[] } ? R : never
