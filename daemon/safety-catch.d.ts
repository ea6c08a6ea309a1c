declare module 'safety-catch' {
  /** Swallows operational errors of a background promise and rethrows programming errors. Ambient for the whole project. */
  export default function safetyCatch(error: unknown): void
}
