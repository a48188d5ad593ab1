// Imported from encoder.onnx
// Producer pytorch 2.4, IR version 8, ai.onnx 17
import {
  add,
  cast,
  embedding,
  expectShape,
  gelu,
  layerNorm,
  linear,
  matmul,
  model,
  mul,
  reshape,
  slice,
  softmax,
  squeeze,
  sub,
  type Tensor,
  tanh,
  tensor,
  transpose,
  unsqueeze,
  weights,
} from 'glowplug'

const w = weights(new URL('./encoder.safetensors', import.meta.url))

/** Linear layer. */
function dense(x: Tensor<'f32'>, name: string, from: number, to: number) {
  return linear(x, w.get(`${name}.weight`, 'f32', [to, from]), w.get(`${name}.bias`, 'f32', [to]))
}

/** Dense, reshape, transpose. */
function heads(x: Tensor<'f32'>, name: string) {
  return transpose(reshape(dense(x, `encoder.layer.${name}`, 32, 32), [1, 16, 4, 8]), [0, 2, 1, 3])
}

/** Layer normalisation. */
function normalised(x: Tensor<'f32'>, name: string) {
  return layerNorm(x, w.get(`${name}.LayerNorm.weight`, 'f32', [32]), w.get(`${name}.LayerNorm.bias`, 'f32', [32]), {
    epsilon: 1e-12,
  })
}

/** Heads, transpose, heads, matrix product, product, sum and so on. */
function layer(x: Tensor<'f32'>, mask: Tensor<'f32'>, index: number) {
  let y: Tensor<'f32'> = transpose(heads(x, `${index}.attention.self.key`), [0, 1, 3, 2])
  y = add(mul(matmul(heads(x, `${index}.attention.self.query`), y), 0.35355339059327373), mask)
  y = transpose(matmul(softmax(y), heads(x, `${index}.attention.self.value`)), [0, 2, 1, 3])
  y = add(dense(reshape(y, [1, 16, 32]), `encoder.layer.${index}.attention.output.dense`, 32, 32), x)
  y = normalised(y, `encoder.layer.${index}.attention.output`)
  const activated = gelu(dense(y, `encoder.layer.${index}.intermediate.dense`, 32, 128))
  const z = add(dense(activated, `encoder.layer.${index}.output.dense`, 128, 32), y)
  return normalised(z, `encoder.layer.${index}.output`)
}

export default model({
  name: 'encoder',
  inputs: { input_ids: tensor('i64', [1, 16]), attention_mask: tensor('i64', [1, 16]) },
  forward({ input_ids: inputIds, attention_mask: attentionMask }) {
    const mask = mul(sub(1, cast(unsqueeze(attentionMask, { axes: [1, 2] }), 'f32')), -10000)
    let x: Tensor<'f32'> = embedding(inputIds, w.get('embeddings.word_embeddings.weight', 'f32', [100, 32]))
    x = add(x, slice(w.get('embeddings.position_embeddings.weight', 'f32', [128, 32]), { axis: 0, stop: 16 }))
    x = normalised(x, 'embeddings')
    for (let index = 0; index < 4; index++) x = layer(x, mask, index)
    return {
      last_hidden_state: expectShape(x, [1, 16, 32]),
      pooler_output: expectShape(
        tanh(dense(squeeze(slice(x, { axis: 1, stop: 1 }), { axes: [1] }), 'pooler.dense', 32, 32)),
        [1, 32],
      ),
    }
  },
})
