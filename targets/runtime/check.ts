import { fail } from './error.ts'
import { type Manifest, manifestFormat } from './manifest.ts'
import { byteSize, dtypeNames } from './tensor.ts'

const size = 0

/** What a value must look like: a number from 0 to 2^32, a text, a list whose items are all alike, or an object with at least these fields. */
type Form = typeof size | RegExp | readonly [Form] | { readonly [field: string]: Form }

const text = /^.{0,65535}$/s
const digest = /^sha256-[0-9a-f]{64}$/
/** A name that can lead nowhere but into the bundle's folder. */
const file = { file: /^\w[\w.@+-]{0,254}$/, bytes: size, digest } as const
const tensors = [{ name: text, dtype: RegExp(`^(${dtypeNames.join('|')})$`), shape: [size] }] as const

const form: Form = {
  glowplug: text,
  model: text,
  toolchain: {},
  entries: [{ name: text, inputs: tensors, outputs: tensors }],
  weights: file,
  codes: [
    {
      ...file,
      target: text,
      kind: /^(wasm|module)$/,
      level: text,
      weights: { offset: size, bytes: size, digest },
      entries: [
        {
          name: text,
          export: text,
          regions: { constants: size, mutable: size, activations: size, lowerBound: size },
          inputs: [size],
          outputs: [size],
          faults: [text],
        },
      ],
    },
  ],
}

/** Longer lists are damage; so are sizes beyond 32-bit addresses. */
const maximumItems = 65536
const maximumBytes = 2 ** 32

function demand(condition: boolean, field: string, expected: string): asserts condition {
  if (!condition) fail('bundle-malformed', `the bundle is damaged: ${field} must be ${expected}`)
}

function match(value: any, expected: Form, field: string): void {
  if (expected === size) demand(Number.isInteger(value) && value >= 0 && value <= maximumBytes, field, 'a size')
  else if (expected instanceof RegExp) demand(typeof value === 'string' && expected.test(value), field, `text like ${expected}`)
  else if (Array.isArray(expected)) {
    demand(Array.isArray(value) && value.length <= maximumItems, field, 'a list')
    value.forEach((item: unknown, i: number) => void match(item, expected[0], `${field}[${i}]`))
  } else {
    demand(Object(value) === value, field, 'an object')
    for (const [key, inner] of Object.entries(expected)) match(value[key], inner, `${field}.${key}`)
  }
}

/** All that addresses anything must lie inside it. */
function checkExtents({ entries, weights, codes }: Manifest): void {
  demand(entries.length > 0 && codes.length > 0, 'manifest.codes', 'there')
  codes.forEach((code, c) => {
    const field = `manifest.codes[${c}]`
    demand(code.weights.offset + code.weights.bytes <= weights.bytes, `${field}.weights`, 'inside the file')
    demand(code.entries.length === entries.length, `${field}.entries`, 'one for each entry')
    code.entries.forEach(({ regions, inputs, outputs }, e) => {
      const signature = entries[e]!
      const tensors = [...signature.inputs, ...signature.outputs]
      const offsets = [...inputs, ...outputs]
      const inside = (offset: number, i: number) => offset % 8 === 0 && offset + byteSize(tensors[i]!) <= regions.mutable
      const paired = inputs.length === signature.inputs.length && offsets.length === tensors.length
      demand(
        paired && offsets.every(inside) && regions.constants <= code.weights.bytes,
        `${field}.entries[${e}]`,
        'addresses inside its regions',
      )
    })
  })
}

/**
 * Checks a parsed manifest in bounded time, since it may come from a damaged or foreign file, and returns it. Errors: `bundle-format`
 * when another version made it, otherwise `bundle-malformed`, which names the field.
 */
export function checkManifest(value: unknown): Manifest {
  const manifest = value as Manifest
  match(value, {}, 'manifest')
  if (manifest.format !== manifestFormat)
    fail(
      'bundle-format',
      `the bundle was made by another version, glowplug ${manifest.glowplug}: it has format ${manifest.format}, this loader reads ${manifestFormat}; build it again`,
    )
  match(value, form, 'manifest')
  checkExtents(manifest)
  return manifest
}
