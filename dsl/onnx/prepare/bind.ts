import { byteSize, type DType, elementCount, elementsOf, reject } from '../../../compiler/graph/index.ts'
import { isElement } from '../../check.ts'
import type { OnnxModel, OnnxTensor, OnnxValue } from '../model.ts'

/** Values of inputs that callers shall not pass: one number for every element, or all elements in row-major order. */
export type Constants = Readonly<Record<string, number | readonly number[]>>

/** The model with some of its inputs as constants, such as the sample rate of an audio model. Throws ModelProblem for what does not fit. */
export function bindConstants(model: OnnxModel, constants: Constants): OnnxModel {
  const { graph } = model
  const initializers = new Map(graph.initializers)
  for (const [name, value] of Object.entries(constants)) {
    const input = graph.inputs.find((each) => each.name === name)
    if (!input) {
      const names = graph.inputs.slice(0, 20).map((each) => `'${each.name.slice(0, 60)}'`)
      reject('onnx-option', `constants: '${name.slice(0, 60)}' is no input of the graph; inputs are ${names.join(', ')}`)
    }
    initializers.set(name, tensorOf(input, [value].flat()))
  }
  return { ...model, graph: { ...graph, initializers } }
}

function tensorOf({ name, dtype, shape }: OnnxValue, values: readonly number[]): OnnxTensor {
  const what = `constants: input '${name.slice(0, 60)}'`
  if (!dtype || !shape) return reject('onnx-option', `${what} has no element type and shape in the file`)
  // A list gives the one dimension that the file leaves open.
  const open = shape.filter((extent) => typeof extent !== 'number').length
  const known = elementCount(shape.map((extent) => (typeof extent === 'number' ? extent : 1)))
  const sizes = shape.map((extent) => (typeof extent === 'number' ? extent : open === 1 ? values.length / known : 1))
  const count = elementCount(sizes)
  if (values.length !== count && values.length !== 1)
    reject('onnx-option', `${what} is ${dtype}[${shape.map((extent) => extent ?? '?').join(', ')}], got ${values.length} values`)
  const wrong = values.find((value) => !isElement(dtype, value))
  if (wrong !== undefined) reject('onnx-option', `${what}: ${wrong} is not a value of ${dtype}`)
  return { name, dtype, shape: sizes, read: () => bytesOf(dtype, sizes, values) }
}

function bytesOf(dtype: DType, shape: readonly number[], values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(byteSize({ dtype, shape }))
  const elements = elementsOf(dtype, bytes)
  for (let i = 0; i < elements.length; i++) elements.set(i, values.length === 1 ? values[0]! : values[i]!)
  return bytes
}
