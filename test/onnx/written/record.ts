import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { byteSize, type DType, elementsOf, type ModelGraph, type TensorType } from '../../../compiler/graph/index.ts'
import { createRecorder, type Recorder } from '../../../dsl/onnx/record/recorder.ts'
import type { Recording } from '../../../dsl/onnx/record/statement.ts'
import { layOutTensors } from '../../../dsl/safetensorsWriter.ts'
import type { Tensor } from '../../../dsl/tensor.ts'
import { createTracer } from '../../../dsl/trace.ts'
import { nodeOf, tensorOf, withTracer } from '../../../dsl/tracer.ts'
import { extractModule } from '../../../plugin/extract/index.ts'
import { modelText } from '../../support/sameGraph.ts'

type Any = Tensor<any, any>

/** What a network of a test is written with: the vocabulary, as loosely typed as it is for an importer, and weights by name. */
export interface Kit {
  readonly d: Recorder['d']
  /** A weight of f32; one tensor for each name. */
  weight(name: string, ...shape: number[]): Any
  typed(dtype: DType, name: string, ...shape: number[]): Any
  literal(dtype: DType, shape: readonly number[], values: readonly number[]): Any
}

export interface Network {
  readonly inputs: Readonly<Record<string, TensorType & { readonly dims?: readonly (string | undefined)[] }>>
  readonly dims?: Recording['dims']
  make(kit: Kit, inputs: Record<string, any>): Record<string, Any>
}

export const image = (...shape: number[]): TensorType => ({ dtype: 'f32', shape })

export interface Recorded {
  readonly recordings: readonly Recording[]
  readonly graph: ModelGraph
  /** Bytes of the weights file. */
  readonly weights: Uint8Array
}

/** Records networks as the entries of one model, as the importer does. */
export function record(name: string, entries: Readonly<Record<string, Network>>, header: readonly string[] = []): Recorded {
  const bytes = new Map<string, { readonly type: TensorType; readonly read: () => Uint8Array; readonly data: any }>()
  const graphs: ModelGraph['entries'][number][] = []
  const recordings = Object.entries(entries).map(([entry, network]): Recording => {
    const recorder = createRecorder()
    const tracer = createTracer()
    const kit: Kit = {
      d: recorder.d,
      weight: (label, ...shape) => kit.typed('f32', label, ...shape),
      typed(dtype, label, ...shape) {
        const type = { dtype, shape }
        const known = bytes.get(label) ?? contentsOf(label, type)
        bytes.set(label, known)
        return recorder.weight(label, type, known.data)
      },
      literal(dtype, shape, values) {
        const data = new Uint8Array(byteSize({ dtype, shape }))
        const elements = elementsOf(dtype, data)
        for (const [i, value] of values.entries()) elements.set(i, value)
        return recorder.literal({ dtype, shape }, data)
      },
    }
    return withTracer(tracer, () => {
      const nodes = Object.entries(network.inputs).map(([label, { dims, ...type }]) => {
        const node = tracer.builder.input(label, type)
        const tensor = tensorOf(node)
        recorder.input(label, tensor)
        return { name: label, tensor, type, node, ...(dims && { dims }) }
      })
      const made = network.make(kit, Object.fromEntries(nodes.map((input) => [input.name, input.tensor])))
      const outputs = Object.entries(made).map(([label, tensor]) => ({ name: label, tensor }))
      const graph = tracer.builder.finish(
        name,
        nodes.map(({ node }) => node),
        outputs.map((output) => ({ name: output.name, value: nodeOf(output.tensor, 'forward', 'output') })),
      )
      graphs.push({ name: entry, graph })
      const inputs = nodes.map(({ node: _, ...input }) => input)
      return {
        name,
        entry,
        dims: network.dims ?? [],
        inputs,
        outputs,
        statements: recorder.statements,
        sourceOf: recorder.sourceOf,
        header,
      }
    })
  })
  return { recordings, graph: { name, entries: graphs }, weights: layOutTensors(bytes).bytes() }
}

/** Numbers that no two weights share. */
function contentsOf(label: string, type: TensorType) {
  const bytes = new Uint8Array(byteSize(type))
  const seed = [...label].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) | 0, 7)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (seed + i * 37) & 63
  const read = () => bytes
  return { type, read, data: { label, read } }
}

/** The graph that reading a source gives, as text; diagnostics in its place where there is none. */
export async function readSource(source: string, name: string, weights: Uint8Array): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'written-'))
  try {
    writeFileSync(join(folder, `${name}.safetensors`), weights)
    writeFileSync(join(folder, `${name}.model.ts`), source)
    const { models, diagnostics } = await extractModule(join(folder, `${name}.model.ts`), { root: folder })
    const [model] = models
    return model && diagnostics.length === 0
      ? modelText(model.model)
      : diagnostics.map(({ code, message }) => `${code}: ${message}`).join('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
