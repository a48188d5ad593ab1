import { InvariantError } from '../../../compiler/graph/index.ts'
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../model.ts'
import { elementNumber } from './elements.ts'
import { encode } from './encode.ts'
import type { Message } from './messages.ts'
import { writeFloats, writeVarints } from './numbers.ts'

/**
 * The file of a model, elements as raw data. Equal models give equal bytes. `producer` is written as the producer's name.
 * Throws ModelProblem `onnx-unsupported` beyond the 2 GiB that the format holds.
 */
export function writeModel(model: OnnxModel): Uint8Array {
  return encode('ModelProto', {
    irVersion: model.irVersion,
    producerName: model.producer,
    graph: writeGraph(model.graph),
    opsetImport: writeOpsets(model.opsets),
    functions: [...model.functions.values()].map(writeFunction),
  })
}

const writeOpsets = (opsets: ReadonlyMap<string, number>): Message<'OperatorSetIdProto'>[] =>
  [...opsets].map(([domain, version]) => ({ domain, version }))

const writeGraph = (graph: OnnxGraph): Message<'GraphProto'> => ({
  node: graph.nodes.map(writeNode),
  name: graph.name,
  initializer: [...graph.initializers].map(([name, tensor]) => writeTensor(tensor, name)),
  input: graph.inputs.map(writeValue),
  output: graph.outputs.map(writeValue),
})

const writeNode = (node: OnnxNode): Message<'NodeProto'> => ({
  input: node.inputs,
  output: node.outputs,
  ...(node.name !== '' && { name: node.name }),
  opType: node.op,
  attribute: [...node.attributes].map(([name, attribute]) => writeAttribute(name, attribute)),
  ...(node.domain !== '' && { domain: node.domain }),
  ...(node.overload !== undefined && { overload: node.overload }),
})

function writeAttribute(name: string, attribute: OnnxAttribute): Message<'AttributeProto'> {
  switch (attribute.kind) {
    case 'float':
      return { name, f: attribute.value, type: 1 }
    case 'int':
      return { name, i: attribute.value, type: 2 }
    case 'string':
      return { name, s: toUtf8(attribute.value), type: 3 }
    case 'tensor':
      return { name, t: writeTensor(attribute.value, attribute.value.name), type: 4 }
    case 'graph':
      return { name, g: writeGraph(attribute.value), type: 5 }
    case 'floats':
      return { name, floats: writeFloats(attribute.value), type: 6 }
    case 'ints':
      return { name, ints: writeVarints(attribute.value), type: 7 }
    case 'strings':
      return { name, strings: attribute.value.map(toUtf8), type: 8 }
    case 'reference':
      return { name, refAttrName: attribute.value }
    case 'other':
      throw new InvariantError(`attribute '${name}' holds ${attribute.value}, which cannot be written`)
  }
}

const encoder = new TextEncoder()
const toUtf8 = (text: string): Uint8Array => encoder.encode(text)

const writeTensor = (tensor: OnnxTensor, name: string): Message<'TensorProto'> => ({
  dims: writeVarints(tensor.shape),
  dataType: elementNumber(tensor.dtype),
  ...(name !== '' && { name }),
  rawData: tensor.read(),
})

const writeValue = ({ name, dtype, shape }: OnnxValue): Message<'ValueInfoProto'> => ({
  name,
  ...(dtype && {
    type: {
      tensorType: {
        elemType: elementNumber(dtype),
        ...(shape && { shape: { dim: shape.map(writeDimension) } }),
      },
    },
  }),
})

const writeDimension = (extent: number | string | undefined): Message<'Dimension'> =>
  typeof extent === 'number' ? { dimValue: extent } : extent === undefined ? {} : { dimParam: extent }

const writeFunction = (made: OnnxFunction): Message<'FunctionProto'> => ({
  name: made.name,
  input: made.inputs,
  output: made.outputs,
  attribute: [...made.attributes].filter(([, fallback]) => fallback === undefined).map(([name]) => name),
  node: made.nodes.map(writeNode),
  opsetImport: writeOpsets(made.opsets),
  domain: made.domain,
  attributeProto: [...made.attributes].flatMap(([name, fallback]) => (fallback ? [writeAttribute(name, fallback)] : [])),
  ...(made.overload !== undefined && { overload: made.overload }),
})
