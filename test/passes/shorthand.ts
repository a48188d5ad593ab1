// Nodes in one line, for cases of several passes.
import type { Node } from '../../compiler/graph/index.ts'
import type { TestGraph } from '../support/expression.ts'

export const window = { stride: [1, 1], before: [0, 0], after: [0, 0], dilation: [1, 1] }

export const reshape = (g: TestGraph, input: Node, shape: number[]) => g.op('reshape', { input }, { shape })

export const transpose = (g: TestGraph, input: Node, order: number[]) => g.op('transpose', { input }, { order })

export const slice = (g: TestGraph, input: Node, start: number[], size: number[], step = start.map(() => 1)) =>
  g.op('slice', { input }, { start, size, step })

export const concat = (g: TestGraph, inputs: Node[], axis = 0) => g.op('concat', { inputs }, { axis })

export const expand = (g: TestGraph, input: Node, shape: number[]) => g.op('expand', { input }, { shape })

export const image = (g: TestGraph) => g.input('x', [1, 2, 5, 5])

/** Three channels from the two of `image`. */
export const conv = (g: TestGraph, input: Node, more: object = {}) =>
  g.op('conv', { input, weight: g.weight('w', [3, 2, 3, 3]) }, { ...window, groups: 1, ...more })
