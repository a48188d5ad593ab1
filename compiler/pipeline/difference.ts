// What a pass did to a graph, as lines taken out and lines put in. Nodes that a pass only carried over keep their names, so that a change
// of one node does not renumber all that follow.
import { type Graph, type Node, numberNodes, printGraph } from '../graph/index.ts'
import type { PassChange } from './runPasses.ts'

/** One place where two texts differ, with the equal lines around it. `first` is the number of its first line in the earlier text, from 1. */
export interface Hunk {
  readonly first: number
  /** Each line begins with `  `, `- ` or `+ `. */
  readonly lines: readonly string[]
}

/** What a pass changed, with `context` equal lines around each place. Empty where it changed nothing. */
export function differenceOf({ before, graph, became }: PassChange, context = 1): readonly Hunk[] {
  const names = numberNodes(before)
  const later = new Map<Node, string>()
  for (const node of before.nodes) {
    const image = became?.get(node)
    if (image && !later.has(image)) later.set(image, names.get(node)!)
  }
  let next = before.nodes.length
  for (const node of graph.nodes) if (!later.has(node)) later.set(node, `%${next++}`)
  return differenceOfTexts(linesOf(before, names), linesOf(graph, later), context)
}

const linesOf = (graph: Graph, names: ReadonlyMap<Node, string>): string[] => printGraph(graph, { names }).trimEnd().split('\n')

/** The places where two texts differ. Lines that occur once in both are what is compared; others count as changed between equal ones. */
export function differenceOfTexts(before: readonly string[], after: readonly string[], context = 1): readonly Hunk[] {
  const edits: { readonly mark: '  ' | '- ' | '+ '; readonly line: string; readonly at: number }[] = []
  let [i, j] = [0, 0]
  const upTo = (nextI: number, nextJ: number) => {
    // Equal lines at both ends of a gap are no difference, even where they occur several times.
    while (i < nextI && j < nextJ && before[i] === after[j]) {
      edits.push({ mark: '  ', line: before[i]!, at: i++ })
      j++
    }
    let same = 0
    while (nextI - same > i && nextJ - same > j && before[nextI - same - 1] === after[nextJ - same - 1]) same++
    while (i < nextI - same) edits.push({ mark: '- ', line: before[i]!, at: i++ })
    while (j < nextJ - same) edits.push({ mark: '+ ', line: after[j++]!, at: i })
    for (; i < nextI; j++) edits.push({ mark: '  ', line: before[i]!, at: i++ })
  }
  for (const [a, b] of commonLines(before, after)) {
    upTo(a, b)
    edits.push({ mark: '  ', line: before[a]!, at: a })
    ;[i, j] = [a + 1, b + 1]
  }
  upTo(before.length, after.length)

  const near = edits.map(() => false)
  for (const [at, { mark }] of edits.entries()) {
    if (mark === '  ') continue
    for (let k = Math.max(0, at - context); k <= Math.min(edits.length - 1, at + context); k++) near[k] = true
  }
  const hunks: { first: number; lines: string[] }[] = []
  for (const [at, { mark, line, at: number }] of edits.entries()) {
    if (!near[at]) continue
    if (!near[at - 1]) hunks.push({ first: number + 1, lines: [] })
    hunks.at(-1)!.lines.push(mark + line)
  }
  return hunks
}

/** Positions of lines that occur once in each text, in one order in both: a longest increasing subsequence. */
function commonLines(before: readonly string[], after: readonly string[]): (readonly [number, number])[] {
  const places = (lines: readonly string[]) => {
    const found = new Map<string, number>()
    for (const [i, line] of lines.entries()) found.set(line, found.has(line) ? -1 : i)
    return found
  }
  const [first, second] = [places(before), places(after)]
  const pairs = before.flatMap((line, i) => {
    const j = second.get(line)
    return first.get(line) === i && j !== undefined && j >= 0 ? [[i, j] as const] : []
  })
  // Patience sorting: `ends[n]` is the pair that ends the best subsequence of n + 1 pairs so far.
  const ends: number[] = []
  const previous = pairs.map(() => -1)
  for (const [at, [, j]] of pairs.entries()) {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (pairs[ends[middle]!]![1] < j) low = middle + 1
      else high = middle
    }
    previous[at] = low > 0 ? ends[low - 1]! : -1
    ends[low] = at
  }
  const result: (readonly [number, number])[] = []
  for (let at = ends.at(-1) ?? -1; at >= 0; at = previous[at]!) result.unshift(pairs[at]!)
  return result
}
