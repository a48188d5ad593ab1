// Graphs some of whose inputs and outputs a session carries, and ways to run them step by step.
import {
  byteSize,
  callersEnds,
  copyNode,
  createBuilder,
  type Graph,
  hasTrait,
  inputName,
  type ModelGraph,
  type ModelState,
  type Node,
  type Output,
  sameType,
} from '../../compiler/graph/index.ts'
import { layOutStates, type Program, shareConstants } from '../../compiler/memory/index.ts'
import { runProgram } from '../../targets/interpreter/index.ts'
import { mulberry, type RandomGraphOptions, randomGraph, randomInputs } from './randomGraph.ts'

type Bytes = Readonly<Record<string, Uint8Array>>

/** A graph some of whose inputs are carried, and what they become. */
export interface StatefulGraph {
  readonly graph: Graph
  readonly states: readonly ModelState[]
}

/**
 * Carries random inputs of a graph: each becomes a random value of its type, an input or another state among them, or stays; and some values
 * become states that nothing reads.
 */
export function withStates(graph: Graph, seed: number): StatefulGraph {
  const random = mulberry(seed)
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]
  const made = graph.nodes.filter((node) => !hasTrait(node, 'storage'))
  const states: ModelState[] = []
  const outputs = [...graph.outputs]
  const carry = (type: Node['type'], input: string, value: Node | undefined) => {
    const output = `next${states.length}`
    states.push({ name: `state${states.length}`, input, output, type })
    if (value) outputs.push({ name: output, value })
  }
  for (const node of graph.inputs) {
    if (random() < 0.3) continue
    const alike = (list: readonly Node[]) => list.filter(({ type }) => sameType(type, node.type))
    carry(
      node.type,
      inputName(node),
      random() < 0.1 ? undefined : (pick(alike(random() < 0.8 ? made : [])) ?? pick(alike(graph.nodes))),
    )
  }
  const unread = random() < 0.3 ? pick(made) : undefined
  if (unread) carry(unread.type, 'no input', unread)
  return { graph: { ...graph, outputs }, states }
}

/** Inputs of a run, of callers and states alike. */
export const inputsOfRun = ({ graph }: StatefulGraph, seed: number, run: number): Bytes => randomInputs(graph, seed + run)

/** What a session begins with. */
export function firstStates(stateful: StatefulGraph, seed: number): Bytes {
  const given = inputsOfRun(stateful, seed, 0)
  return Object.fromEntries(
    stateful.states.map(({ name, input, type }) => [name, given[input] ?? new Uint8Array(byteSize(type))]),
  )
}

/** What was seen of runs one after another: of each its outputs, or nothing where it failed, after which there is no other; then the states. */
export type Seen = readonly string[]

const seen = (values: Bytes, names: readonly string[]): string =>
  names.map((name) => `${name} ${Buffer.from(values[name]!).toString('hex')}`).join(', ')

/** Runs a graph as one without memory, its states going from outputs to inputs by hand. `compute` is undefined for a run that fails. */
export function runCarrying(
  stateful: StatefulGraph,
  seed: number,
  runs: number,
  compute: (inputs: Bytes) => Bytes | undefined,
): Seen {
  const { graph, states } = stateful
  const visible = callersEnds(graph, states).outputs.map(({ name }) => name)
  let held = firstStates(stateful, seed)
  const log: string[] = []
  for (let run = 0; run < runs; run++) {
    const carried = Object.fromEntries(states.map(({ name, input }) => [input, held[name]!]))
    const outputs = compute({ ...inputsOfRun(stateful, seed, run), ...carried })
    if (!outputs) return [...log, 'fails']
    log.push(seen(outputs, visible))
    held = Object.fromEntries(states.map(({ name, output }) => [name, outputs[output] ?? held[name]!]))
  }
  return [
    ...log,
    seen(
      held,
      states.map(({ name }) => name),
    ),
  ]
}

/** A session of compiled code: a run gives the outputs that callers see, undefined where it fails. */
export interface Carried {
  run(inputs: Bytes): Bytes | undefined
  read(state: string): Uint8Array
}

export function runSession(stateful: StatefulGraph, seed: number, runs: number, session: Carried): Seen {
  const { graph, states } = stateful
  const visible = callersEnds(graph, states).outputs.map(({ name }) => name)
  const log: string[] = []
  for (let run = 0; run < runs; run++) {
    const outputs = session.run(inputsOfRun(stateful, seed, run))
    if (!outputs) return [...log, 'fails']
    log.push(seen(outputs, visible))
  }
  const held = Object.fromEntries(states.map(({ name }) => [name, session.read(name)]))
  return [
    ...log,
    seen(
      held,
      states.map(({ name }) => name),
    ),
  ]
}

/** A program on memory of its own, in which only constants, inputs and states hold anything but rubbish. */
export function sessionOnMemory(given: Program, states: readonly ModelState[], first: Bytes): Carried {
  const { programs, bytes: weights } = shareConstants([given])
  const program = programs[0]!
  const { regions, offsets, buffers } = program
  const bases = [
    0,
    regions.constants,
    regions.constants + regions.mutable,
    regions.constants + regions.mutable + regions.activations,
  ]
  const [constants, mutable, activations, state] = bases as [number, number, number, number]
  const memory = new Uint8Array(state + (regions.state ?? 0)).fill(0xa5)
  memory.set(weights, constants)
  const layout = layOutStates(states)
  for (const { name } of states) memory.set(first[name]!, state + layout.offsets.get(name)!)
  return {
    run(inputs) {
      memory.fill(0xa5, activations, state)
      for (const id of program.inputs) memory.set(inputs[buffers.get(id)!.name]!, mutable + offsets.get(id)!)
      if (runProgram(program, memory, constants, mutable, activations, undefined, state) > 0) return undefined
      return Object.fromEntries(
        program.outputs.map((id) => {
          const { name, bytes } = buffers.get(id)!
          return [name, memory.slice(mutable + offsets.get(id)!, mutable + offsets.get(id)! + bytes)]
        }),
      )
    },
    read(name) {
      const from = state + layout.offsets.get(name)!
      return memory.slice(from, from + byteSize(states.find((each) => each.name === name)!.type))
    },
  }
}

/** Ops of integers whose results every target has bit for bit, and that leave much as it was shaped. */
const exact = {
  ops: [
    'add',
    'sub',
    'mul',
    'maximum',
    'where',
    'less',
    'scatterNd',
    'scatterNd',
    'concat',
    'slice',
    'reshape',
    'transpose',
    'gather',
    'reduceSum',
    'reduceMax',
    'cast',
  ],
  dtypes: ['i32', 'i32', 'i32', 'bool', 'i8'],
  maximumNodes: 20,
  maximumElements: 150,
} as const satisfies RandomGraphOptions

/**
 * A model of several random graphs. Of each there are two entries, which share its states and renew them differently; the entry `look` gives back all states
 * as they are. Some states begin with something else than zeros.
 */
export function statefulModel(seed: number, graphs: number): ModelGraph & { readonly states: readonly ModelState[] } {
  const random = mulberry(seed)
  const states: ModelState[] = []
  const entries = Array.from({ length: graphs }, (_, g) => {
    const graph = renamed(randomGraph(seed + g, exact), `g${g}_`)
    const carried = graph.inputs.filter(() => random() < 0.7)
    for (const { type, attributes } of carried) {
      const name = `${attributes.name}_state`
      const first = randomInputs(graph, seed)[attributes.name as string]!
      const initial = random() < 0.5 ? { initial: { label: name, read: () => first } } : {}
      states.push({ name, input: attributes.name as string, output: `${attributes.name}_next`, type, ...initial })
    }
    return ['a', 'b'].map((letter) => ({
      name: `${letter}${g}`,
      graph: { ...graph, outputs: [...graph.outputs, ...nextOf(graph, carried, random)] },
    }))
  }).flat()
  const builder = createBuilder()
  const inputs = states.map(({ input, type }) => builder.input(input, type))
  const look = builder.finish(
    'm',
    inputs,
    inputs.map((value, i) => ({ name: `seen${i}`, value })),
  )
  return { name: 'm', entries: [...entries, ...(states.length > 0 ? [{ name: 'look', graph: look }] : [])], states }
}

function nextOf(graph: Graph, carried: readonly Node[], random: () => number): Output[] {
  return carried.flatMap((node) => {
    if (random() < 0.15) return []
    const alike = graph.nodes.filter(
      ({ type, op, id }) => sameType(type, node.type) && (op !== 'input' || random() < 0.3) && id !== node.id,
    )
    const value = alike[Math.floor(random() * alike.length)]
    return value ? [{ name: `${inputName(node)}_next`, value }] : []
  })
}

/** The graph with a prefix to its inputs' names, as one of the model. */
function renamed(graph: Graph, prefix: string): Graph {
  const builder = createBuilder()
  const copies = new Map<Node, Node>()
  for (const node of graph.nodes) {
    const operands = node.operands.map((operand) => copies.get(operand)!)
    copies.set(node, isInput(node) ? builder.input(prefix + inputName(node), node.type) : copyNode(node, builder, operands))
  }
  const outputs = graph.outputs.map(({ name, value }) => ({ name, value: copies.get(value)! }))
  return builder.finish(
    'm',
    graph.inputs.map((node) => copies.get(node)!),
    outputs,
  )
}

const isInput = (node: Node): boolean => hasTrait(node, 'storage') && !node.data
