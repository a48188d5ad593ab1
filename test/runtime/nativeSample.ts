import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBuilder, type Graph, type ModelGraph } from '../../compiler/graph/index.ts'
import { compile } from '../../plugin/compile.ts'
import { nativeAvailable } from '../../targets/native/index.ts'
import type { Bundle, Manifest } from '../../targets/runtime/index.ts'

const available = await nativeAvailable()
export const unavailable = available.ok ? undefined : available.reason

const floats = (values: ArrayLike<number>) => new Uint8Array(Float32Array.from(values).buffer)

/** Sides of the matrices of `slow`. */
export const side = 512

/** y = x · [10, 20, 30, 40] */
function scale(name: string): Graph {
  const builder = createBuilder()
  const x = builder.input('x', { dtype: 'f32', shape: [4] })
  const factors = builder.literal({ dtype: 'f32', shape: [4] }, floats([10, 20, 30, 40]))
  return builder.finish(name, [x], [{ name: 'y', value: builder.addFlat('mul', [x, factors], {}) }])
}

/** y = [5, 6, 7][i] */
function pick(name: string): Graph {
  const builder = createBuilder()
  const i = builder.input('i', { dtype: 'i32', shape: [2] })
  const table = builder.literal({ dtype: 'f32', shape: [3] }, floats([5, 6, 7]))
  return builder.finish(name, [i], [{ name: 'y', value: builder.addFlat('gather', [table, i], { axis: 0 }) }])
}

/** Rows of x turned one to the right 16 times, by products with a permutation: milliseconds of work, and weights of a mebibyte. */
function slow(name: string): Graph {
  const builder = createBuilder()
  const x = builder.input('x', { dtype: 'f32', shape: [side, side] })
  const turned = new Float32Array(side * side)
  for (let row = 0; row < side; row++) turned[row * side + ((row + 1) % side)] = 1
  const turn = builder.literal({ dtype: 'f32', shape: [side, side] }, floats(turned))
  let y = x
  for (let n = 0; n < 16; n++) y = builder.addFlat('matmul', [y, turn], {})
  return builder.finish(name, [x], [{ name: 'y', value: y }])
}

export const nativeModel = (name: string): ModelGraph => ({
  name,
  entries: [
    { name: 'scale', graph: scale(name) },
    { name: 'pick', graph: pick(name) },
    { name: 'slow', graph: slow(name) },
  ],
})

const root = mkdtempSync(join(tmpdir(), 'glowplug-native-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
let folders = 0

/** Writes a bundle to a folder of its own. What is mapped is never overwritten. */
export function write(files: ReadonlyMap<string, Uint8Array>): string {
  const folder = join(root, String(folders++))
  mkdirSync(folder)
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes)
  return folder
}

export const compileNative = (name: string, target: readonly string[] = ['native', 'wasm']): Promise<Bundle> =>
  compile(nativeModel(name), { target })

/** A folder with the bundle as it would be with another manifest. */
export function writeChanged(
  { manifest, files }: Bundle,
  change: (manifest: any, files: Map<string, Uint8Array>) => void,
): string {
  const changed = structuredClone(manifest) as Manifest
  const all = new Map([...files].filter(([name]) => !name.endsWith('.manifest.json')))
  change(changed, all)
  const text = Buffer.from(JSON.stringify(changed))
  all.set(`changed-${createHash('sha256').update(text).digest('hex').slice(0, 8)}.manifest.json`, text)
  return write(all)
}
