import { kernelSignature } from '../fuse/print.ts'
import { byteSize, InvariantError } from '../graph/index.ts'
import { createCoverage } from './coverage.ts'
import { mayShareStorage } from './inPlace.ts'
import type { Buffer, BufferId, Copy, Instruction, InstructionList } from './instruction.ts'
import { bufferOf, isRenewed, overlap, type Place, placeOf, samePlace } from './place.ts'
import { type Pitch, pitchOf, type Stripes, storedBytes, stripesMeet } from './stripes.ts'

type Call = Extract<Instruction, { kind: 'call' }>

function fail(message: string): never {
  throw new InvariantError(`instructions: ${message}`)
}

/**
 * Throws InvariantError unless buffers are declared once and views lie inside their storage; every use of an activation lies between its
 * one alloc and its one dealloc; operands have the qualifiers, dtypes and sizes of the kernel's inputs and result; constants and inputs
 * are never written; no byte is read before it is written, and none of what a state held before the run afterwards; two operands of one call share storage only where the kernel may run in
 * place; and every output, and every state that is renewed, is wholly written.
 */
export function verifyInstructions(list: InstructionList): void {
  verifyBuffers(list)
  const { buffers } = list
  const live = new Set<BufferId>()
  const done = new Set<BufferId>()
  const usedScratch = new Set<BufferId>()
  const kernels = new Map<string, string>()
  const written = createCoverage()
  /** Of states, what is no more as the run found it. */
  const renewed: Stripes[] = []

  function useStorage(id: BufferId, at: number): Place {
    const place = placeOf(buffers, id)
    if (bufferOf(buffers, place.origin).kind === 'activation' && !live.has(place.origin))
      fail(`${at}: buffer ${id} is used outside the life of ${place.origin}`)
    return place
  }

  function read(id: BufferId, at: number, pitch?: Pitch): Place {
    const place = useStorage(id, at)
    const { kind } = bufferOf(buffers, place.origin)
    if (kind === 'scratch') fail(`${at}: reads scratch ${id}`)
    if (kind === 'state' && !isRenewed(buffers, id)) {
      if (renewed.some((each) => stripesMeet(each, { ...place, pitch }))) fail(`${at}: reads state ${id} after it was renewed`)
      return place
    }
    if (kind !== 'constant' && kind !== 'input' && !written.covers(place))
      fail(`${at}: reads buffer ${id} before it is wholly written`)
    return place
  }

  function write(id: BufferId, at: number): Place {
    const place = useStorage(id, at)
    const { kind } = bufferOf(buffers, place.origin)
    const may = kind === 'state' ? isRenewed(buffers, id) : kind === 'activation' || kind === 'output'
    if (!may) fail(`${at}: writes ${kind} ${id}`)
    return place
  }

  function note(place: Place, pitch: Pitch | undefined): void {
    if (bufferOf(buffers, place.origin).kind === 'state') renewed.push({ ...place, pitch })
    if (pitch) written.addBlocks(place, pitch)
    else written.add(place)
  }

  function verifyCall(call: Call, at: number): void {
    const { kernel, operands, name } = call
    const signature = kernelSignature(kernel)
    if ((kernels.get(name) ?? signature) !== signature) fail(`${at}: two kernels are called ${name}`)
    kernels.set(name, signature)
    const count = kernel.inputs.length
    const made = kernel.results.length
    if (operands.length !== count + made && operands.length !== count + made + 1)
      fail(`${at}: ${name} takes ${count} inputs, ${made} results and perhaps scratch, got ${operands.length} operands`)
    const places = operands.slice(0, count).map(({ buffer, qualifier }, i) => {
      if (qualifier !== 'in') fail(`${at}: operand ${i} of ${name} is ${qualifier}, not in`)
      verifyInput(call, i, bufferOf(buffers, buffer), at)
      return read(buffer, at)
    })
    const scratch = operands[count + made]
    const targets = kernel.results.map((result, index) => {
      const { buffer, qualifier } = operands[count + index]!
      if (qualifier !== 'out') fail(`${at}: the result of ${name} is ${qualifier}, not out`)
      const into = bufferOf(buffers, buffer)
      if (into.kind === 'scratch' || into.type.dtype !== result.type.dtype || into.bytes !== storedBytes(result))
        fail(`${at}: the result of ${name} does not fit buffer ${into.id}`)
      const target: Stripes = { ...write(buffer, at), pitch: pitchOf(call, count + index) }
      for (const [i, place] of places.entries()) {
        if (!stripesMeet(place, target)) continue
        if (!samePlace(place, target) || !mayShareStorage(kernel, i, index))
          fail(`${at}: ${name} overwrites its input ${i} and may not`)
        if (places.some((other, j) => j !== i && stripesMeet(other, target) && !mayShareStorage(kernel, j, index)))
          fail(`${at}: ${name} overwrites its input ${i} while reading it as another`)
      }
      return target
    })
    for (const [i, target] of targets.entries())
      if (targets.some((other, j) => j < i && stripesMeet(other, target))) fail(`${at}: results of ${name} overlap`)
    if (scratch) {
      if (scratch.qualifier !== 'scratch' || bufferOf(buffers, scratch.buffer).kind !== 'scratch')
        fail(`${at}: the last operand of ${name} is no scratch`)
      if (usedScratch.has(scratch.buffer)) fail(`${at}: scratch ${scratch.buffer} belongs to another call`)
      usedScratch.add(scratch.buffer)
    }
    for (const { pitch, ...target } of targets) note(target, pitch)
  }

  function verifyCopy(copy: Copy, at: number): void {
    const { rows, rowBytes, fromStride, toStride } = copy
    if (rows < 1 || rowBytes < 1 || (rows > 1 && (fromStride < rowBytes || toStride < rowBytes)))
      fail(`${at}: copy of ${rows} rows of ${rowBytes} bytes, ${fromStride} and ${toStride} apart`)
    const from = read(copy.from, at, pitchOf(copy, 0))
    const to = write(copy.to, at)
    if (from.to - from.from < (rows - 1) * fromStride + rowBytes) fail(`${at}: copies more than buffer ${copy.from} holds`)
    if (to.to - to.from < (rows - 1) * toStride + rowBytes) fail(`${at}: copies more than buffer ${copy.to} holds`)
    if (overlap(from, to)) fail(`${at}: copies between places that overlap`)
    note({ ...to, to: to.from + (rows - 1) * toStride + rowBytes }, pitchOf(copy, 1))
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
  for (const [name, { buffer, renews }] of list.states ?? []) {
    if (!renews && renewed.some((place) => place.origin === buffer)) fail(`state ${name} is renewed and should stay as it was`)
    if (renews && !written.covers(placeOf(buffers, buffer))) fail(`state ${name} is not wholly renewed`)
  }
}

function verifyBuffers({ buffers, inputs, outputs, states }: InstructionList): void {
  const names = new Set<string>()
  for (const [id, buffer] of buffers) {
    if (buffer.id !== id) fail(`buffer ${buffer.id} is declared as ${id}`)
    if (buffer.kind === 'view') {
      const { bytes, kind } = bufferOf(buffers, buffer.of)
      if (kind === 'scratch' || buffer.offset < 0 || buffer.offset + buffer.bytes > bytes)
        fail(`view ${id} reaches beyond buffer ${buffer.of}`)
    }
    if (buffer.kind === 'state' && states?.get(buffer.name)?.buffer !== id) fail(`state ${buffer.name} is not listed`)
    if (buffer.kind === 'view' && buffer.renewed && bufferOf(buffers, placeOf(buffers, id).origin).kind !== 'state')
      fail(`view ${id} is renewed and of no state`)
    if (buffer.kind === 'input' || buffer.kind === 'output') {
      const name = `${buffer.kind} ${buffer.name}`
      if (names.has(name)) fail(`two buffers are ${name}`)
      if (!(buffer.kind === 'input' ? inputs : outputs).includes(id)) fail(`${name} is not listed`)
      names.add(name)
    }
  }
  if (names.size !== inputs.length + outputs.length) fail('inputs and outputs are not the declared ones')
  for (const [name, { buffer }] of states ?? [])
    if (bufferOf(buffers, buffer).kind !== 'state') fail(`state ${name} has no storage of its own`)
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
