import { type Builder, createBuilder } from './builder.ts'
import { type DType, isDType } from './dtype.ts'
import type { AttributeValue, ConstantData, Graph, Node, Output } from './node.ts'
import { definitionOf, isOpName } from './ops/index.ts'
import { inlineElements, readElements, readHex } from './print.ts'
import { ModelProblem } from './problem.ts'
import { elementCount, printType, sameType, type TensorType } from './type.ts'

/** Text that is not a graph. `line` counts from 1. */
export class GraphTextError extends Error {
  override readonly name = 'GraphTextError'
  readonly line: number
  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`)
    this.line = line
  }
}

/**
 * Reads the text form of a graph. `constants` gives the payloads of constants that are printed without values, by label; one that is
 * missing there gets a payload of zeros. Inline values give a payload of their own, so that printing the result gives the text back.
 * Throws GraphTextError.
 */
export function parseGraph(text: string, constants: ReadonlyMap<string, ConstantData> = new Map()): Graph {
  const lines = text.split('\n')
  const payloads = new Map<string, ConstantData>()
  let at = 0

  /** The next line that says something; undefined behind the last. */
  function nextLine(): Reader | undefined {
    while (at < lines.length) {
      const line = createReader(lines[at]!, ++at)
      if (!line.done()) return line
    }
    return undefined
  }

  function end(line: Reader): void {
    if (!line.done()) line.fail(`unexpected ${line.next()}`)
  }

  /** From the line that names the graph to its return line. */
  function readGraph(first: Reader): Graph {
    const builder = createBuilder()
    const nodes = new Map<string, Node>()
    const find = (name: string, line: Reader) => nodes.get(name) ?? line.fail(`${name} is not defined`)
    first.expect('graph')
    const name = first.string()
    const inputs = first.list('(', ')', first.reference)
    end(first)
    for (let line = nextLine(); line; line = nextLine()) {
      if (line.accept('return')) {
        const outputs: Output[] = []
        while (outputs.length === 0 || line.accept(',')) {
          const output = line.string()
          line.expect('=')
          outputs.push({ name: output, value: find(line.reference(), line) })
        }
        end(line)
        return builder.finish(
          name,
          inputs.map((input) => find(input, first)),
          outputs,
        )
      }
      const result = line.reference()
      if (nodes.has(result)) line.fail(`${result} is defined twice`)
      nodes.set(result, readNode(line, builder, nodes, constants, payloads, readBodies))
      end(line)
    }
    throw new GraphTextError(lines.length, 'the graph has no return line')
  }

  let depth = 0
  function readBodies(count: number): readonly Graph[] {
    if (count === 0) return []
    const open = nextLine()
    if (!open) throw new GraphTextError(lines.length, 'expected {')
    open.expect('{')
    end(open)
    if (++depth > maximumDepth) open.fail('bodies are nested too deeply')
    const bodies = Array.from({ length: count }, () => {
      const first = nextLine()
      if (!first) throw new GraphTextError(lines.length, 'expected `graph "name"(inputs)`')
      return readGraph(first)
    })
    depth--
    const close = nextLine()
    if (!close) throw new GraphTextError(lines.length, 'expected }')
    close.expect('}')
    end(close)
    return bodies
  }

  const first = nextLine()
  if (!first) throw new GraphTextError(1, 'expected `graph "name"(inputs)`')
  const graph = readGraph(first)
  nextLine()?.fail('the graph ended with its return line')
  return graph
}

/** Bodies within bodies. */
const maximumDepth = 32

function readNode(
  line: Reader,
  builder: Builder,
  nodes: ReadonlyMap<string, Node>,
  constants: ReadonlyMap<string, ConstantData>,
  payloads: Map<string, ConstantData>,
  readBodies: (count: number) => readonly Graph[],
): Node {
  line.expect('=')
  const op = line.word()
  if (!isOpName(op)) line.fail(`unknown op '${op}'`)
  const operands = line.peek('(') ? line.list('(', ')', line.reference) : []
  const attributes = line.peek('{') ? readAttributes(line) : {}
  const payload = line.accept('@') ? { label: line.string(), values: readValues(line) } : undefined
  line.expect(':')
  const type = readType(line)
  if (definitionOf(op).traits.includes('storage') && !payload) {
    const name = attributes.name
    if (typeof name !== 'string') return line.fail(`${op} needs ${op === 'constant' ? 'a payload' : 'a name'}`)
    return builder.input(name, type)
  }
  if (payload) {
    const data = readPayload(line, type, payload, constants.get(payload.label), payloads.get(payload.label))
    payloads.set(payload.label, data)
    return builder.constant(type, data)
  }
  const resolved = operands.map((name) => nodes.get(name) ?? line.fail(`${name} is not defined above`))
  const bodies = readBodies(definitionOf(op).bodies ?? 0)
  try {
    const node = builder.addFlat(op, resolved, attributes, undefined, bodies)
    if (!sameType(node.type, type)) line.fail(`${op} gives ${printType(node.type)}, the text says ${printType(type)}`)
    return node
  } catch (error) {
    if (error instanceof ModelProblem) return line.fail(error.message)
    throw error
  }
}

type Values =
  | { readonly kind: 'elements'; readonly texts: readonly string[] }
  | { readonly kind: 'bytes'; readonly hex: string }
  | undefined

function readValues(line: Reader): Values {
  if (line.peek('[')) return { kind: 'elements', texts: line.list('[', ']', line.number) }
  return line.accept('bytes') ? { kind: 'bytes', hex: line.string() } : undefined
}

function readPayload(
  line: Reader,
  type: TensorType,
  { label, values }: { readonly label: string; readonly values: Values },
  given: ConstantData | undefined,
  earlier: ConstantData | undefined,
): ConstantData {
  if (earlier) return earlier
  if (given) return given
  const count = elementCount(type.shape)
  if (!values) {
    if (count <= inlineElements) line.fail(`${printType(type)} needs its values`)
    const { dtype } = type
    return { label, read: () => zeros(dtype, count) }
  }
  const bytes =
    values.kind === 'bytes'
      ? readHex(type, values.hex)
      : values.texts.length === count
        ? readElements(type.dtype, values.texts)
        : undefined
  if (!bytes) line.fail(`the values do not fit ${printType(type)}`)
  return { label, read: () => bytes! }
}

const zeros = (dtype: DType, count: number): Uint8Array => readElements(dtype, new Array<string>(count).fill('0'))!

function readAttributes(line: Reader): Record<string, AttributeValue> {
  const entries = line.list('{', '}', () => {
    const key = line.word()
    line.expect(':')
    return [key, readValue(line, 0)] as const
  })
  return Object.fromEntries(entries)
}

function readValue(line: Reader, depth: number): AttributeValue {
  if (depth > 8) line.fail('lists are nested too deeply')
  if (line.peek('[')) return line.list('[', ']', () => readValue(line, depth + 1))
  if (line.peek('"')) return line.string()
  if (line.accept('true')) return true
  if (line.accept('false')) return false
  return Number(line.number())
}

function readType(line: Reader): TensorType {
  const dtype = line.word()
  if (!isDType(dtype)) return line.fail(`unknown dtype '${dtype}'`)
  const numbers = () => line.list('[', ']', () => Number(line.number()))
  const shape = numbers()
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) line.fail(`[${shape.join(', ')}] is not a shape`)
  if (!line.accept('quantized')) return { dtype, shape }
  line.expect('(')
  const scale = numbers()
  line.expect(',')
  const zeroPoint = numbers()
  const axis = line.accept(',') ? { axis: Number(line.number()) } : {}
  line.expect(')')
  return { dtype, shape, quantization: { scale, zeroPoint, ...axis } }
}

/** Reads one line from left to right; every method fails with the line's number. */
interface Reader {
  done(): boolean
  next(): string
  peek(start: string): boolean
  accept(token: string): boolean
  expect(token: string): void
  word(): string
  string(): string
  number(): string
  reference(): string
  list<T>(open: string, close: string, item: () => T): T[]
  fail(message: string): never
}

const token = /\s*(?:\/\/.*|("(?:[^"\\]|\\.)*"|%\d+|-?(?:Infinity|NaN|\d[\d.]*(?:[eE][+-]?\d+)?)|[A-Za-z_]\w*|[^\s]))?/y

function createReader(source: string, line: number): Reader {
  const tokens: string[] = []
  token.lastIndex = 0
  while (token.lastIndex < source.length) {
    const found = token.exec(source)?.[1]
    if (found === undefined) break
    tokens.push(found)
  }
  let at = 0
  const next = () => (at < tokens.length ? tokens[at]! : 'the end of the line')
  const fail = (message: string): never => {
    throw new GraphTextError(line, message)
  }
  const take = (pattern: RegExp, what: string): string =>
    pattern.test(next()) && at < tokens.length ? tokens[at++]! : fail(`expected ${what}, found ${next()}`)
  const reader: Reader = {
    done: () => at >= tokens.length,
    next,
    peek: (start) => tokens[at]?.startsWith(start) ?? false,
    accept: (expected) => {
      if (tokens[at] !== expected) return false
      at++
      return true
    },
    expect: (expected) => {
      if (tokens[at] !== expected) fail(`expected ${expected}, found ${next()}`)
      at++
    },
    word: () => take(/^[A-Za-z_]\w*$/, 'a name'),
    number: () => take(/^-?(?:Infinity|NaN|\d[\d.]*(?:[eE][+-]?\d+)?)$/, 'a number'),
    reference: () => take(/^%\d+$/, 'a node such as %0'),
    string: () => {
      const text = take(/^".*"$/s, 'a quoted name')
      try {
        return JSON.parse(text) as string
      } catch {
        return fail(`${text} is not a quoted name`)
      }
    },
    list: (open, close, item) => {
      reader.expect(open)
      const items: ReturnType<typeof item>[] = []
      if (reader.accept(close)) return items
      do items.push(item())
      while (reader.accept(','))
      reader.expect(close)
      return items
    },
    fail,
  }
  return reader
}
