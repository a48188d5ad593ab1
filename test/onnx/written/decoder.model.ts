// Imported from decoder.onnx
// Producer pytorch 2.4, IR version 8, ai.onnx 17
import {
  add,
  concat,
  embedding,
  expectShape,
  linear,
  matmul,
  model,
  mul,
  reshape,
  rmsNorm,
  silu,
  softmax,
  type Tensor,
  tensor,
  transpose,
  weights,
} from 'glowplug'

const w = weights(new URL('./decoder.safetensors', import.meta.url))

/** Linear layer. */
function dense(x: Tensor<'f32'>, name: string, from: number, to: number) {
  return linear(x, w.get(`${name}.weight`, 'f32', [to, from]))
}

/** Dense, reshape, transpose. */
function heads(x: Tensor<'f32'>, name: string) {
  return transpose(reshape(dense(x, `model.layers.${name}_proj`, 16, 16), [1, 1, 2, 8]), [0, 2, 1, 3])
}

/** RMS normalisation, heads, concatenation, transpose, heads, matrix product and so on. */
function layer(x: Tensor<'f32'>, pastKey: Tensor<'f32'>, pastValue: Tensor<'f32'>, index: number) {
  let y: Tensor<'f32'> = rmsNorm(x, w.get(`model.layers.${index}.input_layernorm.weight`, 'f32', [16]), { epsilon: 1e-6 })
  const joined = concat([pastKey, heads(y, `${index}.self_attn.k`)], { axis: 2 })
  const z = concat([pastValue, heads(y, `${index}.self_attn.v`)], { axis: 2 })
  y = softmax(mul(matmul(heads(y, `${index}.self_attn.q`), transpose(joined, [0, 1, 3, 2])), 0.35355338))
  y = reshape(transpose(matmul(y, z), [0, 2, 1, 3]), [1, 1, 16])
  y = add(x, dense(y, `model.layers.${index}.self_attn.o_proj`, 16, 16))
  const postAttentionLayernorm = rmsNorm(y, w.get(`model.layers.${index}.post_attention_layernorm.weight`, 'f32', [16]), {
    epsilon: 1e-6,
  })
  const activated = silu(dense(postAttentionLayernorm, `model.layers.${index}.mlp.gate_proj`, 16, 40))
  const product = mul(activated, dense(postAttentionLayernorm, `model.layers.${index}.mlp.up_proj`, 16, 40))
  return [joined, z, add(y, dense(product, `model.layers.${index}.mlp.down_proj`, 40, 16))] as const
}

export default model({
  name: 'decoder',
  inputs: {
    token: tensor('i64', [1, 1]),
    past_key_0: tensor('f32', [1, 2, 16, 8]),
    past_value_0: tensor('f32', [1, 2, 16, 8]),
    past_key_1: tensor('f32', [1, 2, 16, 8]),
    past_value_1: tensor('f32', [1, 2, 16, 8]),
    past_key_2: tensor('f32', [1, 2, 16, 8]),
    past_value_2: tensor('f32', [1, 2, 16, 8]),
  },
  forward({
    token,
    past_key_0: pastKey0,
    past_value_0: pastValue0,
    past_key_1: pastKey1,
    past_value_1: pastValue1,
    past_key_2: pastKey2,
    past_value_2: pastValue2,
  }) {
    let x: Tensor<'f32'> = embedding(token, w.get('model.embed_tokens.weight', 'f32', [50, 16]))
    const presentKeys: Tensor<'f32'>[] = []
    const presentValues: Tensor<'f32'>[] = []
    const pastKeys = [pastKey0, pastKey1, pastKey2]
    const pastValues = [pastValue0, pastValue1, pastValue2]
    for (let index = 0; index < 3; index++) {
      const [made, made2, next] = layer(x, pastKeys[index]!, pastValues[index]!, index)
      x = next
      presentKeys.push(made)
      presentValues.push(made2)
    }
    x = rmsNorm(x, w.get('model.norm.weight', 'f32', [16]))
    return {
      logits: expectShape(dense(x, 'lm_head', 16, 50), [1, 1, 50]),
      present_key_0: expectShape(presentKeys[0]!, [1, 2, 17, 8]),
      present_value_0: expectShape(presentValues[0]!, [1, 2, 17, 8]),
      present_key_1: expectShape(presentKeys[1]!, [1, 2, 17, 8]),
      present_value_1: expectShape(presentValues[1]!, [1, 2, 17, 8]),
      present_key_2: expectShape(presentKeys[2]!, [1, 2, 17, 8]),
      present_value_2: expectShape(presentValues[2]!, [1, 2, 17, 8]),
    }
  },
})
