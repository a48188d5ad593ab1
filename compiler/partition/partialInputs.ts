import { elementCount, inputName, type Node, nameOperands } from '../graph/index.ts'
import type { PartitionedGraph } from './cut.ts'
import { createTrace, type Reader, readersOf, type Trace } from './trace.ts'

/** Elements of an input of a part that the part reads. As placements have it. */
export interface ReadRange {
  readonly from: number
  readonly to: number
  /**
   * Where as many of them are read, from the first on, as bags have indices: the sum of elements `from` … `to - 1` of an input of the entry, or
   * the last of these.
   */
  readonly used?: { readonly by: 'lengths' | 'offsets'; readonly input: number; readonly from: number; readonly to: number }
}

/** Elements that are as good as one range less; more of them cost more to look after than to copy. */
const mostRanges = 4096

/**
 * What parts read of their inputs (RT-22, FB-05): for each part a list for each of its inputs, of ranges in their order; undefined where all of
 * it is read. All that reads an input in part is a look-up, and what is read of its indices and of their factors is in bags: the rest may
 * be anything.
 */
export function partialInputs(partitioned: PartitionedGraph): readonly (readonly (readonly ReadRange[] | undefined)[])[] {
  const { parts, inputs } = partitioned
  const traces = new Map(parts.map(({ name }) => [name, createTrace()]))
  const inputNames = inputs.map(inputName)

  /** Which elements of an input of the entry those of a value of a part are, through the parts that it comes from. */
  function originOf(
    part: PartitionedGraph['parts'][number],
    value: Node,
    from: number,
    count: number,
  ): { input: number; from: number } | undefined {
    const traced = traces.get(part.name)!(value, from, count)
    if (!traced?.same) return undefined
    const source = part.sources[part.graph.inputs.indexOf(traced.input)]!
    if (source.kind === 'input') {
      // Not so a state of the part, which no request brings.
      const input = inputNames.indexOf(source.name)
      return input < 0 ? undefined : { input, from: traced.from }
    }
    const giver = parts.find(({ name }) => name === source.part)
    const output = giver?.graph.outputs.find(({ name }) => name === source.output)
    return giver && output && originOf(giver, output.value, traced.from, count)
  }

  /** How many indices of a look-up in bags of various lengths are in bags. */
  function usedOf(part: PartitionedGraph['parts'][number], node: Node): ReadRange['used'] {
    const { offsets } = nameOperands(node.op, node.operands) as { readonly offsets?: Node }
    if (offsets?.op !== 'bagOffsets') return undefined
    const [lengths] = offsets.operands as [Node]
    const count = elementCount(lengths.type.shape)
    const origin = originOf(part, lengths, 0, count)
    return origin && { by: offsets.attributes.given as 'lengths' | 'offsets', ...origin, to: origin.from + count }
  }

  function rangeOf(
    part: PartitionedGraph['parts'][number],
    trace: Trace,
    { value, node, operand }: Reader,
  ): ReadRange | undefined {
    const traced = trace(value)
    if (!traced) return undefined
    const range = { from: traced.from, to: traced.from + elementCount(value.type.shape) }
    if (node?.op !== 'raggedEmbeddingBag') return range
    const { indices, scale } = nameOperands(node.op, node.operands) as { readonly indices: Node; readonly scale?: Node }
    const used = node.operands[operand!] === indices || node.operands[operand!] === scale ? usedOf(part, node) : undefined
    return { ...range, ...(used && { used }) }
  }

  return parts.map((part) => {
    const trace = traces.get(part.name)!
    const readers = readersOf(part.graph, trace)
    return part.graph.inputs.map((input) => {
      const ranges = readers(input).map((reader) => rangeOf(part, trace, reader))
      if (ranges.some((range) => range === undefined)) return undefined
      return merged(ranges as readonly ReadRange[], elementCount(input.type.shape))
    })
  })
}

/** The ranges in order, each once; undefined where they overlap otherwise, or are all that there is. */
function merged(ranges: readonly ReadRange[], count: number): readonly ReadRange[] | undefined {
  const distinct = [...new Map(ranges.map((range) => [JSON.stringify(range), range])).values()]
  distinct.sort((a, b) => a.from - b.from)
  if (distinct.some(({ from }, i) => i > 0 && from < distinct[i - 1]!.to)) return undefined
  const joined: ReadRange[] = []
  for (const range of distinct) {
    const last = joined.at(-1)
    if (last && !last.used && !range.used && last.to === range.from) joined[joined.length - 1] = { from: last.from, to: range.to }
    else if (range.to > range.from) joined.push(range)
  }
  const isWhole = joined.length === 1 && !joined[0]!.used && joined[0]!.from === 0 && joined[0]!.to === count
  return isWhole || joined.length > mostRanges ? undefined : joined
}
