import { createHash } from 'node:crypto'
import { checksumOf } from '../../plugin/bundle/checksum.ts'
import type { Bundle, Manifest } from '../../targets/runtime/index.ts'
import { manifestFormat } from '../../targets/runtime/manifest.ts'

const unsigned = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)])
const signed = (value: number): number[] =>
  value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)]
const vector = (items: readonly number[][]): number[] => [...unsigned(items.length), ...items.flat()]
const text = (name: string): number[] => [...unsigned(name.length), ...Buffer.from(name)]
const section = (id: number, body: readonly number[]): number[] => [id, ...unsigned(body.length), ...body]

const [i32, void_, end] = [0x7f, 0x40, 0x0b]
const get = (local: number) => [0x20, local]
const constant = (value: number) => [0x41, ...signed(value)]
const [add, sub, equal, less] = [[0x6a], [0x6b], [0x46], [0x48]]
const load = (offset: number) => [0x28, 2, ...unsigned(offset)]
const loadFloat = (offset: number) => [0x2a, 2, ...unsigned(offset)]
const storeFloat = (offset: number) => [0x38, 2, ...unsigned(offset)]

/** Numbers that the sample's input `mode` may have; from 100 on it is turns of an idle loop before the sum. */
export const mode = { sum: 0, fault: 1, trap: 2 }

/**
 * (constants, mutable, activations) → code over x: f32[4] at 0, mode: i32[1] at 64, y: f32[4] at 128 of the mutable region and c: f32[4]
 * in the constants: y = x + c.
 */
export function sampleWasm(): Uint8Array<ArrayBuffer> {
  const body = [
    ...[1, 2, i32],
    ...[...get(1), ...load(64), 0x22, 4, ...constant(mode.fault), ...equal, 0x04, void_, ...constant(1), 0x0f, end],
    ...[...get(4), ...constant(mode.trap), ...equal, 0x04, void_, 0x00, end],
    ...[0x02, void_, 0x03, void_, ...get(4), ...constant(100), ...less, 0x0d, 1],
    ...[...get(4), ...constant(1), ...sub, 0x21, 4, 0x0c, 0, end, end],
    ...[0x03, void_, ...get(1), ...get(3), ...add, ...get(1), ...get(3), ...add, ...loadFloat(0)],
    ...[...get(0), ...get(3), ...add, ...loadFloat(0), 0x92, ...storeFloat(128)],
    ...[...get(3), ...constant(4), ...add, 0x22, 3, ...constant(16), ...less, 0x0d, 0, end],
    ...[...constant(0), end],
  ]
  const exports = [
    [...text('memory'), 2, 0],
    [...text('__heap_base'), 3, 0],
    [...text('entry'), 0, 0],
  ]
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([[0x60, ...vector([[i32], [i32], [i32]]), ...vector([[i32]])]])),
    ...section(3, vector([[0]])),
    ...section(5, vector([[0, 1]])),
    ...section(6, vector([[i32, 0, ...constant(1024), end]])),
    ...section(7, vector(exports)),
    ...section(10, vector([[...unsigned(body.length), ...body]])),
  ])
}

/** The same in JavaScript. */
export const sampleScript = `(memory = { buffer: new ArrayBuffer(0), grow: (pages) => (memory.buffer = new ArrayBuffer(pages * 65536)) }) => ({
  memory,
  __heap_base: { value: 0 },
  entry(c, m, a) {
    const view = new DataView(memory.buffer)
    const mode = view.getInt32(m + 64, true)
    if (mode === 1) return 1
    if (mode === 2) throw new Error('trap')
    for (let i = 0; i < 16; i += 4) view.setFloat32(m + 128 + i, view.getFloat32(m + i, true) + view.getFloat32(c + i, true), true)
    return 0
  },
})`

export const digestOf = (bytes: Uint8Array): string => `sha256-${createHash('sha256').update(bytes).digest('hex')}`

/** Adds `c`, which is [10, 20, 30, 40] unless said otherwise; see sampleWasm. */
export function sampleBundle({
  name = 'sample',
  c = [10, 20, 30, 40],
  targets = ['wasm', 'interpreter'],
  damage = (bytes: Uint8Array) => bytes,
  script = sampleScript,
} = {}): Bundle {
  const constants = new Uint8Array(new Float32Array(c).buffer)
  const weights = new Uint8Array(4096 + 16)
  weights.set(constants, 4096)
  const files = new Map<string, Uint8Array>()
  const put = (bytes: Uint8Array, extension: string) => {
    const digest = digestOf(bytes)
    const file = `${name}-${digest.slice(7, 15)}.${extension}`
    files.set(file, bytes)
    return { file, bytes: bytes.length, digest }
  }
  const entry = {
    name: 'main',
    export: 'entry',
    regions: { constants: 16, mutable: 192, activations: 200_000, lowerBound: 100 },
    inputs: [0, 64],
    outputs: [128],
    faults: ['the mode is one'],
  }
  const code = (target: string) => ({
    ...(target === 'wasm' ? put(damage(sampleWasm()), 'wasm') : put(new TextEncoder().encode(script), 'js')),
    target,
    kind: target === 'wasm' ? ('wasm' as const) : ('module' as const),
    level: 'any',
    weights: { offset: 4096, bytes: 16, digest: digestOf(constants), checksum: checksumOf(constants) },
    entries: [entry],
  })
  const inputs = [
    { name: 'x', dtype: 'f32', shape: [2, 2] },
    { name: 'mode', dtype: 'i32', shape: [1] },
  ]
  const manifest: Manifest = {
    format: manifestFormat,
    glowplug: '0.0.0',
    model: name,
    toolchain: { node: '20' },
    entries: [{ name: 'main', inputs, outputs: [{ name: 'y', dtype: 'f32', shape: [2, 2] }] }],
    weights: put(weights, 'weights'),
    codes: targets.map(code),
  }
  put(new TextEncoder().encode(JSON.stringify(manifest)), 'manifest.json')
  return { name, manifest, files }
}

export const xs = new Float32Array([1, 2, 3, 4])
export const sum = { x: xs, mode: [mode.sum] }

/** Runs `body`, which must fail with a GlowplugError, and returns `code: message`. */
export async function failure(body: () => unknown): Promise<string> {
  try {
    await body()
  } catch (error: any) {
    if (error?.name !== 'GlowplugError') throw error
    return `${error.code}: ${error.message}`
  }
  throw new Error('it did not fail')
}
