import type { Graph } from '../../compiler/graph/index.ts'
import type { Program } from '../../compiler/memory/index.ts'
import { compileGraph, type PipelineOptions } from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import type { Tensors } from './reference.ts'
import { openStepper, type SteppedInstance } from './stepper.ts'

/** A value that a kernel does not accept, such as an index beyond its table. */
export class RunRefused extends Error {
  override readonly name = 'RunRefused'
}

export interface Execution {
  readonly outputs: Tensors
  /** Milliseconds of each further run, where any was asked for. */
  readonly times: readonly number[]
}

/** Compiles a graph for a target and runs it, once and then `runs` times more with a watch. */
export async function runOnTarget(
  graph: Graph,
  inputs: Tensors,
  { target, runs = 0, ...manner }: Omit<PipelineOptions, 'evaluate'> & { readonly target: Target; readonly runs?: number },
): Promise<Execution> {
  const { program } = compileGraph(graph, { ...manner, target, evaluate })
  const stepper = await openStepper(program, target, { whole: true })
  try {
    const instance = stepper.instantiate()
    writeInputs(instance, program, inputs)
    const fault = instance.run()
    if (fault !== 0) throw new RunRefused(`the compiled model refuses a value of its inputs (check ${fault})`)
    const outputs = readOutputs(instance, program)
    const times = Array.from({ length: runs }, () => {
      const started = performance.now()
      instance.run()
      return performance.now() - started
    })
    return { outputs, times }
  } finally {
    await stepper.close()
  }
}

/** Puts inputs, by name, where the program reads them. */
export function writeInputs(instance: SteppedInstance, program: Program, inputs: Tensors): void {
  for (const id of program.inputs) instance.bytes(id).set(inputs[program.buffers.get(id)!.name]!)
}

/** Copies of the outputs by name. */
export const readOutputs = (instance: SteppedInstance, program: Program): Tensors =>
  Object.fromEntries(program.outputs.map((id) => [program.buffers.get(id)!.name, new Uint8Array(instance.bytes(id))]))
