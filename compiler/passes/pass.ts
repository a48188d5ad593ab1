import type { Graph, Location } from '../graph/index.ts'
import type { Evaluate } from '../target.ts'

/** One rewrite that took place. */
export interface Application {
  /** The rule's name, or the pass's where it has no rules. */
  readonly rule: string
  /** What it does: `x + 0 → x`. */
  readonly note: string
  /** Where the rewritten node came from. */
  readonly locations: readonly Location[]
  /** The id of that node in the graph before the pass, where the pass says. */
  readonly node?: number
}

/** What a pass may ask of whoever runs it. */
export interface PassContext {
  readonly evaluate: Evaluate
  /** Lets `x · 0` and `0 / x` of floats become 0, which is wrong where x is infinite or NaN. */
  readonly assumeFinite: boolean
  /** To be called before each rewrite; false means that this rewrite must not take place. */
  readonly apply: (application: Application) => boolean
}

/** One rewriting of graphs. File, export and name agree: `fold-batch-norm` is `foldBatchNorm` in `foldBatchNorm.ts`. */
export interface Pass {
  readonly name: string
  readonly summary: string
  /** `composite`: matches or makes composite ops, so it runs before lowering only. `any`: before and after. */
  readonly level: 'composite' | 'any'
  /** Passes that must run before this one for it to do its work. */
  readonly follows?: readonly { readonly pass: string; readonly because: string }[]
  /** What it consists of, where it is a list of local rewrites: `rulePass` (`rule.ts`) makes such a pass. */
  readonly rules?: readonly { readonly name: string; readonly note: string }[]
  /** Returns the same object when there was nothing to do. */
  readonly run: (graph: Graph, context: PassContext) => Graph
}
