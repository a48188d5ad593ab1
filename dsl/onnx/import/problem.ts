import { ModelProblem } from '../../../compiler/graph/index.ts'

/** Something in an ONNX file that the importer cannot take over. */
export interface Unsupported {
  readonly op: string
  /** `''` is ai.onnx. */
  readonly domain: string
  /** Version of the domain that the file imports; 0 where it is an input or output of the graph. */
  readonly opset: number
  /** Name of the node, or of its first output where it has none. As in the file. */
  readonly node: string
  readonly what: string
  readonly remedy: string | undefined
}

/** What is wrong where no size and no constant would help. */
export const noCounterpart = 'there is no counterpart for this operator'

/** Everything that an import failed for, all at once. */
export class UnsupportedOperators extends ModelProblem {
  readonly list: readonly Unsupported[]
  /** Nodes that were imported before the first that was not. */
  readonly reached: number
  /** @param hint a last line of the message */
  constructor(list: readonly Unsupported[], hint?: string, reached = 0) {
    super('onnx-unsupported', [textOf(list), ...(hint ? [hint] : [])].join('\n'))
    this.list = list
    this.reached = reached
  }
}

/** Nodes with the same trouble share a line. */
function textOf(list: readonly Unsupported[]): string {
  const groups = new Map<string, Unsupported[]>()
  for (const entry of list) {
    const key = JSON.stringify([entry.op, entry.domain, entry.what, entry.remedy])
    groups.set(key, [...(groups.get(key) ?? []), entry])
  }
  const lines = [...groups.values()].map((group) => {
    const { op, domain, opset, what, remedy } = group[0]!
    const shown = group.slice(0, 3).map(({ node }) => `'${printable(node)}'`)
    const more = group.length > 3 ? ` and ${group.length - 3} more` : ''
    const name = domain === '' ? op : `${domain}.${op}`
    const place = opset === 0 ? printable(name) : `${printable(name)} (opset ${opset}), node`
    return `- ${place} ${shown.join(', ')}${more}: ${printable(what)}${remedy ? `; ${printable(remedy)}` : ''}`
  })
  const noun = list.every(({ opset }) => opset > 0) ? 'node' : 'thing'
  const things = list.length === 1 ? `one ${noun}` : `${list.length} ${noun}s`
  return [`${things} cannot be imported:`, ...lines].join('\n')
}

/** Text of a file in a message: one line, bounded. */
export function printable(text: string, longest = 400): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
  return line.length > longest ? `${line.slice(0, longest)}…` : line
}

/** Thrown by rules through `OpContext.unsupported`; ends the import of one node. */
export class Stop extends Error {
  readonly remedy: string | undefined
  constructor(what: string, remedy: string | undefined) {
    super(what)
    this.remedy = remedy
  }
}
