import { roundUp } from '../allocation/index.ts'
import { operandsOfStep, resultsOfStep } from '../fuse/graph.ts'
import type { KernelGraph, KernelStep } from '../fuse/kernel.ts'
import { byteSize, elementCount, type Node } from '../graph/index.ts'
import { mayShareStorage } from '../instructions/inPlace.ts'
import type { Target } from '../target.ts'
import type { Order, Overwrite, ScheduleProblem, Task } from './problem.ts'

/** What becomes of the parts of a join. */
export type Joins =
  /** A part that can be made inside the join is: all of the join is live from its first part on. */
  | 'whole'
  /** A part takes its own bytes until they are joined. No instructions need less, however copies are elided. */
  | 'pieces'

export interface Model {
  readonly problem: ScheduleProblem
  /** The steps in an order of the tasks; views follow what they are views of. */
  inOrder(order: Order): KernelGraph
  /** Whether some join would be another problem with the other way of joining. */
  readonly hasJoins: boolean
}

/** Where a value lies: storages one after another, and whether it is all of them. */
interface Place {
  readonly storages: readonly number[]
  readonly whole: boolean
}

const nowhere: Place = { storages: [], whole: false }

/**
 * What storage the steps touch once copies are elided: a view lies in its source, an output in the caller's memory, and so does what is
 * joined into one. Values that nobody reads take nothing, as their stores are dropped.
 */
export function modelOf(kernels: KernelGraph, target: Target, joins: Joins): Model {
  const steps = kernels.steps.filter((step) => step.kind !== 'view')
  const views = kernels.steps.filter((step) => step.kind === 'view')
  const sourceOf = new Map(views.map((step) => [step.result, step.of]))
  const maker = new Map(steps.flatMap((step, task) => resultsOfStep(step).map((result) => [result, task] as const)))
  const isRead = readNodes(kernels)
  const origin = (node: Node): Node => {
    let last = node
    for (let next = sourceOf.get(node); next; next = sourceOf.get(next)) last = next
    return last
  }

  const outputs = new Set(kernels.outputs.map((output) => origin(output.value)))
  const joined = joinsOf(kernels, origin, outputs)
  const bytes: number[] = []
  const places = new Map<Node, Place>()
  let hasJoins = false

  const storage = (size: number): number => bytes.push(size) - 1
  const rounded = (size: number): number => roundUp(size, target.alignment)
  /** Where the result of a step lies; joins are asked before their parts. */
  function placeOf(node: Node): Place {
    const known = places.get(node)
    if (known) return known
    const size = byteSize(node.type)
    const join = joined.into.get(node)
    const isWholeOf = join !== undefined && joins === 'whole'
    const place = joined.inOutput.has(node)
      ? nowhere
      : isWholeOf
        ? { ...placeOf(join), whole: false }
        : { storages: isRead.has(node) ? [storage(joined.into.has(node) ? size : rounded(size))] : [], whole: true }
    places.set(node, place)
    return place
  }

  function piecesOf(step: Extract<KernelStep, { kind: 'join' }>): void {
    if (joined.inOutput.has(step.result) || places.has(step.result)) return
    hasJoins = true
    const pieces = step.parts.flatMap((part) => (joined.held.get(step.result)?.has(part) ? placeOf(origin(part)).storages : []))
    const storages = [...new Set(pieces)]
    const size = byteSize(step.result.type)
    // What has one part alone is read where that lies.
    const isPart = step.parts.some((part) => byteSize(part.type) === size)
    const rest = isPart || !isRead.has(step.result) ? 0 : size - storages.reduce((sum, each) => sum + bytes[each]!, 0)
    places.set(step.result, { storages: rest > 0 ? [...storages, storage(rest)] : storages, whole: true })
  }

  for (const step of steps) {
    if (step.kind === 'join' && joins === 'pieces') piecesOf(step)
    else for (const result of resultsOfStep(step)) placeOf(result)
  }
  if (joins === 'whole') hasJoins = joined.into.size > 0

  const where = (node: Node): Place => {
    const from = origin(node)
    if (!maker.has(from)) return nowhere
    const place = placeOf(from)
    return byteSize(from.type) === byteSize(node.type) ? place : { ...place, whole: false }
  }
  const tasks = steps.map((step): Task => {
    const operands = operandsOfStep(step)
    const touches = new Set([...operands, ...resultsOfStep(step)].flatMap((node) => where(node).storages))
    const after = new Set(operands.flatMap((operand) => maker.get(origin(operand)) ?? []))
    const scratch = step.kind === 'call' ? rounded(target.scratch(step.kernel)) : 0
    const overwrites = step.kind === 'call' ? overwritesOf(step, where, bytes, target) : []
    return { after: [...after], touches: [...touches], scratch, ...(overwrites.length > 0 && { overwrites }) }
  })

  return {
    problem: { tasks, bytes },
    hasJoins,
    inOrder(order) {
      const following = new Map<Node, KernelStep[]>()
      const early: KernelStep[] = []
      for (const view of views) {
        const from = origin(view.of)
        const own = following.get(from)
        if (!maker.has(from)) early.push(view)
        else if (own) own.push(view)
        else following.set(from, [view])
      }
      const ordered = order.flatMap((task) => {
        const step = steps[task]!
        return [step, ...resultsOfStep(step).flatMap((result) => following.get(result) ?? [])]
      })
      return { ...kernels, steps: [...early, ...ordered] }
    },
  }
}

/** The results that the call may write over operands; what is made in another value's storage is not asked. */
function overwritesOf(
  { kernel, inputs, results }: Extract<KernelStep, { kind: 'call' }>,
  where: (node: Node) => Place,
  bytes: readonly number[],
  target: Target,
): Overwrite[] {
  return results.flatMap((result, index): Overwrite[] => {
    const own = where(result)
    const [size] = own.storages.map((each) => bytes[each]!)
    if (!own.whole || size === undefined) return []
    const operands = inputs.flatMap((input, i): (readonly number[])[] => {
      const { storages, whole } = where(input)
      const fits = whole && storages.length > 0 && byteSize(input.type) === byteSize(result.type)
      if (!fits || !mayShareStorage(kernel, i, index) || !target.inPlace(kernel, i, index)) return []
      const isReadElsewhere = inputs.some((other, j) => j !== i && where(other).storages.some((each) => storages.includes(each)))
      return isReadElsewhere ? [] : [storages]
    })
    return operands.length > 0 ? [{ bytes: size, operands }] : []
  })
}

/** Values of which some call or output reads a part, as they are or in a join that is read as a whole. */
function readNodes({ steps, outputs }: KernelGraph): ReadonlySet<Node> {
  const read = new Set<Node>(outputs.map((output) => output.value))
  const wholly = new Set(read)
  for (const step of steps.toReversed()) {
    const isWhole = step.kind === 'call' || wholly.has(step.result)
    const isSame = step.kind !== 'view' || byteSize(step.of.type) === byteSize(step.result.type)
    for (const operand of operandsOfStep(step)) {
      if (isWhole && isSame) wholly.add(operand)
      if (isWhole || (step.kind === 'view' && read.has(step.result))) read.add(operand)
    }
  }
  return read
}

interface Joined {
  /** The join in whose storage a value can be made: the first that has it. */
  readonly into: ReadonlyMap<Node, Node>
  /** What lies in an output, by itself or joined. */
  readonly inOutput: ReadonlySet<Node>
  /** Parts of each join that can be made there. */
  readonly held: ReadonlyMap<Node, ReadonlySet<Node>>
}

function joinsOf(kernels: KernelGraph, origin: (node: Node) => Node, outputs: ReadonlySet<Node>): Joined {
  const into = new Map<Node, Node>()
  const wholes = new Map<Node, Node[]>()
  const held = new Map<Node, Set<Node>>()
  const uses = new Map<Node, number>()
  const makers = new Map(kernels.steps.flatMap((step) => resultsOfStep(step).map((result) => [result, step] as const)))
  for (const step of kernels.steps) {
    if (step.kind === 'view') continue
    for (const node of operandsOfStep(step)) uses.set(origin(node), (uses.get(origin(node)) ?? 0) + 1)
  }

  /** Can the part be made inside? Rows that lie apart are stored by a call alone whose result nobody else needs. */
  function fits(part: Node, { axis, result }: Extract<KernelStep, { kind: 'join' }>): boolean {
    const from = origin(part)
    const maker = makers.get(from)
    if (!maker || byteSize(from.type) !== byteSize(part.type)) return false
    const isBlock = elementCount(result.type.shape.slice(0, axis)) === 1 || byteSize(part.type) === byteSize(result.type)
    return isBlock || (maker.kind === 'call' && uses.get(from) === 1 && !outputs.has(from))
  }

  for (const step of kernels.steps) {
    if (step.kind !== 'join') continue
    const parts = step.parts.filter((part) => fits(part, step))
    held.set(step.result, new Set(parts))
    for (const from of parts.map(origin)) {
      wholes.set(from, [...(wholes.get(from) ?? []), step.result])
      if (!into.has(from) && !outputs.has(from)) into.set(from, step.result)
    }
  }
  const inOutput = new Set(outputs)
  // From the last join back, as parts are made before what they are joined into.
  for (const node of [...makers.keys()].reverse()) if (wholes.get(node)?.some((whole) => inOutput.has(whole))) inOutput.add(node)
  return { into, inOutput, held }
}
