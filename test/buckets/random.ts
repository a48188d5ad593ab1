// Random models over [batch, seq, width], some of which mix padding into their results and are to be refused.
import {
  abs,
  add,
  argMax,
  attention,
  avgPool1d,
  cast,
  concat,
  constant,
  conv1d,
  cumSum,
  type Dim,
  div,
  exp,
  flatten,
  gather,
  layerNorm,
  linear,
  log,
  logSoftmax,
  matmul,
  max,
  maxPool1d,
  mean,
  min,
  model,
  mul,
  relu,
  reshape,
  slice,
  softmax,
  sub,
  sum,
  type Tensor,
  tanh,
  tensor,
  topK,
  transpose,
  validLength,
  validMask,
  where,
} from '../../dsl/index.ts'
import { numbers } from './support.ts'

type Any = Tensor<any, any>
export type Draw = (limit: number) => number

const width = 4
const infinity = Number.POSITIVE_INFINITY

/** A value in the making, and where its second axis is no padding; without the latter where that is not told so easily. */
interface Value {
  readonly x: Any
  readonly mask: Any | undefined
}

/** A model whose steps are chosen once, so that it is the same at all sizes. */
export function randomModel(draw: Draw): (dims: Readonly<Record<string, Dim>>) => unknown {
  const steps = Array.from({ length: 1 + draw(5) }, () => chooseStep(draw))
  const end = chooseEnd(draw)
  const [data, positions] = [draw(1000), draw(1000)]
  const withBatch = draw(3) === 0
  return ({ seq, batch }) =>
    model({
      name: 'random',
      inputs: { x: tensor('f32', [withBatch ? batch! : 2, seq!, width]) },
      forward({ x }) {
        const table = parameter(positions, 64, width)
        let value: Value = { x: add(x as Any, slice(table, { axis: 0, stop: seq! })) as Any, mask: validMask(seq!) as Any }
        for (const step of steps) value = step(value, data)
        return { y: value.x, z: end(value, seq!) }
      },
    })
}

const parameter = (seed: number, ...shape: number[]): Any =>
  constant(
    'f32',
    shape as [number],
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
  ) as Any

const masked = ({ x, mask }: Value, value: number): Any =>
  mask ? (where(reshape(mask, [(mask.shape as number[])[0]!, 1]), x, value) as Any) : x
const rows = (x: Any) => transpose(x, [0, 2, 1]) as Any

function chooseStep(draw: Draw): (value: Value, seed: number) => Value {
  // Mostly with what makes it exact, now and then without.
  const careful = draw(6) > 0
  const protect = (value: Value, neutral: number) => (careful ? masked(value, neutral) : value.x)
  const keep = (body: (value: Value, seed: number) => Any) => (value: Value, seed: number) => ({ ...value, x: body(value, seed) })
  const [a, b] = [draw(2), draw(2)]
  const value = [0, 1, -infinity][draw(3)]!
  switch (draw(17)) {
    case 0:
      return keep(({ x }) => relu(x) as Any)
    case 1:
      // Infinite where padding is zero.
      return keep(({ x }) => log(abs(x)) as Any)
    case 2:
      return keep(({ x }) => div(x, abs(x)) as Any)
    case 3:
      return keep(({ x }, seed) => linear(x, parameter(seed + 1, width, width)) as Any)
    case 4:
      return keep(({ x }) => layerNorm(x) as Any)
    case 5:
      return keep((given) => masked(given, value))
    case 6:
      return keep((value) => exp(protect(value, -infinity)) as Any)
    case 7:
      return keep((value) => (a ? softmax : logSoftmax)(protect(value, -infinity), { axis: b ? 1 : 2 }) as Any)
    case 8: {
      const reduce = [sum, max, min, mean][draw(careful ? 3 : 4)]!
      const neutral = reduce === max ? -infinity : reduce === min ? infinity : 0
      return keep((value) => sub(tanh(value.x), reduce(protect(value, neutral), { axes: 1, keepDims: true }) as Any) as Any)
    }
    case 9:
      return keep((value) => {
        const scores = matmul(value.x, rows(value.x)) as Any
        const hidden = careful && value.mask ? (where(value.mask, scores, -infinity) as Any) : scores
        return matmul(softmax(hidden), value.x) as Any
      })
    case 10:
      return keep((value) => cumSum(a ? protect(value, 0) : value.x, { axis: 1, reverse: a === 1 }) as Any)
    case 11:
      return ({ x, mask }) => ({
        x: slice(x, { axis: 1, start: 1 }) as Any,
        mask: mask && (slice(mask, { axis: 0, start: 1 }) as Any),
      })
    case 12:
      return ({ x, mask }, seed) => {
        const first = add(mul(slice(x, { axis: 1, stop: 1 }), 0), parameter(seed + 2, 1, 1, width)) as Any
        const order = careful ? [first, x] : [x, first]
        return {
          x: concat(order, { axis: 1 }) as Any,
          mask: mask && (concat([constant('bool', [1], [true]), mask], { axis: 0 }) as Any),
        }
      }
    case 13:
      return (value, seed) => {
        const [stride, padding] = [1 + a, b]
        const y = conv1d(rows(protect(value, 0)), parameter(seed + 3, width, width, 2 + padding), undefined, { stride, padding })
        return { x: rows(y as Any), mask: stride === 1 && padding === 1 ? value.mask : undefined }
      }
    case 14:
      return (value) => {
        const pool = (a ? maxPool1d : avgPool1d) as (x: Any, window: number, options: object) => Any
        const y = pool(rows(protect(value, a ? -infinity : 0)), 3, {
          stride: 1,
          padding: b,
          ...(a ? {} : { countPadding: true }),
        })
        return { x: rows(y as Any), mask: b === 1 ? value.mask : undefined }
      }
    case 15:
      return ({ x }) => {
        const [batch, length] = x.shape as [number, number]
        return {
          x: rows(rows(reshape(reshape(x, [batch, length * 2, width / 2]), [batch, length, width]) as Any)),
          mask: undefined,
        }
      }
    default:
      return keep(({ x, mask }) => {
        const causal = careful && a === 1
        return attention(x as never, x as never, x as never, {
          heads: 2,
          causal,
          ...(careful && !causal && mask ? { mask } : {}),
        }) as Any
      })
  }
}

function chooseEnd(draw: Draw): (value: Value, seq: Dim) => Any {
  const kind = draw(8)
  return (value, seq) => {
    const { x } = value
    if (kind === 0) return gather(x, sub(validLength(seq), 1) as Any, { axis: 1 }) as Any
    if (kind === 1) return slice(x, { axis: 1, start: -1 }) as Any
    if (kind === 2) return flatten(x, { axis: 1 }) as Any
    if (kind === 3) return argMax(masked(value, -infinity), { axis: 1 }) as Any
    if (kind === 4) return div(sum(masked(value, 0), { axes: 1 }), cast(validLength(seq), 'f32') as Any) as Any
    if (kind === 5) return topK(masked(value, -infinity), 1, { axis: 1 }).values as Any
    if (kind === 6) return matmul(rows(masked(value, 0)), x) as Any
    return reshape(rows(x), [-1, (x.shape as number[])[1]!]) as Any
  }
}
