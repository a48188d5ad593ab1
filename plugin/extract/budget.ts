import type { DiagnosticCode } from '../../compiler/diagnostics/catalogue.ts'
import { createDiagnostic, type Diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { diagnosticAt, type Session } from './session.ts'

/**
 * Counts, never clocks, so that equal sources stop at equal places. Chosen so that whatever a file does, it is told within about a
 * second, and no real model comes near: a network of 500 operations spends some ten thousand steps.
 */
export const limits = {
  /** Syntax nodes evaluated, and elements handled by built-ins. */
  steps: 5_000_000,
  /** Calls of the model's own functions within each other. */
  calls: 1_000,
  /** Nested evaluations of any kind; keeps the stack of the host from running over. */
  nesting: 5_000,
  /** Syntax nested within one function. */
  syntax: 400,
  /** Elements of one array, map or set, and properties of one object. */
  elements: 1_000_000,
  /** Characters of one string. */
  characters: 16_000_000,
  /** Bits of one bigint. */
  bits: 65_536,
  /** Elements, properties and characters made altogether. */
  allocations: 32_000_000,
} as const

/** Stops the extraction; no code of the model catches it. */
export class Exhausted {
  readonly diagnostic: Diagnostic
  constructor(diagnostic: Diagnostic) {
    this.diagnostic = diagnostic
  }
}

interface Depth {
  readonly calls: number
  readonly nesting: number
}

export interface Budget {
  spend(steps: number): void
  /** Enters a call; `levels` is how deep inside the calling function it stands. */
  enter(levels: number): void
  /** How deep the calls are nested, to be restored when one ends in whatever way. */
  depth(): Depth
  restore(depth: Depth): void
  /** `count` new elements, in something that then holds `size`. */
  elements(count: number, size: number): void
  characters(length: number): void
  bits(count: number): void
}

export function createBudget(session: () => Session): Budget {
  let steps = 0
  let allocations = 0
  let calls = 0
  let nesting = 0

  function exhaust(code: DiagnosticCode, message: string): never {
    const { at } = session()
    throw new Exhausted(at ? diagnosticAt(session(), at, code, message) : createDiagnostic(code, message))
  }

  function allocate(count: number): void {
    allocations += count
    if (allocations > limits.allocations)
      exhaust('size-limit', `reading the model made more than ${limits.allocations} elements and characters`)
  }

  return {
    spend(count) {
      steps += count
      if (steps > limits.steps) exhaust('step-limit', `reading the model took more than ${limits.steps} steps`)
    },
    enter(levels) {
      calls++
      nesting += levels
      if (calls > limits.calls) exhaust('depth-limit', `calls are nested more than ${limits.calls} deep`)
      if (nesting > limits.nesting) exhaust('depth-limit', `calls and expressions are nested more than ${limits.nesting} deep`)
    },
    depth: () => ({ calls, nesting }),
    restore(depth) {
      calls = depth.calls
      nesting = depth.nesting
    },
    elements(count, size) {
      if (size > limits.elements) exhaust('size-limit', `an array or collection has more than ${limits.elements} elements`)
      steps += count
      allocate(count)
    },
    characters(length) {
      if (length > limits.characters) exhaust('size-limit', `a string has more than ${limits.characters} characters`)
      allocate(length >> 3)
    },
    bits(count) {
      if (count > limits.bits) exhaust('size-limit', `a bigint has more than ${limits.bits} bits`)
    },
  }
}
