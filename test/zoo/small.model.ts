// The networks of the zoo with few channels and small inputs: every kind of block, computed in a moment.
import { model, reshape, type Tensor, tensor, weights } from 'glowplug'
import { floatLayers } from '../../fixtures/zoo/blocks/layers.ts'
import { detect } from '../../fixtures/zoo/networks/detector.ts'
import { type Dlrm, dlrm, inputsOf } from '../../fixtures/zoo/networks/dlrm.ts'
import { encode } from '../../fixtures/zoo/networks/encoder.ts'
import { csn101, filmNet, resnext3d101 } from '../../fixtures/zoo/networks/film.ts'
import { mobileNet } from '../../fixtures/zoo/networks/mobilenet.ts'
import { regNet } from '../../fixtures/zoo/networks/regnet.ts'
import { residual } from '../../fixtures/zoo/networks/resnet.ts'

const layersOf = (name: string) => floatLayers(weights(new URL(`./${name}.safetensors`, import.meta.url)))
const image = tensor('f32', [1, 3, 64, 64])
const film = tensor('f32', [1, 3, 4, 32, 32])
const blocks = [1, 1, 2, 1] as const
const clicks: Dlrm = { batch: 3, dense: 13, tables: 4, rows: 50, width: 8, lookups: 5, bottom: [16, 8], top: [16, 1] }

export default model({
  name: 'small',
  entries: {
    residual: {
      inputs: { image },
      forward: ({ image }) => ({
        y: residual(layersOf('residual'), image, { blocks, groups: 1, groupWidth: 8, width: 32, stem: 8, classes: 10 }),
      }),
    },
    grouped: {
      inputs: { image },
      forward: ({ image }) => ({
        y: residual(layersOf('grouped'), image, { blocks, groups: 4, groupWidth: 3, width: 20, stem: 8, classes: 10 }),
      }),
    },
    squeezed: {
      inputs: { image },
      forward: ({ image }) => ({
        y: regNet(layersOf('squeezed'), image, {
          stem: 8,
          stages: [
            [12, 1],
            [24, 2],
          ],
          groupWidth: 6,
          squeeze: 0.25,
          classes: 10,
        }),
      }),
    },
    mobile: {
      inputs: { image },
      forward: ({ image }) => ({
        y: mobileNet(layersOf('mobile'), image, {
          stem: 8,
          blocks: [
            [3, 8, 8, false, 'relu', 1],
            [5, 24, 12, true, 'hardSwish', 2],
            [3, 36, 12, true, 'relu', 1],
          ],
          last: 40,
          hidden: 32,
          classes: 10,
        }),
      }),
    },
    detector: {
      inputs: { image },
      forward: ({ image }) =>
        detect(layersOf('detector'), image, {
          stem: 8,
          blocks: [
            [3, 1, 8, 1, false, 1],
            [5, 2, 12, 2, true, 2],
            [3, 3, 16, 2, false, 1],
          ],
          taps: [1, 2],
          width: 16,
          depth: 1,
          anchors: 2,
          classes: 5,
        }),
    },
    timeApart: {
      inputs: { film },
      forward: ({ film }) => ({
        y: filmNet(layersOf('timeApart'), film, {
          ...resnext3d101,
          blocks,
          groups: 4,
          inner: 8,
          width: 16,
          stem: 8,
          classes: 10,
        }),
      }),
    },
    channelsApart: {
      inputs: { film },
      forward: ({ film }) => ({
        y: filmNet(layersOf('channelsApart'), film, { ...csn101, blocks, inner: 6, width: 16, stem: 8, classes: 10 }),
      }),
    },
    encoder: {
      inputs: { tokens: tensor('i64', [1, 9]), kinds: tensor('i64', [1, 9]), mask: tensor('f32', [1, 9]) },
      forward({ tokens, kinds, mask }) {
        const w = weights(new URL('./encoder.safetensors', import.meta.url))
        const size = { layers: 2, width: 24, heads: 3, hidden: 40, epsilon: 1e-5 }
        const request = { tokens, kinds, mask: reshape(mask, [1, 1, 1, 9]) as Tensor<'f32'> }
        return encode(floatLayers(w), w, request, { ...size, vocabulary: 30, positions: 16, firstPosition: 2, kinds: 2 })
      },
    },
    clicks: {
      inputs: inputsOf(clicks),
      forward: ({ dense, ids }) => ({ y: dlrm(weights(new URL('./clicks.safetensors', import.meta.url)), dense, ids, clicks) }),
    },
  },
})
