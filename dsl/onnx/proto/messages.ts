/**
 * The messages of onnx.proto3 that are read and written, as far as a model's meaning goes: names to field number and kind. What stands
 * in no table is skipped: documentation, training, metadata, shapes of inner values.
 *
 * `int` is any integer of 64 bits as the nearest number, `float` a 32-bit one. Repeated numbers (`varints`, `floats`, `doubles`) stay the
 * payload of their packed form, whichever form the file has. Another word is the name of a message.
 */
const tables = {
  ModelProto: {
    irVersion: [1, 'int'],
    producerName: [2, 'text'],
    producerVersion: [3, 'text'],
    graph: [7, 'GraphProto'],
    opsetImport: [8, 'OperatorSetIdProto', 'list'],
    functions: [25, 'FunctionProto', 'list'],
  },
  OperatorSetIdProto: { domain: [1, 'text'], version: [2, 'int'] },
  GraphProto: {
    node: [1, 'NodeProto', 'list'],
    name: [2, 'text'],
    initializer: [5, 'TensorProto', 'list'],
    input: [11, 'ValueInfoProto', 'list'],
    output: [12, 'ValueInfoProto', 'list'],
    sparseInitializer: [15, 'SparseTensorProto', 'list'],
  },
  FunctionProto: {
    name: [1, 'text'],
    input: [4, 'text', 'list'],
    output: [5, 'text', 'list'],
    attribute: [6, 'text', 'list'],
    node: [7, 'NodeProto', 'list'],
    opsetImport: [9, 'OperatorSetIdProto', 'list'],
    domain: [10, 'text'],
    attributeProto: [11, 'AttributeProto', 'list'],
    overload: [13, 'text'],
  },
  NodeProto: {
    input: [1, 'text', 'list'],
    output: [2, 'text', 'list'],
    name: [3, 'text'],
    opType: [4, 'text'],
    attribute: [5, 'AttributeProto', 'list'],
    domain: [7, 'text'],
    overload: [8, 'text'],
  },
  AttributeProto: {
    name: [1, 'text'],
    f: [2, 'float'],
    i: [3, 'int'],
    s: [4, 'bytes'],
    t: [5, 'TensorProto'],
    g: [6, 'GraphProto'],
    floats: [7, 'floats'],
    ints: [8, 'varints'],
    strings: [9, 'bytes', 'list'],
    type: [20, 'int'],
    refAttrName: [21, 'text'],
    sparseTensor: [22, 'SparseTensorProto'],
  },
  ValueInfoProto: { name: [1, 'text'], type: [2, 'TypeProto'] },
  TypeProto: {
    tensorType: [1, 'TypeProtoTensor'],
    sequenceType: [4, 'Presence'],
    mapType: [5, 'Presence'],
    sparseTensorType: [8, 'Presence'],
    optionalType: [9, 'TypeProtoOptional'],
  },
  TypeProtoOptional: { elemType: [1, 'TypeProto'] },
  TypeProtoTensor: { elemType: [1, 'int'], shape: [2, 'TensorShapeProto'] },
  TensorShapeProto: { dim: [1, 'Dimension', 'list'] },
  Dimension: { dimValue: [1, 'int'], dimParam: [2, 'text'] },
  TensorProto: {
    dims: [1, 'varints'],
    dataType: [2, 'int'],
    floatData: [4, 'floats'],
    int32Data: [5, 'varints'],
    stringData: [6, 'Presence', 'list'],
    int64Data: [7, 'varints'],
    name: [8, 'text'],
    rawData: [9, 'bytes'],
    doubleData: [10, 'doubles'],
    uint64Data: [11, 'varints'],
    externalData: [13, 'StringStringEntryProto', 'list'],
    dataLocation: [14, 'int'],
  },
  SparseTensorProto: { values: [1, 'TensorProto'], indices: [2, 'TensorProto'], dims: [3, 'varints'] },
  StringStringEntryProto: { key: [1, 'text'], value: [2, 'text'] },
  /** Only that it is there matters. */
  Presence: {},
} as const satisfies Record<string, Record<string, FieldRow>>

type FieldRow = readonly [number: number, kind: string] | readonly [number: number, kind: string, list: 'list']

interface Kinds {
  int: number
  float: number
  text: string
  bytes: Uint8Array
  varints: Uint8Array
  floats: Uint8Array
  doubles: Uint8Array
}

export type ScalarKind = keyof Kinds
export type MessageName = keyof typeof tables
type ValueOf<K> = K extends ScalarKind ? Kinds[K] : K extends MessageName ? Message<K> : never

/** A message as plain data. What the file leaves out is absent. */
export type Message<M extends MessageName> = {
  readonly [F in keyof (typeof tables)[M]]?:
    | ((typeof tables)[M][F] extends readonly [number, infer K, 'list']
        ? readonly ValueOf<K>[]
        : (typeof tables)[M][F] extends readonly [number, infer K]
          ? ValueOf<K>
          : never)
    | undefined
}

export interface Field {
  readonly number: number
  readonly name: string
  readonly kind: ScalarKind | MessageName
  readonly list: boolean
}

const compiled = new Map<string, { readonly fields: readonly Field[]; readonly byNumber: ReadonlyMap<number, Field> }>(
  Object.entries(tables).map(([message, rows]) => {
    const fields = Object.entries<FieldRow>(rows)
      .map(([name, [number, kind, list]]) => ({ number, name, kind: kind as Field['kind'], list: list !== undefined }))
      .sort((a, b) => a.number - b.number)
    return [message, { fields, byNumber: new Map(fields.map((field) => [field.number, field])) }]
  }),
)

export const fieldsOf = (message: MessageName): readonly Field[] => compiled.get(message)!.fields
export const fieldOf = (message: MessageName, number: number): Field | undefined => compiled.get(message)!.byNumber.get(number)
export const isMessage = (kind: Field['kind']): kind is MessageName => compiled.has(kind)
