import { reject } from '../../../compiler/graph/index.ts'
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../model.ts'
import { plain, quote } from '../quote.ts'
import { decode } from './decode.ts'
import { elementType } from './elements.ts'
import { type ExternalData, noExternalData } from './external.ts'
import type { Message } from './messages.ts'
import { readFloats, readVarints } from './numbers.ts'
import { readSparse, readTensor } from './tensor.ts'

/** Numbers in an attribute. Larger lists belong into tensors. */
const maximumList = 2 ** 24
const maximumRank = 64

/** Reads an ONNX file. Throws ModelProblem `onnx-malformed` when it is damaged or is something else. */
export function readModel(
  bytes: Uint8Array,
  { external = noExternalData }: { readonly external?: ExternalData } = {},
): OnnxModel {
  if (isPointer(bytes))
    reject('onnx-malformed', 'this is a pointer of Git LFS and not the file that it stands for; fetch that with git lfs pull')
  const proto = decode('ModelProto', bytes)
  if (!proto.graph) return reject('onnx-malformed', 'the file holds no graph; is this an ONNX model?')
  const read = createReader(external)
  const functions = new Map<string, OnnxFunction>()
  for (const each of proto.functions ?? []) {
    const made = readFunction(each, read)
    const key = functionKey(made)
    if (functions.has(key)) reject('onnx-malformed', `there are two functions ${quote(key)}`)
    functions.set(key, made)
  }
  return {
    irVersion: proto.irVersion ?? 0,
    opsets: readOpsets(proto.opsetImport),
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(' '),
    graph: read.graph(proto.graph),
    functions,
  }
}

/** Under which a node finds its function in `OnnxModel.functions`. */
export const functionKey = ({ domain, name, overload }: { domain: string; name: string; overload?: string }): string =>
  overload ? `${domain}::${name}::${overload}` : `${domain}::${name}`

const pointer = new TextEncoder().encode('version https://git-lfs')
const isPointer = (bytes: Uint8Array): boolean => pointer.every((byte, i) => bytes[i] === byte)

/** `ai.onnx` is the long name of the domain without a name. */
const domainOf = (domain: string | undefined): string => (domain === undefined || domain === 'ai.onnx' ? '' : domain)

function readOpsets(imports: readonly Message<'OperatorSetIdProto'>[] | undefined): ReadonlyMap<string, number> {
  const opsets = new Map<string, number>()
  for (const { domain, version = 0 } of imports ?? []) {
    const key = domainOf(domain)
    if (!Number.isSafeInteger(version) || version < 1 || version > 1_000_000)
      reject('onnx-malformed', `the file imports version ${version} of the operators ${quote(key || 'ai.onnx')}`)
    const before = opsets.get(key)
    if (before !== undefined && before !== version)
      reject('onnx-malformed', `the file imports versions ${before} and ${version} of the operators ${quote(key || 'ai.onnx')}`)
    opsets.set(key, version)
  }
  return opsets
}

type Reader = ReturnType<typeof createReader>

function createReader(external: ExternalData) {
  function graph(proto: Message<'GraphProto'>): OnnxGraph {
    const initializers = new Map<string, OnnxTensor>()
    const tensors = [
      ...(proto.initializer ?? []).map((each) => readTensor(each, external)),
      ...(proto.sparseInitializer ?? []).map((each) => readSparse(each, external)),
    ]
    for (const tensor of tensors) {
      if (tensor.name === '') reject('onnx-malformed', `an initializer of graph ${quote(proto.name ?? '')} has no name`)
      if (initializers.has(tensor.name)) reject('onnx-malformed', `there are two initializers ${quote(tensor.name)}`)
      initializers.set(tensor.name, tensor)
    }
    return {
      name: proto.name ?? '',
      nodes: (proto.node ?? []).map(node),
      inputs: (proto.input ?? []).map(readValue),
      outputs: (proto.output ?? []).map(readValue),
      initializers,
    }
  }

  function node(proto: Message<'NodeProto'>): OnnxNode {
    const { opType: op = '', name = '', overload } = proto
    if (op === '') reject('onnx-malformed', `node ${quote(name)} does not say its operator`)
    const attributes = new Map<string, OnnxAttribute>()
    for (const each of proto.attribute ?? []) {
      const key = each.name ?? ''
      if (key === '' || attributes.has(key))
        reject(
          'onnx-malformed',
          `${plain(op)} ${quote(name)}: ${key === '' ? 'an attribute has no name' : `attribute ${quote(key)} is given twice`}`,
        )
      attributes.set(key, attribute(each, `${plain(op)} ${quote(name)}`))
    }
    const base = { op, domain: domainOf(proto.domain), name, inputs: proto.input ?? [], outputs: proto.output ?? [], attributes }
    return overload ? { ...base, overload } : base
  }

  /** `owner` is said in messages. Files of the first versions leave the type of an attribute out; then what is present tells. */
  function attribute(proto: Message<'AttributeProto'>, owner: string): OnnxAttribute {
    if (proto.refAttrName) return { kind: 'reference', value: proto.refAttrName }
    const place = `${owner}: attribute ${quote(proto.name ?? '')}`
    const missing = (): never => reject('onnx-malformed', `${place} does not have the value that its type promises`)
    switch (proto.type || guessType(proto)) {
      case 1:
        return { kind: 'float', value: proto.f ?? 0 }
      case 2:
        return { kind: 'int', value: proto.i ?? 0 }
      case 3:
        return readString(proto.s ?? new Uint8Array(0), (value) => ({ kind: 'string', value }))
      case 4:
        return { kind: 'tensor', value: proto.t ? readTensor(proto.t, external) : missing() }
      case 5:
        return { kind: 'graph', value: proto.g ? graph(proto.g) : missing() }
      case 6:
        return { kind: 'floats', value: readFloats(proto.floats) }
      case 7:
        return {
          kind: 'ints',
          value: readVarints(proto.ints, maximumList, () => reject('onnx-malformed', `${place} is too long`)),
        }
      case 8: {
        const texts = (proto.strings ?? []).map((each) => readString(each, (value) => ({ kind: 'string', value })))
        return texts.every((each) => each.kind === 'string')
          ? { kind: 'strings', value: texts.map(({ value }) => value as string) }
          : { kind: 'other', value: 'binary strings' }
      }
      case 11:
        return { kind: 'tensor', value: proto.sparseTensor ? readSparse(proto.sparseTensor, external) : missing() }
      default:
        return { kind: 'other', value: otherTypes.get(proto.type ?? 0) ?? `type ${proto.type ?? 0}` }
    }
  }

  return { graph, node, attribute }
}

const otherTypes: ReadonlyMap<number, string> = new Map([
  [9, 'tensors'],
  [10, 'graphs'],
  [12, 'sparse tensors'],
  [13, 'a type'],
  [14, 'types'],
])

function guessType({ f, i, s, t, g, floats, ints, strings }: Message<'AttributeProto'>): number {
  return [f, i, s, t, g, floats, ints, strings].findIndex((each) => each !== undefined) + 1
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readString(bytes: Uint8Array, make: (text: string) => OnnxAttribute): OnnxAttribute {
  try {
    return make(utf8.decode(bytes))
  } catch {
    return { kind: 'other', value: 'a binary string' }
  }
}

function readValue(proto: Message<'ValueInfoProto'>): OnnxValue {
  const name = proto.name ?? ''
  // An optional tensor is one that callers pass.
  const type = proto.type?.optionalType?.elemType ?? proto.type
  const tensor = type?.tensorType
  if (!tensor) {
    const other = (['sequence', 'map', 'optional', 'sparseTensor'] as const).find((kind) => type?.[`${kind}Type`] !== undefined)
    return other === undefined ? { name } : { name, type: other === 'sparseTensor' ? 'sparse tensor' : other }
  }
  const element = elementType(tensor.elemType ?? 0)
  const dims = tensor.shape?.dim
  if (dims && dims.length > maximumRank) reject('onnx-malformed', `value ${quote(name)} has ${dims.length} dimensions`)
  return {
    name,
    ...(element?.dtype ? { dtype: element.dtype } : element && { type: element.name }),
    ...(tensor.shape && { shape: (dims ?? []).map(readDimension) }),
  }
}

/** Some exporters write −1 for a size that they do not know. */
function readDimension({ dimValue, dimParam }: Message<'Dimension'>): number | string | undefined {
  if (dimParam) return dimParam
  return dimValue !== undefined && dimValue >= 0 && Number.isSafeInteger(dimValue) ? dimValue : undefined
}

function readFunction(proto: Message<'FunctionProto'>, read: Reader): OnnxFunction {
  const name = proto.name ?? ''
  const attributes = new Map<string, OnnxAttribute | undefined>((proto.attribute ?? []).map((each) => [each, undefined]))
  for (const each of proto.attributeProto ?? []) attributes.set(each.name ?? '', read.attribute(each, `function ${quote(name)}`))
  const base = {
    domain: domainOf(proto.domain),
    name,
    inputs: proto.input ?? [],
    outputs: proto.output ?? [],
    nodes: (proto.node ?? []).map(read.node),
    opsets: readOpsets(proto.opsetImport),
    attributes,
  }
  return proto.overload ? { ...base, overload: proto.overload } : base
}
