import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { workOfKernel } from '../../compiler/fuse/work.ts'
import { cacheNanoseconds } from './choice.ts'
import type { Level } from './level.ts'
import header from './team.h?text'
import { block, declared, type Lines, loop, sum } from './text.ts'

/** The border between generated code and the addon (`targets/native/addon/team.c`), a part of what either is compiled from. */
export const teamHeader = header

/** Helpers of the loops below; stands behind `teamHeader` in code of levels with teams. */
export const teamText = `${header}/* the first of \`steps\` steps that is this part's, and, for the next part, where they end: earlier parts have one more */
static inline __attribute__((always_inline)) long gp_share(long steps, unsigned long part, unsigned long parts) {
  return (long)(((unsigned long)steps * part + parts - 1) / parts);
}
#define TEAM_FIRST(steps) gp_share(steps, team->part, team->parts)
#define TEAM_END(steps) gp_share(steps, team->part + 1, team->parts)
`

/**
 * `loop` of text.ts, divided among the parts of the team: each runs a contiguous share of the steps. Prints exactly what `loop` prints at
 * levels without teams. A part writes nothing but what its own steps compute, and the body holds neither another shared loop nor
 * `teamWait`: parts take different numbers of steps, some none. What stands before and behind the loop is run by every part.
 */
export function sharedLoop(level: Level, variable: string, from: number, to: number, step: number, body: Lines): string[] {
  if (!level.teams || to <= from) return loop(variable, from, to, step, body)
  const steps = Math.ceil((to - from) / step)
  if (steps === 1) return onePart(level, loop(variable, from, to, step, body))
  const bound = (edge: string) => `${from === 0 ? '' : `${from} + `}${step === 1 ? '' : `${step} * `}${edge}(${steps})`
  const header = `for (long ${variable} = ${bound('TEAM_FIRST')}, ${variable}_end = ${bound('TEAM_END')}; ${variable} < ${variable}_end; ${variable} += ${step})`
  return block(header, body)
}

/** Dimensions whose product is at least this are enough to divide: with fewer steps the parts' shares differ too much. */
const enoughSteps = 96

/**
 * Nested loops from 0 with step 1 over independent work, outermost first, divided among the parts: as many of the outer loops as give
 * enough steps become one. The rules of `sharedLoop` hold.
 */
export function sharedNest(level: Level, loops: readonly (readonly [variable: string, extent: number])[], body: Lines): Lines {
  const nest = (inner: typeof loops) =>
    inner.reduceRight<Lines>((lines, [variable, extent]) => loop(variable, 0, extent, 1, lines), body)
  if (!level.teams || loops.length === 0 || loops.some(([, extent]) => extent === 0)) return onePart(level, nest(loops))
  let count = 0
  let steps = 1
  while (count < loops.length && steps < enoughSteps) steps *= loops[count++]![1]
  const outer = loops.slice(0, count).filter(([, extent]) => extent > 1)
  const single = loops.slice(0, count).filter(([, extent]) => extent === 1)
  const rest = single.reduceRight<Lines>((lines, [variable]) => loop(variable, 0, 1, 1, lines), nest(loops.slice(count)))
  if (outer.length === 0) return onePart(level, rest)
  if (outer.length === 1) return sharedLoop(level, outer[0]![0], 0, steps, 1, rest)
  const variables = outer.map(([variable], d) => {
    const below = outer.slice(d + 1).reduce((product, [, extent]) => product * extent, 1)
    const quotient = below === 1 ? 'shared_' : `shared_ / ${below}`
    return `const long ${variable} = ${d === 0 ? quotient : `${below === 1 ? quotient : `(${quotient})`} % ${outer[d]![1]}`};`
  })
  return sharedLoop(level, 'shared_', 0, steps, 1, [...variables, ...rest])
}

/**
 * Loops over `turns` and, in them, over `places`, each outermost first, from 0 with step 1 over independent work, divided among the parts by
 * place: a part's share is a stretch of places, for every turn. The rules of `sharedLoop` hold.
 *
 * What lies in blocks of channels is divided so, by rows of pixels: kernels that follow each other then read what their own part wrote, but
 * for the edges of shares, and each turn's weights stay where they are near. A line of which another core has a copy takes up to 25 ns to be
 * written, one at a time, where one core alone takes 0.6 (Zen 4, cores of different complexes); MobileNetV3 on two threads took 1.15 times as
 * long with depthwise convolutions, reductions and products divided by channel.
 */
export function sharedPlaces(
  level: Level,
  turns: readonly (readonly [variable: string, extent: number])[],
  places: readonly (readonly [variable: string, extent: number])[],
  body: Lines,
): Lines {
  const count = (loops: typeof turns) => loops.reduce((product, [, extent]) => product * extent, 1)
  const nest = (loops: typeof turns, inner: Lines) =>
    loops.reduceRight<Lines>((lines, [variable, extent]) => loop(variable, 0, extent, 1, lines), inner)
  const [turnCount, steps] = [count(turns), count(turns) * count(places)]
  if (!level.teams || steps <= 1) return onePart(level, nest(turns, nest(places, body)))
  if (turnCount === 1) return nest(turns, sharedNest(level, places, body))
  if (turnCount === steps) return nest(places, sharedNest(level, turns, body))
  const turn = sum(turns.map(([variable], i) => [variable, count(turns.slice(i + 1))] as const))
  // A part has step `place * turnCount + turn` if that is neither before its first nor behind its last.
  const bound = (edge: string) => `(${edge} - turn_ + ${turnCount - 1}) / ${turnCount}`
  const header = `for (long place_ = ${bound('first_')}, place_end = ${bound('end_')}; place_ < place_end; place_ += 1)`
  const named = places.map(([name, extent], i) => {
    const below = count(places.slice(i + 1))
    const quotient = below === 1 ? 'place_' : `place_ / ${below}`
    const text = extent === 1 ? '0' : i === 0 || count(places.slice(0, i)) === 1 ? quotient : `(${quotient}) % ${extent}`
    return [name, `const long ${name} = ${text};`] as const
  })
  return block('', [
    `const long first_ = TEAM_FIRST(${steps}), end_ = TEAM_END(${steps});`,
    ...nest(turns, [`const long turn_ = ${turn};`, ...block(header, [...declared(named, body)])]),
  ])
}

/** Lines that one part runs, for all: preparations that are too small to divide. Others do not wait for it: see `teamWait`. */
export const onePart = (level: Level, lines: Lines): string[] =>
  level.teams && lines.length > 0 ? block('if (team->part == 0)', lines) : [...lines]

/** Between phases of a kernel: what any part wrote before is read by others behind it. Every part must come past it equally often. */
export const teamWait = (level: Level): Lines => (level.teams ? ['team->wait(team);'] : [])

/** Whether a kernel's C takes part in a team: all parts call what mentions it, and divide the work. */
export const mentionsTeam = (lines: Lines): boolean => lines.some((line) => /\bteam\b|\bTEAM_(?:FIRST|END)\b/.test(line))

/**
 * Nanoseconds that a kernel must take for its division to pay: parts meet behind it, which takes 0.2 µs with two of them and more with
 * more. Undivided it fetches what other parts wrote, which takes several times as long as what its own part did: depthwise convolutions of
 * UltraFace that take one thread 2.7 µs took one part of a team 9.
 */
const leastNanoseconds = 1500

/** What a kernel takes one thread, about. */
export function kernelNanoseconds(kernel: Kernel, level: Level): number {
  const { operations, bytesRead, bytesWritten } = workOfKernel(kernel)
  return Math.max(operations / (2 * level.multiplyAddsPerNanosecond), cacheNanoseconds(bytesRead + bytesWritten))
}

/** The level at which a kernel is printed: without teams where it is too small to be divided. */
export const sharingLevel = (kernel: Kernel, level: Level): Level =>
  level.teams && kernelNanoseconds(kernel, level) < (level.leastDivided ?? leastNanoseconds) ? withoutTeams(level) : level

const undivided = new WeakMap<Level, Level>()

/** One value for each level, so that what is remembered by level stays known. */
function withoutTeams(level: Level): Level {
  const known = undivided.get(level) ?? { ...level, teams: false }
  undivided.set(level, known)
  return known
}
