// Bodies that are run again and again, or not at all.
import type { Node } from '../../compiler/graph/index.ts'
import * as dsl from '../../dsl/index.ts'
import type { Recipe } from './sketch.ts'

type Any = dsl.Tensor<any, any>

/**
 * Loops, scans and branches, one in another at times. What their bodies compute is exact, whoever computes it: what rounding does to many turns
 * is no matter of theirs.
 */
export const turns: Recipe = (s) => {
  const dtype = s.pick(['f32', 'i32', 'f32', 'u8'] as const)
  const shape = s.pick([[4], [3, 2], [1, 5]])
  const plain: ((a: Any, b: Any) => Any)[] = [
    dsl.maximum,
    dsl.minimum,
    (a) => dsl.negate(a as never) as Any,
    (a, b) => dsl.where(dsl.less(a, b as never) as Any, b, a) as Any,
    (a) => a,
  ]
  const exact: typeof plain = dtype === 'f32' ? plain : [...plain, dsl.add as never, dsl.mul as never, dsl.sub as never]
  const nested = (depth: number, x: Any, y: Any): Any => {
    const step = (a: Any, b: Any): Any => (depth > 0 && s.chance(3) ? nested(depth - 1, a, b) : s.pick(exact)(a, b))
    const kind = s.below(3)
    if (kind === 0) {
      const [count, last] = [s.below(5), s.below(6)]
      const keeps = s.chance(2)
      const made = (dsl.loop as any)(
        { count, carried: [x], ...(keeps && { limit: count + s.below(3) }) },
        (turn: Any, [value]: readonly Any[]) => {
          const next = step(value!, y)
          return { carried: [next], proceed: dsl.notEqual(turn, last), ...(keeps && { kept: [next] }) }
        },
      )
      return keeps && count > 0
        ? (dsl.max(dsl.concat([made.kept[0] as Any, dsl.reshape(x, [1, ...x.shape]) as Any], { axis: 0 }) as Any, {
            axes: [0],
          }) as Any)
        : made.carried[0]
    }
    if (kind === 1) {
      const made = (dsl.scan as any)(
        [x],
        { carried: [dsl.gather(y, dsl.constant('i64', [], [0]))], reverse: s.chance(2) },
        ([row]: readonly Any[], [total]: readonly Any[]) => {
          const next = s.pick(exact)(row!, total!)
          return { carried: [next], kept: [next] }
        },
      )
      return made.kept[0] as Any
    }
    const condition = dsl.less(dsl.max(x) as Any, dsl.max(y) as never) as Any
    return (dsl.branch as any)(
      condition,
      () => [step(x, y)],
      () => [step(y, x)],
    )[0]
  }
  const [x, y] = [s.input(shape, dtype), s.chance(2) ? s.input(shape, dtype) : s.weight(shape, dtype)]
  const once = (node: Node) => s.written([node, y], (a, b) => nested(1, a, b))
  return s.chance(2) ? once(x) : once(once(x))
}
