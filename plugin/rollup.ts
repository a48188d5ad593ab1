import { createRollupPlugin } from 'unplugin'
import type { Options } from './options.ts'
import { createHooks, type Setting } from './rollupLike.ts'

export type { Options } from './options.ts'
export type { ModelSummary, Summary } from './report.ts'

/**
 * Compiles `*.model.ts` modules while Rollup bundles them. Emitted files are assets of Rollup: `assetFileNames`, several outputs, code
 * splitting and `preserveModules` treat them like any other. Model modules come out as JavaScript.
 */
export default createRollupPlugin<Options | undefined>((options = {}) => {
  let silent = false
  const setting = (): Setting => ({
    root: process.cwd(),
    platform: options.environment ?? 'node',
    language: 'javascript',
    define: {},
    silent,
  })
  const hooks = createHooks(options, setting)
  return {
    name: 'glowplug',
    rollup: {
      ...hooks,
      buildStart(inputOptions) {
        silent = inputOptions.logLevel === 'silent'
        return hooks.buildStart.call(this)
      },
      // Before plugins that read TypeScript: what a model imports for its network is not theirs to compile.
      resolveId: { order: 'pre', handler: hooks.resolveId },
      load: { order: 'pre', handler: hooks.load },
    },
  }
})
