import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createBuilder, type Graph } from '../../../compiler/graph/index.ts'
import { compile } from '../../../plugin/compile.ts'
import type { Row } from './rows.ts'

/** y = x · [1, 2, 3, …] for x: f32[16]: tensors of 64 bytes. */
function tinyGraph(): Graph {
  const builder = createBuilder()
  const type = { dtype: 'f32', shape: [16] } as const
  const x = builder.input('x', type)
  const factors = builder.literal(type, new Uint8Array(Float32Array.from({ length: 16 }, (_, i) => i + 1).buffer))
  return builder.finish('tiny', [x], [{ name: 'y', value: builder.addFlat('mul', [x, factors], {}) }])
}

async function resnet() {
  // Not bundled: it lays the models out by itself.
  const { loadZoo } = await import(join(process.env.GLOWPLUG_ROOT!, 'fixtures/zoo/load.mjs'))
  return (await loadZoo()).trace('resnet50')
}

/** Makes bundles in folders below a place, each once. */
export function bundlesOf(place: string): (model: Row['model'], kind: Row['kind']) => Promise<string> {
  const known = new Map<string, Promise<string>>()
  async function make(model: Row['model'], kind: Row['kind']): Promise<string> {
    const folder = join(place, `${model}-${kind}`)
    mkdirSync(folder)
    const { files } = await compile(model === 'tiny' ? tinyGraph() : await resnet(), { target: [kind] })
    for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes)
    return folder
  }
  return (model, kind) => {
    const key = `${model} ${kind}`
    const made = known.get(key) ?? make(model, kind)
    known.set(key, made)
    return made
  }
}
