import { type Graph, ModelProblem, parseGraph, printGraph } from '../graph/index.ts'
import { type PassList, parsePassList } from './passList.ts'

/** A step of the compiler that failed: our mistake, not the model's. */
export class CompileError extends Error {
  override readonly name = 'CompileError'
  /** `pass fold-constants`, `fuse`. */
  readonly step: string
  /** The graph before the step and what was still to do, as text: `readReproducer` takes it back. Weights are left out. */
  readonly reproducer: string
  constructor(step: string, cause: unknown, reproducer: string) {
    super(`${step} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.step = step
    this.reproducer = reproducer
  }
}

/** Weights that cannot be read fail whichever step asks for them first; that is the author's to mend, and no step's fault. */
export const failureOf = (step: string, error: unknown, reproducer: () => string): unknown =>
  error instanceof ModelProblem && error.code === 'weights-unreadable' ? error : new CompileError(step, error, reproducer())

/** `remaining` is a list of passes, or the name of a later stage. */
export const writeReproducer = (graph: Graph, phase: string, remaining: string): string =>
  `// glowplug reproducer\n// phase: ${phase}\n// remaining: ${remaining}\n${printGraph(graph, { locations: true })}`

/** The graph of a reproducer, with zeros for the weights that it leaves out, and the passes that were still to run. */
export function readReproducer(text: string): { readonly graph: Graph; readonly phase: string; readonly remaining: PassList } {
  const header = (name: string) => new RegExp(`^// ${name}: (.*)$`, 'm').exec(text)?.[1] ?? ''
  const phase = header('phase')
  return { graph: parseGraph(text), phase, remaining: phase === 'stages' ? [] : parsePassList(header('remaining')) }
}
