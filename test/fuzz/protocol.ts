// What the process that decides and the process that tries tell each other.
import type { EncodedGraph } from './encoded.ts'

export type Request =
  /** Draws graphs from seeds and tries everything on them. */
  | {
      readonly kind: 'batch'
      readonly from: number
      readonly count: number
      readonly recipe: string | undefined
      readonly selection: Selection
    }
  /** Tries one check on given graphs. */
  | {
      readonly kind: 'try'
      readonly graphs: readonly EncodedGraph[]
      readonly seed: number
      readonly check: string
      readonly maximumApplications: number
      readonly broken: string | undefined
      /** Seconds that a check without C may take, in place of what is usual. */
      readonly seconds?: number
    }

/** What is tried. */
export interface Selection {
  /** Names of engines; undefined for all that there are. */
  readonly targets: readonly string[] | undefined
  /** Text that the name of a check contains. */
  readonly only: string | undefined
  /** A pass of `broken.ts` that runs besides the others. */
  readonly broken: string | undefined
}

export interface Failure {
  readonly seed: number
  readonly check: string
  readonly message: string
}

/** One graph under one check. */
export interface Trial {
  /** Undefined where the check holds. */
  readonly message: string | undefined
  readonly applications: readonly { readonly pass: string; readonly rule: string; readonly note: string }[]
}

export type Reply =
  /** What is to be tried now, and how many seconds that may take. */
  | { readonly kind: 'at'; readonly seed: number; readonly check: string; readonly seconds: number }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'tried'; readonly trials: readonly Trial[] }
  | { readonly kind: 'done'; readonly graphs: number; readonly nodes: number; readonly faults: number; readonly runs: number }
