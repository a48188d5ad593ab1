import { elementCount, type Graph, hasTrait, type Node, nameOperands } from '../graph/index.ts'
import { createTrace, type Reader, readersOf, type Traced } from './trace.ts'

/** What elements of an input stand for, where look-ups read it and nothing else does. As placements have it. */
export interface InputUse {
  /** Elements `from` … `to - 1` pick rows of a table. */
  readonly indices?: readonly { readonly table: string; readonly rows: number; readonly from: number; readonly to: number }[]
  /** Index of the input of whose indices the elements are the lengths of bags. */
  readonly lengthsOf?: number
  /** Index of the input among whose indices the elements are where bags begin, and where the last one ends. */
  readonly offsetsOf?: number
  /** Index of the input whose indices the elements are factors of. */
  readonly weightsOf?: number
  /** Which elements are about which of the other input, where they are not one list about another. */
  readonly groups?: readonly UseGroup[]
}

/** Elements `from` … `to - 1` of an input, which are about elements `ofFrom` … `ofTo - 1` of another. */
export interface UseGroup {
  readonly from: number
  readonly to: number
  readonly ofFrom: number
  readonly ofTo: number
}

const namedOperands = (node: Node): Readonly<Record<string, Node | undefined>> =>
  nameOperands(node.op, node.operands) as Readonly<Record<string, Node | undefined>>

/** The table of a look-up, where it is known at build and indices pick whole rows. */
export function tableOfLookup(node: Node): Node | undefined {
  if (!hasTrait(node, 'checked') || (node.attributes.axis ?? 0) !== 0) return undefined
  const { table, input } = namedOperands(node)
  const found = table ?? input
  return found?.data && found.type.shape.length > 0 ? found : undefined
}

/** A part of an input, in elements. */
interface Section {
  readonly input: Node
  readonly from: number
  readonly count: number
}

/** What a part of an input is, beside another part of one. */
interface Relation {
  readonly kind: 'lengthsOf' | 'offsetsOf' | 'weightsOf'
  readonly of: Section
}

const sectionOf = (traced: Traced, value: Node): Section => ({
  input: traced.input,
  from: traced.from,
  count: elementCount(value.type.shape),
})

/** What relations of an input say together: all of one kind, about one input, and each element at most about one list. */
function together(
  relations: readonly (Relation & { readonly section: Section })[],
  whole: Node,
): { of: Node; kind: Relation['kind']; groups: readonly UseGroup[] } | undefined {
  const [first] = relations
  if (!first || relations.some(({ kind }) => kind !== first.kind)) return undefined
  // Lengths that several inputs of indices share are said of the first.
  const about = relations.filter(({ of }) => of.input === first.of.input)
  const groups = new Map(
    about.map(({ section, of }) => {
      const group = { from: section.from, to: section.from + section.count, ofFrom: of.from, ofTo: of.from + of.count }
      return [JSON.stringify(group), group]
    }),
  )
  const ordered = [...groups.values()].sort((a, b) => a.from - b.from)
  const overlap = ordered.some(({ from }, i) => i > 0 && from < ordered[i - 1]!.to)
  const isWhole = ordered[0]!.from === 0 && ordered.at(-1)!.to === elementCount(whole.type.shape)
  return overlap || !isWhole ? undefined : { of: first.of.input, kind: first.kind, groups: ordered }
}

/**
 * What the inputs of an entry are to look-ups, in their order: which elements pick rows of which tables, and which inputs say how many of the
 * indices are in bags. Nothing is said of inputs that anything else reads too, or in another order than they have.
 */
export function findUses(graph: Graph): readonly InputUse[] {
  const trace = createTrace()
  const readers = readersOf(graph, trace)
  const users = new Map<Node, Node[]>()
  for (const node of graph.nodes) for (const operand of node.operands) users.set(operand, [...(users.get(operand) ?? []), node])

  /** The part of an input that look-ups take a value's elements from. */
  const find = (value: Node | undefined): Section | undefined => {
    const traced = value && trace(value)
    return traced && sectionOf(traced, value)
  }

  function relationsOf({ value, node }: Reader): readonly (Relation & { readonly section: Section })[] | undefined {
    const section = find(value)
    if (!node || !section) return undefined
    const { scale, indices, lengths } = namedOperands(node)
    if (scale === value) {
      const of = find(indices)
      return of && [{ kind: 'weightsOf', of, section }]
    }
    if (node.op !== 'bagOffsets' || lengths !== value || !trace(value)!.same) return undefined
    const kind = node.attributes.given === 'lengths' ? 'lengthsOf' : 'offsetsOf'
    const bags = (users.get(node) ?? []).map((user) =>
      find(namedOperands(user).offsets === node ? namedOperands(user).indices : undefined),
    )
    return bags.every((of) => of !== undefined) ? bags.map((of) => ({ kind, of, section })) : undefined
  }

  /** Whether a look-up reads all of its indices, or as many as an input says. */
  function saysUsed(node: Node, uses: readonly InputUse[], { input, from, count }: Section): boolean {
    if (node.op !== 'raggedEmbeddingBag') return true
    const { lengths } = namedOperands(namedOperands(node).offsets!)
    if (lengths?.op === 'concat' && lengths.operands.at(-1)!.data) return true
    const at = graph.inputs.indexOf(input)
    return uses.some(
      ({ lengthsOf, offsetsOf, groups }) =>
        (lengthsOf ?? offsetsOf) === at && (groups?.some(({ ofFrom, ofTo }) => ofFrom === from && ofTo === from + count) ?? true),
    )
  }

  function picked({ value, node }: Reader, uses: readonly InputUse[]): NonNullable<InputUse['indices']>[number] | undefined {
    const table = node && tableOfLookup(node)
    const section = find(value)
    if (!table || !section || namedOperands(node).indices !== value || !trace(value)!.same) return undefined
    if (!saysUsed(node, uses, section)) return undefined
    const { from, count } = section
    return { table: table.data!.label, rows: table.type.shape[0]!, from, to: from + count }
  }

  const related = graph.inputs.map((input): InputUse => {
    const relations = readers(input).map(relationsOf)
    if (relations.some((each) => each === undefined)) return {}
    const found = together(
      relations.flatMap((each) => each!),
      input,
    )
    if (!found) return {}
    const { from, to, ofFrom, ofTo } = found.groups[0]!
    const isOne =
      from === 0 && to === elementCount(input.type.shape) && ofFrom === 0 && ofTo === elementCount(found.of.type.shape)
    return { [found.kind]: graph.inputs.indexOf(found.of), ...(!isOne && { groups: found.groups }) }
  })
  return graph.inputs.map((input, i): InputUse => {
    const all = readers(input)
    const indices = all.map((reader) => picked(reader, related))
    if (all.length === 0 || indices.some((each) => each === undefined)) return related[i]!
    return { indices: indices.map((each) => each!).toSorted((a, b) => a.from - b.from) }
  })
}
