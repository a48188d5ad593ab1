import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { packedAttention } from './contribAttention.ts'
import { decoded, encoded, integerProduct } from './quantized.ts'
import { lstmOf } from './recurrent.ts'
import { castTo, dimsOf, range, reshaped } from './shared.ts'

/** Inputs: condition, x, scale, zero point, y, scale, zero point, scale and zero point of the result. */
const where: OpRule = (c) => encoded(c, c.d.where(c.input(0), decoded(c, 1), decoded(c, 4)) as Value, 7, c.typeOf(1).dtype)

/** Inputs: x, scale, zero point, scale and zero point of the result; axes are an attribute. */
const mean: OpRule = (c) => {
  const x = decoded(c, 0)
  const axes = c.ints('axes') ?? range(dimsOf(x).length)
  return encoded(c, c.d.mean(x, { axes: [...axes], ...(c.int('keepdims', 1) !== 0 && { keepDims: true }) }) as Value, 3)
}

/**
 * Attention whose one product is of integers. Inputs: x, weight, bias, scale of x, scale of weight, mask?, zero point of x?, of weight?,
 * past?.
 */
const attention: OpRule = (c) => {
  const sums = castTo(c, integerProduct(c, c.input(0), c.input(1), 6, 7), 'f32')
  const scale = (i: number) => {
    const value = c.input(i)
    return dimsOf(value).length === 1 && dimsOf(value)[0] === 1 ? reshaped(c, value, []) : value
  }
  const product = c.d.mul(sums, c.d.mul(scale(3), scale(4)) as Value) as Value
  return packedAttention(c, c.d.add(product, c.input(2)) as Value, { mask: 5, past: 8 })
}

/** Weights `[directions, inputs, 4 · hidden]` of integers, in the order of ONNX; they are decoded once. */
function recurrentWeight(c: OpContext, weight: number, scale: number, zero: number): Value {
  const w = c.input(weight)
  const [directions] = dimsOf(w)
  const parameter = (i: number): Value => {
    const value = castTo(c, c.input(i), 'f32')
    return dimsOf(value).length === 2
      ? reshaped(c, value, [directions!, 1, dimsOf(value)[1]!])
      : reshaped(c, value, [directions!, 1, 1])
  }
  const numbers = c.d.sub(castTo(c, w, 'f32'), parameter(zero)) as Value
  return c.d.transpose(c.d.mul(numbers, parameter(scale)) as Value, [0, 2, 1]) as Value
}

/** onnxruntime rounds the inputs of each product as well: results are a little nearer to the float layer than its own. */
const dynamicLstm: OpRule = (c) => lstmOf(c, { input: recurrentWeight(c, 1, 8, 9), recurrent: recurrentWeight(c, 2, 10, 11) })

export const contribQuantized: OpRules = {
  DynamicQuantizeLSTM: dynamicLstm,
  MatMulInteger16: (c) => integerProduct(c, c.input(0), c.input(1), 2, 3),
  QAttention: attention,
  QLinearReduceMean: mean,
  QLinearWhere: where,
}
