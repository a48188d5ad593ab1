import { test } from 'uvu'
import type { DType, Node } from '../../compiler/graph/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import type { TestGraph } from '../support/expression.ts'
import { passSuite } from './suite.ts'

type Castable = 'f32' | 'f64' | 'f16' | 'i8' | 'i32' | 'u8' | 'bool'
const cast = (g: TestGraph, input: Node, dtype: Castable) => g.op('cast', { input }, { dtype })
/** x : `from`[2] cast to each dtype in turn. */
const casts =
  (from: DType, ...through: Castable[]) =>
  (g: TestGraph) =>
    through.reduce((node, dtype) => cast(g, node, dtype), g.input('x', [2], from))

passSuite(passes.simplifyCast, ({ rewrites, leaves }) => {
  rewrites('OP-30 to the same dtype', casts('f32', 'f32'), { into: 'x' })
  rewrites('OP-30, OP-47 through a wider float', casts('f32', 'f64', 'f16'), { into: 'cast(x, dtype: "f16")', attributes: true })
  leaves('OP-30 not through a narrower one', casts('f32', 'f16', 'f64'))
  leaves('not from integer through float to a narrower integer, which saturates', casts('i32', 'f64', 'i8'))
  rewrites('from integer through a wider integer', casts('u8', 'i32', 'i8'), { into: 'cast(x, dtype: "i8")', attributes: true })
  leaves('not from i32 through f32, which rounds', casts('i32', 'f32', 'f64'))
  leaves('not through bool', casts('f32', 'bool', 'f32'))
})

test.run()
