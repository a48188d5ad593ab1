// Random loops and branches: their bodies are random graphs.
import {
  type Builder,
  byteSize,
  createBuilder,
  type Graph,
  type Node,
  type Output,
  printGraph,
  resultsOf,
  sameShape,
  type TensorType,
} from '../../compiler/graph/index.ts'
import { copyNode } from '../../compiler/graph/rebuild.ts'
import { EvaluationFault, runGraph } from '../../targets/interpreter/index.ts'
import { type GraphSuite, union } from './graphSuite.ts'
import { mulberry, type RandomGraphOptions, randomGraph, randomInputs } from './randomGraph.ts'
import { expectOutputs } from './sensitivity.ts'

const agree = (a: TensorType, b: TensorType) => a.dtype === b.dtype && sameShape(a.shape, b.shape)

/** Copies the nodes of a graph over values for its inputs; the values of its outputs. */
export function inline(builder: Builder, graph: Graph, inputs: readonly Node[]): Node[] {
  const copies = new Map<Node, Node>(graph.inputs.map((input, i) => [input, inputs[i]!]))
  for (const node of graph.nodes)
    if (!copies.has(node))
      copies.set(
        node,
        copyNode(
          node,
          builder,
          node.operands.map((operand) => copies.get(operand)!),
        ),
      )
  return graph.outputs.map(({ value }) => copies.get(value)!)
}

/** The results of a node with bodies, one by one. */
export function resultNodes(builder: Builder, node: Node): Node[] {
  const types = node.bodies![0]!.outputs.map(({ value }) => value.type)
  const layout = resultsOf(node.op, types, node.attributes)
  return layout.types.map(({ dtype, shape }, i) =>
    builder.addFlat('resultOf', [node], { dtype, shape: [...shape], offset: layout.offsets[i]! }),
  )
}

export interface RandomLoop {
  readonly body: Graph
  readonly carried: number
  readonly limit: number
  readonly initial: readonly TensorType[]
  readonly captured: readonly TensorType[]
  /** Outputs of the body that are kept of each turn. */
  readonly scanned: number
}

/**
 * A body that goes on while the number of the turn is not `last`. What it carries are inputs of a random graph, of which each becomes an
 * output of its type where there is one, and else its own mean with what it was.
 */
export function randomLoop(seed: number, limit: number, last: number, options: RandomGraphOptions = {}): RandomLoop {
  const random = mulberry(seed * 7 + 1)
  const graph = randomGraph(seed, {
    maximumNodes: 8,
    extents: [1, 2, 3],
    dtypes: ['f32', 'f32', 'i32', 'u8', 'bool'],
    ...options,
  })
  const builder = createBuilder()
  const count = graph.inputs.length === 0 ? 0 : Math.floor(random() * (graph.inputs.length + 1))
  const turn = builder.input('turn', { dtype: 'i64', shape: [] })
  const plain = ({ type: { dtype, shape } }: Node): TensorType => ({ dtype, shape })
  const inputs = graph.inputs.map((input, i) => builder.input(i < count ? `carried${i}` : `captured${i - count}`, plain(input)))
  const values = inline(builder, graph, inputs)
  const next = inputs.slice(0, count).map((input) => {
    const found = values.filter(({ type }) => agree(type, input.type))
    return found[Math.floor(random() * (found.length + 1))] ?? input
  })
  const scanned = values.filter(() => random() < 0.5)
  const proceed = builder.add('notEqual', { left: turn, right: builder.scalar('i64', last) })
  const outputs: Output[] = [
    { name: 'proceed', value: proceed },
    ...next.map((value, i) => ({ name: `next${i}`, value })),
    ...scanned.map((value, i) => ({ name: `kept${i}`, value })),
  ]
  const body = builder.finish('body', [turn, ...inputs], outputs)
  return {
    body,
    carried: count,
    limit,
    initial: inputs.slice(0, count).map(plain),
    captured: inputs.slice(count).map(plain),
    scanned: scanned.length,
  }
}

/** A graph with the loop over inputs of its own; `count` turns are asked for. */
export function loopGraph({ body, carried, limit, initial, captured }: RandomLoop): Graph {
  const builder = createBuilder()
  const count = builder.input('count', { dtype: 'i64', shape: [] })
  const values = [...initial, ...captured].map((type, i) => builder.input(`x${i}`, type))
  const start = builder.literal({ dtype: 'bool', shape: [] }, Uint8Array.of(1))
  const node = builder.addFlat('loop', [count, start, ...values], { carried, limit }, undefined, [body])
  return builder.finish(
    'loop',
    [count, ...values],
    resultNodes(builder, node).map((value, i) => ({ name: `y${i}`, value })),
  )
}

/** The same with `turns` turns written one after the other. */
export function unrolledGraph({ body, carried, limit, initial, captured }: RandomLoop, turns: number): Graph {
  const builder = createBuilder()
  const count = builder.input('count', { dtype: 'i64', shape: [] })
  const values = [...initial, ...captured].map((type, i) => builder.input(`x${i}`, type))
  let state = values.slice(0, carried)
  const kept: Node[][] = []
  for (let turn = 0; turn < turns; turn++) {
    const [, ...given] = inline(builder, body, [builder.scalar('i64', turn), ...state, ...values.slice(carried)])
    state = given.slice(0, carried)
    kept.push(given.slice(carried))
  }
  const types = body.outputs.slice(1 + carried).map(({ value }) => value.type)
  const scans = types.map((type, i) => {
    const rows = kept.map((row) => builder.add('reshape', { input: row[i]! }, { shape: [1, ...type.shape] }))
    const zeros = { dtype: type.dtype, shape: [limit - turns, ...type.shape] }
    const rest = builder.literal(zeros, new Uint8Array(byteSize(zeros)))
    return builder.add('concat', { inputs: [...rows, rest] }, { axis: 0 })
  })
  const results = [builder.scalar('i64', turns), ...state, ...scans]
  return builder.finish(
    'unrolled',
    [count, ...values],
    results.map((value, i) => ({ name: `y${i}`, value })),
  )
}

/** A graph with the branch between two bodies over inputs of its own. */
export function branchGraph(then: Graph, otherwise: Graph): Graph {
  const builder = createBuilder()
  const condition = builder.input('condition', { dtype: 'bool', shape: [] })
  const values = then.inputs.map(({ type }, i) => builder.input(`x${i}`, type))
  const node = builder.addFlat('branch', [condition, ...values], {}, undefined, [then, otherwise])
  return builder.finish(
    'branch',
    [condition, ...values],
    resultNodes(builder, node).map((value, i) => ({ name: `y${i}`, value })),
  )
}

/** One body of `branchGraph` over the same inputs. */
export function sideGraph(side: Graph): Graph {
  const builder = createBuilder()
  const condition = builder.input('condition', { dtype: 'bool', shape: [] })
  const values = side.inputs.map(({ type }, i) => builder.input(`x${i}`, type))
  const outputs = inline(builder, side, values).map((value, i) => ({ name: `y${i}`, value }))
  return builder.finish('side', [condition, ...values], outputs)
}

/** Two bodies that take and give the same: the second gives the negative of what the first does. */
function randomBranch(seed: number): readonly [Graph, Graph] {
  const graph = randomGraph(seed, { maximumNodes: 8, extents: [1, 2, 3], dtypes: ['f32', 'f32', 'i32', 'u8'] })
  const types = graph.inputs.map(({ type: { dtype, shape } }) => ({ dtype, shape }))
  const side = (change: (builder: Builder, values: readonly Node[]) => Node[]): Graph => {
    const builder = createBuilder()
    const inputs = types.map((type, i) => builder.input(`captured${i}`, type))
    const outputs = change(builder, inputs).map((value, i) => ({ name: `y${i}`, value }))
    return builder.finish('side', inputs, outputs)
  }
  const first = side((builder, values) => inline(builder, graph, values))
  const second = side((builder, values) =>
    inline(builder, graph, values).map((value) =>
      value.type.dtype === 'bool' ? builder.add('not', { input: value }) : builder.add('negate', { input: value }),
    ),
  )
  return [first, second]
}

interface Case {
  readonly graph: Graph
  /** What it computes, written without bodies. */
  readonly expected: Graph
  readonly inputs: Readonly<Record<string, Uint8Array>>
}

export const turnsOf = (count: number): Uint8Array => new Uint8Array(BigInt64Array.of(BigInt(count)).buffer)

/** Loops and branches whose reference fails on no value, from a seed. */
export function controlCases(
  { seed, numRuns }: { readonly seed: number; readonly numRuns: number },
  options?: RandomGraphOptions,
): Case[] {
  const cases: Case[] = []
  for (let i = 0; cases.length < numRuns; i++) {
    const own = seed * 1000 + i
    const made = i % 4 === 3 ? branchCase(own) : loopCase(own, options)
    if (made && succeeds(made)) cases.push(made)
  }
  return cases
}

function loopCase(seed: number, options?: RandomGraphOptions): Case | undefined {
  const [limit, last, count] = [1 + (seed % 4), (seed >> 2) % 5, (seed >> 1) % 6]
  const turns = Math.min(count, last + 1)
  if (turns > limit) return undefined
  const loop = randomLoop(seed, limit, last, options)
  const graph = loopGraph(loop)
  return { graph, expected: unrolledGraph(loop, turns), inputs: { ...randomInputs(graph, seed), count: turnsOf(count) } }
}

function branchCase(seed: number): Case {
  const sides = randomBranch(seed)
  const graph = branchGraph(...sides)
  const taken = (seed >> 2) % 2
  return {
    graph,
    expected: sideGraph(sides[1 - taken]!),
    inputs: { ...randomInputs(graph, seed), condition: Uint8Array.of(taken) },
  }
}

function succeeds({ expected, inputs }: Case): boolean {
  try {
    runGraph(expected, inputs)
    return true
  } catch (error) {
    if (error instanceof EvaluationFault) return false
    throw error
  }
}

/** Many cases as one graph, so that they are compiled together. */
export function controlSuite(
  drawn: { readonly seed: number; readonly numRuns: number },
  options?: RandomGraphOptions,
): GraphSuite {
  const cases = controlCases(drawn, options)
  const name = (i: number, given: Readonly<Record<string, Uint8Array>>) =>
    Object.entries(given).map(([input, bytes]): [string, Uint8Array] => [`${i} ${input}`, bytes])
  return {
    graph: union(cases.map(({ graph }) => graph)),
    inputs: Object.fromEntries(cases.flatMap(({ inputs }, i) => name(i, inputs))),
    check(outputs) {
      for (const [i, { expected, inputs, graph }] of cases.entries()) {
        const own = Object.fromEntries(expected.outputs.map((output) => [output.name, outputs[`${i} ${output.name}`]!]))
        expectOutputs(own, expected, inputs, () => printGraph(graph))
      }
    },
  }
}
