import { type Level, lanesOf } from '../../level.ts'
import { inSixteenBits } from '../../stored.ts'
import { type Lines, loop } from '../../text.ts'
import type { Setting } from './setting.ts'

/** Vectors of each gate that one tile has: about four accumulators for a row of the batch. */
const vectorsOf = (gates: number, hidden: number, level: Level): number =>
  Math.max(1, Math.min(Math.floor(4 / gates), Math.ceil(hidden / lanesOf(level))))

/** Hidden elements of a tile, and how the last one differs: it has fewer vectors, the last of them perhaps not full. */
export function unitsOf(gates: number, hidden: number, level: Level) {
  const lanes = lanesOf(level)
  const width = vectorsOf(gates, hidden, level) * lanes
  const rest = hidden % width
  const columns = hidden - rest + Math.ceil(rest / lanes) * lanes
  return { width, whole: hidden - rest, rest, columns }
}

/** Elements of the packed weights of a phase, for one direction. */
export const phaseElements = (gates: number, { hidden, depth }: Setting, level: Level): number =>
  gates * unitsOf(gates, hidden, level).columns * depth

/** The same for all phases. */
export const directionElements = (setting: Setting, level: Level): number =>
  setting.phases.reduce((total, { length }) => total + phaseElements(length, setting, level), 0)

/** Calls `visit` for every element: where it goes, and where it comes from in `[gates · hidden, hidden]`. */
function eachPacked(setting: Setting, level: Level, visit: (to: number, from: number) => void): void {
  const { hidden, phases, stored, depth } = setting
  // Of bf16 two steps of the depth are halves of a lane.
  const paired = stored === 'bf16' ? 2 : 1
  const lanes = lanesOf(level)
  let base = 0
  for (const gates of phases) {
    const { width } = unitsOf(gates.length, hidden, level)
    for (const [at, gate] of gates.entries())
      for (let j = 0; j < hidden; j++) {
        const start = j - (j % width)
        const own = Math.min(width, Math.ceil((hidden - start) / lanes) * lanes)
        const column = base + gates.length * start * depth + (at * own + (j - start)) * paired
        for (let k = 0; k < hidden; k++)
          visit(column + (k - (k % paired)) * gates.length * own + (k % paired), (gate * hidden + j) * hidden + k)
      }
    base += phaseElements(gates.length, setting, level)
  }
}

/** Directions of `[hidden / unit][hidden][gates][unit]`, phase after phase, tiles filled up with zeros to whole vectors. */
export function packRecurrent(dense: Uint8Array, setting: Setting, level: Level): Uint8Array {
  const { directions, gates, hidden, stored } = setting
  const size = directionElements(setting, level)
  const from = stored
    ? inSixteenBits(dense, stored)
    : new Uint32Array(dense.buffer.slice(dense.byteOffset, dense.byteOffset + dense.byteLength))
  const to = stored ? new Uint16Array(directions * size) : new Uint32Array(directions * size)
  for (let d = 0; d < directions; d++)
    eachPacked(setting, level, (target, source) => {
      to[d * size + target] = from[d * gates * hidden * hidden + source]!
    })
  return new Uint8Array(to.buffer)
}

/** The same while running, for weights that are computed. */
export function packingLines(setting: Setting, level: Level): Lines {
  const { directions, gates, hidden, phases } = setting
  const size = directionElements(setting, level)
  let base = 0
  const lines = phases.flatMap((own) => {
    const { width, columns } = unitsOf(own.length, hidden, level)
    const first = base
    base += phaseElements(own.length, setting, level)
    return loop('j', 0, columns, 1, [
      `const long start = j - j % ${width}, rest = ${columns} - start, unit = rest < ${width} ? rest : ${width};`,
      ...own.flatMap((gate, at) =>
        loop('k', 0, hidden, 1, [
          `packed[d * ${size} + ${first} + ${own.length} * (start * ${hidden} + k * unit) + ${at} * unit + j - start] = j < ${hidden} ? x1[((d * ${gates} + ${gate}) * ${hidden} + j) * ${hidden} + k] : 0.0f;`,
        ]),
      ),
    ])
  })
  return loop('d', 0, directions, 1, lines)
}
