// The network debugger: every kernel of a compiled program is run by itself and compared with what the interpreter makes of the nodes in
// it. Cumulative: on the memory that the calls before it left. Independent: on inputs that are right.
import { createHash } from 'node:crypto'
import { resultsOfStep } from '../../compiler/fuse/index.ts'
import { byteSize, dtypeFacts, type Graph, type Node, printLocation, printType } from '../../compiler/graph/index.ts'
import { lineOf } from '../../compiler/pipeline/history.ts'
import { type CompileResult, compileGraph, type PipelineOptions } from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { compareTensors, type Difference, largestError, type Tolerance } from './compare.ts'
import {
  createLayerReference,
  graphOfLayer,
  type KernelCallStep,
  type LayerReference,
  membersOf,
  storedValues,
} from './layers.ts'
import { createPause, type ReferenceResult, runReference, type Tensors } from './reference.ts'
import { writeInputs } from './runTarget.ts'
import { matchCalls, openStepper, type RunningInstruction, type SteppedInstance, type Stepper } from './stepper.ts'

type Call = Extract<RunningInstruction, { readonly kind: 'call' }>

export type DebugMode = 'cumulative' | 'independent' | 'both'

export interface DebugOptions extends Omit<PipelineOptions, 'evaluate'> {
  readonly target: Target
  readonly inputs: Tensors
  /** Default: `both`. */
  readonly mode?: DebugMode
  /** What counts as equal; default: what rounding explains. */
  readonly tolerance?: Tolerance
  /** The graph as it was written, already run; otherwise it is run now. */
  readonly expected?: ReferenceResult
  /** Goes on after the first layer that is wrong. Default: false. */
  readonly all?: boolean
  readonly update?: (what: string) => void
}

/** How one result of a layer compares. */
export interface LayerComparison {
  /** Largest |found − expected|. */
  readonly error: number
  /** Present where it is more than is allowed. */
  readonly difference?: Difference
}

export interface LayerReport {
  /** Counts from 1 in the order of execution. */
  readonly layer: number
  readonly kernel: string
  readonly types: readonly string[]
  readonly locations: readonly string[]
  /** The worst of its results; absent where it was not compared in that way. */
  readonly cumulative?: LayerComparison
  readonly independent?: LayerComparison
  /** The call found a value that it does not accept. */
  readonly refused?: boolean
  /** An input that was right when it was made and was written over before this layer read it. */
  readonly overwritten?: { readonly maker: string; readonly by: string }
}

/**
 * What is wrong first: the passes (the graph that reached the target computes something else), a kernel, the memory it lies in (a value
 * was written over while it was needed), or nothing but rounding that adds up beyond the tolerance.
 */
export type Verdict = 'equal' | 'passes' | 'kernel' | 'memory' | 'accumulated'

export interface DebugReport {
  readonly target: string
  readonly level: string
  readonly verdict: Verdict
  readonly layers: number
  /** Those that were looked at, in order. */
  readonly reports: readonly LayerReport[]
  /** The first that is wrong, and the nodes of the graph that it computes, as the target gets it. */
  readonly first?: LayerReport & { readonly nodes: readonly string[] }
  /** Outputs of the graph that reached the target which differ from those of the graph as it was written, by the interpreter. */
  readonly passes: Readonly<Record<string, Difference>>
  /** Outputs of the target which differ from those of the graph as it was written; only where all layers were run. */
  readonly outputs: Readonly<Record<string, Difference>>
  /** The first wrong layer as a graph of its own, with the inputs that it should have had. */
  readonly layer?: { readonly graph: Graph; readonly inputs: Tensors }
}

/** Compares a compiled graph with the interpreter, layer by layer. Throws EvaluationFault where the model refuses the inputs. */
export async function debugGraph(graph: Graph, options: DebugOptions): Promise<DebugReport> {
  const { target, inputs, mode = 'both', tolerance, all = false, update, expected: given, ...manner } = options
  update?.('compiling')
  const compiled = compileGraph(graph, { ...manner, target, evaluate })
  const movedRuns = tolerance ? 0 : 2
  const expected =
    given ??
    (await runReference(graph, inputs, {
      movedRuns,
      update: (share) => update?.(`running the interpreter, ${Math.floor(share * 100)} %`),
    }))
  update?.(`compiling ${compiled.program.kernels.size} kernels for ${target.name}`)
  const stepper = await openStepper(compiled.program, target)
  try {
    const session = createSession(compiled, stepper, inputs, createLayerReference(compiled.kernels, inputs, movedRuns), {
      mode,
      tolerance,
    })
    const pause = createPause()
    const reports: LayerReport[] = []
    let firstStep: KernelCallStep | undefined
    for (const [at, instruction] of stepper.instructions.entries()) {
      const report = session.run(at, instruction)
      if (!report) continue
      reports.push(report.report)
      update?.(`layer ${reports.length} of ${session.layers}: ${report.report.kernel}`)
      if (isWrong(report.report) && !firstStep) {
        firstStep = report.step
        if (!all) break
      }
      if (report.report.refused) break
      await pause()
    }
    const complete = reports.length === session.layers
    const worst = reports.find(isWrong)
    const lowered = complete || !worst ? session.reference : undefined
    const compareAll = (valueOf: (node: Node, name: string) => Uint8Array | undefined) =>
      Object.fromEntries(
        compiled.kernels.outputs.flatMap(({ name, value }) => {
          const found = valueOf(value, name)
          const moved = expected.moved.map((run) => run[name]!)
          const difference = found && compareTensors(value.type, found, expected.outputs[name]!, moved, tolerance)
          return difference ? [[name, difference] as const] : []
        }),
      )
    const passes = lowered ? compareAll((node) => lowered.values(node)[0]) : await comparePasses(compiled, inputs, compareAll)
    const outputs = complete && mode !== 'independent' ? compareAll((_, name) => session.output(name)) : {}
    const verdict = verdictOf(worst, passes, outputs)
    return {
      target: target.name,
      level: target.level,
      verdict,
      layers: session.layers,
      reports,
      passes,
      outputs,
      ...(worst && firstStep && { first: { ...worst, nodes: session.nodesOf(firstStep) }, layer: session.archive(firstStep) }),
    }
  } finally {
    await stepper.close()
  }
}

const isWrong = ({ cumulative, independent, overwritten, refused }: LayerReport): boolean =>
  [cumulative, independent].some((comparison) => comparison?.difference) || overwritten !== undefined || refused === true

function verdictOf(first: LayerReport | undefined, passes: object, outputs: object): Verdict {
  if (first?.overwritten) return 'memory'
  if (first?.independent?.difference || first?.refused) return 'kernel'
  if (Object.keys(passes).length > 0) return 'passes'
  // Without its own comparison a layer that is off is to blame itself: those before it were not.
  if (first) return first.independent ? 'accumulated' : 'kernel'
  return Object.keys(outputs).length > 0 ? 'accumulated' : 'equal'
}

/** Where the run stopped early: the graph that reached the target, by the interpreter alone. */
async function comparePasses(
  { layout }: CompileResult,
  inputs: Tensors,
  compareAll: (valueOf: (node: Node, name: string) => Uint8Array | undefined) => Record<string, Difference>,
): Promise<Record<string, Difference>> {
  const { outputs } = await runReference(layout, inputs, { movedRuns: 0 })
  return compareAll((_, name) => outputs[name])
}

interface Session {
  readonly layers: number
  readonly reference: LayerReference
  /** Runs an instruction; calls are compared. */
  run(at: number, instruction: RunningInstruction): { readonly report: LayerReport; readonly step: KernelCallStep } | undefined
  output(name: string): Uint8Array
  nodesOf(step: KernelCallStep): string[]
  archive(step: KernelCallStep): { readonly graph: Graph; readonly inputs: Tensors }
}

const digest = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')

function createSession(
  { kernels, layout }: CompileResult,
  stepper: Stepper,
  inputs: Tensors,
  reference: LayerReference,
  { mode, tolerance }: { readonly mode: DebugMode; readonly tolerance: Tolerance | undefined },
): Session {
  const { program } = stepper
  const steps = matchCalls(stepper, kernels.steps)
  const chain = mode === 'independent' ? undefined : stepper.instantiate()
  const alone = mode === 'cumulative' ? undefined : stepper.instantiate()
  for (const instance of [chain, alone]) if (instance) writeInputs(instance, program, inputs)
  const stored = storedValues(kernels)
  /** What each value was when it was made, and where that is told. */
  const made = new Map<Node, { readonly digest: string; readonly at: number; readonly name: string }>()
  /** What a view that is all of a value is a view of. */
  const origins = new Map(kernels.steps.flatMap((step) => (step.kind === 'view' ? [[step.result, step.of] as const] : [])))
  let layer = 0
  let wrong = false

  const read = (instance: SteppedInstance, call: Call, index: number, node: Node): Uint8Array | undefined =>
    readValue(instance, call, index, node)
  const resultIndex = (call: Call, r: number) => call.kernel.inputs.length + r

  function makerOf(node: Node): { readonly digest: string; readonly at: number; readonly name: string } | undefined {
    const source = origins.get(node)
    return made.get(node) ?? (source && byteSize(source.type) === byteSize(node.type) ? makerOf(source) : undefined)
  }

  /** An input that is not what it was when it was made, or not what was made of right parts. */
  function findOverwritten(instance: SteppedInstance, call: Call, step: KernelCallStep, at: number): LayerReport['overwritten'] {
    for (const [i, node] of step.inputs.entries()) {
      const bytes = read(instance, call, i, node)
      const origin = makerOf(node)
      if (!bytes) continue
      if (origin) {
        if (digest(bytes) !== origin.digest) return { maker: origin.name, by: findWriter(stepper, inputs, call, i, origin, at) }
      } else if (!wrong) {
        const [expected, ...moved] = reference.values(node)
        if (compareTensors(node.type, bytes, expected!, moved, tolerance)) return { maker: node.op, by: 'the copies into it' }
      }
    }
    return undefined
  }

  function compareResults(
    instance: SteppedInstance,
    call: Call,
    step: KernelCallStep,
    moved: (node: Node) => readonly Uint8Array[],
  ): LayerComparison | undefined {
    const all = resultsOfStep(step).flatMap((node, r): LayerComparison[] => {
      const found = read(instance, call, resultIndex(call, r), node)
      if (!found) return []
      const expected = reference.values(node)[0]!
      const difference = compareTensors(node.type, found, expected, moved(node), tolerance)
      return [{ error: largestError(node.type, found, expected), ...(difference && { difference }) }]
    })
    return all.find(({ difference }) => difference) ?? all.sort((a, b) => b.error - a.error)[0]
  }

  function compareAlone(at: number, call: Call, step: KernelCallStep): LayerComparison | 'refused' | undefined {
    for (const [i, node] of step.inputs.entries()) {
      if (node.data) continue
      const place = alone!.bytes(call.operands[i]!.buffer)
      const value = reference.values(node)[0]!
      if (place.length !== value.length) return undefined
      place.set(value)
    }
    if (alone!.step(at) !== 0) return 'refused'
    const moved = tolerance ? undefined : reference.movedAlone(step)
    return compareResults(alone!, call, step, (node) => moved?.get(node) ?? [])
  }

  return {
    layers: steps.size,
    reference,
    run(at, instruction) {
      const step = steps.get(at)
      if (instruction.kind === 'copy' || !step) {
        chain?.step(at)
        return undefined
      }
      layer++
      const overwritten = chain && findOverwritten(chain, instruction, step, at)
      const independent = alone && compareAlone(at, instruction, step)
      const refused = (chain && chain.step(at) !== 0) || independent === 'refused'
      const cumulative =
        chain && !refused ? compareResults(chain, instruction, step, (node) => reference.values(node).slice(1)) : undefined
      if (chain)
        for (const [r, node] of resultsOfStep(step).entries()) {
          const bytes = read(chain, instruction, resultIndex(instruction, r), node)
          if (bytes) made.set(node, { digest: digest(bytes), at, name: step.name })
        }
      // Reading a reference value may compute it; what is looked at afterwards needs the results.
      for (const node of resultsOfStep(step)) reference.values(node)
      const report: LayerReport = {
        layer,
        kernel: step.name,
        types: resultsOfStep(step).map(({ type }) => printType(type)),
        locations: step.locations.flatMap((location) => (location.kind === 'source' ? [printLocation(location)] : [])),
        ...(cumulative && { cumulative }),
        ...(independent && independent !== 'refused' && { independent }),
        ...(refused && { refused }),
        ...(overwritten && { overwritten }),
      }
      if (isWrong(report)) wrong = true
      else reference.finish(step)
      return { report, step }
    },
    output(name) {
      const id = program.outputs.find((output) => program.buffers.get(output)!.name === name)!
      return new Uint8Array(chain!.bytes(id))
    },
    nodesOf: (step) => membersOf(resultsOfStep(step), stored).inside.map((node) => lineOf(layout, node)),
    archive(step) {
      const { graph, inputs: leaves } = graphOfLayer(step.name, step, kernels)
      return { graph, inputs: Object.fromEntries([...leaves].map(([name, node]) => [name, reference.values(node)[0]!])) }
    },
  }
}

/** The bytes of an operand as those of a node's value; undefined where they lie in another form. */
function readValue(instance: SteppedInstance, { kernel, operands }: Call, index: number, node: Node): Uint8Array | undefined {
  if (node.data) return undefined
  const bytes = instance.bytes(operands[index]!.buffer)
  const size = byteSize(node.type)
  const rows = kernel.results[index - kernel.inputs.length]?.rows
  if (!rows) return bytes.length === size ? new Uint8Array(bytes) : undefined
  const width = dtypeFacts[node.type.dtype].bytes
  const dense = new Uint8Array(size)
  const [length, stride] = [rows.length * width, rows.stride * width]
  for (let row = 0; row * length < size; row++) {
    if (row * stride + length > bytes.length) return undefined
    dense.set(bytes.subarray(row * stride, row * stride + length), row * length)
  }
  return dense
}

/** Runs the program again up to where a value is read, and says which instruction changed it after it was made. */
function findWriter(
  stepper: Stepper,
  inputs: Tensors,
  reader: Call,
  index: number,
  origin: { readonly digest: string; readonly at: number },
  until: number,
): string {
  const instance = stepper.instantiate()
  writeInputs(instance, stepper.program, inputs)
  for (const [at, instruction] of stepper.instructions.entries()) {
    if (at >= until) break
    instance.step(at)
    if (at <= origin.at || digest(instance.bytes(reader.operands[index]!.buffer)) === origin.digest) continue
    return instruction.kind === 'call' ? `kernel ${instruction.name}` : `a copy (instruction ${at + 1})`
  }
  return 'a run of its own'
}
