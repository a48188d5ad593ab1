import { z } from 'zod'
import { type Manifest, manifestFormat } from '../../targets/runtime/manifest.ts'

const size = z
  .int()
  .min(0)
  .max(2 ** 32)
const digest = z.string().regex(/^sha256-[0-9a-f]{64}$/)
const checksum = z.string().regex(/^[0-9a-f]{128}$/)
const numbers = z.array(z.number()).readonly()
const tensor = z
  .strictObject({
    name: z.string().min(1),
    dtype: z.string(),
    shape: z.array(size).readonly(),
    quantization: z.strictObject({ scale: numbers, zeroPoint: numbers, axis: size.exactOptional() }).readonly().exactOptional(),
  })
  .readonly()
const tensors = z.array(tensor).readonly()
const texts = z.array(z.string()).readonly()
const indices = z.array(size).readonly()
const state = z
  .strictObject({
    bytes: size.multipleOf(64),
    tensors: z
      .array(
        tensor
          .unwrap()
          .extend({
            offset: size.multipleOf(64),
            initial: z
              .strictObject({ offset: size.multipleOf(4096), bytes: size, digest })
              .readonly()
              .exactOptional(),
          })
          .readonly(),
      )
      .min(1)
      .readonly(),
  })
  .readonly()
const extent = z.strictObject({ dim: z.string().min(1), times: z.int().min(1), plus: z.int(), over: z.int().min(1) }).readonly()
const bucketed = z
  .array(
    z.strictObject({ name: z.string().min(1), dtype: z.string(), shape: z.array(z.union([size, extent])).readonly() }).readonly(),
  )
  .readonly()
const buckets = z.strictObject({
  name: z.string().min(1),
  dims: z
    .array(
      z.strictObject({ name: z.string().min(1), sizes: z.array(size.min(1)).min(2).readonly(), least: size.min(1) }).readonly(),
    )
    .min(1)
    .readonly(),
  entries: z.array(z.string()).min(2).readonly(),
  inputs: bucketed,
  outputs: bucketed,
})
const file = z.strictObject({ file: z.string().regex(/^\w[\w.@+-]{0,254}$/), bytes: size, digest })

/** A manifest as the build may write it. The loader repeats by hand what matters to it, since it has no room for zod. */
export const manifestSchema = z
  .strictObject({
    format: z.literal(manifestFormat),
    glowplug: z.string(),
    model: z.string().min(1),
    toolchain: z.record(z.string(), z.string()).readonly(),
    entries: z
      .array(
        z
          .strictObject({
            name: z.string(),
            inputs: tensors,
            outputs: tensors,
            state: z.strictObject({ reads: indices, renews: indices }).readonly().exactOptional(),
          })
          .readonly(),
      )
      .min(1)
      .readonly(),
    state: state.exactOptional(),
    buckets: z.array(buckets.readonly()).min(1).readonly().exactOptional(),
    weights: file.readonly(),
    codes: z
      .array(
        file
          .extend({
            target: z.string().min(1),
            kind: z.enum(['wasm', 'module', 'addon']),
            level: z.string().min(1),
            platform: z
              .strictObject({ os: z.string().min(1), arch: z.string().min(1), libc: z.string().min(1) })
              .readonly()
              .exactOptional(),
            weights: z.strictObject({ offset: size.multipleOf(4096), bytes: size, digest, checksum }).readonly(),
            entries: z
              .array(
                z
                  .strictObject({
                    name: z.string(),
                    export: z.string().min(1),
                    regions: z
                      .strictObject({
                        constants: size,
                        mutable: size,
                        activations: size,
                        state: size.exactOptional(),
                        lowerBound: size,
                      })
                      .readonly(),
                    inputs: z.array(size).readonly(),
                    outputs: z.array(size).readonly(),
                    faults: texts,
                    keeps: size.exactOptional(),
                    times: z
                      .strictObject({
                        offset: size,
                        steps: z.array(z.strictObject({ name: z.string(), at: z.string() }).readonly()).readonly(),
                      })
                      .readonly()
                      .exactOptional(),
                  })
                  .readonly(),
              )
              .readonly(),
          })
          .readonly()
          .refine(
            ({ kind, platform }) => (kind === 'addon') === (platform !== undefined),
            'addons, and they alone, name a platform',
          ),
      )
      .min(1)
      .readonly(),
  })
  .readonly()

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Flat<T> = T extends object ? { [K in keyof T]: Flat<T[K]> } : T

/** Does not compile when the schema and the interface that the loader knows part ways. */
export const schemaIsManifest: Same<
  Flat<z.output<typeof manifestSchema>>,
  Flat<Omit<Manifest, 'format'> & { readonly format: typeof manifestFormat }>
> = true
