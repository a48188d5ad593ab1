import { createRspackPlugin } from 'unplugin'
import type { Options } from './options.ts'
import { type Compiler, install } from './webpackLike.ts'

export type { Options } from './options.ts'
export type { ModelSummary, Summary } from './report.ts'

/**
 * Compiles `*.model.ts` modules while Rspack bundles them. Emitted files are asset modules: `output.assetModuleFilename`, code
 * splitting and the cache of Rspack treat them like any other. Model modules come out as JavaScript, whatever other rules say.
 */
export default createRspackPlugin<Options | undefined>((options = {}) => ({
  name: 'glowplug',
  rspack: (compiler) => install(compiler as unknown as Compiler, options),
}))
