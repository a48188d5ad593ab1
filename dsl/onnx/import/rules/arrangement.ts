import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { range } from './shared.ts'

function modeOf(c: OpContext): { mode: 'CRD' } | undefined {
  const mode = c.text('mode', 'DCR')
  if (mode !== 'DCR' && mode !== 'CRD') return c.unsupported(`mode '${mode}' is unknown`)
  return mode === 'CRD' ? { mode } : undefined
}

const depthToSpace: OpRule = (c) => c.d.depthToSpace(c.input(0), c.int('blocksize'), modeOf(c)) as Value
const spaceToDepth: OpRule = (c) => c.d.spaceToDepth(c.input(0), c.int('blocksize'), modeOf(c)) as Value

const einsum: OpRule = (c) =>
  c.d.einsum(
    c.text('equation'),
    range(c.inputCount).map((i) => c.input(i)),
  ) as Value

const localResponseNorm: OpRule = (c) => {
  const [alpha, beta, bias] = [c.float('alpha', 1e-4), c.float('beta', 0.75), c.float('bias', 1)]
  return c.d.localResponseNorm(c.input(0), {
    size: c.int('size'),
    ...(alpha !== 1e-4 && { alpha }),
    ...(beta !== 0.75 && { beta }),
    ...(bias !== 1 && { bias }),
  })
}

export const arrangement: OpRules = {
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Einsum: einsum,
  LRN: localResponseNorm,
}
