// A reproducer archive: one safetensors file with a graph as text, its weights, inputs, and what was to be done with them. Whoever gets
// one may not know where it comes from, so everything in it is checked.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import {
  byteSize,
  type ConstantData,
  constantsOf,
  elementCount,
  type Graph,
  GraphTextError,
  graphsWithin,
  inlineElements,
  inputName,
  ModelProblem,
  type Node,
  parseGraph,
  printGraph,
  printType,
} from '../../compiler/graph/index.ts'
import type { CompileError } from '../../compiler/pipeline.ts'
import { openTensorFile, type TensorFile } from '../../dsl/safetensors.ts'
import { layOutTensors, type TensorSource } from '../../dsl/safetensorsWriter.ts'
import { writePieces } from '../bundle/write.ts'

declare const GLOWPLUG_VERSION: string

const format = 'glowplug reproducer 1'

const text = z.string().max(4000)
const record = z
  .strictObject({
    /** `request`: inputs of a whole entry; `layer`: those of a part of it; `failure`: the compiler itself failed. */
    kind: z.enum(['request', 'layer', 'failure']),
    glowplug: text,
    target: text.exactOptional(),
    level: text.exactOptional(),
    /** Of a failure: the step, what it said, and what was still to do, as `CompileError` has them. */
    step: text.exactOptional(),
    message: text.exactOptional(),
    phase: text.exactOptional(),
    remaining: z.string().max(100_000).exactOptional(),
    assumeFinite: z.boolean().exactOptional(),
    /** SHA-256 of names, types and elements of the tensors. Archives made by hand, and those of earlier versions, have none. */
    digest: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .exactOptional(),
    /** Labels of constants that were too large to be kept; they are zeros. */
    omitted: z.array(z.string().max(1000)).max(100_000).readonly().exactOptional(),
  })
  .readonly()

/** What was to be done. */
export type ArchiveRecord = z.output<typeof record>

export interface Archive {
  readonly graph: Graph
  /** Little-endian dense bytes by name: of every input, or empty where it is about compiling alone. */
  readonly inputs: Readonly<Record<string, Uint8Array>>
  readonly record: ArchiveRecord
}

/** A file that is no archive, or a damaged one. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
}

/** Constants of one archive beyond this many bytes are left out, the largest first to go. */
const maximumConstants = 2 ** 30
/** Characters of the text of a graph. */
const maximumText = 2 ** 26

/** Writes an archive to `path`, whole or not at all; resolves to its bytes. `limit` bounds the bytes of constants (default 1 GiB). */
export async function writeArchive(
  path: string,
  {
    graph,
    inputs,
    record,
  }: Omit<Archive, 'record'> & { readonly record: Omit<ArchiveRecord, 'glowplug' | 'omitted' | 'digest'> },
  limit = maximumConstants,
): Promise<number> {
  const tensors = new Map<string, TensorSource>()
  for (const input of graph.inputs) {
    const bytes = inputs[inputName(input)]
    if (bytes) tensors.set(`input:${inputName(input)}`, { type: plain(input), read: () => bytes })
  }
  const types = new Map<ConstantData, Node>()
  for (const { nodes } of graphsWithin(graph))
    for (const node of nodes) if (node.data && !types.has(node.data)) types.set(node.data, node)
  const stored = [...constantsOf(graph)]
    .map(([label, data]) => ({ label, data, node: types.get(data)! }))
    .filter(({ node }) => elementCount(node.type.shape) > inlineElements)
  const omitted: string[] = []
  let left = limit
  for (const { label, data, node } of [...stored].sort((a, b) => byteSize(a.node.type) - byteSize(b.node.type))) {
    left -= byteSize(node.type)
    if (left < 0) omitted.push(label)
    else tensors.set(`weight:${label}`, { type: plain(node), read: () => data.read() })
  }
  const short = (value: string) => value.slice(0, 4000)
  const about: ArchiveRecord = {
    ...record,
    ...(record.message !== undefined && { message: short(record.message) }),
    glowplug: GLOWPLUG_VERSION,
    digest: digestOf(tensors),
    ...(omitted.length > 0 && { omitted }),
  }
  const contents = layOutTensors(tensors, {
    format,
    record: JSON.stringify(about),
    graph: printGraph(graph, { locations: true }),
  })
  await writePieces(path, contents.chunks())
  return contents.size
}

/** What a failed compilation was about, for `writeArchive`. */
export const archiveOfFailure = (
  { standing, step, cause }: CompileError,
  options: Pick<ArchiveRecord, 'target' | 'level' | 'assumeFinite'> = {},
): Parameters<typeof writeArchive>[1] => ({
  graph: standing.graph,
  inputs: {},
  record: {
    kind: 'failure',
    step,
    message: cause instanceof Error ? cause.message : String(cause),
    phase: standing.phase,
    remaining: standing.remaining,
    ...options,
  },
})

/** Of tensors in the order of their names. */
function digestOf(tensors: ReadonlyMap<string, TensorSource>): string {
  const hash = createHash('sha256')
  for (const [name, { type, read }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${JSON.stringify(name)} ${printType(type)}\n`).update(read())
  return hash.digest('hex')
}

/** A constant may stand for other numbers than its elements; in the file only these count. */
const plain = ({ type: { dtype, shape } }: Node) => ({ dtype, shape })

/** Reads and checks an archive, its tensors included. Throws ArchiveError. */
export function readArchive(path: string): Archive {
  try {
    return parseArchive(openTensorFile(path))
  } catch (error) {
    if (!(error instanceof ModelProblem || error instanceof GraphTextError)) throw error
    throw new ArchiveError(`${path} is no reproducer archive: ${error.message}`, { cause: error })
  }
}

function parseArchive(file: TensorFile): Archive {
  const fail = (what: string): never => {
    throw new ArchiveError(`${file.path} is no reproducer archive: ${what}`)
  }
  const found = file.metadata.get('format')
  if (found !== format)
    fail(found?.startsWith('glowplug ') ? `it says '${found}', this version reads '${format}'` : 'it is a file of tensors alone')
  const about = parseRecord(file.metadata.get('record') ?? '', fail)
  const source = file.metadata.get('graph') ?? fail('it has no graph')
  if (source.length > maximumText) fail(`its graph has ${source.length} characters, the limit is ${maximumText}`)

  const constants = new Map<string, ConstantData>()
  const given = new Map<string, ConstantData>()
  const tensors = new Map<string, TensorSource>()
  for (const [name, { dtype, shape, format: spelled }] of file.entries) {
    const [, role, rest] = /^(weight|input):(.+)$/s.exec(name) ?? fail(`it has a tensor '${name.slice(0, 100)}'`)
    const type = { dtype: dtype ?? fail(`a tensor is of type ${spelled}`), shape }
    const data = file.data(name, type.dtype, shape)
    tensors.set(name, { type, read: data.read })
    if (role === 'weight') constants.set(rest!, { label: rest!, read: data.read })
    else given.set(rest!, data)
  }
  const graph = parseGraph(source, constants)
  const omitted = new Set(about.omitted)
  for (const node of graph.nodes) {
    if (!node.data || elementCount(node.type.shape) <= inlineElements) continue
    const entry = file.entries.get(`weight:${node.data.label}`)
    if (!entry && !omitted.has(node.data.label)) fail(`the constant '${node.data.label}' is missing`)
    if (entry && (entry.dtype !== node.type.dtype || entry.end - entry.begin !== byteSize(node.type)))
      fail(`the constant '${node.data.label}' is no ${printType(node.type)}`)
  }
  const inputs: Record<string, Uint8Array> = {}
  for (const input of graph.inputs) {
    const name = inputName(input)
    const entry = file.entries.get(`input:${name}`)
    if (!entry) continue
    if (entry.dtype !== input.type.dtype || entry.shape.join() !== input.type.shape.join())
      fail(`input '${name}' is no ${printType(plain(input))}`)
    Object.defineProperty(inputs, name, { value: given.get(name)!.read(), enumerable: true })
  }
  if (about.digest !== undefined && digestOf(tensors) !== about.digest)
    fail('its weights or inputs are damaged: they are not those that were written')
  const count = Object.keys(inputs).length
  if (count !== given.size || (count > 0 && count !== graph.inputs.length)) fail('its inputs are not those of its graph')
  return { graph, inputs, record: about }
}

function parseRecord(source: string, fail: (what: string) => never): ArchiveRecord {
  let value: unknown
  try {
    value = JSON.parse(source)
  } catch {
    return fail('its record is not JSON')
  }
  const parsed = record.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  return fail(`its record is not one: ${issue.path.join('.')}: ${issue.message}`)
}
