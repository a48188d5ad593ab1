import { presets } from '../../targets/platform/index.ts'

/** Three tables of three cards' size, and what is behind them. */
export const clickModel = `import { concat, constant, embedding, linear, model, sigmoid, slice, squeeze, sum, tensor } from 'glowplug'
const rows = 1500
const table = (seed: number) => constant('f32', [rows, 16], Array.from({ length: rows * 16 }, (_, i) => ((i * seed) % 17) / 17))
const top = constant('f32', [1, 48], Array.from({ length: 48 }, (_, i) => i / 48))
export default model({
  name: 'click',
  inputs: { ids: tensor('i32', [3, 8, 4]) },
  forward({ ids }) {
    const bags = [3, 5, 7].map((seed, t) => {
      const own = squeeze(slice(ids, { axis: 0, start: t, stop: t + 1 }), { axes: 0 })
      return sum(embedding(own, table(seed)), { axes: 1 })
    })
    return { clicks: sigmoid(linear(concat(bags, { axis: 1 }), top)) }
  },
})
`

/** Three cards of so many bytes each, as a platform file has them. */
export function smallCards(bytes: number): any {
  const described = structuredClone(presets['six-cards']) as any
  described.cards[0].count = 3
  described.types['M.2 card'].memory = [{ name: 'DRAM', bytes, bytesPerSecond: 1e9 }]
  return described
}
