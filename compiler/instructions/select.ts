import { operandsOfStep, resultsOfStep } from '../fuse/graph.ts'
import type { KernelGraph, KernelStep } from '../fuse/kernel.ts'
import {
  byteSize,
  type ConstantData,
  dtypeFacts,
  elementCount,
  InvariantError,
  inputName,
  type ModelState,
  type Node,
  type TensorType,
} from '../graph/index.ts'
import type { Target } from '../target.ts'
import type { Buffer, BufferId, Instruction, InstructionList, Operand, Packing, StateBuffer } from './instruction.ts'
import { placeOf } from './place.ts'
import { type Renewal, renewStates } from './renew.ts'

type Unnumbered = Buffer extends infer B ? (B extends Buffer ? Omit<B, 'id'> : never) : never

/**
 * One call per kernel step, on buffers of its own: each value is allocated right before it is made and freed right after its last
 * reader, parts are copied into joins and values into outputs, and new values of states over the old ones when these were read for the last
 * time. Nothing is clever here; `elideCopies` and `shareInPlace` follow. Values without elements are neither made nor copied. `states` are
 * those of the model.
 */
export function selectInstructions(kernels: KernelGraph, target: Target, states: readonly ModelState[] = []): InstructionList {
  const buffers = new Map<BufferId, Buffer>()
  const instructions: Instruction[] = []
  const values = new Map<Node, BufferId>()
  const constants = new Map<ConstantData, Map<string, BufferId>>()
  const outputs: BufferId[] = []

  function declare(buffer: Unnumbered): BufferId {
    const id = buffers.size as BufferId
    buffers.set(id, { ...buffer, id } as Buffer)
    return id
  }

  /** One buffer for each constant and layout. */
  function constantBuffer(node: Node, packing: Packing | undefined): BufferId {
    const { data, type } = node
    const layouts = constants.get(data!) ?? new Map<string, BufferId>()
    constants.set(data!, layouts)
    const key = packing ? `packed ${packing.key}` : 'dense'
    let id = layouts.get(key)
    if (id === undefined) {
      const bytes = packing?.bytes ?? byteSize(type)
      id = declare({ kind: 'constant', name: data!.label, type, bytes, data: data!, ...(packing ? { packing } : {}) })
      layouts.set(key, id)
    }
    return id
  }

  function valueBuffer(node: Node): BufferId {
    if (node.data) return constantBuffer(node, undefined)
    const id = values.get(node)
    if (id === undefined) throw new InvariantError(`instructions: a ${node.op} is read before it is made`)
    return id
  }

  function allocate(name: string, type: TensorType): BufferId {
    const buffer = declare({ kind: 'activation', name, type, bytes: byteSize(type) })
    instructions.push({ kind: 'alloc', buffer })
    return buffer
  }

  function select(step: KernelStep): void {
    if (step.kind === 'view') {
      const { type } = step.result
      const bytes = byteSize(type)
      const offset = step.offset * dtypeFacts[type.dtype].bytes
      values.set(step.result, declare({ kind: 'view', name: 'view', type, bytes, of: valueBuffer(step.of), offset }))
      return
    }
    const results = resultsOfStep(step).map((node) => {
      const buffer = allocate(step.kind === 'call' ? step.name : 'join', node.type)
      values.set(node, buffer)
      return buffer
    })
    // Results of one kernel have as many elements each.
    if (elementCount(resultsOfStep(step)[0]!.type.shape) === 0) return
    if (step.kind === 'join') joinParts(step, results[0]!)
    else call(step, results)
  }

  function call({ name, kernel, inputs, locations }: Extract<KernelStep, { kind: 'call' }>, results: readonly BufferId[]): void {
    const operands: Operand[] = inputs.map((node, i) => ({
      buffer: node.data ? constantBuffer(node, target.pack(kernel, i)) : valueBuffer(node),
      qualifier: 'in',
    }))
    for (const buffer of results) operands.push({ buffer, qualifier: 'out' })
    const bytes = target.scratch(kernel)
    if (bytes > 0)
      operands.push({ buffer: declare({ kind: 'scratch', name: `scratch of ${name}`, bytes }), qualifier: 'scratch' })
    instructions.push({ kind: 'call', name, kernel, operands, locations })
  }

  /** A part is a block in each slab of the result; slabs are what lies inside the axis, and one slab is a contiguous place. */
  function joinParts({ parts, axis, result }: Extract<KernelStep, { kind: 'join' }>, to: BufferId): void {
    const { dtype, shape } = result.type
    const width = dtypeFacts[dtype].bytes
    const rows = elementCount(shape.slice(0, axis))
    const inner = elementCount(shape.slice(axis + 1)) * width
    const slab = shape[axis]! * inner
    let offset = 0
    for (const part of parts) {
      const rowBytes = part.type.shape[axis]! * inner
      if (rowBytes > 0) {
        const bytes = (rows - 1) * slab + rowBytes
        const type: TensorType = rows === 1 ? part.type : { dtype, shape: [bytes / width] }
        const place = declare({ kind: 'view', name: 'part', type, bytes, of: to, offset })
        instructions.push({
          kind: 'copy',
          from: valueBuffer(part),
          to: place,
          rows,
          rowBytes,
          fromStride: rowBytes,
          toStride: slab,
        })
      }
      offset += rowBytes
    }
  }

  function copyToOutputs(node: Node): void {
    for (const [i, value] of results.entries()) {
      const bytes = byteSize(node.type)
      if (value !== node || bytes === 0) continue
      instructions.push({
        kind: 'copy',
        from: valueBuffer(node),
        to: outputs[i]!,
        rows: 1,
        rowBytes: bytes,
        fromStride: bytes,
        toStride: bytes,
      })
    }
  }

  /** What states are replaced by, and the outputs that callers see. */
  const next = new Map(kernels.outputs.map(({ name, value }) => [name, value]))
  const results = kernels.outputs.filter(({ name }) => !states.some(({ output }) => output === name)).map(({ value }) => value)
  const used = new Map<string, StateBuffer>()
  for (const { name, input, output, type } of states) {
    const before = kernels.inputs.find((node) => inputName(node) === input)
    const after = next.get(output)
    if (!before && !after) continue
    const buffer = declare({ kind: 'state', name, type, bytes: byteSize(type) })
    if (before) values.set(before, buffer)
    used.set(name, { buffer, renews: after !== undefined && after !== before })
  }
  const inputs = kernels.inputs
    .filter((node) => !values.has(node))
    .map((node) => {
      const id = declare({ kind: 'input', name: inputName(node), type: node.type, bytes: byteSize(node.type) })
      values.set(node, id)
      return id
    })
  for (const { name, value } of kernels.outputs)
    if (results.includes(value) && !states.some(({ output }) => output === name))
      outputs.push(declare({ kind: 'output', name, type: value.type, bytes: byteSize(value.type) }))

  const lastReads = lastReadsOf(kernels)
  for (const node of [...kernels.inputs, ...kernels.constants]) copyToOutputs(node)
  for (const [i, step] of kernels.steps.entries()) {
    select(step)
    for (const node of resultsOfStep(step)) copyToOutputs(node)
    for (const node of lastReads[i]!) instructions.push({ kind: 'dealloc', buffer: values.get(node)! })
  }
  const list = { name: kernels.name, buffers, inputs, outputs, instructions }
  if (used.size === 0) return list
  const renewals = states.flatMap(({ name, output, type }): Renewal[] => {
    const state = used.get(name)
    if (!state?.renews) return []
    const from = byteSize(type) === 0 ? state.buffer : valueBuffer(next.get(output)!)
    // As it was found, if perhaps under another shape.
    if (placeOf(buffers, from).origin === state.buffer) used.set(name, { ...state, renews: false })
    return used.get(name)!.renews ? [{ from, state: state.buffer }] : []
  })
  return renewStates({ ...list, states: used }, renewals)
}

/** For each step, the stored values that nobody reads after it; views read what they are views of. */
function lastReadsOf(kernels: KernelGraph): Node[][] {
  const storage = new Map<Node, Node>()
  const last = new Map<Node, number>()
  for (const [i, step] of kernels.steps.entries()) {
    const read = operandsOfStep(step).map((node) => storage.get(node))
    const made = resultsOfStep(step).flatMap((result) => {
      const own = step.kind === 'view' ? storage.get(step.of) : result
      if (own) storage.set(result, own)
      return own ?? []
    })
    for (const node of [...read, ...made]) if (node) last.set(node, i)
  }
  const result: Node[][] = kernels.steps.map(() => [])
  for (const [node, i] of last) result[i]!.push(node)
  return result
}
