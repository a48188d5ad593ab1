import type { Interval } from '../../compiler/allocation/index.ts'
import { randomNumbers } from '../../compiler/allocation/problem.ts'

interface Piece {
  readonly start: number
  readonly end: number
  readonly low: number
  readonly high: number
}

export interface CutOptions {
  readonly pieces: number
  readonly seed: number
  /** Default 400. */
  readonly time?: number
  /** Default 65536. */
  readonly height?: number
  /** Sizes are multiples of it. Default 64. */
  readonly unit?: number
}

/**
 * Cuts a full rectangle of time × bytes into pieces: live bytes equal its height at all times, and one placement at least reaches it.
 * Any of the larger pieces is cut next, along the side that is longer, at a point drawn from its middle half.
 */
export function cutRectangle({ pieces, seed, time = 400, height = 1 << 16, unit = 64 }: CutOptions): {
  readonly problem: Interval[]
  readonly height: number
} {
  const random = randomNumbers(seed)
  const area = ({ start, end, low, high }: Piece) => (end - start) * (high - low)
  const parts: Piece[] = [{ start: 0, end: time, low: 0, high: height }]
  for (let attempts = 0; parts.length < pieces && attempts < 20 * pieces; attempts++) {
    parts.sort((a, b) => area(b) - area(a))
    const part = parts.splice(Math.floor(random() * Math.min(8, parts.length)), 1)[0]!
    const cut = 0.25 + random() / 2
    const at = Math.round(part.start + cut * (part.end - part.start))
    const level = Math.round((part.low + cut * (part.high - part.low)) / unit) * unit
    const byTime = (part.end - part.start) / time > (part.high - part.low) / height
    if (byTime ? at === part.start || at === part.end : level === part.low || level === part.high) parts.push(part)
    else if (byTime) parts.push({ ...part, end: at }, { ...part, start: at })
    else parts.push({ ...part, high: level }, { ...part, low: level })
  }
  return {
    height,
    problem: parts
      .map(({ start, end, low, high }) => ({ start, end, bytes: high - low }))
      .sort((a, b) => a.start - b.start || a.bytes - b.bytes),
  }
}
