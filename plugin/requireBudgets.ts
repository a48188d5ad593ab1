import { createDiagnostic, type Diagnostic, DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
import { placeOf, usesOf } from '../compiler/instructions/place.ts'
import { lifetimesOf, type Program } from '../compiler/memory/index.ts'
import type { EntryProgram } from '../compiler/target.ts'
import type { Budgets } from './budgets.ts'
import type { CompiledCode } from './bundle/make.ts'

/**
 * Throws DiagnosticError, with the largest contributors as notes, where code of any target exceeds a budget; `recompute` says whether
 * values were made again to keep that of memory.
 */
export function requireBudgets(model: string, codes: readonly CompiledCode[], budgets: Budgets, recompute: boolean): void {
  const { memory } = budgets
  const diagnostics = codes.flatMap((code) => [
    ...(memory === undefined
      ? []
      : code.entries.flatMap((entry) => overMemory(model, code, entry, { budget: memory, recompute }))),
    ...(budgets.weights === undefined ? [] : overWeights(model, code, budgets.weights)),
    ...(budgets.code === undefined ? [] : overCode(model, code, budgets.code)),
  ])
  if (diagnostics.length > 0) throw new DiagnosticError(diagnostics)
}

interface Contributor {
  readonly name: string
  readonly amount: number
}

/** Contributors named at most. */
const named = 5

const notesOf = (contributors: readonly Contributor[], unit: string) =>
  contributors
    .toSorted((a, b) => b.amount - a.amount || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .slice(0, named)
    .map(({ name, amount }) => ({ message: `${amount} ${unit}: ${name}` }))

const describe = ({ target, code }: CompiledCode): string => (code.level === 'any' ? target : `${target} ${code.level}`)

interface MemoryBudget {
  readonly budget: number
  readonly recompute: boolean
}

function overMemory(
  model: string,
  code: CompiledCode,
  { entry, program }: EntryProgram,
  { budget, recompute }: MemoryBudget,
): Diagnostic[] {
  const { activations, mutable, state = 0 } = program.regions
  const bytes = activations + mutable + state
  if (bytes <= budget) return []
  const kept = state > 0 ? `, ${state} for the state of a session` : ''
  const message = `'${model}' for ${describe(code)}: entry '${entry}' needs ${bytes} bytes of memory (${activations} for activations, ${mutable} for inputs and outputs${kept}), ${bytes - budget} more than its budget of ${budget}`
  const { time, live } = fullest(program)
  const held = [...program.buffers.values()].filter(({ id, kind }) => live.has(id) || ['input', 'output', 'state'].includes(kind))
  const contributors = held.map(({ kind, name, bytes }) => ({
    name: kind === 'activation' || kind === 'scratch' ? `${kind} '${name}', live at instruction ${time}` : `${kind} '${name}'`,
    amount: bytes,
  }))
  const notes = [...notesOf(contributors, 'bytes'), ...waitingNote(program, { time, live }, recompute)]
  return [createDiagnostic('over-budget', message, { notes })]
}

/** Says whether making values again could help: whether some are live there only for those that come after. */
function waitingNote(
  program: Program,
  { time, live }: ReturnType<typeof fullest>,
  recompute: boolean,
): { readonly message: string }[] {
  if (recompute) return [{ message: "'recompute' was tried: making more values again would not lower this, or cost too much" }]
  const next = program.instructions.slice(time).find(({ kind }) => kind === 'call' || kind === 'copy')
  const used = new Set(next ? usesOf(next).map(({ buffer }) => placeOf(program.buffers, buffer).origin) : [])
  const waiting = [...program.buffers.values()].filter(({ id, kind }) => kind === 'activation' && live.has(id) && !used.has(id))
  const bytes = waiting.reduce((sum, buffer) => sum + buffer.bytes, 0)
  if (bytes === 0) return []
  return [
    { message: `${bytes} bytes of activations only wait there for later: with 'recompute', cheap ones are made again instead` },
  ]
}

/** The instruction at which most bytes are live, and what is live there. */
function fullest(program: Program): { readonly time: number; readonly live: ReadonlySet<number> } {
  const lifetimes = [...lifetimesOf(program)]
  const changes = lifetimes
    .flatMap(([, { bytes, start, end }]) => [
      { time: start, bytes },
      { time: end, bytes: -bytes },
    ])
    .sort((a, b) => a.time - b.time || a.bytes - b.bytes)
  let [sum, most, time] = [0, 0, 0]
  for (const change of changes) {
    sum += change.bytes
    if (sum > most) [most, time] = [sum, change.time]
  }
  return { time, live: new Set(lifetimes.flatMap(([id, { start, end }]) => (start <= time && time < end ? [id] : []))) }
}

function overWeights(model: string, code: CompiledCode, budget: number): Diagnostic[] {
  const { length } = code.constants
  if (length <= budget) return []
  const message = `'${model}' for ${describe(code)} has ${length} bytes of weights, ${length - budget} more than its budget of ${budget}`
  // Equal constants of several entries lie in one place.
  const places = new Map<number, Contributor>()
  for (const { program } of code.entries)
    for (const { id, kind, name, bytes } of program.buffers.values())
      if (kind === 'constant') places.set(program.offsets.get(id)!, { name: `weights '${name}'`, amount: bytes })
  return [createDiagnostic('over-budget', message, { notes: notesOf([...places.values()], 'bytes') })]
}

function overCode(model: string, code: CompiledCode, budget: number): Diagnostic[] {
  const { length } = code.code.bytes
  if (length <= budget) return []
  const message = `'${model}' for ${describe(code)} has ${length} bytes of code, ${length - budget} more than its budget of ${budget}`
  // Kernels are compiled together; the size of each is not known, what it computes is.
  const kernels = new Map(code.entries.flatMap(({ program }) => [...program.kernels]))
  const contributors = [...kernels].map(([name, { steps }]) => ({ name: `kernel ${name}`, amount: steps.length }))
  return [createDiagnostic('over-budget', message, { notes: notesOf(contributors, 'steps') })]
}
