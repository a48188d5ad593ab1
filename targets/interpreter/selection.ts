import { EvaluationFault } from './fault.ts'
import { type ComputedName, type Row, whole } from './row.ts'
import { decode, encode } from './values.ts'

type Box = readonly [top: number, left: number, bottom: number, right: number]

const areaOf = ([top, left, bottom, right]: Box): number => (bottom - top) * (right - left)

/** In f64 from elements of f32, and rounded once, as the kernels do. */
function overlap(a: Box, b: Box): number {
  const height = Math.min(a[2], b[2]) - Math.max(a[0], b[0])
  const width = Math.min(a[3], b[3]) - Math.max(a[1], b[1])
  const [one, other] = [areaOf(a), areaOf(b)]
  if (!(height > 0 && width > 0 && one > 0 && other > 0)) return 0
  const common = height * width
  return Math.fround(common / (one + other - common))
}

export const selectionRows = {
  truePositions: whole<'truePositions'>(([condition], { limit }) => {
    const values = decode(condition!)
    const found = new BigInt64Array(limit + 1)
    let count = 0
    for (let i = 0; i < values.length; i++) {
      if (!values[i]) continue
      if (count === limit) throw new EvaluationFault(`truePositions: more than ${limit} elements are true`)
      found[count++] = BigInt(i)
    }
    found[limit] = BigInt(count)
    return encode('i64', found)
  }),

  suppressedBoxes: whole<'suppressedBoxes'>(([boxes, scores, iou, least], { most, center }) => {
    const [batches, classes, count] = scores!.type.shape as [number, number, number]
    const [corners, all] = [decode(boxes!), decode(scores!)]
    const threshold = Number(decode(iou!)[0])
    const lowest = least ? Number(decode(least)[0]) : Number.NEGATIVE_INFINITY
    const kept = new BigInt64Array(batches * classes * (most + 1))
    const boxAt = (batch: number, i: number): Box => {
      const [a, b, c, d] = [0, 1, 2, 3].map((k) => Number(corners[(batch * count + i) * 4 + k])) as [
        number,
        number,
        number,
        number,
      ]
      if (Number.isNaN(a + b + c + d)) return [0, 0, 0, 0]
      if (center) return [b - d / 2, a - c / 2, b + d / 2, a + c / 2]
      return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)]
    }
    for (let row = 0; row < batches * classes; row++) {
      const batch = Math.floor(row / classes)
      const score = (i: number) => Number(all[row * count + i])
      const candidates = Array.from({ length: count }, (_, i) => i).filter(
        (i) => score(i) > lowest && score(i) > Number.NEGATIVE_INFINITY,
      )
      candidates.sort((i, j) => score(j) - score(i) || i - j)
      const chosen: Box[] = []
      for (const i of candidates) {
        if (chosen.length === most) break
        const box = boxAt(batch, i)
        if (chosen.some((other) => overlap(other, box) > threshold)) continue
        kept[row * (most + 1) + chosen.length] = BigInt(i)
        chosen.push(box)
      }
      kept[row * (most + 1) + most] = BigInt(chosen.length)
    }
    return encode('i64', kept)
  }),
} satisfies { readonly [K in ComputedName]?: Row<K> }
