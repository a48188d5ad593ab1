// Where the time goes: each kernel of a compiled program is timed in its place, on the data that the calls before it made.
import { workOf } from '../../compiler/cost/index.ts'
import { resultsOfStep } from '../../compiler/fuse/index.ts'
import { byteSize, dtypeFacts, elementCount, type Graph, hasTrait, type Node, printLocation } from '../../compiler/graph/index.ts'
import { compileGraph, type PipelineOptions } from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { type KernelCallStep, type Members, membersOf, storedValues } from './layers.ts'
import { createPause, type Tensors, valueOf } from './reference.ts'
import { writeInputs } from './runTarget.ts'
import { matchCalls, openStepper } from './stepper.ts'

/** One kernel call, copy or node. */
export interface Measured {
  /** What it is counted as: the op of a kernel that is not elementwise, `elementwise`, `movement`, or `copy`. */
  readonly kind: string
  /** Name of the kernel, or of the op of a node. */
  readonly name: string
  readonly locations: readonly string[]
  /** Absent where it takes less than `resolution`. */
  readonly milliseconds?: number
  /** Milliseconds that can be told from none. */
  readonly resolution: number
  readonly operations: number
  /** Read and written. */
  readonly bytes: number
}

/** All of one kind. */
export interface KindStatistics {
  readonly kind: string
  readonly count: number
  /** Of those that take longer than the resolution; absent where none does. */
  readonly milliseconds?: number
  /** How many take less than the resolution. */
  readonly belowResolution: number
  /** The largest resolution of them all, in milliseconds. */
  readonly resolution: number
  /** Of the time of all kinds, from 0 to 1. */
  readonly share: number
  readonly operations: number
  readonly bytes: number
  /** Of those whose time is known. */
  readonly operationsPerSecond?: number
  readonly bytesPerSecond?: number
}

export interface Statistics {
  readonly runs: number
  /** Median milliseconds of a run of the whole program; absent where nodes were timed. */
  readonly whole?: number
  readonly kinds: readonly KindStatistics[]
  readonly parts: readonly Measured[]
}

export interface StatisticsOptions extends Omit<PipelineOptions, 'evaluate'> {
  readonly target: Target
  readonly inputs: Tensors
  /** How often everything is run; medians count. Default 20. */
  readonly runs?: number
  readonly update?: (what: string) => void
}

/** Milliseconds for which a call is repeated, so that it is well above what the watch can tell. */
const batchMilliseconds = 0.1
const maximumRepeats = 1024

/** The smallest step of the watch, in milliseconds. */
function tickOf(): number {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 50; i++) {
    const started = performance.now()
    let now = started
    while (now === started) now = performance.now()
    least = Math.min(least, now - started)
  }
  return least
}

/** The time where it can be told from none. */
const known = (milliseconds: number, resolution: number): Pick<Measured, 'milliseconds' | 'resolution'> =>
  milliseconds >= resolution && milliseconds > 0 ? { milliseconds, resolution } : { resolution }

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

/** TO-12. Times every kernel of a program. */
export async function measureKernels(graph: Graph, options: StatisticsOptions): Promise<Statistics> {
  const { target, inputs, runs = 20, update, ...manner } = options
  update?.('compiling')
  const { program, kernels } = compileGraph(graph, { ...manner, target, evaluate })
  update?.(`compiling ${program.kernels.size} kernels for ${target.name}`)
  const stepper = await openStepper(program, target)
  try {
    const instance = stepper.instantiate()
    const steps = matchCalls(stepper, kernels.steps)
    const stored = storedValues(kernels)
    const times = stepper.instructions.map((): number[] => [])
    const idle: number[] = []
    const wholes: number[] = []
    const pause = createPause()
    const timeOf = (run: () => unknown, repeats: number): number => {
      const started = performance.now()
      for (let i = 0; i < repeats; i++) run()
      return performance.now() - started
    }
    const calibrate = (run: () => unknown): number => {
      let repeats = 1
      while (repeats < maximumRepeats && timeOf(run, repeats) < batchMilliseconds) repeats *= 2
      return repeats
    }
    /** Runs a call that writes over its own inputs once alone: again it would work on other data. */
    const repeatsOf = (at: number): number => {
      const instruction = stepper.instructions[at]!
      if (instruction.kind === 'copy') return calibrate(() => instance.step(at))
      const places = steps.get(at)?.inputs.flatMap(({ data }, i) => (data ? [] : [instruction.operands[i]!.buffer]))
      const before = places?.map((buffer) => Buffer.from(instance.bytes(buffer)))
      const refused = instance.step(at) !== 0
      if (refused || !before || before.some((bytes, i) => !bytes.equals(instance.bytes(places![i]!)))) return 1
      return calibrate(() => instance.step(at))
    }
    // The first round warms up and does not count.
    update?.(`run 1 of ${runs + 1}`)
    writeInputs(instance, program, inputs)
    const idleRepeats = calibrate(() => instance.idle())
    const repeats = times.map((_, at) => repeatsOf(at))
    instance.run()
    for (let round = 1; round <= runs; round++) {
      update?.(`run ${round + 1} of ${runs + 1}`)
      writeInputs(instance, program, inputs)
      idle.push(timeOf(() => instance.idle(), idleRepeats) / idleRepeats)
      for (const [at, list] of times.entries()) list.push(timeOf(() => instance.step(at), repeats[at]!) / repeats[at]!)
      wholes.push(timeOf(() => instance.run(), 1))
      await pause()
    }
    const overhead = median(idle)
    const tick = tickOf()
    const parts = stepper.instructions.map((instruction, at): Measured => {
      // A call costs more or less from time to time, by about a quarter of it; what is run once, also two looks at the watch.
      const resolution = overhead / 4 + (2 * tick) / repeats[at]! + (repeats[at] === 1 ? overhead : 0)
      const timing = known(median(times[at]!) - overhead, resolution)
      if (instruction.kind === 'copy') {
        const bytes = 2 * instruction.rows * instruction.rowBytes
        return { kind: 'copy', name: 'copy', locations: [], ...timing, operations: 0, bytes }
      }
      const step = steps.get(at)
      if (!step)
        return {
          kind: instruction.kernel.anchor?.op ?? 'elementwise',
          name: instruction.name,
          locations: [],
          ...timing,
          operations: 0,
          bytes: 0,
        }
      const members = membersOf(resultsOfStep(step), stored)
      return {
        kind: kindOf(step, members),
        name: step.name,
        locations: placesOf(step),
        ...timing,
        ...workOfMembers(step, members),
      }
    })
    return { runs, whole: median(wholes), kinds: summarise(parts), parts }
  } finally {
    await stepper.close()
  }
}

/** Times every node of a graph on the interpreter, for a view of a model before kernels are made of it. */
export async function measureNodes(
  graph: Graph,
  { inputs, runs = 1, update }: Pick<StatisticsOptions, 'inputs' | 'runs' | 'update'>,
): Promise<Statistics> {
  const pause = createPause()
  const times = new Map<Node, number[]>()
  for (let round = 0; round < runs; round++) {
    const values = new Map<Node, Uint8Array>()
    for (const [at, node] of graph.nodes.entries()) {
      update?.(`run ${round + 1} of ${runs}, node ${at + 1} of ${graph.nodes.length}`)
      const operands = node.operands.map((operand) => values.get(operand)!)
      const started = performance.now()
      values.set(node, valueOf(node, inputs) ?? evaluate(node, operands))
      times.set(node, [...(times.get(node) ?? []), performance.now() - started])
      await pause()
    }
  }
  const tick = tickOf()
  const parts = graph.nodes.flatMap((node): Measured[] => {
    if (hasTrait(node, 'storage')) return []
    const { operations, bytesRead, bytesWritten } = workOf(node)
    const locations = (graph.locations.get(node) ?? []).flatMap((each) => (each.kind === 'source' ? [printLocation(each)] : []))
    const timing = known(median(times.get(node)!), 2 * tick)
    return [{ kind: node.op, name: node.op, locations, ...timing, operations, bytes: bytesRead + bytesWritten }]
  })
  return { runs, kinds: summarise(parts), parts }
}

/** The sums of each kind, the one that takes longest first. */
function summarise(parts: readonly Measured[]): KindStatistics[] {
  const total = parts.reduce((sum, { milliseconds = 0 }) => sum + milliseconds, 0)
  const kinds = new Map<string, Measured[]>()
  for (const part of parts) kinds.set(part.kind, [...(kinds.get(part.kind) ?? []), part])
  const sum = (list: readonly Measured[], key: 'milliseconds' | 'operations' | 'bytes') =>
    list.reduce((all, part) => all + (part[key] ?? 0), 0)
  return [...kinds]
    .map(([kind, list]): KindStatistics => {
      const timed = list.filter((part) => part.milliseconds !== undefined)
      const milliseconds = sum(timed, 'milliseconds')
      return {
        kind,
        count: list.length,
        ...(timed.length > 0 && { milliseconds }),
        belowResolution: list.length - timed.length,
        resolution: list.reduce((most, { resolution }) => Math.max(most, resolution), 0),
        share: total > 0 ? milliseconds / total : 0,
        operations: sum(list, 'operations'),
        bytes: sum(list, 'bytes'),
        ...(timed.length > 0 && {
          operationsPerSecond: (1000 * sum(timed, 'operations')) / milliseconds,
          bytesPerSecond: (1000 * sum(timed, 'bytes')) / milliseconds,
        }),
      }
    })
    .sort((a, b) => (b.milliseconds ?? 0) - (a.milliseconds ?? 0) || (a.kind < b.kind ? -1 : 1))
}

const placesOf = ({ locations }: KernelCallStep): string[] =>
  locations.flatMap((location) => (location.kind === 'source' ? [printLocation(location)] : []))

function kindOf({ kernel }: KernelCallStep, { inside }: Members): string {
  if (kernel.anchor) return kernel.anchor.op
  return inside.some((node) => hasTrait(node, 'elementwise')) ? 'elementwise' : 'movement'
}

/** Operations of all nodes inside; bytes of what is read from outside and of what is stored. */
function workOfMembers(step: KernelCallStep, { inside, leaves }: Members): Pick<Measured, 'operations' | 'bytes'> {
  const operations = inside.reduce((sum, node) => sum + workOf(node).operations, 0)
  const readOf = (leaf: Node): number =>
    inside.reduce((most, node) => {
      if (!node.operands.includes(leaf)) return most
      const picks = hasTrait(node, 'movement') || hasTrait(node, 'checked')
      const whole = byteSize(leaf.type)
      const part = elementCount(node.type.shape) * dtypeFacts[leaf.type.dtype].bytes
      return Math.max(most, picks ? Math.min(whole, part) : whole)
    }, 0)
  const written = resultsOfStep(step).reduce((sum, node) => sum + byteSize(node.type), 0)
  return { operations, bytes: leaves.reduce((sum, leaf) => sum + readOf(leaf), written) }
}
