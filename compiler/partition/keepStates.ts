import { copyNodes, createBuilder, inputName, type ModelState, type Node, type Output } from '../graph/index.ts'
import type { Part, PartitionedGraph, Source } from './cut.ts'

/** The parts of a model's entries, some of which have states of their own. */
export interface KeptStates {
  /** By name of a state, the part that alone reads and makes it. States that several parts have are none of these. */
  readonly homes: ReadonlyMap<string, string>
  /** By part, its states: `input` and `output` are names of its graphs. */
  readonly states: ReadonlyMap<string, readonly ModelState[]>
  /** Each entry without these states among its inputs and outputs. */
  readonly entries: readonly PartitionedGraph[]
}

/** Names of parts that an entry's nodes read or make a state in, and the other states whose old values it becomes as they are. */
function touchesOf(state: ModelState, { parts, outputs }: PartitionedGraph, states: readonly ModelState[]) {
  const readers = parts.flatMap(({ name, sources }) =>
    sources.some((source) => source.kind === 'input' && source.name === state.input) ? [name] : [],
  )
  const made = outputs.flatMap(({ name, from }) => (name === state.output ? [from] : []))
  return {
    parts: [...readers, ...made.flatMap((from) => (from.kind === 'value' ? [from.part] : []))],
    states: made.flatMap((from) =>
      from.kind === 'input' ? states.filter(({ input }) => input === from.name).map(({ name }) => name) : [],
    ),
  }
}

/** Names of states, those that become one another together. */
function groupsOf(entries: readonly PartitionedGraph[], states: readonly ModelState[]): readonly ReadonlySet<string>[] {
  let groups = states.map(({ name }) => new Set([name]))
  for (const entry of entries)
    for (const state of states) {
      const names = new Set([state.name, ...touchesOf(state, entry, states).states])
      const joined = groups.filter((group) => [...group].some((name) => names.has(name)))
      groups = [...groups.filter((group) => !joined.includes(group)), new Set(joined.flatMap((group) => [...group]))]
    }
  return groups
}

/** The part of each state that one part alone has; `home` where nothing is computed of it. */
function homesOf(
  entries: readonly PartitionedGraph[],
  states: readonly ModelState[],
  home: string | undefined,
): ReadonlyMap<string, string> {
  const homes = new Map<string, string>()
  for (const group of groupsOf(entries, states)) {
    const own = states.filter(({ name }) => group.has(name))
    const parts = new Set(own.flatMap((state) => entries.flatMap((entry) => touchesOf(state, entry, states).parts)))
    const [part = home] = parts
    if (part !== undefined && parts.size <= 1) for (const { name } of own) homes.set(name, part)
  }
  return homes
}

/** A name that nothing has yet. */
function createNames(entries: readonly PartitionedGraph[]): (wanted: string) => string {
  const taken = new Set(
    entries.flatMap(({ inputs, parts }) => [
      ...inputs.map(inputName),
      ...parts.flatMap(({ graph }) => [...graph.inputs.map(inputName), ...graph.outputs.map(({ name }) => name)]),
    ]),
  )
  return (wanted) => {
    let name = wanted
    while (taken.has(name)) name += '_'
    taken.add(name)
    return name
  }
}

/** A state as the entries have it, and as its part does. */
interface Kept {
  readonly whole: ModelState
  readonly own: ModelState
  /** The output by which an entry gives callers the value that it found. */
  readonly shown: string
}

/**
 * Gives each state that one part alone reads and makes to that part, to be compiled as a state of it: neither an input of the part nor an output. Values
 * that other parts or callers get stay outputs besides. Where an entry gives callers the state as it found it, or a state becomes an input as it
 * came, the part does that. `home` is the part of states of which nothing is computed.
 */
export function keepStates(
  entries: readonly PartitionedGraph[],
  states: readonly ModelState[],
  home: string | undefined,
): KeptStates {
  const homes = homesOf(entries, states, home)
  const nameFor = createNames(entries)
  const kept = states.flatMap((whole): Kept[] => {
    const { name } = whole
    if (!homes.has(name)) return []
    const own = { ...whole, input: nameFor(`${name}.before`), output: nameFor(`${name}.after`) }
    return [{ whole, own, shown: nameFor(`${name}.found`) }]
  })
  const ofPart = (part: string) => kept.filter(({ whole }) => homes.get(whole.name) === part)
  return {
    homes,
    states: new Map(
      [...new Set(homes.values())].map((part): [string, readonly ModelState[]] => [part, ofPart(part).map(({ own }) => own)]),
    ),
    entries: entries.map((entry) => (kept.length > 0 ? rewrite(entry, kept, homes) : entry)),
  }
}

function rewrite(entry: PartitionedGraph, kept: readonly Kept[], homes: ReadonlyMap<string, string>): PartitionedGraph {
  const { inputs } = entry
  const keptInput = (name: string) => kept.find(({ whole }) => whole.input === name)
  const isNext = (name: string) => kept.some(({ whole }) => whole.output === name)
  const outputs = entry.outputs
    .filter(({ name }) => !isNext(name))
    .map(({ name, from }): PartitionedGraph['outputs'][number] => {
      const found = from.kind === 'input' ? keptInput(from.name) : undefined
      if (!found) return { name, from }
      return { name, from: { kind: 'value', part: homes.get(found.whole.name)!, output: found.shown } }
    })
  /** Outputs of parts that somebody gets. */
  const got = new Set<string>()
  for (const from of [...entry.parts.flatMap(({ sources }) => sources), ...outputs.map((output) => output.from)])
    if (from.kind === 'value') got.add(`${from.part} ${from.output}`)

  function part({ name, graph, sources }: Part): Part {
    const builder = createBuilder()
    const made = new Map<Node, Node>()
    const entered = new Map<string, Node>()
    const nodes: Node[] = []
    const origins: Source[] = []
    const enter = (input: string, type: Node['type'], source: Source): Node => {
      const node = builder.input(input, type)
      nodes.push(node)
      origins.push(source)
      if (source.kind === 'input') entered.set(source.name, node)
      return node
    }
    graph.inputs.forEach((input, i) => {
      const source = sources[i]!
      const own = source.kind === 'input' ? keptInput(source.name)?.own.input : undefined
      made.set(input, enter(own ?? inputName(input), input.type, source))
    })
    copyNodes(graph, builder, made)
    /** An input of the entry, where the part reads it or where it is to pass it on. */
    const inputOf = (input: string): Node =>
      entered.get(input) ??
      enter(keptInput(input)?.own.input ?? input, inputs.find((node) => inputName(node) === input)!.type, {
        kind: 'input',
        name: input,
      })
    const results: Output[] = graph.outputs.flatMap((output) =>
      got.has(`${name} ${output.name}`) ? [{ name: output.name, value: made.get(output.value)! }] : [],
    )
    for (const { whole, own, shown } of kept) {
      if (homes.get(whole.name) !== name) continue
      if (got.has(`${name} ${shown}`)) results.push({ name: shown, value: inputOf(whole.input) })
      const from = entry.outputs.find((output) => output.name === whole.output)?.from
      if (from?.kind === 'value') {
        const { value } = graph.outputs.find((output) => output.name === from.output)!
        results.push({ name: own.output, value: made.get(value)! })
      } else if (from && from.name !== whole.input) results.push({ name: own.output, value: inputOf(from.name) })
    }
    return { name, graph: builder.finish(graph.name, nodes, results), sources: origins }
  }

  /** What an entry does to states of parts that compute nothing there. */
  const idle = kept.flatMap(({ whole, shown }) => {
    const home = homes.get(whole.name)!
    if (entry.parts.some(({ name }) => name === home)) return []
    const from = entry.outputs.find(({ name }) => name === whole.output)?.from
    return got.has(`${home} ${shown}`) || (from?.kind === 'input' && from.name !== whole.input) ? [home] : []
  })
  const added = [...new Set(idle)].map(
    (name): Part => ({ name, graph: createBuilder().finish(`${entry.name}.${name}`, [], []), sources: [] }),
  )
  return {
    ...entry,
    inputs: inputs.filter((node) => !keptInput(inputName(node))),
    parts: [...entry.parts, ...added].map(part),
    outputs,
  }
}
