import { image, type Kit, type Network } from './record.ts'

// Networks as exporters write them: one call after another, weights by the names that training frameworks give.

const normed = ({ d, weight }: Kit, x: any, name: string, channels: number) =>
  d.batchNorm(
    x,
    ...(['weight', 'bias', 'running_mean', 'running_var'].map((part) => weight(`${name}.${part}`, channels)) as [
      any,
      any,
      any,
      any,
    ]),
  )

function basicBlock(kit: Kit, x: any, name: string, from: number, to: number, stride: number) {
  const { d, weight } = kit
  let y = d.conv2d(x, weight(`${name}.conv1.weight`, to, from, 3, 3), undefined, {
    stride: [stride, stride],
    padding: [1, 1],
  } as any)
  y = d.relu(normed(kit, y, `${name}.bn1`, to))
  y = d.conv2d(y, weight(`${name}.conv2.weight`, to, to, 3, 3), undefined, { padding: 1 } as any)
  y = normed(kit, y, `${name}.bn2`, to)
  if (stride !== 1 || from !== to) {
    const down = d.conv2d(x, weight(`${name}.downsample.0.weight`, to, from, 1, 1), undefined, { stride } as any)
    x = normed(kit, down, `${name}.downsample.1`, to)
  }
  return d.relu(d.add(y, x))
}

const resnet: Network = {
  inputs: { image: image(1, 3, 64, 64) },
  make(kit, { image: x }) {
    const { d, weight } = kit
    x = d.conv2d(x, weight('conv1.weight', 16, 3, 7, 7), undefined, { stride: 2, padding: 3 } as any)
    x = d.maxPool2d(d.relu(normed(kit, x, 'bn1', 16)), [3, 3], { stride: 2, padding: 1 } as any)
    for (const [stage, [to, blocks]] of (
      [
        [16, 2],
        [32, 4],
        [64, 3],
      ] as const
    ).entries())
      for (let block = 0; block < blocks; block++)
        x = basicBlock(
          kit,
          x,
          `layer${stage + 1}.${block}`,
          block === 0 && stage > 0 ? to / 2 : to,
          to,
          block === 0 && stage > 0 ? 2 : 1,
        )
    x = d.flatten(d.globalAvgPool(x))
    return { logits: d.linear(x, weight('fc.weight', 10, 64), weight('fc.bias', 10)) }
  },
}

const mobilenet: Network = {
  inputs: { input: image(1, 3, 64, 64) },
  make({ d, weight }, { input: x }) {
    let id = 497
    const convolve = (to: number, from: number, kernel: number, options: object) => {
      x = d.conv2d(x, weight(`onnx::Conv_${id}`, to, from, kernel, kernel), weight(`onnx::Conv_${id + 1}`, to), options as any)
      id += 3
    }
    const clipped = (...given: Parameters<typeof convolve>) => {
      convolve(...given)
      x = d.clamp(x, { minimum: 0, maximum: 6 })
    }
    clipped(16, 3, 3, { stride: 2, padding: 1 })
    let from = 16
    for (const [to, stride] of [
      [24, 2],
      [24, 1],
      [32, 2],
      [32, 1],
      [32, 1],
      [64, 2],
      [64, 1],
      [64, 1],
    ] as const) {
      const before = x
      clipped(from * 6, from, 1, {})
      clipped(from * 6, 1, 3, { stride, padding: 1, groups: from * 6 })
      convolve(to, from * 6, 1, {})
      if (stride === 1) x = d.add(before, x)
      from = to
    }
    clipped(128, 64, 1, {})
    x = d.flatten(d.mean(x, { axes: [2, 3], keepDims: true }), { axis: 1 })
    return { logits: d.linear(x, weight('classifier.1.weight', 10, 128), weight('classifier.1.bias', 10)) }
  },
}

const vgg: Network = {
  inputs: { x: image(1, 3, 32, 32) },
  make({ d, weight }, { x }) {
    let [from, index] = [3, 0]
    for (const to of [8, 8, 0, 16, 16, 0, 32, 32, 32, 0]) {
      if (to === 0) {
        x = d.maxPool2d(x, [2, 2], { stride: [2, 2] } as any)
        index++
        continue
      }
      x = d.relu(
        d.conv2d(x, weight(`features.${index}.weight`, to, from, 3, 3), weight(`features.${index}.bias`, to), {
          padding: [1, 1],
        } as any),
      )
      index += 2
      from = to
    }
    x = d.flatten(x)
    x = d.relu(d.linear(x, weight('classifier.0.weight', 64, 512), weight('classifier.0.bias', 64)))
    return { scores: d.linear(x, weight('classifier.3.weight', 10, 64), weight('classifier.3.bias', 10)) }
  },
}

const encoder = (length: number): Network => ({
  inputs: { input_ids: { dtype: 'i64', shape: [1, length] }, attention_mask: { dtype: 'i64', shape: [1, length] } },
  make({ d, weight }, { input_ids, attention_mask }) {
    const [width, heads] = [32, 4]
    const norm = (x: any, name: string) =>
      d.layerNorm(x, weight(`${name}.weight`, width), weight(`${name}.bias`, width), { epsilon: 1e-12 })
    const dense = (x: any, name: string, to: number, from: number) =>
      d.linear(x, weight(`${name}.weight`, to, from), weight(`${name}.bias`, to))
    const mask = d.mul(d.sub(1, d.cast(d.unsqueeze(attention_mask, { axes: [1, 2] }), 'f32')), -10000)
    const words = d.embedding(input_ids, weight('embeddings.word_embeddings.weight', 100, width))
    const positions = d.slice(weight('embeddings.position_embeddings.weight', 128, width), { axis: 0, start: 0, stop: length })
    let x = norm(d.add(words, positions), 'embeddings.LayerNorm')
    for (let layer = 0; layer < 4; layer++) {
      const name = `encoder.layer.${layer}`
      const split = (part: string) => {
        const y = dense(x, `${name}.attention.self.${part}`, width, width)
        return d.transpose(d.reshape(y, [1, length, heads, width / heads]), [0, 2, 1, 3])
      }
      const [query, key, value] = ['query', 'key', 'value'].map(split) as any[]
      const scores = d.add(d.mul(d.matmul(query, d.transpose(key, [0, 1, 3, 2])), 1 / Math.sqrt(8)), mask)
      const read = d.matmul(d.softmax(scores, { axis: 3 }), value)
      const joined = d.reshape(d.transpose(read, [0, 2, 1, 3]), [1, length, width])
      x = norm(d.add(dense(joined, `${name}.attention.output.dense`, width, width), x), `${name}.attention.output.LayerNorm`)
      const hidden = d.gelu(dense(x, `${name}.intermediate.dense`, width * 4, width))
      x = norm(d.add(dense(hidden, `${name}.output.dense`, width, width * 4), x), `${name}.output.LayerNorm`)
    }
    const first = d.squeeze(d.slice(x, { axis: 1, start: 0, stop: 1 }), { axes: [1] })
    return { last_hidden_state: x, pooler_output: d.tanh(dense(first, 'pooler.dense', width, width)) }
  },
})

const decoder: Network = {
  inputs: {
    token: { dtype: 'i64', shape: [1, 1] },
    ...Object.fromEntries([0, 1, 2].flatMap((i) => ['key', 'value'].map((part) => [`past_${part}_${i}`, image(1, 2, 16, 8)]))),
  },
  make({ d, weight }, inputs) {
    const outputs: Record<string, any> = {}
    let x: any = d.embedding(inputs.token, weight('model.embed_tokens.weight', 50, 16))
    for (let layer = 0; layer < 3; layer++) {
      const name = `model.layers.${layer}`
      const rms = (y: any, part: string) => d.rmsNorm(y, weight(`${name}.${part}.weight`, 16), { epsilon: 1e-6 })
      const linear = (y: any, part: string, to: number, from: number) => d.linear(y, weight(`${name}.${part}.weight`, to, from))
      const normed = rms(x, 'input_layernorm')
      const heads = (part: string) =>
        d.transpose(d.reshape(linear(normed, `self_attn.${part}_proj`, 16, 16), [1, 1, 2, 8]), [0, 2, 1, 3])
      const [query, key, value] = ['q', 'k', 'v'].map(heads) as any[]
      const keys = d.concat([inputs[`past_key_${layer}`], key], { axis: 2 } as any)
      const values = d.concat([inputs[`past_value_${layer}`], value], { axis: 2 } as any)
      outputs[`present_key_${layer}`] = keys
      outputs[`present_value_${layer}`] = values
      const shares = d.softmax(d.mul(d.matmul(query, d.transpose(keys, [0, 1, 3, 2])), 0.35355338))
      const read = d.reshape(d.transpose(d.matmul(shares, values), [0, 2, 1, 3]), [1, 1, 16])
      x = d.add(x, linear(read, 'self_attn.o_proj', 16, 16))
      const after = rms(x, 'post_attention_layernorm')
      const gated = d.mul(d.silu(linear(after, 'mlp.gate_proj', 40, 16)), linear(after, 'mlp.up_proj', 40, 16))
      x = d.add(x, linear(gated, 'mlp.down_proj', 16, 40))
    }
    return { logits: d.linear(d.rmsNorm(x, weight('model.norm.weight', 16)), weight('lm_head.weight', 50, 16)), ...outputs }
  },
}

const unet: Network = {
  inputs: { image: image(1, 1, 64, 64) },
  make({ d, weight }, { image: x }) {
    const double = (y: any, name: string, from: number, to: number) => {
      for (const [i, input] of [from, to].entries())
        y = d.relu(
          d.conv2d(y, weight(`${name}.${i}.weight`, to, input, 3, 3), weight(`${name}.${i}.bias`, to), { padding: 1 } as any),
        )
      return y
    }
    const kept: any[] = []
    let from = 1
    for (const [level, to] of [8, 16, 32, 64].entries()) {
      if (level > 0) x = d.maxPool2d(x, 2)
      x = double(x, `down.${level}`, from, to)
      kept.push(x)
      from = to
    }
    for (const [level, to] of [32, 16, 8].entries()) {
      const skip = kept[2 - level]
      const wide = d.resize(x, [skip.shape[2], skip.shape[3]], { mode: 'linear' })
      x = double(d.concat([skip, wide], { axis: 1 } as any), `up.${level}`, to * 3, to)
    }
    return { mask: d.sigmoid(d.conv2d(x, weight('head.weight', 1, 8, 1, 1), weight('head.bias', 1))) }
  },
}

/** Unrolled, as exporters of TensorFlow write a cell; states sliced out of one tensor. */
const cells: Network = {
  inputs: { frame: image(1, 16), state: image(1, 2, 8, 2) },
  make({ d, weight }, { frame, state }) {
    let x = frame
    const kept: any[] = []
    for (const [i, from] of [16, 8].entries()) {
      const part = (which: number) =>
        d.reshape(
          d.slice(state, [
            { axis: 1, start: i, stop: i + 1 },
            { axis: 3, start: which, stop: which + 1 },
          ]),
          [1, 8],
        )
      const name = `model/lstm_${i + 1}`
      const sum = d.add(
        d.matmul(x, weight(`${name}/kernel`, from, 32)),
        d.matmul(part(0), weight(`${name}/recurrent_kernel`, 8, 32)),
      )
      const [input, forget, fresh, output] = d.split(d.add(sum, weight(`${name}/bias`, 32)), 4, { axis: 1 } as any) as any[]
      const cell = d.add(d.mul(d.sigmoid(forget), part(1)), d.mul(d.sigmoid(input), d.tanh(fresh)))
      x = d.mul(d.sigmoid(output), d.tanh(cell))
      kept.push(d.stack([x, cell], { axis: -1 } as any))
    }
    return { gain: d.sigmoid(d.linear(x, weight('dense.weight', 16, 8))), state_out: d.stack(kept, { axis: 1 } as any) }
  },
}

const quantised: Network = {
  inputs: {
    image: { dtype: 'u8', shape: [1, 3, 32, 32], quantization: { scale: [Math.fround(0.0078125)], zeroPoint: [128] } },
  },
  make({ d, typed }, { image: x }) {
    const scales = [0.0123, 0.0234, 0.0345, 0.0456, 0.0567]
    x = d.dequantize(x, { scale: 0.0078125, zeroPoint: 128 } as any)
    let from = 3
    for (const [i, to] of [8, 16, 16, 32, 32].entries()) {
      const weight = d.dequantize(typed('i8', `conv${i}_quantized`, to, from, 3, 3), { scale: scales[i], zeroPoint: 0 } as any)
      const bias = d.dequantize(typed('i32', `conv${i}_bias`, to), { scale: scales[i]! / 128, zeroPoint: 0 } as any)
      x = d.relu(d.conv2d(x, weight, bias, { stride: [2, 2], padding: { before: [0, 0], after: [1, 1] } } as any))
      x = d.dequantize(d.quantize(x, { dtype: 'u8', scale: 0.05 * (i + 1), zeroPoint: 3 } as any), {
        scale: 0.05 * (i + 1),
        zeroPoint: 3,
      } as any)
      from = to
    }
    return { features: x }
  },
}

const small: Network = {
  inputs: { x: image(2, 3), y: image(3) },
  make({ d, literal }, { x, y }) {
    const twice = d.add(x, literal('f32', [], [0.1]))
    const table = literal('f32', [3], [0.5, -1, Number.POSITIVE_INFINITY])
    return {
      x,
      sum: d.mul(d.add(twice, y), table),
      gelu: d.mul(d.erf(d.div(x, Math.fround(Math.SQRT2))), 1e-7),
      table,
      same: twice,
    }
  },
}

const open: Network = {
  dims: [{ name: 'sequence_length', sizes: [24] }],
  inputs: {
    features: { dtype: 'f32', shape: [1, 24, 8], dims: [undefined, 'sequence_length', undefined] },
    mask: { dtype: 'bool', shape: [1, 24, 1], dims: [undefined, 'sequence_length', undefined] },
  },
  make: ({ d, weight }, { features, mask }) => ({
    pooled: d.max(d.where(mask, d.linear(features, weight('proj.weight', 4, 8), weight('proj.bias', 4)), -Infinity), {
      axes: [1],
    }),
  }),
}

/** Networks by name; each is a model, with the entries that stand here. */
export const networks: Readonly<Record<string, Readonly<Record<string, Network>>>> = {
  resnet: { main: resnet },
  mobilenet: { main: mobilenet },
  vgg: { main: vgg },
  encoder: { main: encoder(16) },
  lengths: { seq16: encoder(16), seq32: encoder(32), seq64: encoder(64) },
  decoder: { main: decoder },
  unet: { main: unet },
  cells: { main: cells },
  quantised: { main: quantised },
  open: { main: open },
  small: { main: small },
  several: { main: small, other: vgg },
}
