import { assertInvariant } from '../../compiler/graph/problem.ts'
import type { Buffer, BufferId, Copy, Instruction } from '../../compiler/instructions/instruction.ts'
import { faultCount, isControl, sharedBytes, type TimedStep, timesRegion } from '../../compiler/memory/index.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { storageType } from './scalar.ts'
import { block, identifier, type Lines, locationText } from './text.ts'

/** Parameters of the entry function: where the regions lie. */
const regionOf = {
  constant: 'constants',
  input: 'mutable',
  output: 'mutable',
  state: 'state',
  activation: 'activations',
  scratch: 'activations',
} as const

/** What the body of an entry calls, be it an entry of the model or a graph that one of its kernels runs: the function of each of its kernels by the program's own name, and whether all threads of a team call it. */
export interface Called {
  readonly name: string
  readonly shared: boolean
}

/** The statements of an entry that one thread runs: every step in order. Returns 0, or n after the n-th checked call found a fault. */
export function aloneLines(program: Program, calledOf: (own: string) => Called, timed = false): Lines {
  let faults = 0
  const steps = stepsOf(program, calledOf, false)
  const times = timed ? timesText(program, steps) : undefined
  const lines = steps.flatMap(({ call, ways }, i) => {
    const line = returning(call, ways, faults)
    faults += ways
    return [line, ...(times ? [times.ended(i)] : [])]
  })
  return times ? [times.begin, ...lines, times.end] : lines
}

/** A call that ends the function where it fails; `before` is how many ways to fail there were before it. */
function returning(call: string, ways: number, before: number): string {
  if (ways === 0) return `${call};`
  if (ways === 1) return `if (${call}) return ${before + 1};`
  return `{ const int failed = ${call}; if (failed) return ${before === 0 ? '' : `${before} + `}failed; }`
}

/** The code of a call that may fail, 0 where it does not. */
const failing = (call: string, ways: number, before: number): string =>
  ways === 1 ? `${call} ? ${before + 1} : 0` : `gp_fault(${call}, ${before})`

/** The steps whose times are told, in their order. */
export const timedSteps = (program: Program): readonly TimedStep[] =>
  stepsOf(program, (name) => ({ name, shared: false }), false).map(({ name, at }) => ({ name, at }))

interface TimesText {
  readonly begin: string
  readonly end: string
  ended(step: number): string
}

/** How an entry tells the times of its steps. */
function timesText({ regions }: Program, { length }: readonly unknown[]): TimesText {
  const { offset } = timesRegion(regions, length)
  const note = (index: number) => `gp_note_time(mutable + ${offset}, ${index});`
  return {
    begin: `*(long *)(mutable + ${offset}) = 0; ${note(1)}`,
    end: `*(long *)(mutable + ${offset}) = ${length + 1};`,
    ended: (step) => note(step + 2),
  }
}

/**
 * The same for a team. Steps that are divided are run by all parts, others by part 0. Parts meet before a step that reads or writes what
 * another part may have written, or writes what another may still read, and behind checked steps of part 0, whose faults all must know: of
 * divided ones each finds the same fault. A part that joins later begins at the step after such a meeting. Undefined where no step is
 * divided.
 */
export function teamLines(program: Program, calledOf: (own: string) => Called, timed = false): Lines | undefined {
  const steps = stepsOf(program, calledOf, true)
  if (!steps.some(({ shared }) => shared)) return undefined
  // Part 0 tells: others come to a step when they may.
  const times = timed ? timesText(program, steps) : undefined
  const byFirstPart = (line: string) => `if (team->part == 0) { ${line} }`
  let faults = 0
  const groups: { readonly lines: string[]; readonly checked: boolean }[] = []
  let group: string[] = []
  let byAll: Access[] = []
  let byFirst: Access[] = []
  const meet = (checked: boolean) => {
    groups.push({ lines: group, checked })
    group = []
    byAll = []
    byFirst = []
  }
  for (const [i, step] of steps.entries()) {
    if (conflict(step.accesses, step.shared ? [...byAll, ...byFirst] : byAll)) meet(false)
    ;(step.shared ? byAll : byFirst).push(...step.accesses)
    if (step.shared) group.push(returning(step.call, step.ways, faults))
    else group.push(`if (team->part == 0) ${step.ways > 0 ? `fault = ${failing(step.call, step.ways, faults)}` : step.call};`)
    faults += step.ways
    if (times) group.push(byFirstPart(times.ended(i)))
    if (step.ways > 0 && !step.shared) meet(true)
  }
  if (group.length > 0) groups.push({ lines: group, checked: false })
  return [
    ...(groups.some(({ checked }) => checked) ? ['int fault = 0;'] : []),
    ...(times ? [byFirstPart(times.begin)] : []),
    ...groups.flatMap(({ lines, checked }, i) => {
      if (i === groups.length - 1 && !checked) return lines
      const next = `team->meet(team, ${i + 1}, ${checked ? 'fault' : '0'})`
      return block(`if (team->step <= ${i})`, [...lines, checked ? `if ((fault = ${next})) return fault;` : `${next};`])
    }),
    ...(times ? [byFirstPart(times.end)] : []),
  ]
}

/**
 * The statements of a body that all parts of a team run, from its first step to its last: nobody joins meanwhile. What part 0 finds wrong it
 * leaves in front of the region of inputs and outputs. Undefined where no step is divided.
 */
export function bodyLines(program: Program, calledOf: (own: string) => Called): Lines | undefined {
  const steps = stepsOf(program, calledOf, true)
  if (!steps.some(({ shared }) => shared)) return undefined
  const word = `*(int *)(mutable - ${sharedBytes})`
  let faults = 0
  let byAll: Access[] = []
  let byFirst: Access[] = []
  const lines: string[] = []
  const wait = () => {
    lines.push('team->wait(team);')
    byAll = []
    byFirst = []
  }
  for (const { shared, accesses, call, ways } of steps) {
    if (conflict(accesses, shared ? [...byAll, ...byFirst] : byAll)) wait()
    ;(shared ? byAll : byFirst).push(...accesses)
    if (shared) lines.push(returning(call, ways, faults))
    else lines.push(`if (team->part == 0) ${ways > 0 ? `${word} = ${failing(call, ways, faults)}` : call};`)
    faults += ways
    if (ways === 0 || shared) continue
    wait()
    lines.push(`fault = ${word};`)
    wait()
    lines.push('if (fault) return fault;')
  }
  return [...(lines.some((line) => line.startsWith('fault = ')) ? ['int fault = 0;'] : []), ...lines]
}

/** Bytes of a region that a step reads or writes; constants are nobody's to write and left out. */
interface Access {
  readonly region: string
  readonly from: number
  readonly to: number
  readonly writes: boolean
}

const conflict = (later: readonly Access[], earlier: readonly Access[]): boolean =>
  later.some((a) => earlier.some((b) => (a.writes || b.writes) && a.region === b.region && a.from < b.to && b.from < a.to))

interface EntryStep extends TimedStep {
  readonly call: string
  /** In how many ways the call can fail. */
  readonly ways: number
  readonly shared: boolean
  readonly accesses: readonly Access[]
}

function stepsOf(program: Program, calledOf: (own: string) => Called, teams: boolean): readonly EntryStep[] {
  return program.instructions.flatMap((instruction): EntryStep[] => {
    if (instruction.kind === 'copy') return copyStep(program, instruction, teams)
    if (instruction.kind !== 'call') return []
    const { name, shared } = calledOf(instruction.name)
    const at = locationText(instruction.locations)
    return [
      {
        name,
        at: at === 'derived' ? '' : at,
        call: callText(program, instruction, name, shared),
        ways: faultCount(instruction.kernel),
        shared,
        accesses: instruction.operands.flatMap(({ buffer, qualifier }) => accessTo(program, buffer, qualifier !== 'in')),
      },
    ]
  })
}

function callText(
  program: Program,
  { kernel, operands }: Extract<Instruction, { kind: 'call' }>,
  name: string,
  shared: boolean,
): string {
  const list = operands.map(({ buffer }, i) => {
    if (isControl(kernel)) return addressText(program, buffer)
    const input = kernel.inputs[i]
    if (input) return `(const ${storageType[input.stored ? 'u16' : input.type.dtype]} *)${addressText(program, buffer)}`
    const result = kernel.results[i - kernel.inputs.length]
    return result ? `(${storageType[result.type.dtype]} *)${addressText(program, buffer)}` : addressText(program, buffer)
  })
  const first = isControl(kernel) ? ['constants'] : []
  return `${identifier(name)}(${[...first, ...list, ...(shared ? ['team'] : [])].join(', ')})`
}

/** Copies of at least so many bytes are divided. */
const longCopy = 65536

function copyStep(program: Program, copy: Copy, teams: boolean): EntryStep[] {
  const { from, to, rows, rowBytes, fromStride, toStride } = copy
  if (rows <= 0 || rowBytes <= 0) return []
  const [target, source] = [addressText(program, to), addressText(program, from)]
  const bytes = rows * rowBytes
  const dense = rows === 1 || (fromStride === rowBytes && toStride === rowBytes)
  const shared = teams && bytes >= longCopy && (dense || rows > 1)
  const [suffix, team] = shared ? ['_shared', ', team'] : ['', '']
  const call = dense
    ? `gp_copy${suffix}(${target}, ${source}, ${bytes}${team})`
    : `gp_copy_rows${suffix}(${target}, ${source}, ${rows}, ${rowBytes}, ${toStride}, ${fromStride}${team})`
  const accesses = [
    ...accessTo(program, from, false, (rows - 1) * fromStride + rowBytes),
    ...accessTo(program, to, true, (rows - 1) * toStride + rowBytes),
  ]
  return [{ name: 'copy', at: '', call, ways: 0, shared, accesses }]
}

function bufferOf(program: Program, id: BufferId): Buffer {
  const buffer = program.buffers.get(id)
  assertInvariant(buffer, `no buffer ${id}`)
  return buffer
}

function placeOf(program: Program, id: BufferId): { readonly region: string; readonly offset: number } {
  let root = bufferOf(program, id)
  while (root.kind === 'view') root = bufferOf(program, root.of)
  const offset = program.offsets.get(id)
  assertInvariant(offset !== undefined, `buffer ${id} has no address`)
  return { region: regionOf[root.kind], offset }
}

/** `bytes`, or the whole buffer where a call reaches as far as its own strides go. */
function accessTo(program: Program, id: BufferId, writes: boolean, bytes?: number): Access[] {
  const { region, offset } = placeOf(program, id)
  if (region === 'constants') return []
  return [{ region, from: offset, to: offset + (bytes ?? bufferOf(program, id).bytes), writes }]
}

function addressText(program: Program, id: BufferId): string {
  const { region, offset } = placeOf(program, id)
  return `(${region} + ${offset})`
}
