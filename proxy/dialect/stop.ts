/** Stop strings of a body: one, a list, or none. Counts and lengths are checked by the schema (`schema/fields.ts`). */
export function stopList(stop: string | readonly string[] | null): readonly string[] {
  if (stop === null) return []
  return typeof stop === 'string' ? [stop] : [...new Set(stop)]
}
