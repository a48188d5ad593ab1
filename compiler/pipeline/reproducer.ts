import { type ConstantData, type Graph, ModelProblem, parseGraph, printGraph } from '../graph/index.ts'
import { type PassList, parsePassList } from './passList.ts'

/** Where a compilation stands: a graph, and what is still to do with it. */
export interface Standing {
  readonly graph: Graph
  /** Name of the list of passes that was under way, or `stages` behind the passes. */
  readonly phase: string
  /** A list of passes, or the name of a later stage. */
  readonly remaining: string
}

/** A step of the compiler that failed: our mistake, not the model's. */
export class CompileError extends Error {
  override readonly name = 'CompileError'
  /** `pass fold-constants`, `fuse`. */
  readonly step: string
  /** The graph before the step and what was still to do. */
  readonly standing: Standing
  constructor(step: string, cause: unknown, standing: Standing) {
    super(`${step} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.step = step
    this.standing = standing
  }
  /** The same as text: `readReproducer` takes it back. Weights are left out. */
  get reproducer(): string {
    return writeReproducer(this.standing)
  }
}

/** Weights that cannot be read fail whichever step asks for them first; that is the author's to mend, and no step's fault. */
export const failureOf = (step: string, error: unknown, standing: () => Standing): unknown =>
  error instanceof ModelProblem && error.code === 'weights-unreadable' ? error : new CompileError(step, error, standing())

/** The text form of a compilation that stands somewhere, weights left out. */
export const writeReproducer = ({ graph, phase, remaining }: Standing): string =>
  `// glowplug reproducer\n// phase: ${phase}\n// remaining: ${remaining}\n${printGraph(graph, { locations: true })}`

/**
 * The graph of a reproducer and the passes that were still to run. `constants` gives payloads by label, as `constantsOf` does; without one
 * a constant that is not written out is zeros. Throws GraphTextError and PassListError.
 */
export function readReproducer(
  text: string,
  constants?: ReadonlyMap<string, ConstantData>,
): { readonly graph: Graph; readonly phase: string; readonly remaining: PassList } {
  const header = (name: string) => new RegExp(`^// ${name}: (.*)$`, 'm').exec(text)?.[1] ?? ''
  const phase = header('phase')
  return {
    graph: parseGraph(text, constants),
    phase,
    remaining: phase === 'stages' ? [] : parsePassList(header('remaining')),
  }
}
