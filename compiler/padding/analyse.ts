// Whether what a request does not fill of a tensor can get into its results.
import {
  type BucketedTensor,
  dtypeFacts,
  type Extent,
  elementCount,
  elementsOf,
  type Graph,
  InvariantError,
  inputName,
  type Location,
  type Node,
  type ProblemCode,
  printType,
  sizeInput,
} from '../graph/index.ts'
import { extentAt, printExtent, type Sizes, wholeOf } from './extent.ts'
import { fitAxes } from './movement.ts'
import { rows } from './rows.ts'
import { type Family, nothing, type State } from './state.ts'
import { opText } from './words.ts'

/** One model, built for some sizes of its dimensions. */
export interface SizedGraph {
  readonly sizes: Sizes
  readonly graph: Graph
}

export interface PaddingProblem {
  readonly code: ProblemCode
  readonly message: string
  readonly help: string
  readonly locations: readonly Location[]
}

/** Zeros are needed behind an extent: operand `operand` of `user` along `axis`, in each of the graphs. */
export interface Guard {
  readonly users: Family
  readonly operand: number
  readonly axis: number
  readonly extent: Extent
}

export interface PaddingFacts {
  readonly problems: readonly PaddingProblem[]
  readonly outputs: readonly BucketedTensor[]
  readonly guards: readonly Guard[]
}

/** Constants that several requests share are compared element by element up to this many elements of each. */
const uniformLimit = 4096

/**
 * Follows the padding of inputs through a model that was built for several sizes of its dimensions, operation by operation and at all sizes
 * at once. What it proves: the elements of each output within its extents are those that the model would give if it were built for the
 * sizes of the request itself, whatever was computed from padding. Where it cannot, there is a problem at the op that would mix padding into
 * results, or that computes something else at another size. Elements of constants are taken for finite numbers.
 */
export function analysePadding(graphs: readonly SizedGraph[], inputs: readonly BucketedTensor[], least: Sizes): PaddingFacts {
  const at = graphs.map(({ sizes }) => sizes)
  const [reference] = graphs as readonly [SizedGraph]
  const problems: PaddingProblem[] = []
  const guards = new Map<string, Guard>()
  const known = new Map<string, State>()

  const tell = (code: ProblemCode, node: Node, message: string, help: string) => {
    const locations = reference.graph.locations.get(node) ?? []
    const place = JSON.stringify(locations)
    if (!problems.some((problem) => problem.message === message && JSON.stringify(problem.locations) === place))
      problems.push({ code, message, help, locations })
  }
  const atSizes = (i: number) => [...at[i]!].map(([name, size]) => `${name} = ${size}`).join(', ')
  /** What follows from it differs too, and is not told. */
  const differs = (node: Node, i: number, what: string) => {
    if (problems.some(({ code }) => code === 'size-dependent')) return
    tell(
      'size-dependent',
      node,
      `${what} with ${atSizes(i)} than with ${atSizes(0)}; a request of any other size would get results of its own`,
      'use the size in shapes and positions only; where the model computes with it, take validLength()',
    )
  }

  function storage(family: Family): State {
    const [node] = family as readonly [Node]
    if (node.op === 'input') {
      const name = inputName(node)
      const tensor = inputs.find((input) => input.name === name)
      if (!tensor) {
        const dim = [...least.keys()].find((each) => sizeInput(each) === name)
        if (dim === undefined) throw new InvariantError(`padding: the graph has an unknown input '${name}'`)
        return { axes: [], size: { dim, plus: 0 } }
      }
      const fill = { value: 0, everywhere: true }
      return { axes: tensor.shape.map((extent) => (typeof extent === 'object' ? { extent, fill } : undefined)) }
    }
    const uniform = uniformOf(family)
    const axes = fitAxes(family, at, uniform === undefined ? undefined : { value: uniform, everywhere: true })
    if (!axes) differs(node, 1, 'a constant has another shape')
    else checkConstant(family, axes)
    return { axes: axes ?? node.type.shape.map(() => undefined), uniform }
  }

  /** Where constants differ in size, the smaller one must be the beginning of the larger. */
  function checkConstant(family: Family, axes: State['axes']): void {
    const [first] = family as readonly [Node]
    for (const [i, node] of family.entries()) {
      if (node.data === first.data) continue
      const wrong = axes.length === 0 || axes.every((axis) => !axis) ? !sameBytes(first, node) : !samePrefix(first, node)
      if (!wrong) continue
      differs(first, i, `a constant of ${printType(node.type)} has other elements`)
      return
    }
  }

  function verify(family: Family, state: State): State {
    const [node] = family as readonly [Node]
    const axes = state.axes.length === node.type.shape.length ? state.axes : node.type.shape.map(() => undefined)
    for (const [axis, padded] of axes.entries()) {
      const expected = (sizes: Sizes) => (padded ? extentAt(padded.extent, sizes) : node.type.shape[axis]!)
      const wrong = family.findIndex(({ type }, i) => type.shape[axis] !== expected(at[i]!))
      if (wrong >= 0) {
        if (problems.length === 0)
          differs(
            node,
            wrong,
            `${opText(node)}: axis ${axis} of ${printType(family[wrong]!.type)} follows the size in another way`,
          )
        return { axes: fitAxes(family, at, undefined) ?? axes.map(() => undefined) }
      }
      if (padded && extentAt(padded.extent, least) < 0)
        tell(
          'padding-mixed',
          node,
          `${opText(node)}: the smallest request, with ${[...least].map(([name, size]) => `${name} = ${size}`).join(', ')}, has less elements than are taken off axis ${axis}, which is ${printExtent(padded.extent)}`,
          `state the smallest size: dim('${padded.extent.dim}', […], { least: … })`,
        )
    }
    return { ...state, axes }
  }

  function derive(family: Family): State {
    const [node] = family as readonly [Node]
    const other = family.findIndex((each) => each.op !== node.op || each.operands.length !== node.operands.length)
    if (other >= 0) {
      differs(node, other, `the model applies another op, ${opText(family[other]!)} and not ${opText(node)},`)
      return { axes: node.type.shape.map(() => undefined) }
    }
    if (node.op === 'input' || node.op === 'constant') return storage(family)
    const { rule, sized = [] } = rows[node.op as keyof typeof rows]
    for (const name of Object.keys(node.attributes)) {
      if (sized.includes(name)) continue
      const text = JSON.stringify(node.attributes[name])
      const wrong = family.findIndex(({ attributes }) => JSON.stringify(attributes[name]) !== text)
      if (wrong >= 0)
        differs(
          node,
          wrong,
          `${opText(node)}: ${name} is another, ${JSON.stringify(family[wrong]!.attributes[name])} and not ${text},`,
        )
    }
    const operands = node.operands.map((_, i) => family.map((each) => each.operands[i]!))
    const states = operands.map((operand) => known.get(keyOf(operand))!)
    const state = rule({
      nodes: family,
      operands,
      states,
      least,
      at,
      mixes: (message, help) => tell('padding-mixed', node, message, help),
      guard(operand, axis) {
        const extent = states[operand]!.axes[axis]!.extent
        guards.set(`${keyOf(family)} ${operand} ${axis}`, { users: family, operand, axis, extent })
      },
    })
    return verify(family, state)
  }

  /** Operands first, without a call for each level of a deep network. */
  function visit(root: Family): State {
    const pending = [root]
    for (let family = pending.at(-1); family; family = pending.at(-1)) {
      const key = keyOf(family)
      const [node] = family as readonly [Node]
      const isAlike = family.every((each) => each.op === node.op && each.operands.length === node.operands.length)
      const missing = (isAlike ? node.operands : [])
        .map((_, i) => family!.map((each) => each.operands[i]!))
        .filter((operand) => !known.has(keyOf(operand)))
      if (missing.length > 0) pending.push(...missing)
      else {
        pending.pop()
        if (!known.has(key)) known.set(key, derive(family))
      }
    }
    return known.get(keyOf(root)) ?? nothing
  }

  const outputs = reference.graph.outputs.map(({ name, value }, i): BucketedTensor => {
    const family = graphs.map(({ graph }) => graph.outputs[i]?.value)
    if (family.some((node, k) => !node || graphs[k]!.graph.outputs[i]!.name !== name)) {
      differs(value, family.indexOf(undefined), 'the model has other outputs')
      return { name, dtype: value.type.dtype, shape: value.type.shape }
    }
    const { axes } = visit(family as Family)
    return { name, dtype: value.type.dtype, shape: value.type.shape.map((size, axis) => axes[axis]?.extent ?? size) }
  })
  for (const [i, { graph }] of graphs.entries())
    if (graph.outputs.length !== reference.graph.outputs.length)
      differs(reference.graph.outputs[0]!.value, i, 'the model has other outputs')
  return { problems, outputs, guards: [...guards.values()] }
}

const keyOf = (family: Family): string => family.map(({ id }) => id).join(' ')

/** The shape of an input whose dimensions at these axes are symbolic. */
export const symbolicShape = (shape: readonly number[], dims: readonly (string | undefined)[]): BucketedTensor['shape'] =>
  shape.map((size, axis) => (dims[axis] === undefined ? size : wholeOf(dims[axis])))

function uniformOf(family: Family): number | undefined {
  const { type, data } = family[0]!
  if (!data || elementCount(type.shape) === 0 || dtypeFacts[type.dtype].storageOnly) return undefined
  const large = family.every((node) => node.data === data) && elementCount(type.shape) > uniformLimit
  if (large) return undefined
  let value: number | undefined
  for (const node of family) {
    const elements = elementsOf(type.dtype, node.data!.read())
    for (let i = 0; i < elements.length; i++) {
      value ??= elements.get(i)
      if (!Object.is(elements.get(i), value)) return undefined
    }
  }
  return value
}

const sameBytes = (a: Node, b: Node): boolean => Buffer.compare(a.data!.read(), b.data!.read()) === 0

/** Whether two tensors are equal where both have elements. */
function samePrefix(a: Node, b: Node): boolean {
  const [left, right] = [a.data!.read(), b.data!.read()]
  const { bytes } = dtypeFacts[a.type.dtype]
  const common = a.type.shape.map((size, axis) => Math.min(size, b.type.shape[axis]!))
  const strides = (shape: readonly number[]) =>
    shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, bytes))
  const [one, other] = [strides(a.type.shape), strides(b.type.shape)]
  const walk = (axis: number, i: number, j: number): boolean => {
    if (axis === common.length) return Buffer.compare(left.subarray(i, i + bytes), right.subarray(j, j + bytes)) === 0
    for (let k = 0; k < common[axis]!; k++) if (!walk(axis + 1, i + k * one[axis]!, j + k * other[axis]!)) return false
    return true
  }
  return walk(0, 0, 0)
}
