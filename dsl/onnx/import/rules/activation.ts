import type { OpContext, Value } from '../context.ts'

/** Attribute `activation` of a fused operator of com.microsoft; absent means none. */
export function applyActivation(c: OpContext, value: Value, [first, second]: readonly (number | undefined)[]): Value {
  const name = c.text('activation', '')
  switch (name) {
    case '':
      return value
    case 'Relu':
      return c.d.relu(value)
    case 'Tanh':
      return c.d.tanh(value)
    case 'Sigmoid':
      return c.d.sigmoid(value)
    case 'LeakyRelu':
      return c.d.leakyRelu(value, { slope: first ?? 0.01 })
    case 'Clip':
      return c.d.clamp(value, {
        ...(first !== undefined && { minimum: first }),
        ...(second !== undefined && { maximum: second }),
      })
    case 'HardSigmoid':
      return c.d.hardSigmoid(value, { slope: first ?? 0.2, offset: second ?? 0.5 })
    case 'HardSwish':
      return c.d.hardSwish(value)
    case 'Gelu':
      return c.d.gelu(value)
    default:
      return c.unsupported(`activation '${name}' is unknown`)
  }
}
