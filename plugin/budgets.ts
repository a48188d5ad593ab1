// Imports nothing: it is part of builds that find everything in the cache.
/** Bytes that a compiled model may need at most; what is not stated is not limited. A build that needs more fails. */
export interface Budgets {
  /** Activations, scratch, inputs and outputs of any one entry, and the state of one session. */
  readonly memory?: number
  /** Weights and other constants, as they are packed for a target. */
  readonly weights?: number
  /** The code of a target at one level. */
  readonly code?: number
}

/** What is said where `recompute` has no budget to meet. */
export const recomputeNeeds = "option 'recompute' needs a budget to meet: state 'budgets.memory'"

export const budgetNames = ['memory', 'weights', 'code'] as const satisfies readonly (keyof Budgets)[]

/** Whether budgets that may come from untyped code can be used. */
export const areBudgets = (budgets: unknown): boolean =>
  typeof budgets === 'object' &&
  budgets !== null &&
  !Array.isArray(budgets) &&
  Object.entries(budgets).every(
    ([name, value]) =>
      (budgetNames as readonly string[]).includes(name) && (value === undefined || (Number.isSafeInteger(value) && value >= 0)),
  )
