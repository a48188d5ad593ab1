import { kernelSignature } from '../fuse/print.ts'
import { byteSize, InvariantError } from '../graph/index.ts'
import { createCoverage } from './coverage.ts'
import { mayShareStorage } from './inPlace.ts'
import type { Buffer, BufferId, Copy, Instruction, InstructionList } from './instruction.ts'
import { bufferOf, isPlain, overlap, type Place, placeOf, samePlace } from './place.ts'

type Call = Extract<Instruction, { kind: 'call' }>

function fail(message: string): never {
  throw new InvariantError(`instructions: ${message}`)
}

/**
 * Throws InvariantError unless buffers are declared once and views lie inside their storage; every use of an activation lies between its
 * one alloc and its one dealloc; operands have the qualifiers, dtypes and sizes of the kernel's inputs and result; constants and inputs
 * are never written; no byte is read before it is written; two operands of one call share storage only where the kernel may run in
 * place; and every output is wholly written.
 */
export function verifyInstructions(list: InstructionList): void {
  verifyBuffers(list)
  const { buffers } = list
  const live = new Set<BufferId>()
  const done = new Set<BufferId>()
  const usedScratch = new Set<BufferId>()
  const kernels = new Map<string, string>()
  const written = createCoverage()

  function useStorage(id: BufferId, at: number): Place {
    const place = placeOf(buffers, id)
    if (bufferOf(buffers, place.origin).kind === 'activation' && !live.has(place.origin))
      fail(`${at}: buffer ${id} is used outside the life of ${place.origin}`)
    return place
  }

  function read(id: BufferId, at: number): Place {
    const place = useStorage(id, at)
    const { kind } = bufferOf(buffers, place.origin)
    if (kind === 'scratch') fail(`${at}: reads scratch ${id}`)
    if (kind !== 'constant' && kind !== 'input' && !written.covers(place))
      fail(`${at}: reads buffer ${id} before it is wholly written`)
    return place
  }

  function write(id: BufferId, at: number): Place {
    const place = useStorage(id, at)
    const { kind } = bufferOf(buffers, place.origin)
    if (kind !== 'activation' && kind !== 'output') fail(`${at}: writes ${kind} ${id}`)
    return place
  }

  function verifyCall(call: Call, at: number): void {
    const { kernel, operands, name } = call
    const signature = kernelSignature(kernel)
    if ((kernels.get(name) ?? signature) !== signature) fail(`${at}: two kernels are called ${name}`)
    kernels.set(name, signature)
    const count = kernel.inputs.length
    if (operands.length !== count + 1 && operands.length !== count + 2)
      fail(`${at}: ${name} takes ${count} inputs, a result and perhaps scratch, got ${operands.length} operands`)
    const places = operands.slice(0, count).map(({ buffer, qualifier }, i) => {
      if (qualifier !== 'in') fail(`${at}: operand ${i} of ${name} is ${qualifier}, not in`)
      verifyInput(call, i, bufferOf(buffers, buffer), at)
      return read(buffer, at)
    })
    const [result, scratch] = [operands[count]!, operands[count + 1]]
    if (result.qualifier !== 'out') fail(`${at}: the result of ${name} is ${result.qualifier}, not out`)
    const into = bufferOf(buffers, result.buffer)
    if (into.kind === 'scratch' || into.type.dtype !== kernel.result.dtype || into.bytes !== byteSize(kernel.result))
      fail(`${at}: the result of ${name} does not fit buffer ${into.id}`)
    const target = write(result.buffer, at)
    for (const [i, place] of places.entries()) {
      if (!overlap(place, target)) continue
      if (!samePlace(place, target) || !mayShareStorage(kernel, i)) fail(`${at}: ${name} overwrites its input ${i} and may not`)
      if (places.some((other, j) => j !== i && overlap(other, target) && !mayShareStorage(kernel, j)))
        fail(`${at}: ${name} overwrites its input ${i} while reading it as another`)
    }
    if (scratch) {
      if (scratch.qualifier !== 'scratch' || bufferOf(buffers, scratch.buffer).kind !== 'scratch')
        fail(`${at}: the last operand of ${name} is no scratch`)
      if (usedScratch.has(scratch.buffer)) fail(`${at}: scratch ${scratch.buffer} belongs to another call`)
      usedScratch.add(scratch.buffer)
    }
    written.add(target)
  }

  function verifyCopy(copy: Copy, at: number): void {
    const { rows, rowBytes, fromStride, toStride } = copy
    if (rows < 1 || rowBytes < 1 || (rows > 1 && (fromStride < rowBytes || toStride < rowBytes)))
      fail(`${at}: copy of ${rows} rows of ${rowBytes} bytes, ${fromStride} and ${toStride} apart`)
    const from = read(copy.from, at)
    const to = write(copy.to, at)
    if (from.to - from.from < (rows - 1) * fromStride + rowBytes) fail(`${at}: copies more than buffer ${copy.from} holds`)
    if (to.to - to.from < (rows - 1) * toStride + rowBytes) fail(`${at}: copies more than buffer ${copy.to} holds`)
    if (overlap(from, to)) fail(`${at}: copies between places that overlap`)
    if (isPlain(copy)) written.add({ ...to, to: to.from + rows * rowBytes })
    else written.addRows(to, copy)
  }

  for (const [at, instruction] of list.instructions.entries()) {
    if (instruction.kind === 'call') verifyCall(instruction, at)
    else if (instruction.kind === 'copy') verifyCopy(instruction, at)
    else {
      const { kind, buffer } = instruction
      if (bufferOf(buffers, buffer).kind !== 'activation') fail(`${at}: ${kind} of buffer ${buffer}, which is no activation`)
      if (kind === 'alloc' ? live.has(buffer) || done.has(buffer) : !live.has(buffer))
        fail(`${at}: ${kind} of buffer ${buffer} out of turn`)
      if (kind === 'alloc') live.add(buffer)
      else {
        live.delete(buffer)
        done.add(buffer)
      }
    }
  }
  for (const id of live) fail(`buffer ${id} is never freed`)
  for (const id of list.outputs)
    if (!written.covers(placeOf(buffers, id))) fail(`output ${bufferOf(buffers, id).name} is not wholly written`)
}

function verifyBuffers({ buffers, inputs, outputs }: InstructionList): void {
  const names = new Set<string>()
  for (const [id, buffer] of buffers) {
    if (buffer.id !== id) fail(`buffer ${buffer.id} is declared as ${id}`)
    if (buffer.kind === 'view') {
      const { bytes, kind } = bufferOf(buffers, buffer.of)
      if (kind === 'scratch' || buffer.offset < 0 || buffer.offset + buffer.bytes > bytes)
        fail(`view ${id} reaches beyond buffer ${buffer.of}`)
    }
    if (buffer.kind === 'input' || buffer.kind === 'output') {
      const name = `${buffer.kind} ${buffer.name}`
      if (names.has(name)) fail(`two buffers are ${name}`)
      if (!(buffer.kind === 'input' ? inputs : outputs).includes(id)) fail(`${name} is not listed`)
      names.add(name)
    }
  }
  if (names.size !== inputs.length + outputs.length) fail('inputs and outputs are not the declared ones')
}

function verifyInput({ kernel, name }: Call, index: number, buffer: Buffer, at: number): void {
  const { type, constant } = kernel.inputs[index]!
  if (buffer.kind === 'constant' && buffer.packing) {
    const loaded = [...(kernel.prologue ?? []), ...kernel.steps].some((step) => step.kind === 'load' && step.input === index)
    if (!constant || loaded)
      fail(`${at}: ${name} reads packed buffer ${buffer.id} as its input ${index}, which is no constant operand of an anchor`)
    return
  }
  if (buffer.kind === 'scratch' || buffer.type.dtype !== type.dtype || buffer.bytes !== byteSize(type))
    fail(`${at}: input ${index} of ${name} does not fit buffer ${buffer.id}`)
}
