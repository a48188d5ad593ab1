// Kernels over the same positions become one: a value is stored by the kernel that reads it, siblings share their loads.
import { costOf } from '../cost/index.ts'
import { byteSize, definitionOf, elementCount, type Graph, type Node } from '../graph/index.ts'
import type { Target } from '../target.ts'
import { type BuiltKernel, buildKernel } from './build.ts'
import type { Decision } from './decision.ts'
import type { Kernel } from './kernel.ts'
import { roleOf } from './movement.ts'
import { isView, type Unit } from './unit.ts'
import { workOfKernel } from './work.ts'

export interface Merged {
  readonly units: readonly Unit[]
  readonly decisions: ReadonlyMap<Node, Decision>
}

/** What one kernel stores at most. */
const maximumResults = 6
/** Kernels that read the same value and are tried as siblings. */
const triedSiblings = 4
/** Bytes that may live longer than they have to because a kernel moved: more memory is worse than more time. */
const heldBytes = 2 ** 16
/** Readers of one value that are still looked at one by one. */
const manyReaders = 64
/** Rows of a merged kernel are at least so long, or as long as those of its parts. */
const longRow = 64

/** A unit while kernels are merged. */
interface Open extends Unit {
  /** All that used to be roots, stored still or not. */
  readonly values: readonly Node[]
}

/**
 * Merges kernels that run over as many positions each, at most one of which has an anchor: the maker of a value with a reader of it, and
 * two readers of one value. The merged kernel takes the place of one of the two, and only where all that it reads is made before and all
 * that reads it comes later, so that the order stays one in which kernels can run. What only the merged kernel reads is stored no more.
 */
export function mergeKernels(graph: Graph, target: Target, units: readonly Unit[], stored: ReadonlySet<Node>): Merged {
  const decisions = new Map<Node, Decision>()
  const open = new Map<Node, Open>(units.map((unit) => [unit.roots[0]!, { ...unit, values: unit.roots }]))
  const positions = new Map<Node, number>(graph.nodes.map((node, at) => [node, at]))
  const outputs = new Set(graph.outputs.map(({ value }) => sourceOf(value)))
  const joins = joinsByPart()
  /** Units that read a value, by any of their values; some are gone. */
  const readers = new Map<Node, Set<Open>>()
  for (const unit of open.values()) listen(unit)

  /** What holds the elements of a stored value. */
  function sourceOf(node: Node): Node {
    let source = node
    while (!open.has(source) && isView(source, stored)) source = source.operands[0]!
    return source
  }

  function joinsByPart(): ReadonlyMap<Node, readonly number[]> {
    const found = new Map<Node, number[]>()
    for (const [at, node] of graph.nodes.entries()) {
      if (roleOf(node) !== 'join' || !stored.has(node)) continue
      for (const part of node.operands) {
        const source = sourceOf(part)
        found.set(source, [...(found.get(source) ?? []), at])
      }
    }
    return found
  }

  function listen(unit: Open): void {
    for (const input of unit.built.inputs) {
      const source = sourceOf(input)
      const list = readers.get(source) ?? new Set()
      readers.set(source, list.add(unit))
    }
  }

  const isAlive = (unit: Open) => open.get(unit.values[0]!) === unit
  const readersOf = (value: Node) => [...(readers.get(value) ?? [])].filter(isAlive)
  /** Values that so many read stay where they are: looking at all readers for each of them would take too long. */
  const isPopular = (value: Node) => (readers.get(value)?.size ?? 0) > manyReaders
  /** Where a value is made: storage before everything. */
  const madeAt = (value: Node): number => (roleOf(value) === 'storage' ? -1 : (open.get(value)?.at ?? positions.get(value)!))
  const sourcesOf = (unit: Open) => unit.built.inputs.map(sourceOf)

  /** Positions of what reads a unit's values, other than the unit `but`. */
  const readPositions = (unit: Open, but: Open): number[] =>
    unit.values.flatMap((value) =>
      isPopular(value)
        ? [-1]
        : [
            ...readersOf(value).flatMap((reader) => (reader === but || reader === unit ? [] : reader.at)),
            ...(joins.get(value) ?? []),
          ],
    )

  /** The place that `first` and `second`, which comes later, can have together, and the bytes that would live longer for it. */
  function placeFor(first: Open, second: Open): { readonly at: number; readonly held: number } | undefined {
    const bytes = (nodes: readonly Node[]) => nodes.reduce((sum, node) => sum + byteSize(node.type), 0)
    if (readPositions(first, second).every((at) => at > second.at)) {
      const others = new Set(sourcesOf(second))
      const own = [...new Set(sourcesOf(first))].filter((source) => roleOf(source) !== 'storage' && !others.has(source))
      return { at: second.at, held: bytes(own) }
    }
    const early = sourcesOf(second).every((source) => first.values.includes(source) || madeAt(source) < first.at)
    return early ? { at: first.at, held: bytes(second.roots) } : undefined
  }

  /** Whether anything but the unit itself reads one of its values. */
  const isWanted = (value: Node, insiders: readonly Open[]) =>
    outputs.has(value) || joins.has(value) || isPopular(value) || readersOf(value).some((reader) => !insiders.includes(reader))

  function merge(first: Open, second: Open, related: boolean): Open | undefined {
    const kernels = [first.built.kernel, second.built.kernel]
    if (!fit(kernels, target, related)) return undefined
    const place = placeFor(first, second)
    if (!place || place.held > heldBytes) return undefined
    const values = [...first.values, ...second.values]
    const roots = values.filter((value) => isWanted(value, [first, second]))
    if (roots.length === 0 || roots.length > maximumResults) return undefined
    const own = new Set(values)
    const built = buildKernel(
      roots,
      graph,
      (node) => !own.has(node) && (roleOf(node) === 'storage' || (stored.has(node) && !own.has(sourceOf(node)))),
    )
    if ('apart' in built || !isSound(built, kernels, target)) return undefined
    if (built.inputs.some((input) => own.has(sourceOf(input)))) return undefined
    const apart = kernels.reduce((sum, kernel) => sum + costOf(workOfKernel(kernel), target.rates), 0)
    const together = costOf(workOfKernel(built.kernel), target.rates)
    if (together >= apart) return undefined
    const unit: Open = { at: place.at, roots, values, built }
    replace([first, second], unit)
    explain(unit, { chosen: together, other: apart })
    return unit
  }

  function replace(old: readonly Open[], unit: Open): void {
    for (const value of unit.values) open.set(value, unit)
    for (const source of old.flatMap(sourcesOf)) for (const gone of old) readers.get(source)?.delete(gone)
    listen(unit)
  }

  function explain({ values, roots }: Open, costs: NonNullable<Decision['costs']>): void {
    for (const value of values) {
      if (roots.includes(value))
        decisions.set(value, { value, place: 'together', reason: `one kernel stores ${roots.length} values`, costs })
      else decisions.set(value, { value, place: 'inside', reason: 'the kernel that makes it is its only reader', costs })
    }
  }

  /** Units worth a try with `unit`: the makers of what it reads, then others that read the same. */
  function* partners(unit: Open): Generator<readonly [Open, boolean]> {
    const sources = [...new Set(sourcesOf(unit))]
    for (const source of sources) {
      const maker = open.get(source)
      if (maker && maker !== unit) yield [maker, true]
    }
    for (const source of sources) {
      if (source.data || elementCount(source.type.shape) <= 1) continue
      let left = triedSiblings
      for (const sibling of readers.get(source) ?? []) {
        if (left === 0 || sibling.at >= unit.at) break
        if (!isAlive(sibling)) continue
        left--
        yield [sibling, false]
      }
    }
  }

  for (const { roots } of units) {
    for (let unit = open.get(roots[0]!); unit; ) {
      let next: Open | undefined
      for (const [partner, related] of partners(unit)) {
        const [first, second] = partner.at < unit.at ? [partner, unit] : [unit, partner]
        next = merge(first, second, related)
        if (next) break
      }
      unit = next
    }
  }
  return { units: [...new Set(open.values())].sort((a, b) => a.at - b.at), decisions }
}

const appliedSteps = (kernel: Kernel) => kernel.steps.filter((step) => step.kind === 'apply').length

/** What can be said before anything is built. Siblings have no anchor: loads shared with an anchor are not many. */
function fit(kernels: readonly Kernel[], target: Target, related: boolean): boolean {
  const [count] = kernels.map((kernel) => elementCount(kernel.domain))
  const anchors = kernels.flatMap((kernel) => kernel.anchor ?? [])
  return (
    kernels.every((kernel) => elementCount(kernel.domain) === count && (kernel.anchor || appliedSteps(kernel) > 0)) &&
    anchors.length <= (related ? 1 : 0) &&
    anchors.every((anchor) => definitionOf(anchor.op).kind !== 'control' && target.fusesAfter(anchor)) &&
    kernels.reduce((sum, kernel) => sum + kernel.steps.length + (kernel.prologue?.length ?? 0), 0) <= target.maximumSteps
  )
}

/** Is the merged kernel as good a kernel as its parts were? */
function isSound({ kernel }: BuiltKernel, parts: readonly Kernel[], target: Target): boolean {
  const row = ({ domain }: Kernel) => domain.at(-1) ?? 1
  const steps = new Set(kernel.results.map((result) => result.step))
  return (
    steps.size === kernel.results.length &&
    (kernel.anchor !== undefined || row(kernel) >= Math.min(longRow, ...parts.map(row))) &&
    target.runsTogether(kernel, parts)
  )
}
