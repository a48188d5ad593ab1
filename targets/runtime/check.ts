import { fail } from './error.ts'
import { type Manifest, manifestFormat, type TensorSignature } from './manifest.ts'
import { byteSize, dtypeNames } from './tensor.ts'

const size = 0

/** What a value must look like: a whole number below 2^32, a text, a list whose items are all alike, or an object with at least these fields. */
type Form = typeof size | RegExp | readonly [Form] | { readonly [field: string]: Form }

const text = /^.{0,65535}$/s
const digest = /^sha256-[\da-f]{64}$/
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
      kind: /^(wasm|module|addon)$/,
      level: text,
      weights: { offset: size, bytes: size, digest, checksum: text },
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

function demand(condition: boolean, field: string): asserts condition {
  if (!condition) fail('bundle-malformed', `the bundle is damaged at ${field}`)
}

function match(value: any, expected: any, field: string): void {
  const list = Array.isArray(expected)
  demand(
    expected === size
      ? value >>> 0 === value
      : expected instanceof RegExp
        ? typeof value === 'string' && expected.test(value)
        : list
          ? // Longer ones are damage.
            Array.isArray(value) && value.length <= 65536
          : Object(value) === value,
    field,
  )
  for (const key in list ? value : expected) match(value[key], expected[list ? 0 : key], `${field}.${key}`)
}

/** All that addresses anything must lie inside it. */
function checkExtents({ entries, weights, codes }: Manifest): void {
  demand(!!(entries[0] && codes[0]), 'manifest.codes')
  codes.forEach((code, c) => {
    demand(
      code.entries.length === entries.length &&
        code.weights.offset + code.weights.bytes <= weights.bytes &&
        code.entries.every(({ name, regions, inputs, outputs }, e) => {
          const signature = entries[e]!
          const fits = (offsets: readonly number[], tensors: readonly TensorSignature[]) =>
            offsets.length === tensors.length &&
            offsets.every((offset, i) => !(offset % 8) && offset + byteSize(tensors[i]!) <= regions.mutable)
          return (
            name === signature.name &&
            regions.constants <= code.weights.bytes &&
            fits(inputs, signature.inputs) &&
            fits(outputs, signature.outputs)
          )
        }),
      `manifest.codes.${c}`,
    )
  })
}

/**
 * Checks a parsed manifest in bounded time, since it may come from a damaged or foreign file, and returns it. Errors: `bundle-format`
 * when another version made it, otherwise `bundle-malformed`, which names the field.
 */
export function checkManifest(value: unknown): Manifest {
  const { format, glowplug } = Object(value)
  if (format !== manifestFormat)
    fail(
      'bundle-format',
      `the bundle has format ${format} of glowplug ${glowplug}, this loader reads ${manifestFormat}; build it again`,
    )
  match(value, form, 'manifest')
  checkExtents(value as Manifest)
  return value as Manifest
}
