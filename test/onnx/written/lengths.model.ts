// Imported from lengths.onnx
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

const w = weights(new URL('./lengths.safetensors', import.meta.url))

/** Layer normalisation. */
function normalised(x: Tensor<'f32'>, name: string) {
  return layerNorm(x, w.get(`${name}.LayerNorm.weight`, 'f32', [32]), w.get(`${name}.LayerNorm.bias`, 'f32', [32]), {
    epsilon: 1e-12,
  })
}

/** Linear layer. */
function dense(x: Tensor<'f32'>, name: string, from: number, to: number) {
  return linear(x, w.get(`${name}.weight`, 'f32', [to, from]), w.get(`${name}.bias`, 'f32', [to]))
}

/** Dense, reshape, transpose, dense, reshape, transpose and so on. */
function layer(x: Tensor<'f32'>, mask: Tensor<'f32'>, index: number, size: number) {
  const reshaped = reshape(dense(x, `encoder.layer.${index}.attention.self.key`, 32, 32), [1, size, 4, 8])
  let y: Tensor<'f32'> = reshape(dense(x, `encoder.layer.${index}.attention.self.query`, 32, 32), [1, size, 4, 8])
  y = matmul(transpose(y, [0, 2, 1, 3]), transpose(transpose(reshaped, [0, 2, 1, 3]), [0, 1, 3, 2]))
  const z = reshape(dense(x, `encoder.layer.${index}.attention.self.value`, 32, 32), [1, size, 4, 8])
  y = matmul(softmax(add(mul(y, 0.35355339059327373), mask)), transpose(z, [0, 2, 1, 3]))
  y = reshape(transpose(y, [0, 2, 1, 3]), [1, size, 32])
  y = add(dense(y, `encoder.layer.${index}.attention.output.dense`, 32, 32), x)
  y = normalised(y, `encoder.layer.${index}.attention.output`)
  const activated = gelu(dense(y, `encoder.layer.${index}.intermediate.dense`, 32, 128))
  const y2 = add(dense(activated, `encoder.layer.${index}.output.dense`, 128, 32), y)
  return normalised(y2, `encoder.layer.${index}.output`)
}

/** Unsqueeze, cast, difference, product, embedding, sum and so on. */
function network(inputIds: Tensor<'i64'>, attentionMask: Tensor<'i64'>, seq: number) {
  const mask = mul(sub(1, cast(unsqueeze(attentionMask, { axes: [1, 2] }), 'f32')), -10000)
  let x: Tensor<'f32'> = embedding(inputIds, w.get('embeddings.word_embeddings.weight', 'f32', [100, 32]))
  x = add(x, slice(w.get('embeddings.position_embeddings.weight', 'f32', [128, 32]), { axis: 0, stop: seq }))
  x = normalised(x, 'embeddings')
  for (let index = 0; index < 4; index++) x = layer(x, mask, index, seq * 1)
  return [x, tanh(dense(squeeze(slice(x, { axis: 1, stop: 1 }), { axes: [1] }), 'pooler.dense', 32, 32))] as const
}

export default model({
  name: 'lengths',
  entries: {
    seq16: {
      inputs: { input_ids: tensor('i64', [1, 16]), attention_mask: tensor('i64', [1, 16]) },
      forward({ input_ids: inputIds, attention_mask: attentionMask }) {
        const [lastHiddenState, poolerOutput] = network(inputIds, attentionMask, 16)
        return { last_hidden_state: expectShape(lastHiddenState, [1, 16, 32]), pooler_output: expectShape(poolerOutput, [1, 32]) }
      },
    },
    seq32: {
      inputs: { input_ids: tensor('i64', [1, 32]), attention_mask: tensor('i64', [1, 32]) },
      forward({ input_ids: inputIds, attention_mask: attentionMask }) {
        const [lastHiddenState, poolerOutput] = network(inputIds, attentionMask, 32)
        return { last_hidden_state: expectShape(lastHiddenState, [1, 32, 32]), pooler_output: expectShape(poolerOutput, [1, 32]) }
      },
    },
    seq64: {
      inputs: { input_ids: tensor('i64', [1, 64]), attention_mask: tensor('i64', [1, 64]) },
      forward({ input_ids: inputIds, attention_mask: attentionMask }) {
        const [lastHiddenState, poolerOutput] = network(inputIds, attentionMask, 64)
        return { last_hidden_state: expectShape(lastHiddenState, [1, 64, 32]), pooler_output: expectShape(poolerOutput, [1, 32]) }
      },
    },
  },
})
