import { availableParallelism } from 'node:os'
import { areBudgets, type Budgets, budgetNames, recomputeNeeds } from './budgets.ts'
import type { PlatformChoice } from './platform.ts'
import type { Summary } from './report.ts'
import { isTargetName, type TargetChoice, targetNames } from './targets.ts'

/** What the plugin takes. Every entry has a default: `glowplug()` compiles for this machine and to wasm, caches, and prints one table. */
export interface Options {
  /**
   * What to compile for, in the order in which the loader tries them. Default `'auto'`: native code for the machine that builds where it has
   * a C compiler, and wasm. A target asked for by name is made, or the build fails. What is built for browsers holds wasm alone.
   */
  readonly targets?: TargetChoice
  /** Folder for compiled models, or `false` to compile always. Default `node_modules/.cache/glowplug`. */
  readonly cache?: string | false
  /** Bytes that the cache folder may hold before the entries unused for longest go. Default 512 MiB. */
  readonly cacheBytes?: number
  /** `'table'` prints a summary after each build, `'silent'` nothing; a function receives it as data. Default `'table'`. */
  readonly report?: 'table' | 'silent' | ((summary: Summary) => void)
  /** Instances of each model, each with its own worker and activations. Default 1. */
  readonly instances?: number
  /** Threads that run one request of a model together, where it is native code. Default 1. */
  readonly threads?: number
  /** `'code'` skips the digest of the weights, `'full'` checks it everywhere. By default it is checked where that blocks nobody: in workers. */
  readonly verify?: 'code' | 'full'
  /** Bytes of `memory`, `weights` and `code` that each model may need; the build fails where one needs more. Default: no limits. */
  readonly budgets?: Budgets
  /**
   * Where an entry needs more than `budgets.memory`, makes cheap values a second time right before their later readers rather than keep
   * them. Results are the same, and take longer. Default false.
   */
  readonly recompute?: boolean
  /**
   * Whether convolutions with a window of 3×3 may take fewer multiplications by Winograd's algorithm, whose sums round elsewhere: errors are
   * about ten times those of direct sums, at most some 1e-5 of the largest result. Default true.
   */
  readonly winograd?: boolean
  /**
   * `bf16`: operands of products and convolutions of f32 may be rounded to bf16, with 8 bits of fraction, to the nearest, ties to even; sums,
   * other operators, inputs and outputs stay f32. Weights take half the bytes. Default `f32`.
   */
  readonly precision?: 'f32' | 'bf16'
  /** Whether native code tells when each of its kernels ended, for traces of servers (`recordTrace` of `glowplug/serve`). Default false. */
  readonly trace?: boolean
  /** Whether measurements of `glowplug tune` beside a model, as `face.tuned.json`, decide how its kernels are made. Default true. */
  readonly tuned?: boolean
  /**
   * Places models over the cards of a platform, and makes servers of them, where the program runs on Node: `six-cards` or another preset, a JSON
   * file, or what such a file holds. Default: models run in one piece, in the process that imports them.
   */
  readonly platform?: PlatformChoice
  /** Where the program runs. Default: what the bundler was told (`platform`, `target`), `'node'` where it was told nothing. */
  readonly environment?: 'node' | 'browser'
}

/** Checked by hand: loading zod would take longer than a build that finds everything in the cache. */
const checks: { readonly [K in keyof Required<Options>]: readonly [accepts: (value: unknown) => boolean, expected: string] } = {
  targets: [
    (value) =>
      value === 'auto' ||
      isTargetName(value) ||
      (Array.isArray(value) && value.length > 0 && new Set(value).size === value.length && value.every(isTargetName)),
    `'auto', or one or a list of different targets among ${targetNames.map((name) => `'${name}'`).join(', ')}`,
  ],
  cache: [(value) => value === false || (typeof value === 'string' && value !== ''), 'a folder, or false'],
  cacheBytes: [(value) => Number.isSafeInteger(value) && (value as number) > 0, 'a positive whole number of bytes'],
  report: [(value) => value === 'table' || value === 'silent' || typeof value === 'function', "'table', 'silent' or a function"],
  instances: [
    (value) => Number.isSafeInteger(value) && (value as number) > 0,
    `a positive whole number (this machine runs ${availableParallelism()} threads at a time)`,
  ],
  threads: [(value) => Number.isSafeInteger(value) && (value as number) > 0, 'a positive whole number'],
  verify: [(value) => value === 'code' || value === 'full', "'code' or 'full'"],
  budgets: [areBudgets, 'an object of memory, weights and code, each a whole number of bytes'],
  recompute: [(value) => typeof value === 'boolean', 'true or false'],
  winograd: [(value) => typeof value === 'boolean', 'true or false'],
  precision: [(value) => value === 'f32' || value === 'bf16', "'f32' or 'bf16'"],
  trace: [(value) => typeof value === 'boolean', 'true or false'],
  tuned: [(value) => typeof value === 'boolean', 'true or false'],
  platform: [
    (value) =>
      (typeof value === 'string' && value !== '') || (typeof value === 'object' && value !== null && !Array.isArray(value)),
    "'six-cards' or another preset, a JSON file, or what such a file holds",
  ],
  environment: [(value) => value === 'node' || value === 'browser', "'node' or 'browser'"],
}

/** What is wrong with options that may come from untyped code, one sentence each; none when they can be used. */
export async function findOptionProblems(options: unknown): Promise<string[]> {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    return ['glowplug: the options must be an object']
  const problems: string[] = []
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    const check = Object.hasOwn(checks, name) ? checks[name as keyof Options] : undefined
    if (!check) {
      const { suggestion } = await import('../dsl/check.ts')
      problems.push(
        `glowplug: there is no option '${name}'${suggestion(name, Object.keys(checks)) || `; options are ${Object.keys(checks).join(', ')}`}`,
      )
    } else if (!check[0](value)) {
      const wrong = name === 'targets' ? [value].flat().find((each) => each !== 'auto' && !isTargetName(each)) : undefined
      const { suggestion } = await import('../dsl/check.ts')
      const unknown =
        name === 'budgets' && typeof value === 'object' && value !== null && !Array.isArray(value)
          ? Object.keys(value).find((key) => !(budgetNames as readonly string[]).includes(key))
          : undefined
      const near =
        unknown !== undefined
          ? `; there is no budget '${unknown}'${suggestion(unknown, budgetNames)}`
          : typeof wrong === 'string'
            ? `; there is no '${wrong}'${suggestion(wrong, targetNames)}`
            : ''
      problems.push(`glowplug: option '${name}' must be ${check[1]}${near}`)
    }
  }
  const { recompute, budgets } = options as Options
  if (problems.length === 0 && recompute && budgets?.memory === undefined) problems.push(`glowplug: ${recomputeNeeds}`)
  return problems
}
