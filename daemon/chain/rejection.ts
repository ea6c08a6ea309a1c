/** What the program calls the reason for which it refused a transaction (docs/program.md, Errors); null for all else. */
import { codeOf } from '../errors.js'

export function rejectionOf(error: unknown): string | null {
  if (codeOf(error) !== 'TX_REJECTED' || typeof error !== 'object' || error === null) return null
  const rejection = 'rejection' in error ? error.rejection : null
  if (typeof rejection !== 'object' || rejection === null || !('name' in rejection)) return null
  return typeof rejection.name === 'string' ? rejection.name : null
}
