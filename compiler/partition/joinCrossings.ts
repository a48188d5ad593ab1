import { copyNodes, createBuilder, elementCount, type Node } from '../graph/index.ts'
import type { Part, PartitionedGraph, Source } from './cut.ts'

/** Values of one part that the same parts read, to be sent as one. */
interface Bundle {
  readonly output: string
  readonly members: readonly { readonly output: string; readonly from: number; readonly type: Node['type'] }[]
  readonly elements: number
  readonly dtype: Node['type']['dtype']
}

const keyOf = (part: string, output: string): string => `${part} ${output}`

/** Names of the parts that read each value, by part and output; callers count as a part without a name. */
function readersOf({ parts, outputs }: PartitionedGraph): ReadonlyMap<string, ReadonlySet<string>> {
  const readers = new Map<string, Set<string>>()
  const note = (source: Source, reader: string) => {
    if (source.kind === 'input') return
    const key = keyOf(source.part, source.output)
    readers.set(key, (readers.get(key) ?? new Set()).add(reader))
  }
  for (const { name, sources } of parts) for (const source of sources) note(source, name)
  for (const { from } of outputs) note(from, '')
  return readers
}

/** Values of a part of one dtype and without quantization that the same parts read and no caller gets, if there are several. */
function bundlesOf(part: Part, readers: ReadonlyMap<string, ReadonlySet<string>>, taken: Set<string>): readonly Bundle[] {
  const groups = new Map<string, { readonly name: string; readonly value: Node }[]>()
  for (const output of part.graph.outputs) {
    const of = [...(readers.get(keyOf(part.name, output.name)) ?? [''])].sort()
    const { dtype, quantization, shape } = output.value.type
    if (of.includes('') || quantization || elementCount(shape) === 0) continue
    const key = `${dtype} ${of.join(' ')}`
    groups.set(key, [...(groups.get(key) ?? []), output])
  }
  return [...groups.values()]
    .filter((group) => group.length > 1)
    .map((group, i): Bundle => {
      let output = `${part.name}_joined${i}`
      while (taken.has(output)) output += '_'
      taken.add(output)
      let elements = 0
      const members = group.map(({ name, value }) => {
        const member = { output: name, from: elements, type: value.type }
        elements += elementCount(value.type.shape)
        return member
      })
      return { output, members, elements, dtype: group[0]!.value.type.dtype }
    })
}

/** The part with what it reads and gives in bundles. */
function rewire(part: Part, bundles: ReadonlyMap<string, readonly Bundle[]>): Part {
  const builder = createBuilder()
  const made = new Map<Node, Node>()
  const sources: Source[] = []
  const inputs: Node[] = []
  const entered = new Map<string, Node>()
  const enter = (name: string, type: Node['type'], source: Source): Node => {
    const known = entered.get(name)
    if (known) return known
    const input = builder.input(name, type)
    entered.set(name, input)
    inputs.push(input)
    sources.push(source)
    return input
  }
  part.graph.inputs.forEach((input, i) => {
    const source = part.sources[i]!
    const found = source.kind === 'value' ? findMember(bundles.get(source.part) ?? [], source.output) : undefined
    if (!found || source.kind === 'input') {
      made.set(input, enter(input.attributes.name as string, input.type, source))
      return
    }
    const { bundle, member } = found
    const whole = enter(bundle.output, { dtype: bundle.dtype, shape: [bundle.elements] }, { ...source, output: bundle.output })
    const flat = builder.add(
      'slice',
      { input: whole },
      { start: [member.from], size: [elementCount(member.type.shape)], step: [1] },
    )
    made.set(input, builder.add('reshape', { input: flat }, { shape: [...member.type.shape] }))
  })
  copyNodes(part.graph, builder, made)
  const own = bundles.get(part.name) ?? []
  const joined = new Set(own.flatMap(({ members }) => members.map(({ output }) => output)))
  const outputs = part.graph.outputs
    .filter(({ name }) => !joined.has(name))
    .map(({ name, value }) => ({ name, value: made.get(value)! }))
  for (const { output, members } of own) {
    const flat = members.map((member) => {
      const value = made.get(part.graph.outputs.find(({ name }) => name === member.output)!.value)!
      return builder.add('reshape', { input: value }, { shape: [elementCount(member.type.shape)] })
    })
    outputs.push({ name: output, value: builder.add('concat', { inputs: flat }, { axis: 0 }) })
  }
  return { name: part.name, graph: builder.finish(part.graph.name, inputs, outputs), sources }
}

function findMember(bundles: readonly Bundle[], output: string) {
  for (const bundle of bundles) {
    const member = bundle.members.find((each) => each.output === output)
    if (member) return { bundle, member }
  }
  return undefined
}

/**
 * Joins what one part gives to the same others into one value, so that one transfer takes it across (PA-15): flat, one behind the other, and
 * cut apart where it is read. Values of other dtypes, quantized ones, and those that callers get cross by themselves.
 */
export function joinCrossings(partitioned: PartitionedGraph): PartitionedGraph {
  const readers = readersOf(partitioned)
  const taken = new Set(
    partitioned.parts.flatMap(({ graph }) => [
      ...graph.inputs.map((input) => input.attributes.name as string),
      ...graph.outputs.map(({ name }) => name),
    ]),
  )
  const bundles = new Map(partitioned.parts.map((part) => [part.name, bundlesOf(part, readers, taken)]))
  return { ...partitioned, parts: partitioned.parts.map((part) => rewire(part, bundles)) }
}
