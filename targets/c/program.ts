import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { assertInvariant } from '../../compiler/graph/problem.ts'
import { bodiesOf, isControl, programsWithin } from '../../compiler/memory/index.ts'
import type { Program } from '../../compiler/memory/program.ts'
import type { EntryProgram, WayChoice } from '../../compiler/target.ts'
import { controlFunction } from './control.ts'
import { aloneLines, type Called, teamLines } from './entry.ts'
import { type KernelFunction, kernelFunction } from './function.ts'
import type { Level } from './level.ts'
import { intoParts, onePart } from './parts.ts'
import { baseText, helpers, neededHelpers } from './prelude/index.ts'
import { kernelNanoseconds, teamText } from './team.ts'
import { commentText, indent, locationText } from './text.ts'

export interface ProgramTextOptions {
  /** What stands before the function of an entry, given the name under which it is exported; ends with a space unless empty. */
  attributes(exported: string): string
  /** Whether a long file is one that several compilers can work on at once; see `intoParts`. Default false. */
  readonly divided?: boolean
  /** By entry, which ways its kernels take. Default: those of the level, in all. */
  readonly ways?: readonly WayChoice[]
}

/** What the threads of a team can do in an entry. */
export interface Sharing {
  /** Bytes of working storage that each of them but the first needs for itself. */
  readonly ownBytes: number
  /** What the kernels that are divided take one thread, about. */
  readonly nanoseconds: number
}

export interface ProgramText {
  readonly text: string
  /** By entry. */
  readonly sharing: readonly Sharing[]
}

/** The text of `programWithSharing` alone. */
export const programText = (name: string, entries: readonly EntryProgram[], level: Level, options: ProgramTextOptions): string =>
  programWithSharing(name, entries, level, options).text

/**
 * One C file for the entries of a model: types, the helpers that kernels use, one function for each kernel, and for each entry
 * `int EXPORT(constants, mutable, activations)`, which calls them in order and returns 0, or n when the n-th checked call of that entry
 * found a fault. Entries of a model with state have its region as their next parameter; at levels with teams the last is a
 * `struct glowplug_team *`, and all threads of one call it. Equal kernels
 * of several entries are one function; different ones of one name get another.
 */
export function programWithSharing(
  name: string,
  entries: readonly EntryProgram[],
  level: Level,
  { attributes, divided = false, ways }: ProgramTextOptions,
): ProgramText {
  const levels = new Map(entries.map(({ program }, i) => [program, ways ? { ...level, chosen: ways[i]! } : level]))
  const named = nameKernels(entries, levels)
  const origins = new Map<string, string>()
  for (const program of entries.flatMap((entry) => [...programsWithin(entry.program)])) {
    for (const instruction of program.instructions) {
      if (instruction.kind !== 'call') continue
      const called = named.nameOf(program, instruction.name)
      if (!origins.has(called)) origins.set(called, locationText(instruction.locations))
    }
  }
  const functions = new Map<string, KernelFunction>()
  const calledOf: CalledOf = (program, own) => {
    const name = named.nameOf(program, own)
    return { name, shared: functions.get(name)!.shared }
  }
  for (const [called, { kernel, level }] of named.kernels) {
    const origin = origins.get(called) ?? 'derived'
    const made = isControl(kernel)
      ? controlFunction(called, kernel, level, origin, calledOf)
      : kernelFunction(called, kernel, level, origin)
    const own = bodiesOf(kernel).flatMap((body) =>
      [...body.kernels.keys()].map((name) => functions.get(named.nameOf(body, name))!.ownBytes),
    )
    functions.set(called, { ...made, ownBytes: Math.max(made.ownBytes, ...own) })
  }
  const kernels = [...functions.values()].map(({ lines }) => lines)
  const parts = divided ? intoParts(kernels) : onePart(kernels)
  const bodies = entries.flatMap((entry) => entryLines(entry, level, calledOf, attributes(exportName(entry.export))))
  const body = [...parts.kernels, ...parts.first(bodies)].join('\n')
  const needed = neededHelpers(helpers, body)
  const text = [
    `/* ${commentText(name)}, ${level.name} */`,
    baseText(level),
    ...(level.teams ? [teamText] : []),
    ...needed.flatMap((helper) => [`/* ${helper.about} */`, helper.text]),
    ...parts.before,
    body,
    '',
  ].join('\n')
  const sharing = entries.map(({ program }): Sharing => {
    const calls = program.instructions.flatMap((instruction) =>
      instruction.kind === 'call'
        ? [{ kernel: instruction.kernel, ...functions.get(named.nameOf(program, instruction.name))! }]
        : [],
    )
    const shared = calls.filter((call) => call.shared)
    return {
      ownBytes: Math.max(0, ...shared.map(({ ownBytes }) => ownBytes)),
      nanoseconds: Math.round(shared.reduce((sum, { kernel }) => sum + kernelNanoseconds(kernel, level), 0)),
    }
  })
  return { text, sharing }
}

type CalledOf = (program: Program, own: string) => Called
type NameOf = (program: Program, own: string) => string

interface KernelNames {
  /** Each distinct kernel under the name of its function, and the level that it is made at. */
  readonly kernels: ReadonlyMap<string, { readonly kernel: Kernel; readonly level: Level }>
  /** The name of the function that a program calls by a name of its own. */
  readonly nameOf: NameOf
}

/** Programs name their kernels apart; in one file kernels that are equal, and made in one way, share a name, and others must not. */
function nameKernels(entries: readonly EntryProgram[], levels: ReadonlyMap<Program, Level>): KernelNames {
  const names = new Map<string, string>()
  const kernels = new Map<string, { readonly kernel: Kernel; readonly level: Level }>()
  const called = new Map<Program, Map<string, string>>()
  const within = entries.flatMap((entry) =>
    [...programsWithin(entry.program)].map((program) => ({ program, level: levels.get(entry.program)! })),
  )
  for (const { program, level } of within) {
    const own = new Map<string, string>()
    for (const [base, kernel] of program.kernels) {
      const signature = kernelSignature(kernel)
      const key = `${level.chosen?.get(signature) ?? ''}\n${signature}`
      let name = names.get(key)
      if (name === undefined) {
        name = base
        for (let n = 2; kernels.has(name); n++) name = `${base}_${n}`
        names.set(key, name)
        kernels.set(name, { kernel, level })
      }
      own.set(base, name)
    }
    called.set(program, own)
  }
  const nameOf: NameOf = (program, own) => {
    const name = called.get(program)?.get(own)
    assertInvariant(name, `call of '${own}', which is not among the program's kernels`)
    return name
  }
  return { kernels, nameOf }
}

/** Exported names have no `_`, so that no kernel can bear one. */
function exportName(name: string): string {
  assertInvariant(/^[a-z][A-Za-z0-9]{0,63}$/.test(name), `exported name ${JSON.stringify(name)} is not a safe identifier`)
  return name
}

function entryLines(
  { entry, export: exported, program }: EntryProgram,
  level: Level,
  calledOf: CalledOf,
  attributes: string,
): string[] {
  const called = (own: string) => calledOf(program, own)
  const { teams, trace } = level
  const lines = (teams ? teamLines(program, called, trace) : undefined) ?? aloneLines(program, called, trace)
  const carried = program.regions.state === undefined ? [] : ['state']
  const parameters = ['constants', 'mutable', 'activations', ...carried, ...(level.teams ? ['team'] : [])]
  const used = lines.join('\n')
  return [
    '',
    `/* ${commentText(entry)} */`,
    `${attributes}int ${exported}(${parameters.map((name) => (name === 'team' ? 'struct glowplug_team *team' : `char *${name}`)).join(', ')}) {`,
    ...indent([
      ...parameters.filter((parameter) => !new RegExp(`\\b${parameter}\\b`).test(used)).map((parameter) => `(void)${parameter};`),
      ...lines,
      'return 0;',
    ]),
    '}',
  ]
}
